"""LPIPS and ArtFID: what they need, and their formulas.

They are no part of a run. `metrics=` of `stn.measure`, and `--metrics` of the command, ask for
them; the extra `stn[metrics]` has their packages. What they mean: docs/reference/measures.md.
"""

import functools
import importlib.util
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from stn.assets import catalog, store
from stn.config import fields
from stn.errors import InputError

PACKAGES = ("lpips", "torch", "torchvision")  # of the extra
# Which networks a metric needs: ArtFID contains LPIPS.
NEEDS = {"lpips": ("lpips",), "artfid": ("lpips", "artfid")}
# What is left after every stride: of AlexNet's two poolings, and of Inception (its `min_size`).
LEAST_PX = {"lpips": 31, "artfid": 75}
# Pictures from which ArtFID's program computes it (art_fid.py, compute_fid_infinity).
MEANT_FOR = 5000


def check(names: Sequence[str]) -> None:
    """Raise InputError for a name that is none, and for packages that are missing."""
    for name in names:
        if name not in NEEDS:
            meant = fields.did_you_mean(fields.nearest(name, NEEDS))
            raise InputError(f"metrics={name}: no such metric; {meant}known are {', '.join(NEEDS)}")
    missing = [each for each in PACKAGES if importlib.util.find_spec(each) is None]
    if names and missing:
        raise InputError(
            f"metrics={','.join(names)}: {', '.join(missing)} not installed; type:"
            " pip install -e '.[metrics]'"
        )


def prepare(names: Sequence[str]) -> None:
    """Fetch the networks of metrics, which `check` took, that are not here yet; InputError where
    that fails.
    """
    for network in catalog.METRICS:
        needed = any(network in NEEDS[name] for name in names)
        if needed and not store.weights_path(network).is_file():
            store.fetch_once(network)


def lpips(rgb: np.ndarray, content_rgb: np.ndarray) -> float:
    """LPIPS of a picture and its content, both `rgb` [h, w, 3], 0-255: version 0.1, AlexNet.

    Zhang et al. 2018 (arXiv:1801.03924), eq. (1), by their package `lpips`. Features of five layers
    are normalized over channels; squared differences are weighted, averaged over positions, summed.
    The network is in the cache (`prepare`). Raises InputError for pictures under 31 px.
    """
    _check_size("lpips", rgb)
    return _computed("lpips", rgb, content_rgb)


def activations(rgb: np.ndarray) -> np.ndarray:
    """The 2048 numbers that ArtFID's Inception network makes of a picture `rgb` [h, w, 3], 0-255.

    As art-fid 0.0.2 (art_fid.py, get_activations): values of 0-1, neither normalized nor resized.
    Raises InputError for pictures under 75 px.
    """
    _check_size("artfid", rgb)
    return _computed("artfid", rgb)


def frechet_distance(of_results: np.ndarray, of_styles: np.ndarray) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½) of two sets of activations [n, d] and [m, d].

    Heusel et al. 2017 (arXiv:1706.08500), eq. (6), as art-fid computes it, with n − 1. With Σ = AᵀA
    the trace of the root is the sum of A₁A₂ᵀ's singular values, so that no root of a singular
    matrix is taken. Raises InputError for sets of one.
    """
    sets = [np.asarray(each, np.float64) for each in (of_results, of_styles)]
    if min(map(len, sets)) < 2:
        raise InputError("artfid: is of sets; give two results or more, or leave it out")
    means = [each.mean(0) for each in sets]
    A1, A2 = (
        (each - mean) / np.sqrt(len(each) - 1) for each, mean in zip(sets, means, strict=True)
    )
    if len(A1) > A1.shape[1]:  # a rotation of rows changes neither Σ nor the singular values
        A1 = np.linalg.qr(A1, mode="r")
    if len(A2) > A2.shape[1]:
        A2 = np.linalg.qr(A2, mode="r")
    root = np.linalg.norm(A1 @ A2.T, "nuc")
    apart = np.square(means[0] - means[1]).sum()
    return float(apart + np.square(A1).sum() + np.square(A2).sum() - 2 * root)


def artfid(
    of_results: Sequence[np.ndarray], of_styles: Sequence[np.ndarray], distances: Sequence[float]
) -> dict[str, float]:
    """ArtFID of a set: (1 + mean LPIPS) · (1 + FID), and its two parts.

    Wright and Ommer 2022 (arXiv:2207.12280), as art-fid's `--mode art_fid`. `of_results`
    and `of_styles` are `activations`, one of each a result; `distances` are the results' LPIPS.
    """
    fid = frechet_distance(np.stack(of_results), np.stack(of_styles))
    distance = float(np.mean(distances))
    return {"lpips": distance, "fid": fid, "artfid": (1 + distance) * (1 + fid)}


def _check_size(name: str, rgb: np.ndarray) -> None:
    height, width = rgb.shape[:2]
    if min(height, width) < LEAST_PX[name]:
        raise InputError(
            f"{name}: the picture has {width} × {height} pixels, and both sides need"
            f" {LEAST_PX[name]}; give a larger size, or leave {name} out"
        )


def _computed(metric: str, *pictures: np.ndarray) -> Any:
    """What PyTorch's process makes of pictures; InputError if it cannot."""
    process = _process()
    assert process.stdin and process.stdout
    try:
        pickle.dump((metric, store.weights_path(metric), pictures), process.stdin)
        process.stdin.flush()
        found, wrong = pickle.load(process.stdout)
    except (OSError, EOFError):
        _process.cache_clear()
        raise InputError(
            f"{metric}: PyTorch's process ended with {process.wait()}; `{sys.executable} -m"
            " stn.metrics.pytorch` shows why"
        ) from None
    if wrong is not None:
        raise InputError(f"{metric}: {wrong}")
    return found


@functools.cache
def _process() -> subprocess.Popen[bytes]:
    """It ends with this process, whose end closes its input."""
    return subprocess.Popen(
        [sys.executable, "-m", "stn.metrics.pytorch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
