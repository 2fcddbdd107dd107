"""What a whole sweep shows in W&B: one more run of its group, with a table of the cells, their
pictures and figures.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot  # noqa: F401  (which W&B asks for when it is given a figure, and takes for imported)
from matplotlib.figure import Figure

from stn import runs
from stn.analysis import figures, grouping, sweep_tables
from stn.command_line import one_line
from stn.errors import InputError
from stn.runs import wandb_checks, wandb_run

SHOWN = ("picture/loss/", "picture/clipped_share", "loss/", "measures/")
TRADEOFF = ("measures/content", "measures/style")  # what α/β trades for each other


def log(sweep_dir: Path) -> None:
    """Log a row a finished cell: what varies, losses, measures, picture; what of it is damaged
    stays empty.

    The W&B run lies in the sweep's directory, in place of an earlier one, and is online if the
    cells were. It has what varies as configuration, the range of each loss and measure as summary.
    Raises InputError if there is no finished cell, or if W&B fails."""
    cells = [run for run in runs.below(sweep_dir) if run.state == "finished"]
    if not cells:
        raise InputError(f"{sweep_dir}: holds no finished run")
    if cells[0].path == sweep_dir:
        raise InputError(
            f"{sweep_dir}: is one run, which has a W&B run of its own; give the directory of a"
            " sweep"
        )
    known = [cell.settings for cell in cells if cell.settings]
    if not known:
        raise InputError(
            f"{sweep_dir}: no finished run has a readable {runs.PROVENANCE}, so no settings are"
            " known"
        )
    tracking = known[-1]["tracking"]
    mode = wandb_checks.turned_down("online" if tracking["mode"] == "online" else "offline")
    if mode == "off":
        raise InputError(
            "WANDB_MODE and WANDB_DISABLED say that nothing goes to W&B; --wandb needs it"
        )
    wandb_checks.check(mode, tracking["project"], sweep_dir)
    try:
        _log(
            sweep_dir,
            cells,
            mode,
            tracking["project"],
            sorted({str(settings["name"]) for settings in known}),
        )
    except Exception as error:  # whatever W&B meets
        raise InputError(f"W&B could not make the table ({one_line(error)})") from error


def _log(
    sweep_dir: Path, cells: Sequence[runs.Run], mode: str, project: str, tags: list[str]
) -> None:
    # A table's pictures are an artifact, which W&B would stage in the user's home.
    os.environ["WANDB_DATA_DIR"] = os.environ["WANDB_CACHE_DIR"] = str(
        (sweep_dir / "wandb").absolute()
    )
    import wandb

    chosen = _typed(runs.parameters(cells))
    numbers = [
        {
            key: cell.summary[key]
            for key in sweep_tables.picture_first(cell.summary)
            if key.startswith(SHOWN)
        }
        for cell in cells
    ]
    swept = {"sweep": _values(chosen)}
    name = sweep_dir.resolve().name
    run = wandb_run.start(
        sweep_dir,
        mode,
        f"{name} table",
        name,
        tags,
        project=project,
        job_type="table",
        config=swept,
    )
    rows = [
        {"cell": sweep_tables.name_of(cell, sweep_dir), **varied, **found}
        for cell, varied, found in zip(cells, chosen, numbers, strict=True)
    ]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = wandb.Table(columns=[*columns, "image"])
    for cell, row in zip(cells, rows, strict=True):
        picture = wandb.Image(str(cell.path / runs.PICTURE)) if _has_picture(cell) else None
        table.add_data(*(row.get(column) for column in columns), picture)
    drawn = drawings(cells, sweep_dir)
    run.log(
        {"cells": table, **{f"figures/{key}": wandb.Image(figure) for key, figure in drawn.items()}}
    )
    for key in _values(numbers):
        found = [value for cell in cells if (value := grouping.number(cell, key)) is not None]
        run.summary.update({key: {"min": min(found), "max": max(found)}} if found else {})
    run.summary.update({"finished_cells": len(cells)})
    run.finish()


def drawings(cells: Sequence[runs.Run], sweep_dir: Path) -> dict[str, Figure]:
    """The figures of a sweep by their names in W&B: what is to be seen there besides is added
    here.
    """
    curves = {
        sweep_tables.name_of(cell, sweep_dir): cell
        for cell in cells
        if len(cell.metrics.get("loss/total", ()))
    }
    drawn = {"losses": figures.curves(curves)} if curves else {}
    groups = grouping.over_seeds(cells)
    if any(all(group.estimate(column) for column in TRADEOFF) for group in groups):
        lines = grouping.connected(groups, grouping.swept(groups))
        drawn["tradeoff"] = figures.tradeoff_curves(
            lines, *TRADEOFF, grouping.not_comparable(cells)
        )
    return drawn


def _typed(chosen: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Settings with one type a column, as W&B wants it: numbers where all are numbers, else text
    (null, layers).
    """
    numbers = {
        key
        for key, found in _values(chosen).items()
        if all(type(value) in (int, float) for value in found)
    }
    return [
        {key: value if key in numbers else str(value) for key, value in each.items()}
        for each in chosen
    ]


def _values(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The different values of each key, in the order in which they come."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: list(dict.fromkeys(row[key] for row in rows if key in row)) for key in keys}


def _has_picture(cell: runs.Run) -> bool:
    """Whether the result can be decoded; W&B itself would look at its first bytes only."""
    try:
        return cell.rgb.size > 0
    except InputError:
        return False
