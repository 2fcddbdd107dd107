"""Measure speed and memory next to PyTorch on this machine: python scripts/benchmark.py (pip
install -e '.[bench]').

Writes into benchmark.md, benchmark.png and benchmark.json of --out. Every program is a process of
its own that keeps its objective ready, and they evaluate in turns, so that what else the machine
does falls on all alike."""

import argparse
import dataclasses
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import benchmark_report
import benchmark_worker
from tqdm import tqdm

from stn import assets, command_line, errors, machine
from stn.assets import foreign, matconvnet, weights
from stn.layers import FILTERS

SIZES = ("256x256", "384x512", "512x512", "768x1024", "1024x1024", "1536x2048")  # height × width
DEFAULT = ("ours", "ours_direct", "torch_nchw", "torch_channels_last")
WORKER = Path(__file__).with_name("benchmark_worker.py")
START = (
    *("preset=gatys_released", "image.size_px=256", "optimizer.max_evaluations=1"),
    *("content=astronaut", "style.path=skimage:coffee.png"),
)


def main() -> None:
    parser = command_line.parser(__doc__)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="height x width, such as 384x512")
    parser.add_argument(
        "--repetitions",
        type=command_line.whole,
        default=3,
        help="rounds; medians are over all their evaluations",
    )
    parser.add_argument(
        "--evaluations", type=command_line.whole, default=3, help="of each program in a round"
    )
    parser.add_argument("--programs", nargs="+", default=DEFAULT, choices=benchmark_report.PROGRAMS)
    parser.add_argument(
        "--network",
        help=(
            "the network measured on, such as vgg19_q8 (scripts/fetch.py); without, VGG-19's shapes"
        ),
    )
    parser.add_argument("--sweep-runs", type=int, default=16, help="0: no sweep is timed")
    parser.add_argument(
        "--starts",
        type=int,
        default=3,
        help="whole processes with one evaluation; 0: none is timed",
    )
    parser.add_argument("--out", type=Path, default=Path("docs/science"))
    arguments = parser.parse_args()
    if any(program.startswith("torch") for program in arguments.programs):
        try:
            import torch  # noqa: F401
        except ImportError as error:
            raise errors.InputError(
                "scripts/benchmark.py: PyTorch is missing; pip install -e '.[bench]'"
            ) from error
    for size in arguments.sizes:
        if [part.isdecimal() for part in size.split("x")] != [True, True]:
            raise errors.InputError(f"--sizes {size}: must be height x width, such as 384x512")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(arguments, Path(folder))
    for runs in found["sizes"].values():
        benchmark_report.compare(runs)
    arguments.out.mkdir(parents=True, exist_ok=True)
    benchmark_report.write(found, arguments.out / "benchmark.md")
    benchmark_report.plot(found, arguments.out / "benchmark.png")
    (arguments.out / "benchmark.json").write_text(json.dumps(found, indent=1) + "\n")
    print(arguments.out / "benchmark.md")


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Everything, as plain numbers."""
    if arguments.network:
        file = assets.locate_weights(arguments.network)
    else:
        file = folder / "vgg19.mat"
        matconvnet.write(file, random_vgg19(FILTERS))
    found: dict[str, Any] = {
        "command": " ".join(["python", "scripts/benchmark.py", *sys.argv[1:]]),
        "processor": machine.processor(),
        "cores": machine.cores(),
    }
    found["network"] = (
        f"`{arguments.network}`" if arguments.network else "VGG-19's shapes with random weights"
    )
    found["load_s"] = [benchmark_worker.timed(lambda: matconvnet.load(file)) for _ in range(4)]
    found["depth"] = matconvnet.load(file).depth
    found["sizes"] = {}
    with tqdm(
        total=len(arguments.sizes) * arguments.repetitions, unit="round", disable=None
    ) as bar:
        for size in arguments.sizes:
            workers = {program: Worker(program, size, file) for program in arguments.programs}
            for _ in range(arguments.repetitions):
                for worker in workers.values():
                    worker.evaluate(arguments.evaluations)
                bar.update()
            found["sizes"][size] = {program: worker.end() for program, worker in workers.items()}
    if arguments.sweep_runs:
        found["sweep"] = sweep(folder, arguments.sweep_runs)
    if arguments.starts:
        found["start_command"] = " ".join(["python", "scripts/stylize.py", *START])
        found["start_s"] = starts(folder, file, arguments.starts)
    return found


class Worker:
    """One program in a process of its own."""

    def __init__(self, program: str, size: str, file: Path) -> None:
        command = [sys.executable, str(WORKER), program, size, str(file)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.found = self._answer()
        self.found["seconds"] = []

    def evaluate(self, count: int) -> None:
        self._ask(f"evaluate {count}")
        self.found["seconds"] += self._answer()

    def end(self) -> dict[str, Any]:
        self._ask("end")
        self.found |= self._answer()
        self._process.wait()
        return self.found

    def _ask(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            command = " ".join(map(str, cast(Sequence[str], self._process.args)))
            raise errors.InputError(f"{command}: ended before its measurement was done")
        return json.loads(line)


def sweep(folder: Path, runs: int) -> dict[str, float]:
    """A sweep at 64 px by Hydra's own launcher: wall seconds, and those spent in their
    evaluations.
    """
    narrow = folder / "narrow.mat"
    matconvnet.write(narrow, random_vgg19((8,) * len(FILTERS)))
    command = [
        sys.executable,
        str(Path(__file__).with_name("stylize.py")),
        "-m",
        f"network.weights={narrow}",
    ]
    command += [
        "image.size_px=64",
        "optimizer.max_evaluations=10",
        "tracking=off",
        "content=astronaut",
    ]
    command += [
        "style.path=skimage:coffee.png",
        f"hydra.sweep.dir={folder / 'sweep'}",
        f"seed=range(0,{runs})",
        "init=noise",
    ]
    wall = benchmark_worker.timed(lambda: subprocess.run(command, check=True, capture_output=True))
    times = sorted(path.stat().st_mtime for path in (folder / "sweep").glob("*/summary.json"))
    inside = [
        json.loads(path.read_text())["seconds"]
        for path in (folder / "sweep").glob("*/summary.json")
    ]
    between = [later - earlier for earlier, later in pairwise(times)]
    return {
        "wall_s": wall,
        "runs": len(inside),
        "a_run_s": statistics.median(between),
        "evaluations_s": statistics.median(inside),
    }


def starts(folder: Path, file: Path, rounds: int) -> dict[str, list[dict[str, float]]]:
    """CPU seconds, user and system, and wall seconds of processes: TensorFlow's import, and a
    command that paints.
    """
    painting = [str(Path(__file__).with_name("stylize.py")), *START, f"network.weights={file}"]
    commands = {"import": ["-c", "import tensorflow"], "image": painting}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            place = [f"hydra.run.dir={folder / f'start{number}'}"] if name == "image" else []
            process, before = (
                [sys.executable, *command, *place],
                resource.getrusage(resource.RUSAGE_CHILDREN),
            )
            wall = benchmark_worker.timed(
                lambda process=process: subprocess.run(process, check=True, capture_output=True)
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
            found[name].append({"cpu": cpu, "wall": wall})
    return found


def random_vgg19(filters: Sequence[int]) -> weights.Weights:
    """VGG-19's shapes up to LAST with random kernels, since an evaluation's cost does not depend on
    them.
    """
    whole = foreign.random(19, 0, filters)
    end = 1 + [layer.name for layer in whole.layers].index(benchmark_worker.LAST)
    return dataclasses.replace(whole, layers=whole.layers[:end])


if __name__ == "__main__":
    command_line.run_command(main)
