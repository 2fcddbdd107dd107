"""The runs of a figure that are missing, computed in one multirun of scripts/stylize.py."""

import contextlib
import json
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from stn import config, errors, files, runs
from stn.config.overrides import quote
from stn.errors import InputError
from stn.sweeps import cells

SCRIPT = config.CONFIG_DIR.parent / "scripts" / "stylize.py"
# the composed settings of the cells, in the experiment's directory, where Hydra finds them
CELLS = ".cells"


def compute(
    experiment: str,
    folder: Path,
    settings: Mapping[str, config.Config],
    shared: Sequence[str],
    hydras: Sequence[str],
) -> None:
    """Compute the cells that are missing.

    `settings` are those of every cell, by its directory. A cell whose search for a measure's value
    ended without it is left as it is."""
    missing = _unfinished(folder, settings)
    others = sum(Path(each).is_absolute() for each in settings)
    there = f"{len(settings) - len(missing)} of {len(settings)} runs are there"
    print(
        f"{experiment}: {there}{f', {others} from other experiments' * bool(others)}",
        file=sys.stderr,
    )
    for directory in missing:
        _write_cell(
            folder / CELLS / cells.EXPERIMENTS / f"{directory}.yaml", settings[directory], shared
        )
    if missing:
        _multirun(folder, missing, hydras)


def _unfinished(folder: Path, directories: Iterable[str]) -> list[str]:
    found = {each: runs.Run(folder / each) for each in directories}
    return [each for each, run in found.items() if run.state != "finished" and not unreached(run)]


def unreached(run: runs.Run) -> bool:
    """Whether the run's search for a measure's value ended without it, as it would again."""
    return run.state == "failed" and run.failure.get("type") == errors.NotReached.__name__


def _write_cell(path: Path, settings: config.Config, shared: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # JSON is YAML; a cell holds every setting, so that nothing it is merged into shows through.
    text = json.dumps(config.to_dict(settings), indent=2)
    files.write_text(path, f"# @package _global_\n# A cell of: {shlex.join(shared)}\n{text}\n")


def _multirun(folder: Path, directories: Sequence[str], hydras: Sequence[str]) -> None:
    """Compute these cells in one multirun, which handles Ctrl-C so that the current run is kept.

    Raises Interrupted after a signal, and InputError if some cells failed or are another
    process's."""
    command = [
        *(sys.executable, str(SCRIPT), "-m"),
        f"hydra.searchpath=[{quote(f'file://{folder / CELLS}')}]",
        f"hydra.sweep.dir={quote(str(folder))}",
        *hydras,
        f"+{cells.EXPERIMENTS}={','.join(directories)}",
    ]
    with subprocess.Popen(command) as process, _signals_left_to(process):
        code = process.wait()
    unfinished = _unfinished(folder, directories)
    if unfinished and code in (128 + signal.SIGINT, 128 + signal.SIGTERM):
        raise errors.Interrupted("interrupted; the same command resumes there", code)
    if unfinished:
        raise InputError(
            f"{len(unfinished)} of {len(directories)} runs did not finish"
            f" ({', '.join(unfinished[:3])}{', …' if len(unfinished) > 3 else ''}); the same"
            " command resumes there"
        )


@contextlib.contextmanager
def _signals_left_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """For the time of the block signals end the multirun and not this process, which waits for it.

    A terminal sends Ctrl-C to both; SIGTERM is passed on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.terminate()),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
