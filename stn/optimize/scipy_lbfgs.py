"""SciPy's L-BFGS-B, with an exact budget, restarts and resuming: `optimizer.name=lbfgs`."""

import math
from typing import Any

import numpy as np
from scipy.optimize import _lbfgsb

from stn.config import optimizers
from stn.optimize.search import Search, Stop

# What the routine answers: the first number of `task`, and of its second those that we tell apart.
NEW_ITERATION, WANTS_EVALUATION, CONVERGED, FLAT = 1, 3, 4, 401
WHY = {401: "norm of projected gradient <= pgtol", 402: "relative reduction of f <= factr*epsmch"}
LINE_SEARCH_STEPS = 20  # SciPy's default `maxls`


def minimize(search: Search) -> None:
    """L-BFGS-B (Zhu, Byrd, Lu and Nocedal 1997) in rounds; each starts at the best image and has
    learned nothing yet.

    A round ends `restart_every` evaluations after its start, or when SciPy's line search gives up,
    which float32 losses make it do near a flat place; a round that lowers nothing ends the run."""
    state, settings = search.state, search.settings
    assert isinstance(settings, optimizers.ScipyLBFGS)
    while True:
        search.check()
        if not state.memory:
            state.memory = _new_round(search)
        before = float(state.memory["before"])
        ended = _round(search, Routine(search))
        state.image, best = state.found  # no mean: there is a line search
        state.memory = {}
        if ended and ended[0] == CONVERGED and (ended[1] == FLAT or settings.ftol > 0):
            raise Stop(f"converged ({WHY.get(ended[1], 'by its own test')})")
        if ended and best.terms.total >= before:
            raise Stop("stalled: no lower loss along the gradient")
        search.callbacks.on_checkpoint(state)


def _new_round(search: Search) -> dict[str, Any]:
    """The memory of a round that starts at `state.image`: the workspaces of SciPy's routine, empty.

    `variables` are the pixels in units, flat; `before` is the best total when the round began. The
    sizes are those of SciPy's `_minimize_lbfgsb`, for n variables and m pairs."""
    assert isinstance(search.settings, optimizers.ScipyLBFGS)
    # No more pairs than a round can make, and ten at least: the budget may be raised later.
    settings = search.settings
    m = min(settings.history, max(10, settings.restart_every or settings.max_evaluations))
    image = search.state.image
    if settings.clip_restarts and search.problem.limits is not None:
        image = np.clip(image, *search.problem.limits)
    variables = search.clipped(image).ravel() / _scale(search)
    if bounds := _bounds(search):
        variables = np.clip(variables, *bounds)
    n = variables.size
    return {
        "variables": variables,
        "pairs": np.array(m),
        "before": search.state.lowest,
        "wa": np.zeros(2 * m * n + 5 * n + 11 * m * m + 8 * m),
        "iwa": np.zeros(3 * n, np.int32),
        "task": np.zeros(2, np.int32),
        "ln_task": np.zeros(2, np.int32),
        "lsave": np.zeros(4, np.int32),
        "isave": np.zeros(44, np.int32),
        "dsave": np.zeros(29),
    }


def _scale(search: Search) -> np.ndarray:
    return np.broadcast_to(search.unit, search.state.image.shape).ravel()


def _bounds(search: Search) -> tuple[np.ndarray, np.ndarray] | None:
    """The limits of the variables, if there are any."""
    if search.bounds is None:
        return None
    scale, shape = _scale(search), search.state.image.shape
    low, high = (np.broadcast_to(limit, shape).ravel() / scale for limit in search.bounds)
    return low, high


class Routine:
    """SciPy's L-BFGS-B by reverse communication: `step` goes on until it wants an evaluation at
    `state.memory["variables"]`, has made an iteration, or is over.

    SciPy's own function keeps the workspaces to itself, so that no run could be resumed from them;
    in the arrays of `_new_round` is all that the routine knows between two calls."""

    def __init__(self, search: Search) -> None:
        self._memory, settings = search.state.memory, search.settings
        assert isinstance(settings, optimizers.ScipyLBFGS)
        n = self._memory["variables"].size
        bounds = _bounds(search)
        self._low: np.ndarray
        self._high: np.ndarray
        self._low, self._high = (np.zeros(n), np.zeros(n)) if bounds is None else bounds
        self._bounded = np.full(n, 2 if bounds else 0, np.int32)  # 2: on both sides
        self._history = int(self._memory["pairs"])
        self._factr, self._gtol = settings.ftol / np.finfo(float).eps, settings.gtol

    def step(self, total: np.ndarray, gradient: np.ndarray) -> int:
        """Go on from an evaluation at the variables [n]: the total [] and its gradient [n]. Gives
        the first number of what it answers.
        """
        memory = self._memory
        _lbfgsb.setulb(
            self._history,
            memory["variables"],
            self._low,
            self._high,
            self._bounded,
            total,
            gradient,
            self._factr,
            self._gtol,
            *(memory[name] for name in ("wa", "iwa", "task", "lsave", "isave", "dsave")),
            LINE_SEARCH_STEPS,
            memory["ln_task"],
        )
        return int(memory["task"][0])


def _round(search: Search, routine: Routine) -> tuple[int, int] | None:
    """Run SciPy until it ends of itself, and give its answer, or until the round's evaluations are
    made: then None.
    """
    state, shape, scale = search.state, search.state.image.shape, _scale(search)
    assert isinstance(search.settings, optimizers.ScipyLBFGS)
    memory, every = state.memory, search.settings.restart_every
    # SciPy's fmin_l_bfgs_b(maxfun=20) makes 21 evaluations: the start is not counted.
    rounds = max(state.evaluations - 1, 0) // every if every else 0
    round_end = 1 + (rounds + 1) * every if every else math.inf
    if redraw := search.problem.redraw:  # a line search compares losses of one draw
        round_end = min(round_end, (state.evaluations // redraw + 1) * redraw)
    total, gradient = np.zeros(()), np.zeros(memory["variables"].size)
    answered: np.ndarray | None = None  # where the last evaluation was
    waiting = memory["task"][0] == WANTS_EVALUATION  # resumed
    made = 0
    while True:
        answer = WANTS_EVALUATION if waiting else routine.step(total, gradient)
        waiting = False
        if answer == NEW_ITERATION:
            state.iterations += 1
        elif answer != WANTS_EVALUATION:
            return answer, int(memory["task"][1])
        elif answered is None or not np.array_equal(memory["variables"], answered):
            state.image = (memory["variables"] * scale).reshape(shape)
            if (known := _known(search)) is not None:
                found = known
            elif state.evaluations >= round_end:
                return None
            else:
                if made:
                    search.callbacks.on_checkpoint(state)
                made += 1
                found = search.evaluate(state.image)
            answered = memory["variables"].copy()
            total = np.array(found[0], dtype=np.float64)
            gradient = (found[1].ravel() * scale).astype(np.float64)


def _known(search: Search) -> tuple[float, np.ndarray] | None:
    """Total and gradient at `state.image`, if it is the best: the first point of a round, which was
    evaluated in the round before; no evaluation is spent on it.
    """
    state = search.state
    if state.best is None or state.best_image is None or state.best_gradient is None:
        return None
    if state.lowest == math.inf:  # it is of another draw
        return None
    same = np.array_equal(state.image, state.best_image)
    return (state.best.terms.total, state.best_gradient) if same else None
