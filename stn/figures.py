"""Montages and curves, drawn by matplotlib from pictures and run directories."""

import csv
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

from stn import files

matplotlib.use("Agg")  # no window, no display

import matplotlib.pyplot as plt


def montage(
    path: Path, pictures: Sequence[Sequence[np.ndarray]], titles: Sequence[str], rows: Sequence[str] = ()
) -> None:
    """Draw `pictures`, rows of `rgb` [h, w, 3] 0-255, with a title a column and a label a row."""
    columns = len(pictures[0])
    height, width = pictures[0][0].shape[:2]
    cell = 3.2  # inches a cell is wide
    size = (cell * columns, (cell * height / width + 0.3) * len(pictures))
    figure, axes = plt.subplots(len(pictures), columns, figsize=size, squeeze=False, layout="constrained")
    for i, line in enumerate(pictures):
        for j, rgb in enumerate(line):
            axis = axes[i][j]
            axis.imshow(np.clip(rgb, 0, 255).astype(np.uint8))
            axis.set_xticks([])
            axis.set_yticks([])
            axis.spines[:].set_visible(False)
            if i == 0:
                axis.set_title(titles[j])
            if j == 0 and rows:
                axis.set_ylabel(rows[i])
    _save(figure, path)


def comparison(run_dir: Path, content_rgb: np.ndarray, style_rgb: np.ndarray, rgb: np.ndarray) -> Path:
    """Draw content, style and result side by side as comparison.png."""
    path = run_dir / "comparison.png"
    montage(path, [[content_rgb, style_rgb, rgb]], ("content", "style", "result"))
    return path


def loss_curves(run_dir: Path) -> Path:
    """Draw the loss terms of metrics.csv over the evaluations as losses.png."""
    with (run_dir / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    evaluations = [int(row["evaluation"]) for row in rows]
    for term in ("total", "content", "style", "smoothness"):
        values = np.array([float(row[f"loss/{term}"]) for row in rows])
        if values.max(initial=0) > 0:
            axis.plot(evaluations, np.where(values > 0, values, np.nan), label=term, zorder=1 if term == "total" else 2)
    axis.set(xlabel="evaluation", ylabel="loss, with its weight", yscale="log")
    axis.legend()
    path = run_dir / "losses.png"
    _save(figure, path)
    return path


def _save(figure: plt.Figure, path: Path) -> None:
    with files.whole(path) as partial:
        figure.savefig(partial, dpi=150)
    plt.close(figure)
