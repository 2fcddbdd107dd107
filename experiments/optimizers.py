"""Three kinds of L-BFGS on nine problems: ours, 27 cells. python experiments/optimizers.py, then with init=noise

Three pairs of pictures times three objectives: the best total so far over evaluations, and a table of how soon ours has
the loss of the pictures that the others end with (docs/time_to_quality.md).
"""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from stn import config, experiments, figures, files, runs, tables

OBJECTIVES = {"gatys_released": "vgg19_q8", "gatys2016": "vgg19_q8", "johnson2016": "vgg16"}  # preset: its network
OPTIMIZERS = {
    # SciPy's with its own memory over the whole run, as its users have it.
    "SciPy-10": ("optimizer=lbfgs", "optimizer.restart_every=null"),
    "Torch-100": ("optimizer=torch_lbfgs",),  # the authors' code, neural-style and neural-style-pt
    "spectral": ("optimizer=spectral_lbfgs",),
}


def cells(base: config.Config) -> list[experiments.Cell]:
    return [
        experiments.Cell(
            f"{content}-{style}-{preset}-{name}",
            (f"preset={preset}", f"network={network}", f"content={content}", f"style={style}", *optimizer),
        )
        for content, style in experiments.PAIRS
        for preset, network in OBJECTIVES.items()
        for name, optimizer in OPTIMIZERS.items()
    ]


def draw(finished: dict[str, runs.Run]) -> Figure:
    with matplotlib.rc_context(figures.STYLE):
        figure, axes = figures.subplots(3, 3, figsize=(figures.TEXT_WIDTH, 6), sharex=True)
        for row, (content, style) in enumerate(experiments.PAIRS):
            for column, preset in enumerate(OBJECTIVES):
                axis = axes[row][column]
                for name in OPTIMIZERS:
                    totals = finished[f"{content}-{style}-{preset}-{name}"].metrics["loss/total"]
                    axis.plot(np.fmin.accumulate(totals), label=name, linewidth=1)
                axis.set(yscale="log", title=preset if row == 0 else "", xlabel="evaluation" if row == 2 else "")
            axes[row][0].set_ylabel(f"{content}, {style}")
        axes[0][0].legend()
    return figure


def write(folder: Path, finished: dict[str, runs.Run]) -> None:
    """The last totals, the optimizer's and the picture's own, and how soon ours is as low as each other picture."""
    rows = [["pictures", "objective", "optimizer", "last total", "picture's own", "ours as low after", "share"]]
    shares: dict[str, list[float]] = {"SciPy-10": [], "Torch-100": []}
    for content, style in experiments.PAIRS:
        for preset in OBJECTIVES:
            ours = np.fmin.accumulate(finished[f"{content}-{style}-{preset}-spectral"].metrics["loss/total"])
            for name in OPTIMIZERS:
                run = finished[f"{content}-{style}-{preset}-{name}"]
                last, own = run.summary["loss/total"], run.summary["picture/loss/total"]
                when = ["", ""]
                if name in shares:
                    reached = np.flatnonzero(ours <= own)  # ours stays in 0-255, so that its totals are its pictures'
                    shares[name].append((reached[0] + 1) / len(run.metrics["evaluation"]) if len(reached) else np.inf)
                    when = [str(reached[0] + 1) if len(reached) else "not reached", f"{shares[name][-1]:.2f}"]
                rows.append([f"{content}, {style}", preset, name, f"{last:.4g}", f"{own:.4g}", *when])
    rows += [["median", "", name, "", "", "", f"{np.median(found):.2f}"] for name, found in shares.items()]
    files.write_text(folder / "table.md", tables.markdown(rows))


EXPERIMENT = experiments.Experiment(
    "optimizers",
    "Ours: the best total loss so far over evaluations: SciPy's L-BFGS with a history of 10, Torch's without a line "
    "search and a history of 100, ours with a step length for each band of frequencies. table.md says how soon ours "
    "has the loss of the others' last pictures. Ours keeps pixels in 0-255; the others do not, and are clipped after.",
    ("init=content", "image.size_px=192", "image.side=long", "optimizer.max_evaluations=500"),
    cells,
    draw,
    write,
)

if __name__ == "__main__":
    experiments.main(EXPERIMENT)
