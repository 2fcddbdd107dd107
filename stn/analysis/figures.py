"""Montages and curves, drawn by matplotlib from pictures and run directories.

matplotlib takes half a second to import, so it is imported when something is drawn."""

from __future__ import annotations

import contextlib
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stn import files, images, quantities, runs
from stn.analysis import grouping, inference, tables

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEXT_WIDTH = 6.875  # inches, of CVPR's two columns
FONT_PT = 8  # of the papers' figures, near enough
LEGEND_WIDTH = 36  # letters
LOG_FROM = 100  # largest over smallest number from which the axis of a trade-off is logarithmic
ROUNDING = 1e-6  # of a term's median: below it a loss is the rounding of zero
FEWEST = 3  # points of a trade-off curve: any line goes through two
LEGEND = 32  # names of curves; more would leave no room for the curves
STYLE: dict[Any, Any] = {
    "font.size": FONT_PT,
    "axes.titlesize": FONT_PT,
    "axes.labelsize": FONT_PT,
    "legend.fontsize": FONT_PT - 1,
}


@dataclass(frozen=True)
class Panel:
    """One picture of a montage, `rgb` [h, w, 3] 0-255; `label` stands left of it, `inset` in its
    lower left corner.
    """

    rgb: np.ndarray
    title: str = ""
    label: str = ""
    inset: np.ndarray | None = None


@contextlib.contextmanager
def paper_style() -> Iterator[None]:
    """For the time of the block matplotlib draws with the fonts of a paper's figures."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        yield


def subplots(
    rows: int = 1,
    columns: int = 1,
    *,
    figsize: tuple[float, float],
    layout: Any = "constrained",
    **how: Any,
) -> tuple[Figure, Any]:
    """A figure and its axes, as pyplot gives them, without a window or a change of backend."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=figsize, layout=layout)
    return figure, figure.subplots(rows, columns, **how)


def panels(rows: Sequence[Sequence[Panel | None]]) -> Figure:
    """A figure of pictures, as wide as a page's text, its type in the size of a caption; None
    leaves a place empty.
    """
    from matplotlib.figure import Figure

    # All in inches, from the upper left. A row is as high as its median picture; a higher one is
    # made to fit.
    width, gap, line = TEXT_WIDTH, 0.04, 0.17
    left = line * max(_lines(panel.label) for row in rows for panel in row if panel)
    side = (width - left + gap) / max(len(row) for row in rows) - gap
    aspects = [
        sorted(panel.rgb.shape[0] / panel.rgb.shape[1] for panel in row if panel) for row in rows
    ]
    heights = [side * aspect[len(aspect) // 2] for aspect in aspects]
    titles = [gap + line * max(_lines(panel.title) for panel in row if panel) for row in rows]
    total = sum(heights) + sum(titles)
    with paper_style():
        figure = Figure(figsize=(width, total))
        top = 0.0
        for row, height, title in zip(rows, heights, titles, strict=True):
            top += title
            for j, panel in enumerate(row):
                if panel:
                    aspect = panel.rgb.shape[0] / panel.rgb.shape[1]
                    own = min(side, height / aspect)
                    x, y = left + j * (side + gap) + (side - own) / 2, total - top - own * aspect
                    _draw(
                        panel,
                        figure.add_axes((x / width, y / total, own / width, own * aspect / total)),
                    )
            top += height
    return figure


def _lines(text: str) -> int:
    return len(text.splitlines())


def _draw(panel: Panel, axis: Axes) -> None:
    axis.imshow(images.to_bytes(panel.rgb), interpolation="none", aspect="auto")
    axis.set_axis_off()
    axis.set_title(panel.title, pad=2)
    if panel.label:
        axis.annotate(
            panel.label,
            (0, 0.5),
            (-3, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="center",
        )
    if panel.inset is not None:
        place = axis.inset_axes((0, 0, 0.3, 0.3), anchor="SW")  # of the picture's sides
        place.imshow(images.to_bytes(panel.inset))
        place.set(xticks=[], yticks=[], anchor="SW")
        place.spines[:].set(color="white", linewidth=1)


def side_by_side(
    run_dir: Path, content_rgb: np.ndarray | None, style_rgb: np.ndarray, rgb: np.ndarray
) -> Path:
    """Draw content, style and result, `rgb` [h, w, 3], 0-255, side by side as comparison.png; a
    texture has no content.
    """
    path = run_dir / "comparison.png"
    content = [] if content_rgb is None else [Panel(content_rgb, "content")]
    save(panels([[*content, Panel(style_rgb, "style"), Panel(rgb, "result")]]), path)
    return path


def loss_curves(run_dir: Path) -> Path:
    """Draw the loss terms of metrics.csv over the evaluations as losses.png.

    They start where each term is more than rounding: the content loss of the content itself is
    not. Dotted lines mark where the levels of a pyramid begin."""
    metrics = runs.read_metrics(run_dir / runs.METRICS)
    evaluations = metrics["evaluation"]
    figure, axis = subplots(figsize=(6, 4))
    start = first_step(metrics)
    more = (key.removeprefix("loss/") for key in metrics if key.startswith("loss/"))
    for term in dict.fromkeys((*quantities.TERMS, *more)):
        values = metrics[f"loss/{term}"]
        if (values > 0).any():  # no maximum: an evaluation may have been NaN
            axis.plot(
                evaluations[start:],
                np.where(values > 0, values, np.nan)[start:],
                label=term,
                zorder=1 if term == "total" else 2,
            )
    starts = np.flatnonzero(np.diff(metrics.get("level", np.zeros(1)))) + 1
    for number, row in enumerate(starts):
        axis.axvline(
            evaluations[row],
            color="0.6",
            linestyle=":",
            linewidth=1,
            label="" if number else "next level of the pyramid",
        )
    axis.set(xlabel="evaluation", ylabel="loss, with its weight", yscale="log")
    axis.legend()
    path = run_dir / "losses.png"
    save(figure, path)
    return path


def first_step(metrics: Mapping[str, np.ndarray]) -> int:
    """The row at which curves start: past those where a term is only the rounding of zero.

    That is below ROUNDING of the term's median. At the content image the content loss is such."""
    for row in range(len(metrics["loss/total"])):
        terms = [values for name, values in metrics.items() if name.startswith("loss/")]
        small = [
            0 < values[row] < ROUNDING * np.nanmedian(values[values > 0])
            for values in terms
            if (values > 0).any()
        ]
        if not any(small):
            return row
    return 0


def curves(finished: Mapping[str, runs.Run], across: Sequence[str] = ("evaluation",)) -> Figure:
    """The running minimum of every run's loss over each of the columns named in `across`, on a log
    scale.
    """
    with paper_style():
        figure, axes = subplots(1, len(across), figsize=(TEXT_WIDTH, 3), squeeze=False)
        for axis, column in zip(axes[0], across, strict=True):
            for label, run in finished.items():
                best = runs.best_so_far(run.metrics)
                axis.plot(
                    run.metrics[column], run.metrics["loss/total"][best], label=label, linewidth=1
                )
            axis.set(xlabel=column, ylabel="loss/total, running minimum", yscale="log")
        handles, labels = axes[0][0].get_legend_handles_labels()
        if len(finished) <= LEGEND:
            figure.legend(handles, labels, loc="outside right upper", ncols=1 + len(finished) // 16)
    return figure


def tradeoff_curves(
    lines: Mapping[str, Sequence[grouping.Group]], x: str, y: str, notes: Sequence[str] = ()
) -> Figure:
    """Result `y` over `x`, a line for each label: means over seeds, bars of one standard deviation.

    Fewer than three points are dotted, since they show no trend. `notes` stand above the legend."""
    with paper_style():
        figure, axis = subplots(figsize=(TEXT_WIDTH, 3.2))
        any_few = False
        for label, groups in lines.items():
            estimates = [(group.estimate(x), group.estimate(y)) for group in groups]
            known = [(across, up) for across, up in estimates if across and up]
            if not known:
                continue
            few = len(known) < FEWEST
            any_few |= few
            across, up = zip(*known, strict=True)
            axis.errorbar(
                [each.mean for each in across],
                [each.mean for each in up],
                xerr=[np.nan_to_num(each.deviation) for each in across],
                yerr=[np.nan_to_num(each.deviation) for each in up],
                label=textwrap.fill(label, LEGEND_WIDTH),
                marker="o",
                markersize=3,
                linewidth=1,
                linestyle=":" if few else "-",
            )
        axis.set(xlabel=tables.titled(x), ylabel=tables.titled(y))
        for column, scale in ((x, axis.set_xscale), (y, axis.set_yscale)):
            means = [
                each.mean
                for line in lines.values()
                for group in line
                if (each := group.estimate(column))
            ]
            if means and min(means) > 0 and max(means) > LOG_FROM * min(means):
                scale("log")
        told = [*notes, *["Dotted: fewer than three points."] * any_few]
        if lines:
            title = "\n".join(textwrap.fill(note, LEGEND_WIDTH) for note in told)
            figure.legend(loc="outside right upper", title=title, title_fontsize=FONT_PT - 1)
    return figure


def intervals(axis: Axes, rows: Sequence[inference.Effect | None], factor: bool = True) -> None:
    """Draw effects as dots with their intervals, row 0 on top: in percent if they are of a
    `factor`, full where one is found. A row of None is empty.
    """
    for row, effect in enumerate(rows):
        if effect:
            mean, low, high = (
                100 * math.expm1(value) if factor else value
                for value in (effect.mean, effect.low, effect.high)
            )
            color, fill = ("C0", "full") if effect.found else ("0.5", "none")
            axis.plot([low, high], [row, row], color=color, linewidth=1)
            axis.plot(mean, row, "o", color=color, markersize=4, fillstyle=fill)
    axis.axvline(0, color="0.6", linewidth=0.6, zorder=0)
    axis.set(yticks=range(len(rows)), ylim=(len(rows) - 0.5, -0.5))


def save(figure: Figure, *paths: Path) -> None:
    """Write a figure in the formats of the names; a file appears whole, and equal figures give
    equal bytes.
    """
    for path in paths:
        with files.atomic_write(path) as partial:
            if path.suffix == ".jpg":  # which holds no date
                figure.savefig(partial, dpi=200, pil_kwargs={"quality": 90})
                continue
            dated = {"CreationDate": None} if path.suffix == ".pdf" else {}
            figure.savefig(partial, dpi=300, metadata=dated)
