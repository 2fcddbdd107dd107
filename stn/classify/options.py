"""The command line of the programs that classify: network, pictures and classifier by arguments."""

import argparse
from pathlib import Path

from stn import assets, backend
from stn.assets import catalog
from stn.classify import classifier, labeled
from stn.classify.classifier import Classifier
from stn.command_line import whole
from stn.errors import InputError
from stn.experiment import frame
from stn.network import network

# The defaults: side of the pictures in pixels, pictures of a class, and the layer below the linear
# head (docs/experiments/side_topics.md).
SIDE, COUNT, LAYER = 96, 50, "pool4"


def parser(description: str | None, example: str, size: int = SIDE) -> argparse.ArgumentParser:
    """A parser of the options that all these programs take; `size` is the default of `--size`."""
    made = argparse.ArgumentParser(description=description, epilog=example)
    made.add_argument("--network", choices=list(catalog.NETWORKS), default="vgg16")
    made.add_argument(
        "--weights", type=Path, help="a MatConvNet .mat; default: where scripts/fetch.py puts it"
    )
    made.add_argument(
        "--size",
        type=lambda text: whole(text, least=2),
        default=size,
        help=f"side of the pictures, in pixels ({size})",
    )
    made.add_argument("--seed", type=lambda text: whole(text, least=0), default=0)
    made.add_argument("--threads", type=whole, help="of TensorFlow; default: one a core")
    return made


def add_pictures(made: argparse.ArgumentParser, default: str) -> None:
    """Add the options of labeled pictures; `default` is that of `--pictures`."""
    made.add_argument(
        "--pictures",
        default=default,
        help=f"digits, photographs, or a folder with one folder a class ({default})",
    )
    made.add_argument(
        "--count", type=whole, default=COUNT, help=f"the most pictures a class ({COUNT})"
    )


def add_head(made: argparse.ArgumentParser) -> None:
    """Add the options of a classifier."""
    own = classifier.OWN_SIDE
    made.add_argument(
        "--head", choices=["linear", "own"], default="linear", help=f"own: fc6 to fc8, at {own} px"
    )
    made.add_argument(
        "--layer", default=LAYER, help=f"whose mean activations a linear head sees ({LAYER})"
    )
    add_pictures(made, "photographs")


def add_budget(made: argparse.ArgumentParser, evaluations: int) -> None:
    """Add the option of how many evaluations an image may take."""
    made.add_argument(
        "--evaluations",
        type=whole,
        default=evaluations,
        help=f"the most of an image ({evaluations})",
    )


def parse(made: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the command line, and set TensorFlow's threads.

    VGG's own head takes pictures of one size only; InputError for another."""
    arguments = made.parse_args()
    if getattr(arguments, "head", "") == "own":
        if arguments.size not in (made.get_default("size"), classifier.OWN_SIDE):
            raise InputError(
                f"--size {arguments.size}: the network's own head takes {classifier.OWN_SIDE};"
                " leave it out"
            )
        arguments.size = classifier.OWN_SIDE
    backend.use_threads(arguments.threads)
    return arguments


def trunk(arguments: argparse.Namespace) -> network.Network:
    """The network that was asked for; InputError if its file is missing or damaged."""
    return network.load(assets.locate_weights(arguments.network, arguments.weights))


def read_labeled(arguments: argparse.Namespace) -> labeled.Labeled:
    """The labeled pictures that were asked for; InputError as `labeled.read`."""
    return labeled.read(arguments.pictures, arguments.size, arguments.count, arguments.seed)


def read_classifier(arguments: argparse.Namespace, pictures: labeled.Labeled | None) -> Classifier:
    """The classifier that was asked for: a linear head fitted to `pictures`, or with None the
    network's own head.
    """
    if pictures is None:
        return classifier.own(assets.locate_weights(arguments.network, arguments.weights))
    return classifier.linear(trunk(arguments), arguments.layer, pictures)


def folder_of(name: str) -> Path:
    """The directory of a program's figure."""
    return (frame.OUTPUT / name).absolute()
