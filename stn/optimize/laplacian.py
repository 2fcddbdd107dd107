"""A Laplacian pyramid as variables: `optimizer.laplacian_levels`."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse

from stn.images import resizing


class Laplacian:
    """Pictures [1, h, w, 3] as the sum of levels, each half as large as the one before and enlarged
    to it, and the last a base (nkolkin13/STROTSS, pyr_lap.py).

    A picture is linear in them, so that an optimizer needs their gradients and the picture of its
    steps alone: a step at a coarse level moves a whole region. With no levels the variables are the
    pixels."""

    def __init__(self, shape: Sequence[int], levels: int, corners: bool = True) -> None:
        _, height, width, _ = shape
        self._shapes = [(height, width)]
        for _ in range(levels):
            height, width = max(1, height // 2), max(1, width // 2)
            self._shapes.append((height, width))
        self._enlarge = [
            [
                resizing.between(small, large, corners)
                for small, large in zip(after, before, strict=True)
            ]
            for before, after in zip(self._shapes, self._shapes[1:], strict=False)
        ]

    def gradient(self, gradient: np.ndarray) -> np.ndarray:
        """The gradient [n] of the variables, from that [1, h, w, 3] of the picture; of pixels
        itself.
        """
        if not self._enlarge:
            return gradient
        found = [gradient[0]]
        for down, across in self._enlarge:
            found.append(_along(found[-1], down.T, across.T))
        return np.concatenate([each.ravel() for each in found])

    def of_channels(self, values: np.ndarray) -> np.ndarray:
        """A number a channel, [3] or one for all, as it multiplies the variables."""
        if not self._enlarge:
            return values
        count = sum(height * width for height, width in self._shapes)
        return np.tile(np.broadcast_to(values, 3), count)

    def image(self, variables: np.ndarray) -> np.ndarray:
        """The picture [1, h, w, 3] of variables [n]; of pixels themselves."""
        if not self._enlarge:
            return variables
        levels, at = [], 0
        for height, width in self._shapes:
            levels.append(variables[at : at + 3 * height * width].reshape(height, width, 3))
            at += levels[-1].size
        found: np.ndarray = levels.pop()
        for (down, across), level in zip(reversed(self._enlarge), reversed(levels), strict=True):
            found = level + _along(found, down, across)
        return found[None]


def _along(
    picture: np.ndarray, down: scipy.sparse.csr_array, across: scipy.sparse.csr_array
) -> np.ndarray:
    """A picture [h, w, 3] with a matrix applied to its columns, another to its rows."""
    height, width = down.shape[0], across.shape[0]
    tall = (down @ picture.reshape(len(picture), -1)).reshape(height, -1, 3)
    turned = tall.transpose(1, 0, 2).reshape(tall.shape[1], -1)
    return (across @ turned).reshape(width, height, 3).transpose(1, 0, 2)
