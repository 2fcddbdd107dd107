"""What is compared of the painting: ours, eight cells. python experiments/loss_variants.py

The forms are those of docs/controls.md, "Other losses"; the style weights are ours, for about the
same content measure."""

from pathlib import Path

from matplotlib.figure import Figure

from stn import config, files, runs
from stn.experiment import frame
from stn.study import figures, tables

# Name: style weight, which was found at 96 px and 40 evaluations, and what is set beside it.
VARIANTS = {
    "gram": (1e8, ()),
    "shift": (4e7, ("objective.activation_shift=-1",)),
    "covariance": (7e7, ("objective.style_statistic=covariance",)),
    "polynomial": (1e8, ("objective.style_statistic=polynomial",)),
    "mean_std": (6e8, ("objective.style_statistic=mean_std",)),
    "mean": (1.7e7, ("objective.style_statistic=mean",)),
    "gaussian": (3.2e9, ("objective.style_statistic=gaussian",)),
    "chain": (1.5e8, ("objective.style_statistic=chain",)),
}
MEASURES = ("content", "style", "ssim_to_content", "histogram_to_style")


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(name, (f"objective.style_weight={weight:g}", *form))
        for name, (weight, form) in VARIANTS.items()
    ]


def draw(finished: dict[str, runs.Run]) -> Figure:
    drawn = [figures.Panel(run.rgb, name.replace("_", ", ")) for name, run in finished.items()]
    drawn[0] = figures.Panel(drawn[0].rgb, "gram", inset=finished["gram"].picture("style"))
    return figures.panels([drawn[:4], drawn[4:]])


def write(folder: Path, finished: dict[str, runs.Run]) -> None:
    rows = [["variant", *MEASURES]]
    for name, run in finished.items():
        values = (run.summary.get(f"measures/{measure}", float("nan")) for measure in MEASURES)
        rows.append([name, *(f"{value:.4g}" for value in values)])
    files.write_text(folder / "table.md", tables.markdown(rows))


EXPERIMENT = frame.Experiment(
    "loss_variants",
    "Ours: the Gram matrix; that of features minus one and that between neighboring layers (Novak"
    " and Nikulin 2016); the covariance; the kernel (xᵀy + 1)², means and deviations, means alone"
    " and a Gaussian kernel (Li et al. 2017). Style weights are such that the content measure is"
    " about the same (table.md). From the photograph.",
    ("preset=gatys2016", "network=vgg19_q8", "init=content", "style=starry_night"),
    cells,
    draw,
    write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
