"""Gatys' layers against Johnson's: ours, six cells. python experiments/gatys_vs_johnson.py

Three pairs of pictures; network, loss, weights, first image and budget are the same, the layers differ.
"""

from pathlib import Path

import matplotlib.pyplot as plt

from stn import config, experiments, figures, files, runs

LAYERS = {"gatys": "Gatys' layers", "johnson": "Johnson's layers"}
MEASURES = ("content", "style", "ssim_to_content", "histogram_to_content", "histogram_to_style")


def cells(base: config.Config) -> list[experiments.Cell]:
    return [
        experiments.Cell(f"{content}-{style}-{layers}", (f"content={content}", f"style={style}", f"layers={layers}"))
        for content, style in experiments.PAIRS
        for layers in LAYERS
    ]


def draw(finished: dict[str, runs.Run]) -> plt.Figure:
    found = iter(finished.values())
    rows = []
    for row in range(len(experiments.PAIRS)):
        titles = ("content", "style", *LAYERS.values()) if row == 0 else ("",) * 4
        gatys, johnson = next(found), next(found)
        pictures = (gatys.picture("content"), gatys.picture("style"), gatys.rgb, johnson.rgb)
        rows.append([figures.Panel(rgb, title) for rgb, title in zip(pictures, titles, strict=True)])
    return figures.panels(rows)


def write(folder: Path, finished: dict[str, runs.Run]) -> None:
    lines = [f"| cell | {' | '.join(MEASURES)} |", f"|---|{'---|' * len(MEASURES)}"]
    for name, run in finished.items():
        values = (run.summary.get(f"measures/{measure}", float("nan")) for measure in MEASURES)
        lines.append(f"| {name} | {' | '.join(f'{value:.4g}' for value in values)} |")
    files.write_text(folder / "table.md", "\n".join(lines) + "\n")


EXPERIMENT = experiments.Experiment(
    "gatys_vs_johnson",
    "Ours: the layers of Gatys et al. 2016 against those of Johnson et al. 2016 under the same loss (Gatys'), network, "
    "weights and budget; table.md measures both on one yardstick (docs/measures.md).",
    ("preset=gatys2016", "network=vgg19_q8", "init=content"),
    cells,
    draw,
    write,
)

if __name__ == "__main__":
    experiments.main(EXPERIMENT)
