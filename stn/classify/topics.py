"""What the side topics in experiments/ share: their arguments, an image found in a run
directory.
"""

import argparse
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stn import assets, backend, config, files, runs
from stn.assets import catalog
from stn.classify import classifier, labeled
from stn.classify.classifier import Classifier
from stn.command_line import whole
from stn.errors import InputError
from stn.experiment import frame
from stn.network import network, space
from stn.objective.objective import Terms
from stn.optimize import Evaluation, State, minimize
from stn.optimize.search import ValueAndGrad
from stn.runs.run_directory import RunDirectory

KEEPS_NOTHING = {
    "tracking": {"keep_checkpoint": False}
}  # a search is short: one that is interrupted starts over
SIDE, COUNT, LAYER = (
    96,
    50,
    "pool4",
)  # of pictures, pictures a class, below the linear head (docs/side_topics.md)


def parser(description: str | None, example: str, size: int = SIDE) -> argparse.ArgumentParser:
    """The arguments that all side topics take; `size` is the default of `--size`."""
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
    """The arguments of labeled pictures; `default` is that of `--pictures`."""
    made.add_argument(
        "--pictures",
        default=default,
        help=f"digits, photographs, or a folder with one folder a class ({default})",
    )
    made.add_argument(
        "--count", type=whole, default=COUNT, help=f"the most pictures a class ({COUNT})"
    )


def add_head(made: argparse.ArgumentParser) -> None:
    """The arguments of a classifier."""
    own = classifier.OWN_SIDE
    made.add_argument(
        "--head", choices=["linear", "own"], default="linear", help=f"own: fc6 to fc8, at {own} px"
    )
    made.add_argument(
        "--layer", default=LAYER, help=f"whose mean activations a linear head sees ({LAYER})"
    )
    add_pictures(made, "photographs")


def add_budget(made: argparse.ArgumentParser, evaluations: int) -> None:
    """The argument of how long to look for an image."""
    made.add_argument(
        "--evaluations",
        type=whole,
        default=evaluations,
        help=f"the most of an image ({evaluations})",
    )


def parse(made: argparse.ArgumentParser) -> argparse.Namespace:
    """The arguments of the command line; pictures of VGG's own head have its size. InputError for
    another.
    """
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
    """The network that the arguments name; InputError if its file is missing or damaged."""
    return network.load(assets.locate_weights(arguments.network, arguments.weights), "winograd")


def read_labeled(arguments: argparse.Namespace) -> labeled.Labeled:
    """The labeled pictures that the arguments name; InputError as `labeled.read`."""
    return labeled.read(arguments.pictures, arguments.size, arguments.count, arguments.seed)


def read_classifier(arguments: argparse.Namespace, pictures: labeled.Labeled | None) -> Classifier:
    """The classifier that the arguments name: `pictures` are those that a linear head is fitted to,
    None: its own.
    """
    if pictures is None:
        return classifier.own(assets.locate_weights(arguments.network, arguments.weights))
    return classifier.linear(trunk(arguments), arguments.layer, pictures)


def optimizer(name: str, evaluations: int, **settings: Any) -> config.Optimizer:
    """An optimizer of configs/optimizer/ that keeps pixels in their limits, with `settings` of its
    own.
    """
    group = config.compose(f"optimizer={name}").optimizer
    return dataclasses.replace(group, max_evaluations=evaluations, **{"bounds": True, **settings})


def find(
    place: tuple[Path, str],
    settings: Mapping[str, Any],
    checksums: Mapping[str, str],
    value_and_grad: ValueAndGrad,
    first: np.ndarray,
    mean_pixel: np.ndarray,
    limits: tuple[np.ndarray, np.ndarray] | None = None,
    until: Callable[[Terms], str | None] = lambda terms: None,
) -> runs.Run:
    """Minimize from the image `first` [1, h, w, 3] in a run directory; what was finished there is
    not computed again.

    `place` is a folder and a name in it, to which a hash of `settings` and `checksums` is added;
    `settings` has the optimizer as `optimizer`. `limits`, each [3] or [1, h, w, 3], are black and
    white unless given; `until` gives a reason to end, if there is one. Raises InputError as
    `RunDirectory`."""
    chosen: config.Optimizer = settings["optimizer"]
    plain, inputs = (
        {**settings, "optimizer": dataclasses.asdict(chosen), **KEEPS_NOTHING},
        dict(checksums),
    )
    folder, name = place
    folder.mkdir(parents=True, exist_ok=True)
    directory = RunDirectory(folder / f"{name}-{files.digest([plain, inputs])}", plain, inputs)
    seen: list[Terms] = []

    def on_evaluation(evaluation: Evaluation, image: np.ndarray) -> None:
        directory.record(evaluation)
        seen[:] = [evaluation.terms]

    try:
        if not directory.finished:
            directory.begin()
            outcome = minimize(
                value_and_grad,
                State(first.astype(np.float64)),
                chosen,
                on_evaluation,
                interrupted=lambda: until(seen[0]) if seen else None,
                limits=limits or (0 - mean_pixel, 255 - mean_pixel),
            )
            rgb = space.from_network(outcome.image, mean_pixel)
            written, _ = value_and_grad(space.to_network(np.rint(rgb), mean_pixel))
            clipped = space.clipped_share(outcome.image, mean_pixel)
            directory.finish(
                directory.summarize(outcome, rgb, written, {"picture/clipped_share": clipped})
            )
            print(directory.path / runs.PICTURE)
    finally:
        directory.release()
    return runs.Run(directory.path).check()


def folder_of(name: str) -> Path:
    """Where a side topic leaves its figure."""
    return (frame.OUTPUT / name).absolute()
