"""Pixels between limits as variables without any: for L-BFGS without a line search, where clipped
steps do harm.
"""

import numpy as np

# Of the range between the limits, ours: where the variable begins to differ from the pixel, and how
# near to a limit a first pixel is put at most: half a level of 255, so that black and white are
# still written as such.
MARGIN, NEAREST = 1 / 8, 1 / 512


class Limits:
    """Limits [3] or [1, h, w, 3] of images with rows of a shape, [w, 3]; None: there are none.

    Up to a margin from a limit the variable is the pixel; from there on the pixel nears the limit
    by an exponential that continues value and slope. Clipping a step moves single pixels against
    the rest of it, where style losses are curved most: docs/time_to_quality.md has a run that 0.2 %
    of the pixels held up so."""

    def __init__(self, limits: tuple[np.ndarray, np.ndarray] | None, row: tuple[int, ...]) -> None:
        self._bounded = limits is not None
        if limits is not None:
            # Repeated along a row: NumPy takes four times as long for limits that end after three
            # numbers.
            self._low, self._high = (np.zeros(row) + limit for limit in limits)
            self._margin = (MARGIN * (self._high - self._low)).astype(
                np.float32
            )  # exact for 255 levels

    def image(self, variables: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
        """The image [1, h, w, 3] of the variables, of the same shape, and the derivative of each
        pixel by its own.
        """
        if not self._bounded:
            return variables, 1.0
        near, beyond = self._split(variables)
        slope = np.exp(-np.abs(beyond))
        return near + np.copysign(self._margin * (1 - slope), beyond), slope

    def variables(self, image: np.ndarray) -> np.ndarray:
        """The variables of an image; a pixel beyond its limits, or at one, counts as one just
        inside.
        """
        if not self._bounded:
            return image
        nearest = NEAREST * (self._high - self._low)
        near, beyond = self._split(np.clip(image, self._low + nearest, self._high - nearest))
        return near - np.sign(beyond) * self._margin * np.log1p(-np.abs(beyond))

    def _split(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values clipped to where pixel and variable are one; and how far they are beyond it, in
        margins, float32.
        """
        near = np.clip(values, self._low + self._margin, self._high - self._margin)
        return near, (values - near).astype(np.float32) / self._margin
