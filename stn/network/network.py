"""The network of a run as one value: its kernels, how they are used, and how pictures enter it."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stn import files
from stn.assets import matconvnet
from stn.assets.weights import Weights
from stn.backend import tf
from stn.config import schema
from stn.errors import InputError
from stn.layers import COLORS, LAYERS, of_kind, stride_of
from stn.network import convolution, quickest, rescale, vgg
from stn.network.vgg import Options


@dataclass(frozen=True)
class Network:
    """A VGG ready to compute with. It also converts pictures: `rgb` [h, w, 3], 0-255, to `image`
    [1, h, w, 3], float32, from which the mean pixel [3] is subtracted, and back.

    `widths` is the number of filters of each convolution, `sha256` the weight file's checksum.
    """

    kernels: vgg.Kernels
    mean_pixel: np.ndarray
    layer_names: tuple[str, ...]
    widths: dict[str, int]
    depth: int
    sha256: str
    path: Path
    convolution: str  # winograd or direct
    changed: bool  # not as its file has it
    options: Options = vgg.AS_DEFAULT
    operation: str = "conv2d"  # what makes direct convolutions (`convolution.OPERATIONS`)

    @property
    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """Black and white [3] as the network sees them."""
        return 0 - self.mean_pixel, 255 - self.mean_pixel

    def image(self, rgb: np.ndarray) -> np.ndarray:
        """`rgb` [h, w, 3], 0-255, as the network sees it: [1, h, w, 3], float32."""
        return (rgb - self.mean_pixel)[None].astype(np.float32)

    def rgb(self, image: np.ndarray) -> np.ndarray:
        """`image` [1, h, w, 3] as a picture [h, w, 3], clipped to 0-255."""
        return np.clip(np.asarray(image, dtype=np.float64)[0] + self.mean_pixel, 0, 255)

    def clipped_share(self, image: np.ndarray) -> float:
        """The share of the values of `image` [1, h, w, 3] that 8 bits cannot hold: those more than
        half a step outside 0-255.
        """
        values = np.asarray(image, dtype=np.float64)[0] + self.mean_pixel
        return float(((values < -0.5) | (values > 255.5)).mean())

    @property
    def gradient_checkpointing(self) -> bool:
        """Whether large blocks are computed by rows."""
        return self.options.gradient_checkpointing

    def with_options(self, **changes: Any) -> "Network":
        """The same network with other Options."""
        return dataclasses.replace(self, options=self.options._replace(**changes))

    def plain(self) -> "Network":
        """The same network as its file has it: not rescaled or transposed, red first, its own mean
        pixel, and white at 255.
        """
        if not self.changed:
            return self
        plain = load(self.path, schema.Network(convolution=self.convolution), self.operation)
        return dataclasses.replace(plain, options=self.options)

    def activation_bytes(self, deepest: str, pixels: float) -> list[float]:
        """Bytes of each convolution's float32 output up to the layer `deepest`, for an image of
        that many pixels.
        """
        found: list[float] = []
        for name in self.layer_names[: self.layer_names.index(deepest) + 1]:
            if LAYERS[name].kind == "conv":
                found.append(4 * self.widths[name] * pixels)
            elif LAYERS[name].kind == "pool":
                pixels /= 4
        return found

    def feature_bytes(self, layer: str, pixels: float) -> float:
        """Bytes of the float32 features at one layer, for an image of that many pixels."""
        return 4 * self.channels(layer) * pixels / stride_of(layer) ** 2

    def channels(self, layer: str) -> int:
        """N of a layer."""
        if layer == COLORS:
            return 3
        before = self.layer_names[: self.layer_names.index(layer) + 1]
        return self.widths[of_kind("conv", before)[-1]]

    def gram_parameters(self, layers: Iterable[str], components: int | None = None) -> int:
        """How many numbers describe a texture: Σ N(N+1)/2 over the Gram matrices of `layers`, which
        are symmetric.

        `components`, where given, is how many principal components of the N channels are kept
        (Gatys, Ecker & Bethge 2015, NIPS, figure 3)."""
        total = 0
        for layer in layers:
            N = min(self.channels(layer), components or self.channels(layer))
            total += N * (N + 1) // 2
        return total

    def deepest(self, layers: Sequence[str]) -> str:
        """The last of `layers` on the way through the network, or its first."""
        reached = [layer for layer in layers if layer != COLORS]
        return max(reached, key=self.layer_names.index, default=self.layer_names[0])


AS_DEFAULT = schema.Network()


def load(
    path: Path,
    chosen: schema.Network = AS_DEFAULT,
    operation: str | None = None,
    of_file: Weights | None = None,
) -> Network:
    """The network in a MatConvNet file, used as `chosen` says; its name and its weights are not
    looked at.

    `operation` makes direct convolutions; if it is none of `convolution.OPERATIONS`, what suits the
    machine does. `of_file` is what the file holds, where it was read already.
    Raises InputError if a file is missing, damaged, or not a VGG's, or if eager execution is
    off."""
    if not tf.executing_eagerly():
        raise InputError(
            "TensorFlow's eager execution is off (tf.compat.v1.disable_eager_execution), and cannot"
            " be turned on again; start Python anew without it"
        )
    of_file = of_file or matconvnet.load(path)
    loaded = _changed(_rescaled(of_file, path, chosen), chosen)
    if operation not in convolution.OPERATIONS:
        operation = quickest.operation(max(layer.bias.size for layer in loaded.layers))
    options = Options(chosen.pooling, chosen.ceil_mode, chosen.border)
    made = of_weights(loaded, quickest.chosen(chosen.convolution), options, operation)
    return dataclasses.replace(made, path=path, changed=loaded is not of_file)


def _rescaled(weights: Weights, path: Path, chosen: schema.Network) -> Weights:
    """By the means of `network.rescale`, which are those with the pooling that is chosen."""
    if chosen.rescale is None:
        return weights
    power = schema.Network.POWERS.get(chosen.rescale)
    if power is None:
        return rescale.rescaled(weights, rescale.read_means(files.expanded(chosen.rescale)))
    means = rescale.default_means(weights, path, chosen.pooling, power)
    return rescale.rescaled(weights, means)


def _changed(weights: Weights, chosen: schema.Network) -> Weights:
    """The weights as a published program has them in memory, itself where that is as in the file.

    It comes after the rescaling, whose means are those of upright kernels and of the file's own
    mean pixel. `transposed` kernels are those of anishathalye/neural-style (vgg.py, net_preloaded;
    METHODS, §1). With `bgr` the first channel is blue and the third red; `mean_pixel` stays RGB.
    Where white is another `input_range` than 255, the first kernels and the mean pixel take the
    factor, so that images keep their 0-255. `feature_scale` multiplies the features of every layer:
    by it the first kernel and all biases are, and ReLUs and poolings pass such a factor on."""
    if chosen.mean_pixel is not None:
        mean = np.array(chosen.mean_pixel, np.float32)
        weights = dataclasses.replace(weights, mean_pixel=mean)
    if chosen.transposed:
        exchanged = [
            dataclasses.replace(each, kernel=each.kernel.swapaxes(0, 1)) for each in weights.layers
        ]
        weights = dataclasses.replace(weights, layers=tuple(exchanged))
    if chosen.bgr:
        weights = _with_first(weights, lambda kernel: kernel[:, :, ::-1])
    if chosen.input_range != 255:
        factor = np.float32(chosen.input_range / 255)
        mean = (weights.mean_pixel * (255 / chosen.input_range)).astype(np.float32)
        weights = _with_first(weights, lambda kernel: kernel * factor)
        weights = dataclasses.replace(weights, mean_pixel=mean)
    if chosen.feature_scale != 1:
        scale = np.float32(chosen.feature_scale)
        scaled = [dataclasses.replace(each, bias=each.bias * scale) for each in weights.layers]
        weights = dataclasses.replace(weights, layers=tuple(scaled))
        weights = _with_first(weights, lambda kernel: kernel * scale)
    return weights


def _with_first(weights: Weights, change: Callable[[np.ndarray], np.ndarray]) -> Weights:
    """The same with the kernel [3, 3, 3, N] of the first convolution changed."""
    first, *others = weights.layers
    first = dataclasses.replace(first, kernel=change(first.kernel))
    return dataclasses.replace(weights, layers=(first, *others))


def of_weights(
    weights: Weights,
    method: str = "direct",
    options: Options = vgg.AS_DEFAULT,
    operation: str = "conv2d",
) -> Network:
    """A network of weights that are in memory already."""
    widths = {layer.name: layer.bias.size for layer in weights.layers}
    return Network(
        vgg.kernels(weights, method, operation),
        weights.mean_pixel,
        weights.layer_names,
        widths,
        weights.depth,
        weights.sha256,
        Path(),
        method,
        changed=False,
        options=options,
        operation=operation,
    )
