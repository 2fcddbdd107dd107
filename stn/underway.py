"""What goes on in a tree of runs, by what they have written: which run, how fast, for how long yet; and what waits."""

import functools
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from stn import runs

SWEEP = "multirun.yaml"  # what Hydra's sweeper leaves: the settings of the sweep
ROWS = 20  # of metrics.csv, the last ones, over which the pace is taken
# How long a run may write nothing: until its first evaluation, which waits for the network and its compilation; after
# it, so many evaluations and seconds.
FIRST_SECONDS, PATIENCE, PATIENCE_SECONDS = 120.0, 10, 30.0


def pace(run: runs.Run, now: float) -> dict[str, Any] | None:
    """Where a run stands that goes on: evaluations `done` and `of` how many, its `rate` (1/s), the seconds `left`.

    `rate` and `left` are None where they are not known yet. None for a run that ended, or was killed: one that holds no
    lock, or has written nothing for long; `now` is the time, in seconds as of `time.time`.
    """
    levels, done = runs.levels(run.settings), len(run.metrics.get("evaluation", ()))
    if run.state != "unfinished" or not levels or not (run.path / runs.LOCK).exists():
        return None
    seconds = run.metrics.get("seconds", np.zeros(0))[-ROWS:]
    step = float(seconds[-1] - seconds[0]) / (len(seconds) - 1) if len(seconds) > 1 else 0.0
    patience = max(PATIENCE * step, PATIENCE_SECONDS) if done else FIRST_SECONDS
    if now - max(runs.modified(run.path / name) for name in (runs.PROVENANCE, runs.METRICS)) > patience:
        return None
    left = round(step * _remaining(run, levels), 1) if step else None
    rate = float(f"{1 / step:.3g}") if step else None
    return {"done": done, "of": sum(most for _, most in levels), "rate": rate, "left": left}


def _remaining(run: runs.Run, levels: list[tuple[float, int]]) -> float:
    """The evaluations to come, in those of the level that the run is at: their time is in proportion to the area."""
    done = len(run.metrics["evaluation"])
    at, here = 0, done
    if "level" in run.metrics:
        at = min(int(run.metrics["level"][-1]), len(levels) - 1)
        here = int((run.metrics["level"] == at).sum())
    area = levels[at][0] ** 2
    return max(0, levels[at][1] - here) + sum(most * scale**2 / area for scale, most in levels[at + 1 :])


def waiting(sweep_dir: Path) -> dict[str, list[str]]:
    """The cells of the last sweep here of which nothing is there yet, by number, with what the sweep varies.

    None where Hydra's own sweeper does not number them.
    """
    planned = _planned(sweep_dir / SWEEP, runs.modified(sweep_dir / SWEEP))
    left = (runs.PROVENANCE, runs.FAILED)
    return {
        name: given for name, given in planned.items() if not any((sweep_dir / name / each).exists() for each in left)
    }


@functools.lru_cache(maxsize=100)
def _planned(path: Path, modified: float) -> dict[str, list[str]]:
    """What the sweep varies, of all cells by number, as long as the file of Hydra's sweeper is not modified."""
    try:
        hydra = OmegaConf.load(path).hydra
        plain: Any = OmegaConf.to_container(hydra, resolve=False)
        if plain["sweep"]["subdir"] != "${hydra.job.num}" or not plain["sweeper"]["_target_"].endswith(".BasicSweeper"):
            return {}
        parsed = OverridesParser.create().parse_overrides(plain["overrides"]["task"])
        [cells] = BasicSweeper.split_arguments(parsed, None)
        swept = [each.is_sweep_override() for each in parsed]
    except Exception:  # no sweep, or a file that is damaged or of another program
        return {}
    return {str(number): list(itertools.compress(cell, swept)) for number, cell in enumerate(cells)}
