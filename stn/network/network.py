"""The network of a run as one value: its kernels, how they are used, and how pictures enter it."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stn.assets import matconvnet
from stn.assets.weights import Weights
from stn.backend import tf
from stn.config import schema
from stn.errors import InputError
from stn.layers import LAYERS, of_kind
from stn.network import convolution as algorithm
from stn.network import rescale, vgg
from stn.network.vgg import AS_DEFAULT, Options


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
    options: Options = AS_DEFAULT
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
        plain = load(self.path, self.convolution, operation=self.operation)
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
        pools = LAYERS[layer].block - (LAYERS[layer].kind != "pool")
        return 4 * self.channels(layer) * pixels / 4**pools

    def channels(self, layer: str) -> int:
        """N of a layer."""
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
        """The last of `layers` on the way through the network."""
        return max(layers, key=self.layer_names.index)


def load(
    path: Path,
    convolution: str = "direct",
    rescaling: str | None = None,
    pooling: str = "avg",
    mean_pixel: Sequence[float] | None = None,
    input_range: float = 255.0,
    transposed: bool = False,
    bgr: bool = False,
    feature_scale: float = 1.0,
    operation: str | None = None,
) -> Network:
    """The network in a MatConvNet file, its convolutions to be computed as `convolution` says
    (`vgg.kernels`).

    `rescaling` is None, one of `schema.Network.POWERS` or a file of mean activations (rescale.py),
    which are those with `pooling`. Where the network is to see another `input_range` than 255, its
    first kernels and mean pixel take the factor, so that images keep their 0-255. With `transposed`
    each kernel has rows and columns exchanged, as anishathalye/neural-style loads them (vgg.py,
    net_preloaded; METHODS, §1), after the rescaling, whose means are those of upright kernels. With
    `bgr` the network's first channel is blue and its third red; `mean_pixel` stays RGB. The
    features of every layer are multiplied by `feature_scale`: by it the first kernel and all biases
    are, and ReLUs and poolings pass such a factor on. `operation` makes direct convolutions, None:
    what suits the machine.

    Raises InputError if a file is missing, damaged, or not a VGG's, or if eager execution is
    off."""
    if not tf.executing_eagerly():
        raise InputError(
            "TensorFlow's eager execution is off (tf.compat.v1.disable_eager_execution), and cannot"
            " be turned on again; start Python anew without it"
        )
    of_file, method = matconvnet.load(path), algorithm.chosen(convolution)
    loaded = of_file
    if rescaling in schema.Network.POWERS:
        power = schema.Network.POWERS[rescaling]
        loaded = rescale.rescaled(loaded, rescale.default_means(loaded, path, pooling, power))
    elif rescaling is not None:
        loaded = rescale.rescaled(loaded, rescale.read_means(Path(rescaling)))
    if mean_pixel is not None:
        # After the rescaling, whose means are those of the file's own mean pixel.
        loaded = dataclasses.replace(loaded, mean_pixel=np.array(mean_pixel, np.float32))
    if transposed:
        exchanged = (
            dataclasses.replace(each, kernel=each.kernel.swapaxes(0, 1)) for each in loaded.layers
        )
        loaded = dataclasses.replace(loaded, layers=tuple(exchanged))
    if bgr:
        first, *others = loaded.layers
        first = dataclasses.replace(first, kernel=first.kernel[:, :, ::-1])
        loaded = dataclasses.replace(loaded, layers=(first, *others))
    if input_range != 255:
        first, *others = loaded.layers
        first = dataclasses.replace(first, kernel=first.kernel * np.float32(input_range / 255))
        mean = (loaded.mean_pixel * (255 / input_range)).astype(np.float32)
        loaded = dataclasses.replace(loaded, layers=(first, *others), mean_pixel=mean)
    if feature_scale != 1:
        factor = np.float32(feature_scale)
        first, *others = (
            dataclasses.replace(each, bias=each.bias * factor) for each in loaded.layers
        )
        first = dataclasses.replace(first, kernel=first.kernel * factor)
        loaded = dataclasses.replace(loaded, layers=(first, *others))
    if operation is None:
        operation = algorithm.operation(max(layer.bias.size for layer in loaded.layers))
    made = of_weights(loaded, method, Options(pooling), operation)
    return dataclasses.replace(made, path=path, changed=loaded is not of_file)


def of_weights(
    weights: Weights,
    method: str = "direct",
    options: Options = AS_DEFAULT,
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
