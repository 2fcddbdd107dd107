"""SciPy's L-BFGS-B, with an exact budget and restarts: `optimizer.name=lbfgs`."""

import math

import numpy as np
from scipy.optimize import fmin_l_bfgs_b

from stn.config import optimizers
from stn.optimize.search import Search, Stop


class _RoundOver(Exception):
    """SciPy is to end here, so that a new round can start."""


def minimize(search: Search) -> None:
    """L-BFGS-B (Zhu, Byrd, Lu and Nocedal 1997) in rounds; each starts at the best image and has
    learned nothing yet.

    A round ends after `restart_every` evaluations, or when SciPy's line search gives up, which
    float32 losses make it do near a flat place; a round that lowers nothing ends the run."""
    state, settings = search.state, search.settings
    assert isinstance(settings, optimizers.ScipyLBFGS)
    every = settings.restart_every or settings.max_evaluations
    while True:
        search.check()
        before = state.best.terms.total if state.best else math.inf
        message = _round(search, round_end=(state.evaluations // every + 1) * every)
        state.image, best = state.found
        if "CONVERGENCE" in message and ("GRADIENT" in message or settings.ftol > 0):
            raise Stop(f"converged ({message.split(':')[-1].strip().lower()})")
        if message and best.terms.total >= before:
            raise Stop("stalled: no lower loss along the gradient")
        if not message:
            search.on_checkpoint(state)


def _round(search: Search, round_end: int) -> str:
    """Run SciPy until it ends of itself, and give its reason, or until `round_end` evaluations:
    then no reason.
    """
    state, settings, shape = search.state, search.settings, search.state.image.shape
    assert isinstance(settings, optimizers.ScipyLBFGS)
    scale = np.broadcast_to(search.unit, shape).ravel()

    def value_and_grad(variables: np.ndarray) -> tuple[float, np.ndarray]:
        image = (variables * scale).reshape(shape)
        best, best_image, best_gradient = state.best, state.best_image, state.best_gradient
        if (
            best
            and best_image is not None
            and best_gradient is not None
            and np.array_equal(image, best_image)
        ):
            # The first point of a round was evaluated in the round before: no evaluation is spent
            # on it.
            return best.terms.total, best_gradient.ravel() * scale
        if state.evaluations >= round_end:
            raise _RoundOver
        total, gradient = search.evaluate(image)
        return total, gradient.ravel() * scale

    def step_accepted(_: np.ndarray) -> None:
        state.iterations += 1

    bounds = None
    if search.limits is not None:
        bounds = np.stack(
            [np.broadcast_to(limit, shape).ravel() / scale for limit in search.limits], axis=1
        )
    try:
        # maxfun and maxiter are out of reach: the budget is counted, exactly, in `evaluate`.
        _, _, info = fmin_l_bfgs_b(
            value_and_grad,
            search.clipped(state.image).ravel() / scale,
            bounds=bounds,
            m=settings.history,
            factr=settings.ftol / np.finfo(float).eps,
            pgtol=settings.gtol,
            maxfun=10**9,
            maxiter=10**9,
            callback=step_accepted,
        )
    except _RoundOver:
        return ""
    return str(info["task"])
