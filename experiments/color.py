"""Whose colors: figure 3 of Gatys et al. 2017, four cells. python experiments/color.py"""

from matplotlib.figure import Figure

from stn import config, runs
from stn.experiment import frame
from stn.study import figures

COLORS = {
    "none": "plain",
    "match": "painting recolored",
    "luminance": "luminance only",
    "swap": "chroma put back",
}


def cells(base: config.Config) -> list[frame.Cell]:
    return [frame.Cell(name, (f"color={name}",)) for name in COLORS]


def draw(finished: dict[str, runs.Run]) -> Figure:
    plain = finished["none"]
    drawn = [
        figures.Panel(plain.picture("content"), "content"),
        figures.Panel(plain.picture("style"), "style"),
    ]
    drawn += [figures.Panel(run.rgb, COLORS[name]) for name, run in finished.items()]
    return figures.panels([drawn[:3], drawn[3:]])


EXPERIMENT = frame.Experiment(
    "color",
    "Gatys et al. 2016 (arXiv:1606.05897), figure 1, and 2017, figure 3: a transfer with the"
    " painting's colors; with the painting recolored to the photograph beforehand; of luminance"
    " alone; and, as neural-style does it, with the photograph's chroma put back afterwards. From"
    " the photograph. The pictures are not the papers'.",
    ("preset=gatys2017_color", "network=vgg19_q8"),
    cells,
    draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
