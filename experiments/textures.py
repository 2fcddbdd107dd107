"""Textures of more and more layers: figure 2 of Gatys et al. 2015 (NIPS), 17 cells. python
experiments/textures.py

The last two are tiles of one texture, drawn two by two: with zeros around the picture, and with its
opposite side."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from stn import assets, config, files, runs
from stn.experiment import frame
from stn.network import network
from stn.study import figures, tables

PAINTINGS = ("starry_night", "composition_vii", "shipwreck")
LAYERS = ("relu1_1", "pool1", "pool2", "pool3", "pool4")
# pixels that a position of pool4 covers: with network.border=wrap a tile of whole positions has no
# seam
STRIDE = 16


def cells(base: config.Config) -> list[frame.Cell]:
    textures = [
        frame.Cell(
            f"{painting}-to_{LAYERS[count - 1]}",
            (f"style={painting}", f"objective.style_layers=[{','.join(LAYERS[:count])}]"),
        )
        for painting in PAINTINGS
        for count in range(1, len(LAYERS) + 1)
    ]
    side = max(STRIDE, round((base.image.size_px or 256) / 2 / STRIDE) * STRIDE)
    tiles = [
        frame.Cell(f"tile-{border}", (f"image.shape=[{side},{side}]", f"network.border={border}"))
        for border in ("zero", "wrap")
    ]
    return textures + tiles


def draw(finished: dict[str, runs.Run]) -> Figure:
    found = list(finished.values())
    rows = []
    for row in range(len(PAINTINGS)):
        several = found[row * len(LAYERS) : (row + 1) * len(LAYERS)]
        titles = (
            "painting",
            *(layer if k == 0 else f"+ {layer}" for k, layer in enumerate(LAYERS)),
        )
        pictures = [several[0].picture("style"), *(run.rgb for run in several)]
        rows.append(
            [
                figures.Panel(rgb, title * (row == 0))
                for rgb, title in zip(pictures, titles, strict=True)
            ]
        )
    return figures.panels(rows)


def write(folder: Path, finished: dict[str, runs.Run]) -> None:
    """tiles.png, each two by two; seams.md; and parameters.md, how many numbers describe a
    texture.
    """
    tiles = [
        figures.Panel(np.tile(finished[f"tile-{border}"].rgb, (2, 2, 1)), title)
        for border, title in (
            ("zero", "zeros beyond the border"),
            ("wrap", "the opposite side beyond the border"),
        )
    ]
    figures.save(figures.panels([tiles]), folder / "tiles.png")
    rows = [
        ["border", "rows that meet", "neighboring rows", "columns that meet", "neighboring columns"]
    ]
    for border in ("zero", "wrap"):
        rows.append([border, *(f"{each:.1f}" for each in seam(finished[f"tile-{border}"].rgb))])
    files.write_text(folder / "seams.md", tables.markdown(rows))
    chosen = next(iter(finished.values())).settings["network"]
    loaded = network.load(assets.locate_weights(chosen["name"], chosen["weights"]))
    rows = [["up to", "these layers", "with 64 components each", "every convolution and pooling"]]
    for k, layer in enumerate(LAYERS, start=1):
        names = loaded.layer_names[: loaded.layer_names.index(layer) + 1]
        every = [name for name in names if name.startswith(("relu", "pool"))]
        counts = (loaded.gram_parameters(LAYERS[:k], n) for n in (None, 64))
        numbers = (*counts, loaded.gram_parameters(every))
        rows.append([layer, *(f"{number:,}" for number in numbers)])
    files.write_text(folder / "parameters.md", tables.markdown(rows))


def seam(rgb: np.ndarray) -> tuple[float, float, float, float]:
    """Mean difference in levels of the rows that meet where tiles do, its median over neighbors;
    and of columns.
    """
    found = [
        np.abs(np.diff(rgb, axis=axis, append=rgb.take([0], axis))).mean((1 - axis, 2))
        for axis in (0, 1)
    ]
    rows, columns = found
    return rows[-1], float(np.median(rows[:-1])), columns[-1], float(np.median(columns[:-1]))


EXPERIMENT = frame.Experiment(
    "textures",
    "Gatys, Ecker and Bethge 2015 (NIPS), figure 2: textures of three paintings with the Gram"
    " matrices of growing sets of layers, which hold 2,080, 4,160, 12,416, 45,312 and 176,640"
    " numbers (parameters.md). From noise, no content. The paper's figure takes every layer up to"
    " each pooling; these are its figure 3's.",
    ("preset=gatys2015_texture", "network=vgg19_q8"),
    cells,
    draw,
    write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
