"""Average against max pooling: section 2 of Gatys et al. 2016. python experiments/pooling.py"""

from stn import config
from stn.experiment import frame


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(
            ("avg",), ("network.pooling=avg",), "average pooling", before=("content", "style")
        ),
        frame.Cell(("max",), ("network.pooling=max",), "max pooling"),
    ]


EXPERIMENT = frame.Experiment(
    "pooling",
    "Gatys et al. 2016, section 2: the authors found average pooling slightly more appealing than"
    " max pooling. From the photograph, α/β = 1e-3.",
    ("preset=gatys2016", "network=vgg19_q8", "init=content", "style=starry_night"),
    cells,
    "image.size_px=384 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=150",
    minutes=2,
    quick_minutes=1,
    columns=2,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
