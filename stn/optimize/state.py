"""Where a run stands: one evaluation, the state from which a run resumes, and what `minimize` gives
back.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from stn.quantities import Terms

# Of a mean over the images of a level: crowsonkb/style-transfer-pytorch, --avg-decay.
DECAY = 0.99


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of the objective: its index, 0 at the initial image; the steps accepted before
    it; and wall seconds.

    The seconds count from the run's beginning, over interruptions; the level is a pyramid's.
    """

    index: int
    iteration: int
    terms: Terms
    seconds: float
    level: int = 0


@dataclass
class State:
    """All that a run needs to resume here as if it had never stopped. Images are [1, h, w, 3],
    float64.

    `memory` is what the optimizer has learned so far, by name: fields of `stepwise_lbfgs.Memory` or
    `adam.Moments`, or the workspaces of SciPy's routine. Where it is empty, the optimizer starts at
    `image` as if it were the first."""

    image: np.ndarray  # the next to evaluate
    evaluations: int = 0  # at this level of a pyramid: what the budget counts
    evaluations_before: int = 0  # at the levels before
    iterations: int = 0
    level: int = 0
    recoveries: int = 0
    seconds: float = 0.0
    # The level's first image, before detail was added, where targets are found for it.
    first: np.ndarray | None = None
    best: Evaluation | None = None  # or the newest, where the result is not to be the best
    lowest: float = math.inf  # total of the best, with the penalty where there is one
    strength: float | None = None  # of the penalty at this level
    best_image: np.ndarray | None = None
    best_gradient: np.ndarray | None = None
    # Totals of the best after each of the last evaluations, where a tolerance asks.
    bests: np.ndarray | None = None
    average: np.ndarray | None = None  # Σ of the images, weighed, where their mean is asked for
    uncounted: float = 1.0  # what is left to one of their weights
    memory: dict[str, Any] = field(default_factory=dict)

    def count_in(self, image: np.ndarray) -> None:
        """Take an image [1, h, w, 3] into the mean, in which one of n steps ago weighs DECAY^n as
        much as the newest.
        """
        before = np.zeros_like(image) if self.average is None else self.average
        self.average = DECAY * before + (1 - DECAY) * image
        self.uncounted *= DECAY

    @property
    def index(self) -> int:
        """The index of the next evaluation: how many were made, at all levels together."""
        return self.evaluations_before + self.evaluations

    @property
    def found(self) -> tuple[np.ndarray, Evaluation]:
        """The image [1, h, w, 3] that would come out now, and its evaluation, or where it is a mean
        the newest; RuntimeError if nothing was evaluated.
        """
        if self.best_image is None or self.best is None:
            raise RuntimeError("nothing was evaluated")
        mean = None if self.average is None else self.average / (1 - self.uncounted)
        return self.best_image if mean is None else mean, self.best

    def next_level(
        self,
        image: np.ndarray,
        memory: Mapping[str, Any] | None = None,
        first: np.ndarray | None = None,
    ) -> "State":
        """The State at the start of the next level of a pyramid, from this level's result enlarged
        to [1, h, w, 3]; `memory` is what the optimizer is to remember there, `first` is kept.
        """
        return State(
            image.astype(np.float64),
            memory=dict(memory or {}),
            first=first,
            evaluations_before=self.index,
            iterations=self.iterations,
            level=self.level + 1,
            seconds=self.seconds,
        )

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The State as named arrays for `np.savez`; numbers are arrays without a dimension, `best`
        is JSON.
        """
        values = {name: value for name, value in vars(self).items() if name != "memory"}
        values["best"] = json.dumps(asdict(self.best)) if self.best else None
        values |= {f"memory.{name}": value for name, value in self.memory.items()}
        return {name: np.asarray(value) for name, value in values.items() if value is not None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "State":
        """The State that `to_arrays` took apart; what is not one raises KeyError, TypeError or
        ValueError.
        """
        values: dict[str, Any] = {
            name: array if array.ndim else array.item() for name, array in arrays.items()
        }
        memory = {
            name.removeprefix("memory."): values.pop(name)
            for name in arrays
            if name.startswith("memory.")
        }
        if "best" in values:
            best = json.loads(values["best"])
            values["best"] = Evaluation(**{**best, "terms": Terms(**best["terms"])})
        return cls(**values, memory=memory)


@dataclass(frozen=True)
class Outcome:
    """The image that came out [1, h, w, 3], its evaluation, or where it is a mean the last, how
    much work it took and why it ended.
    """

    image: np.ndarray
    best: Evaluation
    evaluations: int
    iterations: int
    seconds: float
    stop_reason: str
