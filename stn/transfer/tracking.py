"""What follows a run while it goes: progress on the terminal, W&B, checkpoints, and the signals
that end it.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import numpy as np
from tqdm.auto import tqdm

from stn import config, runs, signals
from stn.errors import Interrupted
from stn.network.network import Network
from stn.optimize import Evaluation, State
from stn.runs import previews, run_directory, wandb_run

# Plain lines a run leaves where there is no terminal.
PLAIN_LINES = 10
# A picture whose own loss is further from the optimizer's than this share is worth a line.
NOTABLE = 0.01


class Tracker:
    """The callbacks of `optimize.minimize`: they tell the run directory, the terminal and W&B,
    and when to stop.
    """

    def __init__(
        self,
        directory: run_directory.RunDirectory,
        settings: config.Config,
        network: Network,
        state: State | None,
        cell: runs.SweepCell | None,
    ) -> None:
        self._directory, self._network = directory, network
        # `rgb` as it is saved: pictures.LevelPictures.shown of the level
        self.shown: Callable[..., np.ndarray] = lambda rgb, preview=False: rgb
        levels = config.levels(settings)
        self._in_pyramid = len(levels) > 1
        self._progress_every = settings.tracking.progress_every
        self._preview = previews.Preview(
            directory.path / previews.VIEW, settings.tracking.preview_seconds
        )
        self._checkpoint_seconds = settings.tracking.checkpoint_seconds
        self._checkpointed = time.monotonic()
        # Where a larger budget would resume: the level, and its evaluations.
        self._end = len(levels) - 1, levels[-1].max_evaluations
        self._keep = settings.tracking.keep_checkpoint
        self._interrupts = signals.DeferredSignals()
        mode, project = settings.tracking.mode, settings.tracking.project
        group = cell.sweep if cell else None
        shown = config.to_dict(settings) | (
            {"sweep": dict(cell.axes)} if cell and cell.axes else {}
        )
        self._wandb = wandb_run.WandB(mode, project, directory.path, shown, group)
        done = state.index if state else 0
        self._wandb.catch_up(directory.rows[:done], directory.path)
        budget = sum(level.max_evaluations for level in levels)
        self._progress = Progress(budget, done, len(levels))

    def on_evaluation(self, evaluation: Evaluation, image: np.ndarray) -> None:
        """Record and show one evaluation at an image [1, h, w, 3]; every `progress_every` also the
        picture.
        """
        row = self._directory.record(evaluation, self._in_pyramid)
        self._progress.show(evaluation)
        self._wandb.log(row)
        every = self._progress_every
        due = every and evaluation.index and evaluation.index % every == 0
        if due and (rgb := self._rgb(image)) is not None:
            self._directory.write_image(f"progress/{evaluation.index:06d}.png", rgb)
            self._wandb.log_image("progress", rgb, evaluation.index)
        self._preview.show(lambda: self._rgb(image, preview=True))

    def _rgb(self, image: np.ndarray, preview: bool = False) -> np.ndarray | None:
        """The picture as it is saved, or its `preview`, `rgb`; None if it is not finite."""
        if not np.isfinite(image).all():
            return None
        return self.shown(self._network.rgb(image), preview=preview)

    def on_checkpoint(self, state: State) -> None:
        """Save a State to resume from, every `tracking.checkpoint_seconds` and where the user or
        the budget ends it.
        """
        ends = self._interrupts.signal or (
            self._keep and (state.level, state.evaluations) == self._end
        )
        if ends or time.monotonic() - self._checkpointed >= self._checkpoint_seconds:
            self._directory.checkpoint(state)
            self._checkpointed = time.monotonic()

    def interrupted(self) -> str | None:
        """The signal that asked for an end, if one did."""
        return self._interrupts.signal.name if self._interrupts.signal else None

    def stop_if_interrupted(self, image: np.ndarray) -> None:
        """After a signal, write the best `image` [1, h, w, 3] so far and raise Interrupted."""
        if not self._interrupts.signal:
            return
        self._directory.write_metrics()
        rgb = self.shown(self._network.rgb(image))
        path = self._directory.write_image(runs.PICTURE, rgb)
        start = self._directory.resumes_at
        again = (
            f"resumes at evaluation {start}"
            if start
            else "starts over, since no checkpoint was due yet"
        )
        raise Interrupted(
            f"interrupted: the best image so far is {path}; "
            f"the same command with hydra.run.dir={self._directory.path} {again}",
            128 + self._interrupts.signal,
        )

    def finish(self, rgb: np.ndarray, summary: Mapping[str, Any]) -> None:
        """Log the result, `rgb` [h, w, 3 or 4], to W&B and close it; an end before the budget is
        said.
        """
        if summary["stop_reason"] != "max_evaluations":
            print(
                f"ended after {summary['evaluations']} evaluations: {summary['stop_reason']}",
                file=sys.stderr,
            )
        told, own = summary["loss/total"], summary["picture/loss/total"]
        if abs(own - told) > NOTABLE * abs(told):
            print(
                f"the picture's own loss is {own:.4g}, the optimizer's {told:.4g}: the picture has"
                f" 8 bits, and {summary['picture/clipped_share']:.1%} of its values were clipped to"
                " 0-255",
                file=sys.stderr,
            )
        # Beside the last row: the step after it is the first of a larger budget.
        self._wandb.log_image("image", rgb, int(summary["evaluations"]) - 1)
        self._wandb.finish(summary)
        self._preview.end()

    def __enter__(self) -> "Tracker":
        self._interrupts.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._interrupts.__exit__()
        self._progress.close()
        self._wandb.finish({}, exit_code=1)  # does nothing after an ordinary end


def _has_room(stream: TextIO) -> bool:
    """Whether it is a terminal that a bar can be seen on: in some containers one has no columns."""
    try:
        return stream.isatty() and os.get_terminal_size(stream.fileno()).columns > 0
    except OSError:
        return False


class Progress:
    """A bar with evaluation, losses and time left on a terminal or in a notebook; about ten plain
    lines elsewhere.
    """

    def __init__(self, max_evaluations: int, done: int = 0, levels: int = 1) -> None:
        self._levels = levels
        self._every = max(1, max_evaluations // PLAIN_LINES)
        self._max_evaluations = max_evaluations
        self._bar = None
        # The second is how tqdm.auto knows a notebook.
        if _has_room(sys.stderr) or "ipykernel.zmqshell" in sys.modules:
            self._bar = tqdm(
                total=max_evaluations,
                initial=done,
                unit="evaluation",
                dynamic_ncols=True,
                smoothing=0.1,
            )

    def show(self, evaluation: Evaluation) -> None:
        """Show one evaluation."""
        terms = evaluation.terms
        losses = f"total {terms.total:.4g}, content {terms.content:.3g}, style {terms.style:.3g}"
        if terms.total_variation:
            losses += f", total variation {terms.total_variation:.3g}"
        for name, value in terms.per_layer.items():
            if name.startswith("loss/"):
                losses += f", {name.removeprefix('loss/')} {value:.3g}"
        done = evaluation.index + 1
        at = f"level {evaluation.level + 1}/{self._levels}"
        if self._bar is not None:
            shown = f"{at}, {losses}" if self._levels > 1 else losses
            self._bar.set_postfix_str(shown, refresh=False)
            self._bar.update()
        elif done == 1 or done % self._every == 0:
            of = f"{self._max_evaluations}, {at}" if self._levels > 1 else self._max_evaluations
            print(f"evaluation {done}/{of}: {losses} ({evaluation.seconds:.0f} s)", file=sys.stderr)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.close()
