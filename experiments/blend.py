"""Two paintings in five shares: ours. python experiments/blend.py"""

from stn import config
from stn.experiment import frame

OTHER = "asset:the_scream.jpg"


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(
            (f"{share * 100:g} %",),
            (
                f"style.weight={1 - share:g}",
                f"more_styles=[{{path: '{OTHER}', weight: {share:g}}}]",
            ),
        )
        for share in (0, 0.25, 0.5, 0.75, 1)
    ]


EXPERIMENT = frame.Experiment(
    "blend",
    "Ours: the Gram matrices of The Starry Night and of The Scream blended. The number is the share"
    " of The Scream. From the photograph.",
    ("preset=gatys_released", "network=vgg19_q8", "style=starry_night"),
    cells,
    "image.size_px=384 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=100",
    minutes=7,
    quick_minutes=1,
    columns=5,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
