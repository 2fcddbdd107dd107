"""Gatys' layers against Johnson's: ours. python experiments/gatys_vs_johnson.py [init=noise]

Six choices of layers under one loss, one network and one budget, each with seven α/β on three pairs
of pictures; from noise three seeds as well. A choice is a trade-off curve, style measure against
content measure, and not a point (docs/reference/measures.md)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stn import config, files, runs
from stn.config.schema import Init
from stn.experiment import ablations, frame
from stn.experiment.ablations import CONTENT, STYLE
from stn.layers import GATYS, JOHNSON
from stn.study import figures, tables

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LAYERS = {  # content and style; the first is what the others are compared with
    "gatys": ("relu4_2", GATYS),
    "johnson": ("relu2_2", JOHNSON),
    "johnson_content": ("relu2_2", GATYS),
    "johnson_style": ("relu4_2", JOHNSON),
    "johnson_released": ("relu3_3", JOHNSON),
    "all_relus": ("relu4_2", ()),  # which depend on the network
}
LABELS = dict(
    zip(
        LAYERS,
        (
            "Gatys",
            "Johnson",
            "J content, G style",
            "G content, J style",
            "Johnson released",
            "G content, all style",
        ),
        strict=True,
    )
)
NAMES = {name: f"C{i}" for i, name in enumerate(LAYERS)}  # matplotlib's colors
SEEDS = (0, 1, 2)


def cells(base: config.Config) -> list[frame.Cell]:
    every = ablations.relus(base.network.name)
    # From the photograph or the painting nothing is drawn by lot.
    seeds = SEEDS if base.init.name in Init.RANDOM else (base.seed,)
    return [
        cell
        for choice, (content, style) in LAYERS.items()
        for cell in ablations.cells(
            choice,
            (
                f"objective.content_layers=[{content}]",
                f"objective.style_layers=[{','.join(style or every)}]",
            ),
            seeds,
            # Features at relu2_2 are some ten times as far apart.
            ablations.betas(-4 if content == "relu2_2" else -3, 7),
        )
    ]


def draw(finished: frame.Finished) -> Figure:
    """Trade-off curves of two style measures, a column a pair of pictures; below them the pictures
    at equal content.
    """
    from matplotlib.figure import Figure

    found = ablations.sweeps(finished)
    pairs = list(next(iter(found.values())))
    with figures.paper_style():
        figure = Figure(figsize=(figures.TEXT_WIDTH, 6), layout="constrained")
        grid = figure.add_gridspec(4, 3 * len(pairs), height_ratios=(3, 3, 0.8, 0.8))
        for column, pair in enumerate(pairs):
            first = [next(iter(sweep[pair].values())) for sweep in found.values()]
            shown = ablations.matched(first, CONTENT[0])
            for row, y in enumerate(STYLE[:2]):
                axis = figure.add_subplot(grid[row, 3 * column : 3 * column + 3])
                for choice, sweep, run in zip(found, found.values(), shown, strict=True):
                    for number, several in enumerate(sweep[pair].values()):
                        _draw_curve(
                            axis, several, y, NAMES[choice], LABELS[choice] if number == 0 else ""
                        )
                    axis.plot(
                        CONTENT[0].of(run),
                        y.of(run),
                        "o",
                        color=NAMES[choice],
                        markersize=7,
                        fillstyle="none",
                    )
                axis.set(
                    yscale="log",
                    title=pair.replace("_", " ") if row == 0 else "",
                    ylabel=y.label if column == 0 else "",
                )
                axis.yaxis.set_major_formatter("{x:.2g}")
                axis.yaxis.set_minor_formatter("{x:.2g}")
                axis.set_xlabel(CONTENT[0].label if row == 1 else "")
            for number, (choice, run) in enumerate(zip(found, shown, strict=True)):
                axis = figure.add_subplot(grid[2 + number // 3, 3 * column + number % 3])
                axis.imshow(run.rgb.astype(np.uint8))
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set(color=NAMES[choice], linewidth=1.5)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=6)
    return figure


def _draw_curve(
    axis: Axes, sweep: list[runs.Run], y: ablations.Measure, color: str, label: str
) -> None:
    curve = ablations.curve(sweep, CONTENT[0], y)
    x = np.linspace(curve.x[0], curve.x[-1], 200)
    axis.plot(x, curve.at(x), color=color, linewidth=1, label=label or None)
    axis.plot(curve.x, curve.y, ".", color=color, markersize=3)


def write(folder: Path, finished: frame.Finished) -> None:
    found = ablations.sweeps(finished)
    figures.save(_montage(found), folder / "montage.png")
    figures.save(_gaps(found), folder / "gaps.png")
    rows = [["layers", "at equal", *(y.label for y in STYLE)]]
    baseline, *others = found
    for choice in others:
        for x in CONTENT:
            effects = [ablations.effect(found[choice], found[baseline], x, y) for y in STYLE]
            texts = [
                ablations.shown(each, y.factor, len(frame.PAIRS))
                for each, y in zip(effects, STYLE, strict=True)
            ]
            rows.append([LABELS[choice], x.label, *texts])
    files.write_text(folder / "table.md", tables.markdown(rows))


def _montage(found: ablations.Choices) -> Figure:
    """Two rows a pair: photograph, painting, and each choice at equal content, with its measure."""
    rows: list[list[figures.Panel | None]] = []
    for pair in next(iter(found.values())):
        first = [next(iter(sweep[pair].values())) for sweep in found.values()]
        shown = ablations.matched(first, CONTENT[0])
        panels: list[figures.Panel | None] = [
            figures.Panel(shown[0].picture("content"), "photograph"),
            figures.Panel(shown[0].picture("style"), "painting"),
        ]
        panels += [
            figures.Panel(run.rgb, f"{LABELS[choice]}: {CONTENT[0].of(run):.2f}")
            for choice, run in zip(found, shown, strict=True)
        ]
        rows += [panels[:4], panels[4:]]
    return figures.panels(rows)


def _gaps(found: ablations.Choices) -> Figure:
    """Each choice's distance from the painting over Gatys', at equal content by three measures."""
    baseline, *others = found
    with figures.paper_style():
        figure, axes = figures.subplots(
            1, len(STYLE), figsize=(figures.TEXT_WIDTH, 2.6), sharey=True
        )
        for axis, y in zip(axes, STYLE, strict=True):
            for number, x in enumerate(CONTENT):
                effects = [
                    ablations.effect(found[choice], found[baseline], x, y) for choice in others
                ]
                label = f"at equal {x.label}"
                ablations.draw_intervals(axis, effects, label, f"C{number}", 0.2 * (number - 1))
            axis.set(title=y.label, xlabel=f"% more than {LABELS[baseline]}")
        axes[0].set_yticklabels([LABELS[choice] for choice in others])
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


EXPERIMENT = frame.Experiment(
    "gatys_vs_johnson",
    "Ours: choices of layers, from Gatys et al. 2016 and Johnson et al. 2016, under the loss of"
    " Gatys' released code. Each curve is a sweep of α/β; right is far from the photograph, up is"
    " far from the painting, rings are the pictures below. The files gaps.png and table.md have the"
    " area between each curve and Gatys' over the width of what both reach. Their 95 % intervals"
    " are over pairs of pictures and seeds; of three pairs without seeds that is their range.",
    ablations.BASE,
    cells,
    "optimizer.max_evaluations=50 hydra/launcher=joblib_local hydra.launcher.n_jobs=2",
    minutes=32,
    quick="image.size_px=96 optimizer.max_evaluations=30",
    quick_minutes=8,
    draw=draw,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
