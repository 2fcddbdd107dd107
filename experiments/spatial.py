"""Sky to sky and ground to ground: figure 2 of Gatys et al. 2017. python experiments/spatial.py"""

from __future__ import annotations

from stn import assets, config, images
from stn.analysis import figures
from stn.errors import InputError
from stn.experiment import frame

OTHER = "asset:the_scream.jpg"
SKY = "polygon:0 .02 .94 .02 .94 .24 .8 .25 .6 .28 .48 .29 .1 .28 0 .29"  # drawn by hand
GROUND = "polygon:0 .29 .1 .28 .48 .29 .6 .28 .8 .25 .94 .24 .94 1 0 1"
# SpatialControl.ipynb, the cells of two paintings.
TWO = ("guidance.propagation=simple", "guidance.margin=0")


def cells(base: config.Config) -> list[frame.Cell]:
    if len(base.more_styles) != 1 or None in (base.style.result_mask, base.more_styles[0].mask):
        raise InputError("spatial: takes a preset of two guided parts, such as gatys2017_guided")
    (ground,) = base.more_styles
    plain = ("style.mask=null", "style.result_mask=null", "more_styles=[]")
    other_ground = (
        f"more_styles=[{{path: '{OTHER}', mask: '{GROUND}', result_mask: '{ground.result_mask}'}}]"
    )
    other_sky = (
        *(f"style.mask='{ground.mask}'", f"style.result_mask='{ground.result_mask}'"),
        (
            f"more_styles=[{{path: '{OTHER}', mask: '{SKY}', result_mask:"
            f" '{base.style.result_mask}'}}]"
        ),
    )
    return [
        frame.Cell(("plain",), plain),
        frame.Cell(("one",), ()),
        frame.Cell(("other_ground",), (*TWO, other_ground)),
        frame.Cell(("other_sky",), (*TWO, *other_sky)),
    ]


def draw(finished: frame.Finished) -> figures.Figure:
    plain, one, other_ground, other_sky = finished.values()
    upper = {
        "content": plain.picture("content"),
        "I": plain.picture("style"),
        "II": images.read(assets.locate_image(OTHER)),
        "I, no masks": plain.rgb,
    }
    lower = {
        "I by masks": one.rgb,
        "sky I, ground II": other_ground.rgb,
        "sky II, ground I": other_sky.rgb,
    }
    return figures.panels(
        [[figures.Panel(rgb, title) for title, rgb in row.items()] for row in (upper, lower)]
    )


EXPERIMENT = frame.Experiment(
    "spatial",
    "Gatys et al. 2017, figure 2: The Starry Night (I) without masks; its sky onto the sky and its"
    " ground onto the ground; and each with the other part from The Scream (II). Guided Gram"
    " matrices, from the photograph; pictures and masks are ours.",
    ("preset=gatys2017_guided", "network=vgg19_q8"),
    cells,
    "image.size_px=384 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=100",
    minutes=5,
    quick_minutes=1,
    draw=draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
