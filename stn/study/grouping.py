"""Runs over seeds: groups, the mean and deviation of each result, what is within noise, which make
a front.
"""

import json
import math
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

from stn import config, runs

LOSSES = ("loss/total", "loss/content", "loss/style", "loss/total_variation")
# The settings that choose an input, where its checksum (provenance.json) is not called as its
# setting or its path is.
CHOSEN_BY = {
    "weights": ("network.name", "network.weights"),
    "rescale": ("network.rescale",),
    "init": ("init.name", "init.path"),
}
# What is compared first: the picture's own losses, since the optimizer's are of an image that may
# leave 0-255.
RESULTS = (
    *(f"picture/{key}" for key in LOSSES),
    "picture/clipped_share",
    *LOSSES,
    "evaluations",
    "seconds",
)


class Estimate(NamedTuple):
    """A result over seeds: mean, sample standard deviation (divided by n − 1; NaN from one seed),
    number of seeds.
    """

    mean: float
    deviation: float
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Estimate":
        """The estimate from one value a seed, at least one."""
        return cls(
            statistics.fmean(values),
            statistics.stdev(values) if len(values) > 1 else math.nan,
            len(values),
        )


@dataclass(frozen=True)
class Group:
    """Finished runs that differ in nothing but the seed, one a seed, in the order given."""

    runs: tuple[runs.Run, ...]
    parameters: dict[str, Any]  # in which the groups differ, in short forms

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the runs share, by dotted keys."""
        return {
            key: value for key, value in config.flat(self.runs[0].settings).items() if key != "seed"
        }

    @property
    def yardstick(self) -> tuple[str, str]:
        """Network and size; measures compare only between groups in which both are the same."""
        return yardstick(self.runs[0])

    def estimate(self, column: str) -> Estimate | None:
        """A result or a numeric setting over the seeds; None if no run has it, or none a finite
        one.
        """
        values = [value for run in self.runs if (value := number(run, column)) is not None]
        return Estimate.of(values) if values else None


def over_seeds(several: Iterable[runs.Run]) -> list[Group]:
    """The finished runs in groups that share every setting but the seed, and every input file.

    The same seed twice is the same result twice, which counts once. Runs whose settings cannot be
    read are left out."""
    found: dict[str, dict[Any, runs.Run]] = {}
    for run in several:
        if run.state == "finished" and run.settings:
            kept = config.counted(run.settings)
            seed = kept.pop("seed", None)
            inputs = run.provenance.get("inputs_sha256")
            found.setdefault(json.dumps([kept, inputs], sort_keys=True), {}).setdefault(seed, run)
    members = [tuple(by_seed.values()) for by_seed in found.values()]
    chosen = runs.parameters([first for first, *_ in members])
    for each in chosen:
        each.pop("seed", None)
    return [Group(several, each) for several, each in zip(members, chosen, strict=True)]


def within_noise(one: Estimate, other: Estimate) -> bool:
    """Whether two means differ by no more than the pooled standard deviation over seeds; False if
    that is unknown.

    √(((n₁−1) s₁² + (n₂−1) s₂²) / (n₁+n₂−2)): Cohen 1988 (Statistical Power Analysis, 2nd ed.),
    section 2.5, whose d is then at most one."""
    freedom = one.seeds + other.seeds - 2
    if freedom < 1:
        return False
    squares = sum((each.seeds - 1) * each.deviation**2 for each in (one, other) if each.seeds > 1)
    return abs(one.mean - other.mean) <= math.sqrt(squares / freedom)


def joined(groups: Sequence[Group], along: str | None) -> dict[str, list[Group]]:
    """Groups that differ in the setting `along` only, joined in its order, by a label; each by
    itself if it is None.

    An input file that was exchanged under its name is a difference too.
    """
    found: dict[str, list[Group]] = {}
    for index, group in enumerate(groups):
        rest = {key: value for key, value in config.counted(group.settings).items() if key != along}
        inputs = {
            key: value
            for key, value in _checksums(group.runs[0]).items()
            if along not in CHOSEN_BY.get(key, (key, f"{key}.path"))
        }
        found.setdefault(
            json.dumps([rest, inputs], sort_keys=True) if along else str(index), []
        ).append(group)
    labeled: dict[str, list[Group]] = {}
    for front in found.values():
        label = _label(front[0], along)
        again = sum(known.startswith(label) for known in labeled)  # two files of one name, say
        labeled[f"{label} ({again + 1})" if label in labeled else label] = sorted(
            front, key=lambda group: _order(group.settings.get(str(along)))
        )
    return labeled


def swept(groups: Sequence[Group]) -> str | None:
    """The numeric setting of which the groups have the most values: along it a front is joined;
    None without one.
    """
    flats = [group.settings for group in groups]
    values = {
        key: {each.get(key) for each in flats}
        for key in config.differing(flats)
        if _all_numbers(key, flats)
    }
    return max(values, key=lambda key: len(values[key]), default=None)


def results(several: Iterable[runs.Run]) -> list[str]:
    """The results that a table shows: RESULTS, of which zeros all over are left out, then every
    measure.
    """
    summaries = [run.summary for run in several]
    measures = dict.fromkeys(
        key for each in summaries for key in each if key.startswith("measures/")
    )
    return [*(key for key in RESULTS if any(each.get(key) for each in summaries)), *measures]


def number(run: runs.Run, column: str) -> float | None:
    """A run's result, or else its setting, if that is a finite number."""
    value = run.summary[column] if column in run.summary else config.flat(run.settings).get(column)
    return float(value) if _is_number(value) and math.isfinite(value) else None


def yardstick(run: runs.Run) -> tuple[str, str]:
    """The network and the size of a run in words; its measures compare with those of no other
    network or size.
    """
    flat = config.flat(run.settings)
    weights = _checksums(run).get("weights", "")
    size, shape = flat.get("image.size_px"), flat.get("image.shape")
    rule = "the pictures' own size" if size is None else f"{flat.get('image.side')} {size} px"
    return (
        f"{flat.get('network.name')}{f' ({str(weights)[:8]})' if weights else ''}",
        f"{rule}, result {' × '.join(map(str, reversed(shape)))} px"
        if isinstance(shape, list)
        else rule,
    )


def _checksums(run: runs.Run) -> dict[str, Any]:
    """The checksums of the run's input files; empty if they are missing or damaged."""
    found = run.provenance.get("inputs_sha256")
    return found if isinstance(found, dict) else {}


def not_comparable(several: Iterable[runs.Run]) -> list[str]:
    """A sentence for each reason why the measures of these runs do not compare."""
    known = [yardstick(run) for run in several if run.settings]
    networks, sizes = {network for network, _ in known}, {size for _, size in known}
    found = {
        f"networks ({'; '.join(sorted(networks))})": len(networks),
        f"sizes ({'; '.join(sorted(sizes))})": len(sizes),
    }
    return [
        f"The runs are of different {what}: their measures do not compare."
        for what in found
        if found[what] > 1
    ]


def written(setting: Any) -> str:
    """A setting, which is exact, in as few digits as it has."""
    return (
        re.sub(r"e\+?(-?)0*", r"e\1", f"{setting:g}")
        if isinstance(setting, float)
        else str(setting)
    )


def _label(group: Group, along: str | None) -> str:
    """What a front is called: its parameters without what it runs along; `style` for `style.path`,
    and so on.
    """
    chosen = {key: value for key, value in group.parameters.items() if key != along}
    return (
        ", ".join(
            f"{key.removesuffix('.path').split('.')[-1]}={written(value)}"
            for key, value in chosen.items()
        )
        or "all"
    )


def _all_numbers(key: str, flats: Sequence[dict[str, Any]]) -> bool:
    return all(_is_number(each.get(key)) for each in flats)


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _order(value: Any) -> tuple[bool, float, str]:
    return (False, value, "") if _is_number(value) else (True, 0.0, str(value))
