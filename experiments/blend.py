"""Two paintings in five shares: ours, five cells. python experiments/blend.py"""

from matplotlib.figure import Figure

from stn import config, runs
from stn.experiment import frame
from stn.study import figures

OTHER = "asset:the_scream.jpg"
SHARES = (0, 0.25, 0.5, 0.75, 1)  # of the other painting


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(
            f"{share * 100:g}",
            (
                f"style.weight={1 - share:g}",
                f"more_styles=[{{path: '{OTHER}', weight: {share:g}}}]",
            ),
        )
        for share in SHARES
    ]


def draw(finished: dict[str, runs.Run]) -> Figure:
    return figures.panels([[figures.Panel(run.rgb, f"{name} %") for name, run in finished.items()]])


EXPERIMENT = frame.Experiment(
    "blend",
    "Ours: the Gram matrices of The Starry Night and of Der Schrei blended; the numbers are Der"
    " Schrei's share. From the photograph.",
    ("preset=gatys_released", "network=vgg19_q8", "style=starry_night"),
    cells,
    draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
