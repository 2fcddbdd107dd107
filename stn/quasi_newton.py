"""What L-BFGS knows of the curvature: its pairs, and a first guess of the inverse Hessian by color and frequency."""

from dataclasses import dataclass

import numpy as np
from scipy.fft import dctn, idctn

# torch.optim.LBFGS skips pairs with s·y below 1e-10; here the cosine is meant, so that the loss' unit does not matter.
LEAST_COSINE = 1e-10
# Bands: this many an octave of frequency, from 1/256 of a cycle a pixel on. One pair ago counts 0.9 of the newest; a
# band's curvature is at most 100 times that of all bands, or a hundredth. Measured in docs/time_to_quality.md.
BANDS_PER_OCTAVE, LOWEST_FREQUENCY, DECAY, WIDEST = 1.5, 1 / 256, 0.9, 100.0
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


@dataclass
class Memory:
    """Where L-BFGS stands, all arrays in the space of its variables, [n] float32 but for the image [1, h, w, 3].

    `pairs` [history, 2, n] are displacements s and changes of the gradient y, written in turn; `count` were written.
    """

    image: np.ndarray  # the last that was accepted, its gradient and total
    gradient: np.ndarray
    total: float
    step: np.ndarray  # from there, to the image evaluated next
    length: float = 1.0  # of the next step as long as there is no pair: root mean square, in pixels of 255
    pairs: np.ndarray | None = None
    curvatures: np.ndarray | None = None  # [history], s·y
    count: int = 0
    energies: np.ndarray | None = None  # [2, 3 · bands], of s and of y, each pair's over y·y, older ones decayed

    def remember(self, y: np.ndarray, history: int, spectrum: Spectrum | None) -> None:
        """Keep the step and the change y of the gradient along it, unless the loss curves downwards there."""
        s, squared = self.step, float(y @ y)
        curvature = float(s @ y)
        if curvature <= LEAST_COSINE * float(np.sqrt(float(s @ s) * squared)):
            return
        if self.pairs is None or self.curvatures is None:
            self.pairs, self.curvatures = np.zeros((history, 2, len(s)), np.float32), np.zeros(history)
        place = self.count % history
        self.pairs[place, 0], self.pairs[place, 1], self.curvatures[place] = s, y, curvature
        self.count += 1
        if spectrum:
            energies = np.stack([spectrum.energy(s), spectrum.energy(y)]) / squared
            self.energies = energies if self.energies is None else DECAY * self.energies + energies

    def direction(self, spectrum: Spectrum | None) -> np.ndarray:
        """-H g [n] by the two-loop recursion (Nocedal & Wright 2006, algorithm 7.4) over the pairs, at least one.

        H0 is s·y / y·y of the newest pair (eq. 7.20); with a spectrum each band has its own, √(Σs² / Σy²).
        """
        assert self.pairs is not None and self.curvatures is not None
        history = len(self.pairs)
        oldest_first = [number % history for number in range(max(0, self.count - history), self.count)]
        q, factors = -self.gradient, {}
        for place in reversed(oldest_first):
            s, y = self.pairs[place]
            factors[place] = (s @ q) / self.curvatures[place]
            q -= np.float32(factors[place]) * y
        y = self.pairs[oldest_first[-1], 1]
        scale = self.curvatures[oldest_first[-1]] / float(y @ y)
        if spectrum and self.energies is not None:
            of_s, of_y = self.energies
            scales = np.sqrt(np.divide(of_s, of_y, out=np.full_like(of_s, scale**2), where=of_y > 0))
            q *= spectrum.spread(np.clip(scales, scale / WIDEST, scale * WIDEST))
        else:
            q *= np.float32(scale)
        for place in oldest_first:
            s, y = self.pairs[place]
            q += np.float32(factors[place] - (y @ q) / self.curvatures[place]) * s
        return q
