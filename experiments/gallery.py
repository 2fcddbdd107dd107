"""Every preset with the same two pictures: ours, a cell a preset. python experiments/gallery.py

Each has its own network (VGG-16, or VGG-19 with 8 bits), losses, first image and optimizer, at one size; the budget is
its own too, which takes hours, unless `optimizer.max_evaluations=150` gives all the same. gallery.md has the commands.
"""

from pathlib import Path

import matplotlib.pyplot as plt

from stn import commands, config, experiments, figures, files, runs

COLUMNS = 4


def cells(base: config.Config) -> list[experiments.Cell]:
    found = []
    for name in sorted(path.stem for path in (config.CONFIG_DIR / "preset").glob("*.yaml")):
        network = config.compose(f"preset={name}").network.name
        exact = (f"preset={name}", f"network={'vgg16' if network == 'vgg16' else 'vgg19_q8'}", "style=starry_night")
        pictures = () if config.compose(f"preset={name}").content.path is None else ("content=tubingen",)
        # The one preset that makes a picture first.
        second = (f"mix.max_evaluations={base.optimizer.max_evaluations}",) if name == "gatys2017_scale" else ()
        found.append(experiments.Cell(name, (*exact, *pictures, *second)))
    return found


def draw(finished: dict[str, runs.Run]) -> plt.Figure:
    drawn = [figures.Panel(run.rgb, name) for name, run in finished.items()]
    return figures.panels([drawn[first : first + COLUMNS] for first in range(0, len(drawn), COLUMNS)])


def write(folder: Path, finished: dict[str, runs.Run]) -> None:
    """A table with the command of each picture, its evaluations and seconds, and how far it is from both pictures."""
    lines = [
        "| preset | evaluations | seconds | feature distance | Gram distance | command |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for name, run in finished.items():
        content, style = (run.summary.get(f"measures/{key}") for key in ("features", "gram"))
        distances = ["" if value is None else f"{value:.2f}" for value in (content, style)]
        numbers = [str(run.summary["evaluations"]), f"{run.summary['seconds']:.0f}", *distances]
        lines.append(f"| `{name}` | {' | '.join(numbers)} | `{commands.command(run.settings)}` |")
    files.write_text(folder / "gallery.md", "\n".join(lines) + "\n")


EXPERIMENT = experiments.Experiment(
    "gallery",
    "Ours: every preset on Neckarfront and The Starry Night, with its own network, losses, first image and optimizer. "
    "gallery.md has the command of each.",
    ("image.size_px=384",),
    cells,
    draw,
    write,
)

if __name__ == "__main__":
    experiments.main(EXPERIMENT)
