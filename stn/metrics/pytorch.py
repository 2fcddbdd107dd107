"""The process that computes with PyTorch: `python -m stn.metrics.pytorch`.

Reads pickled (network, weights file, pictures) from its input, pickled (result, error) go to its
output; one of both is None. Pictures are `rgb` [h, w, 3], 0-255. Ends with its input.
"""

import functools
import os
import pickle
import signal
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lpips
import numpy as np
import torch
import torchvision


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and so this input
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    while True:
        try:
            network, path, pictures = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        found, wrong = None, None
        try:
            with torch.inference_mode():
                found = NETWORKS[network](path, *map(_tensor, pictures))
        except Exception as error:  # the parent says it, in one line
            wrong = f"{error}" or repr(error)
        pickle.dump((found, wrong), answers)
        answers.flush()


def distance(path: Path, image: torch.Tensor, other: torch.Tensor) -> float:
    """LPIPS of two images."""
    return float(_perceptual(path)(image * 2 - 1, other * 2 - 1))


def activations(path: Path, image: torch.Tensor) -> np.ndarray:
    """The 2048 numbers before the heads of ArtFID's Inception network."""
    return _inception(path)(image)[0].numpy()


NETWORKS: dict[str, Callable[..., Any]] = {
    "lpips": distance,
    "artfid": activations,
}  # by the metric


def _tensor(rgb: np.ndarray) -> torch.Tensor:
    """[h, w, 3] of 0-255 as [1, 3, h, w] of 0-1."""
    return torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)[None] / 255)).float()


@functools.cache
def _perceptual(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that torchvision calls deprecated
        found = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    # `slice2.3.weight` of lpips/pretrained_networks.py is torchvision's `features.3.weight`.
    names = {name: f"features.{name.partition('.')[2]}" for name in found.net.state_dict()}
    _fill(found.net, names, path)
    return found


@functools.cache
def _inception(path: Path) -> Any:
    # art_fid/inception.py is torchvision's network with other heads, which FID does not need.
    found = torchvision.models.inception_v3(aux_logits=False, init_weights=False)
    found.fc = torch.nn.Identity()
    found.eval()
    _fill(found, {name: name for name in found.state_dict()}, path)
    return found


def _fill(network: Any, names: Mapping[str, str], path: Path) -> None:
    """Give a network its weights, of a file that calls them by `names`."""
    try:
        there = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict({name: there[other] for name, other in names.items()})
    except Exception as error:  # a damaged file's have no common base
        raise ValueError(
            f"{path}: is damaged, or another network; remove it, and it is fetched again"
        ) from error


if __name__ == "__main__":
    main()
