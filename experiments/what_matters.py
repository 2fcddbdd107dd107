"""One thing changed at a time from gatys_released: ours. python experiments/what_matters.py

For each change and each of three pairs of pictures the style weight is sought at which the picture
has the same feature distance to the photograph (docs/reference/measures.md). The 9 cells that
experiments/gatys_vs_johnson.py has too are not computed twice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stn import config, files, runs
from stn.experiment import ablations, design, frame
from stn.experiment.ablations import CONTENT, STYLE, Measure
from stn.layers import GATYS
from stn.study import figures, tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEEDS = (0, 1, 2)
PRESET = "preset"
# What the table has: the older measure of style and one without a network too.
COLUMNS = (*STYLE, Measure("style", "Gatys' style"), CONTENT[2])
SETTLED = 1.1  # of the last loss: evaluations count until there


@dataclass(frozen=True)
class Change:
    """A row: its label, what it sets, the style weight that its search begins with, its seeds."""

    label: str
    overrides: tuple[str, ...] = ()
    start: float = ablations.START * design.LAYERS.choices["gatys"].start
    seeds: tuple[int, ...] = (0,)


def changes(network: str) -> dict[str, Change]:
    """The rows by name, the preset first; one more is one more line."""
    every = ablations.relus(network)
    taps = ",".join(GATYS).replace("relu", "conv")
    return {
        PRESET: Change("gatys_released"),
        "average": Change("average pooling", ("network.pooling=avg",)),
        "rescaled": Change("rescaled network", ("network.rescale=default",), 6e4),
        "conv": Change(
            "before the ReLUs",
            (
                "objective.content_layers=[conv4_2]",
                f"objective.style_layers=[{taps}]",
            ),
        ),
        "content2": Change(
            "content relu2_2",
            ("objective.content_layers=[relu2_2]",),
            start_of("johnson_content"),
        ),
        "three": Change(
            "3 style layers", ("objective.style_layers=[relu1_1,relu2_1,relu3_1]",), 240
        ),
        "every": Change(
            f"{len(every)} style layers",
            (f"objective.style_layers=[{','.join(every)}]",),
            start_of("all_relus"),
        ),
        "geometric": Change("geometric weights", ("objective.layer_weighting=geometric",)),
        "noise": Change("from noise", ("init=noise",), 1.0, SEEDS),
        "smooth": Change(
            # as neural-style has it, -tv_weight 1e-3 (configs/preset/neural_style_pt.yaml)
            "total variation",
            ("objective.total_variation.form=absolute", "objective.total_variation.weight=1e-3"),
        ),
        "torch": Change("Torch's L-BFGS", ("optimizer=torch_lbfgs",)),
        "adam": Change("Adam", ("optimizer=adam",)),
        "border": Change("reflected border", ("network.border=reflect",)),
    }


def start_of(choice: str) -> float:
    """The start weight of a choice that gatys_vs_johnson has too: their cells are the same."""
    return ablations.START * design.LAYERS.choices[choice].start


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        cell
        for name, each in changes(base.network.name).items()
        for cell in ablations.cells(name, each.overrides, each.seeds, each.start)
    ]


def draw(finished: frame.Finished) -> Figure:
    """A row for each change: a picture of each pair at equal content, and its effect on three style
    measures.
    """
    from matplotlib.figure import Figure

    found, labels = ablations.by_choice(finished), _labels(finished)
    pairs = list(dict.fromkeys(pair for of_pair in found.values() for pair in of_pair))
    preset = found.get(PRESET, {})
    with figures.paper_style():
        height = 0.5 * len(found) + 0.6
        figure = Figure(figsize=(figures.TEXT_WIDTH, height))
        grid = figure.add_gridspec(
            len(found),
            len(pairs) + len(STYLE),
            width_ratios=[*(0.64 for _ in pairs), *(1.15 for _ in STYLE)],
            left=0.19,
            right=0.99,
            bottom=0.35 / height,
            top=1 - 0.25 / height,
            hspace=0.06,
            wspace=0.1,
        )
        for column, pair in enumerate(pairs):
            for row, (name, of_pair) in enumerate(found.items()):
                axis = figure.add_subplot(grid[row, column])
                if pair in of_pair:
                    axis.imshow(next(iter(of_pair[pair].values())).rgb.astype(np.uint8))
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set_visible(False)
                if column == 0:
                    axis.set_ylabel(labels[name], rotation=0, ha="right", va="center")
        for column, y in enumerate(STYLE):
            axis = figure.add_subplot(grid[:, len(pairs) + column])
            effects = [
                None if name == PRESET else ablations.effect(choice, preset, y.of)
                for name, choice in found.items()
            ]
            ablations.draw_intervals(axis, effects)
            axis.set(title=y.label, xlabel="% more", yticklabels=[])
    return figure


def write(folder: Path, finished: frame.Finished) -> None:
    found, labels = ablations.by_choice(finished), _labels(finished)
    columns = [(y.label, y.of, y.factor) for y in COLUMNS]
    columns += [("seconds", _seconds, True), ("evaluations", _settled, True)]
    rows = [["change", *(label for label, _, _ in columns)]]
    preset = found.get(PRESET, {})
    for name in [name for name in found if name != PRESET]:
        texts = [
            ablations.shown(
                ablations.effect(found[name], preset, of, factor), factor, len(frame.PAIRS)
            )
            for _, of, factor in columns
        ]
        rows.append([labels[name], *texts])
    files.write_text(folder / "table.md", tables.markdown(rows))


def _seconds(run: runs.Run) -> float:
    return float(run.summary["seconds"])


def _settled(run: runs.Run) -> float:
    """Evaluations until the loss is within a tenth of its last."""
    best = run.metrics["loss/total"][runs.best_so_far(run.metrics)]
    return float(np.argmax(best <= SETTLED * best[-1]) + 1)


def _labels(finished: frame.Finished) -> dict[str, str]:
    network = next(iter(finished.values())).settings["network"]["name"]
    return {name: change.label for name, change in changes(network).items()}


EXPERIMENT = frame.Experiment(
    "what_matters",
    "Ours: one thing changed at a time from the released code of Gatys et al. (first row), at equal"
    " content: all pictures have the same feature distance to the photograph. Right: how much"
    " larger the distance from the painting is, with 95 % intervals over pairs of pictures and"
    " seeds; of three pairs without seeds they tell little.",
    ablations.BASE,
    cells,
    "optimizer.max_evaluations=50 hydra/launcher=joblib_local hydra.launcher.n_jobs=2",
    minutes=30,
    quick="image.size_px=96 optimizer.max_evaluations=30",
    quick_minutes=12,
    draw=draw,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
