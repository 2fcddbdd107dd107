"""Kills runs at random instants until they are finished: python kill_many.py KILLS, for each run on
standard input.

That is JSON, {run directory: overrides}. TensorFlow is imported once and each try is a fork, so
that a kill costs less than a run. After every kill, each file left must be whole. Prints JSON: {run
directory: those of the finished runs}."""

import csv
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from stn import config, transfer
from stn.backend import tf

assert tf.float32  # TensorFlow is imported when it is first asked for: here, before the forks


def check_whole(run_dir: Path) -> None:
    """Every file that can be seen is complete; only hidden ones may be half-written."""
    for path in run_dir.rglob("*"):
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".png":
            assert iio.imread(path).ndim == 3
        elif path.suffix == ".npz":
            with np.load(path) as saved:
                assert all(saved[name].size for name in saved.files)
        elif path.suffix == ".csv":
            rows = list(csv.DictReader(path.read_text().splitlines()))
            assert all(None not in row.values() for row in rows)
            assert [int(row["evaluation"]) for row in rows] == list(range(len(rows)))
            assert path.read_text().endswith("\n")
        else:
            raise AssertionError(f"an unexpected file: {path}")


def kill(
    kills: int, run_dir: Path, overrides: list[str], generator: random.Random, longest: float
) -> tuple[list[str], float]:
    """Kill a run so often, within the seconds of the `longest`; gives the directories of those that
    ended, and the longest now. Where none is known, the first is left alone.
    """
    settings = config.compose(*overrides)
    base, killed, finished = run_dir, 0, []
    while killed < kills or not (run_dir / "summary.json").exists():
        if (run_dir / "summary.json").exists():
            finished.append(str(run_dir))
            run_dir = base.with_name(f"{base.name}-{len(finished)}")
        started, child = time.monotonic(), os.fork()
        if child == 0:
            transfer.run(settings, run_dir)
            os._exit(0)
        if killed < kills and longest:
            time.sleep(generator.uniform(0, longest))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        check_whole(run_dir)
        if not os.WIFSIGNALED(status):
            longest = max(longest, time.monotonic() - started)
    assert killed == kills
    return [*finished, str(run_dir)], longest


if __name__ == "__main__":
    found, generator, longest = {}, random.Random(0), 0.0
    for path, own in json.load(sys.stdin).items():
        found[path], longest = kill(int(sys.argv[1]), Path(path), own, generator, longest)
    print(json.dumps(found))
