"""Masks: where in a picture a style is taken from or painted, and the guidance channels that they
become at the layers of the network.

A mask is [h, w], 0-1: one is inside, values between are soft edges. At a layer it becomes a
guidance channel T [h_l, w_l], one number a position (Gatys et al. 2017, CVPR, §4). "The authors'
code" is leongatys/NeuralImageSynthesis, SpatialControl.ipynb."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import skimage.draw
from scipy import ndimage

from stn.errors import InputError
from stn.images import color, resizing
from stn.layers import LAYERS

# The authors' `th`: from it on, a soft mask counts as inside where there is only in or out.
THRESHOLD = 0.5
# Ours, of 0-255: what a JPEG leaves of black, and how far its channels are apart where it was gray.
BLACK, TINT = 5, 40
# Ours: soft edges of two masks that were rounded, or saved as JPEG, still add up to one.
SLACK = 0.1


class GuidanceChannels(NamedTuple):
    """A mask at the layers: {layer: T [h_l, w_l]}, float64, ΣT² = 1; and where `simple` stood in
    (see `propagate`).
    """

    layers: dict[str, np.ndarray]
    vanished: tuple[str, ...]


def from_picture(rgb: np.ndarray, name: str, opacity: np.ndarray | None = None) -> np.ndarray:
    """A picture `rgb` [h, w, 3], 0-255, as a mask [h, w], 0-1: white is inside.

    What `opacity` [h, w], 0-1, says to be transparent is outside. Raises InputError, which begins
    with `name` (key=path), for a mask that is black everywhere and for one with colors, which is a
    picture in the wrong place."""
    if np.ptp(rgb, axis=-1).max() > TINT:
        raise InputError(
            f"{name}: has colors; a mask is a gray picture, white inside and black outside"
        )
    values = color.luma(rgb)
    if opacity is not None:
        values = values * opacity
    if values.max() <= BLACK:
        raise InputError(
            f"{name}: is black everywhere, so nothing is inside; paint white what it is to cover"
        )
    return np.clip(values / 255, 0, 1)


DRAWN = "polygon:"  # and then the corners: x y x y …, shares of width and height
_DRAWN_PX = 1024  # ours: a mask is resized to its picture


def is_drawn(path: str) -> bool:
    """Whether a mask is written out as a polygon rather than the path of a picture."""
    return path.startswith(DRAWN)


def drawn(path: str, key: str) -> np.ndarray:
    """The mask [h, w], 0-1, `polygon:0 0 1 0 1 .4 0 .4`: corners x y from the upper left, shares of
    width and height; 1 within.

    Raises InputError, which names `key`, for what is no polygon or covers nothing.
    """
    try:
        x, y = np.array(path.removeprefix(DRAWN).split(), float).reshape(-1, 2).T
        if len(x) < 3 or not np.isfinite([x, y]).all():
            raise ValueError
    except ValueError:
        raise InputError(
            f"{key}={path}: give three or more corners as x y, shares of width and height, such as "
            "'polygon:0 0 1 0 1 0.4 0 0.4' for the upper two fifths"
        ) from None
    mask = skimage.draw.polygon2mask(
        (_DRAWN_PX, _DRAWN_PX), np.stack([y, x], -1) * _DRAWN_PX - 0.5
    ).astype(float)
    if not mask.any():
        raise InputError(f"{key}={path}: covers nothing of the picture; its sides are from 0 to 1")
    return mask


def resize(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """`mask` [h, w] at another size, [height, width]: the share of each position that is inside;
    bilinear where it grows.

    Ours: the authors' cubic spline skips what is narrower than the step between its samples. Here
    masks that add up to one still do, and nothing that is inside is lost."""
    return resizing.resize(mask[..., None], height, width, "area")[..., 0]


def propagate(
    mask: np.ndarray,
    layers: Collection[str],
    layer_names: Iterable[str],
    ceil_mode: bool = True,
    propagation: str = "simple",
    margin: int = 0,
    border: str = "zero",
) -> GuidanceChannels:
    """`mask` [h, w], of the picture's size, at each of `layers`, scaled to ΣT² = 1 so that areas
    drop out of the loss.

    simple: resized, soft. inside: one where all that a position sees is inside. Eroding by each
    convolution and pooling tells that exactly (the authors probe the network with noise). What lies
    beyond the picture's border counts as inside, since it does not depend on the picture. all: one
    where any of it is. `margin`, in positions of the layer, grows (above zero) or shrinks the guide
    by a square after that, `simple` then with THRESHOLD.

    A region narrower than what a position sees, 156 pixels at relu5_1, has no *inside* there. Such
    layers are in `vanished`, and take `simple` without margin instead: skipped, as the authors skip
    them, the region would have no style at that scale. The global channel of the paper is a mask of
    ones. `layer_names` are all the network's, in order; `ceil_mode` is that of `vgg.features`,
    `border` of the network: "wrap" sees the other side."""
    # nearest: a window at the border has only what is there
    mode = "wrap" if border == "wrap" else "nearest"
    layer_names = _as_deep(layers, layer_names)
    if propagation == "simple":
        found = _resized(mask, layer_names, ceil_mode)
    else:
        found = _seen(mask >= THRESHOLD, layer_names, ceil_mode, propagation, mode)
    guides, vanished = {}, []
    for layer in layers:
        T = _with_margin(found[layer], margin, mode) if margin else found[layer]
        if not T.any():
            vanished.append(layer)
            T = resize(mask, *T.shape)
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


def coverage(masks: Mapping[str, np.ndarray]) -> str:
    """One line on where masks [h, w] of one size, by name, overlap or leave gaps; empty where they
    add up to one.
    """
    total = np.sum(list(masks.values()), axis=0)
    overlap, gap = (round(100 * (beyond > SLACK).mean()) for beyond in (total - 1, 1 - total))
    said = [f"overlap on {overlap}%" * (overlap > 0), f"leave out {gap}%" * (gap > 0)]
    return (
        f"{', '.join(masks)}: {' and '.join(filter(None, said))} of the picture"
        if any(said)
        else ""
    )


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
            at_size = resize(mask, height, width)
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
