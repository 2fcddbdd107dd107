"""How alike two pictures are in their small patches, on every scale: no network is part of it.

The sliced Wasserstein distance of Karras, Aila, Laine & Lehtinen 2018 (ICLR), section 5, between
two pictures in place of two sets of them."""

import numpy as np
import scipy.ndimage

SIDE = 7  # pixels of a patch, with three colors 147 numbers (section 5)
COARSEST = 16  # pixels of the short side at the last level of the pyramid, at least (section 5)
# Section 5 takes 2^21 patches a level of two sets and 512 directions. Two pictures have fewer;
# these cost about one evaluation at 256 px, and other ones move the distance by 1 to 6 %, most at
# small sizes (docs/reference/measures.md).
PATCHES, DIRECTIONS, SEED = 4096, 128, 0
# Burt & Adelson 1983 (IEEE Trans. Commun. 31:4), their a = 0.375.
TAPS = np.array([1, 4, 6, 4, 1]) / 16


def distance(rgb: np.ndarray, reference_rgb: np.ndarray) -> float:
    """Mean over the pyramid's levels of the distance between two pictures' patches, `rgb` [h, w,
    3], of any two sizes.

    0 for the same picture, 1 for patches off by one deviation of the reference's own colors at that
    level. Both pictures are at least SIDE pixels high and wide and get as many levels as the
    smaller has."""
    levels = 1 + max(0, int(np.log2(min(*rgb.shape[:2], *reference_rgb.shape[:2]) / COARSEST)))
    pairs = zip(
        laplacian_pyramid(rgb, levels), laplacian_pyramid(reference_rgb, levels), strict=True
    )
    return float(
        np.mean([sliced_wasserstein(*_descriptors(level, reference)) for level, reference in pairs])
    )


def laplacian_pyramid(rgb: np.ndarray, levels: int) -> list[np.ndarray]:
    """What each level [h, w, 3] has and the next, half as high and wide, has not.

    The finest comes first. The last is what is left.
    """
    found = []
    for _ in range(levels - 1):
        half = _smooth(rgb)[::2, ::2]
        enlarged = np.zeros_like(rgb)
        enlarged[::2, ::2] = 4 * half  # one pixel of four
        found.append(rgb - _smooth(enlarged))
        rgb = half
    return [*found, rgb]


def sliced_wasserstein(x: np.ndarray, y: np.ndarray) -> float:
    """Mean of |sorted x·θ − sorted y·θ| over random unit vectors θ, for points x and y [n,
    dimensions], n the same.

    On a line that is the Wasserstein distance of order 1. Over all directions it is the sliced form
    (Rabin et al. 2011)."""
    directions = np.random.default_rng(SEED).normal(size=(x.shape[1], DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    return float(np.abs(np.sort(x @ directions, axis=0) - np.sort(y @ directions, axis=0)).mean())


def _smooth(rgb: np.ndarray) -> np.ndarray:
    for axis in (0, 1):
        rgb = scipy.ndimage.correlate1d(rgb, TAPS, axis, mode="mirror")
    return rgb


def _descriptors(level: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Patches of both, the same number, [n, 147]; each color in deviations from its mean in the
    reference's patches.

    Section 5 normalizes too, its program each set by itself. So taken, the halves of The Starry
    Night are as far from each other as it is from The Scream (docs/reference/measures.md): what is
    left has neither the painting's colors nor how strong its strokes are."""
    windows = [
        np.lib.stride_tricks.sliding_window_view(each, (SIDE, SIDE), (0, 1))
        for each in (level, reference)
    ]
    count = min(PATCHES, *(view.shape[0] * view.shape[1] for view in windows))
    x, y = (_sample(view, count) for view in windows)
    mean, deviation = (found(y, axis=(0, 2, 3), keepdims=True) for found in (np.mean, np.std))
    deviation = np.maximum(deviation, 1)  # of 255: a painting of one color has none to divide by
    return ((x - mean) / deviation).reshape(count, -1), ((y - mean) / deviation).reshape(count, -1)


def _sample(windows: np.ndarray, count: int) -> np.ndarray:
    """`count` of the windows [h, w, 3, SIDE, SIDE], none twice; in pictures of one size the same
    places.
    """
    rows, columns, *_ = windows.shape
    places = np.random.default_rng(SEED).choice(rows * columns, count, replace=False)
    return windows[places // columns, places % columns]
