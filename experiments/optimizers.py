"""L-BFGS against Adam, by work and by time: ours, three cells. python experiments/optimizers.py"""

import matplotlib.pyplot as plt

from stn import config, experiments, figures

OPTIMIZERS = {
    "L-BFGS": ("optimizer=lbfgs",),
    "Adam-10": ("optimizer=adam", "optimizer.learning_rate=10"),  # neural-style, anishathalye's neural-style
    "Adam-1": ("optimizer=adam", "optimizer.learning_rate=1"),  # neural-style-tf, neural-style-pt
}


def cells(base: config.Config) -> list[experiments.Cell]:
    return [experiments.Cell(name, overrides) for name, overrides in OPTIMIZERS.items()]


def draw(runs: experiments.Runs) -> plt.Figure:
    return figures.curves(runs, across=("evaluation", "seconds"))


EXPERIMENT = experiments.Experiment(
    "optimizers",
    "Ours: the total loss over evaluations and over wall time, for L-BFGS and for Adam with learning rates 10 and 1. "
    "Times compare only if the cells ran one after another on an idle machine.",
    ("preset=gatys2016", "style=starry_night", "optimizer.max_evaluations=500"),
    cells,
    draw,
)

if __name__ == "__main__":
    experiments.main(EXPERIMENT)
