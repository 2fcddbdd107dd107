"""Content against style: figure 4 of Gatys et al. 2016. python experiments/ratio.py"""

from stn import config
from stn.experiment import frame


def cells(base: config.Config) -> list[frame.Cell]:
    content_weight = base.objective.content_weight
    return [
        frame.Cell(
            (f"1e{exponent}",),
            (f"objective.style_weight={content_weight * 10**-exponent:g}",),
            f"$10^{{{exponent}}}$",
        )
        for exponent in (-4, -3, -2, -1)  # α/β
    ]


EXPERIMENT = frame.Experiment(
    "ratio",
    "Gatys et al. 2016, figure 4: α/β from 1e-4 to 1e-1. The more weight the content has, the more"
    " of the photograph is seen.",
    ("preset=gatys2016", "network=vgg19_q8", "style=composition_vii"),
    cells,
    "image.size_px=384 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=150",
    minutes=10,
    quick_minutes=2,
    columns=2,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
