"""Style layers against content: figure 3 of Gatys et al. 2015, twenty cells. python
experiments/tradeoff.py

Rows: style from growing subsets of layers. Columns: α/β. The painting is Composition VII.
"""

from matplotlib.figure import Figure

from stn import config, runs
from stn.experiment import frame
from stn.study import figures

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
EXPONENTS = (-5, -4, -3, -2)  # α/β = 1e-5 … 1e-2


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(
            f"to_conv{count}_1-1e{exponent}",
            (
                f"objective.style_layers=[{','.join(LAYERS[:count])}]",
                f"objective.style_weight={base.objective.content_weight * 10**-exponent:g}",
            ),
        )
        for count in range(1, 6)
        for exponent in EXPONENTS
    ]


def draw(finished: dict[str, runs.Run]) -> Figure:
    pictures = iter(finished.values())
    return figures.panels(
        [
            [
                figures.Panel(
                    next(pictures).rgb,
                    title=f"$10^{{{exponent}}}$" if count == 1 else "",
                    label=f"conv{count}_1" if exponent == EXPONENTS[0] else "",
                )
                for exponent in EXPONENTS
            ]
            for count in range(1, 6)
        ]
    )


EXPERIMENT = frame.Experiment(
    "tradeoff",
    "Gatys et al. 2015 (arXiv:1508.06576), figure 3: with more layers (rows) the style is matched"
    " on larger scales; with larger α/β (columns, 1e-5 to 1e-2) the photograph comes through.",
    ("preset=gatys2015", "network=vgg19_q8", "style=composition_vii"),
    cells,
    draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
