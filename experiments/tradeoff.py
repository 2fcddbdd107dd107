"""Style layers against content: figure 3 of Gatys et al. 2015. python experiments/tradeoff.py

Rows: style from growing subsets of layers. Columns: α/β. The painting is Composition VII."""

from stn import config
from stn.experiment import frame
from stn.layers import GATYS


def cells(base: config.Config) -> list[frame.Cell]:
    content_weight = base.objective.content_weight
    return [
        frame.Cell(
            (f"to_conv{count}_1", f"1e{exponent}"),
            (
                f"objective.style_layers=[{','.join(GATYS[:count])}]",
                f"objective.style_weight={content_weight * 10**-exponent:g}",
            ),
            f"$10^{{{exponent}}}$",
            f"conv{count}_1",
        )
        for count in range(1, 6)
        for exponent in (-5, -4, -3, -2)  # α/β
    ]


EXPERIMENT = frame.Experiment(
    "tradeoff",
    "Gatys et al. 2015 (arXiv:1508.06576), figure 3: with more layers (rows) the style is matched"
    " on larger scales; with larger α/β (columns, 1e-5 to 1e-2) the photograph comes through.",
    ("preset=gatys2015", "network=vgg19_q8", "style=composition_vii"),
    cells,
    "image.size_px=256 image.side=long optimizer=lbfgs optimizer.max_evaluations=300",
    minutes=21,
    quick_minutes=4,
    columns=4,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
