"""Three kinds of L-BFGS on nine problems: ours, 27 cells. python experiments/optimizers.py, then with init=noise

Three pairs of pictures times three objectives: the best total so far over evaluations, and a table of how soon ours has
what the others end with (docs/time_to_quality.md).
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from stn import config, experiments, figures, files, runs

PAIRS = (("tubingen", "starry_night"), ("golden_gate", "composition_vii"), ("chelsea", "the_scream"))
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
        for content, style in PAIRS
        for preset, network in OBJECTIVES.items()
        for name, optimizer in OPTIMIZERS.items()
    ]


def draw(finished: dict[str, runs.Run]) -> plt.Figure:
    with plt.rc_context(figures.STYLE):
        figure, axes = plt.subplots(3, 3, figsize=(figures.TEXT_WIDTH, 6), sharex=True, layout="constrained")
        for row, (content, style) in enumerate(PAIRS):
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
    """How many evaluations ours needs to the last total of each other, as a share of theirs."""
    lines = [
        "| pictures | objective | to SciPy-10's | share | to Torch-100's | share | last total over SciPy's |",
        "|---|---|---|---|---|---|---|",
    ]
    shares: dict[str, list[float]] = {"SciPy-10": [], "Torch-100": []}
    for content, style in PAIRS:
        for preset in OBJECTIVES:
            totals = {
                name: np.fmin.accumulate(finished[f"{content}-{style}-{preset}-{name}"].metrics["loss/total"])
                for name in OPTIMIZERS
            }
            columns = []
            for other, found in shares.items():
                reached = np.flatnonzero(totals["spectral"] <= totals[other][-1])
                found.append((reached[0] + 1) / len(totals[other]) if len(reached) else np.inf)
                columns += [str(reached[0] + 1) if len(reached) else "not reached", f"{found[-1]:.2f}"]
            last = totals["spectral"][-1] / totals["SciPy-10"][-1]
            lines.append(f"| {content}, {style} | {preset} | {' | '.join(columns)} | {last:.2f} |")
    medians = [f"{np.median(found):.2f}" for found in shares.values()]
    lines.append(f"| median | | | {medians[0]} | | {medians[1]} | |")
    files.write_text(folder / "table.md", "\n".join(lines) + "\n")


EXPERIMENT = experiments.Experiment(
    "optimizers",
    "Ours: the best total loss so far over evaluations: SciPy's L-BFGS with a history of 10, Torch's without a line "
    "search and a history of 100, ours with a step length for each band of frequencies. table.md says how soon ours "
    "gets as low as the others end. Ours keeps pixels in 0-255, the others do not.",
    ("init=content", "image.size_px=192", "image.side=long", "optimizer.max_evaluations=500"),
    cells,
    draw,
    write,
)

if __name__ == "__main__":
    experiments.main(EXPERIMENT)
