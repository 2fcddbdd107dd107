"""How curved a loss is in each color and frequency, and at each place: H0 of `spectral_lbfgs`."""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.fft import dctn, fftfreq, fftn, idctn
from scipy.ndimage import gaussian_filter

# Frequencies up to 1/256 of a cycle a pixel are in the first band; from there on there are 1.5
# bands an octave. Chosen by trial, on photographs under paintings.
BANDS_PER_OCTAVE, LOWEST_FREQUENCY = 1.5, 1 / 256
# The sums over measured pairs are multiplied by this before a new one is added, so that old pairs,
# which were measured far from here, count less. Measured there, as all numbers here.
DECAY = 0.9
# A band's number is at most this many times larger or smaller than the one that L-BFGS would use
# for all; a place's than one.
LARGEST_BAND, LARGEST_PLACE = 100.0, 10.0
NEIGHBORHOOD = 4.0  # standard deviation of the Gaussian over which places are averaged, in pixels
# Rows: brightness, red against blue, green against both, orthonormal (Ohta, Kanade & Sakai 1980,
# table III).
OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [-1, 2, -1]]) / np.sqrt([[3], [2], [6]])
Transform = Callable[[np.ndarray], np.ndarray]  # of [h, w, 3] into as many numbers


class Spectrum:
    """Images [h, w, 3] as coefficients [n], float32, of opponent colors, each in a band of
    frequencies.

    Orthonormal: the DCT-II, or Hartley's transform of a picture that is `periodic`, whose opposite
    sides meet: with the DCT-II, which knows no neighbor beyond a side, a seam stayed after 200
    evaluations."""

    def __init__(self, height: int, width: int, periodic: bool = False) -> None:
        self._shape, self._beyond = (height, width, 3), "wrap" if periodic else "reflect"
        self._forward: Transform = (
            _hartley if periodic else partial(dctn, axes=(0, 1), norm="ortho")
        )
        self._backward: Transform = (
            _hartley if periodic else partial(idctn, axes=(0, 1), norm="ortho")
        )
        vertical, horizontal = (
            np.abs(fftfreq(n)) if periodic else np.arange(n) / (2 * n) for n in (height, width)
        )
        octaves = np.log2(
            np.maximum(np.hypot(vertical[:, None], horizontal), LOWEST_FREQUENCY) / LOWEST_FREQUENCY
        )
        band = (BANDS_PER_OCTAVE * octaves).astype(np.intp)
        # [n], one number a band and color
        self._band = (3 * band[:, :, None] + np.arange(3)).ravel()
        self._places, self._root = np.empty(0), np.empty(0)
        self._to, self._from = OPPONENT.T.astype(np.float32), OPPONENT.astype(np.float32)

    def measured(
        self, s: np.ndarray, y: np.ndarray, bands: np.ndarray | None, places: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Sums over pairs of squares over y·y, with one more pair s and y [n]: those so far, None
        if it is the first.

        `bands` [2, 3 · bands] are of s and y in each band and color, `places` [2, h, w] of what s
        and y are at each place once every band of them is scaled alike."""
        squared = np.float32(y @ y)
        of_s, of_y = self.coefficients(s), self.coefficients(y)
        found = np.stack([self.energy(of_s), self.energy(of_y)]) / squared
        bands = found if bands is None else DECAY * bands + found
        ratio = np.divide(bands[0], bands[1], out=np.ones_like(bands[0]), where=(bands > 0).all(0))
        root = self.spread(ratio**0.25)
        found = (
            np.stack([(self.image(each) ** 2).sum(-1) for each in (of_s / root, of_y * root)])
            / squared
        )
        return bands, found if places is None else np.float32(DECAY) * places + found

    def scaled(
        self, q: np.ndarray, scale: float, bands: np.ndarray, places: np.ndarray | None
    ) -> np.ndarray:
        """H0 q [n] for a q [n]: R^½ B R^½ q.

        B multiplies each band and color by √(Σ s² / Σ y²), R each place by the same of the scaled s
        and y, averaged over its neighborhood. `scale` is L-BFGS' own number, for a band of which
        nothing is known."""
        ratio = np.divide(
            bands[0], bands[1], out=np.full_like(bands[0], scale**2), where=bands[1] > 0
        )
        B = self.spread(np.clip(np.sqrt(ratio), scale / LARGEST_BAND, scale * LARGEST_BAND))
        if places is None:
            return self.image(B * self.coefficients(q)).ravel()
        root = self._root_of_places(places)
        return (
            root * self.image(B * self.coefficients((root * q.reshape(self._shape)).ravel()))
        ).ravel()

    def _root_of_places(self, places: np.ndarray) -> np.ndarray:
        """R^½ [h, w, 1]; kept, since several evaluations follow with the same sums."""
        if self._places is not places:
            of_s, of_y = (gaussian_filter(each, NEIGHBORHOOD, mode=self._beyond) for each in places)
            R = np.sqrt(np.divide(of_s, of_y, out=np.ones_like(of_s), where=of_y > 0))
            self._root = np.sqrt(np.clip(R, 1 / LARGEST_PLACE, LARGEST_PLACE))[:, :, None]
            self._places = places
        return self._root

    def coefficients(self, image: np.ndarray) -> np.ndarray:
        """The coefficients [n] of an image [n]."""
        return self._forward(image.reshape(self._shape) @ self._to).ravel()

    def image(self, coefficients: np.ndarray) -> np.ndarray:
        """The image [h, w, 3] of coefficients [n]."""
        return self._backward(coefficients.reshape(self._shape)) @ self._from

    def energy(self, coefficients: np.ndarray) -> np.ndarray:
        """The sum of squares in each band and color, [3 · bands]."""
        return np.bincount(self._band, coefficients**2)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """A number a band and color, [3 · bands], for each coefficient, [n] float32."""
        return values.astype(np.float32)[self._band]


def _hartley(values: np.ndarray) -> np.ndarray:
    """Along rows and columns, orthonormal; it is its own inverse."""
    transformed = fftn(values, axes=(0, 1), norm="ortho")
    return np.ascontiguousarray(transformed.real - transformed.imag)
