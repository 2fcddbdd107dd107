"""Minimize a function of an image: SciPy's L-BFGS-B, L-BFGS without a line search, Adam and
RMSprop, behind one `minimize`.
"""

from typing import Any

from stn.config import optimizers
from stn.config.optimizers import Optimizer
from stn.errors import InputError
from stn.optimize import adam, rmsprop, scipy_lbfgs, stepwise_lbfgs
from stn.optimize.search import Callbacks, NotFinite, Problem, Search, Stop
from stn.optimize.state import Evaluation, Outcome, State

__all__ = ["Callbacks", "Evaluation", "Outcome", "Problem", "State", "carried", "minimize"]

# Steps back to the best image after a loss that is not finite, before a run gives up. Ours.
MAX_RECOVERIES = 3

# Of the optimizers of stn/config/optimizers.py.
MINIMIZERS = {
    "lbfgs": scipy_lbfgs.minimize,
    "torch_lbfgs": stepwise_lbfgs.minimize,
    "spectral_lbfgs": stepwise_lbfgs.minimize,
    "adam": adam.minimize,
    "rmsprop": rmsprop.minimize,
}


def carried(settings: Optimizer, state: State, height: int, width: int) -> dict[str, Any]:
    """What the optimizer is to remember at the next level of a pyramid, of that size: what Adam
    learned, if it is told to keep it, else nothing.
    """
    keeps = isinstance(settings, optimizers.Adam) and settings.keep_over_levels
    return adam.resized(state.memory, height, width) if keeps and state.memory else {}


def minimize(
    problem: Problem, state: State, settings: Optimizer, callbacks: Callbacks | None = None
) -> Outcome:
    """Minimize over images from `state`: a new one, `State(image)`, or that of an earlier run.

    Exactly `settings.max_evaluations` evaluations are made at this level, the first at the image it
    starts from, unless the run converges, stalls, is interrupted or falls by less than
    `settings.tolerance`. What comes back is the best image, or what `settings.result` asks for.
    With `settings.bounds` that image lies between the limits of the problem. `torch_lbfgs` and
    `spectral_lbfgs` go a little beyond them on their way (`limits.penalty`).

    Raises InputError if the loss of the initial image is not finite."""
    search = Search(problem, state, settings, callbacks or Callbacks())
    reason = _run(search)
    image, best = state.found
    return Outcome(
        search.clipped(image), best, state.index, state.iterations, state.seconds, reason
    )


def _run(search: Search) -> str:
    """Run the optimizer to its end, stepping back from losses that are not finite; the reason why
    it ended.
    """
    state = search.state
    while True:
        try:
            MINIMIZERS[search.settings.name](search)
        except Stop as stop:
            return str(stop)
        except NotFinite:
            if state.best_image is None:
                raise InputError(_not_finite(search.last)) from None
            if state.recoveries == MAX_RECOVERIES:
                return f"the loss was not finite {MAX_RECOVERIES + 1} times"
            state.recoveries += 1
            # What the optimizer has learned led to where the loss breaks: it is forgotten.
            state.image, state.memory = state.best_image.copy(), {}


def _not_finite(evaluation: Evaluation | None) -> str:
    assert evaluation is not None
    terms = evaluation.terms
    return (
        "the loss of the initial image, or its gradient, is not finite (content"
        f" {terms.content:.3g}, style {terms.style:.3g}, total variation"
        f" {terms.total_variation:.3g}): there is nothing to minimize; give smaller"
        " objective.content_weight and objective.style_weight, or another initial image"
    )
