"""A VGG network's weights as a value, the names of its layers, and the check that they are a
VGG's.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from stn.errors import InputError
from stn.layers import FULLY_CONNECTED, LAYERS, TRUNKS, depth_of, of_kind

# Mean RGB of the ImageNet training set, as in the files' normalization.averageImage (METHODS.md
# §1).
IMAGENET_MEAN = (123.68, 116.779, 103.939)
BLUE_FIRST = 4  # of 255, ours: so near the same pixel backwards, whose ends are 20 apart


@dataclass(frozen=True)
class Layer:
    """One convolution: `kernel` [h, w, in, out] as `tf.nn.conv2d` takes it, `bias` [out];
    float32.
    """

    name: str
    kernel: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class Weights:
    """A VGG network: its convolutions in order, the mean pixel [3] (RGB, 0-255), class names if the
    file has them.
    """

    layers: tuple[Layer, ...]
    mean_pixel: np.ndarray
    classes: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def depth(self) -> int:
        """19 if there is a fourth convolution in a block, else 16."""
        return depth_of(layer.name for layer in self.layers)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Every conv, relu and pool layer that these weights can compute, in order."""
        present = {layer.name for layer in self.layers}
        names: list[str] = []
        for name in TRUNKS[self.depth]:
            if LAYERS[name].kind == "conv" and name not in present:
                break
            names.append(name)
        return tuple(names)

    def layer(self, name: str) -> Layer:
        """The convolution of that name; KeyError if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)


def numbers(array: Any, layer: str) -> np.ndarray:
    """An array of a file as float32; InputError, which names the layer, if it holds others than
    real numbers. What is too large becomes infinite, which `check` refuses.
    """
    found = np.asarray(array)
    if found.dtype.kind not in "biuf":
        what = {"c": "complex numbers", "U": "text", "S": "text"}.get(found.dtype.kind)
        raise InputError(f"{layer} holds {what or 'no numbers'}")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(found, np.float32)


def check(layers: tuple[Layer, ...], mean_pixel: np.ndarray) -> None:
    """Raise InputError, without the file's name, unless these are a VGG's convolutions, in its
    order, with numbers in them, and a mean pixel [3], red first.
    """
    names = [layer.name for layer in layers]
    head = sum(name in FULLY_CONNECTED for name in names)
    for trunk in TRUNKS.values():
        convs = of_kind("conv", trunk)[: len(names) - head]
        if convs and names == [*convs, *FULLY_CONNECTED[:head]]:
            break
    else:
        raise InputError(
            f"its layers ({', '.join(map(repr, names[:6]))} …) are not those of VGG-16 or VGG-19"
        )
    channels = 3
    for layer in layers:
        size = {"fc6": (7, 7), "fc7": (1, 1), "fc8": (1, 1)}.get(layer.name, (3, 3))
        if (
            layer.kernel.ndim != 4
            or layer.kernel.shape[:3] != (*size, channels)
            or 0 in layer.kernel.shape
        ):
            raise InputError(f"{layer.name} has a kernel of shape {layer.kernel.shape}, not VGG's")
        channels = layer.kernel.shape[3]
        if layer.bias.shape != (channels,):
            raise InputError(f"{layer.name} has {layer.bias.size} biases for {channels} filters")
        if not (np.isfinite(layer.kernel).all() and np.isfinite(layer.bias).all()):
            raise InputError(f"{layer.name} holds NaN or infinite numbers; fetch the file again")
    if mean_pixel.shape != (3,) or not ((mean_pixel >= 0) & (mean_pixel < 256)).all():
        raise InputError("normalization.averageImage is not a mean RGB pixel in 0-255")
    if mean_pixel.any() and mean_pixel.max() <= 1:
        raise InputError("normalization.averageImage is in 0-1, as the pixels of another network")
    if np.abs(mean_pixel[::-1] - IMAGENET_MEAN).max() < BLUE_FIRST:
        raise InputError(
            "normalization.averageImage has blue first, so the kernels may have too; put both in"
            " the order of red, green and blue"
        )
