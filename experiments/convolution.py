"""Winograd's algorithm against the direct sum over a whole run: ours.

python experiments/convolution.py"""

from stn import config
from stn.experiment import frame


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(("winograd",), ("network.convolution=winograd",), "Winograd's algorithm"),
        frame.Cell(("direct",), ("network.convolution=direct",), "direct sum"),
    ]


EXPERIMENT = frame.Experiment(
    "convolution",
    "Ours: the same run with convolutions by Winograd's algorithm and by the direct sum. losses.png"
    " has both loss curves.",
    ("preset=gatys2016", "network=vgg19_q8", "style=starry_night", "init=content"),
    cells,
    "image.size_px=384 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=150",
    minutes=5,
    quick_minutes=1,
    columns=2,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
