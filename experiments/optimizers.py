"""The optimizers by work and by time: ours, six cells. python experiments/optimizers.py"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from stn import config, experiments, figures, files, runs

# SciPy's with its own memory over the whole run; a restart would make two things vary.
SCIPY = ("optimizer=lbfgs", "optimizer.restart_every=null")
OPTIMIZERS = {
    "SciPy-10": SCIPY,  # its default history
    "SciPy-100": (*SCIPY, "optimizer.history=100"),
    "Torch-100": ("optimizer=torch_lbfgs",),  # the authors' code, neural-style and neural-style-pt
    "spectral": ("optimizer=spectral_lbfgs",),
    "Adam-10": ("optimizer=adam", "optimizer.learning_rate=10"),  # neural-style, anishathalye's neural-style
    "Adam-1": ("optimizer=adam", "optimizer.learning_rate=1"),  # neural-style-tf, neural-style-pt
}


def cells(base: config.Config) -> list[experiments.Cell]:
    return [experiments.Cell(name, overrides) for name, overrides in OPTIMIZERS.items()]


def draw(finished: dict[str, runs.Run]) -> plt.Figure:
    return figures.curves(finished, across=("evaluation", "seconds"))


def write(folder: Path, finished: dict[str, runs.Run]) -> None:
    """How soon each reaches the loss that SciPy's L-BFGS and Torch's end with."""
    lines = [
        "| optimizer | the picture's total | its own last | to the last of | evaluations | seconds |",
        "|---" * 6 + "|",
    ]
    for name, run in finished.items():
        totals, seconds = run.metrics["loss/total"], run.metrics["seconds"]
        for other in ("SciPy-10", "Torch-100"):
            reached = np.flatnonzero(totals <= finished[other].summary["loss/total"])
            when = f"{reached[0] + 1} | {seconds[reached[0]]:.0f}" if len(reached) else "not reached |"
            own, last = run.summary["picture/loss/total"], run.summary["loss/total"]
            lines.append(f"| {name} | {own:.5g} | {last:.5g} | {other} | {when} |")
    files.write_text(folder / "table.md", "\n".join(lines) + "\n")


EXPERIMENT = experiments.Experiment(
    "optimizers",
    "Ours: the total loss over evaluations and over wall time: SciPy's L-BFGS with a history of 10 and of 100, Torch's "
    "without a line search, ours with a step length for each band of frequencies, Adam with learning rates 10 and 1. "
    "table.md says how soon each gets as low as others end. Times compare only if the cells ran one after another on "
    "an idle machine.",
    ("preset=gatys2016", "style=starry_night", "optimizer.max_evaluations=500"),
    cells,
    draw,
    write,
)

if __name__ == "__main__":
    experiments.main(EXPERIMENT)
