"""What a whole sweep shows in W&B: one more run of its group, with a table of the cells and their pictures."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from stn import report
from stn.errors import InputError


def log(sweep_dir: Path) -> None:
    """Log a row a finished cell: what varies, losses, measures, picture.

    The W&B run lies in the sweep's directory, and is online if the cells were. Raises InputError if there is no
    finished cell, or if W&B fails.
    """
    cells = [
        path.parent for path in sweep_dir.rglob("summary.json") if "wandb" not in path.relative_to(sweep_dir).parts
    ]
    cells.sort(key=lambda path: (len(path.name), path.name))
    if not cells:
        raise InputError(f"{sweep_dir}: holds no finished run")
    read = [[json.loads((cell / f"{name}.json").read_text()) for name in ("provenance", "summary")] for cell in cells]
    try:
        _log(sweep_dir, cells, [provenance["config"] for provenance, _ in read], [summary for _, summary in read])
    except Exception as error:  # whatever W&B meets
        raise InputError(f"W&B could not make the table ({error})") from error


def _log(sweep_dir: Path, cells: list[Path], configs: list[dict[str, Any]], summaries: list[dict[str, Any]]) -> None:
    import wandb

    logging.getLogger("wandb").setLevel(logging.CRITICAL)
    os.environ["WANDB_SILENT"] = "true"
    # A table's pictures are an artifact, which W&B would stage in the user's home.
    os.environ["WANDB_DATA_DIR"] = os.environ["WANDB_CACHE_DIR"] = str((sweep_dir / "wandb").absolute())
    rows: list[dict[str, Any]] = []
    for cell, chosen, summary in zip(cells, report.parameters(configs), summaries, strict=True):
        numbers = {key: value for key, value in summary.items() if key.startswith(("loss/", "measures/"))}
        # As text, since a column has one type: sizes may be null, seeds numbers.
        rows.append({"cell": cell.name, **{key: str(value) for key, value in chosen.items()}, **numbers})
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = wandb.Table(columns=[*columns, "image"])
    for cell, row in zip(cells, rows, strict=True):
        table.add_data(*(row.get(column) for column in columns), wandb.Image(str(cell / "image.png")))
    tracking = configs[-1]["tracking"]
    run = wandb.init(
        project=tracking["project"],
        dir=str(sweep_dir),
        mode="online" if tracking["mode"] == "online" else "offline",
        name=f"{sweep_dir.name} table",
        group=sweep_dir.name,
        job_type="table",
        tags=sorted({str(settings["name"]) for settings in configs}),
        settings=wandb.Settings(
            silent=True, console="off", disable_git=True, disable_code=True, x_disable_stats=True, init_timeout=30
        ),
        reinit="finish_previous",
    )
    run.log({"cells": table})
    run.finish()
