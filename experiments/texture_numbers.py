"""Textures of fewer and more numbers, and of random weights: figure 3 of Gatys 2015 (NIPS).

python experiments/texture_numbers.py"""

from pathlib import Path

from stn import assets, config, files
from stn.analysis import tables
from stn.experiment import frame
from stn.layers import VGG19

SOURCES = {"gravel": "skimage:gravel.png", "the shipwreck": "asset:shipwreck.jpg"}
FIVE = ("relu1_1", "pool1", "pool2", "pool3", "pool4")
EVERY = tuple(
    layer for layer in VGG19[: VGG19.index("pool4") + 1] if layer.startswith(("relu", "pool"))
)
# Title, layers, principal components of each, and weights. The paper names 64; 20 is inferred from
# its "~1k" numbers, of which it does not say how they come about.
MODELS = (
    ("20 components", FIVE, 20, "null"),
    ("64 components", FIVE, 64, "null"),
    ("five layers", FIVE, None, "null"),
    ("every layer", EVERY, None, "null"),
    ("random weights", FIVE, None, "random"),
)


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(
            (label, title),
            (
                f"style.path='{path}'",
                f"objective.style_layers=[{','.join(layers)}]",
                f"objective.components={'null' if components is None else components}",
                f"network.weights={weights}",
            ),
            title,
            label,
            before=("style",) if title == MODELS[0][0] else (),
        )
        for label, path in SOURCES.items()
        for title, layers, components, weights in MODELS
    ]


def write(folder: Path, finished: frame.Finished) -> None:
    """parameters.md: how many numbers describe each texture."""
    from stn.network import network  # TensorFlow takes seconds to import

    chosen = next(iter(finished.values())).settings["network"]
    loaded = network.load(assets.locate_weights(chosen["name"], chosen["weights"]))
    rows = [["texture", "numbers"]]
    for title, layers, components, _ in MODELS:
        rows.append([title, f"{loaded.gram_parameters(layers, components):,}"])
    files.write_text(folder / "parameters.md", tables.markdown(rows))


EXPERIMENT = frame.Experiment(
    "texture_numbers",
    "Gatys, Ecker and Bethge 2015 (NIPS), figure 3: a texture of 1,050, 10,400, 176,640 and"
    " 852,128 numbers. The first two take the painting's first 20 and 64 principal components in"
    " each of five layers; then come all channels of the five, and every layer up to pool4. Last"
    " are the five layers of a network with random weights. From noise, no content.",
    ("preset=gatys2015_texture", "network=vgg19_q8"),
    cells,
    "image.size_px=256 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=150",
    minutes=15,
    quick_minutes=3,
    columns=6,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
