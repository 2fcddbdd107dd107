"""Two readings of α/β, eq. (1) as printed and over its NM: ours.

python experiments/printed_ratio.py

CVPR figure 4 has the same four ratios; only one of the two rows can be it."""

from stn import config
from stn.experiment import frame

READINGS = {
    "as run": (
        "objective.content_reduction=mean",
        "objective.style_reduction=mean",
        "objective.gram_divisor=m",
    ),
    "as printed": ("objective=gatys_printed",),
}


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(
            (reading, f"1e{exponent}"),
            (
                *forms,
                "objective.content_weight=1e6",
                f"objective.style_weight={1e6 * 10**-exponent:g}",
            ),
            f"$10^{{{exponent}}}$",
            reading,
        )
        for reading, forms in READINGS.items()
        for exponent in (-4, -3, -2, -1)  # α/β
    ]


EXPERIMENT = frame.Experiment(
    "printed_ratio",
    "Ours: α/β from 1e-4 to 1e-1. Upper row: with the means that the authors' programs take. Lower"
    " row: with the sum that eq. (1) has in print, which weighs the content 2NM times as much and"
    " gives the photograph at every ratio.",
    ("preset=gatys2016", "network=vgg19_q8", "style=composition_vii"),
    cells,
    "image.size_px=384 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=150",
    minutes=20,
    quick_minutes=3,
    columns=4,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
