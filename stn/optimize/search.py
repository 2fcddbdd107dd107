"""What all optimizers share: each evaluation is counted and reported, the best is kept, and the end
is noticed.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stn.config.optimizers import Optimizer, Stepwise
from stn.optimize import limits
from stn.optimize.state import Evaluation, State
from stn.quantities import Terms

# Evaluations that `optimizer.tolerance` looks back; ours. Losses rise in between, so that ten would
# say little.
LOOKS_BACK = 50
ValueAndGrad = Callable[[np.ndarray], tuple[Terms, np.ndarray]]


@dataclass(frozen=True)
class Problem:
    """A function of images [1, h, w, 3], and what an optimizer has to know of its pixels.

    `limits`, each [3] or [1, h, w, 3], are black and white as the network takes them: 0 and 255
    less its mean pixel. The optimizer works on the image divided by `unit` [3], since a learning
    rate means a step in the pixels of its source: with pixels from 0 to 1 there, the unit is 255.
    `periodic`: opposite sides of the picture meet. After every `redraw` evaluations the function
    is another one: values before and after do not compare, and the best is that of the last."""

    value_and_grad: ValueAndGrad
    limits: tuple[np.ndarray, np.ndarray] | None = None
    unit: np.ndarray | float = 1.0
    periodic: bool = False
    redraw: int | None = None


@dataclass(frozen=True)
class Callbacks:
    """Each evaluation is reported to `on_evaluation`. After each `on_checkpoint` gets the State,
    from which alone the run could be resumed. `interrupted` gives the reason why the user wants an
    end, if there is one.
    """

    on_evaluation: Callable[[Evaluation, np.ndarray], None] = lambda evaluation, image: None
    on_checkpoint: Callable[[State], None] = lambda state: None
    interrupted: Callable[[], str | None] = lambda: None


class Stop(Exception):
    """The run is over, for the reason given."""


class NotFinite(Exception):
    """The loss or its gradient is NaN or infinite."""


@dataclass
class Search:
    """One call of `minimize`, as its optimizer sees it; the fields are the arguments of `minimize`.

    The optimizer asks for the loss by `evaluate`, moves `state.image` and, wherever the State holds
    all that is needed to resume, calls `callbacks.on_checkpoint`. It ends only by an exception:
    Stop, or one that `evaluate` raises."""

    problem: Problem
    state: State
    settings: Optimizer
    callbacks: Callbacks

    def __post_init__(self) -> None:
        self.unit = np.asarray(self.problem.unit, dtype=np.float64)
        # What pixels are kept between; None: they are free.
        self.bounds = self.problem.limits if self.settings.bounds else None
        self.last: Evaluation | None = None
        self._began = time.perf_counter() - self.state.seconds
        # Which image comes out. A line search ends at its best.
        self._result = self.settings.result if isinstance(self.settings, Stepwise) else "best"

    def check(self) -> None:
        """Raise Stop if the budget is spent, the user wants an end, or the loss hardly falls any
        more; where another function begins, forget how low the last one was.
        """
        reason = self.callbacks.interrupted()
        if reason and self.last is not None:  # not before there is an image to leave
            raise Stop(reason)
        if self.state.evaluations >= self.settings.max_evaluations:
            raise Stop("max_evaluations")
        if self.problem.redraw and self.state.evaluations % self.problem.redraw == 0:
            self.state.lowest = math.inf
        bests, tolerance = self.state.bests, self.settings.tolerance
        if bests is not None and len(bests) > LOOKS_BACK:
            # Of the best a fall is a fall; of the newest, which rise in between, that of the mean.
            comparable = self._result == "best" and not self.problem.redraw
            some = 1 if comparable else LOOKS_BACK // 2
            before, now = bests[:some].mean(), bests[-some:].mean()
        if bests is not None and len(bests) > LOOKS_BACK and before - now < tolerance * abs(before):
            raise Stop(
                f"tolerance: over {LOOKS_BACK} evaluations the loss fell by less than {tolerance:g}"
                " of itself"
            )

    def evaluate(self, image: np.ndarray, penalized: bool = False) -> tuple[float, np.ndarray]:
        """Total and gradient at `image` [1, h, w, 3]; what is to come out is kept in the state.
        Raises Stop, NotFinite.

        `penalized`: both with `limits.penalty`, by which the best is chosen then; what is reported
        is the loss alone.
        """
        self.check()
        state = self.state
        terms, gradient = self.problem.value_and_grad(image)
        total, slope = terms.total, gradient
        if penalized and self.bounds is not None:
            if state.strength is None:
                state.strength = limits.pull(gradient)
            penalty, pulled_back = limits.penalty(image, self.bounds, state.strength)
            total, slope = total + penalty, gradient + pulled_back
        state.seconds = time.perf_counter() - self._began
        evaluation = Evaluation(state.index, state.iterations, terms, state.seconds, state.level)
        state.evaluations += 1
        self.last = evaluation
        finite = math.isfinite(terms.total) and bool(np.isfinite(gradient).all())
        if finite and (total < state.lowest or self._result != "best"):
            state.lowest, state.best = total, evaluation
            state.best_image, state.best_gradient = image.copy(), gradient.copy()
        if finite and self._result == "average":
            state.count_in(image)
        if self.settings.tolerance and state.best is not None:
            bests = np.empty(0) if state.bests is None else state.bests
            state.bests = np.append(bests, state.best.terms.total)[-LOOKS_BACK - 1 :]
        self.callbacks.on_evaluation(evaluation, image)
        if not finite:
            raise NotFinite
        return total, slope

    def clipped(self, image: np.ndarray) -> np.ndarray:
        """The image [1, h, w, 3] with every pixel inside the bounds, if there are any."""
        return image if self.bounds is None else np.clip(image, *self.bounds)
