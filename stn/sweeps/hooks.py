"""Sweeps: a cell that fails is written down and does not sink the others, whichever launcher runs
them.
"""

import contextlib
import json
import math
import multiprocessing
import os
import re
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from stn import command_line, devices, errors, files, runs, signals
from stn.config import fields
from stn.errors import InputError
from stn.runs import previews
from stn.sweeps import cells, checks, studies

SWEEPERS = ("BasicSweeper", "OptunaSweeper")  # the second chooses values by what runs return
CELLS = "STN_CELLS"  # by which the processes of joblib know how many cells the sweep has
HERE = ("BasicLauncher", "JoblibLauncher")  # whose cells read the files of this machine


@dataclass
class Sweep:
    """A sweep that this process started."""

    directory: Path
    planned: Mapping[str, Sequence[str]] | None  # its cells, if known (`cells.planned`)
    # Where its cells run in processes of this machine.
    forwarded: signals.ForwardedSignals | None = None
    began: list[float] = field(default_factory=list)  # when each cell began here, in seconds
    told: set[Path] = field(default_factory=set)  # cells whose failure was printed here


@dataclass
class Command:
    """What this process knows of the command that it is."""

    sweep: Sweep | None = None  # under way
    problem: Exception | None = None  # of a single run
    pages: list[previews.Page] = field(default_factory=list)


here = Command()  # Hydra's hooks and its task have no other place for it


class Begin(Callback):
    """Hydra's hook in config.yaml: remembers the sweep and its cells, and forgets the failures of
    an earlier try.
    """

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        loader = GlobalHydra.instance().config_loader()
        try:
            if not config.hydra.sweeper._target_.endswith(SWEEPERS):
                raise InputError(
                    f"hydra.sweeper._target_={config.hydra.sweeper._target_}: only Hydra's own"
                    " sweeper and Optuna's are supported; leave hydra/sweeper out and list the"
                    " values, or take hydra/sweeper=optuna"
                )
            checks.check(cells.as_typed(config.hydra.overrides.task))
            cells.tell_fixed(config, loader)
            planned = cells.planned(config.hydra, loader)
            if not cells.is_basic(config.hydra):
                studies.begin(config.hydra.sweeper, cells.parsed(config.hydra, loader))
            if config.hydra.launcher._target_.endswith(HERE):
                checks.look_for_files(planned or {})
        except errors.InputError as error:  # which Hydra would turn into a warning, and start
            print(f"error: {command_line.one_line(error)}", file=sys.stderr)
            sys.exit(2)
        sweep = Sweep(Path(str(config.hydra.sweep.dir)), planned)
        here.sweep = sweep
        if config.view:
            here.pages.append(previews.start(sweep.directory.absolute()))
        if config.hydra.launcher._target_.endswith("JoblibLauncher"):
            os.environ[CELLS] = str(len(planned or {}))
            sweep.forwarded = signals.ForwardedSignals()
        for run_dir in _directories(sweep.directory, planned):
            clear(run_dir)


def clear(run_dir: Path) -> None:
    """Forget that a cell failed here before."""
    (run_dir / runs.FAILED).unlink(missing_ok=True)


def remove_if_empty(run_dir: Path) -> None:
    """Hydra makes the directory before anything is checked; an empty one is no run."""
    with contextlib.suppress(OSError):
        run_dir.rmdir()


def threads() -> int | None:
    """The threads that a launcher gives this process; joblib and Ray divide the cores by
    OMP_NUM_THREADS.
    """
    for name in ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK"):
        if os.environ.get(name, "").isdigit():
            return int(os.environ[name]) or None
    return None


def take_gpu() -> None:
    """Leave this worker of joblib's one of the GPUs that it sees, so that neighbors take others.

    A worker keeps its GPU for all its cells."""
    found = devices.visible()
    number = re.search(r"\d+$", multiprocessing.current_process().name)  # LokyProcess-3
    if found and number:
        os.environ["CUDA_VISIBLE_DEVICES"] = found[(int(number[0]) - 1) % len(found)]


def gres(gpus: int) -> str | None:
    """What SLURM calls so many GPUs; none are not asked for, since not every cluster knows them."""
    return f"gpu:{gpus}" if gpus else None


OmegaConf.register_new_resolver("stn.gres", gres, replace=True)


def metric_of(summary: Mapping[str, Any], name: str) -> float:
    """The number of a finished run that `sweep.metric` names: a key of its summary, or of a measure
    the last part; NaN where it is none. InputError if the run has no such key.
    """
    found = summary.get(name, summary.get(f"measures/{name}"))
    if found is None:
        near = fields.nearest(name, [*summary, *(key.rpartition("/")[2] for key in summary)])
        raise InputError(
            f"sweep.metric={name}: {fields.did_you_mean(near)}this run's summary.json has no such"
            " key; a measure such as patches_to_style, or picture/loss/total"
        )
    return float(found) if isinstance(found, int | float) else math.nan


def fail(
    error: Exception, run_dir: Path, overrides: list[str], cell_axes: dict[str, str], local: bool
) -> None:
    """Write down why a cell failed; the others go on.

    `local`: in the process that the user started, which says so at once in one line; of others it
    says so at the end. Ctrl-C and SIGTERM there end the whole sweep, by
    SystemExit."""
    sweep = here.sweep if local else None
    if sweep and isinstance(error, errors.Interrupted):
        print(f"{str(error).partition(';')[0]}; {_again(sweep.directory)} resumes", file=sys.stderr)
        sys.exit(error.exit_code)
    if isinstance(error, errors.Interrupted) and signals.waiting():
        return  # the process that the user started says so
    reason = command_line.one_line(error)
    if not isinstance(error, errors.InputError | errors.Interrupted | OSError):
        reason = f"{type(error).__name__}: {reason}"
    trace = "".join(traceback.format_exception(error))
    cell = " ".join(f"{key}={value}" for key, value in cell_axes.items())
    record = {
        "cell": cell,
        "axes": cell_axes,
        "error": reason,
        "type": type(error).__name__,
        "overrides": overrides,
        "traceback": trace,
    }
    # In use the directory is another process's, which has not failed.
    if not isinstance(error, errors.InUse):
        with contextlib.suppress(OSError):  # a full disk
            files.write_text(run_dir / runs.FAILED, json.dumps(record, indent=2) + "\n")
    if sweep:
        sweep.told.add(run_dir.absolute())
        print(f"error: {_called(run_dir.name, cell)}: {reason}", file=sys.stderr)


def announce(cell_axes: Mapping[str, str], done: int) -> None:
    """Say which cell of a sweep begins here after `done` others, and how long the rest takes where
    one follows the other.
    """
    sweep = here.sweep
    count = len(sweep.planned or {}) if sweep else int(os.environ.get(CELLS, 0))
    if count < 2:
        return
    began = sweep.began if sweep else []
    began.append(time.monotonic())
    left = ""
    if done and len(began) == done + 1:
        seconds = (began[-1] - began[0]) / done * (count - done)
        left = (
            f" (about {seconds / 60:.0f} min left)" if seconds > 90 else f" ({seconds:.0f} s left)"
        )
    cell = ",".join(f"{key}={value}" for key, value in cell_axes.items())
    print(f"[{done + 1}/{count}] {cell}{left}", file=sys.stderr)


def end(error: Exception | None = None) -> None:
    """After the last cell, or the launcher's `error`: a line for each cell that is missing, and
    exit code 2.
    """
    sweep, here.sweep = here.sweep, None
    if sweep is None:
        if error is not None:
            raise error
        return
    sweep_dir = sweep.directory
    os.environ.pop(CELLS, None)
    if asked := sweep.forwarded.close() if sweep.forwarded else None:
        print(
            f"interrupted: the best images so far are in {sweep_dir}; {_again(sweep_dir)} resumes",
            file=sys.stderr,
        )
        sys.exit(128 + asked)
    missing = _missing(sweep_dir, sweep.planned, launched=error is None)
    for path, line in missing:
        if path is None or path.absolute() not in sweep.told:
            print(f"error: {line}", file=sys.stderr)
    again = f"{_again(sweep_dir)} runs what is missing"
    if error is not None:
        if isinstance(error, errors.InputError) or type(error).__module__.startswith(
            ("hydra.", "omegaconf.")
        ):
            raise error
        first = next(iter(str(error).splitlines()), "")
        reason = f"{type(error).__name__}: {first}"
        if isinstance(error, OSError):
            reason = command_line.one_line(error)
        raise errors.InputError(f"the launcher ended early ({reason}); {again}") from None
    if missing:
        print(f"{len(missing)} cell{'s' * (len(missing) > 1)} failed; {again}", file=sys.stderr)
        sys.exit(2)


def _again(sweep_dir: Path) -> str:
    """The command that resumes; with force=true it would make the finished cells anew."""
    if any(word.startswith(f"+{cells.EXPERIMENTS}=") for word in sys.argv):
        return "the same command"  # an experiment's, which knows the directory
    forced = any(
        re.fullmatch(r"\+*force=(true|yes|on|1)", word, re.IGNORECASE) for word in sys.argv
    )
    return (
        f"the same command {'without force=true, ' if forced else ''}with"
        f" hydra.sweep.dir={sweep_dir}"
    )


def _directories(sweep_dir: Path, planned: Mapping[str, Sequence[str]] | None) -> list[Path]:
    """Those of the sweep's own cells; all that are there if the cells are not known."""
    return (
        [run.path for run in runs.below(sweep_dir)]
        if planned is None
        else [sweep_dir / name for name in planned]
    )


def _called(name: str, cell: str) -> str:
    """The directory's name, and what the cell is where the name does not say it all."""
    return name if cell.replace(" ", ",") in (name, "") else f"{name} ({cell})"


def _missing(
    sweep_dir: Path, planned: Mapping[str, Sequence[str]] | None, launched: bool
) -> list[tuple[Path | None, str]]:
    """Directory and a line for each cell that is not whole; where the launcher ended early, only
    for those that were begun.
    """
    lines: list[tuple[Path | None, str]] = []
    for name, run in cells.found(sweep_dir, planned).items():
        if run is None:
            lines += [(None, f"{name} left nothing")] * launched
        elif run.failure:
            # Of a finished run what came after its end failed, such as the copy for output=.
            why = run.failure.get("error", "")
            lines.append((run.path, f"{_called(name, run.failure.get('cell', ''))}: {why}"))
            if run.state == "finished":
                clear(run.path)  # it is said; the run itself is whole
        elif run.state != "finished":
            why = "did not finish: its process ended, or is still running"
            lines.append((run.path, f"{name} {why}"))
    return lines
