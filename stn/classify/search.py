"""Search for an image that minimizes a loss of its own, in a run directory."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stn import config, files, runs
from stn.network.network import Network
from stn.objective.objective import Terms
from stn.optimize import Evaluation, State, minimize
from stn.optimize.search import ValueAndGrad
from stn.runs.run_directory import RunDirectory

# A search is short: one that is interrupted starts over.
KEEPS_NOTHING = {"tracking": {"keep_checkpoint": False}}


def optimizer(name: str, evaluations: int, **settings: Any) -> config.Optimizer:
    """An optimizer of configs/optimizer/ with some of its `settings` changed.

    It keeps pixels within their limits unless `bounds=False`."""
    group = config.compose(f"optimizer={name}").optimizer
    return dataclasses.replace(group, max_evaluations=evaluations, **{"bounds": True, **settings})


def find(
    place: tuple[Path, str],
    settings: Mapping[str, Any],
    checksums: Mapping[str, str],
    value_and_grad: ValueAndGrad,
    first: np.ndarray,
    network: Network,
    limits: tuple[np.ndarray, np.ndarray] | None = None,
    until: Callable[[Terms], str | None] = lambda terms: None,
) -> runs.Run:
    """Minimize `value_and_grad` from the image `first` [1, h, w, 3], unless that was done already.

    The run's directory is named by `place`, a folder and a name in it, and by a checksum of
    `settings` and `checksums`. `settings["optimizer"]` is the optimizer. Pixels stay between
    `limits`, each [3] or [1, h, w, 3], black and white unless given. The search ends early when
    `until` gives a reason. Raises InputError as `RunDirectory`."""
    chosen: config.Optimizer = settings["optimizer"]
    plain, inputs = (
        {**settings, "optimizer": dataclasses.asdict(chosen), **KEEPS_NOTHING},
        dict(checksums),
    )
    folder, name = place
    folder.mkdir(parents=True, exist_ok=True)
    directory = RunDirectory(folder / f"{name}-{files.digest([plain, inputs])}", plain, inputs)
    seen: list[Terms] = []

    def on_evaluation(evaluation: Evaluation, image: np.ndarray) -> None:
        directory.record(evaluation)
        seen[:] = [evaluation.terms]

    try:
        if not directory.finished:
            directory.begin()
            outcome = minimize(
                value_and_grad,
                State(first.astype(np.float64)),
                chosen,
                on_evaluation,
                interrupted=lambda: until(seen[0]) if seen else None,
                limits=limits or network.limits,
            )
            rgb = network.rgb(outcome.image)
            written, _ = value_and_grad(network.image(np.rint(rgb)))
            clipped = network.clipped_share(outcome.image)
            directory.finish(
                directory.summarize(outcome, rgb, written, {"picture/clipped_share": clipped})
            )
            print(directory.path / runs.PICTURE)
    finally:
        directory.release()
    return runs.Run(directory.path).check()
