"""Equal content: one key is changed until one measure has a value, so that runs compare there.

A larger style weight lowers the distance to the painting and raises the one to the photograph.
Choices are compared where one of the two is the same: `match.measure=features match.value=0.6`."""

import copy
import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stn import config, runs
from stn.assets.pictures import Picture
from stn.config.schema import Match
from stn.errors import InputError, NotReached
from stn.runs import run_directory
from stn.transfer import story
from stn.transfer.result import Result

# All ours. A trial within this of the value will do: seeds and rounding move measures by as much.
TOLERANCE = 0.01
MOST_TRIALS = 6
FIRST_FACTOR = 4.0  # the second trial, where nothing says how steep the measure is
LARGEST_FACTOR = 100.0  # between a trial and the next
LEAST_SHARE = 0.2  # of the way between two trials far apart: halved, where the secant goes less
Trial = tuple[float, float]  # a value of the key, and the measure of its picture


def hit(trial: Trial, target: float) -> bool:
    """Whether the trial's measure is the target, within TOLERANCE of it."""
    return abs(trial[1] - target) <= TOLERANCE * abs(target)


def following(
    trials: Sequence[Trial], target: float, start: float, slope: float | None = None
) -> float:
    """The value to try next: the secant over the logarithm of the key, kept between trials on
    either side of the target where there are two.

    `start` is the first. `slope`, the measure's rise a factor of e, is used until there are two
    trials; without one the second goes FIRST_FACTOR up where the measure is too low, else down."""
    if not trials:
        return start
    known = sorted((math.log(value), measure - target) for value, measure in trials)
    far = math.log(LARGEST_FACTOR)
    if len(known) == 1:
        [(x, off)] = known
        step = -off / slope if slope else math.copysign(math.log(FIRST_FACTOR), -off)
        return math.exp(x + max(-far, min(far, step)))
    across = [pair for pair in itertools.pairwise(known) if (pair[0][1] < 0) != (pair[1][1] < 0)]
    if across:
        (low, below), (high, above) = min(across, key=lambda pair: sum(abs(y) for _, y in pair))
        guess = low - below * (high - low) / (above - below)
        share = (guess - low) / (high - low)
        if not LEAST_SHARE < share < 1 - LEAST_SHARE and high - low > math.log(FIRST_FACTOR):
            guess = (low + high) / 2  # one of the two is far off, where the measure hardly changes
        return math.exp(guess)
    (x, off), (other, its) = sorted(known, key=lambda each: abs(each[1]))[:2]
    step = off * (other - x) / (off - its) if its != off else far
    return math.exp(x + max(-far, min(far, step)))


def typical_slope(several: Sequence[Sequence[Trial]]) -> float | None:
    """The measure's rise a factor of e, the median over searches, each by its two trials that are
    farthest apart; None where none has two.
    """
    found = []
    for trials in several:
        (x, low), (other, high) = min(trials), max(trials)
        if other > x and high != low:
            found.append((high - low) / (math.log(other) - math.log(x)))
    return statistics.median(found) if found else None


def run(
    settings: config.Config,
    run_dir: Path | str,
    cell: runs.SweepCell | None = None,
    arrays: Mapping[str, Picture] | None = None,
) -> Result:
    """`story.run`; with `match.measure` trials come first, in a folder of the run's directory, and
    the run is the one that hit.

    It resumes at that trial's end, so that no evaluation is made twice; where the trial kept no
    checkpoint, as after `optimizer.tolerance`, it is made again. A trial that is there already is
    not run again. Raises NotReached if no trial hits."""
    match = settings.match
    if match.measure is None:
        return story.run(settings, run_dir, cell, arrays)
    assert match.value is not None
    key = match.key or Match.KEY
    start, trials = float(config.value_of(settings, key)), list[Trial]()
    while not (trials and hit(trials[-1], match.value)):
        if len(trials) == MOST_TRIALS:
            low, high, found = min(trials), max(trials), [measure for _, measure in trials]
            raise NotReached(
                f"match.value={match.value:g}: {MOST_TRIALS} runs with {key} from {low[0]:.3g} to"
                f" {high[0]:.3g} have a {match.measure} of {min(found):.3g} to {max(found):.3g},"
                f" none within {TOLERANCE:.0%}; give a value between, or another {key} to begin"
                " with"
            )
        value = float(f"{following(trials, match.value, start):.6g}")
        trial = _with(settings, key, value)
        trial.output, trial.tracking.mode, trial.tracking.keep_checkpoint = None, "off", True
        folder = Path(run_dir) / runs.TRIALS / f"{value:g}"
        made = story.run(trial, folder, arrays=arrays)
        trials.append((value, _measured(made.summary, match.measure)))
        if not hit(trials[-1], match.value):
            (folder / run_directory.CHECKPOINT).unlink(missing_ok=True)
    run_directory.continue_from(folder, Path(run_dir))
    return story.run(_with(settings, key, trials[-1][0]), run_dir, cell, arrays)


def _with(settings: config.Config, key: str, value: float) -> config.Config:
    """The settings of a plain run that has this value."""
    changed = copy.deepcopy(settings)
    changed.match = Match()
    group, _, name = key.rpartition(".")
    setattr(config.value_of(changed, group) if group else changed, name, value)
    return changed


def _measured(summary: Mapping[str, Any], measure: str) -> float:
    found = summary.get(f"measures/{measure}")
    if found is None:
        raise InputError(
            f"match.measure={measure}: this run has none; its pictures are too small, or it has no"
            " photograph"
        )
    return float(found)
