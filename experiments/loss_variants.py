"""What is compared of the painting: ours. python experiments/loss_variants.py

The forms are those of docs/reference/losses.md; the style weights are ours, for
about the same content measure."""

from pathlib import Path

from stn import config, files
from stn.analysis import tables
from stn.experiment import frame

# Name: style weight, which was found at 96 px and 40 evaluations, and what else is set.
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
        frame.Cell(
            (name,),
            (f"objective.style_weight={weight:g}", *form),
            before=("style",) if name == "gram" else (),
        )
        for name, (weight, form) in VARIANTS.items()
    ]


def write(folder: Path, finished: frame.Finished) -> None:
    rows = [["variant", *MEASURES]]
    for (name,), run in finished.items():
        values = (run.summary.get(f"measures/{measure}", float("nan")) for measure in MEASURES)
        rows.append([str(name), *(f"{value:.4g}" for value in values)])
    files.write_text(folder / "table.md", tables.markdown(rows))


EXPERIMENT = frame.Experiment(
    "loss_variants",
    "Ours: the Gram matrix, and the covariance. Of Novak and Nikulin 2016: the Gram matrix of"
    " features minus one, and that between neighboring layers. Of Li et al. 2017: the kernel"
    " (xᵀy + 1)², means and deviations, means alone and a Gaussian kernel. Style weights are such"
    " that the content measure is about the same (table.md). From the photograph.",
    ("preset=gatys2016", "network=vgg19_q8", "init=content", "style=starry_night"),
    cells,
    "image.size_px=384 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=100",
    minutes=10,
    quick_minutes=2,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
