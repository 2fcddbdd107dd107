"""Choices compared at equal content: the runs of α/β sweeps as curves, and what a choice gains over
a baseline.

A cell of such an experiment is named CHOICE-CONTENT-STYLE-SEED-NUMBER, the number that of its
α/β."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from stn import assets, runs
from stn.errors import InputError
from stn.experiment import frame
from stn.images import resizing
from stn.layers import VGG16, VGG19
from stn.study import inference, tables, tradeoff


@dataclass(frozen=True)
class Measure:
    """A key of `measures/…` (docs/measures.md), how a figure calls it, and whether differences of
    it are factors.
    """

    key: str
    label: str
    factor: bool = True

    def of(self, run: runs.Run) -> float:
        """The run's value, NaN where its picture could not be measured."""
        return float(run.summary.get(f"measures/{self.key}", np.nan))


# What is compared at equal …, and how far from the painting it is there.
CONTENT = (
    Measure("features", "relative feature distance"),
    Measure("ssim_to_content", "SSIM", factor=False),
    Measure("edges_to_content", "kept edges", factor=False),
)
STYLE = (
    Measure("gram", "relative Gram distance"),
    Measure("patches_to_style", "patch distance"),
    Measure("histogram_to_style", "color distance"),
)
# Both experiments start from these, so that what they have in common is computed once.
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

Sweep = Mapping[str, Mapping[str, Sequence[runs.Run]]]  # pair of pictures → seed → runs, one an α/β


def betas(first: int, count: int) -> tuple[float, ...]:
    """Style weights in steps of 10^0.6, number 0 of them 5: −3 … 3 lead from photograph to
    painting.

    That holds for α = 1 and the released code's loss and layers: the feature distance goes from
    0.06 to 0.84 of 0.9, which is all that it becomes (tried at 128 px with 60 evaluations). The
    code's own 5000 is near number 5."""
    return tuple(float(f"{5 * 10 ** (0.6 * k):.3g}") for k in range(first, first + count))


def rectifiers(network: str) -> list[str]:
    """The names of a network's rectifiers, from relu1_1 on."""
    layers = VGG16 if network == "vgg16" else VGG19
    return [layer for layer in layers if layer.startswith("relu")]


def cells(
    choice: str, overrides: Sequence[str], seeds: Sequence[int], weights: Sequence[float]
) -> list[frame.Cell]:
    """The cells of one choice: a sweep of β over `weights` a pair of pictures and seed."""
    return [
        frame.Cell(
            f"{choice}-{content}-{style}-{seed}-{number}",
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
    """The run, if its picture is of that size; else with its picture resized and measured as if it
    were.
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
    plain = network.load(
        assets.locate_weights(chosen["name"], chosen["weights"]), chosen["convolution"]
    )
    return measures.measure(run.rgb, run.picture("content"), run.picture("style"), plain)


def sweeps(finished: Mapping[str, runs.Run]) -> dict[str, dict[str, dict[str, list[runs.Run]]]]:
    """The runs by choice, pair of pictures and seed."""
    found: dict[str, dict[str, dict[str, list[runs.Run]]]] = {}
    for name, run in finished.items():
        choice, content, style, seed, _ = name.split("-")
        found.setdefault(choice, {}).setdefault(f"{content}, {style}", {}).setdefault(
            seed, []
        ).append(run)
    return found


def curve(sweep: Sequence[runs.Run], x: Measure, y: Measure) -> tradeoff.Curve:
    """The trade-off curve of one sweep of α/β; InputError as `tradeoff.curve`."""
    return tradeoff.curve(
        [x.of(run) for run in sweep], [y.of(run) for run in sweep], log_y=y.factor
    )


def effect(choice: Sweep, baseline: Sweep, x: Measure, y: Measure) -> tradeoff.Interval | None:
    """How much larger y is than the baseline's at equal x, a factor for a `Measure.factor`; None if
    no x is equal.

    It is the area between the two curves over the width of what both reach, each pair of pictures
    (and seed) for itself, then the mean with its interval. A baseline of one seed is that of every
    seed."""
    gaps: list[list[float]] = []
    for pair, seeds in choice.items():
        gaps.append([])
        for seed, sweep in seeds.items():
            other = baseline[pair].get(seed) or next(iter(baseline[pair].values()))
            try:
                gaps[-1].append(tradeoff.gap(curve(sweep, x, y), curve(other, x, y)))
            except InputError:  # too few points or no x in common: this pair says nothing
                continue
    if not any(gaps):
        return None
    found = tradeoff.bootstrap(gaps)
    return found.exp() if y.factor else found


def matched(several: Sequence[Sequence[runs.Run]], x: Measure) -> list[runs.Run]:
    """Of each sweep the run whose x is nearest to one that all come near."""
    values = [[x.of(run) for run in sweep] for sweep in several]
    at = tradeoff.matched(values)
    return [sweep[tradeoff.nearest(each, at)] for sweep, each in zip(several, values, strict=True)]


def shown(found: tradeoff.Interval | None, factor: bool, pairs: int) -> str:
    """`−12.3 % (−20.1 … −5.0)`, and of how many pairs if not of all.

    Bold where the interval excludes no effect, from six pairs on: see `inference.FEW`."""
    if found is None:
        return "nothing in common"

    def number(value: float) -> str:
        digits = 1 if factor else 3
        # no minus zero
        return f"{round(100 * (value - 1) if factor else value, digits) + 0.0:+.{digits}f}"

    text = number(found.mean) + " %" * factor
    text += f" ({number(found.low)} … {number(found.high)})" if np.isfinite(found.low) else ""
    text = text.replace("-", "−") + (
        f", {found.count} of {pairs} pairs" if found.count < pairs else ""
    )
    enough = found.count >= inference.FEWEST_PAIRS
    return tables.Bold(text) if enough and found.excludes(1 if factor else 0) else text


def draw_intervals(
    axis: Axes,
    rows: Sequence[tradeoff.Interval | None],
    label: str = "",
    color: str = "C0",
    shift: float = 0.0,
) -> None:
    """Factors as dots with their intervals, in percent, row 0 on top; none where there is no effect
    to show.
    """
    for row, found in enumerate(rows):
        if found:
            mean, low, high = (100 * (number - 1) for number in (found.mean, found.low, found.high))
            axis.plot([low, high], [row + shift] * 2, color=color, linewidth=1)
            axis.plot(mean, row + shift, "o", color=color, markersize=3, label=label)
            label = ""  # once in the legend
    axis.axvline(0, color="0.6", linewidth=0.6, zorder=0)
    axis.set(yticks=range(len(rows)), ylim=(len(rows) - 0.5, -0.5))
