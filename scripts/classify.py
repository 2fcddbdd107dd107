"""Top five classes of a photograph and the statistics of every layer, to see that a weight file is
right.
"""

import argparse
from pathlib import Path

from stn import assets, command_line, images
from stn.assets import catalog, matconvnet
from stn.images import resizing
from stn.network import space

EXAMPLE = "python scripts/classify.py photo.jpg"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLE)
    parser.add_argument("photograph")
    parser.add_argument("--network", choices=list(catalog.NETWORKS), default="vgg19")
    parser.add_argument(
        "--weights", type=Path, help="a MatConvNet .mat; default: where scripts/fetch.py puts it"
    )
    arguments = parser.parse_args()

    rgb = images.read(assets.locate_image(arguments.photograph))
    network = matconvnet.load(
        assets.locate_weights(arguments.network, arguments.weights), head=True
    )
    from stn.classify import vgg_head
    from stn.network import vgg  # after the checks: TensorFlow takes seconds to import

    # 224 × 224 without keeping the aspect, as normalization.imageSize says and Keras' examples do.
    image = space.to_network(resizing.resize(rgb, 224, 224), network.mean_pixel)
    print(f"{'layer':9}{'shape':>18}{'min':>12}{'max':>12}{'mean':>12}")
    for name, F in vgg.features(image, network, network.layer_names).items():
        values = F.numpy()
        shape = " × ".join(str(size) for size in values.shape[1:])
        print(f"{name:9}{shape:>18}{values.min():12.4g}{values.max():12.4g}{values.mean():12.4g}")
    if not any(layer.name == "fc8" for layer in network.layers):
        whole = "vgg19" if network.depth == 19 else "vgg16_full"
        print(
            "no fully connected layers in this file, so no classes; `python scripts/fetch.py"
            f" {whole}` gets one with them, then --network {whole} uses it"
        )
        return
    probabilities = vgg_head.class_probabilities(image, network).numpy()[0]
    for index in probabilities.argsort()[::-1][:5]:
        name = network.classes[index] if index < len(network.classes) else f"class {index}"
        print(f"{probabilities[index]:8.2%}  {name}")


if __name__ == "__main__":
    command_line.run_command(main)
