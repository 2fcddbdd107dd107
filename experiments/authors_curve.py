"""Our losses over those that the authors printed: ours. python experiments/authors_curve.py

The PyTorch notebook (total alone) and NeuralImageSynthesis (every term): plain VGG-19, max pooling,
from the photograph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stn import config, files
from stn.analysis import figures, tables
from stn.experiment import frame

# leongatys/PytorchNeuralStyleTransfer, NeuralStyleTransfer.ipynb: it prints n + 1 where n % 50 ==
# 49, n from 1.
NOTEBOOK = {
    n: {"loss/total": total}
    for n, total in zip(
        range(49, 500, 50),
        (
            1388532.5,
            707860.75,
            538045.44,
            469374.88,
            433804.63,
            411657.56,
            395248.25,
            383885.31,
            375128.75,
            368493.78,
        ),
        strict=True,
    )
}
# leongatys/NeuralImageSynthesis, BasicStyleTransfer.ipynb, output of cell 10; evaluations from 1.
TORCH = {
    n: {"loss/total": total, "loss/content": content}
    for n, total, content in (
        (50, 1260979.36, 370374.94),
        (100, 656088.59, 361751.84),
        (150, 502277.02, 341582.97),
        (200, 441495.01, 325341.06),
        (250, 408625.55, 313242.56),
        (300, 387915.16, 305028.25),
        (350, 374118.34, 298607.28),
        (400, 363962.35, 293678.59),
        (450, 356502.45, 290066.03),
        (500, 350770.08, 286966.88),
    )
}
LAYERS = {
    "relu1_1": 539.91,
    "relu2_1": 2173.59,
    "relu3_1": 3653.82,
    "relu4_1": 53720.32,
    "relu5_1": 3715.57,
}
TORCH[500] |= {f"style/{layer}": value for layer, value in LAYERS.items()}
PRINTED = {"notebook": NOTEBOOK, "neural_image_synthesis": TORCH}
TITLES = {
    "notebook": "PyTorch notebook, 682 × 512",
    "neural_image_synthesis": "NeuralImageSynthesis, 592 × 444",
}


def cells(base: config.Config) -> list[frame.Cell]:
    # All that their numbers depend on; the budget alone may be another.
    fixed = (
        "image.size_px=512",
        "init=content",
        "optimizer=torch_lbfgs",
        "network.pooling=max",
        "network.rescale=null",
    )
    short = (
        "image.side=short",
        "image.rounding=down",
        "image.filter=early_pillow_bilinear",
        "network.ceil_mode=false",
    )
    area = (
        "image.side=area",
        "image.rounding=up",
        "image.filter=pyramid_reduce",
        "network.ceil_mode=true",
    )
    return [
        frame.Cell(("notebook",), (*fixed, *short)),
        frame.Cell(("neural_image_synthesis",), (*fixed, *area)),
    ]


def draw(finished: frame.Finished) -> figures.Figure:
    with figures.paper_style():
        figure, axes = figures.subplots(
            2, 2, figsize=(figures.TEXT_WIDTH, 3.6), layout=None, sharex=True, height_ratios=(2, 1)
        )
        for (cell, run), (curve, ratio) in zip(finished.items(), axes.T, strict=True):
            name = str(cell[0])
            theirs = {n: terms["loss/total"] for n, terms in PRINTED[name].items()}
            curve.plot(
                run.metrics["evaluation"] + 1, run.metrics["loss/total"], label="ours", linewidth=1
            )
            curve.plot(theirs.keys(), theirs.values(), "o", markersize=3, label="printed")
            curve.set(title=TITLES[name], yscale="log", ylabel="total")
            curve.legend()
            ratio.axhspan(0.97, 1.03, color="0.9")
            shares = _ratios(run.metrics, PRINTED[name])
            ratio.plot(
                [n for n, *_ in shares],
                [ours / printed for _, _, ours, printed in shares],
                "o",
                markersize=3,
            )
            ratio.set(xlabel="evaluation", ylabel="ours / printed")
        figure.set_layout_engine("constrained")
    return figure


def write(folder: Path, finished: frame.Finished) -> None:
    rows = [["run", "evaluation", "term", "ours", "printed", "ratio"]]
    for cell, run in finished.items():
        name = str(cell[0])
        rows += [
            [TITLES[name], str(n), term, f"{ours:.6g}", f"{printed:.6g}", f"{ours / printed:.3f}"]
            for n, term, ours, printed in _ratios(run.metrics, PRINTED[name], every=True)
        ]
    files.write_text(folder / "table.md", tables.markdown(rows))


def _ratios(
    metrics: Mapping[str, np.ndarray],
    printed: Mapping[int, Mapping[str, float]],
    every: bool = False,
) -> list[tuple[int, str, float, float]]:
    """(evaluation, term, ours, printed), the total alone or `every` term, as far as our run went.

    Printed evaluations count from 1; a layer's printed value carries its weight of 1e3, ours is
    before any weight."""
    return [
        (n, term, float(metrics[term][n - 1]) * (1e3 if term.startswith("style/") else 1.0), value)
        for n, terms in printed.items()
        for term, value in terms.items()
        if n <= len(metrics["evaluation"]) and (every or term == "loss/total")
    ]


EXPERIMENT = frame.Experiment(
    "authors_curve",
    "Our losses over those that the authors' own programs printed, for Neckarfront and The Starry"
    " Night.",
    ("preset=gatys_released", "network=vgg19_q8", "style=vangogh_starry_night"),
    cells,
    "",
    minutes=18,
    quick="optimizer.max_evaluations=30",
    draw=draw,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
