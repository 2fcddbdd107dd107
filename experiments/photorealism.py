"""A photograph as the style: figure 7 of Gatys et al. 2016, and with a matting Laplacian.
python experiments/photorealism.py"""

from stn import config
from stn.experiment import frame

LAPLACIAN = 1e4  # Luan et al. 2017, as luan2017 has it


def cells(base: config.Config) -> list[frame.Cell]:
    # α/β = 1e-2 with the preset's weights, which give 1e-3; with others typed it moves alike.
    beta = f"objective.style_weight={base.objective.style_weight / 10:g}"
    return [
        frame.Cell(("night",), (beta,), "result", before=("style", "content")),
        frame.Cell(
            ("night, affine",), (beta, f"objective.matting_weight={LAPLACIAN:g}"), "with Laplacian"
        ),
    ]


EXPERIMENT = frame.Experiment(
    "photorealism",
    "Gatys et al. 2016, figure 7: the light of a photograph taken at night on one taken by day;"
    " from the content, α/β = 1e-2 in the paper. The photographs are not the paper's: a rocket on"
    " its pad (SpaceX, CC0) and Neckarfront in Tübingen (Andreas Praefcke, CC BY 3.0).",
    (
        *("preset=gatys2016", "network=vgg19_q8", "init=content"),
        *("content=tubingen", "style.path=skimage:rocket.jpg"),
    ),
    cells,
    "image.size_px=384 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=150"
    " objective.style_weight=1.6667e8",
    minutes=6,
    quick_minutes=2,
    columns=2,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
