"""What a convolution sees beyond the picture: ours. python experiments/borders.py"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stn import config, files
from stn.analysis import figures, tables
from stn.experiment import frame
from stn.images import color

BORDERS = ("zero", "reflect", "replicate", "wrap")
CORNER = 0.25  # of the sides, enlarged in the lower row
RIM = 32  # the rim is a 32nd of the shorter side wide


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(
            (content, style, border),
            (f"content={content}", f"style={style}", f"network.border={border}"),
        )
        for content, style in frame.PAIRS
        for border in BORDERS
    ]


def draw(finished: frame.Finished) -> figures.Figure:
    first = [finished[*frame.PAIRS[0], border].rgb for border in BORDERS]
    corners = [rgb[: int(rgb.shape[0] * CORNER), : int(rgb.shape[1] * CORNER)] for rgb in first]
    return figures.panels(
        [
            [figures.Panel(rgb, border) for rgb, border in zip(first, BORDERS, strict=True)],
            [figures.Panel(rgb) for rgb in corners],
        ]
    )


def rim(rgb: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of the rim's luma, over those of the ring inside it."""
    luma = color.luma(rgb)
    width = max(1, min(luma.shape) // RIM)
    depth = np.minimum(
        *np.meshgrid(
            *(np.minimum(np.arange(n), n - 1 - np.arange(n)) for n in luma.shape), indexing="ij"
        )
    )
    outer, inner = luma[depth < width], luma[(depth >= width) & (depth < 3 * width)]
    return outer.mean() / inner.mean(), outer.std() / inner.std()


def write(folder: Path, finished: frame.Finished) -> None:
    """table.md: `rim` of the photographs and of the results."""
    rows = [["pictures", "border", "brightness", "contrast"]]
    for content, style in frame.PAIRS:
        found = {border: finished[content, style, border] for border in BORDERS}
        rims = {"photograph": rim(found["zero"].picture("content"))}
        rims |= {border: rim(run.rgb) for border, run in found.items()}
        rows += [
            [f"{content}, {style}", name, f"{mean:.3f}", f"{std:.3f}"]
            for name, (mean, std) in rims.items()
        ]
    files.write_text(folder / "table.md", tables.markdown(rows))


EXPERIMENT = frame.Experiment(
    "borders",
    "Ours: what a convolution sees beyond the picture's border: zeros, as in every published"
    " program; the picture reflected; its last pixels repeated; or its opposite side. Below are the"
    " upper left corners, four times as large. table.md has brightness and contrast of the rim over"
    " those of the ring inside it. From the photograph, α/β = 1e-3.",
    ("preset=gatys2016", "network=vgg19_q8", "init=content"),
    cells,
    "image.size_px=384 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=100",
    minutes=33,
    quick_minutes=4,
    draw=draw,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
