"""L-BFGS without a line search, one evaluation a step: `optimizer.name=torch_lbfgs` and
`spectral_lbfgs`.
"""

from dataclasses import dataclass

import numpy as np

from stn.config import optimizers
from stn.optimize.search import Search, Stop
from stn.optimize.spectrum import Spectrum

# A step that raises the loss by more than a tenth is taken back, a quarter of it tried. Ours, as
# all that follows; the rest of it is of `spectral_lbfgs` alone.
HIGHEST_RISE, SHORTER = 1.1, 0.25
# No step is more than twice as long as the one before, until there are so many pairs.
GROWTH, GROWS_FOR = 2.0, 10
# Half the steps go 1.4 times as far as they should, late in a run more. A
# parabola along the last step has its least at a factor of it between these; this power of it is
# kept.
SHORTEST_IDEAL, LONGEST_IDEAL, LEARNED = 0.25, 2.0, 0.3
LEAST_DAMPING = 0.2
# torch.optim.LBFGS skips pairs with s·y below 1e-10; here the cosine is meant, so that the loss'
# unit does not matter.
LEAST_COSINE = 1e-10
# H0 is measured from the first pairs, then from every fourth, which costs less time and no
# evaluations.
MEASURED_FIRST, MEASURED_EVERY = 5, 4


@dataclass
class Memory:
    """What L-BFGS has learned: its last accepted image, and pairs of a step s and the change y of
    the gradient over it.

    Arrays are [n] float32, in pixels divided by `unit`; gradient and total are with the penalty."""

    accepted: np.ndarray  # [1, h, w, 3], in pixels, float64
    gradient: np.ndarray  # there, and the total
    total: float
    step: np.ndarray  # [n], from there to the image that is evaluated next
    # That the next step of `spectral_lbfgs` may be: root mean square, in pixels of 255.
    longest: float = 1.0
    damping: float = 1.0  # of its steps, at most 1
    # [history, 2, n], s and y; when all places are taken the oldest is overwritten.
    pairs: np.ndarray | None = None
    curvatures: np.ndarray | None = None  # [history], s·y
    count: int = 0  # pairs written so far, overwritten ones too
    bands: np.ndarray | None = None  # what `Spectrum` has measured
    places: np.ndarray | None = None

    def remember(self, y: np.ndarray, history: int, spectrum: Spectrum | None) -> None:
        """Keep the step and the change y [n] of the gradient along it, unless the loss curves
        downwards there.
        """
        s, squared = self.step, float(y @ y)
        curvature = float(s @ y)
        if curvature <= LEAST_COSINE * float(np.sqrt(float(s @ s) * squared)):
            return
        if self.pairs is None or self.curvatures is None:
            self.pairs, self.curvatures = (
                np.zeros((history, 2, len(s)), np.float32),
                np.zeros(history),
            )
        if len(self.pairs) < history:  # resumed with a larger budget
            more = history - len(self.pairs)
            self.pairs = np.pad(self.pairs, ((0, more), (0, 0), (0, 0)))
            self.curvatures = np.pad(self.curvatures, (0, more))
        place = self.count % history
        self.pairs[place, 0], self.pairs[place, 1], self.curvatures[place] = s, y, curvature
        self.count += 1
        if spectrum and (self.count <= MEASURED_FIRST or self.count % MEASURED_EVERY == 0):
            self.bands, self.places = spectrum.measured(s, y, self.bands, self.places)

    def direction(self, spectrum: Spectrum | None) -> np.ndarray:
        """-H g [n] by the two-loop recursion (Nocedal & Wright 2006, algorithm 7.4) over the pairs,
        at least one.

        H0 is s·y / y·y of the newest pair (eq. 7.20); with a spectrum, `Spectrum.scaled`.
        """
        assert self.pairs is not None and self.curvatures is not None
        history = len(self.pairs)
        oldest_first = [
            number % history for number in range(max(0, self.count - history), self.count)
        ]
        q, factors = -self.gradient, {}
        term = np.empty_like(q)  # one place for all products: else each takes memory anew
        for place in reversed(oldest_first):
            s, y = self.pairs[place]
            factors[place] = (s @ q) / self.curvatures[place]
            q -= np.multiply(y, np.float32(factors[place]), out=term)
        y = self.pairs[oldest_first[-1], 1]
        scale = self.curvatures[oldest_first[-1]] / float(y @ y)
        if spectrum and self.bands is not None and self.places is not None:
            # The places are known well enough from a few pairs on only.
            q = spectrum.scaled(
                q, scale, self.bands, self.places if self.count >= MEASURED_FIRST else None
            )
        else:
            q *= np.float32(scale)
        for place in oldest_first:
            s, y = self.pairs[place]
            factor = np.float32(factors[place] - (y @ q) / self.curvatures[place])
            q += np.multiply(s, factor, out=term)
        return q

    def learn_damping(self, gradient: np.ndarray) -> None:
        """Adapt the damping to how far the step went beyond the least of a parabola along it, given
        the gradient [n] at its end.
        """
        before, after = float(self.gradient @ self.step), float(gradient @ self.step)
        ideal = before / (before - after) if after > before else LONGEST_IDEAL
        factor = float(np.clip(ideal, SHORTEST_IDEAL, LONGEST_IDEAL)) ** LEARNED
        self.damping = float(np.clip(self.damping * factor, LEAST_DAMPING, 1.0))


def minimize(search: Search) -> None:
    """L-BFGS without a line search: the step is the direction itself. In float32.

    `torch_lbfgs` takes the steps of torch.optim.LBFGS at its learning rate of 1. The first is the
    gradient over the sum of its absolute values, so short that it tells the curvature and moves
    nothing. If it tells none, the second is the gradient. `spectral_lbfgs` differs in H0, the first
    guess of the inverse Hessian, and in the length of its steps. The first has a root mean square
    of one pixel of 255, the next grow slowly, and later ones are damped. With `spectral_lbfgs`, and
    where `limits.penalty` keeps pixels near their limits, a step that raises the loss by a tenth is
    taken back."""
    state, settings, unit = search.state, search.settings, search.unit
    shape = state.image.shape
    assert isinstance(settings, optimizers.LBFGS)
    spectrum = (
        Spectrum(shape[1], shape[2], search.problem.periodic)
        if isinstance(settings, optimizers.SpectralLBFGS)
        else None
    )
    grows_for = min(GROWS_FOR, settings.history)
    # Losses of different draws do not tell a step that was too long.
    takes_back = (spectrum is not None or search.bounds is not None) and not search.problem.redraw
    memory = Memory(**state.memory) if state.memory else None
    while True:
        total, gradient = search.evaluate(state.image, penalized=True)
        g = (gradient * unit).ravel().astype(np.float32)
        if spectrum and memory is not None and memory.count >= grows_for:
            memory.learn_damping(g)
        if (
            takes_back
            and memory is not None
            and total > memory.total + (HIGHEST_RISE - 1) * abs(memory.total)
        ):
            memory.step, memory.longest = SHORTER * memory.step, memory.longest * SHORTER / GROWTH
        else:
            if not g.any():
                raise Stop("converged (the gradient is zero)")
            if memory is None:
                first = g * np.float32(-min(1.0, 1 / np.abs(g).sum(dtype=np.float64)))
                memory = Memory(state.image, g, total, first)
            else:
                places = min(settings.history, settings.max_evaluations)  # a pair an evaluation
                memory.remember(g - memory.gradient, places, spectrum)
                memory.accepted, memory.gradient, memory.total = state.image, g, total
                # Without a pair H is one: where the first step is too short for the gradient to
                # change, all of it.
                memory.step = (
                    np.float32(memory.damping) * memory.direction(spectrum) if memory.count else -g
                )
            state.iterations += 1
        if spectrum and memory.count < grows_for:
            length = float(np.sqrt(np.mean((unit * memory.step.reshape(shape)) ** 2)))
            factor = np.float32(
                memory.longest / length if memory.count == 0 else min(1.0, memory.longest / length)
            )
            memory.step, memory.longest = factor * memory.step, GROWTH * float(factor) * length
        state.image = memory.accepted + unit * memory.step.reshape(shape)
        state.memory = vars(memory)  # not a copy: saving is rare
        search.callbacks.on_checkpoint(state)
