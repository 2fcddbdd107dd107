"""Mean activations of a folder of photographs, for network.rescale=FILE: python
scripts/mean_activations.py photos/.
"""

import argparse
from pathlib import Path

from stn import assets, command_line, errors, images
from stn.assets import catalog, matconvnet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="photographs; every picture in it is used")
    parser.add_argument("--network", choices=list(catalog.NETWORKS), default="vgg19")
    parser.add_argument(
        "--weights", type=Path, help="a MatConvNet .mat; default: where scripts/fetch.py puts it"
    )
    parser.add_argument(
        "--pooling", choices=["avg", "max"], default="avg", help="the pooling the means are for"
    )
    parser.add_argument("--out", type=Path, default=Path("means.npz"))
    arguments = parser.parse_args()

    photographs = sorted(
        path for path in arguments.folder.glob("*") if path.suffix.lower() in images.FORMATS
    )
    if not photographs:
        raise errors.InputError(
            f"{arguments.folder}: no pictures in it; give a folder of photographs"
        )
    if arguments.out.is_dir():
        raise errors.InputError(
            f"--out {arguments.out}: is a directory; give the name of a file in it"
        )
    network = matconvnet.load(assets.locate_weights(arguments.network, arguments.weights))
    from stn.network import rescale  # after the checks: TensorFlow takes seconds to import

    pictures = (images.read(path) for path in photographs)
    rescale.write_means(
        arguments.out, rescale.mean_activations(network, pictures, arguments.pooling)
    )
    print(
        f"{arguments.out}: means over {len(photographs)} pictures; use it with"
        f" network.rescale={arguments.out}"
    )


if __name__ == "__main__":
    command_line.run_command(main)
