"""Masks: where in a picture a style is taken from or painted.

A mask is [h, w], 0-1: one is inside, values between are soft edges. At the layers of the network it
becomes a guidance channel (stn/objective/guides.py)."""

from collections.abc import Mapping

import numpy as np
import skimage.draw

from stn.errors import InputError
from stn.images import color, resizing

# Ours, of 0-255: what a JPEG leaves of black, and how far its channels are apart where it was gray.
BLACK, TINT = 5, 40
# Ours: soft edges of two masks that were rounded, or saved as JPEG, still add up to one.
SLACK = 0.1


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


def coverage(masks: Mapping[str, np.ndarray]) -> str:
    """One line on where masks [h, w] of one size, by name, overlap or leave gaps; empty where they
    add up to one.
    """
    total = np.sum(list(masks.values()), axis=0)
    beyond = {"overlap on": total - 1, "leave out": 1 - total}
    shares = {what: round(100 * (each > SLACK).mean()) for what, each in beyond.items()}
    said = " and ".join(f"{what} {share}%" for what, share in shares.items() if share)
    return f"{', '.join(masks)}: {said} of the picture" if said else ""
