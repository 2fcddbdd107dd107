"""What a layer keeps: figure 1 of Gatys et al. 2015 and 2016. python experiments/reconstructions.py

Upper row: the photograph from one layer's features. Lower row: the painting from Gram matrices. On
`preset=johnson2016 network=vgg16` these are figures 3 and 4 of Johnson et al. 2016."""

from stn import config
from stn.experiment import frame

BLOCKS = range(1, 6)
# For each network the layer of each picture in the upper row, and the layers of each in the lower.
LAYERS = {
    "vgg19": (
        [f"relu{block}_2" for block in BLOCKS],
        [[f"relu{block}_1" for block in BLOCKS[:count]] for count in BLOCKS],  # growing subsets
    ),
    "vgg16": (
        ["relu2_2", "relu3_3", "relu4_3", "relu5_1", "relu5_3"],
        [[layer] for layer in ("relu1_2", "relu2_2", "relu3_3", "relu4_3")],  # one at a time
    ),
}

# How each row is painted unless an optimizer is typed. SciPy's, as the papers': from noise
# spectral_lbfgs leaves dark patches with the lowest layers (docs/science/optimizer.md, "From
# noise"). Of higher layers' features SciPy's leaves more colored grain after as long.
UPPER = ("optimizer=spectral_lbfgs", "optimizer.max_evaluations=150")
LOWER = ("optimizer=lbfgs", "optimizer.max_evaluations=250")


def cells(base: config.Config) -> list[frame.Cell]:
    content, style = LAYERS["vgg16" if base.network.name.startswith("vgg16") else "vgg19"]
    upper = [
        frame.Cell(
            ("content", layer),
            ("objective.style_layers=[]", f"objective.content_layers=[{layer}]"),
            label="content",
            before=("content",) if layer == content[0] else (),
            usual=UPPER,
        )
        for layer in content
    ]
    lower = [
        frame.Cell(
            ("style", "to" if len(layers) > 1 else "of", layers[-1]),
            ("objective.content_layers=[]", f"objective.style_layers=[{','.join(layers)}]"),
            "+ " * (len(layers) > 1) + layers[-1],
            label="style",
            before=("style",) if layers == style[0] else (),
            usual=LOWER,
        )
        for layers in style
    ]
    return upper + lower


EXPERIMENT = frame.Experiment(
    "reconstructions",
    "Gatys et al. 2015 and 2016, figure 1; on VGG-16 Johnson et al. 2016, figures 3 and 4."
    " Reconstructed from higher layers the photograph loses its pixels and keeps its content; with"
    " more and higher layers the painting's texture is matched on larger scales. From noise, one"
    " term only.",
    ("preset=gatys2016", "network=vgg19_q8", "style=starry_night"),
    cells,
    "image.size_px=384 image.side=long",
    minutes=12,
    quick_minutes=2,
    columns=6,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
