"""Content against style: figure 4 of Gatys et al. 2016, four cells. python experiments/ratio.py"""

from matplotlib.figure import Figure

from stn import config, runs
from stn.experiment import frame
from stn.study import figures

EXPONENTS = (-4, -3, -2, -1)  # α/β = 1e-4 … 1e-1


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(
            f"1e{exponent}",
            (f"objective.style_weight={base.objective.content_weight * 10**-exponent:g}",),
        )
        for exponent in EXPONENTS
    ]


def draw(finished: dict[str, runs.Run]) -> Figure:
    drawn = [
        figures.Panel(run.rgb, f"$10^{{{exponent}}}$")
        for exponent, run in zip(EXPONENTS, finished.values(), strict=True)
    ]
    return figures.panels([drawn[:2], drawn[2:]])


EXPERIMENT = frame.Experiment(
    "ratio",
    "Gatys et al. 2016, figure 4: α/β from 1e-4 to 1e-1; the more weight on the content, the more"
    " of the photograph.",
    ("preset=gatys2016", "network=vgg19_q8", "style=composition_vii"),
    cells,
    draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
