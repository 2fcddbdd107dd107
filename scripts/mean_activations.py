"""Mean activations, by which network.rescale makes the papers' normalized network.

python scripts/mean_activations.py photos/ averages a folder of yours, for network.rescale=FILE.
Without a folder it makes the file again that comes with the program, stn/network/means.npz: both
poolings, every network whose weights are here.
"""

import argparse
import importlib.metadata
from pathlib import Path

import numpy as np

from stn import assets, backend, command_line, errors, files, images
from stn.assets import catalog, matconvnet, wheels

SHIPPED = ("vgg19", "vgg19_q8", "vgg16")  # vgg16_full has vgg16's convolutions


def main() -> None:
    parser = command_line.parser(__doc__)
    parser.add_argument(
        "folder", type=Path, nargs="?", help="photographs; every picture in it is used"
    )
    parser.add_argument("--network", choices=list(catalog.NETWORKS), default="vgg19")
    parser.add_argument(
        "--weights", type=Path, help="a MatConvNet .mat; default: where scripts/fetch.py puts it"
    )
    parser.add_argument(
        "--pooling", choices=["avg", "max"], default="avg", help="the pooling the means are for"
    )
    parser.add_argument("--out", type=Path, default=Path("means.npz"))
    arguments = parser.parse_args()
    if arguments.out.is_dir():
        raise errors.InputError(
            f"--out {arguments.out}: is a directory; give the name of a file in it"
        )
    if arguments.folder is None:
        shipped(arguments.out)
    else:
        of_folder(arguments)


def of_folder(arguments: argparse.Namespace) -> None:
    """Means over the pictures of a folder, for one network and one pooling."""
    photographs = sorted(
        path for path in arguments.folder.glob("*") if path.suffix.lower() in images.FORMATS
    )
    if not photographs:
        raise errors.InputError(
            f"{arguments.folder}: no pictures in it; give a folder of photographs"
        )
    network = matconvnet.load(assets.locate_weights(arguments.network, arguments.weights))
    from stn.network import rescale  # after the checks: TensorFlow takes seconds to import

    pictures = (images.read(path) for path in photographs)
    files.write_arrays(
        arguments.out, rescale.mean_activations(network, pictures, arguments.pooling)
    )
    print(
        f"{arguments.out}: means over {len(photographs)} pictures; use it with"
        f" network.rescale={arguments.out}"
    )


def shipped(out: Path) -> None:
    """The file that comes with the program, and in JSON beside it what it was made from."""
    networks = {}
    for name in SHIPPED:
        try:
            networks[name] = matconvnet.load(assets.locate_weights(name))
        except errors.InputError as error:
            print(f"left out: {error}")
    if not networks:
        raise errors.InputError("no weights are here; get some with `python scripts/fetch.py`")
    from stn.network import rescale

    backend.use_threads(1)  # sums in one order, so that the last digit is the same next time
    means: dict[str, np.ndarray] = {}
    for name, weights in networks.items():
        for pooling in ("avg", "max"):
            photographs = (images.read(assets.locate_image(each)) for each in rescale.PHOTOGRAPHS)
            for layer, mean in rescale.mean_activations(weights, photographs, pooling).items():
                means[f"{name}/{pooling}/{layer}"] = mean.astype(np.float32)
            print(f"{name}, {pooling} pooling")
    files.write_arrays(out, means)
    origin = {
        "what": "mean of every filter after its ReLU, over images and positions (METHODS.md, 2.4)",
        "made by": "python scripts/mean_activations.py",
        "sha256": files.sha256(out),
        "long side in pixels": rescale.SIZE_PX,
        "photographs": {
            name: files.sha256(assets.locate_image(name)) for name in rescale.PHOTOGRAPHS
        },
        "networks": {name: wheels.digest(weights.layers) for name, weights in networks.items()},
        "not here when it was made": sorted(set(SHIPPED) - networks.keys()),
        "versions": {
            name: importlib.metadata.version(name) for name in ("tensorflow", "numpy", "pillow")
        },
    }
    files.write_json(out.with_suffix(".json"), origin)
    print(f"{out}, {out.with_suffix('.json')}")


if __name__ == "__main__":
    command_line.run_command(main)
