"""What an optimizer leaves in a picture that no painter would: checkers, and pixels that stand
alone.

Both are of the picture as it was written, and neither has a reference. A photograph or a painting
has some of each. A result's are held against those."""

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

ALONE = 32  # levels of 255 that a channel must differ by from all eight neighbors; ours
_NEIGHBORS = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)[:, :, None]


def checkerboard(rgb: np.ndarray) -> float:
    """How strong a checkerboard of single pixels is in `rgb` [h, w, 3], 0-255.

    The root mean square, over places and channels, of (a − b − c + d) / 4 in each block a b / c d
    of 2 × 2 pixels. A checkerboard of m + v and m − v has v. Flat areas, straight rows and straight
    columns have 0, as has a picture that is one pixel high or wide."""
    rgb = np.asarray(rgb, dtype=np.float64)
    response = (rgb[:-1, :-1] - rgb[:-1, 1:] - rgb[1:, :-1] + rgb[1:, 1:]) / 4
    return float(np.sqrt(np.mean(response**2))) if response.size else 0.0


def isolated_pixels(rgb: np.ndarray) -> int:
    """How many pixels of `rgb` [h, w, 3] stand alone.

    Such a pixel has a channel that is more than ALONE levels above all of its eight neighbors, or
    below all of them. Those at the rim, which have fewer, do not count."""
    rgb = np.asarray(rgb, dtype=np.float64)
    above = rgb - maximum_filter(rgb, footprint=_NEIGHBORS) > ALONE
    below = minimum_filter(rgb, footprint=_NEIGHBORS) - rgb > ALONE
    return int((above | below).any(axis=2)[1:-1, 1:-1].sum())
