"""The normalized network of the papers: weights scaled so that each filter's mean activation over
images and positions is one.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from stn import assets, files, images
from stn.assets import wheels
from stn.assets.weights import Layer, Weights
from stn.errors import InputError
from stn.images import resizing
from stn.layers import LAYERS, of_kind
from stn.network import vgg

# Means are raised to this share of their layer's. A filter that our few photographs hardly excite
# would be divided by a number that ImageNet never gave it, and then own its layer's Gram matrix on
# any painting (METHODS.md §2.4: with gray or dull photographs one filter of conv1_1 held 99 % of
# its layer's). Over colorful ones the least mean of conv1_1 is 0.25 of its layer's, so the floor
# leaves conv1_1 alone. Ours; the papers say nothing of weak filters.
FLOOR = 0.2
# Colorful photographs inside packages, when no file is given. The papers used ImageNet's and do not
# say which.
PHOTOGRAPHS = (
    *("skimage:astronaut.png", "skimage:chelsea.png", "skimage:coffee.png", "skimage:rocket.jpg"),
    *("skimage:motorcycle_left.png", "skimage:hubble_deep_field.jpg", "skimage:retina.jpg"),
    *("matplotlib:grace_hopper.jpg", "sklearn:china.jpg", "sklearn:flower.jpg"),
)
SIZE_PX = 256  # long side at which activations are averaged; ours

# Means over PHOTOGRAPHS that come with the program, {"vgg16/avg/conv1_1": [N], ...}, float32. In
# JSON next to them stands what they were made from.
SHIPPED = Path(__file__).parent / "means.npz"

# By convolution, {"conv1_1": [N], ...}: the mean of relu1_1 over images and positions.
Means = dict[str, np.ndarray]


def mean_activations(
    weights: Weights, photographs: Iterable[np.ndarray], pooling: str, power: int = 1
) -> Means:
    """The mean of each filter after its ReLU, over all positions of all `photographs`, `rgb` [h, w,
    3]; with a `power` of 2 the root mean square.
    """
    kernels = vgg.kernels(weights)
    relus = [name for name in of_kind("relu", LAYERS) if LAYERS[name].convolution in kernels]
    sums: dict[str, np.ndarray] = {}
    positions: dict[str, int] = {}
    for rgb in photographs:
        small = resizing.resize(rgb, *resizing.target_shape(rgb, SIZE_PX))
        image = (small - weights.mean_pixel)[None].astype(np.float32)
        for relu, F in vgg.features(image, kernels, relus, vgg.Options(pooling)).items():
            name = LAYERS[relu].convolution
            powers = F.numpy().astype(np.float64) ** power
            sums[name] = sums.get(name, 0.0) + powers.sum(axis=(0, 1, 2))
            positions[name] = positions.get(name, 0) + F.shape[1] * F.shape[2]
    return {name: (total / positions[name]) ** (1 / power) for name, total in sums.items()}


def rescaled(weights: Weights, means: Means) -> Weights:
    """The weights of the normalized network (Gatys et al. 2016, section 2): each filter's output is
    the plain one times a constant above zero.

    The scale s of a filter is 1 / its mean activation, which counts as FLOOR of its layer's mean at
    least. With r the scales of the layer before, kernels become K · s / r and biases b · s. ReLUs
    and both poolings pass such a scale on. Raises InputError if a layer's means are missing, of
    another number of filters, or all zero."""
    layers: list[Layer] = []
    before = np.ones(3)
    for layer in weights.layers:
        if layer.name not in LAYERS:
            raise InputError(
                f"{layer.name}: only the convolutions can be rescaled; load the weights without the"
                " head"
            )
        mean = means.get(layer.name)
        if (
            mean is None
            or mean.shape != layer.bias.shape
            or not np.isfinite(mean).all()
            or (mean < 0).any()
            or not mean.any()
        ):
            raise InputError(
                f"network.rescale: no usable mean activations of {layer.name} for this network"
            )
        scale = 1 / np.maximum(mean, FLOOR * mean.mean())
        kernel = layer.kernel * (scale / before[:, None])
        layers.append(
            Layer(layer.name, kernel.astype(np.float32), (layer.bias * scale).astype(np.float32))
        )
        before = scale
    return Weights(tuple(layers), weights.mean_pixel, weights.classes, weights.sha256)


def default_means(weights: Weights, weights_path: Path, pooling: str, power: int = 1) -> Means:
    """The means over PHOTOGRAPHS. For weights whose checksum is known they come with the program;
    for others, and of a `power` of 2, they are computed once and kept in the cache directory.
    """
    shipped = shipped_means(weights, pooling) if power == 1 else None
    if shipped is not None:
        return shipped
    # Other photographs are other means: their list is part of the name.
    photographs = hashlib.sha256(" ".join(PHOTOGRAPHS).encode()).hexdigest()[:8]
    kind = {1: "means", 2: "rms"}[power]
    kept = (
        files.cache_dir()
        / f"{weights_path.name}.{pooling}-{weights.sha256[:16]}-{photographs}.{kind}.npz"
    )
    if kept.is_file():
        with contextlib.suppress(InputError):  # damaged: made again below
            return read_means(kept)
    means = mean_activations(
        weights,
        (images.read(assets.locate_image(name)) for name in PHOTOGRAPHS),
        pooling,
        power,
    )
    with contextlib.suppress(OSError):  # without a copy they are computed again next time
        files.write_arrays(kept, means)
    return means


def shipped_means(weights: Weights, pooling: str) -> Means | None:
    """The means that come with the program for these convolutions; None if there are none.

    Raises InputError if the file is not the one that was shipped."""
    made = json.loads(SHIPPED.with_suffix(".json").read_text())
    digest = wheels.digest(weights.layers)
    known = [name for name, checksum in made["networks"].items() if checksum == digest]
    if not known:
        return None
    if files.sha256(SHIPPED) != made["sha256"]:
        raise InputError(f"{SHIPPED}: damaged; install the program again")
    prefix = f"{known[0]}/{pooling}/"
    every = read_means(SHIPPED)
    return {
        name.removeprefix(prefix): mean.astype(np.float64)
        for name, mean in every.items()
        if name.startswith(prefix)
    }


def read_means(path: Path) -> Means:
    """Means from a file of arrays [N], one a convolution; InputError if it is not one."""
    if not path.is_file():
        raise InputError(
            f"network.rescale={path}: no such file; make it with scripts/mean_activations.py"
        )
    found = files.read_arrays(path)
    if found is None:
        raise InputError(
            f"network.rescale={path}: damaged; make it again with scripts/mean_activations.py"
        )
    return found
