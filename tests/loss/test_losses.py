"""Every loss against loops written from METHODS.md §2, its golden values (§5) and the papers'
closed-form gradients.
"""

import itertools
import math

import numpy as np
import pytest

from stn import config
from stn.backend import tf
from stn.loss import losses, strotss

H, W, N = 5, 4, 3
RNG = np.random.default_rng(1)
F = RNG.normal(size=(1, H, W, N))
P = RNG.normal(size=(1, H, W, N))
S = RNG.normal(
    size=(1, 3, 6, N)
)  # the style image's features: another height, width and number of positions
IMAGE = RNG.uniform(-120, 130, size=(1, 6, 5, 3))


def squared_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Σ(a−b)², one element at a time."""
    return math.fsum((x - y) ** 2 for x, y in zip(a.ravel(), b.ravel(), strict=True))


def raw_gram(features: np.ndarray) -> np.ndarray:
    """G_ij = Σ_k F_ik F_jk, eq. (3)."""
    _, h, w, n = features.shape
    G = np.zeros((n, n))
    for i, j, y, x in itertools.product(range(n), range(n), range(h), range(w)):
        G[i, j] += features[0, y, x, i] * features[0, y, x, j]
    return G


def pairs(image: np.ndarray, down: int, across: int) -> list[float]:
    """Differences between every pixel and its neighbor `down` and `across`, where there is one."""
    _, h, w, c = image.shape
    return [
        image[0, y + down, x + across, i] - image[0, y, x, i]
        for y, x, i in itertools.product(range(h - down), range(w - across), range(c))
    ]


def power(image: np.ndarray) -> float:
    _, h, w, c = image.shape
    total = 0.0
    for y, x, i in itertools.product(range(h - 1), range(w - 1), range(c)):
        here = image[0, y, x, i]
        total += ((image[0, y + 1, x, i] - here) ** 2 + (image[0, y, x + 1, i] - here) ** 2) ** 1.25
    return total


def nine_point(image: np.ndarray) -> float:
    """Squares between neighbors, each with four; the rim's pixels again beyond it."""
    _, h, w, _ = image.shape
    around = image[:, np.clip(np.arange(-1, h + 1), 0, h - 1)]
    around = around[:, :, np.clip(np.arange(-1, w + 1), 0, w - 1)]
    straight = sum(d**2 for d in pairs(image, 1, 0) + pairs(image, 0, 1)) / image.size
    flipped = around[:, :, ::-1]
    diagonal = sum(mean([d**2 for d in pairs(each, 1, 1)]) for each in (around, flipped))
    return 2 / 3 * straight + diagonal / 6


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


CONTENT = {
    "half_sum": lambda f, p: squared_distance(f, p) / 2,
    "sum": squared_distance,
    "mean": lambda f, p: squared_distance(f, p) / (N * H * W),
    "half_sum_over_sqrt_nm": lambda f, p: (
        squared_distance(f, p) / (2 * math.sqrt(N) * math.sqrt(H * W))
    ),
}
DIVISORS = {"one": lambda n, m: 1, "m": lambda n, m: m, "nm": lambda n, m: n * m}
POSITIONS = 7 * 11
STYLE = {
    "sum": squared_distance,
    "mean": lambda g, a: squared_distance(g, a) / N**2,
    "sum_over_4n2": lambda g, a: squared_distance(g, a) / (4 * N**2),
    "sum_over_36s2": lambda g, a: squared_distance(g, a) / (4 * 3**2 * POSITIONS**2),
}
TOTAL_VARIATION = {
    "none": lambda x: 0.0,
    "absolute": lambda x: sum(map(abs, pairs(x, 1, 0) + pairs(x, 0, 1))),
    "squared": lambda x: sum(d**2 for d in pairs(x, 1, 0) + pairs(x, 0, 1)),
    "mean_squared": lambda x: (
        mean([d**2 for d in pairs(x, 1, 0)]) + mean([d**2 for d in pairs(x, 0, 1)])
    ),
    "mean_absolute": lambda x: (
        (mean([abs(d) for d in pairs(x, 1, 0)]) + mean([abs(d) for d in pairs(x, 0, 1)])) / 2
    ),
    "power": power,
    "nine_point": nine_point,
}


# That of hypercolumns has its oracle in tests/loss/test_statistics.py.
OF_FEATURES = [
    name
    for name in config.choices("objective.content_reduction")
    if name not in strotss.CONTENT_REDUCTIONS
]


@pytest.mark.parametrize("reduction", OF_FEATURES)
def test_content_equals_the_loop(reduction):
    assert float(losses.content(tf.constant(F), tf.constant(P), reduction)) == pytest.approx(
        CONTENT[reduction](F, P), rel=1e-12
    )


@pytest.mark.parametrize("divisor", config.choices("objective.gram_divisor"))
@pytest.mark.parametrize("features", [F, S], ids=["5x4", "3x6"])
def test_gram_is_divided_by_its_own_size(features, divisor):
    _, h, w, n = features.shape
    expected = raw_gram(features) / DIVISORS[divisor](n, h * w)
    np.testing.assert_allclose(
        losses.gram(tf.constant(features), divisor), expected, rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("reduction", config.choices("objective.style_reduction"))
@pytest.mark.parametrize("divisor", config.choices("objective.gram_divisor"))
def test_style_equals_the_loop(divisor, reduction):
    G = raw_gram(F) / DIVISORS[divisor](N, H * W)
    A = raw_gram(S) / DIVISORS[divisor](N, 3 * 6)
    found = losses.style(
        losses.gram(tf.constant(F), divisor),
        losses.gram(tf.constant(S), divisor),
        reduction,
        POSITIONS,
    )
    assert float(found) == pytest.approx(STYLE[reduction](G, A), rel=1e-12)


@pytest.mark.parametrize("form", config.choices("objective.total_variation.form"))
def test_total_variation_equals_the_loop(form):
    assert float(losses.total_variation(tf.constant(IMAGE), form)) == pytest.approx(
        TOTAL_VARIATION[form](IMAGE), rel=1e-12
    )


# METHODS.md §5: H = 6, W = 8, N = 4, features in height × width × channel order; image 5 × 7 × 3.
GOLDEN_X = np.sin(0.37 * np.arange(192)).reshape(1, 6, 8, 4)
GOLDEN_P = np.cos(0.21 * np.arange(192)).reshape(1, 6, 8, 4)
GOLDEN_I = 100 * np.sin(0.5 * np.arange(105)).reshape(1, 5, 7, 3)


def golden_style(divisor: str, reduction: str) -> float:
    grams = (losses.gram(tf.constant(features), divisor) for features in (GOLDEN_X, GOLDEN_P))
    return float(losses.style(*grams, reduction))


@pytest.mark.parametrize(
    ("value", "golden"),
    [
        (
            lambda: losses.content(tf.constant(GOLDEN_X), tf.constant(GOLDEN_P), "sum"),
            186.87365496938827,
        ),
        (lambda: golden_style("one", "sum"), 212.6354400019818),
        (lambda: losses.gram(tf.constant(GOLDEN_X))[0, 0], 23.574945735172268),
        (lambda: golden_style("m", "mean"), 0.0057681054688037605),
        (lambda: golden_style("nm", "mean"), 0.00036050659180023503),
        (lambda: losses.total_variation(tf.constant(GOLDEN_I), "absolute"), 17061.15344621759),
    ],
    ids=["content", "style", "gram", "authors' code", "neural-style", "total_variation"],
)
def test_golden_values(value, golden):
    assert float(value()) == pytest.approx(golden, rel=1e-13)


def test_systems_agree_up_to_constants():
    """METHODS.md §2.2: with m = MSE(G/(NM) − A/(NM)), the paper's E_l = (N²/4) m and the authors'
    term is 1e3 m.
    """
    m, n, positions = golden_style("nm", "mean"), 4, 48
    assert golden_style("m", "sum_over_4n2") == pytest.approx(n**2 / 4 * m, rel=1e-12)
    assert 1e3 / n**2 * golden_style("m", "mean") == pytest.approx(1e3 * m, rel=1e-12)
    assert golden_style("m", "sum_over_4n2") == pytest.approx(
        212.6354400019818 / (4 * n**2 * positions**2), rel=1e-12
    )
    features = tf.constant(GOLDEN_X), tf.constant(GOLDEN_P)
    paper = float(losses.content(*features))
    assert float(losses.content(*features, "mean")) == pytest.approx(
        2 / (n * positions) * paper, rel=1e-12
    )


def gradient_before_rectifier(x: np.ndarray, loss) -> np.ndarray:
    variable = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        value = loss(tf.nn.relu(variable))
    return tape.gradient(value, variable).numpy()


def test_content_gradient_is_equation_2():
    target, rectified = np.maximum(P, 0), np.maximum(F, 0)
    found = gradient_before_rectifier(
        F, lambda features: losses.content(features, tf.constant(target))
    )
    assert (rectified == 0).any() and (rectified > 0).any()
    np.testing.assert_allclose(found, np.where(rectified > 0, rectified - target, 0), rtol=1e-13)


def test_style_gradient_is_equation_6():
    rectified, M = np.maximum(F, 0).reshape(-1, N), H * W
    # The style image has as many positions as the generated one here, as eq. (4) assumes.
    G, A = raw_gram(np.maximum(F, 0)), raw_gram(np.maximum(P, 0))
    expected = np.where(rectified > 0, rectified @ (G - A) / (N**2 * M**2), 0)
    target = losses.gram(tf.nn.relu(tf.constant(P)), "m")
    found = gradient_before_rectifier(
        F, lambda features: losses.style(losses.gram(features, "m"), target, "sum_over_4n2")
    )
    np.testing.assert_allclose(found.reshape(-1, N), expected, rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("form", config.choices("objective.total_variation.form"))
def test_total_variation_gradient_is_finite_on_a_flat_image_and_right_elsewhere(form):
    flat = tf.constant(np.full((1, 4, 5, 3), 7.0))
    with tf.GradientTape() as tape:
        tape.watch(flat)
        value = losses.total_variation(flat, form)
    gradient = tape.gradient(value, flat, unconnected_gradients="zero")
    assert float(value) == 0
    np.testing.assert_array_equal(gradient, np.zeros(flat.shape))

    image, direction = tf.constant(IMAGE), np.random.default_rng(2).normal(size=IMAGE.shape)
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = losses.total_variation(image, form)
    slope = np.sum(tape.gradient(value, image, unconnected_gradients="zero").numpy() * direction)
    step = 1e-5
    rise = TOTAL_VARIATION[form](IMAGE + step * direction) - TOTAL_VARIATION[form](
        IMAGE - step * direction
    )
    assert slope == pytest.approx(rise / (2 * step), rel=1e-6, abs=1e-9)


def test_losses_keep_the_precision_they_are_given():
    for dtype in (tf.float32, tf.float64):
        features = tf.constant(F, dtype)
        values = [
            *(losses.content(features, features + 1, reduction) for reduction in CONTENT),
            *(losses.gram(features, divisor) for divisor in DIVISORS),
            *(
                losses.style(losses.gram(features), losses.gram(features), reduction, POSITIONS)
                for reduction in STYLE
            ),
            *(losses.total_variation(features, form) for form in TOTAL_VARIATION),
        ]
        assert {value.dtype for value in values} == {dtype}


def test_nine_points_have_the_authors_value() -> None:
    """crowsonkb/style-transfer-pytorch (e7e2c71), TVLoss: value, first gradient, Σ|g|."""
    image = tf.constant(0.5 + 0.4 * np.sin(0.5 * np.arange(105)).reshape(1, 5, 7, 3))
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = losses.total_variation(image, "nine_point")
    gradient = tape.gradient(value, image).numpy()
    found = float(value), gradient[0, 0, 0, 0], np.abs(gradient).sum()
    expected = 0.2648634320994491, -0.0003196652181923, 1.7140994766119397
    assert found == pytest.approx(expected, rel=1e-11)
