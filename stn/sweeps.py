"""Sweeps: a cell that fails is written down and does not sink the others, whichever launcher runs them."""

import contextlib
import json
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from stn import errors, files, interrupts, runs, sweep_start

under_way: list[Path] = []  # the directory of the sweep that this process started
passed_on: list[interrupts.PassedOn] = []  # its signals, where its cells run in processes of this machine


class Begin(Callback):
    """Hydra's hook in config.yaml: remembers the sweep's directory, and forgets the failures of an earlier try."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        try:
            given = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)  # ${…} is each cell's own
            sweep_start.check(cast(list[str], given))
        except errors.InputError as error:  # which Hydra would turn into a warning, and start
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)
        sweep_dir = Path(str(config.hydra.sweep.dir))
        under_way.append(sweep_dir)
        if config.hydra.launcher._target_.endswith("JoblibLauncher"):
            passed_on.append(interrupts.PassedOn())
        for run in runs.below(sweep_dir):
            clear(run.path)


def clear(run_dir: Path) -> None:
    """Forget that a cell failed here before."""
    (run_dir / runs.FAILED).unlink(missing_ok=True)


def remove_if_empty(run_dir: Path) -> None:
    """Hydra makes the directory before anything is checked; an empty one is no run."""
    with contextlib.suppress(OSError):
        run_dir.rmdir()


def axes(sweep_dir: Path, overrides: list[str]) -> dict[str, str]:
    """What this cell has of the keys that the sweep varies, by the multirun.yaml that Hydra's sweeper left there."""
    try:
        given = OmegaConf.load(sweep_dir / "multirun.yaml").hydra.overrides.task
        parsed = OverridesParser.create().parse_overrides(list(given))
    except Exception:  # another sweeper, or no shared disk: then all overrides name the cell
        varied = {text.partition("=")[0] for text in overrides}
    else:
        varied = {override.get_key_element() for override in parsed if override.is_sweep_override()}
    pairs = (text.partition("=") for text in overrides)
    return {key: value for key, _, value in pairs if key in varied}


def threads() -> int | None:
    """The threads that a launcher gives this process; joblib and Ray divide the cores by OMP_NUM_THREADS."""
    for name in ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK"):
        if os.environ.get(name, "").isdigit():
            return int(os.environ[name]) or None
    return None


def fail(error: Exception, run_dir: Path, overrides: list[str], cell_axes: dict[str, str], local: bool) -> None:
    """Write down why a cell failed, and say so in one line; the others go on.

    `local`: in the process that the user started. Ctrl-C and SIGTERM there end the whole sweep, by SystemExit.
    """
    if local and isinstance(error, errors.Interrupted):
        print(
            f"{str(error).partition(';')[0]}; the same command {_again(under_way[-1])} goes on",
            file=sys.stderr,
        )
        sys.exit(error.exit_code)
    if isinstance(error, errors.Interrupted) and interrupts.waiting():
        return  # the process that the user started says so
    reason = errors.one_line(error)
    if not isinstance(error, errors.InputError | errors.Interrupted | OSError):
        reason = f"{type(error).__name__}: {reason}"
    trace = "".join(traceback.format_exception(error))
    cell = " ".join(f"{key}={value}" for key, value in cell_axes.items())
    record = {"cell": cell, "error": reason, "overrides": overrides, "traceback": trace}
    with contextlib.suppress(OSError):  # a full disk
        files.write_text(run_dir / runs.FAILED, json.dumps(record, indent=2) + "\n")
    print(f"failed: {run_dir.name} ({cell}): {reason}", file=sys.stderr)


def end(error: Exception | None = None) -> None:
    """After the last cell, or the launcher's `error`: a line for each cell that is missing, and exit code 2."""
    if not under_way:
        if error is not None:
            raise error
        return
    sweep_dir = under_way.pop()
    asked = passed_on.pop().close() if passed_on else None
    if asked:
        again = f"the same command {_again(sweep_dir)} goes on"
        print(f"interrupted: the best images so far are in {sweep_dir}; {again}", file=sys.stderr)
        sys.exit(128 + asked)
    missing = _missing(sweep_dir)
    for line in missing:
        print(f"error: {line}", file=sys.stderr)
    again = f"the same command {_again(sweep_dir)} runs what is missing"
    if error is not None:
        if isinstance(error, errors.InputError) or type(error).__module__.startswith(("hydra.", "omegaconf.")):
            raise error
        first = next(iter(str(error).splitlines()), "")
        raise errors.InputError(f"the launcher ended early ({type(error).__name__}: {first}); {again}") from None
    if missing:
        print(f"{len(missing)} cell{'s' * (len(missing) > 1)} failed; {again}", file=sys.stderr)
        sys.exit(2)


def _again(sweep_dir: Path) -> str:
    """What to change in the command, which with force=true would make the finished cells anew."""
    forced = any(re.fullmatch(r"\+*force=(true|yes|on|1)", word, re.IGNORECASE) for word in sys.argv)
    return f"{'without force=true, ' if forced else ''}with hydra.sweep.dir={sweep_dir}"


def _missing(sweep_dir: Path) -> list[str]:
    lines = []
    for run in runs.below(sweep_dir):
        name = run.path.relative_to(sweep_dir)
        if run.failure:  # a finished run too: what came after its end, such as the copy that output= asks for, failed
            lines.append(f"{name} ({run.failure.get('cell', '')}): {run.failure.get('error', '')}")
        elif run.state != "finished":
            lines.append(f"{name} did not finish: its process ended, or is still running")
    return lines
