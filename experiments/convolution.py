"""Winograd's algorithm against the direct sum over a whole run: ours, two cells. python
experiments/convolution.py
"""

from matplotlib.figure import Figure

from stn import config, runs
from stn.experiment import frame
from stn.study import figures


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(method, (f"network.convolution={method}",)) for method in ("winograd", "direct")
    ]


def draw(finished: dict[str, runs.Run]) -> Figure:
    winograd, direct = finished.values()
    content = figures.Panel(direct.picture("content"), "content", inset=direct.picture("style"))
    return figures.panels(
        [[content, figures.Panel(winograd.rgb, "Winograd"), figures.Panel(direct.rgb, "direct")]]
    )


EXPERIMENT = frame.Experiment(
    "convolution",
    "Ours: the same run with convolutions by Winograd's algorithm and by the direct sum; losses.png"
    " has both loss curves.",
    ("preset=gatys2016", "network=vgg19_q8", "style=starry_night", "optimizer.max_evaluations=300"),
    cells,
    draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
