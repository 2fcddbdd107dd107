"""Kills a run at random instants until it is finished, and counts: python kill_many.py KILLS SECONDS RUN_DIR OVERRIDE …

TensorFlow is imported once and each try is a fork, so that a kill costs about a second. After every kill, each file
left must be whole. Prints a line of JSON: kills, the finished runs' directories.
"""

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


def main() -> None:
    kills, longest, run_dir = int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
    settings = config.compose(*sys.argv[4:])
    generator = random.Random(0)
    base, killed, finished = run_dir.name, 0, []
    while killed < kills or not (run_dir / "summary.json").exists():
        if (run_dir / "summary.json").exists():
            finished.append(str(run_dir))
            run_dir = run_dir.with_name(f"{base}-{len(finished)}")
        child = os.fork()
        if child == 0:
            transfer.run(settings, run_dir)
            os._exit(0)
        if killed < kills:
            time.sleep(generator.uniform(0, longest))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        check_whole(run_dir)
    print(json.dumps({"killed": killed, "finished": [*finished, str(run_dir)]}))


if __name__ == "__main__":
    main()
