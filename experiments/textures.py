"""Textures of more and more layers: figure 2 of Gatys et al. 2015 (NIPS).

python experiments/textures.py"""

from stn import config
from stn.experiment import frame

PAINTINGS = ("starry_night", "composition_vii", "shipwreck")
LAYERS = ("relu1_1", "pool1", "pool2", "pool3", "pool4")


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(
            (painting, f"to_{LAYERS[count - 1]}"),
            (f"style={painting}", f"objective.style_layers=[{','.join(LAYERS[:count])}]"),
            "+ " * (count > 1) + LAYERS[count - 1],
            painting.replace("_", " "),
            before=("style",) if count == 1 else (),
        )
        for painting in PAINTINGS
        for count in range(1, len(LAYERS) + 1)
    ]


EXPERIMENT = frame.Experiment(
    "textures",
    "Gatys, Ecker and Bethge 2015 (NIPS), figure 2: textures of three paintings with the Gram"
    " matrices of growing sets of layers. From noise, no content. The paper takes every layer up to"
    " each pooling; these are the five of its figure 3.",
    ("preset=gatys2015_texture", "network=vgg19_q8"),
    cells,
    "image.size_px=256 image.side=long optimizer.max_evaluations=500",
    minutes=20,
    quick_minutes=3,
    columns=6,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
