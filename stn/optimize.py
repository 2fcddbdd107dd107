"""Minimize a function of an image: SciPy's L-BFGS-B, L-BFGS without a line search, and Adam behind one signature."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import fmin_l_bfgs_b

from stn.config import Optimizer
from stn.objective import Terms

# Steps back to the best image after a loss that is not finite, before a run gives up.
MAX_RECOVERIES = 3
# torch.optim.LBFGS skips pairs with s·y below 1e-10; here the cosine is meant, so that the loss' unit does not matter.
LEAST_CURVATURE = 1e-10


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
    # L-BFGS without a line search: pairs of displacement s and change of gradient y, [history, 2, n] float32, written
    # in turn; their s·y; how many there were; the last image and gradient [n], from which the next pair comes.
    pairs: np.ndarray | None = None
    curvatures: np.ndarray | None = None
    pair_count: int = 0
    last_image: np.ndarray | None = None
    last_gradient: np.ndarray | None = None

    def forget(self) -> None:
        """Go on from here as an optimizer that has seen nothing."""
        self.first_moment = self.second_moment = None
        self.pairs = self.curvatures = self.last_image = self.last_gradient = None
        self.pair_count = 0

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
    network's space, for `bounds` and `clip`. Variables are pixels over `unit` [3], the source's pixel space, in which
    Adam's learning rate and epsilon are meant. `on_checkpoint` gets a State wherever nothing else is remembered: after
    every step, but for SciPy's L-BFGS only where its memory is restarted.
    """
    search = _Search(value_and_grad, state, settings, on_evaluation, interrupted)
    run = {"lbfgs": _lbfgs, "torch_lbfgs": _torch_lbfgs, "adam": _adam}[settings.name]
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
            state.forget()
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


def _torch_lbfgs(
    search: _Search,
    limits: tuple[np.ndarray, np.ndarray] | None,
    unit: np.ndarray,
    on_checkpoint: Callable[[State], None],
) -> None:
    """L-BFGS (Nocedal & Wright 2006, algorithm 7.4) whose step is the learning rate: torch.optim.LBFGS, no line search.

    One evaluation an iteration, pairs in float32, H0 = (s·y / y·y) I of the newest pair, pairs of no positive curvature
    skipped. Until there is a pair, steps follow the gradient and have root mean square 1 of 255 (README, deviation 2).
    """
    state, settings = search.state, search.settings
    shape = state.image.shape
    while True:
        _, gradient = search.evaluate(state.image)
        g = (gradient * unit).ravel().astype(np.float32)
        if state.last_image is not None and state.last_gradient is not None:
            s = ((state.image - state.last_image) / unit).ravel().astype(np.float32)
            _remember(state, s, g - state.last_gradient, settings.history)
        state.last_image, state.last_gradient = state.image, g
        if state.pair_count:
            step = settings.learning_rate * unit * _two_loops(state, g).reshape(shape)
        else:
            step = -(unit * g.reshape(shape))
            step /= np.sqrt(np.mean(step**2))
        state.image = state.image + step
        if settings.clip and limits is not None:
            state.image = np.clip(state.image, *limits)
        state.iterations += 1
        on_checkpoint(state)


def _remember(state: State, s: np.ndarray, y: np.ndarray, history: int) -> None:
    """Keep the pair s, y [n] in the place of the oldest, unless the loss curves downwards along it."""
    curvature = float(s @ y)
    if curvature <= LEAST_CURVATURE * float(np.sqrt((s @ s) * (y @ y))):
        return
    if state.pairs is None or state.curvatures is None:
        state.pairs, state.curvatures = np.zeros((history, 2, len(s)), np.float32), np.zeros(history)
    place = state.pair_count % history
    state.pairs[place], state.curvatures[place] = (s, y), curvature
    state.pair_count += 1


def _two_loops(state: State, g: np.ndarray) -> np.ndarray:
    """-H g for the gradient g [n], by the two-loop recursion over the pairs of the state."""
    assert state.pairs is not None and state.curvatures is not None
    history = len(state.pairs)
    oldest_first = [number % history for number in range(max(0, state.pair_count - history), state.pair_count)]
    q, factors = -g, {}
    for place in reversed(oldest_first):
        s, y = state.pairs[place]
        factors[place] = (s @ q) / state.curvatures[place]
        q -= np.float32(factors[place]) * y
    newest = state.pairs[oldest_first[-1], 1]
    q *= np.float32(state.curvatures[oldest_first[-1]] / float(newest @ newest))
    for place in oldest_first:
        s, y = state.pairs[place]
        q += np.float32(factors[place] - (y @ q) / state.curvatures[place]) * s
    return q


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
        if settings.clip and limits is not None:
            state.image = np.clip(state.image, *limits)
        state.iterations += 1
        on_checkpoint(state)
