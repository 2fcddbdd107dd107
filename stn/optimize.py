"""Minimize a function of an image: L-BFGS, SciPy's or without a line search, and Adam behind one signature."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import fmin_l_bfgs_b

from stn import quasi_newton
from stn.config import Optimizer
from stn.objective import Terms

# Steps back to the best image after a loss that is not finite, before a run gives up.
MAX_RECOVERIES = 3
# Where there is no line search: a step that raises the loss by more than a tenth is taken back, a quarter of it tried.
HIGHEST_RISE, SHORTER = 1.1, 0.25


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of the objective: its index (0 is the first image), the steps accepted before it, wall seconds.

    The seconds count from the run's beginning, over interruptions; the level is a pyramid's.
    """

    index: int
    iteration: int
    terms: Terms
    seconds: float
    level: int = 0


@dataclass
class State:
    """All that a run needs to go on from here as if it had never stopped. Images are [1, h, w, 3], float64."""

    image: np.ndarray  # the next to evaluate; of SciPy's L-BFGS, where the next round starts
    evaluations: int = 0
    iterations: int = 0
    level: int = 0  # of a pyramid, and the evaluations in the levels before
    earlier: int = 0
    recoveries: int = 0
    seconds: float = 0.0
    best: Evaluation | None = None
    best_image: np.ndarray | None = None
    best_gradient: np.ndarray | None = None
    first_moment: np.ndarray | None = None
    second_moment: np.ndarray | None = None
    steps: int = 0  # Adam's, since its moments were zero
    memory: quasi_newton.Memory | None = None  # of L-BFGS without a line search

    def next_level(self, image: np.ndarray) -> "State":
        """The State at the start of the next level of a pyramid, from this level's enlarged result."""
        return State(
            image.astype(np.float64),
            iterations=self.iterations,
            level=self.level + 1,
            earlier=self.earlier + self.evaluations,
            seconds=self.seconds,
        )


@dataclass(frozen=True)
class Outcome:
    """The best image seen [1, h, w, 3], its evaluation, how much work it took and why it ended."""

    image: np.ndarray
    best: Evaluation
    evaluations: int
    iterations: int
    seconds: float
    stop_reason: str


class _RoundOver(Exception):
    """L-BFGS is to forget its memory and go on."""


class _Stop(Exception):
    """The run is over, for the reason given."""


class _NotFinite(Exception):
    """The loss or its gradient is NaN or infinite."""


ValueAndGrad = Callable[[np.ndarray], tuple[Terms, np.ndarray]]


def minimize(
    value_and_grad: ValueAndGrad,
    state: State,
    settings: Optimizer,
    on_evaluation: Callable[[Evaluation, np.ndarray], None],
    on_checkpoint: Callable[[State], None] = lambda state: None,
    interrupted: Callable[[], str | None] = lambda: None,
    limits: tuple[np.ndarray, np.ndarray] | None = None,
    unit: np.ndarray | float = 1.0,
) -> Outcome:
    """Minimize over images from `state`: a new one, `State(image)`, or that of an earlier run.

    Exactly `settings.max_evaluations` evaluations are made, the first at the first image, unless the run converges,
    stalls or is interrupted; each is reported to `on_evaluation`. `limits` are the lowest and highest pixel in the
    network's space, for `bounds`. Variables are pixels over `unit` [3], the source's pixel space, in which
    Adam's learning rate and epsilon are meant. `on_checkpoint` gets a State wherever nothing else is remembered: after
    every step, but for SciPy's L-BFGS only where its memory is restarted.
    """
    search = _Search(value_and_grad, state, settings, on_evaluation, interrupted)
    run = _adam if settings.name == "adam" else _lbfgs if settings.name == "lbfgs" else _stepwise_lbfgs
    while True:
        try:
            run(search, limits, np.asarray(unit, dtype=np.float64), on_checkpoint)
        except _Stop as stop:
            reason = str(stop)
            break
        except _NotFinite:
            if state.best_image is None:
                reason = "the loss of the first image is not finite"
                break
            if state.recoveries == MAX_RECOVERIES:
                reason = f"the loss was not finite {MAX_RECOVERIES + 1} times"
                break
            state.recoveries += 1
            state.image = state.best_image.copy()
            state.first_moment = state.second_moment = state.memory = None
    best = state.best or search.last
    if best is None:
        raise RuntimeError(f"nothing was evaluated: {reason}")
    image = state.image if state.best_image is None else state.best_image
    return Outcome(image, best, state.earlier + state.evaluations, state.iterations, state.seconds, reason)


class _Search:
    """Counts evaluations, keeps the best, reports each, and says when to stop."""

    def __init__(
        self,
        value_and_grad: ValueAndGrad,
        state: State,
        settings: Optimizer,
        on_evaluation: Callable[[Evaluation, np.ndarray], None],
        interrupted: Callable[[], str | None],
    ) -> None:
        self.state, self.settings = state, settings
        self.last: Evaluation | None = None
        self._value_and_grad, self._on_evaluation, self._interrupted = value_and_grad, on_evaluation, interrupted
        self._began = time.perf_counter() - state.seconds

    def check(self) -> None:
        """Raise if the budget is spent or the user wants an end."""
        reason = self._interrupted()
        if reason and self.last is not None:  # not before there is an image to leave
            raise _Stop(reason)
        if self.state.evaluations >= self.settings.max_evaluations:
            raise _Stop("max_evaluations")

    def evaluate(self, image: np.ndarray) -> tuple[float, np.ndarray]:
        """Total and gradient at `image` [1, h, w, 3]; the best so far is kept in the state."""
        self.check()
        state = self.state
        terms, gradient = self._value_and_grad(image)
        state.seconds = time.perf_counter() - self._began
        evaluation = Evaluation(state.earlier + state.evaluations, state.iterations, terms, state.seconds, state.level)
        state.evaluations += 1
        self.last = evaluation
        finite = math.isfinite(terms.total) and bool(np.isfinite(gradient).all())
        if finite and (state.best is None or terms.total < state.best.terms.total):
            state.best, state.best_image, state.best_gradient = evaluation, image.copy(), gradient.copy()
        self._on_evaluation(evaluation, image)
        if not finite:
            raise _NotFinite
        return terms.total, gradient


def _lbfgs(
    search: _Search,
    limits: tuple[np.ndarray, np.ndarray] | None,
    unit: np.ndarray,
    on_checkpoint: Callable[[State], None],
) -> None:
    """SciPy's L-BFGS-B (Zhu, Byrd, Lu and Nocedal 1997) in rounds; each starts at the best image with no memory.

    A round ends after `restart_every` evaluations, or when SciPy's line search gives up, which float32 losses make it
    do near a flat place; a round that lowers nothing ends the run.
    """
    state, settings = search.state, search.settings
    shape = state.image.shape
    scale = np.broadcast_to(unit, shape).ravel()
    bounds = None
    if settings.bounds and limits is not None:
        low, high = (np.broadcast_to(limit, shape).ravel() / scale for limit in limits)
        bounds = np.stack([low, high], axis=1)

    def value_and_grad(variables: np.ndarray) -> tuple[float, np.ndarray]:
        image = (variables * scale).reshape(shape)
        best, best_image, best_gradient = state.best, state.best_image, state.best_gradient
        if best and best_image is not None and best_gradient is not None and np.array_equal(image, best_image):
            # The first point of a round was evaluated in the round before: no evaluation is spent on it.
            return best.terms.total, best_gradient.ravel() * scale
        if state.evaluations >= round_end:
            raise _RoundOver
        total, gradient = search.evaluate(image)
        return total, gradient.ravel() * scale

    def step_accepted(_: np.ndarray) -> None:
        state.iterations += 1

    while True:
        search.check()
        every = settings.restart_every or settings.max_evaluations
        round_end = (state.evaluations // every + 1) * every
        before = state.best.terms.total if state.best else math.inf
        start = state.image if bounds is None else np.clip(state.image, *limits)  # type: ignore[misc]
        message = ""
        try:
            # maxfun and maxiter are out of reach: the budget is counted, exactly, in `evaluate`.
            _, _, info = fmin_l_bfgs_b(
                value_and_grad,
                start.ravel() / scale,
                bounds=bounds,
                m=settings.history,
                factr=settings.ftol / np.finfo(float).eps,
                pgtol=settings.gtol,
                maxfun=10**9,
                maxiter=10**9,
                callback=step_accepted,
            )
            message = str(info["task"])
        except _RoundOver:
            pass
        assert state.best is not None and state.best_image is not None
        state.image = state.best_image
        if "CONVERGENCE" in message and ("GRADIENT" in message or settings.ftol > 0):
            raise _Stop(f"converged ({message.split(':')[-1].strip().lower()})")
        if message and state.best.terms.total >= before:
            raise _Stop("stalled: no lower loss along the gradient")
        if not message:
            on_checkpoint(state)


def _stepwise_lbfgs(
    search: _Search,
    limits: tuple[np.ndarray, np.ndarray] | None,
    unit: np.ndarray,
    on_checkpoint: Callable[[State], None],
) -> None:
    """L-BFGS without a line search, one evaluation an iteration, float32: `torch_lbfgs` and `spectral_lbfgs`.

    As torch.optim.LBFGS at its learning rate of 1, the step is the direction itself. Unlike it (README, deviation 2), a
    step that raises the loss by a tenth is taken back, and while no pair of positive curvature is known, steps follow
    the gradient, the first with a root mean square of one pixel of 255, each next twice as long.
    """
    state, settings = search.state, search.settings
    shape = state.image.shape
    spectrum = quasi_newton.Spectrum(*shape[1:3]) if settings.name == "spectral_lbfgs" else None

    def variables(image: np.ndarray) -> np.ndarray:
        return spectrum.coefficients(image) if spectrum else image.ravel().astype(np.float32)

    def pixels(step: np.ndarray) -> np.ndarray:
        return unit * (spectrum.image(step) if spectrum else step.reshape(shape))

    while True:
        total, gradient = search.evaluate(state.image)
        memory = state.memory
        if memory is not None and total > memory.total + (HIGHEST_RISE - 1) * abs(memory.total):
            memory.step, memory.length = SHORTER * memory.step, 1.0
        else:
            g = variables(gradient * unit)
            if memory is None:
                memory = state.memory = quasi_newton.Memory(state.image, g, total, g)
            else:
                memory.remember(g - memory.gradient, settings.history, spectrum)
                memory.image, memory.gradient, memory.total = state.image, g, total
            if not g.any():
                raise _Stop("converged (the gradient is zero)")
            if memory.count:
                memory.step = memory.direction(spectrum)
            else:
                memory.step = g * np.float32(-memory.length / np.sqrt(np.mean(pixels(g) ** 2)))
                memory.length *= 2
            state.iterations += 1
        state.image = memory.image + pixels(memory.step)
        if settings.bounds and limits is not None:
            state.image = np.clip(state.image, *limits)
            memory.step = variables((state.image - memory.image) / unit)
        on_checkpoint(state)


def _adam(
    search: _Search,
    limits: tuple[np.ndarray, np.ndarray] | None,
    unit: np.ndarray,
    on_checkpoint: Callable[[State], None],
) -> None:
    """Adam (Kingma and Ba 2015, algorithm 1, in the form of the end of its section 2, as TensorFlow's and Keras').

    That form adds epsilon to √v before the bias correction, which matters for the TensorFlow tutorial's epsilon of 0.1.
    """
    state, settings = search.state, search.settings
    while True:
        if state.first_moment is None or state.second_moment is None:
            state.first_moment, state.second_moment, state.steps = (
                np.zeros_like(state.image),
                np.zeros_like(state.image),
                0,
            )
        _, gradient = search.evaluate(state.image)
        gradient = gradient * unit
        rate = settings.learning_rate * settings.decay_rate ** (state.steps // settings.decay_every)
        state.steps += 1
        m, v = state.first_moment, state.second_moment
        m += (1 - settings.beta1) * (gradient - m)
        v += (1 - settings.beta2) * (gradient**2 - v)
        rate *= math.sqrt(1 - settings.beta2**state.steps) / (1 - settings.beta1**state.steps)
        state.image = state.image - unit * rate * m / (np.sqrt(v) + settings.epsilon)
        if settings.bounds and limits is not None:
            state.image = np.clip(state.image, *limits)
        state.iterations += 1
        on_checkpoint(state)
