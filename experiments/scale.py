"""Larger strokes, two scales mixed: figure 4 of Gatys et al. 2017. python experiments/scale.py"""

from __future__ import annotations

from stn import assets, config, images, runs
from stn.analysis import figures
from stn.errors import InputError
from stn.experiment import frame

SCALES = (0.5, 1, 2)


def cells(base: config.Config) -> list[frame.Cell]:
    if base.mix.fine is None:
        raise InputError(
            "scale: takes a preset that mixes two paintings, such as gatys2017_scale, or"
            " mix.fine=FILE"
        )
    fine = base.mix.layers
    coarse = [layer.layer for layer in base.objective.style_layers if layer.layer not in fine]
    naive = (
        *("mix.fine=null", f"style.layers=[{','.join(coarse)}]"),
        f"more_styles=[{{path: '{base.mix.fine}', layers: [{','.join(fine)}]}}]",
    )
    return [
        *(
            frame.Cell(
                ("x", scale),
                ("mix.fine=null", "color=none", f"style.scale={scale}"),
            )
            for scale in SCALES
        ),
        frame.Cell(("mixed",), (f"mix.max_evaluations={base.optimizer.max_evaluations}",)),
        frame.Cell(("naive",), naive),
    ]


def draw(finished: frame.Finished) -> figures.Figure:
    *strokes, mixed, naive = finished.values()
    painting = mixed.picture("style")
    fine = images.read(assets.locate_image(mixed.settings["mix"]["fine"]))
    upper = [
        figures.Panel(
            run.rgb, f"painting × {scale:g}", inset=painting if scale == SCALES[0] else None
        )
        for scale, run in zip(SCALES, strokes, strict=True)
    ]
    made = runs.Run(mixed.path / runs.MIXED).rgb
    lower = [
        figures.Panel(made, "coarse of one, fine of another", inset=fine),
        figures.Panel(mixed.rgb, "that, transferred"),
        figures.Panel(naive.rgb, "a painting for each layer"),
    ]
    return figures.panels([upper, lower])


EXPERIMENT = frame.Experiment(
    "scale",
    "Upper row, ours: The Starry Night at half, its own and twice the size of the photograph; the"
    " strokes grow with it. Lower row, Gatys et al. 2017, figure 4. First a painting made of the"
    " coarse scale of The Starry Night and the fine one of The Scream (inset), then the photograph"
    " in its style. Last the naive way: The Scream's statistics at the lower layers and The Starry"
    " Night's at the upper ones. Lower row with the photograph's colors.",
    ("preset=gatys2017_scale", "network=vgg19_q8"),
    cells,
    "image.size_px=384 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=100",
    minutes=5,
    quick_minutes=2,
    draw=draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
