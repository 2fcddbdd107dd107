"""Whose colors: figure 3 of Gatys et al. 2017. python experiments/color.py"""

from stn import config
from stn.experiment import frame

COLORS = {
    "none": "the painting's colors",
    "match": "painting recolored",
    "luminance": "luminance only",
    "swap": "chroma put back",
}


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(
            (name,),
            (f"color={name}",),
            title,
            before=("content", "style") if name == "none" else (),
        )
        for name, title in COLORS.items()
    ]


EXPERIMENT = frame.Experiment(
    "color",
    "Gatys et al. 2016 (arXiv:1606.05897), figure 1, and 2017, figure 3. First the"
    " transfer with the painting's colors, then with the painting recolored to the photograph"
    " beforehand. Then the transfer of luminance alone. Last, as neural-style does it, the"
    " photograph's chroma is put back afterwards. From the photograph. The pictures are not the"
    " papers'.",
    ("preset=gatys2017_color", "network=vgg19_q8"),
    cells,
    "image.size_px=384 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=100",
    minutes=5,
    quick_minutes=1,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
