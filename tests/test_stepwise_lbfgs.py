"""L-BFGS' memory against whole matrices, and its spectrum against cosines summed by hand."""

import numpy as np
import pytest

from stn.optimize.spectrum import Spectrum
from stn.optimize.stepwise_lbfgs import Memory

HEIGHT, WIDTH = 6, 8
N = HEIGHT * WIDTH * 3
RNG = np.random.default_rng(3)


def cosine(length: int) -> np.ndarray:
    """The orthonormal DCT-II as a matrix, from its sum."""
    k, i = np.arange(length)[:, None], np.arange(length)
    matrix = np.sqrt(2 / length) * np.cos(np.pi * k * (2 * i + 1) / (2 * length))
    matrix[0] /= np.sqrt(2)
    return matrix


# Ohta, Kanade & Sakai 1980: R + G + B, R − B, 2 G − R − B, each of length one.
COLORS = [np.array(row) / np.linalg.norm(row) for row in ([1, 1, 1], [1, 0, -1], [-1, 2, -1])]
T = np.einsum("ui,vj,ca->uvcija", cosine(HEIGHT), cosine(WIDTH), np.array(COLORS)).reshape(N, N)


def bands() -> np.ndarray:
    """A label for each coefficient: color, and half-octaves and a bit (1.5 an octave) of frequency from 1/256 on."""
    labels = []
    for u in range(HEIGHT):
        for v in range(WIDTH):
            frequency = max(np.hypot(u / (2 * HEIGHT), v / (2 * WIDTH)), 1 / 256)
            labels += [(int(1.5 * np.log2(256 * frequency)), color) for color in range(3)]
    return np.array([hash(label) for label in labels])


def test_coefficients_are_the_cosine_transform_of_opponent_colors():
    spectrum, image = Spectrum(HEIGHT, WIDTH), RNG.normal(0, 50, (1, HEIGHT, WIDTH, 3))
    np.testing.assert_allclose(T @ T.T, np.eye(N), atol=1e-12)
    np.testing.assert_allclose(spectrum.coefficients(image), T @ image.ravel(), atol=1e-3)
    np.testing.assert_allclose(spectrum.image(spectrum.coefficients(image)), image, atol=1e-3)


def test_energy_is_the_sum_of_squares_of_each_band_and_color():
    spectrum, x = Spectrum(HEIGHT, WIDTH), RNG.normal(size=N).astype(np.float32)
    found, labels = spectrum.spread(spectrum.energy(x)), bands()
    np.testing.assert_allclose(found, [np.sum(x[labels == label] ** 2) for label in labels], rtol=1e-5)


@pytest.mark.parametrize("pairs", [1, 2, 3, 7])
@pytest.mark.parametrize("spectral", [False, True])
def test_the_direction_is_that_of_the_whole_matrix(pairs, spectral):
    """Nocedal & Wright 2006, equations (7.16) and (7.17), with a memory of three."""
    history, spectrum, labels = 3, Spectrum(HEIGHT, WIDTH) if spectral else None, bands()
    curved = np.diag(RNG.uniform(1, 20, N)) + 0.1 * np.ones((N, N))  # a Hessian
    memory = Memory(np.zeros((1, HEIGHT, WIDTH, 3)), RNG.normal(size=N).astype(np.float32), 0.0, np.zeros(N))
    seen, energies = [], np.zeros((2, N))
    for _ in range(pairs):
        memory.step = RNG.normal(size=N).astype(np.float32)
        y = (curved @ memory.step).astype(np.float32)
        memory.remember(y, history, spectrum)
        seen.append((memory.step.astype(float), y.astype(float)))
        summed = [[np.sum(x[labels == label] ** 2) for label in labels] for x in seen[-1]]
        energies = 0.9 * energies + np.array(summed) / (y @ y)
    s, y = seen[-1]
    H = (s @ y) / (y @ y) * np.eye(N)
    if spectral:
        H = np.diag(np.sqrt(energies[0] / energies[1]))
    for s, y in seen[-history:]:
        V = np.eye(N) - np.outer(y, s) / (s @ y)
        H = V.T @ H @ V + np.outer(s, s) / (s @ y)
    expected = -H @ memory.gradient
    np.testing.assert_allclose(memory.direction(spectrum), expected, atol=1e-4 * np.abs(expected).max())


def test_a_pair_along_which_the_loss_curves_downwards_is_not_kept():
    memory = Memory(np.zeros((1, HEIGHT, WIDTH, 3)), np.ones(N, np.float32), 0.0, np.ones(N, np.float32))
    memory.remember(-np.ones(N, np.float32), 3, None)
    memory.remember(np.zeros(N, np.float32), 3, None)
    assert memory.count == 0
    memory.remember(np.ones(N, np.float32), 3, None)
    assert memory.count == 1
