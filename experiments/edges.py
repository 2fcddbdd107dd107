"""Edges with and without total variation: TensorFlow's tutorial. python experiments/edges.py

Differences of neighbors of the photograph and the results, Sobel's edges, and the share of high
frequencies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.fft import dctn
from scipy.ndimage import correlate1d

from stn import config, files
from stn.analysis import figures, tables
from stn.experiment import frame

HIGH = 0.25  # cycles a pixel: half of the highest that pixels hold, a period of four; ours
STRONGER = 1000  # times the tutorial's weight, whose effect is hardly seen


def high_pass(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differences of neighbors across, Δx [h, w - 1, 3], and down, Δy [h - 1, w, 3] (the tutorial's
    high_pass_x_y).
    """
    return rgb[:, 1:] - rgb[:, :-1], rgb[1:] - rgb[:-1]


def sobel(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sobel's derivatives down and across, each [h, w, 3], with mirrored borders:
    tf.image.sobel_edges.
    """

    def derivative(along: int, across: int) -> np.ndarray:
        smooth = correlate1d(rgb.astype(np.float64), (1, 2, 1), axis=across, mode="mirror")
        return correlate1d(smooth, (-1, 0, 1), axis=along, mode="mirror")

    return derivative(0, 1), derivative(1, 0)


def high_share(rgb: np.ndarray) -> float:
    """The share of the variance of `rgb` [h, w, 3] above HIGH cycles a pixel, by the DCT."""
    energy = (dctn(rgb, axes=(0, 1), norm="ortho") ** 2).sum(axis=2)
    energy[0, 0] = 0  # the mean
    vertical, horizontal = (np.arange(length) / (2 * length) for length in energy.shape)
    high = np.hypot(vertical[:, None], horizontal) > HIGH
    return float(energy[high].sum() / energy.sum())


def cells(base: config.Config) -> list[frame.Cell]:
    weight = base.objective.total_variation.weight
    none = ("objective.total_variation.form=none", "objective.total_variation.weight=0")
    stronger = (f"objective.total_variation.weight={STRONGER * weight:g}",)
    return [
        frame.Cell(("without",), none),
        frame.Cell(("with",), ()),
        frame.Cell(("stronger",), stronger),
    ]


def _pictures(finished: frame.Finished) -> dict[str, np.ndarray]:
    found = {"photograph": finished["with",].picture("content")}
    for run in finished.values():
        weight = run.settings["objective"]["total_variation"]["weight"]
        found[f"total variation × {weight:g}"] = run.rgb
    return found


def draw(finished: frame.Finished) -> figures.Figure:
    """A column a picture; as in the tutorial clip(2 Δ + 0.5) and, of Sobel's, clip(s / 4 + 0.5),
    pixels in 0-1.
    """
    rows: list[list[figures.Panel]] = [[], [], [], [], []]
    labels = ("", "Δy", "Δx", "Sobel down", "Sobel across")
    for name, rgb in _pictures(finished).items():
        (dx, dy), (down, across) = high_pass(rgb), sobel(rgb)
        shown = (rgb, 2 * dy + 127.5, 2 * dx + 127.5, down / 4 + 127.5, across / 4 + 127.5)
        for row, label, picture in zip(rows, labels, shown, strict=True):
            row.append(figures.Panel(picture, "" if label else name, "" if row else label))
    return figures.panels(rows)


def write(folder: Path, finished: frame.Finished) -> None:
    """numbers.csv: `high_share` and the mean differences of each picture."""
    rows = [["picture", "share above a quarter cycle a pixel", "mean |Δx|", "mean |Δy|"]]
    for name, rgb in _pictures(finished).items():
        deltas = (f"{np.abs(delta).mean():.3f}" for delta in high_pass(rgb))
        rows.append([name, f"{high_share(rgb):.5f}", *deltas])
    files.write_text(folder / "numbers.csv", tables.csv_lines(rows))


EXPERIMENT = frame.Experiment(
    "edges",
    "TensorFlow's tutorial: style transfer adds high frequencies, and the total variation is there"
    " to take them out. At the tutorial's weight of 30 that is hardly seen; at a thousand times it"
    " is. Below the pictures are the differences of neighbors down and across, 2 Δ + 0.5, and"
    " Sobel's edges down and across, s / 4 + 0.5, pixels in 0-1. The share of the variance above a"
    " quarter of a cycle a pixel is in numbers.csv.",
    ("preset=tf_tutorial", "network=vgg19_q8", "style=composition_vii"),
    cells,
    "image.size_px=192 optimizer.max_evaluations=100",
    minutes=3,
    quick="image.size_px=128 optimizer.max_evaluations=50",
    quick_minutes=1,
    draw=draw,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
