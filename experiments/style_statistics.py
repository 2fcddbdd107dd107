"""Every style statistic at equal content: ours. python experiments/style_statistics.py

For each the style weight is sought at which the picture has the same feature distance to the
photograph. So the measures of style say what a statistic gives for what it takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stn import config, files
from stn.experiment import ablations, frame
from stn.study import tables

# The style weight from which the search of each begins, about what it found for the first pair.
# Wasserstein's distance is there once, with the roots that its program takes.
WEIGHTS = {
    "gram": 4.4,
    "covariance": 15,
    "polynomial": 4.6,
    "wasserstein2_newton": 5,
    "mean": 0.13,
    "mean_std": 18,
    "gaussian": 9.5e6,
    "chain": 1.6e-4,
    "sliced_wasserstein": 17,
    "histogram": 12,
}
# Feature distance: the photograph has 0, and another picture about 1.
CONTENT = 0.6
MEASURES = (*ablations.STYLE, *ablations.CONTENT[1:])


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(
            (name, content),
            (
                f"content={content}",
                f"style={style}",
                f"objective.style_statistic={name}",
                f"objective.style_weight={WEIGHTS[name]:g}",
            ),
            name.replace("_", " "),
            label=content.replace("_", " "),
            before=("content", "style") if name == "gram" else (),
        )
        for content, style in frame.PAIRS
        for name in WEIGHTS
    ]


def write(folder: Path, finished: frame.Finished) -> None:
    """table.md: the median of each measure over the pairs, and seconds a picture."""
    rows = [["statistic", *(measure.label for measure in MEASURES), "seconds"]]
    for name in dict.fromkeys(str(statistic) for statistic, _ in finished):
        of_pairs = [run for (statistic, _), run in finished.items() if statistic == name]
        medians = [float(np.median([measure.of(run) for run in of_pairs])) for measure in MEASURES]
        seconds = float(np.median([run.summary["seconds"] for run in of_pairs]))
        rows.append([name, *(f"{value:.3g}" for value in medians), f"{seconds:.0f}"])
    files.write_text(folder / "table.md", tables.markdown(rows))


EXPERIMENT = frame.Experiment(
    "style_statistics",
    "Ours: ten statistics of objective.style_statistic on three pairs, at the same feature"
    f" distance to the photograph, {CONTENT}. The layers are Gatys', and each counts by its own"
    " loss. From the photograph. table.md has the measures.",
    (
        *("preset=gatys_released", "network=vgg19_q8", "init=content"),
        *("match.measure=features", f"match.value={CONTENT}"),
    ),
    cells,
    "image.size_px=64 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=30",
    minutes=25,
    quick_minutes=30,
    columns=7,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
