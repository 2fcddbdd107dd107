"""A texture as a tile, with zeros around it and with its opposite side: ours.

python experiments/tiles.py"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stn import config, files
from stn.analysis import figures, tables
from stn.experiment import frame

BORDERS = {"zero": "zeros beyond the border", "wrap": "the opposite side beyond the border"}
# Pixels that a position of pool4 covers: a tile of whole positions has no seam with
# network.border=wrap.
STRIDE = 16


def cells(base: config.Config) -> list[frame.Cell]:
    side = max(STRIDE, round((base.image.size_px or 256) / 2 / STRIDE) * STRIDE)
    return [
        frame.Cell((border,), (f"image.shape=[{side},{side}]", f"network.border={border}"))
        for border in BORDERS
    ]


def draw(finished: frame.Finished) -> figures.Figure:
    """Each tile two by two."""
    tiled = {title: np.tile(finished[border,].rgb, (2, 2, 1)) for border, title in BORDERS.items()}
    return figures.panels([[figures.Panel(rgb, title) for title, rgb in tiled.items()]])


def write(folder: Path, finished: frame.Finished) -> None:
    """seams.md: by how much the sides that meet differ."""
    rows = [
        ["border", "rows that meet", "neighboring rows", "columns that meet", "neighboring columns"]
    ]
    for (border,), run in finished.items():
        rows.append([str(border), *(f"{each:.1f}" for each in seam(run.rgb))])
    files.write_text(folder / "seams.md", tables.markdown(rows))


def seam(rgb: np.ndarray) -> tuple[float, float, float, float]:
    """How much the first and the last row of `rgb` [h, w, 3] differ, in levels, and the median of
    neighboring rows; then the same of columns.
    """
    rows, columns = (
        np.abs(np.diff(rgb, axis=axis, append=rgb.take([0], axis))).mean((1 - axis, 2))
        for axis in (0, 1)
    )
    return rows[-1], float(np.median(rows[:-1])), columns[-1], float(np.median(columns[:-1]))


EXPERIMENT = frame.Experiment(
    "tiles",
    "Ours: one texture, each tile drawn two by two, with zeros around the picture and with its"
    " opposite side. seams.md says by how much rows and columns differ where tiles meet.",
    ("preset=gatys2015_texture", "network=vgg19_q8"),
    cells,
    "image.size_px=384 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=100",
    minutes=1,
    quick_minutes=1,
    draw=draw,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
