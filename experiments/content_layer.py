"""Which layer holds the content: figure 5 of Gatys et al. 2016, two cells. python
experiments/content_layer.py
"""

from matplotlib.figure import Figure

from stn import config, runs
from stn.experiment import frame
from stn.study import figures

LAYERS = ("2_2", "4_2")


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(f"conv{layer}", (f"objective.content_layers=[relu{layer}]",)) for layer in LAYERS
    ]


def draw(finished: dict[str, runs.Run]) -> Figure:
    low, high = finished.values()
    content = figures.Panel(low.picture("content"), "content", inset=low.picture("style"))
    return figures.panels(
        [[content, figures.Panel(low.rgb, "conv2_2"), figures.Panel(high.rgb, "conv4_2")]]
    )


EXPERIMENT = frame.Experiment(
    "content_layer",
    "Gatys et al. 2016, figure 5: content matched on conv2_2 keeps the photograph's detail under"
    " the painting's texture; on conv4_2 the two merge. α/β = 1e-3 in the paper, from the"
    " photograph. The painting is The Starry Night, not the paper's Jesuiten III.",
    ("preset=gatys2016", "network=vgg19_q8", "init=content", "style=starry_night"),
    cells,
    draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
