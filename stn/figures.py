"""Montages, curves and tables, drawn by matplotlib from pictures and run directories."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from stn import files, images, runs

matplotlib.use("Agg")  # no window, no display

import matplotlib.pyplot as plt

TEXT_WIDTH = 6.875  # inches, of CVPR's two columns
FONT_PT = 8  # of the papers' figures, near enough
STYLE: dict[Any, Any] = {
    "font.size": FONT_PT,
    "axes.titlesize": FONT_PT,
    "axes.labelsize": FONT_PT,
    "legend.fontsize": FONT_PT - 1,
}


@dataclass(frozen=True)
class Panel:
    """One picture of a montage, `rgb` [h, w, 3] 0-255; `label` stands left of it, `inset` in its lower left corner."""

    rgb: np.ndarray
    title: str = ""
    label: str = ""
    inset: np.ndarray | None = None


def panels(rows: Sequence[Sequence[Panel | None]], width: float = TEXT_WIDTH) -> plt.Figure:
    """A figure of pictures, `width` inches wide, its type in the size of a caption; None leaves a place empty."""
    # All in inches, from the upper left. A row is as high as its median picture; a higher one is made to fit.
    gap, line = 0.04, 0.17
    left = 0.2 if any(panel and panel.label for row in rows for panel in row) else 0.0
    side = (width - left + gap) / max(len(row) for row in rows) - gap
    aspects = [sorted(panel.rgb.shape[0] / panel.rgb.shape[1] for panel in row if panel) for row in rows]
    heights = [side * aspect[len(aspect) // 2] for aspect in aspects]
    titles = [line if any(panel and panel.title for panel in row) else gap for row in rows]
    total = sum(heights) + sum(titles)
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(width, total))
        top = 0.0
        for row, height, title in zip(rows, heights, titles, strict=True):
            top += title
            for j, panel in enumerate(row):
                if panel:
                    aspect = panel.rgb.shape[0] / panel.rgb.shape[1]
                    own = min(side, height / aspect)
                    x, y = left + j * (side + gap) + (side - own) / 2, total - top - own * aspect
                    _draw(panel, figure.add_axes((x / width, y / total, own / width, own * aspect / total)))
            top += height
    return figure


def _draw(panel: Panel, axis: plt.Axes) -> None:
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


def montage(
    path: Path, pictures: Sequence[Sequence[np.ndarray]], titles: Sequence[str], rows: Sequence[str] = ()
) -> None:
    """Draw `pictures`, rows of `rgb` [h, w, 3] 0-255, with a title a column and a label a row."""
    drawn = [
        [Panel(rgb, titles[j] if i == 0 else "", rows[i] if rows and j == 0 else "") for j, rgb in enumerate(line)]
        for i, line in enumerate(pictures)
    ]
    save(panels(drawn), path)


def comparison(run_dir: Path, content_rgb: np.ndarray, style_rgb: np.ndarray, rgb: np.ndarray) -> Path:
    """Draw content, style and result side by side as comparison.png."""
    path = run_dir / "comparison.png"
    montage(path, [[content_rgb, style_rgb, rgb]], ("content", "style", "result"))
    return path


def loss_curves(run_dir: Path) -> Path:
    """Draw the loss terms of metrics.csv over the evaluations as losses.png."""
    metrics = runs.read_metrics(run_dir / runs.METRICS)
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    for term in ("total", "content", "style", "smoothness"):
        values = metrics[f"loss/{term}"]
        if (values > 0).any():  # no maximum: an evaluation may have been NaN
            axis.plot(
                metrics["evaluation"],
                np.where(values > 0, values, np.nan),
                label=term,
                zorder=1 if term == "total" else 2,
            )
    axis.set(xlabel="evaluation", ylabel="loss, with its weight", yscale="log")
    axis.legend()
    path = run_dir / "losses.png"
    save(figure, path)
    return path


def curves(
    finished: Mapping[str, runs.Run], across: Sequence[str] = ("evaluation",), term: str = "loss/total"
) -> plt.Figure:
    """One term of every run over each of the columns named in `across`, the best value so far, on a log scale."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(across), figsize=(TEXT_WIDTH, 3), squeeze=False, layout="constrained")
        for axis, column in zip(axes[0], across, strict=True):
            for label, run in finished.items():
                axis.plot(run.metrics[column], np.fmin.accumulate(run.metrics[term]), label=label, linewidth=1)
            axis.set(xlabel=column, ylabel=f"{term}, best so far", yscale="log")
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", ncols=1 + len(finished) // 16)
    return figure


def table(path: Path, finished: Mapping[str, runs.Run]) -> None:
    """Write one row a run: its name, the parameters that differ, the summary (the picture's own first), the rest."""
    flat = {name: runs.flat(run.settings) for name, run in finished.items()}
    differing = runs.differing([run.settings for run in finished.values()])
    results = [key for run in finished.values() for key in runs.results(run.summary)]
    rest = [key for settings in flat.values() for key in settings]
    columns = list(dict.fromkeys(["run", *differing, *results, *rest, "directory"]))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for name, run in finished.items():
        settings = {key: json.dumps(value) if isinstance(value, list) else value for key, value in flat[name].items()}
        writer.writerow({"run": name, **settings, **run.summary, "directory": run.path.name})
    files.write_text(path, text.getvalue())


def save(figure: plt.Figure, *paths: Path) -> None:
    """Write a figure in the formats of the names, each file whole or not there; the same figure, the same bytes."""
    for path in paths:
        with files.atomic_write(path) as partial:
            dated = {"CreationDate": None} if path.suffix == ".pdf" else {}
            figure.savefig(partial, dpi=300, metadata=dated)
    plt.close(figure)
