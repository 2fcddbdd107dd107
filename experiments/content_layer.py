"""Which layer holds the content: figure 5 of Gatys et al. 2016.

python experiments/content_layer.py"""

from stn import config
from stn.experiment import frame


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(
            ("conv2_2",),
            ("objective.content_layers=[relu2_2]",),
            "content on conv2_2",
            before=("content", "style"),
        ),
        frame.Cell(("conv4_2",), ("objective.content_layers=[relu4_2]",), "content on conv4_2"),
    ]


EXPERIMENT = frame.Experiment(
    "content_layer",
    "Gatys et al. 2016, figure 5: content matched on conv2_2 keeps the photograph's detail under"
    " the painting's texture; on conv4_2 the two merge. α/β = 1e-3 in the paper, from the"
    " photograph. The painting is The Starry Night, not the paper's Jesuiten III.",
    ("preset=gatys2016", "network=vgg19_q8", "init=content", "style=starry_night"),
    cells,
    "optimizer=spectral_lbfgs optimizer.max_evaluations=400 objective.style_weight=1.6667e8",
    minutes=16,
    quick_minutes=1,
    columns=2,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
