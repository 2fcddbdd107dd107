"""What shows a run while it goes: progress on the terminal, and W&B, which may fail without harm."""

import logging
import netrc
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
from tqdm import tqdm

from stn.errors import InputError
from stn.optimize import Evaluation

# Plain lines a run leaves where there is no terminal.
PLAIN_LINES = 10


class Progress:
    """A bar with evaluation, losses and time left on a terminal; about ten plain lines elsewhere."""

    def __init__(self, max_evaluations: int, done: int = 0) -> None:
        self._every = max(1, max_evaluations // PLAIN_LINES)
        self._max_evaluations = max_evaluations
        self._bar = None
        if sys.stderr.isatty():
            self._bar = tqdm(total=max_evaluations, initial=done, unit="evaluation", dynamic_ncols=True, smoothing=0.1)

    def show(self, evaluation: Evaluation) -> None:
        """Show one evaluation."""
        terms = evaluation.terms
        losses = f"total {terms.total:.4g}, content {terms.content:.3g}, style {terms.style:.3g}"
        if terms.smoothness:
            losses += f", smoothness {terms.smoothness:.3g}"
        done = evaluation.index + 1
        if self._bar is not None:
            self._bar.set_postfix_str(losses, refresh=False)
            self._bar.update()
        elif done == 1 or done % self._every == 0:
            print(f"evaluation {done}/{self._max_evaluations}: {losses} ({evaluation.seconds:.0f} s)", file=sys.stderr)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.close()


class WandB:
    """A W&B run inside the run directory; after the first failure it says so once and goes silent."""

    def __init__(
        self, mode: str, project: str, run_dir: Path, config: Mapping[str, Any], name: str, group: str | None
    ) -> None:
        self._run: Any = None
        if mode == "off":
            return
        if mode == "online" and not has_credentials():
            raise InputError("tracking=online: W&B has no API key here; run `wandb login`, or use tracking=offline")
        # W&B's own environment variables must not turn an offline run into one that asks or waits.
        os.environ["WANDB_SILENT"] = "true"
        logging.getLogger("wandb").setLevel(logging.CRITICAL)
        self._attempt("start", lambda: self._start(mode, project, run_dir, config, name, group))

    def log(self, row: Mapping[str, float]) -> None:
        """Log a row of metrics.csv under the same names."""
        self._attempt("log", lambda: self._run.log(dict(row), step=int(row["evaluation"])))

    def log_image(self, key: str, rgb: np.ndarray, step: int) -> None:
        """Log a picture, `rgb` [h, w, 3] 0-255."""
        self._attempt("log a picture", lambda: self._run.log({key: _image(rgb)}, step=step))

    def finish(self, summary: Mapping[str, Any], exit_code: int = 0) -> None:
        """Write the summary and close the run."""

        def close() -> None:
            self._run.summary.update(dict(summary))
            self._run.finish(exit_code=exit_code)

        self._attempt("finish", close)
        self._run = None

    def _start(
        self, mode: str, project: str, run_dir: Path, config: Mapping[str, Any], name: str, group: str | None
    ) -> None:
        import wandb

        settings = wandb.Settings(
            silent=True, console="off", disable_git=True, disable_code=True, x_disable_stats=True, init_timeout=30
        )
        self._run = wandb.init(
            project=project,
            dir=str(run_dir),
            mode="online" if mode == "online" else "offline",
            config=dict(config),
            name=name,
            group=group,
            tags=[str(config["name"])],
            settings=settings,
            reinit="finish_previous",
        )
        self._run.define_metric("*", step_metric="evaluation")

    def _attempt(self, what: str, action: Callable[[], None]) -> None:
        if self._run is None and what != "start":
            return
        try:
            action()
        except Exception as error:  # whatever W&B meets (no space, no network, a killed service), the run goes on
            self._run = None
            warnings.warn(f"W&B could not {what} ({error}); the run goes on without it", stacklevel=3)


def has_credentials() -> bool:
    """Whether W&B can go online without asking for a key: its environment variables, or the netrc of `wandb login`."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC") or None).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _image(rgb: np.ndarray) -> Any:
    import wandb

    return wandb.Image(np.clip(np.rint(rgb), 0, 255).astype(np.uint8))
