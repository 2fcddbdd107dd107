"""Three kinds of L-BFGS on nine problems: ours. python experiments/optimizers.py [init=noise]

Three pairs of pictures times three objectives: the best total so far over evaluations. A table says
after how many evaluations ours, alone and after coarse levels, has the loss of the pictures that
the others end with. scripts/compare_optimizers.py has more pictures and judges them too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stn import config, files, runs
from stn.experiment import frame
from stn.report import progress
from stn.study import figures, tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OBJECTIVES = {
    "gatys_released": "vgg19_q8",
    "gatys2016": "vgg19_q8",
    "johnson2016": "vgg16",
}  # preset: its network
OPTIMIZERS = {
    # SciPy's with its own memory over the whole run, as its users have it.
    "SciPy-10": ("optimizer=lbfgs", "optimizer.restart_every=null"),
    "Torch-100": ("optimizer=torch_lbfgs",),  # the authors' code, neural-style and neural-style-pt
    "spectral": ("optimizer=spectral_lbfgs",),
    "spectral-coarse": ("optimizer=spectral_lbfgs", "pyramid=quarter"),
}
OTHERS, OURS = list(OPTIMIZERS)[:2], list(OPTIMIZERS)[2:]


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(
            (content, style, preset, name),
            (
                f"preset={preset}",
                f"network={network}",
                f"content={content}",
                f"style={style}",
                *optimizer,
            ),
        )
        for content, style in frame.PAIRS
        for preset, network in OBJECTIVES.items()
        for name, optimizer in OPTIMIZERS.items()
    ]


def draw(finished: frame.Finished) -> Figure:
    with figures.paper_style():
        figure, axes = figures.subplots(3, 3, figsize=(figures.TEXT_WIDTH, 6), sharex=True)
        for row, (content, style) in enumerate(frame.PAIRS):
            for column, preset in enumerate(OBJECTIVES):
                axis = axes[row][column]
                for name in OPTIMIZERS:
                    axis.plot(
                        *course(finished[content, style, preset, name]),
                        label=name,
                        linewidth=1,
                    )
                axis.set(
                    yscale="log",
                    title=preset if row == 0 else "",
                    xlabel="evaluations at full size" if row == 2 else "",
                )
            axes[row][0].set_ylabel(f"{content}, {style}")
        axes[0][0].legend()
    return figure


def course(run: runs.Run) -> tuple[np.ndarray, np.ndarray]:
    """The best total so far at full size over evaluations; one at a coarse level counts by its
    share of the pixels.
    """
    totals = run.metrics["loss/total"]
    level = np.asarray(run.metrics.get("level", np.zeros(len(totals)))).astype(int)
    spent = np.cumsum(np.square([scale for scale, _ in progress.levels(run.settings)])[level])
    return spent[level == level[-1]], np.fmin.accumulate(totals[level == level[-1]])


def write(folder: Path, finished: frame.Finished) -> None:
    """The last totals, the optimizer's and the picture's own, and after how many evaluations ours
    are as low as these.

    Ours stay in 0-255, so that their totals are their pictures'.
    """
    goals = {"total": "loss/total", "picture": "picture/loss/total"}
    rows = [["pictures", "objective", "optimizer", "last total", "picture's own"]]
    rows[0] += [f"{name} as its {goal}" for goal in goals for name in OURS]
    shares: dict[str, list[list[float]]] = {name: [] for name in OTHERS}
    for content, style in frame.PAIRS:
        for preset in OBJECTIVES:
            of = {name: finished[content, style, preset, name] for name in OPTIMIZERS}
            courses = [course(of[name]) for name in OURS]
            for name, run in of.items():
                losses = [run.summary[key] for key in goals.values()]
                after: list[float] = []
                if name in OTHERS:
                    after = [_spent_until(loss, *each) for loss in losses for each in courses]
                    shares[name].append([each / len(run.metrics["evaluation"]) for each in after])
                shown = ["not reached" if np.isinf(each) else f"{each:.0f}" for each in after] or [
                    ""
                ] * 4
                rows.append(
                    [
                        f"{content}, {style}",
                        preset,
                        name,
                        *(f"{loss:.4g}" for loss in losses),
                        *shown,
                    ]
                )
    for name, found in shares.items():
        for label, of_all in (("least", np.min), ("median", np.median), ("most", np.max)):
            shown = [f"{value:.2f}" for value in of_all(found, axis=0)]
            rows.append([f"{label} share of its evaluations", "", name, "", "", *shown])
    files.write_text(folder / "table.md", tables.markdown(rows))


def _spent_until(loss: float, spent: np.ndarray, totals: np.ndarray) -> float:
    reached = np.flatnonzero(totals <= loss)
    return float(spent[reached[0]]) if len(reached) else np.inf


EXPERIMENT = frame.Experiment(
    "optimizers",
    "Ours: the best total loss so far over evaluations: SciPy's L-BFGS with a history of 10,"
    " Torch's without a line search and a history of 100, ours with a step length for each band of"
    " frequencies and each place, damped; ours also after 60 evaluations at a quarter and 60 at"
    " half of the sides, which count by their pixels. table.md says how soon ours have the loss of"
    " the others' last pictures. Ours keep pixels in 0-255; the others do not, and are clipped"
    " after.",
    ("init=content", "image.size_px=192", "image.side=long", "optimizer.max_evaluations=500"),
    cells,
    "image.size_px=256 hydra/launcher=joblib_local hydra.launcher.n_jobs=2",
    minutes=90,
    quick="image.size_px=96 optimizer.max_evaluations=30",
    quick_minutes=4,
    draw=draw,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
