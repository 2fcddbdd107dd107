"""The network of a run as one value: what computes features, and what tells where it came from."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stn.assets import matconvnet
from stn.network import convolution as algorithm
from stn.network import rescale, vgg


@dataclass(frozen=True)
class Network:
    """A VGG ready to compute with: its convolutions as tensors and the mean pixel [3], RGB, that
    its input lacks.

    `widths` are the filters of each convolution by name, `sha256` the weight file's checksum.
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
    gradient_checkpointing: bool = False  # by rows, where those of a whole picture are large

    def plain(self) -> "Network":
        """The same network as its file has it: not rescaled or transposed, red first, its own mean
        pixel, and white at 255.
        """
        if not self.changed:
            return self
        return dataclasses.replace(
            load(self.path, self.convolution), gradient_checkpointing=self.gradient_checkpointing
        )

    def activation_bytes(self, deepest: str, pixels: float) -> list[float]:
        """Bytes of each convolution's float32 output up to the layer `deepest`, for an image of
        that many pixels.
        """
        found: list[float] = []
        for name in self.layer_names[: self.layer_names.index(deepest) + 1]:
            if name.startswith("conv"):
                found.append(4 * self.widths[name] * pixels)
            elif name.startswith("pool"):
                pixels /= 4
        return found

    def feature_bytes(self, layer: str, pixels: float) -> float:
        """Bytes of the float32 features at one layer, for an image of that many pixels."""
        before = self.layer_names[: self.layer_names.index(layer) + 1]
        convolution = next(name for name in reversed(before) if name in self.widths)
        pools = sum(name.startswith("pool") for name in before)
        return 4 * self.widths[convolution] * pixels / 4**pools

    def gram_parameters(self, layers: Iterable[str], components: int | None = None) -> int:
        """How many numbers describe a texture: Σ N(N+1)/2 over the Gram matrices of `layers`, which
        are symmetric.

        `components`, where given, is how many principal components of the N channels are kept
        (Gatys, Ecker & Bethge 2015, NIPS, figure 3)."""
        total = 0
        for layer in layers:
            before = self.layer_names[: self.layer_names.index(layer) + 1]
            N = [self.widths[name] for name in before if name.startswith("conv")][-1]
            N = min(N, components or N)
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
) -> Network:
    """The network in a MatConvNet file, its convolutions to be computed as `convolution` says
    (`vgg.kernels`).

    `rescaling` is None, `default` or a file of mean activations (rescale.py), which are those with
    `pooling`. Where the network is to see another `input_range` than 255, its first kernels and
    mean pixel take the factor, so that images keep their 0-255. With `transposed` each kernel has
    rows and columns exchanged, as anishathalye/neural-style loads them (vgg.py, net_preloaded;
    METHODS, §1), after the rescaling, whose means are those of upright kernels. With `bgr` the
    network's first channel is blue and its third red; `mean_pixel` stays RGB. Raises InputError
    if a file is missing, damaged, or not a VGG's."""
    of_file, method = matconvnet.load(path), algorithm.chosen(convolution)
    loaded = of_file
    if rescaling == "default":
        loaded = rescale.rescaled(loaded, rescale.default_means(loaded, path, pooling))
    elif rescaling is not None:
        loaded = rescale.rescaled(loaded, rescale.read_means(Path(rescaling)))
    if (
        mean_pixel is not None
    ):  # after the rescaling, whose means are those of the file's own mean pixel
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
    return Network(
        vgg.kernels(loaded, method),
        loaded.mean_pixel,
        loaded.layer_names,
        {layer.name: layer.bias.size for layer in loaded.layers},
        loaded.depth,
        loaded.sha256,
        path,
        method,
        changed=loaded is not of_file,
    )
