"""Top five classes of a photograph and the statistics of every layer, to see that a weight file is
right.

Statistics are of the features and of their Gram matrix over positions, G/M.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from stn import assets, command_line, config, images
from stn.assets import catalog, matconvnet, pictures
from stn.images import resizing

EXAMPLE = "python scripts/classify.py photo.jpg, or painting.jpg --preset tf_tutorial"
COLUMNS = ("min", "max", "mean", "Gram max", "Gram mean")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLE)
    parser.add_argument("photograph")
    parser.add_argument("--network", choices=list(catalog.NETWORKS), default="vgg19")
    parser.add_argument(
        "--weights", type=Path, help="a MatConvNet .mat; default: where scripts/fetch.py puts it"
    )
    parser.add_argument(
        "--preset",
        help="statistics as a run of this preset sees the picture: its size, resize filter,"
        " pooling, mean pixel; default: squeezed to 224 × 224, as for the classes",
    )
    arguments = parser.parse_args()

    rgb = images.read(assets.locate_image(arguments.photograph))
    settings = config.compose(f"preset={arguments.preset}") if arguments.preset else None
    path = assets.locate_weights(arguments.network, arguments.weights)
    network = matconvnet.load(path, head=True)
    from stn.classify import classifier  # after the checks: TensorFlow takes seconds to import
    from stn.network import vgg
    from stn.transfer import story

    # 224 × 224 without keeping the aspect, as normalization.imageSize says and Keras' examples do.
    image = (resizing.resize(rgb, 224, 224) - network.mean_pixel)[None]
    if settings is None:
        print_statistics(vgg.features(image, network, network.layer_names))
    else:
        chosen = settings.network
        chosen.name, chosen.weights = arguments.network, str(path)
        seen = story.network_of(settings)
        shape = pictures.shape_of(rgb, settings.image)
        resized = resizing.resize(rgb, *shape, settings.image.filter)
        print_statistics(
            vgg.features(seen.image(resized), seen.kernels, seen.layer_names, seen.options)
        )
    if not any(layer.name == "fc8" for layer in network.layers):
        whole = "vgg19" if network.depth == 19 else "vgg16_full"
        print(
            "no fully connected layers in this file, so no classes; `python scripts/fetch.py"
            f" {whole}` gets one with them, then --network {whole} uses it"
        )
        return
    probabilities = classifier.class_probabilities(image, network).numpy()[0]
    for index in probabilities.argsort()[::-1][:5]:
        name = network.classes[index] if index < len(network.classes) else f"class {index}"
        print(f"{probabilities[index]:8.2%}  {name}")


def print_statistics(features: dict[str, Any]) -> None:
    """A line a layer, of its features [1, h, w, N] and its Gram matrix [N, N] over positions."""
    print(f"{'layer':9}{'shape':>18}" + "".join(f"{column:>12}" for column in COLUMNS))
    for name, values in features.items():
        F = values.numpy()
        shape = " × ".join(str(size) for size in F.shape[1:])
        flat = F.reshape(-1, F.shape[-1])  # [M, N]
        gram = flat.T.astype(np.float64) @ flat / len(flat)
        numbers = (F.min(), F.max(), F.mean(), gram.max(), gram.mean())
        print(f"{name:9}{shape:>18}" + "".join(f"{number:12.4g}" for number in numbers))


if __name__ == "__main__":
    command_line.run_command(main)
