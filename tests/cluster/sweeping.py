"""A small sweep that an engine disturbs: started, watched, and held against runs that nothing
disturbed.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from conftest import SCRIPT, metrics

CELLS, EVALUATIONS = 3, 5000


class Sweep:
    """scripts/stylize.py -m over CELLS seeds with a launcher; the same command each time."""

    def __init__(self, folder: Path, small: tuple[str, ...], launcher: str) -> None:
        self.dir, self._log, self._small = folder / "sweep", folder / "log", small
        # Adam with a checkpoint a second: every instant is one to be killed at, and some seconds of
        # work a cell.
        self.settings = ("init=noise", "optimizer=adam", f"optimizer.max_evaluations={EVALUATIONS}")
        self.settings += ("tracking.checkpoint_seconds=1", "tracking.progress_every=0")
        seeds = ",".join(str(seed) for seed in range(CELLS))
        self.overrides: tuple[str, ...] = (
            f"hydra/launcher={launcher}",
            f"seed={seeds}",
            f"hydra.sweep.dir={self.dir}",
        )
        self.process: subprocess.Popen[bytes] | None = None
        self._begun: dict[Path, set[str]] = {}

    def start(self, environment: dict[str, str]) -> None:
        """Start the command, or start it again."""
        command = [sys.executable, str(SCRIPT), "-m", *self._small, *self.settings, *self.overrides]
        with self._log.open("wb") as log:
            options = {
                "stdin": subprocess.DEVNULL,
                "stdout": log,
                "stderr": log,
                "env": environment,
            }
            self.process = subprocess.Popen(command, cwd=self.dir.parent, **options)

    def wait(self, seconds: float = 400) -> int:
        """The exit code, once the command has ended."""
        assert self.process is not None
        until(lambda: self.process is not None and self.process.poll() is not None, self, seconds)
        return self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def log(self) -> str:
        """What the command printed, last."""
        return self._log.read_text(errors="replace")

    def at_work(self) -> list[Path]:
        """The run directories that have a checkpoint and no end yet."""
        self._note_starts()
        found = [path.parent for path in self.dir.glob("*/checkpoint.npz")]
        return [run_dir for run_dir in found if not (run_dir / "summary.json").exists()]

    def finished(self) -> list[Path]:
        """The run directories that came to their end."""
        return [path.parent for path in self.dir.glob("*/summary.json")]

    def begun(self, run_dir: Path) -> int:
        """How often this cell was seen to begin or to go on."""
        self._note_starts()
        return len(self._begun[run_dir])

    def check_finished(self) -> None:
        """Every cell is there and whole, and none is marked as failed."""
        for seed in range(CELLS):
            run_dir = self.dir / f"seed={seed}"
            summary = json.loads((run_dir / "summary.json").read_text())
            assert summary["evaluations"] == len(metrics(run_dir)["evaluation"]) == EVALUATIONS
            assert (run_dir / "image.png").is_file()
            assert not (run_dir / "failed.json").exists()

    def check_same_bytes(self, run_dir: Path) -> None:
        """The cell that lost its process has the picture of a single run that nothing happened
        to.
        """
        other = self.dir.parent / "undisturbed"
        overrides = (*self._small, *self.settings, run_dir.name, f"hydra.run.dir={other}")
        subprocess.run(
            [sys.executable, str(SCRIPT), *overrides],
            check=True,
            capture_output=True,
            env=os.environ,
        )
        assert (run_dir / "image.png").read_bytes() == (other / "image.png").read_bytes()

    def _note_starts(self) -> None:
        for path in self.dir.glob("*/provenance.json"):
            self._begun.setdefault(path.parent, set()).add(json.loads(path.read_text())["started"])


def until(true: Callable[[], bool], sweep: Sweep, seconds: float = 300) -> None:
    """Wait for an engine to get there."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, sweep.log()
        sweep.at_work()
        time.sleep(0.2)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
