"""L-BFGS' memory against whole matrices, and its spectrum against cosines summed by hand."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.optimize

from stn import optimize
from stn.config import optimizers
from stn.config.optimizers import SpectralLBFGS
from stn.optimize import limits
from stn.optimize.spectrum import Spectrum
from stn.optimize.stepwise_lbfgs import Memory
from stn.quantities import Terms

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
    """A label for each coefficient: color, and half-octaves and a bit (1.5 an octave) of frequency
    from 1/256 on.
    """
    labels = []
    for u in range(HEIGHT):
        for v in range(WIDTH):
            frequency = max(np.hypot(u / (2 * HEIGHT), v / (2 * WIDTH)), 1 / 256)
            labels += [(int(1.5 * np.log2(256 * frequency)), color) for color in range(3)]
    return np.array([hash(label) for label in labels])


def gaussian(length: int, deviation: float = 4.0) -> np.ndarray:
    """A Gaussian average along a line as a matrix; beyond its ends the line is mirrored, again and
    again.
    """
    matrix = np.zeros((length, length))
    for i in range(length):
        for offset in range(-16, 17):
            j = (i + offset) % (2 * length)
            matrix[i, min(j, 2 * length - 1 - j)] += np.exp(-((offset / deviation) ** 2) / 2)
    return matrix / matrix.sum(1, keepdims=True)


AVERAGE = np.kron(gaussian(HEIGHT), gaussian(WIDTH))


def hartley() -> np.ndarray:
    """Hartley's orthonormal transform in two dimensions: cosine plus sine of the sum of both
    angles.
    """
    rows = np.multiply.outer(range(HEIGHT), range(HEIGHT)) / HEIGHT
    columns = np.multiply.outer(range(WIDTH), range(WIDTH)) / WIDTH
    angle = 2 * np.pi * (rows[:, None, :, None] + columns[None, :, None, :])
    return (np.cos(angle) + np.sin(angle)) / np.sqrt(HEIGHT * WIDTH)


@pytest.mark.parametrize(
    ("periodic", "transform"),
    [(False, np.einsum("ui,vj->uvij", cosine(HEIGHT), cosine(WIDTH))), (True, hartley())],
)
def test_coefficients_are_the_transform_of_opponent_colors(periodic, transform):
    spectrum, image = Spectrum(HEIGHT, WIDTH, periodic), RNG.normal(0, 50, N).astype(np.float32)
    T = np.einsum("uvij,ca->uvcija", transform, np.array(COLORS)).reshape(N, N)
    np.testing.assert_allclose(T @ T.T, np.eye(N), atol=1e-12)
    np.testing.assert_allclose(spectrum.coefficients(image), T @ image, atol=1e-3)
    np.testing.assert_allclose(
        spectrum.image(spectrum.coefficients(image)).ravel(), image, atol=1e-3
    )
    assert spectrum.coefficients(image).dtype == np.float32


@pytest.mark.parametrize("periodic", [True, False])
def test_a_periodic_picture_has_no_side_that_the_steps_know_of(periodic):
    """A loss that does not change when the picture is moved around, minimized from a picture and
    from it moved.
    """

    def loss(image: np.ndarray) -> tuple[Terms, np.ndarray]:
        rows, columns = np.roll(image, 1, 1) - image, np.roll(image, 1, 2) - image
        gradient = (
            8 * (np.roll(rows, -1, 1) - rows + np.roll(columns, -1, 2) - columns)
            + (image - 30) * image**2 / 99
        )
        value = 4 * (rows**2 + columns**2).sum() + (image**4 / 4 - 10 * image**3).sum() / 99
        return Terms(value, value, 0.0, 0.0, {}), gradient

    start = RNG.normal(20, 9, (1, 16, 24, 3))
    settings = SpectralLBFGS(max_evaluations=8, history=5)
    found, moved = (
        optimize.minimize(
            optimize.Problem(loss, periodic=periodic), optimize.State(image), settings
        ).image
        for image in (start, np.roll(start, (5, 7), (1, 2)))
    )
    alike = np.allclose(np.roll(found, (5, 7), (1, 2)), moved, atol=1e-4)
    assert alike == periodic and np.abs(found - start).max() > 5


def test_energy_is_the_sum_of_squares_of_each_band_and_color():
    spectrum, x = Spectrum(HEIGHT, WIDTH), RNG.normal(size=N).astype(np.float32)
    found, labels = spectrum.spread(spectrum.energy(x)), bands()
    np.testing.assert_allclose(
        found, [np.sum(x[labels == label] ** 2) for label in labels], rtol=1e-5
    )


def first_guess(pairs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """H0 as a matrix, from the pairs by which it is measured: the first five, then every fourth of
    all.
    """
    labels = bands()
    in_bands, at_places = np.zeros((2, N)), np.zeros((2, HEIGHT * WIDTH))
    for number, (s, y) in enumerate(pairs, 1):
        if number > 5 and number % 4:
            continue
        of_s, of_y = T @ s, T @ y
        in_bands *= 0.9
        in_bands += [
            [np.sum(x[labels == label] ** 2) / (y @ y) for label in labels] for x in (of_s, of_y)
        ]
        root = (in_bands[0] / in_bands[1]) ** 0.25
        at_places *= 0.9
        for row, x in enumerate((of_s / root, of_y * root)):
            at_places[row] += ((T.T @ x) ** 2).reshape(-1, 3).sum(1) / (y @ y)
    B = T.T @ np.diag(np.sqrt(in_bands[0] / in_bands[1])) @ T
    if len(pairs) < 5:
        return B
    s_there, y_there = at_places @ AVERAGE.T
    root_R = np.diag(np.repeat((s_there / y_there) ** 0.25, 3))
    return root_R @ B @ root_R


@pytest.mark.parametrize("pairs", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("spectral", [False, True])
def test_the_direction_is_that_of_the_whole_matrix(pairs, spectral):
    """Nocedal & Wright 2006, equations (7.16) and (7.17), with a memory of three."""
    history, spectrum = 3, Spectrum(HEIGHT, WIDTH) if spectral else None
    curved = np.diag(RNG.uniform(1, 20, N)) + 0.1 * np.ones((N, N))  # a Hessian
    memory = Memory(
        np.zeros((1, HEIGHT, WIDTH, 3)), RNG.normal(size=N).astype(np.float32), 0.0, np.zeros(N)
    )
    seen = []
    for _ in range(pairs):
        memory.step = RNG.normal(size=N).astype(np.float32)
        y = (curved @ memory.step).astype(np.float32)
        memory.remember(y, history, spectrum)
        seen.append((memory.step.astype(float), y.astype(float)))
    s, y = seen[-1]
    H = first_guess(seen) if spectral else (s @ y) / (y @ y) * np.eye(N)
    for s, y in seen[-history:]:
        V = np.eye(N) - np.outer(y, s) / (s @ y)
        H = V.T @ H @ V + np.outer(s, s) / (s @ y)
    expected = -H @ memory.gradient
    np.testing.assert_allclose(
        memory.direction(spectrum), expected, atol=1e-4 * np.abs(expected).max()
    )


def test_a_memory_that_grows_keeps_its_pairs() -> None:
    """A run that goes on under a larger budget has room for more."""
    gradient, pairs = RNG.normal(size=N).astype(np.float32), RNG.normal(size=(6, N))
    found = []
    for histories in ((2, 2, 4, 4, 4, 4), (4,) * 6):
        memory = Memory(np.zeros((1, HEIGHT, WIDTH, 3)), gradient, 0.0, np.zeros(N))
        for s, history in zip(pairs.astype(np.float32), histories, strict=True):
            memory.step = s
            memory.remember(np.float32(3) * s + np.float32(0.1) * np.abs(s), history, None)
        found.append(memory.direction(None))
    np.testing.assert_array_equal(*found)


def test_what_was_never_moved_or_never_curved_gets_a_number_within_bounds():
    spectrum = Spectrum(HEIGHT, WIDTH)
    s, y, q = (RNG.normal(size=(HEIGHT, WIDTH, 3)).astype(np.float32) for _ in range(3))
    s[:, :4], y[:3] = 0, 0
    flat = np.broadcast_to(np.array([1, 2, 3], np.float32), s.shape)  # the lowest band alone
    for pair in ((s, y), (flat, flat)):
        bands, places = spectrum.measured(*(x.ravel() for x in pair), None, None)
        found = spectrum.scaled(q.ravel(), 0.5, bands, places)
        assert (
            np.isfinite(found).all()
            and 0 < found @ q.ravel() <= 0.5 * 100 * 10 * q.ravel() @ q.ravel()
        )


@pytest.mark.parametrize(("ratio", "of_band", "of_place"), [(1e12, 100, 10), (4, 2, 2)])
def test_a_band_weighs_at_most_a_hundred_times_as_much_and_a_place_ten(
    ratio: float, of_band: float, of_place: float
) -> None:
    """Where s² is so many times y² in every band, or at every place, and the other way around."""
    spectrum = Spectrum(HEIGHT, WIDTH)
    q, count = RNG.normal(size=N).astype(np.float32), spectrum.energy(np.ones(N)).size
    for inverse in (False, True):
        bands, places = (np.ones(shape) for shape in ((2, count), (2, HEIGHT, WIDTH)))
        bands[int(inverse)], places[int(inverse)] = ratio, ratio
        factors = np.array([of_band, of_place]) ** (-1.0 if inverse else 1.0)
        only_bands = spectrum.scaled(q, 1.0, bands, None)
        only_places = spectrum.scaled(q, 1.0, np.ones((2, count)), places)
        for found, factor in zip((only_bands, only_places), factors, strict=True):
            np.testing.assert_allclose(found, factor * q, rtol=1e-4, atol=1e-4 * factor)


@pytest.mark.parametrize("factor", [0.1, 0.5, 1.0, 1.8, 5.0])
def test_damping_follows_how_far_steps_go_beyond_the_least_of_a_parabola(factor):
    """Along a step that is `factor` times as long as it should be, on x² / 2."""
    x = RNG.normal(size=N).astype(np.float32)
    memory = Memory(np.zeros(1), x, 0.0, np.float32(-factor) * x, damping=0.5)
    memory.learn_damping(np.float32(1 - factor) * x)
    assert memory.damping == pytest.approx(
        min(1, 0.5 * np.clip(1 / factor, 0.25, 2) ** 0.3), rel=1e-5
    )
    for _ in range(30):
        memory.learn_damping(np.float32(1 - factor) * x)
    assert memory.damping == pytest.approx(
        0.5 if factor == 1 else (1 if factor < 1 else 0.2), rel=1e-4
    )


def test_a_pair_along_which_the_loss_curves_downwards_is_not_kept():
    memory = Memory(
        np.zeros((1, HEIGHT, WIDTH, 3)), np.ones(N, np.float32), 0.0, np.ones(N, np.float32)
    )
    memory.remember(-np.ones(N, np.float32), 3, None)
    memory.remember(np.zeros(N, np.float32), 3, None)
    assert memory.count == 0
    memory.remember(np.ones(N, np.float32), 3, None)
    assert memory.count == 1


def test_steps_grow_slowly_at_first_and_are_damped_later():
    curved = RNG.uniform(1, 200, (1, HEIGHT, WIDTH, 3))

    def bowl(x: np.ndarray) -> tuple[Terms, np.ndarray]:
        """The more curved the nearer to its least, so that steps are too long."""
        root = np.sqrt(1 + x**2)
        return Terms(float(np.sum(curved * root)), 0.0, 0.0, 0.0, {}), curved * x / root

    steps, found = [], []

    def on_checkpoint(state: optimize.State) -> None:
        memory = Memory(
            **{
                key: np.copy(value) if key == "step" else value
                for key, value in state.memory.items()
            }
        )
        steps.append(float(np.sqrt(np.mean(memory.step**2))))
        taken_back = bool(found) and state.iterations == found[-1][0]
        if memory.count > 10 and not taken_back:
            damping = memory.step / memory.direction(Spectrum(HEIGHT, WIDTH))
            np.testing.assert_allclose(damping, memory.damping, rtol=1e-2)
            found.append((state.iterations, memory.damping))

    start = optimize.State(RNG.normal(0, 50, (1, HEIGHT, WIDTH, 3)))
    settings = SpectralLBFGS(max_evaluations=40, history=20)
    callbacks = optimize.Callbacks(on_checkpoint=on_checkpoint)
    optimize.minimize(optimize.Problem(bowl), start, settings, callbacks)
    assert steps[0] == pytest.approx(1, rel=1e-5)
    assert all(later <= 2.001 * earlier for earlier, later in pairwise(steps[:10]))
    assert len(found) > 20 and len({damping for _, damping in found}) > 10


LOW, HIGH = (
    np.array([-104.0, -117.0, -124.0]),
    np.array([151.0, 138.0, 131.0]),
)  # 0 and 255 less a mean pixel


def test_the_penalty_is_zero_inside_and_its_own_integral_beyond():
    image = RNG.uniform(-40, 295, (1, HEIGHT, WIDTH, 3)) + LOW
    strength, value, gradient = 3.0, 0.0, np.zeros(image.shape)
    for place, pixel in np.ndenumerate(image):
        low, high = LOW[place[-1]], HIGH[place[-1]]
        beyond = pixel - (low if pixel < low else high if pixel > high else pixel)
        value += strength * beyond**4 / (4 * (255 / 16) ** 3)
        gradient[place] = strength * (beyond / (255 / 16)) ** 3
    found = limits.penalty(image, (LOW, HIGH), strength)
    assert found[0] == pytest.approx(value)
    np.testing.assert_allclose(found[1], gradient, atol=1e-12)
    inside = np.clip(image, LOW, HIGH)
    assert limits.penalty(inside, (LOW, HIGH), strength)[0] == 0
    assert not np.any(limits.penalty(inside, (LOW, HIGH), strength)[1])


@pytest.mark.parametrize("name", ["torch_lbfgs", "spectral_lbfgs"])
@pytest.mark.parametrize("limit", [LOW, HIGH], ids=["black", "white"])
def test_a_picture_that_starts_black_or_white_is_as_free_as_a_gray_one(name, limit):
    """A coupled bowl: neighbors weigh together, so that a pixel that is held leaves checkers."""
    goal = RNG.uniform(LOW + 60, HIGH - 60, (1, HEIGHT, WIDTH, 3))

    def bowl(image: np.ndarray) -> tuple[Terms, np.ndarray]:
        off = image - goal
        blocks = off[:, :-1, :-1] + off[:, :-1, 1:] + off[:, 1:, :-1] + off[:, 1:, 1:]
        gradient = 0.01 * off
        for rows in (slice(None, -1), slice(1, None)):
            for columns in (slice(None, -1), slice(1, None)):
                gradient[:, rows, columns] += blocks
        value = float(np.sum(blocks**2) + 0.01 * np.sum(off**2)) / 2
        return Terms(value, 0.0, 0.0, 0.0, {}), gradient

    held = np.zeros(goal.shape) + limit
    held[:, :, WIDTH // 2 :] = goal[
        :, :, WIDTH // 2 :
    ]  # one half starts black, one as it should be
    settings = optimizers.OPTIMIZERS[name].settings(max_evaluations=60, history=20, bounds=True)
    found = optimize.minimize(optimize.Problem(bowl, (LOW, HIGH)), optimize.State(held), settings)
    assert found.best.terms.total < 1e-6 * bowl(held)[0].total
    assert np.abs(found.image - goal).max() < 5


@pytest.mark.parametrize("name", ["torch_lbfgs", "spectral_lbfgs"])
def test_pixels_that_the_loss_wants_far_beyond_end_near_their_limits(name):
    """Half of the picture is to be 400 levels beyond white; 16 beyond it the penalty is as strong
    as the first gradient.
    """
    goal = HIGH - 100 + np.zeros((1, HEIGHT, WIDTH, 3))
    goal[:, :, WIDTH // 2 :] += 500
    start = HIGH - 100 + RNG.normal(0, 1, goal.shape)

    def far(image: np.ndarray) -> tuple[Terms, np.ndarray]:
        return Terms(float(np.sum((image - goal) ** 2)) / 2, 0.0, 0.0, 0.0, {}), image - goal

    settings = optimizers.OPTIMIZERS[name].settings(max_evaluations=80, history=20, bounds=True)
    seen = []
    found = optimize.minimize(
        optimize.Problem(far, (LOW, HIGH)),
        optimize.State(start),
        settings,
        optimize.Callbacks(lambda _, image: seen.append(image)),
    )
    beyond = seen[-1][:, :, WIDTH // 2 :] - HIGH
    # Where both pull alike: 400 − d = √(500² / 2) · (d / (255 / 16))³.
    expected = scipy.optimize.brentq(lambda d: 400 - d - 500 / 2**0.5 * (d * 16 / 255) ** 3, 0, 99)
    np.testing.assert_allclose(beyond, expected, rtol=0.1)
    assert found.image.max() <= HIGH.max()  # what is given back is clipped
    np.testing.assert_allclose(found.image[:, :, : WIDTH // 2], goal[:, :, : WIDTH // 2], atol=3)


def test_a_step_that_raises_the_loss_by_a_tenth_is_taken_back_and_a_quarter_of_it_tried():
    """A valley with a wall that no pair has seen: a step goes over it, the next is a quarter."""
    wall = 40.0

    def valley(image: np.ndarray) -> tuple[Terms, np.ndarray]:
        beyond = np.maximum(image - wall, 0)
        value = float(np.sum(1000 - image) + 50 * np.sum(beyond**2))
        return Terms(value, 0.0, 0.0, 0.0, {}), -1 + 100 * beyond

    seen, totals = [], []

    def on_evaluation(evaluation: optimize.Evaluation, image: np.ndarray) -> None:
        seen.append(image.mean())
        totals.append(evaluation.terms.total)

    settings = SpectralLBFGS(max_evaluations=12, history=20)
    start = np.zeros((1, HEIGHT, WIDTH, 3))
    callbacks = optimize.Callbacks(on_evaluation)
    optimize.minimize(optimize.Problem(valley), optimize.State(start), settings, callbacks)
    raised = next(n for n in range(1, len(totals)) if totals[n] > 1.1 * totals[n - 1])
    before, over, after = seen[raised - 1 : raised + 2]
    assert after - before == pytest.approx((over - before) / 4, rel=1e-4)


@pytest.mark.parametrize(
    ("first", "second"), [(100.0, 109.9), (100.0, 110.1), (-100.0, -90.1), (-100.0, -89.9)]
)
@pytest.mark.parametrize(
    ("name", "bounds"), [("spectral_lbfgs", False), ("torch_lbfgs", True), ("torch_lbfgs", False)]
)
def test_what_counts_as_a_rise_by_a_tenth_and_who_takes_a_step_back(
    name: str, bounds: bool, first: float, second: float
) -> None:
    """Torch's own L-BFGS takes none back; ours does where pixels have limits."""
    totals = iter((first, second, first))
    image, gradient = np.zeros((1, HEIGHT, WIDTH, 3)), RNG.normal(size=(1, HEIGHT, WIDTH, 3))
    settings = optimizers.OPTIMIZERS[name].settings(max_evaluations=3, history=20, bounds=bounds)
    found = []
    optimize.minimize(
        optimize.Problem(
            lambda image: (Terms(next(totals), 0.0, 0.0, 0.0, {}), gradient), (LOW, HIGH)
        ),
        optimize.State(image),
        settings,
        optimize.Callbacks(lambda evaluation, image: found.append(evaluation.iteration)),
    )
    rises = second - first > 0.1 * abs(first)
    assert found == [0, 1, 1 if rises and (bounds or name == "spectral_lbfgs") else 2]
