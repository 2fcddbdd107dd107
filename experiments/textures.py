"""Textures of more and more layers: figure 2 of Gatys et al. 2015 (NIPS).

python experiments/textures.py"""

from pathlib import Path

from stn import assets, config, files
from stn.experiment import frame
from stn.study import tables

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


def write(folder: Path, finished: frame.Finished) -> None:
    """parameters.md: how many numbers describe a texture."""
    from stn.network import network  # TensorFlow takes seconds to import

    chosen = next(iter(finished.values())).settings["network"]
    loaded = network.load(assets.locate_weights(chosen["name"], chosen["weights"]))
    rows = [["up to", "these layers", "with 64 components each", "every convolution and pooling"]]
    for k, layer in enumerate(LAYERS, start=1):
        names = loaded.layer_names[: loaded.layer_names.index(layer) + 1]
        every = [name for name in names if name.startswith(("relu", "pool"))]
        counts = (loaded.gram_parameters(LAYERS[:k], n) for n in (None, 64))
        numbers = (*counts, loaded.gram_parameters(every))
        rows.append([layer, *(f"{number:,}" for number in numbers)])
    files.write_text(folder / "parameters.md", tables.markdown(rows))


EXPERIMENT = frame.Experiment(
    "textures",
    "Gatys, Ecker and Bethge 2015 (NIPS), figure 2: textures of three paintings with the Gram"
    " matrices of growing sets of layers, which hold 2,080, 4,160, 12,416, 45,312 and 176,640"
    " numbers (parameters.md). From noise, no content. The paper's figure takes every layer up to"
    " each pooling; these are its figure 3's, without the reduction by principal components.",
    ("preset=gatys2015_texture", "network=vgg19_q8"),
    cells,
    "image.size_px=384 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=100",
    minutes=15,
    quick_minutes=3,
    columns=6,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
