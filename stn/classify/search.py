"""Search for an image that minimizes a loss of its own, in a run directory."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stn import config, files, runs
from stn.network.network import Network
from stn.optimize import Callbacks, Evaluation, Problem, State, minimize
from stn.quantities import Terms
from stn.runs.run_directory import RunDirectory

# A search is short: one that is interrupted starts over.
KEEPS_NOTHING = {"tracking": {"keep_checkpoint": False}}


def optimizer(name: str, evaluations: int, **settings: Any) -> config.Optimizer:
    """An optimizer of configs/optimizer/ with some of its `settings` changed.

    It keeps pixels within their limits unless `bounds=False`."""
    group = config.compose(f"optimizer={name}").optimizer
    return dataclasses.replace(group, max_evaluations=evaluations, **{"bounds": True, **settings})


@dataclass(frozen=True)
class Searches:
    """The searches of one program: the folder of their runs, the network that sees the images, and
    the checksums and settings that all of them have.
    """

    folder: Path
    network: Network
    checksums: Mapping[str, str]
    settings: Mapping[str, Any]

    def find(
        self,
        name: str,
        settings: Mapping[str, Any],
        problem: Problem,
        first: np.ndarray,
        until: Callable[[Terms], str | None] = lambda terms: None,
    ) -> runs.Run:
        """Solve the problem from the image `first` [1, h, w, 3], unless that was done already.

        The run's directory is called `name`, with a checksum of all settings and checksums.
        The setting `optimizer` is the optimizer. The search ends early when `until` gives a reason.
        Raises InputError as `RunDirectory`."""
        both, inputs = {**self.settings, **settings}, dict(self.checksums)
        chosen: config.Optimizer = both["optimizer"]
        plain = {**both, "optimizer": dataclasses.asdict(chosen), **KEEPS_NOTHING}
        path = self.folder / f"{name}-{files.digest([plain, inputs])}"
        seen: list[Terms] = []

        def on_evaluation(evaluation: Evaluation, image: np.ndarray) -> None:
            directory.record(evaluation)
            seen[:] = [evaluation.terms]

        with RunDirectory(path, plain, inputs) as directory:
            if not directory.finished:
                directory.begin()
                callbacks = Callbacks(
                    on_evaluation, interrupted=lambda: until(seen[0]) if seen else None
                )
                outcome = minimize(problem, State(first.astype(np.float64)), chosen, callbacks)
                rgb = self.network.rgb(outcome.image)
                written, _ = problem.value_and_grad(self.network.image(np.rint(rgb)))
                clipped = {"picture/clipped_share": self.network.clipped_share(outcome.image)}
                directory.finish(directory.summarize(outcome, rgb, written, clipped))
                print(path / runs.PICTURE)
        return runs.Run(path).check()
