"""One thing changed at a time from gatys_released: ours. python experiments/what_matters.py

Each change is a sweep of three α/β on three pairs of pictures, the preset itself of seven. They are
compared at equal content (docs/reference/measures.md). The 39 cells that
experiments/gatys_vs_johnson.py has too are not computed twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stn import config, files, runs
from stn.experiment import ablations, frame
from stn.experiment.ablations import CONTENT, STYLE, Measure
from stn.layers import GATYS
from stn.study import figures, inference, tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEEDS = (0, 1, 2)
PRESET = "preset"
# What the table has beside the style measures at equal feature distance: the older one, and no
# network on either side.
COLUMNS = (
    *((CONTENT[0], y) for y in STYLE),
    (CONTENT[0], Measure("style", "Gatys' style")),
    (CONTENT[2], STYLE[1]),
)
SETTLED = 1.1  # of the last loss: evaluations count until there


@dataclass(frozen=True)
class Change:
    """A row: its label, what it sets, how many steps of β its sweep is shifted, and its seeds."""

    label: str
    overrides: tuple[str, ...]
    steps: int = 0  # until its pictures are between photograph and painting (tried at 128 px)
    seeds: tuple[int, ...] = (0,)


def changes(network: str, size_px: int) -> dict[str, Change]:
    """The rows by name, the preset first; one more is one more line."""
    every = ablations.relus(network)
    taps = ",".join(GATYS).replace("relu", "conv")
    return {
        PRESET: Change("gatys_released", ()),
        "average": Change("average pooling", ("network.pooling=avg",)),
        "rescaled": Change("rescaled network", ("network.rescale=default",), 6),
        "conv": Change(
            "before the ReLUs",
            (
                "objective.content_layers=[conv4_2]",
                f"objective.style_layers=[{taps}]",
            ),
        ),
        "content2": Change("content relu2_2", ("objective.content_layers=[relu2_2]",), -1),
        "content5": Change("content relu5_2", ("objective.content_layers=[relu5_2]",), -4),
        "three": Change("3 style layers", ("objective.style_layers=[relu1_1,relu2_1,relu3_1]",), 2),
        "every": Change(
            f"{len(every)} style layers", (f"objective.style_layers=[{','.join(every)}]",)
        ),
        "geometric": Change("geometric weights", ("objective.layer_weighting=geometric",)),
        "noise": Change("from noise", ("init=noise",), -2, SEEDS),
        "painting": Change("from the painting", ("init=style",), -1),
        "smooth": Change(
            # as neural-style has it, -tv_weight 1e-3 (configs/preset/neural_style_pt.yaml)
            "total variation",
            ("objective.total_variation.form=absolute", "objective.total_variation.weight=1e-3"),
        ),
        "torch": Change("Torch's L-BFGS", ("optimizer=torch_lbfgs",)),
        "adam": Change("Adam", ("optimizer=adam",)),
        "border": Change("reflected border", ("network.border=reflect",)),
        "half": Change("half the size", (f"image.size_px={size_px // 2}",)),
    }


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        cell
        for name, each in changes(base.network.name, base.image.size_px or 0).items()
        for cell in ablations.cells(
            name,
            each.overrides,
            each.seeds,
            ablations.betas(-3, 7) if name == PRESET else ablations.betas(each.steps - 1, 3),
        )
    ]


def draw(finished: frame.Finished) -> Figure:
    """A row for each change: a picture of each pair at equal content, and its effect on three style
    measures.
    """
    from matplotlib.figure import Figure

    found, labels = _sweeps(finished), _labels(finished)
    pairs = list(found[PRESET])
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
            shown = ablations.matched(
                [next(iter(sweep[pair].values())) for sweep in found.values()], CONTENT[0]
            )
            for row, (name, run) in enumerate(zip(found, shown, strict=True)):
                axis = figure.add_subplot(grid[row, column])
                axis.imshow(run.rgb.astype(np.uint8))
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set_visible(False)
                if column == 0:
                    axis.set_ylabel(labels[name], rotation=0, ha="right", va="center")
        for column, y in enumerate(STYLE):
            axis = figure.add_subplot(grid[:, len(pairs) + column])
            effects = [_effect(found, name, CONTENT[0], y) for name in found]
            ablations.draw_intervals(axis, effects)
            axis.set(title=y.label, xlabel="% more", yticklabels=[])
    return figure


def write(folder: Path, finished: frame.Finished) -> None:
    found, labels = _sweeps(finished), _labels(finished)
    heads = [f"{y.label}, at equal {x.label}" for x, y in COLUMNS]
    rows = [["change", *heads, "seconds", "evaluations"]]
    for name, sweep in found.items():
        if name == PRESET:
            continue
        effects = [_effect(found, name, x, y) for x, y in COLUMNS]
        effects += [_cost(sweep, found[PRESET], each) for each in (_seconds, _settled)]
        texts = [ablations.shown(each, factor=True, pairs=len(frame.PAIRS)) for each in effects]
        rows.append([labels[name], *texts])
    files.write_text(folder / "table.md", tables.markdown(rows))


def _effect(
    found: dict[str, ablations.Sweep], name: str, x: Measure, y: Measure
) -> inference.Effect | None:
    return None if name == PRESET else ablations.effect(found[name], found[PRESET], x, y)


def _cost(
    sweep: ablations.Sweep, baseline: ablations.Sweep, of: Callable[[runs.Run], float]
) -> inference.Effect | None:
    """The logarithm of the factor of a cost, each pair and seed for itself, over the α/β."""

    def logarithm(several: Sequence[runs.Run]) -> float:
        return float(np.mean([np.log(of(run)) for run in several]))

    return inference.over_groups(
        [
            logarithm(each) - logarithm(next(iter(baseline[pair].values())))
            for each in seeds.values()
        ]
        for pair, seeds in sweep.items()
    )


def _seconds(run: runs.Run) -> float:
    return float(run.summary["seconds"])


def _settled(run: runs.Run) -> float:
    """Evaluations until the loss is within a tenth of its last."""
    best = run.metrics["loss/total"][runs.best_so_far(run.metrics)]
    return float(np.argmax(best <= SETTLED * best[-1]) + 1)


def _labels(finished: frame.Finished) -> dict[str, str]:
    network = next(iter(finished.values())).settings["network"]["name"]
    return {name: change.label for name, change in changes(network, 0).items()}


def _sweeps(finished: frame.Finished) -> dict[str, ablations.Sweep]:
    """The runs by change; a run of another size is resized to the preset's and measured there."""
    found: dict[str, ablations.Sweep] = dict(ablations.sweeps(finished))
    size = next(iter(finished.values())).settings["image"]["size_px"]
    for name, sweep in found.items():
        found[name] = {
            pair: {
                seed: [ablations.at_size(run, size) for run in several]
                for seed, several in seeds.items()
            }
            for pair, seeds in sweep.items()
        }
    return found


EXPERIMENT = frame.Experiment(
    "what_matters",
    "Ours: one thing changed at a time from the released code of Gatys et al. (first row), at equal"
    " content. Left: the pictures whose feature distances from the photograph are nearest to one"
    " another. Right: how much larger the distance from the painting is, over all the content that"
    " both reach, with 95 % intervals over pairs of pictures and seeds; of three pairs without"
    " seeds that is their range.",
    ablations.BASE,
    cells,
    "optimizer.max_evaluations=50 hydra/launcher=joblib_local hydra.launcher.n_jobs=2",
    minutes=31,
    quick="image.size_px=96 optimizer.max_evaluations=30",
    quick_minutes=12,
    draw=draw,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
