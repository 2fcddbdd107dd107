"""Two readings of α/β, eq. (1) as printed and over its NM: ours, eight cells. python
experiments/printed_ratio.py

CVPR figure 4 has the same four ratios; only one of the two rows can be it.
"""

from matplotlib.figure import Figure

from stn import config, runs
from stn.experiment import frame
from stn.study import figures

EXPONENTS = (-4, -3, -2, -1)  # α/β = 1e-4 … 1e-1
AS_RUN = (
    "objective.content_reduction=mean",
    "objective.style_reduction=mean",
    "objective.gram_divisor=m",
)
READINGS = {
    "as_run": (AS_RUN, "as run"),
    "printed": (("objective=gatys_printed",), "as printed"),
}


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(
            f"{reading}-1e{exponent}",
            (
                *forms,
                "objective.content_weight=1e6",
                f"objective.style_weight={1e6 * 10**-exponent:g}",
            ),
        )
        for reading, (forms, _) in READINGS.items()
        for exponent in EXPONENTS
    ]


def draw(finished: dict[str, runs.Run]) -> Figure:
    return figures.panels(
        [
            [
                figures.Panel(
                    finished[f"{reading}-1e{exponent}"].rgb,
                    title=f"$10^{{{exponent}}}$" if reading == "as_run" else "",
                    label=label if exponent == EXPONENTS[0] else "",
                )
                for exponent in EXPONENTS
            ]
            for reading, (_, label) in READINGS.items()
        ]
    )


EXPERIMENT = frame.Experiment(
    "printed_ratio",
    "Ours: α/β from 1e-4 to 1e-1 with the means that the authors' programs took (upper row), and"
    " with the sum that eq. (1) has in print (lower row), which weighs the content 2NM as much: the"
    " photograph at every ratio.",
    ("preset=gatys2016", "network=vgg19_q8", "style=composition_vii"),
    cells,
    draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
