"""The size of pictures: which height and width a rule gives, and the filters by which each program
gets there.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse
import skimage.filters
import skimage.transform
from PIL import Image

ROUND: dict[str, Callable[[float], int]] = {"nearest": round, "down": math.floor, "up": math.ceil}


def resize(rgb: np.ndarray, height: int, width: int, method: str = "skimage") -> np.ndarray:
    """Resize `rgb` [h, w, 3] to [height, width, 3], clipped to 0-255, by one of FILTERS."""
    if rgb.shape[:2] == (height, width):
        return rgb
    return np.clip(FILTERS[method](rgb, height, width), 0, 255)


def target_shape(
    rgb: np.ndarray,
    size_px: float | None,
    side: str = "long",
    aspect: float | None = None,
    rounding: str = "nearest",
    scale: float = 1.0,
) -> tuple[int, int]:
    """Height and width in pixels that the size rule gives a picture, `rgb` [h, w, 3]; `aspect` is
    width / height, None keeps its own.

    `size_px` is the side named, or √(height · width) for `area`; what follows from it is rounded.
    `area` and `long_at_most` never enlarge. All that is multiplied by `scale`, which may."""
    height, width = rgb.shape[:2]
    ratio = aspect or width / height
    if size_px is None:
        height = height if aspect is None else width / ratio
        return whole(height * scale, rounding), whole(width * scale, rounding)
    if side == "area":
        scale *= min(1.0, size_px / math.sqrt(width**2 / ratio))
        return whole(width / ratio * scale, rounding), whole(width * scale, rounding)
    if side == "long_at_most":
        size_px = min(size_px, max(height, width))
    named = whole(size_px * scale, rounding)
    if (side == "short") == (ratio >= 1):  # it is the height
        return named, whole(named * ratio, rounding)
    return whole(named / ratio, rounding), named


def copy(rgb: np.ndarray, turn_deg: float, scale: float) -> np.ndarray:
    """`rgb` turned counterclockwise around its middle, by quarters exactly and else bilinear, cut
    to `copy_shape` and then scaled, where it shrinks by the mean over areas.
    """
    height, width = copy_shape(rgb.shape[:2], turn_deg, 1.0)
    quarters, rest = _quarters(turn_deg)
    rgb = np.rot90(rgb, quarters)
    if rest:
        rgb = skimage.transform.rotate(rgb, rest, order=1, mode="edge", preserve_range=True)
    top, left = (rgb.shape[0] - height) // 2, (rgb.shape[1] - width) // 2
    cut = rgb[top : top + height, left : left + width]
    return resize(cut, *copy_shape(cut.shape[:2], 0.0, scale), "area")


def copy_shape(shape: Sequence[int], turn_deg: float, scale: float) -> tuple[int, int]:
    """Height and width of a picture that is turned, without the corners that are not covered, and
    then scaled: the box of chuanli11/CNNMRF, mylib/helper.lua, computeBB. Below 1: nothing is left.
    """
    quarters, rest = _quarters(turn_deg)
    height, width = shape[::-1] if quarters % 2 else shape
    sine, cosine = math.sin(math.radians(abs(rest))), math.cos(math.radians(rest))
    # Where the turned upper side meets the left rim, and where its right side has that height.
    inner_height = (height - width * sine) / cosine
    inner_width = width * cosine + sine * (width * sine - inner_height) / cosine
    return math.floor(round(inner_height * scale, 6)), math.floor(round(inner_width * scale, 6))


def _quarters(degrees: float) -> tuple[int, float]:
    """The quarters of a turn, and the rest from −45 to 45 degrees."""
    quarters, rest = divmod(degrees + 45, 90)
    return int(quarters), rest - 45


def whole(side: float, rounding: str) -> int:
    """A side in whole pixels, rounded as `rounding` says."""
    # 4.000000001 is 4, whatever the rounding: the quotients above are exact only but for floating
    # point.
    return max(1, ROUND[rounding](round(side, 6)))


def _skimage(rgb: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bicubic, after a Gaussian against aliasing where it shrinks (scikit-image): ours, no
    program's.
    """
    shrinks = height < rgb.shape[0] or width < rgb.shape[1]
    return skimage.transform.resize(
        rgb, (height, width), order=3, mode="edge", anti_aliasing=shrinks, preserve_range=True
    )


def _bilinear(rgb: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear between neighbors, no smoothing: tf.image.resize."""
    return skimage.transform.resize(
        rgb, (height, width), order=1, mode="edge", anti_aliasing=False, preserve_range=True
    )


def _area(rgb: np.ndarray, height: int, width: int) -> np.ndarray:
    """The mean over the area that a pixel covers (Torch's image.scale, cv2.INTER_AREA); bilinear
    where it enlarges.
    """
    if height > rgb.shape[0] or width > rgb.shape[1]:
        return _bilinear(rgb, height, width)
    rows, columns = _shares(rgb.shape[0], height), _shares(rgb.shape[1], width)
    return np.einsum("ih,hwc,jw->ijc", rows, rgb, columns, optimize=True)


def _shares(before: int, after: int) -> np.ndarray:
    """[after, before]: the share that each pixel before has in each pixel after, along one side;
    rows sum to one.
    """
    length = before / after
    starts, pixels = np.arange(after)[:, None] * length, np.arange(before)
    overlap = np.minimum(starts + length, pixels + 1) - np.maximum(starts, pixels)
    return np.maximum(overlap, 0) / length


def between(before: int, after: int, corners: bool = True) -> scipy.sparse.csr_array:
    """[after, before]: bilinear along one side, with its `corners` on each other (align_corners),
    or by the centers of pixels.
    """
    place = np.linspace(0, before - 1, after)
    if not corners:
        place = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
    low = np.minimum(place.astype(int), max(0, before - 2))
    share, rows = place - low, np.arange(after)
    where = np.tile(rows, 2), np.concatenate([low, np.minimum(low + 1, before - 1)])
    return scipy.sparse.csr_array((np.concatenate([1 - share, share]), where), (after, before))


def _pyramid_reduce(rgb: np.ndarray, height: int, width: int) -> np.ndarray:
    """skimage.transform.pyramid_reduce to a given size: a Gaussian of 2/6 of the factor, then
    bilinear.
    """
    factor = max(rgb.shape[0] / height, rgb.shape[1] / width)
    if factor > 1:
        rgb = skimage.filters.gaussian(
            rgb, 2 * factor / 6, mode="reflect", channel_axis=2, preserve_range=True
        )
    return skimage.transform.resize(
        rgb, (height, width), order=1, mode="reflect", anti_aliasing=False, preserve_range=True
    )


def _bytes(rgb: np.ndarray) -> Image.Image:
    """`rgb` [h, w, 3] as Pillow holds it: whole levels from 0 to 255."""
    return Image.fromarray(np.rint(np.clip(rgb, 0, 255)).astype(np.uint8))


def _pillow(resample: Image.Resampling) -> Callable[[np.ndarray, int, int], np.ndarray]:
    """Pillow's own filter of today, bytes in and bytes out, as every program calls it.

    It smooths where it shrinks, but for `NEAREST`."""

    # It rounds to bytes after each of its two passes: floats rounded once differ in 6 % of the
    # values.
    def filtered(rgb: np.ndarray, height: int, width: int) -> np.ndarray:
        return np.asarray(_bytes(rgb).resize((width, height), resample), np.float64)

    return filtered


def _early_pillow(rgb: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pillow's bilinear before version 2.7 (libImaging/Geometry.c): no smoothing, cut to whole
    steps, half a pixel off.

    It read pixel x at x · scale, where centers are at (x + ½) · scale: half a pixel of the resized
    picture."""
    down, right = rgb.shape[0] / height, rgb.shape[1] / width
    corners = (right, 0, -right / 2, 0, down, -down / 2)
    drawn = _bytes(rgb).transform(
        (width, height), Image.Transform.AFFINE, corners, Image.Resampling.BILINEAR
    )
    return np.asarray(drawn, np.float64)


FILTERS: dict[str, Callable[[np.ndarray, int, int], np.ndarray]] = {
    "skimage": _skimage,
    "bilinear": _bilinear,
    "early_pillow_bilinear": _early_pillow,
    "area": _area,
    "pyramid_reduce": _pyramid_reduce,
    "pillow_nearest": _pillow(Image.Resampling.NEAREST),
    "pillow_bilinear": _pillow(Image.Resampling.BILINEAR),
    "pillow_bicubic": _pillow(Image.Resampling.BICUBIC),
}
