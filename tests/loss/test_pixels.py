"""Losses of pixels: against oracles in NumPy, golden values and differences."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from stn import config
from stn.backend import tf
from stn.loss import pixels
from stn.loss.pixels import PIXEL_LOSSES

PIXEL, CHANNEL = np.arange(35).reshape(5, 7, 1), np.arange(3)
# The photograph and the picture of METHODS.md §5, 0-1.
C = 0.5 + 0.2 * np.sin(0.37 * (CHANNEL + 1) * PIXEL + CHANNEL)
V = 0.5 + 0.15 * np.cos(0.21 * (CHANNEL + 1) * PIXEL + CHANNEL)


def windows(V: np.ndarray, photograph: np.ndarray) -> float:
    """Σ over windows and channels of min over a, b of Σ_i (V_i − a·c_i − b)² + ε|a|²: how far V is
    from an affine map of the photograph's colors (Levin, Lischinski and Weiss 2008)."""
    total = 0.0
    for y, x in itertools.product(range(V.shape[0] - 2), range(V.shape[1] - 2)):
        own = photograph[y : y + 3, x : x + 3].reshape(9, 3)
        design = np.vstack([np.hstack([own, np.ones((9, 1))]), np.eye(4)[:3] * 1e-7**0.5])
        for channel in range(3):
            wanted = np.append(V[y : y + 3, x : x + 3, channel].ravel(), np.zeros(3))
            rest = design @ np.linalg.lstsq(design, wanted, rcond=None)[0] - wanted
            total += rest @ rest
    return total


# Of the spectrum, in 0-255.
WAVE = 100 * np.sin(0.5 * np.arange(105)).reshape(5, 7, 3)
OTHER = 100 * np.cos(0.3 * np.arange(105)).reshape(5, 7, 3)


def turned(image: np.ndarray, painting: np.ndarray) -> float:
    """½ |I − Ĩ|² by Fourier sums over all pixels, the angle of each frequency being the one that
    brings Ĩ closest."""
    height, width, _ = image.shape
    y, x = np.mgrid[:height, :width]
    total = 0.0
    for v, u in itertools.product(range(height), range(width)):
        wave = np.exp(-2j * np.pi * (v * y / height + u * x / width))[..., None]
        own, given = ((wave * each).sum((0, 1)) for each in (image, painting))
        # min over angles of |own − e^ia given|², over pixels by Parseval
        total += (np.abs(own) ** 2 + np.abs(given) ** 2).sum() - 2 * abs((own * given.conj()).sum())
    return total / (2 * height * width)


# By name: the loss of a picture and another, as its source says; both pictures; their golden value,
# first gradient and Σ|g|; digits to which the value is known.
ORACLES: dict[str, tuple[Callable[[np.ndarray, np.ndarray], float], np.ndarray, np.ndarray]] = {
    "matting": (windows, V, C),
    "spectrum": (turned, WAVE, OTHER),
}
GOLDEN = {
    "matting": (1.088919870961594, 0.2025214152618565, 26.31629056624015),
    "spectrum": (473731.69085497595, -98.1240208156826, 7807.7965275944925),
}
every = pytest.mark.parametrize("name", PIXEL_LOSSES)


def with_gradient(name: str, image: np.ndarray, other: np.ndarray) -> tuple[float, np.ndarray]:
    """Of pictures [h, w, 3] in the loss's own unit."""
    loss = PIXEL_LOSSES[name]
    x, target = tf.constant(image[None]), tf.constant(loss.prepare(other[None]))
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss.loss(x, target)
    return float(value), tape.gradient(value, x).numpy()[0]


def test_every_loss_has_an_oracle_a_key_and_a_row_in_the_documents() -> None:
    assert ORACLES.keys() == PIXEL_LOSSES.keys() == GOLDEN.keys()
    page = (config.CONFIG_DIR.parent / "docs" / "reference" / "losses.md").read_text()
    for name in PIXEL_LOSSES:
        assert f"\n| `objective.{name}_weight` |" in page


@every
def test_it_has_its_oracles_value_and_the_golden_ones(name: str) -> None:
    loss, image, other = ORACLES[name]
    value, gradient = with_gradient(name, image, other)
    assert value == pytest.approx(loss(image, other), rel=1e-7)
    found = value, gradient[0, 0, 0], np.abs(gradient).sum()
    assert found == pytest.approx(GOLDEN[name], rel=1e-9)


@every
def test_its_gradient_is_that_of_differences(name: str) -> None:
    _, image, other = ORACLES[name]
    way = np.cos(1.7 * np.arange(image.size)).reshape(image.shape) * 1e-4
    high, low = (with_gradient(name, image + step, other)[0] for step in (way, -way))
    _, gradient = with_gradient(name, image, other)
    assert (gradient * way).sum() == pytest.approx((high - low) / 2, rel=1e-6)


def test_the_laplacian_has_the_golden_numbers() -> None:
    """From what the loss says of pictures that are one pixel, or two."""
    weights = tf.constant(pixels.matting_weights(C[None]))

    def of(*places: int) -> float:
        picture = np.zeros((35, 3))
        picture[list(places), 0] = 1
        return float(pixels.matting(tf.constant(picture.reshape(1, 5, 7, 3)), weights))

    diagonal = [of(place) for place in range(35)]
    found = diagonal[0], (of(0, 1) - diagonal[0] - diagonal[1]) / 2, sum(diagonal)
    assert found == pytest.approx((0.5455467383655299, -0.2286444065889, 75.000056217485), rel=1e-9)
    assert with_gradient("matting", C, C)[0] == pytest.approx(4.49999e-06, rel=1e-5)


def test_affine_maps_of_the_photograph_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for what keeps the maps small; and however many windows are solved at a time."""
    photograph = 0.5 + 0.4 * np.sin(np.arange(9 * 40 * 3) ** 1.3).reshape(9, 40, 3)
    whole = pixels.matting_weights(photograph[None])
    monkeypatch.setattr(pixels, "AT_ONCE", 77)
    np.testing.assert_allclose(pixels.matting_weights(photograph[None]), whole, rtol=1e-12)
    affine = photograph @ np.array([[0.2, 0.1, 0], [0.5, 0.3, 0.9], [0.1, 0.2, -0.4]]) + 0.1
    bent = affine + 0.01 * photograph**2
    values = [with_gradient("matting", each, photograph)[0] for each in (affine, bent)]
    kept_small = pixels.EPSILON * 7 * 38 * (0.2**2 + 0.1**2 + 0.5**2 + 0.3**2 + 0.9**2)
    kept_small += pixels.EPSILON * 7 * 38 * (0.1**2 + 0.2**2 + 0.4**2)
    assert 0 < values[0] <= kept_small < 0.1 * values[1]


def test_a_photograph_of_one_color_and_one_too_small_are_finite() -> None:
    for photograph in (np.full((4, 5, 3), 0.3), C[:2, :2], C[:1, :7], C[:3, :2]):
        value, gradient = with_gradient("matting", np.ones_like(photograph), photograph)
        assert value == 0 and not gradient.any()
    value, gradient = with_gradient("matting", C, np.full_like(C, 0.3))
    assert value > 0 and np.isfinite(gradient).all()


def test_a_painting_moved_around_has_the_same_spectrum_and_black_is_finite() -> None:
    for painting in (OTHER, OTHER[:4, :6]):  # odd and even sides
        moved = np.roll(painting, (2, 3), (0, 1))
        value, gradient = with_gradient("spectrum", moved, painting)
        assert value == pytest.approx(0, abs=1e-18) and np.abs(gradient).max() < 1e-10
    for image, painting in ((WAVE * 0, OTHER), (WAVE, OTHER * 0), (WAVE * 0, OTHER * 0)):
        value, gradient = with_gradient("spectrum", image, painting)
        assert value == pytest.approx(((image - painting) ** 2).sum() / 2, rel=1e-12)
        np.testing.assert_allclose(gradient, image - painting, atol=1e-11)
