"""Small random VGG networks, and writers of the MatConvNet layouts that the project itself does not
write.
"""

import random
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from stn.assets import weights
from stn.assets.weights import Layer, Weights
from stn.layers import CONVS_PER_BLOCK

LAYOUTS = ("current", "beta16", "filters")
CLASSES = ("tench, Tinca tinca", "goldfish, Carassius auratus", "great white shark", "hammerhead")


def vgg(
    depth: int = 16, channels: int = 2, last: str = "conv5_3", head: bool = False, seed: int = 0
) -> Weights:
    """Random weights, `channels` filters a layer, up to convolution `last` of VGG-`depth`; He's
    scale, no bias zero.
    """
    rng = np.random.default_rng(seed)
    last = "conv5_4" if depth == 19 and last == "conv5_3" else last
    convs = [
        f"conv{block}_{i}"
        for block, n in enumerate(CONVS_PER_BLOCK[depth], 1)
        for i in range(1, n + 1)
    ]
    shapes = dict.fromkeys(convs[: convs.index(last) + 1], (3, 3, channels))
    shapes |= {"fc6": (7, 7, 4), "fc7": (1, 1, 4), "fc8": (1, 1, len(CLASSES))} if head else {}
    layers: list[Layer] = []
    inputs = 3
    for name, (height, width, outputs) in shapes.items():
        kernel = rng.normal(
            0, (2 / (height * width * inputs)) ** 0.5, (height, width, inputs, outputs)
        )
        bias = rng.uniform(0.1, 1, outputs)
        layers.append(Layer(name, kernel.astype(np.float32), bias.astype(np.float32)))
        inputs = outputs
    mean_pixel = np.array(weights.IMAGENET_MEAN, dtype=np.float32)
    return Weights(tuple(layers), mean_pixel, CLASSES if head else ())


def write(
    path: Path,
    network: Weights,
    layout: str = "current",
    shuffle: int | None = None,
    **options: Any,
) -> Path:
    """Write `network` in one of LAYOUTS, its layers as they stand, right or wrong; returns
    `path`.
    """
    scipy.io.savemat(path, contents(network, layout, shuffle), **options)
    return path


def contents(
    network: Weights, layout: str = "current", shuffle: int | None = None, side: int = 224
) -> dict[str, Any]:
    """The variables of a MatConvNet file (METHODS.md §1); `shuffle` seeds a random order of fields
    in every struct.
    """

    def struct(**fields: Any) -> dict[str, Any]:
        names = list(fields)
        if shuffle is not None:
            random.Random(f"{shuffle} {names}").shuffle(names)
        return {name: fields[name] for name in names}

    structs: list[dict[str, Any]] = []
    last_of_blocks = {f"conv{i}_{n}" for i, n in enumerate(CONVS_PER_BLOCK[network.depth], 1)}
    for layer in network.layers:
        name, kernel = layer.name, layer.kernel
        pad = np.full((1, 4), 1.0 if name.startswith("conv") else 0.0)
        row, column = layer.bias.reshape(1, -1), layer.bias.reshape(-1, 1)
        if layout == "beta16":
            fields = {
                "weights": cell(kernel, row),
                "pad": pad,
                "type": "conv",
                "name": name,
                "stride": np.ones((1, 2)),
            }
        elif layout == "filters":
            fields = {
                "type": "conv",
                "name": name,
                "filters": kernel,
                "biases": row,
                "stride": 1.0,
                "pad": pad,
            }
        else:
            fields = {
                "name": name,
                "type": "conv",
                "weights": cell(kernel, column),
                "size": np.ones((1, 4)),
            }
            fields |= {
                "pad": pad,
                "stride": np.ones((1, 2)),
                "precious": False,
                "dilate": 1.0,
                "opts": cell(),
            }
        structs += [
            struct(**fields),
            struct(type="relu", name=name.replace("conv", "relu").replace("fc", "relu")),
        ]
        if name in last_of_blocks:
            pool = {
                "name": f"pool{name[4]}",
                "stride": np.full((1, 2), 2.0),
                "pad": np.array([[0.0, 1.0, 0.0, 1.0]]),
            }
            structs.append(struct(**pool, type="pool", method="max", pool=np.full((1, 2), 2.0)))
    if network.layers and network.layers[-1].name == "fc8":
        structs[-1] = struct(type="softmax", name="prob")
    average = network.mean_pixel.astype(np.float64 if layout == "current" else np.float32).reshape(
        1, 1, -1
    )
    average = average if layout == "current" else np.tile(average, (side, side, 1))
    meta = {
        "normalization": struct(
            imageSize=np.array([[224.0, 224.0, 3.0]]), averageImage=average, keepAspect=True
        )
    }
    if network.classes:
        names = [f"n{i:08d}" for i in range(len(network.classes))]
        meta["classes"] = struct(name=cell(*names), description=cell(*network.classes))
    return {"layers": cell(*structs), **({"meta": struct(**meta)} if layout == "current" else meta)}


def cell(*items: Any) -> np.ndarray:
    """A MATLAB cell array (1, n)."""
    array = np.empty((1, len(items)), dtype=object)
    for i, item in enumerate(items):
        array[0, i] = item
    return array


def assert_same(found: Weights, expected: Weights) -> None:
    """Same layers in the same order with the same numbers, same mean pixel, same classes."""
    assert [layer.name for layer in found.layers] == [layer.name for layer in expected.layers]
    for layer, right in zip(found.layers, expected.layers, strict=True):
        assert layer.kernel.dtype == layer.bias.dtype == np.float32
        np.testing.assert_array_equal(layer.kernel, right.kernel, err_msg=layer.name)
        np.testing.assert_array_equal(layer.bias, right.bias, err_msg=layer.name)
    np.testing.assert_allclose(found.mean_pixel, expected.mean_pixel, rtol=1e-6)
    assert found.classes == expected.classes
