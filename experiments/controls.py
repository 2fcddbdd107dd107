"""Four controls, as README shows them: ours, all of them cells of other experiments too.

python experiments/controls.py"""

from stn import config
from stn.experiment import frame

OTHER = "asset:the_scream.jpg"


def cells(base: config.Config) -> list[frame.Cell]:
    blended = (
        *("preset=gatys_released", "style=starry_night", "style.weight=0.5"),
        f"more_styles=[{{path: '{OTHER}', weight: 0.5}}]",
    )
    larger = ("preset=gatys2017_scale", "mix.fine=null", "color=none", "style.scale=2")
    return [
        frame.Cell(("color",), ("preset=gatys2017_color",), "the photograph's colors"),
        frame.Cell(("scale",), larger, "strokes twice as large"),
        frame.Cell(("styles",), blended, "half The Scream"),
        frame.Cell(("space",), ("preset=gatys2017_guided",), "sky to sky"),
    ]


EXPERIMENT = frame.Experiment(
    "controls",
    "Ours: Neckarfront and The Starry Night, with the painting recolored to the photograph; at"
    " twice its size; blended with The Scream; and its sky painted onto the sky, its ground onto"
    " the ground. From the photograph.",
    ("network=vgg19_q8",),
    cells,
    "image.size_px=384 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=100",
    minutes=5,
    quick_minutes=1,
    columns=4,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
