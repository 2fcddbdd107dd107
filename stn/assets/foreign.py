"""Weights of VGG from other programs' files: PyTorch's `.pth`, Keras' `.h5`, Lasagne's `.pkl`; and
random ones.

Each becomes what MatConvNet's file holds: kernels [h, w, in, out] that take red first, in 0-255
less the mean pixel.
"""

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stn import files
from stn.assets import matfile, pickles, weights
from stn.assets.weights import IMAGENET_MEAN, Layer, Weights
from stn.errors import InputError
from stn.layers import FILTERS, LAYERS, TRUNKS, of_kind

# torch.hub names a file by the first eight digits of its SHA-256, and so tells which it is:
# torchvision's own training, or Oxford's as converted from Caffe by J. Johnson (neural-style-pt).
TORCH_FILES = {
    "dcbb9e9d": "torchvision",  # vgg19-dcbb9e9d.pth
    "397923af": "torchvision",  # vgg16-397923af.pth
    "d01eb7cb": "caffe",  # vgg19-d01eb7cb.pth
    "00b39a1b": "caffe",  # vgg16-00b39a1b.pth
}
# What the numbers of a file with these kernels see: red first, in (x / 255 − mean) / deviation; or
# blue first, in 0-255 less the mean pixel. Lasagne's mean pixel is that of Caffe without fractions.
CONVENTIONS = ("torchvision", "caffe")
BLUE_FIRST = {"caffe": IMAGENET_MEAN, "lasagne": (123.0, 117.0, 104.0)}
TORCHVISION_MEAN = np.array([0.485, 0.456, 0.406])
TORCHVISION_DEVIATION = np.array([0.229, 0.224, 0.225])
ADVICE = "give a .pth, .h5 or .pkl file of VGG's weights"
TORCH = b"\x80\x02\x8a\x0a"  # a pickled number of ten bytes, torch.serialization's magic one
# Of a trunk that is a part of any network, or alone: which trunk, and the tensor's name in it.
TORCH_NAMES = r"(|(?:.*\.)?features\.)(\d+\.\w+)"
PICKLE = b"\x80\x02"  # protocol 2
HDF5 = b"\x89HDF\r\n\x1a\n"
# In Keras' files: groups that hold all layers, and what is not a VGG's trunk (its head, and what
# an optimizer keeps).
KERAS_ABOVE = ("model_weights", "layers", "_layer_checkpoint_dependencies", "vgg16", "vgg19")
KERAS_BESIDE = (*("fc1", "fc2", "predictions"), "optimizer_weights", "top_level_model_weights")
KERAS_CONV = {"strides": [1, 1], "padding": "same", "dilation_rate": [1, 1], "activation": "relu"}
KERNEL_MAX = 2**24  # numbers; VGG's largest kernels have 2.4 million


def read(path: Path, convention: str | None = None) -> Weights:
    """The convolutions of a `.pth`, `.h5` or `.pkl` file, told by its first bytes; a head of the
    first two is left out.

    `convention`, one of CONVENTIONS, is needed for a `.pth` whose checksum is not known. Raises
    InputError if the file is missing, damaged, of neither kind, or not a VGG's."""
    reason = files.why_unreadable(path)
    if reason:
        raise InputError(f"{path}: {reason}; {ADVICE}")
    with path.open("rb") as file:
        start = file.read(516)
    sha256 = files.sha256(path)
    try:
        if start.startswith(HDF5):
            layers, convention = _keras(path), convention or "caffe"
        elif start.startswith(PICKLE) and not start.startswith(TORCH):
            layers, convention = _lasagne(path), convention or "lasagne"
        else:
            _refuse_others(path, start)
            layers = _torch(path)
            convention = convention or TORCH_FILES.get(sha256[:8])
            if convention is None:
                raise InputError(
                    f"its checksum {sha256[:8]}… is not known, so neither is what its network"
                    " sees; say --convention torchvision or --convention caffe"
                )
        converted = _as_matconvnet(layers, convention)
        weights.check(converted.layers, converted.mean_pixel)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return dataclasses.replace(converted, sha256=sha256)


def random(depth: int, seed: int, filters: Sequence[int] = FILTERS) -> Weights:
    """VGG-16 or VGG-19 with the kernels of `randomized`; `filters` are of a convolution, by
    block.
    """
    layers, channels = [], 3
    for name in of_kind("conv", TRUNKS[depth]):
        N = filters[LAYERS[name].block - 1]
        kernel = np.empty((3, 3, channels, N), np.float32)
        layers.append(Layer(name, kernel, np.zeros(N, np.float32)))
        channels = N
    network = Weights(tuple(layers), np.array(IMAGENET_MEAN, np.float32))
    return randomized(network, seed)


def randomized(network: Weights, seed: int) -> Weights:
    """The same layers with kernels N(0, 2 / inputs), where a filter of 3 × 3 has 9 · in inputs, and
    biases of zero (He et al. 2015, arXiv:1502.01852, eq. 10).
    """
    generator = np.random.default_rng(seed)

    def drawn(layer: Layer) -> Layer:
        shape = layer.kernel.shape
        kernel = generator.normal(0, math.sqrt(2 / math.prod(shape[:3])), shape)
        return Layer(layer.name, kernel.astype(np.float32), np.zeros_like(layer.bias))

    return dataclasses.replace(network, layers=tuple(map(drawn, network.layers)))


def _as_matconvnet(layers: tuple[Layer, ...], convention: str) -> Weights:
    first, *others = layers
    kernel = first.kernel
    if convention in BLUE_FIRST:
        mean = np.array(BLUE_FIRST[convention])
        kernel = kernel[:, :, ::-1]  # blue first in the file
    else:
        # What beyond the picture is zero is the mean pixel in both, so that no border changes.
        mean = 255 * TORCHVISION_MEAN
        kernel = kernel / (255 * TORCHVISION_DEVIATION)[:, None]
    first = dataclasses.replace(first, kernel=np.ascontiguousarray(kernel, np.float32))
    return Weights((first, *others), mean.astype(np.float32))


def _refuse_others(path: Path, start: bytes) -> None:
    """Raise InputError for a file that is known to hold nothing of PyTorch, by its beginning."""
    if start.startswith(b"MATLAB"):
        raise InputError("a MATLAB file, which needs no conversion; give it as network.weights")
    what = matfile.other(path, start)
    if what is not None and matfile.CONVERT not in what:
        raise InputError(f"{what}; {ADVICE}")


def _torch(path: Path) -> tuple[Layer, ...]:
    """`features.N.weight` [out, in, h, w] and `features.N.bias`, N in the order of the layers."""
    tensors = pickles.torch(path.read_bytes())
    found = [(re.fullmatch(TORCH_NAMES, name), each) for name, each in tensors.items()]
    features = {match[2]: each for match, each in found if match}
    trunks = sorted({match[1] for match, _ in found if match})
    if len(trunks) != 1:
        several = f"has {len(trunks)} networks ({', '.join(trunks)})" if trunks else "has none"
        raise InputError(f"{several} of torchvision's VGG, whose tensors are `features.0.weight` …")
    numbers = sorted(int(name.split(".")[0]) for name in features if name.endswith("weight"))
    try:
        both = [(features[f"{n}.weight"], features[f"{n}.bias"]) for n in numbers]
        pairs = [(weight.transpose(2, 3, 1, 0), bias) for weight, bias in both if weight.ndim != 1]
    except (KeyError, ValueError) as error:
        raise InputError("its `features` are not a VGG's, each a weight and a bias") from error
    if len(pairs) < len(both) or any(name.endswith("running_mean") for name in features):
        raise InputError("a VGG with batch normalization, which is another network")
    return _named(pairs)


def _keras(path: Path) -> tuple[Layer, ...]:
    """The groups `blockB_convI`, each a kernel [h, w, in, out] and a bias, wherever they are.

    A head is left out: KERAS_BESIDE, and any layer without a convolution that the file lists behind
    all those groups. Another layer with weights is another network's.
    """
    try:
        import h5py
    except ImportError as error:
        raise InputError("needs h5py to be read: pip install h5py") from error
    arrays: dict[str, list[np.ndarray]] = {}
    others: set[tuple[int, bool, str]] = set()  # place, whether it convolves, name
    order: list[str] = []  # names of the model's layers, one of which may be a model itself
    last = -1  # place of the last in which a block is

    def collect(name: str, item: object) -> None:
        nonlocal last
        parts = [part for part in name.split("/") if part not in KERAS_ABOVE] or [name]
        if not isinstance(item, h5py.Dataset) or not item.ndim or parts[0] in KERAS_BESIDE:
            return
        block = re.match(r"block(\d)_conv(\d)$", parts[0])
        place = next((order.index(part) for part in name.split("/") if part in order), -1)
        if block is None:
            others.add((place, item.ndim > 3, parts[0]))
        elif item.size > KERNEL_MAX:
            raise InputError(f"{parts[0]} has a kernel of shape {item.shape}, not VGG's")
        else:
            last = max(last, place)
            arrays.setdefault(f"conv{block[1]}_{block[2]}", []).append(np.asarray(item))

    try:
        with h5py.File(path) as file:
            names = file.get("model_weights", file).attrs.get("layer_names", ())
            order += [each.decode() if isinstance(each, bytes) else each for each in names]
            file.visititems(collect)
            _check_config(json.loads(file.attrs.get("model_config", "{}")))
    except InputError:
        raise
    except (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise InputError("a damaged HDF5 file; fetch it again") from error
    refused = [name for place, convolves, name in others if convolves or place <= last]
    if refused:
        raise InputError(
            f"its layer {min(refused)!r} is none of Keras' VGG, such as 'block1_conv1': another"
            " network, or one saved without names (.weights.h5)"
        )
    try:
        pairs = [
            tuple(sorted(found, key=np.ndim, reverse=True)) for _, found in sorted(arrays.items())
        ]
        both = [(kernel, bias) for kernel, bias in pairs]
    except ValueError as error:
        raise InputError("its blocks are not a VGG's, each a kernel and a bias") from error
    return _named(both)


def _check_config(model: dict[str, Any]) -> None:
    """Raise InputError, which names the layer, if convolutions of a model, or of one in it, are not
    as VGG's.
    """
    config = model.get("config", {})
    # Sequential's is the list itself before Keras 2.2.3.
    for layer in config if isinstance(config, list) else config.get("layers", ()):
        _check_config(layer)
        for key, value in KERAS_CONV.items() if layer["class_name"] == "Conv2D" else ():
            given = layer["config"].get(key, value)
            if given != value:
                name = layer["config"]["name"]
                raise InputError(f"its layer {name!r} has {key} {given}: another network")


def _lasagne(path: Path) -> tuple[Layer, ...]:
    """Kernels [out, in, h, w] and biases by turns, in the order of the layers.

    Its network correlates, as ours does: the kernels are not turned (lasagne.layers.dnn)."""
    arrays = pickles.lasagne(path)
    try:
        both = zip(arrays[::2], arrays[1::2], strict=True)
        pairs = [(kernel.transpose(2, 3, 1, 0), bias) for kernel, bias in both]
    except ValueError as error:
        raise InputError("its arrays are not a VGG's, a kernel and a bias each") from error
    return _named(pairs)


def _named(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[Layer, ...]:
    """Kernels and biases as the layers of the VGG that has so many convolutions."""
    found = list(pairs)
    for trunk in TRUNKS.values():
        names = of_kind("conv", trunk)
        if len(names) == len(found):
            return tuple(
                Layer(name, *(weights.numbers(array, name) for array in pair))
                for name, pair in zip(names, found, strict=True)
            )
    raise InputError(
        f"{len(found)} convolutions, where VGG-16 has 13 and VGG-19 has 16: another network"
    )
