"""What goes on in a tree of runs, by what they have written: which run, how fast, for how long yet;
and what waits.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stn import runs
from stn.runs import locks, previews
from stn.sweeps import cells

SWEEP = "multirun.yaml"  # what Hydra's sweeper leaves: the settings of the sweep
ROWS = 20  # of metrics.csv, the last ones, over which the pace is taken
# How long a run may write nothing: until its first evaluation, which waits for the network and its
# compilation; after it, so many evaluations and seconds.
FIRST_SECONDS, PATIENCE, PATIENCE_SECONDS = 120.0, 10, 30.0


def pace(run: runs.Run, now: float) -> dict[str, Any] | None:
    """Where a run stands that goes on: evaluations `done` and `of` how many, its `rate` (1/s), the
    seconds `left`.

    `rate` and `left` are None where they are not known yet. None for a run that ended, or was
    killed: one that holds no lock, or has written nothing for long; `now` is the time, in seconds
    as of `time.time`."""
    planned, done = levels(run.settings), len(run.metrics.get("evaluation", ()))
    if run.state != "unfinished" or not planned or not (run.path / locks.LOCK).exists():
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
    """The evaluations to come, in those of the level that the run is at: their time is in
    proportion to the area.
    """
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
    """The cells of the last sweep here of which nothing is there yet, as `cells.last_command` gives
    them.
    """
    planned = _planned(sweep_dir, modified(sweep_dir / SWEEP))
    left = (runs.PROVENANCE, runs.FAILED)
    return {
        name: given
        for name, given in planned.items()
        if not any((sweep_dir / name / each).exists() for each in left)
    }


def latest(run: runs.Run) -> Path:
    """The file of the result, or of the newest picture that an unfinished run has left; it may not
    be there.
    """
    if run.summary:
        return run.path / runs.PICTURE
    progress = sorted(run.path.glob("progress/*.png"))[-1:]
    return max(run.path / runs.PICTURE, run.path / previews.VIEW, *progress, key=modified)


def levels(settings: Mapping[str, Any]) -> list[tuple[float, int]]:
    """The scale of the sides and the evaluations of each level of a run, the full size last; none
    if unreadable.
    """
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
    """The cells of the last sweep, as long as the file that says so is not modified."""
    return cells.last_command(sweep_dir)
