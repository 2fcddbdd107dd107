"""Gatys' layers against Johnson's: ours. python experiments/gatys_vs_johnson.py [init=noise]

Six choices of layers under one loss, one network and one budget, on three pairs of pictures; from
noise with three seeds. For each the style weight is sought at which the picture has the same
feature distance to the photograph (docs/reference/measures.md)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stn import config, files
from stn.analysis import figures, tables
from stn.config.schema import Init
from stn.experiment import ablations, frame
from stn.experiment.ablations import CONTENT, STYLE
from stn.study import design

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINE = "gatys"
LAYERS = {  # those of the study; the first is what the others are compared with
    name: design.LAYERS.choices[name]
    for name in (
        *(BASELINE, "johnson", "johnson_content", "johnson_style", "johnson_released"),
        "all_relus",
    )
}
SEEDS = (0, 1, 2)
PATCHES = STYLE[1]


def cells(base: config.Config) -> list[frame.Cell]:
    every = ablations.relus(base.network.name)
    # From the photograph or the painting nothing is drawn by lot.
    seeds = SEEDS if base.init.name in Init.RANDOM else (base.seed,)
    return [
        cell
        for name, choice in LAYERS.items()
        for cell in ablations.cells(
            name,
            (
                f"objective.content_layers=[{choice.content}]",
                f"objective.style_layers=[{','.join(choice.style or every)}]",
            ),
            seeds,
            ablations.START * choice.start,
        )
    ]


def draw(finished: frame.Finished) -> Figure:
    """Two rows a pair: photograph, painting, and each choice with its patch distance."""
    found = ablations.by_choice(finished)
    rows: list[list[figures.Panel | None]] = []
    for pair in dict.fromkeys(pair for of_pair in found.values() for pair in of_pair):
        shown = {
            name: next(iter(of_pair[pair].values()))
            for name, of_pair in found.items()
            if pair in of_pair
        }
        one = next(iter(shown.values()))
        panels: list[figures.Panel | None] = [
            figures.Panel(one.picture("content"), "photograph"),
            figures.Panel(one.picture("style"), "painting"),
        ]
        panels += [
            figures.Panel(run.rgb, f"{LAYERS[name].label}: {PATCHES.of(run):.2f}")
            for name, run in shown.items()
        ]
        rows += [panels[:4], panels[4:]]
    return figures.panels(rows)


def write(folder: Path, finished: frame.Finished) -> None:
    found = ablations.by_choice(finished)
    figures.save(_gaps(found), folder / "gaps.png")
    measures = (*STYLE, *CONTENT[1:])
    rows = [["layers", *(each.label for each in measures)]]
    for name in [name for name in found if name != BASELINE]:
        texts = [
            ablations.shown(
                ablations.effect(found[name], found.get(BASELINE, {}), each.of, each.factor),
                each.factor,
                len(frame.PAIRS),
            )
            for each in measures
        ]
        rows.append([LAYERS[name].label, *texts])
    files.write_text(folder / "table.md", tables.markdown(rows))


def _gaps(found: ablations.RunsByChoice) -> Figure:
    """Each choice's distance from the painting over Gatys'."""
    others = [name for name in found if name != BASELINE]
    with figures.paper_style():
        figure, axes = figures.subplots(
            1, len(STYLE), figsize=(figures.TEXT_WIDTH, 2.2), sharey=True
        )
        for axis, y in zip(axes, STYLE, strict=True):
            baseline = found.get(BASELINE, {})
            effects = [ablations.effect(found[name], baseline, y.of) for name in others]
            figures.intervals(axis, effects)
            axis.set(title=y.label, xlabel=f"% more than {LAYERS[BASELINE].label}")
        axes[0].set_yticklabels([LAYERS[name].label for name in others])
    return figure


EXPERIMENT = frame.Experiment(
    "gatys_vs_johnson",
    "Ours: choices of layers, from Gatys et al. 2016 and Johnson et al. 2016, under the loss of"
    " Gatys' released code. All pictures have the same feature distance to the photograph, and"
    " above each stands its patch distance to the painting. The files gaps.png and table.md have"
    " how much larger each distance is than with Gatys' layers. Their 95 % intervals are over"
    " pairs of pictures and seeds; of three pairs without seeds they tell little.",
    ablations.BASE,
    cells,
    "optimizer.max_evaluations=50 hydra/launcher=joblib_local hydra.launcher.n_jobs=2",
    minutes=15,
    quick="image.size_px=96 optimizer.max_evaluations=30",
    quick_minutes=6,
    draw=draw,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
