"""Guidance channels: what masks become at the layers of the network.

A mask is [h, w], 0-1 (stn/images/masks.py). At a layer it becomes a channel T [h_l, w_l], one
number for each position (Gatys et al. 2017, CVPR, section 4). "The authors' code" is
leongatys/NeuralImageSynthesis, SpatialControl.ipynb."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from stn.config.schema import Guidance
from stn.images import masks
from stn.layers import LAYERS
from stn.loss.statistics import Statistic
from stn.network import vgg

# Channels T {layer: [h, w]} of one mask; None for a whole picture.
Guides = Mapping[str, np.ndarray] | None
# Statistics that are asked of a painting, each under guides.
Asked = Sequence[tuple[Statistic, Guides]]
# The authors' `th`: from it on, a soft mask counts as inside where there is only in or out.
THRESHOLD = 0.5


class GuidanceChannels(NamedTuple):
    """A mask at the layers: {layer: T [h_l, w_l]}, float64, ΣT² = 1; and where `simple` stood in
    (see `propagate`).
    """

    layers: dict[str, np.ndarray]
    vanished: tuple[str, ...]


def propagate(
    mask: np.ndarray,
    layers: Collection[str],
    layer_names: Iterable[str],
    guidance: Guidance,
    options: vgg.Options = vgg.AS_DEFAULT,
) -> GuidanceChannels:
    """`mask` [h, w], of the picture's size, at each of `layers`, scaled to ΣT² = 1 so that areas
    drop out of the loss. `layer_names` are all the network's, in order.

    `guidance.propagation` says how. simple: resized, soft. inside: one where all that a position
    sees is inside. Eroding by each convolution and pooling tells that exactly (the authors probe
    the network with noise). What lies beyond the picture's border counts as inside, since it does
    not depend on the picture; with border=wrap a position sees the other side. all: one where any
    of it is inside. `guidance.margin`, in positions of the layer, then grows (above zero) or
    shrinks the guide by a square; `simple` is first cut at THRESHOLD.

    A region narrower than what a position sees, 156 pixels at relu5_1, has no *inside* there. Such
    layers are in `vanished`, and take `simple` without margin instead: skipped, as the authors skip
    them, the region would have no style at that scale. A mask of ones gives the paper's global
    channel."""
    # nearest: a window at the border has only what is there
    mode = "wrap" if options.border == "wrap" else "nearest"
    layer_names = _as_deep(layers, layer_names)
    if guidance.propagation == "simple":
        found = _resized(mask, layer_names, options.ceil_mode)
    else:
        inside = mask >= THRESHOLD
        found = _seen(inside, layer_names, options.ceil_mode, guidance.propagation, mode)
    guides, vanished = {}, []
    for layer in layers:
        T = found[layer]
        if guidance.margin:
            T = _with_margin(T, guidance.margin, mode)
        if not T.any():
            vanished.append(layer)
            T = masks.resize(mask, *T.shape)
        guides[layer] = guide(T)
    return GuidanceChannels(guides, tuple(vanished))


def guide(T: np.ndarray) -> np.ndarray:
    """T [h, w], float64, scaled to ΣT² = 1."""
    scaled: np.ndarray = T / np.sqrt(np.square(T, dtype=np.float64).sum())
    return scaled


def tags(
    mask: np.ndarray,
    layers: Collection[str],
    layer_names: Iterable[str],
    ceil_mode: bool,
    highest: float,
) -> dict[str, np.ndarray]:
    """Tags [h, w] at `layers` of a picture whose grays are classes: `highest` where it is white,
    the negative of it where it is black.

    Each pooling takes the largest (kyle-gao's copy of the authors' program of Heitz et al. 2021,
    texture_synthesis_with_tags.ipynb). The rest as in `propagate`."""
    at_size, found = highest * (2 * mask - 1), {}
    for name in _as_deep(layers, layer_names):
        if LAYERS[name].kind == "pool":
            at_size = _pooled(at_size, ceil_mode, np.max)
        found[name] = at_size
    return {layer: found[layer] for layer in layers}


def _as_deep(layers: Collection[str], layer_names: Iterable[str]) -> list[str]:
    """Those of `layer_names` up to the deepest of `layers`; a small picture has no more."""
    names = list(layer_names)
    return names[: 1 + max(map(names.index, layers), default=-1)]


def _resized(
    mask: np.ndarray, layer_names: Iterable[str], ceil_mode: bool
) -> dict[str, np.ndarray]:
    """`mask` at every layer's size."""
    height, width = mask.shape
    at_size, found = mask, {}
    for name in layer_names:
        if LAYERS[name].kind == "pool":
            height, width = ((side + ceil_mode) // 2 for side in (height, width))
            at_size = masks.resize(mask, height, width)
        found[name] = at_size
    return found


def _seen(
    inside: np.ndarray, layer_names: Iterable[str], ceil_mode: bool, which: str, mode: str
) -> dict[str, np.ndarray]:
    """At every layer, whether all or any of what a position sees is `inside`, a boolean [h, w]."""
    spread, reduce = {
        "inside": (ndimage.minimum_filter, np.min),
        "all": (ndimage.maximum_filter, np.max),
    }[which]
    found = {}
    for name in layer_names:
        if LAYERS[name].kind == "conv":
            inside = spread(inside, 3, mode=mode)
        elif LAYERS[name].kind == "pool":
            inside = _pooled(inside, ceil_mode, reduce)
        found[name] = inside
    return found


def _pooled(values: np.ndarray, ceil_mode: bool, reduce: Callable[..., np.ndarray]) -> np.ndarray:
    """Windows of two by two of `values` [h, w], each reduced to one."""
    height, width = values.shape
    if ceil_mode:
        # The last window has one pixel; twice the same does not change what it sees.
        values = np.pad(values, ((0, height % 2), (0, width % 2)), mode="edge")
    windows = values[: values.shape[0] // 2 * 2, : values.shape[1] // 2 * 2]
    windows = windows.reshape(windows.shape[0] // 2, 2, windows.shape[1] // 2, 2)
    return reduce(windows, axis=(1, 3))


def _with_margin(T: np.ndarray, margin: int, mode: str) -> np.ndarray:
    """`T`, in or out, grown by `margin` positions to each side, or shrunk where it is negative."""
    spread = ndimage.maximum_filter if margin > 0 else ndimage.minimum_filter
    return spread(T >= THRESHOLD, 2 * abs(margin) + 1, mode=mode)
