"""The progress of a tree of runs by their files: what runs, how fast, time left, what waits."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stn import runs
from stn.runs import previews, record
from stn.sweeps import cells

ROWS = 20  # the last rows of metrics.csv, from which the pace is taken
# How long a run may write nothing and still count as running: before its first evaluation, which
# waits for compilation; and after it, in evaluations and in seconds.
FIRST_SECONDS, PATIENCE, PATIENCE_SECONDS = 120.0, 10, 30.0


def pace(run: runs.Run, now: float) -> dict[str, Any] | None:
    """The progress of a run: evaluations `done` and `of` how many, `rate` (1/s), seconds `left`.

    `rate` and `left` are None while unknown. None for a run that has ended or was killed: it holds
    no lock, or has written nothing for long. `now` is in seconds as of `time.time`."""
    planned, done = levels(run.settings), len(run.metrics.get("evaluation", ()))
    if run.state != "unfinished" or not planned or not (run.path / record.LOCK).exists():
        return None
    seconds = run.metrics.get("seconds", np.zeros(0))[-ROWS:]
    step = float(seconds[-1] - seconds[0]) / (len(seconds) - 1) if len(seconds) > 1 else 0.0
    patience = max(PATIENCE * step, PATIENCE_SECONDS) if done else FIRST_SECONDS
    if now - max(modified(run.path / name) for name in (runs.PROVENANCE, runs.METRICS)) > patience:
        return None
    left = round(step * _remaining(run, planned), 1) if step else None
    rate = float(f"{1 / step:.3g}") if step else None
    return {"done": done, "of": sum(most for _, most in planned), "rate": rate, "left": left}


def _remaining(run: runs.Run, planned: list[tuple[float, int]]) -> float:
    """The evaluations left, in those of the present level, whose time is as its area."""
    done = len(run.metrics["evaluation"])
    at, here = 0, done
    if "level" in run.metrics:
        at = min(int(run.metrics["level"][-1]), len(planned) - 1)
        here = int((run.metrics["level"] == at).sum())
    area = planned[at][0] ** 2
    return max(0, planned[at][1] - here) + sum(
        most * scale**2 / area for scale, most in planned[at + 1 :]
    )


def waiting(sweep_dir: Path) -> dict[str, list[str]]:
    """The cells of the last sweep here that left nothing yet, as of `cells.last_command`."""
    planned = _planned(sweep_dir, modified(sweep_dir / cells.SWEEP))
    left = (runs.PROVENANCE, runs.FAILED)
    return {
        name: given
        for name, given in planned.items()
        if not any((sweep_dir / name / each).exists() for each in left)
    }


def latest(run: runs.Run) -> Path:
    """The result, or the newest picture of an unfinished run; the file may not be there."""
    if run.summary:
        return run.path / runs.PICTURE
    progress = sorted(run.path.glob("progress/*.png"))[-1:]
    return max(run.path / runs.PICTURE, run.path / previews.VIEW, *progress, key=modified)


def levels(settings: Mapping[str, Any]) -> list[tuple[float, int]]:
    """(scale of the sides, evaluations) of each level, full size last; [] if unreadable."""
    try:
        coarse = [
            (float(each["scale"]), int(each["max_evaluations"]))
            for each in settings["pyramid"]["levels"]
        ]
        return [*coarse, (1.0, int(settings["optimizer"]["max_evaluations"]))]
    except (KeyError, TypeError, ValueError):
        return []


def modified(path: Path) -> float:
    """When a file was last written, as of `time.time`; 0 if it is not there."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


@functools.lru_cache(maxsize=100)
def _planned(sweep_dir: Path, modified: float) -> dict[str, list[str]]:
    """`cells.last_command`, remembered until the file changes."""
    return cells.last_command(sweep_dir)
