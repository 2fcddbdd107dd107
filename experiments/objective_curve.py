"""The objective over L-BFGS: figure 5 of Johnson et al. 2016. python experiments/objective_curve.py

Three sizes, image.size_px being the largest, of the photographs that scikit-image, scikit-learn and
matplotlib ship. The trained network of the paper is not among the curves: it is out of scope."""

from __future__ import annotations

import numpy as np

from stn import config, runs
from stn.analysis import figures
from stn.experiment import frame

PHOTOGRAPHS = {
    "astronaut": "skimage:astronaut.png",
    "brick": "skimage:brick.png",
    "camera": "skimage:camera.png",
    "cat": "skimage:chelsea.png",
    "china": "sklearn:china.jpg",
    "coffee": "skimage:coffee.png",
    "coins": "skimage:coins.png",
    "flower": "sklearn:flower.jpg",
    "galaxies": "skimage:hubble_deep_field.jpg",
    "grass": "skimage:grass.png",
    "gravel": "skimage:gravel.png",
    "hopper": "matplotlib:grace_hopper.jpg",
    "moon": "skimage:moon.png",
    "motorcycle": "skimage:motorcycle_left.png",
    "retina": "skimage:retina.jpg",
    "rocket": "skimage:rocket.jpg",
}
FRACTIONS = (4, 2, 1)  # of the largest size
CURVE, CONTENT = "curve", "content"  # the run, and the photograph's own objective


def cells(base: config.Config) -> list[frame.Cell]:
    largest = base.image.size_px or 1024
    # Evaluation 0 of a run from the photograph is the objective of the photograph itself.
    kinds = {CURVE: (), CONTENT: ("init=content", "optimizer.max_evaluations=1")}
    return [
        frame.Cell(
            (kind, largest // fraction, name),
            (f"content.path='{path}'", f"image.size_px={largest // fraction}", *overrides),
        )
        for kind, overrides in kinds.items()
        for fraction in FRACTIONS
        for name, path in PHOTOGRAPHS.items()
    ]


def draw(finished: frame.Finished) -> figures.Figure:
    """A curve a size: the mean over the photographs, one standard deviation shaded; the
    photographs' own objective is dashed.
    """
    with figures.paper_style():
        figure, axis = figures.subplots(figsize=(figures.TEXT_WIDTH / 2, 3.2))
        for size in dict.fromkeys(size for _, size, _ in finished):
            best = [_best(finished[CURVE, size, name]) for name in PHOTOGRAPHS]
            values = np.array([totals[: min(map(len, best))] for totals in best])
            mean, deviation = values.mean(axis=0), values.std(axis=0, ddof=1)
            color = axis.plot(mean, label=f"{size} px", linewidth=1)[0].get_color()
            band = mean - deviation, mean + deviation
            axis.fill_between(range(len(mean)), *band, alpha=0.15, color=color, linewidth=0)
            own = [_best(finished[CONTENT, size, name])[0] for name in PHOTOGRAPHS]
            axis.axhline(float(np.mean(own)), color=color, linestyle="--", linewidth=0.8)
        axis.plot([], [], color="0.4", linestyle="--", linewidth=0.8, label="the photograph itself")
        axis.plot([], [], " ", label="(trained network: not computed)")
        axis.set_yscale("log", nonpositive="clip")
        axis.set(xlabel="L-BFGS evaluations", ylabel="objective, best so far")
        axis.legend()
    return figure


def _best(run: runs.Run) -> np.ndarray:
    return np.asarray(run.metrics["loss/total"][runs.best_so_far(run.metrics)])


EXPERIMENT = frame.Experiment(
    "objective_curve",
    "Johnson et al. 2016, figure 5: the objective against the work of L-BFGS at three sizes (256,"
    f" 512 and 1024 px in the paper). Mean of {len(PHOTOGRAPHS)} photographs with one standard"
    " deviation, where the paper has fifty; dashed the objective of the photograph itself. The"
    " paper's trained network is missing: feed-forward networks are out of scope.",
    ("preset=johnson2016", "image.size_px=1024"),
    cells,
    "image.size_px=384 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=150",
    minutes=40,
    quick="image.size_px=96 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=30",
    draw=draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
