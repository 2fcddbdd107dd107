"""What a whole sweep shows in W&B: one more run of its group, with a table of the cells and their pictures."""

import logging
import os
from pathlib import Path
from typing import Any

from stn import runs
from stn.errors import InputError

SHOWN = ("picture/loss/", "picture/clipped_share", "loss/", "measures/")


def log(sweep_dir: Path) -> None:
    """Log a row a finished cell: what varies, losses, measures, picture; what of it is damaged stays empty.

    The W&B run lies in the sweep's directory, and is online if the cells were. Raises InputError if there is no
    finished cell, or if W&B fails.
    """
    cells = [run for run in runs.below(sweep_dir) if run.state == "finished"]
    if not cells:
        raise InputError(f"{sweep_dir}: holds no finished run")
    known = [cell.settings for cell in cells if cell.settings]
    if not known:
        raise InputError(f"{sweep_dir}: no finished run has a readable {runs.PROVENANCE}, so no settings are known")
    try:
        _log(sweep_dir, cells, known)
    except Exception as error:  # whatever W&B meets
        raise InputError(f"W&B could not make the table ({error})") from error


def _log(sweep_dir: Path, cells: list[runs.Run], known: list[dict[str, Any]]) -> None:
    import wandb

    logging.getLogger("wandb").setLevel(logging.CRITICAL)
    os.environ["WANDB_SILENT"] = "true"
    # A table's pictures are an artifact, which W&B would stage in the user's home.
    os.environ["WANDB_DATA_DIR"] = os.environ["WANDB_CACHE_DIR"] = str((sweep_dir / "wandb").absolute())
    rows: list[dict[str, Any]] = []
    for cell, chosen in zip(cells, runs.parameters(cells), strict=True):
        numbers = {key: cell.summary[key] for key in runs.results(cell.summary) if key.startswith(SHOWN)}
        # As text, since a column has one type: sizes may be null, seeds numbers.
        rows.append({"cell": cell.path.name, **{key: str(value) for key, value in chosen.items()}, **numbers})
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = wandb.Table(columns=[*columns, "image"])
    for cell, row in zip(cells, rows, strict=True):
        picture = wandb.Image(str(cell.path / runs.PICTURE)) if _has_picture(cell) else None
        table.add_data(*(row.get(column) for column in columns), picture)
    tracking = known[-1]["tracking"]
    run = wandb.init(
        project=tracking["project"],
        dir=str(sweep_dir),
        mode="online" if tracking["mode"] == "online" else "offline",
        name=f"{sweep_dir.name} table",
        group=sweep_dir.name,
        job_type="table",
        tags=sorted({str(settings["name"]) for settings in known}),
        settings=wandb.Settings(
            silent=True, console="off", disable_git=True, disable_code=True, x_disable_stats=True, init_timeout=30
        ),
        reinit="finish_previous",
    )
    run.log({"cells": table})
    run.finish()


def _has_picture(cell: runs.Run) -> bool:
    """Whether the result can be decoded; W&B itself would look at its first bytes only."""
    try:
        return cell.rgb.size > 0
    except InputError:
        return False
