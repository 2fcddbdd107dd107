"""Choices compared at equal content: the style weight of each is sought at which its picture has
one content measure (`match.measure`).

A style measure alone says little, since more style weight lowers it at the cost of the content. The
key of a cell is (choice, content, style, seed)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stn import quantities, runs
from stn.analysis import inference, tables
from stn.analysis.inference import Effect
from stn.experiment import frame
from stn.layers import of_kind, trunk_of


@dataclass(frozen=True)
class Measure:
    """A key of `measures/…` (docs/reference/measures.md) and its name in figures."""

    key: str
    label: str

    @property
    def factor(self) -> bool:
        """Whether two values are compared by their quotient, and not by their difference."""
        return quantities.MEASURES[self.key].factor

    def of(self, run: runs.Run) -> float:
        """The run's value; NaN if its picture could not be measured."""
        return float(run.summary.get(f"measures/{self.key}", np.nan))


# Content measures, one of which is held equal, and style measures, which are compared there.
CONTENT = (
    Measure("features", "relative feature distance"),
    Measure("ssim_to_content", "SSIM"),
    Measure("edges_to_content", "kept edges"),
)
STYLE = (
    Measure("gram", "relative Gram distance"),
    Measure("patches_to_style", "patch distance"),
    Measure("histogram_to_style", "color distance"),
)
BASE = (
    *("preset=gatys_released", "network=vgg19_q8", "init=content"),
    *("image.size_px=256", "image.side=long"),
    *("optimizer=spectral_lbfgs", "optimizer.max_evaluations=100"),
    # The photograph has 0, and hardly any picture is above 0.9. With 30 evaluations at 96 px none
    # from noise was below 0.49, and from the painting 0.55.
    *("match.measure=features", "match.value=0.7"),
)
START = 3.0  # times the study's start weights, for a distance of 0.6; 1 to 11 were found

# pair of pictures → seed → run
Runs = Mapping[str, Mapping[int, runs.Run]]
RunsByChoice = Mapping[str, Runs]


def relus(network: str) -> list[str]:
    """The names of a network's ReLU layers, from relu1_1 on."""
    return of_kind("relu", trunk_of(network))


def cells(
    choice: str, overrides: Sequence[str], seeds: Sequence[int], start: float
) -> list[frame.Cell]:
    """The cells of one choice, one for each pair of pictures and each seed; their search begins
    with the style weight `start`.
    """
    return [
        frame.Cell(
            (choice, content, style, seed),
            (
                *overrides,
                f"content={content}",
                f"style={style}",
                f"seed={seed}",
                f"objective.style_weight={start:.3g}",
            ),
        )
        for content, style in frame.PAIRS
        for seed in seeds
    ]


def by_choice(finished: frame.Finished) -> dict[str, dict[str, dict[int, runs.Run]]]:
    """The runs by choice, pair of pictures and seed; cells that are missing stand nowhere."""
    found: dict[str, dict[str, dict[int, runs.Run]]] = {}
    for (choice, content, style, seed), run in finished.items():
        of_pair = found.setdefault(str(choice), {}).setdefault(f"{content}, {style}", {})
        of_pair[int(seed)] = run
    return found


def effect(
    choice: Runs, baseline: Runs, of: Callable[[runs.Run], float], factor: bool = True
) -> Effect | None:
    """How much larger a number of the runs is than the baseline's: the logarithm of a factor, or
    without `factor` a difference.

    It is taken for each pair of pictures and seed that both have; of these the mean with its
    interval. A baseline that has one seed is compared with every seed. None if no two runs have the
    number."""

    def change(one: runs.Run, other: runs.Run) -> float:
        return math.log(of(one) / of(other)) if factor else of(one) - of(other)

    return inference.over_groups(
        [
            change(run, baseline[pair].get(seed) or next(iter(baseline[pair].values())))
            for seed, run in seeds.items()
        ]
        for pair, seeds in choice.items()
        if pair in baseline
    )


def shown(found: Effect | None, factor: bool, pairs: int) -> str:
    """An effect as text, such as `−12.3 % (−20.1 % … −5.0 %)`, and of how many pairs if not of all.

    It is bold if the interval excludes zero effect, from six pairs on: see `inference.FEW`."""
    if found is None:
        return "not measured"
    text = tables.interval(found, factor)
    text += f", {found.pairs} of {pairs} pairs" * (found.pairs < pairs)
    enough = found.pairs >= inference.FEWEST_PAIRS
    return tables.Bold(text) if enough and found.excludes_zero else text
