"""Minimization against SciPy's and Keras' own: exact budgets, steps back from NaN, resumption bit
for bit.
"""

import copy
import dataclasses
import io
import itertools
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch_steps
from scipy.optimize import fmin_l_bfgs_b

from stn import optimize
from stn.config import optimizers
from stn.config.optimizers import (
    Adam,
    Optimizer,
    RMSprop,
    ScipyLBFGS,
    SpectralLBFGS,
    TorchLBFGS,
)
from stn.errors import InputError
from stn.images import resizing
from stn.optimize import Callbacks, Evaluation, Outcome, Problem, State
from stn.optimize.laplacian import Laplacian
from stn.quantities import Terms

SHAPE = (1, 4, 5, 3)
RNG = np.random.default_rng(0)
START, CENTER = RNG.uniform(-1, 1, SHAPE), RNG.uniform(-50, 50, SHAPE)
CURVATURE = np.linspace(1, 30, CENTER.size).reshape(SHAPE)
UNIT = np.array([58.395, 57.12, 57.375])  # ImageNet's deviations: another number for each channel
LBFGS, ADAM = (
    ScipyLBFGS(max_evaluations=20),
    Adam(max_evaluations=20, learning_rate=0.5),
)
TORCH = TorchLBFGS(max_evaluations=20, history=5)
SPECTRAL = SpectralLBFGS(max_evaluations=20, history=5)
RMSPROP = RMSprop(max_evaluations=20, learning_rate=0.1, laplacian_levels=2)
OPTIMIZERS = [LBFGS, TORCH, SPECTRAL, ADAM, RMSPROP]


def with_restarts(settings: Optimizer, every: int, **changed: Any) -> Optimizer:
    """The settings, changed so, and of SciPy's L-BFGS with restarts, without which it is saved
    nowhere.
    """
    restarts = {"restart_every": every} if isinstance(settings, ScipyLBFGS) else {}
    return dataclasses.replace(settings, **changed, **restarts)


EVERY = pytest.mark.parametrize("settings", OPTIMIZERS, ids=lambda settings: settings.name)

Function = Callable[[np.ndarray], tuple[float, np.ndarray]]
Trace = list[tuple[Evaluation, np.ndarray]]


def quadratic(image: np.ndarray) -> tuple[float, np.ndarray]:
    """Convex, with its minimum 0 at CENTER."""
    away = image - CENTER
    return 0.5 * np.sum(CURVATURE * away**2), CURVATURE * away


def rosenbrock(image: np.ndarray) -> tuple[float, np.ndarray]:
    """Rosenbrock's valley in 60 dimensions: hundreds of evaluations from its end."""
    x = image.ravel()
    a = x[1:] - x[:-1] ** 2
    gradient = np.zeros_like(x)
    gradient[1:] += 200 * a
    gradient[:-1] -= 400 * a * x[:-1] + 2 * (1 - x[:-1])
    return np.sum(100 * a**2 + (1 - x[:-1]) ** 2), gradient.reshape(image.shape)


def uphill(image: np.ndarray) -> tuple[float, np.ndarray]:
    """A gradient that points the wrong way: no line search can succeed."""
    value, gradient = quadratic(image)
    return value, -gradient


def rounded(image: np.ndarray) -> tuple[float, np.ndarray]:
    """Rosenbrock's valley as a coarse number format gives it: flat steps of 0.1."""
    value, gradient = rosenbrock(image)
    return np.round(value, 1), gradient


def rippled(image: np.ndarray) -> tuple[float, np.ndarray]:
    """Rosenbrock's valley with ripples of 1 % that the gradient knows nothing of."""
    value, gradient = rosenbrock(image)
    return value * (1 + 0.01 * np.sin(1e5 * image.sum())), gradient


def broken(
    function: Function, calls: set[int], value: float = math.nan, in_gradient: bool = False
) -> Function:
    """`function`, but not finite at the calls of these numbers."""
    counter = iter(range(10**9))

    def value_and_gradient(image: np.ndarray) -> tuple[float, np.ndarray]:
        total, gradient = function(image)
        if next(counter) not in calls:
            return total, gradient
        if in_gradient:
            return total, np.where(np.arange(3) == 1, value, gradient)
        return value, gradient

    return value_and_gradient


def minimize(
    function: Function,
    start: np.ndarray | State,
    settings: Optimizer,
    on_checkpoint: Callable[[State], None] = lambda state: None,
    interrupted: Callable[[], str | None] = lambda: None,
    **of_problem: Any,
) -> tuple[Outcome, Trace]:
    """The outcome, and every evaluation with its image, in the order they were reported."""
    trace: Trace = []

    def value_and_grad(image: np.ndarray) -> tuple[Terms, np.ndarray]:
        assert image.shape == SHAPE
        total, gradient = function(image)
        return Terms(float(total), float(total), 0.0, 0.0, {}), gradient

    state = start if isinstance(start, State) else State(start.copy())
    callbacks = Callbacks(
        lambda evaluation, image: trace.append((evaluation, image.copy())),
        on_checkpoint,
        interrupted,
    )
    problem = Problem(value_and_grad, **of_problem)
    outcome = optimize.minimize(problem, state, settings, callbacks)
    return outcome, trace


def totals(trace: Trace) -> list[float]:
    return [evaluation.terms.total for evaluation, _ in trace]


def assert_outcome_is_the_best(outcome: Outcome, trace: Trace) -> None:
    best, image = min(
        trace,
        key=lambda pair: pair[0].terms.total if math.isfinite(pair[0].terms.total) else math.inf,
    )
    assert outcome.best == best
    np.testing.assert_array_equal(outcome.image, image)


# The budget and the reports


@pytest.mark.parametrize("budget", [1, 2, 3, 20, 50])
@pytest.mark.parametrize(
    "settings",
    [
        LBFGS,
        dataclasses.replace(LBFGS, restart_every=7),
        dataclasses.replace(LBFGS, restart_every=100),
        TORCH,
        SPECTRAL,
        ADAM,
        RMSPROP,
    ],
    ids=[
        "lbfgs",
        "lbfgs in rounds of 7",
        "rounds longer than the budget",
        "torch_lbfgs",
        "spectral_lbfgs",
        "adam",
        "rmsprop",
    ],
)
def test_the_budget_is_exact_and_every_evaluation_is_reported_in_order(settings, budget):
    function_calls = []

    def counted(image: np.ndarray) -> tuple[float, np.ndarray]:
        function_calls.append(image.copy())
        return rosenbrock(image)

    outcome, trace = minimize(counted, START, dataclasses.replace(settings, max_evaluations=budget))
    assert outcome.stop_reason == "max_evaluations"
    assert outcome.evaluations == len(function_calls) == len(trace) == budget
    assert [evaluation.index for evaluation, _ in trace] == list(range(budget))
    np.testing.assert_array_equal(trace[0][1], START)
    np.testing.assert_array_equal([image for _, image in trace], function_calls)
    assert totals(trace) == [rosenbrock(image)[0] for image in function_calls]
    seconds = [0.0, *(evaluation.seconds for evaluation, _ in trace)]
    assert all(
        math.isfinite(later) and later >= earlier for earlier, later in itertools.pairwise(seconds)
    )
    iterations = [evaluation.iteration for evaluation, _ in trace]
    assert iterations[0] == 0 and iterations == sorted(iterations)
    assert outcome.iterations >= iterations[-1]
    assert_outcome_is_the_best(outcome, trace)


@EVERY
def test_the_start_is_left_as_it_was_and_images_reported_are_not_written_to(settings):
    start, reported = START.copy(), []
    optimize.minimize(
        Problem(
            lambda image: (Terms(rosenbrock(image)[0], 0.0, 0.0, 0.0, {}), rosenbrock(image)[1])
        ),
        State(start),
        settings,
        Callbacks(lambda evaluation, image: reported.append((image, image.copy()))),
    )
    np.testing.assert_array_equal(start, START)
    for image, then in reported:
        np.testing.assert_array_equal(image, then)


@EVERY
def test_same_inputs_give_the_same_bytes(settings):
    (first, trace), (second, again) = (
        minimize(rosenbrock, START, settings, unit=UNIT) for _ in range(2)
    )
    assert first.image.tobytes() == second.image.tobytes()
    assert [image.tobytes() for _, image in trace] == [image.tobytes() for _, image in again]
    assert totals(trace) == totals(again)


@pytest.mark.parametrize(
    "settings",
    [dataclasses.replace(ADAM, learning_rate=1e3), dataclasses.replace(LBFGS, max_evaluations=30)],
    ids=["adam", "lbfgs"],
)
def test_the_best_image_is_kept_when_later_ones_are_worse(settings):
    outcome, trace = minimize(rosenbrock, START, settings)
    assert totals(trace)[-1] > outcome.best.terms.total  # a step that was too long
    assert_outcome_is_the_best(outcome, trace)


@EVERY
def test_interruption_gives_the_best_image_so_far(settings):
    seen = []

    def interrupted() -> str | None:
        return "SIGINT" if len(seen) == 5 else None

    def counted(image: np.ndarray) -> tuple[float, np.ndarray]:
        seen.append(image)
        return rosenbrock(image)

    outcome, trace = minimize(counted, START, settings, interrupted=interrupted)
    assert (outcome.stop_reason, outcome.evaluations, len(trace)) == ("SIGINT", 5, 5)
    assert_outcome_is_the_best(outcome, trace)


@EVERY
def test_an_exception_of_the_objective_or_an_observer_is_passed_on(settings):
    def failing(*_: object) -> tuple[float, np.ndarray]:
        raise MemoryError("too large")

    with pytest.raises(MemoryError, match="too large"):
        minimize(failing, START, settings)
    with pytest.raises(MemoryError, match="too large"):
        optimize.minimize(
            Problem(lambda image: (Terms(1.0, 1.0, 0.0, 0.0, {}), image)),
            State(START),
            settings,
            Callbacks(failing),
        )


# L-BFGS


@pytest.mark.parametrize("history", [3, 10])
def test_lbfgs_takes_scipys_own_steps(history):
    points = []

    def recorded(x: np.ndarray) -> tuple[float, np.ndarray]:
        points.append(x.reshape(SHAPE).copy())
        value, gradient = rosenbrock(x.reshape(SHAPE))
        return value, gradient.ravel()

    fmin_l_bfgs_b(recorded, START.ravel(), m=history, factr=0, pgtol=0, maxfun=60)
    _, trace = minimize(rosenbrock, START, ScipyLBFGS(max_evaluations=60, history=history))
    np.testing.assert_array_equal([image for _, image in trace], points[:60])


def test_a_line_search_that_fails_takes_as_many_evaluations_as_scipys() -> None:
    """Along a gradient of the wrong sign no step lowers the loss."""
    points = []

    def recorded(x: np.ndarray) -> tuple[float, np.ndarray]:
        points.append(x.reshape(SHAPE).copy())
        value, gradient = uphill(x.reshape(SHAPE))
        return value, gradient.ravel()

    fmin_l_bfgs_b(recorded, START.ravel(), factr=0, pgtol=0)
    _, trace = minimize(uphill, START, ScipyLBFGS(max_evaluations=200))
    assert len(points) > 20
    # A second round, from the same image, tries the same again.
    np.testing.assert_array_equal([image for _, image in trace], points + points[1:])


def test_a_restart_forgets_the_memory_and_spends_no_evaluation():
    """Each round is SciPy's own from the best image, whose value is known already."""
    _, trace = minimize(rosenbrock, START, ScipyLBFGS(max_evaluations=23, restart_every=9))
    expected: list[np.ndarray] = []
    for round_end in (10, 19, 23):
        start = min(expected, key=lambda image: rosenbrock(image)[0]) if expected else START
        points: list[np.ndarray] = []

        def recorded(x: np.ndarray, points: list[np.ndarray] = points) -> tuple[float, np.ndarray]:
            points.append(x.reshape(SHAPE).copy())
            value, gradient = rosenbrock(x.reshape(SHAPE))
            return value, gradient.ravel()

        fmin_l_bfgs_b(recorded, start.ravel(), factr=0, pgtol=0, maxfun=12)
        fresh = points[1:] if expected else points
        expected += fresh[: round_end - len(expected)]
    np.testing.assert_array_equal([image for _, image in trace], expected)


def test_a_round_has_as_many_evaluations_as_scipys_maxfun_gives():
    """`fmin_l_bfgs_b(maxfun=20)` makes 21 where its last iteration needs one; so does a round."""

    def value_and_grad(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = rosenbrock(x.reshape(SHAPE))
        return value, gradient.ravel()

    said = fmin_l_bfgs_b(value_and_grad, START.ravel(), factr=0, pgtol=0, maxfun=20)[2]
    rounds, whole = (
        [image for _, image in minimize(rosenbrock, START, settings)[1]]
        for settings in (
            ScipyLBFGS(max_evaluations=41, restart_every=20),
            ScipyLBFGS(max_evaluations=41),
        )
    )
    same = [np.array_equal(a, b) for a, b in zip(rounds, whole, strict=True)]
    assert said["funcalls"] == 21
    assert all(same[:21]) and not same[21]


def test_lbfgs_reaches_the_minimum_of_a_convex_quadratic():
    outcome, _ = minimize(quadratic, START, ScipyLBFGS(max_evaluations=300))
    np.testing.assert_allclose(outcome.image, CENTER, atol=1e-8)
    assert outcome.evaluations < 300
    assert outcome.stop_reason.startswith(("converged", "stalled"))


@pytest.mark.parametrize("tolerance", [{"ftol": 1e-3}, {"gtol": 10.0}])
def test_a_tolerance_ends_the_run_as_converged(tolerance):
    outcome, trace = minimize(quadratic, START, ScipyLBFGS(max_evaluations=300, **tolerance))
    assert outcome.stop_reason.startswith("converged (")
    assert 2 < outcome.evaluations == len(trace) < 60
    assert_outcome_is_the_best(outcome, trace)


@pytest.mark.parametrize(("tolerance", "evaluations"), [(0.0, 120), (0.39, 120), (0.4, 51)])
def test_a_loss_that_falls_by_a_hundredth_an_evaluation_falls_by_two_fifths_over_fifty(
    tolerance, evaluations
):
    losses = (0.99**number for number in itertools.count())  # 1 - .99^50 = .395
    settings = dataclasses.replace(ADAM, max_evaluations=120, tolerance=tolerance)
    outcome, _ = minimize(lambda image: (next(losses), np.ones(SHAPE)), START, settings)
    assert outcome.evaluations == evaluations
    assert outcome.stop_reason.startswith(
        "max_evaluations" if evaluations == 120 else "tolerance: over 50 evaluations"
    )


@EVERY
@pytest.mark.parametrize("level", [0, 1])
def test_a_tolerance_ends_every_level_where_the_best_has_fallen_by_less(settings, level):
    settings = with_restarts(settings, 35, max_evaluations=500)
    state = State(START.copy())
    if level:
        outcome, _ = minimize(
            rosenbrock, state, dataclasses.replace(settings, max_evaluations=60, tolerance=0.9)
        )
        state = state.next_level(outcome.image + 0.3)
    _, trace = minimize(rosenbrock, copy.deepcopy(state), settings)
    best = np.minimum.accumulate(totals(trace))
    expected = next(
        n for n in range(51, len(best)) if best[n - 51] - best[n - 1] < 0.3 * best[n - 51]
    )
    settings = dataclasses.replace(settings, tolerance=0.3)
    states: list[State] = []
    outcome, ended = minimize(
        rosenbrock,
        copy.deepcopy(state),
        settings,
        on_checkpoint=lambda state: states.append(saved_and_read(state)),
    )
    assert outcome.stop_reason.startswith("tolerance") and len(ended) == expected
    assert [image.tobytes() for _, image in ended] == [
        image.tobytes() for _, image in trace[:expected]
    ]
    for begun in states[:: max(1, len(states) // 6)]:
        resumed, rest = minimize(rosenbrock, copy.deepcopy(begun), settings)
        assert (len(rest), resumed.stop_reason) == (
            expected - begun.evaluations,
            outcome.stop_reason,
        )
        assert resumed.image.tobytes() == outcome.image.tobytes()


def test_evaluations_and_iterations_are_counted_as_scipy_counts_them():
    def value_and_grad(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = quadratic(x.reshape(SHAPE))
        return value, gradient.ravel()

    said = fmin_l_bfgs_b(value_and_grad, START.ravel(), factr=0, pgtol=10.0)[2]
    outcome, _ = minimize(quadratic, START, ScipyLBFGS(max_evaluations=300, gtol=10.0))
    assert (outcome.evaluations, outcome.iterations) == (said["funcalls"], said["nit"])


def test_a_minimum_at_the_start_is_found_with_one_evaluation():
    outcome, trace = minimize(quadratic, CENTER, LBFGS)
    assert len(trace) == outcome.evaluations == 1
    assert outcome.stop_reason.startswith("converged")
    np.testing.assert_array_equal(outcome.image, CENTER)


@pytest.mark.parametrize(
    "function", [rounded, rippled, uphill], ids=["rounded", "rippled", "uphill"]
)
@pytest.mark.parametrize("restart_every", [None, 15])
def test_a_failing_line_search_ends_in_a_reason_and_never_raises(function, restart_every):
    settings = ScipyLBFGS(max_evaluations=400, restart_every=restart_every)
    outcome, trace = minimize(function, START, settings)
    assert outcome.stop_reason == "max_evaluations" or outcome.stop_reason.startswith("stalled")
    assert len(trace) == outcome.evaluations <= 400
    assert (outcome.stop_reason == "max_evaluations") == (outcome.evaluations == 400)
    assert_outcome_is_the_best(outcome, trace)


def test_a_failing_line_search_restarts_from_the_best_image_and_goes_on():
    def disturbed() -> Function:
        counter = iter(range(10**9))

        def value_and_gradient(image: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = quadratic(image)
            return value + 1000 * (
                10 <= next(counter) < 25
            ), gradient  # for a while nothing is lower

        return value_and_gradient

    function = disturbed()

    def flattened(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = function(x.reshape(SHAPE))
        return value, gradient.ravel()

    _, alone, info = fmin_l_bfgs_b(flattened, START.ravel(), factr=0, pgtol=0)
    assert alone > 100 and info["funcalls"] < 25, "SciPy gives up here, or this test shows nothing"
    outcome, _ = minimize(disturbed(), START, ScipyLBFGS(max_evaluations=300))
    assert outcome.best.terms.total < 1e-12
    np.testing.assert_allclose(outcome.image, CENTER, atol=1e-6)


def test_a_function_that_cannot_fall_stalls_at_its_first_image():
    outcome, trace = minimize(uphill, START, ScipyLBFGS(max_evaluations=400))
    assert outcome.stop_reason == "stalled: no lower loss along the gradient"
    assert outcome.best.index == 0
    np.testing.assert_array_equal(outcome.image, START)
    assert len(trace) < 100


LIMITS = (
    np.array([-20.0, -21.0, -22.0]),
    np.array([20.3, 19.0, 18.7]),
)  # CENTER lies outside of them


@pytest.mark.parametrize("unit", [1.0, UNIT], ids=["pixels", "units"])
@pytest.mark.parametrize("restart_every", [None, 6])
def test_bounds_keep_every_pixel_in_the_limits(restart_every, unit):
    settings = ScipyLBFGS(max_evaluations=60, bounds=True, restart_every=restart_every)
    outcome, trace = minimize(quadratic, START * 40, settings, limits=LIMITS, unit=unit)
    low, high = LIMITS
    for _, image in trace:
        assert (image >= low - 1e-12).all() and (image <= high + 1e-12).all()
    # The quadratic is separable: its minimum within the limits is its minimum, clipped.
    np.testing.assert_allclose(
        outcome.image, np.clip(CENTER, *LIMITS), atol=0.01 if restart_every else 1e-4
    )
    np.testing.assert_allclose(trace[0][1], np.clip(START * 40, *LIMITS), rtol=1e-12)


@pytest.mark.parametrize("settings", [TORCH, SPECTRAL], ids=lambda settings: settings.name)
@pytest.mark.parametrize("unit", [1.0, UNIT], ids=["pixels", "units"])
def test_the_image_of_a_penalized_run_is_in_the_limits_and_near_the_minimum_there(settings, unit):
    settings = dataclasses.replace(settings, max_evaluations=100, bounds=True)
    outcome, _ = minimize(quadratic, START, settings, limits=LIMITS, unit=unit)
    low, high = LIMITS
    assert (outcome.image >= low).all() and (outcome.image <= high).all()
    least = quadratic(np.clip(CENTER, low, high))[0]
    assert least <= quadratic(outcome.image)[0] < 1.05 * least


@EVERY
def test_limits_alone_bind_nothing(settings):
    low, high = LIMITS[0] / 10, LIMITS[1] / 10
    _, bound = minimize(quadratic, START, settings, limits=(low, high))
    _, free = minimize(quadratic, START, settings)
    assert max((image - high).max() for _, image in free) > 1
    np.testing.assert_array_equal([image for _, image in bound], [image for _, image in free])


@pytest.mark.parametrize("settings", [LBFGS, dataclasses.replace(LBFGS, restart_every=6), ADAM])
def test_a_unit_is_the_same_as_optimizing_in_scaled_pixels(settings):
    def scaled(variables: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = quadratic(variables * UNIT)
        return value, gradient * UNIT

    _, trace = minimize(quadratic, START, settings, unit=UNIT)
    _, expected = minimize(scaled, START / UNIT, settings)
    for (_, image), (_, variables) in zip(trace, expected, strict=True):
        np.testing.assert_allclose(image, variables * UNIT, rtol=1e-7, atol=1e-9)


# Losses that are not finite


@EVERY
@pytest.mark.parametrize(
    ("value", "in_gradient"),
    [(math.nan, False), (math.inf, False), (-math.inf, False), (math.nan, True)],
)
def test_a_loss_that_is_not_finite_steps_back_to_the_best_image(settings, value, in_gradient):
    outcome, trace = minimize(broken(rosenbrock, {6}, value, in_gradient), START, settings)
    assert outcome.stop_reason == "max_evaluations"
    assert outcome.evaluations == len(trace) == 20
    best = trace[min(range(6), key=lambda i: totals(trace)[i])][1]
    # From there a fresh optimizer takes the steps that it would take from a new start.
    _, fresh = minimize(rosenbrock, best, dataclasses.replace(settings, max_evaluations=14))
    skipped = 1 if settings is LBFGS else 0  # L-BFGS knows the best image's value
    expected = [image for _, image in fresh][skipped:13]
    np.testing.assert_array_equal([image for _, image in trace[7:]][: len(expected)], expected)
    assert math.isfinite(outcome.best.terms.total) and outcome.best.index != 6
    assert np.isfinite(outcome.image).all()


@EVERY
def test_the_fourth_loss_that_is_not_finite_ends_the_run_with_the_best_image(settings):
    outcome, trace = minimize(broken(rosenbrock, {4, 6, 9, 11, 12}), START, settings)
    assert outcome.evaluations == len(trace) == 12
    assert "not finite" in outcome.stop_reason and "4" in outcome.stop_reason
    assert_outcome_is_the_best(outcome, trace)


@EVERY
@pytest.mark.parametrize("in_gradient", [False, True])
def test_a_first_image_whose_loss_is_not_finite_is_refused(settings, in_gradient):
    with pytest.raises(InputError, match="initial image, or its gradient, is not finite"):
        minimize(broken(rosenbrock, {0}, in_gradient=in_gradient), START, settings)


# L-BFGS without a line search


def dense_lbfgs(function: Function, evaluations: int, history: int) -> list[np.ndarray]:
    """The images evaluated where H is a whole matrix, by Nocedal & Wright's equations (7.16),
    (7.17) and (7.20).
    """
    images: list[np.ndarray] = []

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        images.append(x.reshape(SHAPE))
        value, gradient = function(images[-1])
        return value, gradient.ravel()

    x, pairs = START.ravel(), []
    _, g = evaluate(x)
    while len(images) < evaluations:
        if pairs:
            s, y = pairs[-1]
            H = np.eye(len(x)) * (s @ y) / (y @ y)
            for s, y in pairs:
                V = np.eye(len(x)) - np.outer(y, s) / (s @ y)
                H = V.T @ H @ V + np.outer(s, s) / (s @ y)
            step = -H @ g
        else:
            step = -g * (
                1 if len(images) > 1 else min(1, 1 / np.abs(g).sum())
            )  # torch.optim.LBFGS' first
        _, g_then = evaluate(x + step)
        if step @ (g_then - g) > 0:
            pairs = [*pairs, (step, g_then - g)][-history:]
        x, g = x + step, g_then
    return images[:evaluations]


def wavy(image: np.ndarray) -> tuple[float, np.ndarray]:
    """A bowl with waves: along some of the pairs it curves downwards."""
    away = image - CENTER
    return np.sum(0.05 * away**2 - 10 * np.cos(away)), 0.1 * away + 10 * np.sin(away)


@pytest.mark.parametrize("history", [1, 4, 30])
@pytest.mark.parametrize(
    ("function", "evaluations"), [(quadratic, 15), (wavy, 5)]
)  # waves amplify what float32 rounds
def test_torch_lbfgs_takes_the_steps_of_the_whole_matrix(function, evaluations, history):
    settings = TorchLBFGS(max_evaluations=evaluations, history=history)
    _, trace = minimize(function, START, settings)
    expected = dense_lbfgs(function, evaluations, history)
    np.testing.assert_allclose([image for _, image in trace], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", torch_steps.TRAJECTORIES)
def test_they_take_torchs_steps(name):
    """As torch.optim took them in float32 (torch_steps.py)."""
    function, start, optimizer, options = torch_steps.TRAJECTORIES[name]
    if optimizer == "LBFGS":
        settings: Optimizer = TorchLBFGS(max_evaluations=10, history=options["history_size"])
    elif optimizer == "RMSprop":
        settings = RMSprop(max_evaluations=10, rho=options.get("alpha", 0.99))
    else:
        beta1, beta2 = options.get("betas", (0.9, 0.999))
        # Torch adds epsilon after the bias correction, ours before: where it is 1e-8, all the same.
        settings = Adam(max_evaluations=10, epsilon=1e-8)
        settings = dataclasses.replace(settings, beta1=beta1, beta2=beta2)
    if optimizer != "LBFGS":
        levels = options.get("levels", 0)
        settings = dataclasses.replace(
            settings, learning_rate=options["lr"], laplacian_levels=levels
        )
    _, trace = minimize(function, start, settings)
    with np.load(torch_steps.RECORDED) as recorded:
        theirs = recorded[name][: len(trace)]  # ours ends where the gradient is zero
    assert len(trace) >= 7
    np.testing.assert_allclose([image for _, image in trace], theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", torch_steps.TRAJECTORIES)
def test_recorded_steps_are_those_of_torch(name):
    pytest.importorskip("torch")
    with np.load(torch_steps.RECORDED) as recorded:
        np.testing.assert_allclose(torch_steps.made(name), recorded[name], rtol=1e-4, atol=1e-3)


def test_rmsprop_of_one_number_takes_the_steps_of_torchs_float64() -> None:
    """Golden: from 1 by gradients of 3, −1 and 0.5, at a rate of 2e-3."""
    slopes = iter((3.0, -1.0, 0.5, 0.0))
    _, trace = minimize(
        lambda image: (1.0, np.full(image.shape, next(slopes))),
        np.ones(START.shape),
        RMSprop(max_evaluations=4, learning_rate=2e-3),
    )
    found = [float(image.flat[0]) for _, image in trace[1:]]
    expected = [0.9800000006666667, 0.9863532098447483, 0.9832005176603945]
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_laplacian_pyramid_is_bilinear_with_its_corners_on_each_other() -> None:
    """Golden: a picture [5, 7, 3] and one level; the coarse gradient of Σ cos(.3k) x."""
    picture = (0.5 + 0.4 * np.sin(0.5 * np.arange(105))).reshape(1, 5, 7, 3)
    pyramid = Laplacian(picture.shape, 1)
    gradient = pyramid.gradient(np.cos(0.3 * np.arange(105)).reshape(1, 5, 7, 3))
    assert np.abs(gradient[105:]).sum() == pytest.approx(48.80363032417125, rel=1e-12)
    np.testing.assert_array_equal(gradient[:105], np.cos(0.3 * np.arange(105)))
    deep = Laplacian(picture.shape, 4)  # down to one pixel
    variables = np.sin(np.arange(deep.gradient(picture).size) ** 2)
    image = deep.image(variables)
    assert image.shape == picture.shape
    both = (image * picture).sum(), (variables * deep.gradient(picture)).sum()
    assert both[0] == pytest.approx(both[1], rel=1e-12)
    flat = np.concatenate([np.zeros(variables.size - 3), [0.1, 0.5, 0.9]])  # the base alone
    np.testing.assert_allclose(deep.image(flat), np.broadcast_to([0.1, 0.5, 0.9], (1, 5, 7, 3)))


def test_a_laplacian_pyramid_may_be_bilinear_by_the_centers_of_pixels() -> None:
    pyramid = Laplacian((1, 9, 6, 3), 1, corners=False)
    coarse = np.sin(np.arange(36.0)).reshape(4, 3, 3)
    image = pyramid.image(np.concatenate([np.zeros(162), coarse.ravel()]))
    expected = resizing.FILTERS["bilinear"](coarse, 9, 6)
    np.testing.assert_allclose(image, expected[None], atol=1e-12)
    gradient = pyramid.gradient(np.cos(np.arange(162.0)).reshape(1, 9, 6, 3))
    both = gradient[162:] @ coarse.ravel(), np.cos(np.arange(162.0)) @ expected.ravel()
    assert both[0] == pytest.approx(both[1], rel=1e-12)
    found = []
    for corners in (True, False):
        for settings in (ADAM, RMSPROP):
            chosen = {"laplacian_levels": 1, "laplacian_corners": corners, "max_evaluations": 3}
            found.append(minimize(quadratic, START, dataclasses.replace(settings, **chosen))[1])
    for one, other in zip(found[:2], found[2:], strict=True):
        assert np.abs(one[-1][1] - other[-1][1]).max() > 1e-6


def test_spectral_lbfgs_takes_a_step_back_that_raises_the_loss_by_a_tenth():
    _, trace = minimize(rosenbrock, START, SpectralLBFGS(max_evaluations=40))
    accepted, back = totals(trace)[0], 0
    for total in totals(trace)[1:]:
        if total > accepted + 0.1 * abs(accepted):
            back += 1  # the next is nearer
        else:
            accepted = total
    assert back and accepted < totals(trace)[0]


def test_torch_lbfgs_reaches_the_minimum_of_a_convex_quadratic():
    outcome, _ = minimize(quadratic, START, dataclasses.replace(TORCH, max_evaluations=100))
    np.testing.assert_allclose(outcome.image, CENTER, atol=1e-4)


# Adam


def keras_adam(function: Function, evaluations: int, rate, **options) -> list[np.ndarray]:
    """The images that Keras' Adam evaluates, in float64."""
    floatx = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        variable, optimizer = keras.Variable(START), keras.optimizers.Adam(rate, **options)
        images = []
        for _ in range(evaluations):
            images.append(np.array(variable))
            optimizer.apply([keras.ops.convert_to_tensor(function(images[-1])[1])], [variable])
    finally:
        keras.config.set_floatx(floatx)
    return images


@pytest.mark.parametrize(
    ("rate", "beta1", "beta2", "epsilon"),
    [(10.0, 0.9, 0.999, 1e-8), (0.02, 0.99, 0.999, 0.1), (2.0, 0.5, 0.8, 1e-7)],
    ids=["neural-style", "TensorFlow tutorial", "other betas"],  # METHODS.md §2.3
)
@pytest.mark.parametrize("function", [quadratic, rosenbrock])
def test_adam_takes_kerass_steps(function, rate, beta1, beta2, epsilon):
    beta1, beta2 = (
        float(np.float32(beta1)),
        float(np.float32(beta2)),
    )  # Keras rounds betas so, even in float64
    settings = Adam(
        max_evaluations=25, learning_rate=rate, beta1=beta1, beta2=beta2, epsilon=epsilon
    )
    outcome, trace = minimize(function, START, settings)
    assert [evaluation.iteration for evaluation, _ in trace] == list(range(25))
    assert outcome.iterations == 25
    expected = keras_adam(function, 25, rate, beta_1=beta1, beta_2=beta2, epsilon=epsilon)
    np.testing.assert_allclose([image for _, image in trace], expected, rtol=1e-9, atol=1e-11)


def test_the_learning_rate_falls_in_steps():
    """As Dive into Deep Learning's, × 0.8 every 50 epochs (METHODS.md §2.3); × 0.75, which float32
    holds, here.
    """
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 4, 0.75, staircase=True)
    settings = dataclasses.replace(ADAM, beta1=0.875, beta2=0.96875, decay_rate=0.75, decay_every=4)
    _, trace = minimize(quadratic, START, settings)
    expected = keras_adam(quadratic, 20, schedule, beta_1=0.875, beta_2=0.96875, epsilon=1e-8)
    np.testing.assert_allclose([image for _, image in trace], expected, rtol=1e-9, atol=1e-11)


def test_adam_on_unit_pixels_is_adam_on_255_with_rate_and_epsilon_converted():
    """METHODS.md §2.3: an Adam step on [0,1] pixels equals one on 0-255 pixels with lr × 255 and
    eps / 255.
    """
    tutorial = Adam(max_evaluations=15, learning_rate=0.02, beta1=0.99, epsilon=0.1)
    converted = dataclasses.replace(tutorial, learning_rate=0.02 * 255, epsilon=0.1 / 255)
    _, trace = minimize(rosenbrock, START, tutorial, unit=255.0)
    _, expected = minimize(rosenbrock, START, converted)
    np.testing.assert_allclose([i for _, i in trace], [i for _, i in expected], rtol=1e-10)


def test_clipping_projects_every_step_and_leaves_the_moments_alone():
    settings = dataclasses.replace(ADAM, learning_rate=10.0, bounds=True)
    _, trace = minimize(quadratic, START, settings, limits=LIMITS)
    image, m, v = START, np.zeros(SHAPE), np.zeros(SHAPE)
    for step, (_, found) in enumerate(trace, start=1):
        np.testing.assert_allclose(found, image, rtol=1e-10, atol=1e-10)
        gradient = quadratic(image)[1]
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        rate = 10 * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        image = np.clip(image - rate * m / (np.sqrt(v) + 1e-8), *LIMITS)
    assert (trace[-1][1] == LIMITS[1]).any()


# Going on from a State


def saved_and_read(state: State) -> State:
    """The State as it is after a round trip through a file."""
    file = io.BytesIO()
    np.savez(file, **state.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        return State.from_arrays(dict(arrays))


def with_states(
    function: Function, settings: Optimizer, **options
) -> tuple[Outcome, Trace, list[State]]:
    """`minimize` from START, with every State on its way through a file."""
    states: list[State] = []
    outcome, trace = minimize(
        function,
        START,
        settings,
        on_checkpoint=lambda state: states.append(saved_and_read(state)),
        **options,
    )
    return outcome, trace, states


@EVERY
def test_a_state_can_be_saved_after_every_evaluation(settings):
    states: list[int] = []
    minimize(
        rosenbrock,
        START,
        with_restarts(settings, 5),
        on_checkpoint=lambda state: states.append(state.index),
    )
    assert states == list(range(1, 21))


@pytest.mark.parametrize("level", [0, 1])
def test_a_state_is_read_as_it_was_saved(level):
    state = State(START.copy())
    for _ in range(level + 1):
        outcome, _ = minimize(rosenbrock, state, SPECTRAL)
        begun, state = state, state.next_level(outcome.image)
    for whole in (begun, state):  # in the middle, and with nothing evaluated yet
        read = saved_and_read(whole)
        assert read.best == whole.best
        assert vars(read).keys() == vars(whole).keys()
        for then, now in ((vars(whole), vars(read)), (whole.memory, read.memory)):
            for name in then.keys() - {"best", "memory"}:
                assert type(now[name]) is type(then[name])
                np.testing.assert_array_equal(now[name], then[name])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda arrays: arrays.pop("image"),
        lambda arrays: arrays.update(best=np.array("{")),
        lambda arrays: arrays.update(best=np.array("{}")),
        lambda arrays: arrays.update(other=np.zeros(3)),
    ],
    ids=["no image", "half a line", "an empty evaluation", "a field of another version"],
)
def test_what_is_no_state_is_refused(spoil):
    state = State(START.copy())
    minimize(rosenbrock, state, ADAM)
    arrays = state.to_arrays()
    spoil(arrays)
    with pytest.raises((KeyError, TypeError, ValueError)):
        State.from_arrays(arrays)


@pytest.mark.parametrize(
    "options", [{}, {"unit": UNIT, "limits": LIMITS}], ids=["pixels", "units and limits"]
)
@pytest.mark.parametrize(
    "settings",
    [
        ScipyLBFGS(max_evaluations=31),
        ScipyLBFGS(max_evaluations=31, restart_every=7),
        ScipyLBFGS(max_evaluations=31, restart_every=7, bounds=True),
        TorchLBFGS(max_evaluations=31, history=5, bounds=True),
        SpectralLBFGS(max_evaluations=31, history=50),
        Adam(max_evaluations=31, learning_rate=0.5, decay_rate=0.8, decay_every=4),
        Adam(max_evaluations=31, learning_rate=5.0, bounds=True),
    ],
    ids=[
        "lbfgs",
        "lbfgs in rounds",
        "lbfgs bounded",
        "torch_lbfgs",
        "spectral_lbfgs",
        "adam decayed",
        "adam clipped",
    ],
)
@pytest.mark.parametrize("function", [rosenbrock, quadratic])
def test_a_resumed_run_makes_the_remaining_evaluations_bit_for_bit(function, settings, options):
    whole, trace, states = with_states(function, settings, **options)
    assert len(states) >= whole.evaluations - 1
    for state in states[:: max(1, len(states) // 9)]:
        done = state.evaluations
        resumed, rest = minimize(function, copy.deepcopy(state), settings, **options)
        assert [(e.index, e.iteration, e.terms) for e, _ in rest] == [
            (e.index, e.iteration, e.terms) for e, _ in trace[done:]
        ]
        assert [image.tobytes() for _, image in rest] == [
            image.tobytes() for _, image in trace[done:]
        ]
        assert resumed.image.tobytes() == whole.image.tobytes()
        assert (resumed.best.index, resumed.best.terms) == (whole.best.index, whole.best.terms)
        assert (resumed.evaluations, resumed.iterations) == (whole.evaluations, whole.iterations)
        assert resumed.stop_reason == whole.stop_reason
        assert all(evaluation.seconds >= state.seconds for evaluation, _ in rest)


@EVERY
def test_recoveries_are_remembered_over_a_resumption(settings):
    settings = with_restarts(settings, 5)
    states: list[State] = []
    minimize(
        broken(rosenbrock, {2, 3}),
        START,
        settings,
        on_checkpoint=lambda state: states.append(copy.deepcopy(state)),
    )
    assert states[-1].recoveries == 2
    first = next(state for state in states if state.recoveries == 2)
    outcome, rest = minimize(broken(rosenbrock, {1, 3}), first, settings)
    assert "not finite" in outcome.stop_reason
    assert len(rest) == 4


@EVERY
def test_a_longer_budget_goes_on_where_a_shorter_one_ended(settings):
    whole, trace = minimize(rosenbrock, START, with_restarts(settings, 5, max_evaluations=20))
    state = State(START.copy())
    parts: Trace = []
    for budget in (5, 15, 20):
        outcome, part = minimize(
            rosenbrock,
            state,
            with_restarts(settings, 5, max_evaluations=budget),
        )
        parts += part
    assert [image.tobytes() for _, image in parts] == [image.tobytes() for _, image in trace]
    assert outcome.image.tobytes() == whole.image.tobytes()


@EVERY
def test_the_next_level_of_a_pyramid_counts_on_with_a_budget_of_its_own(settings):
    state = State(START.copy())
    first, trace = minimize(rosenbrock, state, settings)
    state = state.next_level(first.image)
    second, rest = minimize(quadratic, state, settings)
    assert [e.index for e, _ in trace + rest] == list(range(40))
    assert {e.level for e, _ in trace} == {0} and {e.level for e, _ in rest} == {1}
    assert second.evaluations == 40
    np.testing.assert_array_equal(rest[0][1], first.image)
    assert_outcome_is_the_best(second, rest)  # another objective: the level before has no say
    assert rest[0][0].iteration == first.iterations
    assert rest[0][0].seconds >= trace[-1][0].seconds


def test_every_optimizer_has_a_function_and_settings_of_its_own() -> None:
    assert optimize.MINIMIZERS.keys() == optimizers.OPTIMIZERS.keys()
    for name, choice in optimizers.OPTIMIZERS.items():
        assert choice.settings().name == name
        assert (choice.pair_bytes > 0) == issubclass(choice.settings, optimizers.LBFGS)
    with pytest.raises(TypeError, match="history"):
        Adam(history=5)  # type: ignore[call-arg]


# The image that comes out


STEPWISE = pytest.mark.parametrize(
    "settings", [TORCH, SPECTRAL, ADAM, RMSPROP], ids=lambda settings: settings.name
)


@STEPWISE
def test_the_last_image_or_the_mean_comes_out_where_it_is_asked_for(settings):
    settings = dataclasses.replace(settings, max_evaluations=12)
    if settings.name == "adam":
        settings = dataclasses.replace(settings, learning_rate=1e3)  # so that the last is not best
    _, trace = minimize(rosenbrock, START, settings)
    last, mean = (
        minimize(rosenbrock, START, dataclasses.replace(settings, result=result))[0]
        for result in ("last", "average")
    )
    for outcome in (last, mean):
        assert outcome.best == dataclasses.replace(trace[-1][0], seconds=outcome.best.seconds)
    assert last.image.tobytes() == trace[-1][1].tobytes()
    weights = 0.99 ** np.arange(len(trace))[::-1]
    expected = sum(w * image for w, (_, image) in zip(weights, trace, strict=True)) / weights.sum()
    np.testing.assert_allclose(mean.image, expected, rtol=1e-11)


def test_the_mean_has_its_authors_values() -> None:
    """crowsonkb/style-transfer-pytorch (e7e2c71), EMA of 1, 2, 3, 4 with a decay of .99."""
    state, found = State(START), []
    state.best, state.best_image = Evaluation(0, 0, Terms(0.0, 0.0, 0.0, 0.0, {}), 0.0), START
    for number in (1.0, 2.0, 3.0, 4.0):
        state.count_in(np.full((1, 1, 1, 3), number))
        found.append(state.found[0].flat[0])
    expected = 1, 1.5025125628140696, 2.006700111107366, 2.5125625602889445
    assert found == pytest.approx(expected, rel=1e-14)


@STEPWISE
@pytest.mark.parametrize("result", ["last", "average"])
def test_a_run_resumed_has_the_same_last_image_and_mean(settings, result):
    settings = dataclasses.replace(settings, result=result)
    whole, _, states = with_states(rosenbrock, settings)
    for begun in states[::5]:
        resumed, _ = minimize(rosenbrock, copy.deepcopy(begun), settings)
        assert resumed.image.tobytes() == whole.image.tobytes()
        assert resumed.best.index == whole.best.index
        assert resumed.best.terms == whole.best.terms


def test_early_stopping_of_the_last_image_asks_the_mean_of_the_losses() -> None:
    """Of losses that fall by a hundredth an evaluation, and are a tenth too high at every other."""
    falling = (0.99**n * (1 + 0.1 * (n % 2)) for n in itertools.count())
    flat = (1 + 0.1 * (n % 2) for n in itertools.count())
    settings = dataclasses.replace(ADAM, max_evaluations=120, tolerance=0.2, result="last")
    for losses, evaluations in ((falling, 120), (flat, 51)):
        function = lambda image, losses=losses: (next(losses), np.ones(SHAPE))  # noqa: E731
        assert minimize(function, START, settings)[0].evaluations == evaluations


def test_what_adam_learned_is_enlarged_and_its_steps_go_on() -> None:
    small, _ = np.mgrid[0:4, 0:5]
    memory = {"m": np.dstack([small] * 3)[None] - 1.5, "v": np.ones(SHAPE) * 7.0, "steps": 9}
    state, keeping = State(START, memory=memory), dataclasses.replace(ADAM, keep_over_levels=True)
    found = optimize.carried(keeping, state, 8, 10)
    assert optimize.carried(ADAM, state, 8, 10) == optimize.carried(TORCH, state, 8, 10) == {}
    assert state.next_level(START, found).memory == found
    assert found["m"].shape == found["v"].shape == (1, 8, 10, 3) and found["steps"] == 9
    np.testing.assert_allclose(found["v"], 7.0)
    # A slope stays one: row r of 8 lies at (r + ½) / 2 − ½ of 4, away from the border.
    np.testing.assert_allclose(found["m"][0, 3:5, 4, 0], [-0.25, 0.25], atol=0.01)


# Functions that are drawn anew


def drawn_anew(every: int, first: int = 0) -> Function:
    """A quadratic whose minimum, and least value, is another one after so many calls, the first of
    which has a number.
    """
    counter = iter(range(first, 10**9))

    def value_and_gradient(image: np.ndarray) -> tuple[float, np.ndarray]:
        draw = next(counter) // every
        value, gradient = quadratic(image - draw)
        return value + 1e6 * draw, gradient

    return value_and_gradient


@EVERY
def test_the_best_is_that_of_the_last_draw(settings):
    settings = dataclasses.replace(settings, max_evaluations=26)
    outcome, trace = minimize(drawn_anew(10), START, settings, redraw=10)
    assert totals(trace)[-1] > 1e6 > totals(trace)[0]  # or a best of all would be of the first
    assert_outcome_is_the_best(outcome, trace[20:])


def test_a_round_of_lbfgs_is_scipys_own_call_on_one_draw() -> None:
    """fmin_l_bfgs_b(maxfun=9), which makes 10 evaluations, of each draw, pixels clipped between."""
    low, high = LIMITS[0] / 4, LIMITS[1] / 4
    settings = ScipyLBFGS(max_evaluations=30, clip_restarts=True)
    function = drawn_anew(10)
    _, trace = minimize(function, START, settings, redraw=10, limits=(low, high))
    expected: list[np.ndarray] = []
    image = START
    for draw in range(3):

        def recorded(x: np.ndarray, draw: int = draw) -> tuple[float, np.ndarray]:
            expected.append(x.reshape(SHAPE).copy())
            value, gradient = quadratic(x.reshape(SHAPE) - draw)
            return value, gradient.ravel()

        found = fmin_l_bfgs_b(recorded, image.ravel(), factr=0, pgtol=0, maxfun=9)[0]
        image = np.clip(found.reshape(SHAPE), low, high)
    assert len(expected) == 30
    np.testing.assert_allclose([image for _, image in trace], expected, rtol=1e-9)


@EVERY
def test_a_run_on_many_draws_is_resumed_to_the_same_bytes(settings):
    settings = dataclasses.replace(settings, max_evaluations=40)
    if isinstance(settings, ScipyLBFGS):
        settings = dataclasses.replace(settings, clip_restarts=True)
    states: list[State] = []
    whole, _ = minimize(
        drawn_anew(11),
        START,
        settings,
        redraw=11,
        limits=LIMITS,
        on_checkpoint=lambda state: states.append(saved_and_read(state)),
    )
    for begun in states[::6]:
        function = drawn_anew(11, begun.evaluations)
        resumed, _ = minimize(function, copy.deepcopy(begun), settings, redraw=11, limits=LIMITS)
        assert resumed.image.tobytes() == whole.image.tobytes()
        assert resumed.best.terms == whole.best.terms
