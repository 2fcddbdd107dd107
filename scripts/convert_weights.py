"""Write VGG's weights from another program's file as a MatConvNet .mat, for network.weights=FILE.

Takes torchvision's and Caffe's .pth, Keras' .h5, Lasagne's .pkl, or vgg19 or vgg16 for random
weights.
"""

from pathlib import Path

from stn import command_line
from stn.assets import foreign, matconvnet
from stn.errors import InputError

RANDOM = {"vgg19": 19, "vgg16": 16}
EXAMPLE = """\
python scripts/convert_weights.py vgg19-dcbb9e9d.pth torchvision.mat
python scripts/convert_weights.py vgg19 random.mat --seed 1
python scripts/stylize.py network.weights=random.mat network.rescale=default"""


def main() -> None:
    parser = command_line.parser(__doc__, epilog=EXAMPLE)
    parser.add_argument("source", help="a .pth, .h5 or .pkl file; or vgg19, vgg16: random weights")
    parser.add_argument("out", type=Path, help="the .mat file to write")
    parser.add_argument(
        "--convention",
        choices=foreign.CONVENTIONS,
        help="what the network of a .pth sees; needed where its checksum is not known",
    )
    parser.add_argument("--seed", type=int, default=0, help="of random weights")
    arguments = parser.parse_args()
    if arguments.out.exists():
        raise InputError(f"{arguments.out}: exists; give another name")
    if not arguments.out.absolute().parent.is_dir():
        raise InputError(f"{arguments.out}: no such folder; make it first")
    if arguments.source in RANDOM:
        network = foreign.random(RANDOM[arguments.source], arguments.seed)
        origin = f"random (He et al. 2015), seed {arguments.seed}"
    else:
        network = foreign.read(Path(arguments.source), arguments.convention)
        origin = f"{Path(arguments.source).name}, SHA-256 {network.sha256}"
    matconvnet.write(arguments.out, network, origin)
    print(
        f"{arguments.out}: VGG-{network.depth}, {origin}; use it with"
        f" network.weights={arguments.out}"
    )


if __name__ == "__main__":
    command_line.run_command(main)
