"""Average against max pooling: section 2 of Gatys et al. 2016, two cells. python
experiments/pooling.py
"""

from matplotlib.figure import Figure

from stn import config, runs
from stn.experiment import frame
from stn.study import figures


def cells(base: config.Config) -> list[frame.Cell]:
    return [frame.Cell(pooling, (f"network.pooling={pooling}",)) for pooling in ("avg", "max")]


def draw(finished: dict[str, runs.Run]) -> Figure:
    average, maximum = finished.values()
    content = figures.Panel(average.picture("content"), "content", inset=average.picture("style"))
    return figures.panels(
        [
            [
                content,
                figures.Panel(average.rgb, "average pooling"),
                figures.Panel(maximum.rgb, "max pooling"),
            ]
        ]
    )


EXPERIMENT = frame.Experiment(
    "pooling",
    "Gatys et al. 2016, section 2: the authors found average pooling slightly more appealing than"
    " max pooling. From the photograph, α/β = 1e-3.",
    ("preset=gatys2016", "network=vgg19_q8", "init=content", "style=starry_night"),
    cells,
    draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
