"""What all optimizers share: each evaluation is counted and reported, the best is kept, and the end
is noticed.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stn.config.optimizers import Optimizer, Stepwise
from stn.objective.objective import Terms
from stn.optimize import limits
from stn.optimize.state import Evaluation, State

# Evaluations that `optimizer.tolerance` looks back; ours. Losses rise in between, so that ten would
# say little.
LOOKS_BACK = 50
ValueAndGrad = Callable[[np.ndarray], tuple[Terms, np.ndarray]]


class Stop(Exception):
    """The run is over, for the reason given."""


class NotFinite(Exception):
    """The loss or its gradient is NaN or infinite."""


@dataclass
class Search:
    """One call of `minimize`, as its optimizer sees it; the fields are the arguments of `minimize`.

    The optimizer asks for the loss by `evaluate`, moves `state.image` and, wherever the State holds
    all that is needed to go on, calls `on_checkpoint`. It ends only by an exception: Stop, or one
    that `evaluate` raises."""

    value_and_grad: ValueAndGrad
    state: State
    settings: Optimizer
    on_evaluation: Callable[[Evaluation, np.ndarray], None]
    on_checkpoint: Callable[[State], None]
    interrupted: Callable[[], str | None]
    limits: tuple[np.ndarray, np.ndarray] | None  # None: pixels are free
    unit: np.ndarray
    periodic: bool
    redraw: int | None = None
    range: tuple[np.ndarray, np.ndarray] | None = None  # black and white, bound or not

    def __post_init__(self) -> None:
        self.last: Evaluation | None = None
        self._began = time.perf_counter() - self.state.seconds
        # Which image comes out. A line search ends at its best.
        self._result = self.settings.result if isinstance(self.settings, Stepwise) else "best"

    def check(self) -> None:
        """Raise Stop if the budget is spent, the user wants an end, or the loss hardly falls any
        more; where another function begins, forget how low the last one was.
        """
        reason = self.interrupted()
        if reason and self.last is not None:  # not before there is an image to leave
            raise Stop(reason)
        if self.state.evaluations >= self.settings.max_evaluations:
            raise Stop("max_evaluations")
        if self.redraw and self.state.evaluations % self.redraw == 0:
            self.state.lowest = math.inf
        bests, tolerance = self.state.bests, self.settings.tolerance
        if bests is not None and len(bests) > LOOKS_BACK:
            # Of the best a fall is a fall; of the newest, which rise in between, that of the mean.
            comparable = self._result == "best" and not self.redraw
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
        terms, gradient = self.value_and_grad(image)
        total, slope = terms.total, gradient
        if penalized and self.limits is not None:
            if state.strength is None:
                state.strength = limits.pull(gradient)
            penalty, pulled_back = limits.penalty(image, self.limits, state.strength)
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
        self.on_evaluation(evaluation, image)
        if not finite:
            raise NotFinite
        return total, slope

    def clipped(self, image: np.ndarray) -> np.ndarray:
        """The image [1, h, w, 3] with every pixel inside the limits, if there are any."""
        return image if self.limits is None else np.clip(image, *self.limits)
