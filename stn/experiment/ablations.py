"""Choices compared at equal content: each is a sweep of α/β, whose runs lie on a trade-off curve.

A style measure alone says little, since more style weight lowers it at the cost of the content. So
a choice's effect is how far its curve lies above a baseline's over the content that both reach. The
key of a cell is (choice, content, style, seed, number of the α/β)."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stn import assets, quantities, runs
from stn.config import schema
from stn.errors import InputError
from stn.experiment import frame
from stn.images import resizing
from stn.layers import of_kind, trunk_of
from stn.study import inference, tables, tradeoff
from stn.study.inference import Effect

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
# Both experiments share these settings, so that the cells they have in common are computed once.
BASE = (
    *(
        "preset=gatys_released",
        "network=vgg19_q8",
        "init=content",
        "image.size_px=256",
        "image.side=long",
    ),
    *("optimizer=spectral_lbfgs", "optimizer.max_evaluations=100"),
)

# pair of pictures → seed → runs, one for each α/β
Sweep = Mapping[str, Mapping[int, Sequence[runs.Run]]]
Choices = Mapping[str, Sweep]


def betas(first: int, count: int) -> tuple[float, ...]:
    """`count` style weights 5 · 10^(0.6 k), k from `first` on.

    With α = 1 and the loss and layers of the released code, k from −3 to 3 leads from the
    photograph to the painting. The feature distance goes from 0.06 to 0.84, and no weight takes it
    above 0.9 (tried at 128 px with 60 evaluations). The code's own 5000 is near k = 5."""
    return tuple(float(f"{5 * 10 ** (0.6 * k):.3g}") for k in range(first, first + count))


def relus(network: str) -> list[str]:
    """The names of a network's ReLU layers, from relu1_1 on."""
    return of_kind("relu", trunk_of(network))


def cells(
    choice: str, overrides: Sequence[str], seeds: Sequence[int], weights: Sequence[float]
) -> list[frame.Cell]:
    """The cells of one choice: for each pair of pictures and each seed a sweep of β over
    `weights`.
    """
    return [
        frame.Cell(
            (choice, content, style, seed, number),
            (
                *overrides,
                f"content={content}",
                f"style={style}",
                f"seed={seed}",
                f"objective.style_weight={beta:g}",
            ),
        )
        for content, style in frame.PAIRS
        for seed in seeds
        for number, beta in enumerate(weights)
    ]


def at_size(run: runs.Run, size_px: int) -> runs.Run:
    """The run itself if it has that size; else the run with its picture resized and measured
    there.
    """
    return run if run.settings["image"]["size_px"] == size_px else _Resized(run.path, size_px)


class _Resized(runs.Run):
    def __init__(self, path: Path, size_px: int) -> None:
        super().__init__(path)
        self.size_px = size_px

    @property
    def settings(self) -> dict[str, Any]:
        own = super().settings
        return own | {"image": own["image"] | {"size_px": self.size_px}}

    @property
    def rgb(self) -> np.ndarray:
        return resizing.resize(super().rgb, *self.picture("content").shape[:2])

    @functools.cached_property
    def summary(self) -> Mapping[str, Any]:
        return {**runs.Run(self.path).summary, **_measured(self.path, self.size_px)}


@functools.cache
def _measured(path: Path, size_px: int) -> dict[str, float]:
    from stn.network import network  # TensorFlow takes seconds to import
    from stn.transfer import measures

    run = _Resized(path, size_px)
    chosen = run.settings["network"]
    path = assets.locate_weights(chosen["name"], chosen["weights"])
    plain = network.load(path, schema.Network(convolution=chosen["convolution"]))
    return measures.measure(run.rgb, run.picture("content"), run.picture("style"), plain)


def sweeps(finished: frame.Finished) -> dict[str, dict[str, dict[int, list[runs.Run]]]]:
    """The runs by choice, pair of pictures and seed."""
    found: dict[str, dict[str, dict[int, list[runs.Run]]]] = {}
    for (choice, content, style, seed, _), run in finished.items():
        of_pair = found.setdefault(str(choice), {}).setdefault(f"{content}, {style}", {})
        of_pair.setdefault(int(seed), []).append(run)
    return found


def curve(sweep: Sequence[runs.Run], x: Measure, y: Measure) -> tradeoff.Curve:
    """The trade-off curve of one sweep of α/β; InputError as `tradeoff.curve`."""
    return tradeoff.curve(
        [x.of(run) for run in sweep], [y.of(run) for run in sweep], log_y=y.factor
    )


def effect(choice: Sweep, baseline: Sweep, x: Measure, y: Measure) -> Effect | None:
    """How much larger y is than the baseline's at equal x: the logarithm of a factor if `y.factor`,
    else a difference.

    For each pair of pictures and seed it is the area between the two curves, divided by the width
    of the range of x that both reach; of these the mean with its interval. A baseline that has one
    seed is compared with every seed. None if no two curves have x in common."""
    gaps: list[list[float]] = []
    for pair, seeds in choice.items():
        gaps.append([])
        for seed, sweep in seeds.items():
            other = baseline[pair].get(seed) or next(iter(baseline[pair].values()))
            try:
                gaps[-1].append(tradeoff.gap(curve(sweep, x, y), curve(other, x, y)))
            except InputError:  # too few points or no x in common: this pair says nothing
                continue
    return inference.over_groups(gaps)


def matched(several: Sequence[Sequence[runs.Run]], x: Measure) -> list[runs.Run]:
    """One run of each sweep: those whose x are nearest to a value that all sweeps come near."""
    values = [[x.of(run) for run in sweep] for sweep in several]
    at = tradeoff.matched(values)
    return [sweep[tradeoff.nearest(each, at)] for sweep, each in zip(several, values, strict=True)]


def shown(found: Effect | None, factor: bool, pairs: int) -> str:
    """An effect as text, such as `−12.3 % (−20.1 … −5.0)`, and of how many pairs if not of all.

    It is bold if the interval excludes zero effect, from six pairs on: see `inference.FEW`."""
    if found is None:
        return "nothing in common"

    def number(value: float) -> str:
        digits = 1 if factor else 3
        # no minus zero
        return f"{round(100 * math.expm1(value) if factor else value, digits) + 0.0:+.{digits}f}"

    text = number(found.mean) + " %" * factor
    text += f" ({number(found.low)} … {number(found.high)})" if np.isfinite(found.low) else ""
    text = text.replace("-", "−") + (
        f", {found.pairs} of {pairs} pairs" if found.pairs < pairs else ""
    )
    enough = found.pairs >= inference.FEWEST_PAIRS
    return tables.Bold(text) if enough and found.excludes_zero else text


def draw_intervals(
    axis: Axes,
    rows: Sequence[Effect | None],
    label: str = "",
    color: str = "C0",
    shift: float = 0.0,
) -> None:
    """Draw logarithms of factors as dots in percent with their intervals, row 0 on top; a row of
    None is empty.
    """
    for row, found in enumerate(rows):
        if found:
            mean, low, high = (100 * math.expm1(x) for x in (found.mean, found.low, found.high))
            axis.plot([low, high], [row + shift] * 2, color=color, linewidth=1)
            axis.plot(mean, row + shift, "o", color=color, markersize=3, label=label)
            label = ""  # once in the legend
    axis.axvline(0, color="0.6", linewidth=0.6, zorder=0)
    axis.set(yticks=range(len(rows)), ylim=(len(rows) - 0.5, -0.5))
