"""L-BFGS without a line search, one evaluation a step: `optimizer.name=torch_lbfgs` and `spectral_lbfgs`."""

from dataclasses import dataclass

import numpy as np

from stn.optimize.search import Search, Stop
from stn.optimize.spectrum import Spectrum

# A step that raises the loss by more than a tenth is taken back, a quarter of it tried. Ours: of
# `spectral_lbfgs` alone.
HIGHEST_RISE, SHORTER, GROWTH = 1.1, 0.25, 2.0
# torch.optim.LBFGS skips pairs with s·y below 1e-10; here the cosine is meant, so that the loss' unit does not matter.
LEAST_COSINE = 1e-10
# The sums over all pairs from which H0 is made are multiplied by this before a new pair is added, so that old pairs,
# which were measured far from here, count less: ten pairs ago, a third. Measured in docs/time_to_quality.md.
DECAY = 0.9
# The number in H0 of a band is at most this many times larger or smaller than the one that L-BFGS would use for all
# (docs/time_to_quality.md).
LARGEST_FACTOR = 100.0


@dataclass
class Memory:
    """What L-BFGS has learned: its last accepted image, and pairs of a step s and the change y of the gradient over it.

    Arrays are in the space of its variables, [n] float32: pixels, or coefficients of a Spectrum.
    """

    image: np.ndarray  # [1, h, w, 3], the last that was accepted; its gradient [n] and total
    gradient: np.ndarray
    total: float
    step: np.ndarray  # [n], from that image to the one that is evaluated next
    longest: float = 1.0  # that the next step of `spectral_lbfgs` may be: root mean square, in pixels of 255
    pairs: np.ndarray | None = None  # [history, 2, n], s and y; when all places are taken the oldest is overwritten
    curvatures: np.ndarray | None = None  # [history], s·y
    count: int = 0  # pairs written so far, overwritten ones too
    energies: np.ndarray | None = None  # [2, 3 · bands], sums over all pairs of s² / y·y and y² / y·y, see DECAY

    def remember(self, y: np.ndarray, history: int, spectrum: Spectrum | None) -> None:
        """Keep the step and the change y of the gradient along it, unless the loss curves downwards there."""
        s, squared = self.step, float(y @ y)
        curvature = float(s @ y)
        if curvature <= LEAST_COSINE * float(np.sqrt(float(s @ s) * squared)):
            return
        if self.pairs is None or self.curvatures is None:
            self.pairs, self.curvatures = np.zeros((history, 2, len(s)), np.float32), np.zeros(history)
        place = self.count % history
        self.pairs[place, 0], self.pairs[place, 1], self.curvatures[place] = s, y, curvature
        self.count += 1
        if spectrum:
            energies = np.stack([spectrum.energy(s), spectrum.energy(y)]) / squared
            self.energies = energies if self.energies is None else DECAY * self.energies + energies

    def direction(self, spectrum: Spectrum | None) -> np.ndarray:
        """-H g [n] by the two-loop recursion (Nocedal & Wright 2006, algorithm 7.4) over the pairs, at least one.

        H0 is s·y / y·y of the newest pair (eq. 7.20); with a spectrum each band has its own, √(Σs² / Σy²).
        """
        assert self.pairs is not None and self.curvatures is not None
        history = len(self.pairs)
        oldest_first = [number % history for number in range(max(0, self.count - history), self.count)]
        q, factors = -self.gradient, {}
        for place in reversed(oldest_first):
            s, y = self.pairs[place]
            factors[place] = (s @ q) / self.curvatures[place]
            q -= np.float32(factors[place]) * y
        y = self.pairs[oldest_first[-1], 1]
        scale = self.curvatures[oldest_first[-1]] / float(y @ y)
        if spectrum and self.energies is not None:
            of_s, of_y = self.energies
            scales = np.sqrt(np.divide(of_s, of_y, out=np.full_like(of_s, scale**2), where=of_y > 0))
            q *= spectrum.spread(np.clip(scales, scale / LARGEST_FACTOR, scale * LARGEST_FACTOR))
        else:
            q *= np.float32(scale)
        for place in oldest_first:
            s, y = self.pairs[place]
            q += np.float32(factors[place] - (y @ q) / self.curvatures[place]) * s
        return q


def minimize(search: Search) -> None:
    """L-BFGS without a line search: the step is the direction itself. In float32.

    `torch_lbfgs` takes the steps of torch.optim.LBFGS at its learning rate of 1; the first is the gradient over the sum
    of its absolute values, so short that it tells the curvature and moves nothing. `spectral_lbfgs` differs in its
    variables and in H0, the first guess of the inverse Hessian; it takes a step back that raises the loss by a tenth,
    and keeps steps short until its memory is full: the first has a root mean square of one pixel of 255, and none is
    more than twice as long as the one before.
    """
    state, settings, unit, shape = search.state, search.settings, search.unit, search.state.image.shape
    spectrum = Spectrum(*shape[1:3]) if settings.name == "spectral_lbfgs" else None

    def variables(image: np.ndarray) -> np.ndarray:
        return spectrum.coefficients(image) if spectrum else image.ravel().astype(np.float32)

    def pixels(step: np.ndarray) -> np.ndarray:
        return unit * (spectrum.image(step) if spectrum else step.reshape(shape))

    memory = Memory(**state.memory) if state.memory else None
    while True:
        total, gradient = search.evaluate(state.image)
        if spectrum and memory is not None and total > memory.total + (HIGHEST_RISE - 1) * abs(memory.total):
            memory.step, memory.longest = SHORTER * memory.step, memory.longest * SHORTER / GROWTH
        else:
            g = variables(gradient * unit)
            if memory is None:
                memory = Memory(state.image, g, total, g)
            else:
                memory.remember(g - memory.gradient, settings.history, spectrum)
                memory.image, memory.gradient, memory.total = state.image, g, total
            if not g.any():
                raise Stop("converged (the gradient is zero)")
            if memory.count:
                memory.step = memory.direction(spectrum)
            else:
                memory.step = g * np.float32(-min(1.0, 1 / np.abs(g).sum(dtype=np.float64)))
            state.iterations += 1
        moved = pixels(memory.step)
        if spectrum and memory.count < settings.history:
            length = float(np.sqrt(np.mean(moved**2)))
            factor = np.float32(memory.longest / length if memory.count == 0 else min(1.0, memory.longest / length))
            memory.step, moved, memory.longest = factor * memory.step, factor * moved, GROWTH * float(factor) * length
        state.image = search.clipped(memory.image + moved)
        if search.limits is not None:
            memory.step = variables((state.image - memory.image) / unit)
        state.memory = vars(memory)  # not a copy: saving is rare
        search.on_checkpoint(state)
