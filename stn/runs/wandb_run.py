"""One W&B run a directory, the same one when the directory's run is resumed.

Whatever W&B meets, the run goes on."""

import contextlib
import functools
import logging
import os
import shutil
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pooch

from stn import images
from stn.command_line import one_line
from stn.errors import InputError
from stn.runs import wandb_checks

# A server that is there answers within two; WANDB_INIT_TIMEOUT is for slow ones.
START_SECONDS = 8.0
# For the last uploads: what they miss stays on disk, and no run waits for a network.
FINISH_SECONDS = 30.0
FLUSH_SECONDS = 1.0  # as metrics.csv: what a kill costs the offline file until the run is resumed
LAUNCH, ASKS_LAUNCH = "wandb.sdk.launch", "_detect_and_apply_job_inputs"  # W&B's names, of its 0.31


class WandB:
    """The W&B run inside a run directory; after the first failure it says so once and goes
    silent.
    """

    def __init__(
        self, mode: str, project: str, run_dir: Path, settings: Mapping[str, Any], group: str | None
    ) -> None:
        self._run: Any = None
        self._failed = False
        self._starting: threading.Thread | None = None
        mode = wandb_checks.turned_down(mode)
        if mode == "off":
            return

        def begin() -> None:
            tags = [str(settings["name"])]
            self._run = start(
                run_dir, mode, run_dir.name, group, tags, project=project, config=dict(settings)
            )
            self._run.define_metric("*", step_metric="evaluation")

        # W&B takes as long to start as the targets take to compute, so it starts meanwhile.
        self._starting = threading.Thread(target=lambda: self._attempt("start", begin))
        self._starting.start()

    def catch_up(self, rows: Sequence[Mapping[str, float]], run_dir: Path) -> None:
        """Log what an earlier process of the run logged: its rows of metrics.csv and its
        intermediate pictures.
        """
        for row in rows:
            self.log(row)
            path = run_dir / "progress" / f"{int(row['evaluation']):06d}.png"
            # No picture is due at most of them, and one may be damaged.
            with contextlib.suppress(InputError):
                self.log_image("progress", images.read(path), int(row["evaluation"]))

    def log(self, row: Mapping[str, float]) -> None:
        """Log a row of metrics.csv under the same names."""
        self._log("log", lambda: dict(row), int(row["evaluation"]))

    def log_image(self, key: str, rgb: np.ndarray, step: int) -> None:
        """Log a picture, `rgb` [h, w, 3] 0-255."""
        self._log("log a picture", lambda: {key: _image(rgb)}, step)

    def finish(self, summary: Mapping[str, Any], exit_code: int = 0) -> None:
        """Write the summary and close the run."""

        def close() -> None:
            self._run.summary.update(dict(summary))
            self._run.finish(exit_code=exit_code)

        self._attempt("finish", close)
        self._run = None
        if self._failed:
            # What W&B does at the interpreter's exit would end in a traceback if its service is
            # gone.
            self._failed = False
            with contextlib.suppress(Exception):
                import wandb

                wandb.teardown(exit_code=1)

    def _wait(self) -> None:
        """Until it has started, or could not."""
        if self._starting is not None:
            self._starting.join()
            self._starting = None

    def _log(self, what: str, values: Callable[[], dict[str, Any]], step: int) -> None:
        def log() -> None:
            # Steps below it the server has from before an interruption.
            if step >= self._run.starting_step:
                self._run.log(values(), step=step)

        self._attempt(what, log)

    def _attempt(self, what: str, action: Callable[[], None]) -> None:
        if what != "start":
            self._wait()
            if self._run is None:
                return
        try:
            action()
        except Exception as error:
            # Whatever W&B meets (no space, no network, a killed service), the run continues.
            self._run, self._failed = None, True
            warnings.warn(
                f"W&B could not {what} ({_reason(error)}); the run goes on without it", stacklevel=3
            )


def start(
    folder: Path, mode: str, name: str, group: str | None, tags: Sequence[str], **told: Any
) -> Any:
    """Start the W&B run of a directory, under the id that it has there already; what is `told` goes
    to `wandb.init`.

    Its earlier tries in `folder`/wandb are removed: whoever starts it logs the whole again. `mode`
    is `offline`, or `online`, which becomes offline with a warning where W&B cannot start so.
    Raises whatever W&B raises."""
    os.environ["WANDB_SILENT"] = "true"
    logging.getLogger("wandb").setLevel(logging.CRITICAL)
    if group is not None:
        _forget_names_of_one_run()
    name = wandb_checks.shortened(os.environ.get("WANDB_NAME") or name, wandb_checks.LONGEST_NAME)
    group = group and wandb_checks.shortened(group, wandb_checks.LONGEST_NAME)
    given = [tag for tag in os.environ.pop("WANDB_TAGS", "").split(",") if tag.strip()]
    tags, given = (
        [wandb_checks.shortened(tag, wandb_checks.LONGEST_TAG) for tag in each]
        for each in (tags, given)
    )
    if given:  # W&B reads them for itself, and refuses long and empty ones
        os.environ["WANDB_TAGS"] = ",".join(given)
    _give_a_cache()
    import wandb

    _spare_launch()
    settings = wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        x_disable_stats=True,
        init_timeout=float(os.environ.get("WANDB_INIT_TIMEOUT") or START_SECONDS),
        finish_timeout=FINISH_SECONDS,
        finish_timeout_raises=True,
        x_transaction_log_flush_interval=FLUSH_SECONDS,
    )

    def begin(mode: str) -> Any:
        return wandb.init(
            dir=str(folder),
            mode="online" if mode == "online" else "offline",
            id=_id(folder),
            resume="allow" if mode == "online" else None,
            name=name,
            group=group,
            tags=[*tags, *given],
            settings=settings,
            reinit="finish_previous",
            **told,
        )

    try:
        run = begin(mode)
    except Exception as error:
        if mode != "online":
            raise
        wandb.teardown()  # whose service would not give the id a second time
        run = begin("offline")
        warnings.warn(
            f"W&B goes on offline, since it could not start online ({_reason(error)}); "
            f"`wandb sync {Path(run.dir).parent}` sends the run later",
            stacklevel=2,
        )
    for earlier in _tries(folder):
        if earlier.resolve() != Path(run.dir).parent.resolve():
            shutil.rmtree(earlier, ignore_errors=True)
    return run


def _give_a_cache() -> None:
    """W&B's service keeps a log in its cache, and prints it where that takes no files, as a home
    that is read-only.
    """
    place = Path(os.environ.get("WANDB_CACHE_DIR") or pooch.os_cache("")) / "wandb" / "logs"
    try:
        place.mkdir(parents=True, exist_ok=True)
        takes_files = os.access(place, os.W_OK)
    except OSError:
        takes_files = False
    if not takes_files:
        os.environ["WANDB_CACHE_DIR"] = tempfile.gettempdir()


@functools.cache
def _spare_launch() -> None:
    """W&B imports its Launch at the first start, to ask what was staged: only if one has it
    (docs/contributing/architecture.md).
    """
    import wandb

    asks = getattr(wandb.Run, ASKS_LAUNCH, None)

    def asks_if_imported(run: Any) -> None:
        if asks and LAUNCH in sys.modules:  # which staging takes
            asks(run)

    setattr(wandb.Run, ASKS_LAUNCH, asks_if_imported)


def _forget_names_of_one_run() -> None:
    """Take from the environment what would merge the runs of a sweep into one, or into another
    sweep.
    """
    found = [name for name in wandb_checks.OF_ONE_RUN if os.environ.pop(name, None)]
    if found:
        warnings.warn(f"{', '.join(found)}: ignored, since a sweep has many W&B runs", stacklevel=2)


def _id(folder: Path) -> str | None:
    """The id of the W&B run of a directory; None before its first try."""
    files = [path for each in _tries(folder) for path in each.glob("run-*.wandb")]
    return files[-1].stem.removeprefix("run-") if files else None


def _tries(folder: Path) -> list[Path]:
    """The folders that W&B made in a directory, one a process, the newest last."""
    return sorted(
        (folder / "wandb").glob("*run-*/"), key=lambda path: path.name.removeprefix("offline-")
    )


def _reason(error: Exception) -> str:
    return one_line(error) or type(error).__name__


def _image(rgb: np.ndarray) -> Any:
    import wandb

    return wandb.Image(images.to_bytes(rgb))
