"""What all optimizers share: each evaluation is counted and reported, the best is kept, and the end is noticed."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stn.config import Optimizer
from stn.objective import Terms
from stn.optimize.state import Evaluation, State

ValueAndGrad = Callable[[np.ndarray], tuple[Terms, np.ndarray]]


class Stop(Exception):
    """The run is over, for the reason given."""


class NotFinite(Exception):
    """The loss or its gradient is NaN or infinite."""


@dataclass
class Search:
    """One call of `minimize`, as its optimizer sees it; the fields are the arguments of `minimize`.

    The optimizer asks for the loss by `evaluate`, moves `state.image` and, wherever the State holds all that is needed
    to go on, calls `on_checkpoint`. It ends only by an exception: Stop, or one that `evaluate` raises.
    """

    value_and_grad: ValueAndGrad
    state: State
    settings: Optimizer
    on_evaluation: Callable[[Evaluation, np.ndarray], None]
    on_checkpoint: Callable[[State], None]
    interrupted: Callable[[], str | None]
    limits: tuple[np.ndarray, np.ndarray] | None  # None: pixels are free
    unit: np.ndarray

    def __post_init__(self) -> None:
        self.last: Evaluation | None = None
        self._began = time.perf_counter() - self.state.seconds

    def check(self) -> None:
        """Raise Stop if the budget is spent or the user wants an end."""
        reason = self.interrupted()
        if reason and self.last is not None:  # not before there is an image to leave
            raise Stop(reason)
        if self.state.evaluations >= self.settings.max_evaluations:
            raise Stop("max_evaluations")

    def evaluate(self, image: np.ndarray) -> tuple[float, np.ndarray]:
        """Total and gradient at `image` [1, h, w, 3]; the best so far is kept in the state. Raises Stop, NotFinite."""
        self.check()
        state = self.state
        terms, gradient = self.value_and_grad(image)
        state.seconds = time.perf_counter() - self._began
        evaluation = Evaluation(state.index, state.iterations, terms, state.seconds, state.level)
        state.evaluations += 1
        self.last = evaluation
        finite = math.isfinite(terms.total) and bool(np.isfinite(gradient).all())
        if finite and (state.best is None or terms.total < state.best.terms.total):
            state.best, state.best_image, state.best_gradient = evaluation, image.copy(), gradient.copy()
        self.on_evaluation(evaluation, image)
        if not finite:
            raise NotFinite
        return terms.total, gradient

    def clipped(self, image: np.ndarray) -> np.ndarray:
        """The image with every pixel inside the limits, if there are any."""
        return image if self.limits is None else np.clip(image, *self.limits)
