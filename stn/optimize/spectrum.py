"""An image by color and frequency: what `spectral_lbfgs` takes for its variables."""

import numpy as np
from scipy.fft import dctn, idctn

# Frequencies up to 1/256 of a cycle a pixel are in the first band; from there on there are 1.5 bands an octave.
# Measured in docs/time_to_quality.md.
BANDS_PER_OCTAVE, LOWEST_FREQUENCY = 1.5, 1 / 256
# Rows: brightness, red against blue, green against both, orthonormal (Ohta, Kanade & Sakai 1980, table III).
OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [-1, 2, -1]]) / np.sqrt([[3], [2], [6]])


class Spectrum:
    """Images [1, h, w, 3] as coefficients [n], float32: the orthonormal DCT-II of opponent colors, each in a band."""

    def __init__(self, height: int, width: int) -> None:
        self._shape = (height, width, 3)
        vertical, horizontal = np.arange(height)[:, None] / (2 * height), np.arange(width) / (2 * width)
        octaves = np.log2(np.maximum(np.hypot(vertical, horizontal), LOWEST_FREQUENCY) / LOWEST_FREQUENCY)
        band = (BANDS_PER_OCTAVE * octaves).astype(np.intp)
        self._band = (3 * band[:, :, None] + np.arange(3)).ravel()  # [n], one number a band and color
        self._to, self._from = OPPONENT.T.astype(np.float32), OPPONENT.astype(np.float32)

    def coefficients(self, image: np.ndarray) -> np.ndarray:
        """The coefficients of an image [1, h, w, 3]."""
        return dctn(image[0].astype(np.float32) @ self._to, axes=(0, 1), norm="ortho").ravel()

    def image(self, coefficients: np.ndarray) -> np.ndarray:
        """The image [1, h, w, 3] of coefficients [n]."""
        return (idctn(coefficients.reshape(self._shape), axes=(0, 1), norm="ortho") @ self._from)[np.newaxis]

    def energy(self, coefficients: np.ndarray) -> np.ndarray:
        """The sum of squares in each band and color, [3 · bands]."""
        return np.bincount(self._band, coefficients**2)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """A number a band and color, [3 · bands], for each coefficient, [n] float32."""
        return values.astype(np.float32)[self._band]
