"""Runs over seeds: groups, mean and deviation of each result, noise, and which groups a curve
connects.
"""

import json
import math
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

from stn import config, files, runs
from stn.analysis import inference
from stn.quantities import LOSSES

# The parameters that choose an input file, by the name of its checksum in provenance.json.
CHOSEN_BY = {
    "weights": ("preset", "network", "network.name", "network.weights"),
    "rescale": ("preset", "network", "network.rescale"),
    "init": ("preset", "init", "init.name", "init.path"),
    "content": ("preset", "content", "content.path"),
    "style": ("preset", "style", "style.path"),
}
NOT_OBJECTIVE = (  # settings of the way to the minimum, or of how it is computed
    "seed",
    "init",
    "optimizer",
    "pyramid",
    "network.convolution",
    "network.gradient_checkpointing",
)
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
    parameters: dict[str, Any]  # in which the groups differ, as of `runs.parameters`

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the runs share, by dotted keys."""
        return {key: value for key, value in self.runs[0].flat.items() if key != "seed"}

    @property
    def yardstick(self) -> tuple[str, str]:
        """Network and size; measures compare only between groups in which both are the same."""
        return yardstick(self.runs[0])

    @property
    def objective(self) -> str:
        """What the runs minimize; losses compare only between groups of one objective."""
        return objective(self.runs[0])

    @property
    def pictures(self) -> tuple[str, str]:
        """Photograph and painting, by checksum, or else by path."""
        inputs, settings = self.runs[0].inputs, self.settings
        content, style = (
            str(inputs.get(role) or settings.get(f"{role}.path")) for role in ("content", "style")
        )
        return content, style

    def value(self, key: str) -> Any:
        """A parameter in full: the setting, or the choice that was typed for an axis."""
        return self.settings.get(key, self.parameters.get(key))

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
            found.setdefault(json.dumps([kept, run.inputs], sort_keys=True), {}).setdefault(
                seed, run
            )
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


def connected(groups: Sequence[Group], by: str | None) -> dict[str, list[Group]]:
    """The groups that differ in the parameter `by` alone, in its order, under the label that they
    share.

    Without `by` each group stands alone. Groups do not connect if an input file has changed under
    its name."""
    found: dict[str, list[Group]] = {}
    for index, group in enumerate(groups):
        rest = {key: group.value(key) for key in group.parameters if key != by}
        inputs = {
            key: value
            for key, value in group.runs[0].inputs.items()
            if by not in CHOSEN_BY.get(key, (key, f"{key}.path"))
        }
        same = json.dumps([rest, inputs], sort_keys=True) if by else str(index)
        found.setdefault(same, []).append(group)
    labeled: dict[str, list[Group]] = {}
    for several in found.values():
        label = _label(several[0], by)
        again = sum(known.startswith(label) for known in labeled)  # two files of one name, say
        labeled[f"{label} ({again + 1})" if label in labeled else label] = sorted(
            several, key=lambda group: _order(group.value(str(by)))
        )
    return labeled


def swept(groups: Sequence[Group]) -> str | None:
    """The numeric parameter with the most values, by which a curve connects; None without one."""
    keys = dict.fromkeys(key for group in groups for key in group.parameters)
    values = {key: [group.value(key) for group in groups] for key in keys}
    numeric = {key: set(each) for key, each in values.items() if all(map(_is_number, each))}
    return max(numeric, key=lambda key: len(numeric[key]), default=None)


def effects(
    groups: Sequence[Group], axis: str, column: str, baseline: Any, factor: bool = True
) -> dict[Any, tuple[inference.Effect, bool]]:
    """The effect on a result of each value of an axis against its value `baseline`, over pairs of
    pictures.

    Compared are groups that differ in the axis alone and by one yardstick. The effect is that on
    the logarithm, returned with True, where a `factor` is asked for and all results are above zero;
    else it is a difference. Values without a partner are left out."""
    found: dict[str, dict[Any, tuple[Group, float]]] = {}
    for group in groups:
        rest = {key: group.value(key) for key in group.parameters if key != axis}
        known, value = group.estimate(column), group.parameters.get(axis)
        if known and value is not None:
            same = json.dumps([rest, group.pictures, group.yardstick], sort_keys=True)
            found.setdefault(same, {})[value] = group, known.mean
    pairs = [by_value for by_value in found.values() if baseline in by_value and len(by_value) > 1]
    factor = factor and all(mean > 0 for by_value in pairs for _, mean in by_value.values())
    values = dict.fromkeys(value for by_value in pairs for value in by_value if value != baseline)
    gathered = {}
    for value in values:
        differences: dict[inference.Pair, list[float]] = {}
        for by_value in pairs:
            if value in by_value:
                group, mean = by_value[value]
                other = by_value[baseline][1]
                change = math.log(mean / other) if factor else mean - other
                differences.setdefault(group.pictures, []).append(change)
        if effect := inference.effect(differences):
            gathered[value] = effect, factor
    return gathered


def results(several: Iterable[runs.Run]) -> list[str]:
    """The results that a table shows: those of RESULTS that are not zero everywhere, then every
    measure.
    """
    summaries = [run.summary for run in several]
    measures = dict.fromkeys(
        key for each in summaries for key in each if key.startswith("measures/")
    )
    return [*(key for key in RESULTS if any(each.get(key) for each in summaries)), *measures]


def number(run: runs.Run, column: str) -> float | None:
    """A run's result, or else its setting, if that is a finite number."""
    value = run.summary[column] if column in run.summary else run.flat.get(column)
    return float(value) if _is_number(value) and math.isfinite(value) else None


def yardstick(run: runs.Run) -> tuple[str, str]:
    """The network and the size of a run in words; its measures compare with those of no other
    network or size.
    """
    flat = run.flat
    weights = run.inputs.get("weights", "")
    size, shape = flat.get("image.size_px"), flat.get("image.shape")
    rule = "the pictures' own size" if size is None else f"{flat.get('image.side')} {size} px"
    return (
        f"{flat.get('network.name')}{f' ({str(weights)[:8]})' if weights else ''}",
        f"{rule}, result {' × '.join(map(str, reversed(shape)))} px"
        if isinstance(shape, list)
        else rule,
    )


def objective(run: runs.Run) -> str:
    """What a run minimizes: its settings but for those of the way to the minimum, and its files."""
    kept = {
        key: value
        for key, value in config.counted(run.settings).items()
        if key.partition(".")[0] not in NOT_OBJECTIVE and key not in NOT_OBJECTIVE
    }
    return files.digest([kept, run.inputs])


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


def _label(group: Group, by: str | None) -> str:
    """What a curve is called: the parameters that its groups share, `style` for `style.path`."""
    shared = {key: value for key, value in group.parameters.items() if key != by}
    return (
        ", ".join(
            f"{key.removesuffix('.path').split('.')[-1]}={written(value)}"
            for key, value in shared.items()
        )
        or "all"
    )


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _order(value: Any) -> tuple[bool, float, str]:
    return (False, value, "") if _is_number(value) else (True, 0.0, str(value))
