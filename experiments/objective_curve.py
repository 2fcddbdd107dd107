"""The objective over L-BFGS: figure 5 of Johnson et al. 2016, nine cells. python
experiments/objective_curve.py

Three sizes, image.size_px being the largest, and three pairs: the median and, shaded, the least and
the most of them."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from stn import config, runs
from stn.experiment import frame
from stn.study import figures

FRACTIONS = (4, 2, 1)  # of the largest size


def cells(base: config.Config) -> list[frame.Cell]:
    largest = base.image.size_px or 1024
    return [
        frame.Cell(
            f"{content}-{style}-{largest // fraction}",
            (f"content={content}", f"style={style}", f"image.size_px={largest // fraction}"),
        )
        for fraction in FRACTIONS
        for content, style in frame.PAIRS
    ]


def draw(finished: dict[str, runs.Run]) -> Figure:
    found = list(finished.values())
    with matplotlib.rc_context(figures.STYLE):
        figure, axis = figures.subplots(figsize=(figures.TEXT_WIDTH / 2, 2.6))
        for i in range(0, len(found), len(frame.PAIRS)):
            group = found[i : i + len(frame.PAIRS)]
            best = [run.metrics["loss/total"][runs.best_so_far(run.metrics)] for run in group]
            values = np.array([line[: min(map(len, best))] for line in best])
            line = axis.plot(
                np.median(values, axis=0), label=f"{group[0].settings['image']['size_px']} px"
            )[0]
            axis.fill_between(
                range(values.shape[1]),
                values.min(axis=0),
                values.max(axis=0),
                alpha=0.2,
                color=line.get_color(),
            )
        axis.set(xlabel="L-BFGS evaluations", ylabel="objective, best so far", yscale="log")
        axis.legend()
    return figure


EXPERIMENT = frame.Experiment(
    "objective_curve",
    "Johnson et al. 2016, figure 5: the objective against the work of L-BFGS at three sizes (256,"
    " 512 and 1024 px in the paper), here over three pairs of pictures and in evaluations.",
    ("preset=johnson2016", "image.size_px=1024"),
    cells,
    draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
