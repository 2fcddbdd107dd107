"""What is to be known of a GPU, in at most eight minutes: python scripts/check_gpu.py [KEY=VALUE …]

Writes results/gpu.md: agreement with the CPU in loss and gradient, seconds an evaluation and how
many of them are the host's. Also whether two processes give the same bytes, and our losses over
those that the authors printed. Settings are those of scripts/stylize.py. --device cpu tries the
script itself where there is no GPU.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from stn import command_line, config, devices, files
from stn.analysis import tables
from stn.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
SIZES = ("384x512", "768x1024", "1536x2048")  # height × width
SETTINGS = ("preset=gatys_released", "network=vgg19_q8", "optimizer=spectral_lbfgs", "tracking=off")
PICTURES = ("content=astronaut", "style.path=skimage:coffee.png")
CURVE = Path("outputs/experiments/authors_curve/table.md")  # which its experiment leaves


def main() -> None:
    parser = command_line.parser(__doc__)
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="for all measurements")
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="height x width, as in 384x512")
    parser.add_argument("--evaluations", type=command_line.whole, default=20, help="timed ones")
    parser.add_argument(
        "--curve",
        type=lambda text: command_line.whole(text, 0),
        default=500,
        help="evaluations of experiments/authors_curve.py (scripts/fetch.py images); 0: none",
    )
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--worker", metavar="FILE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for size in arguments.sizes:
        if not re.fullmatch(r"\d+x\d+", size):
            raise InputError(f"--sizes {size}: must be height x width, such as 384x512")
    if arguments.worker:
        work(arguments)
        return
    began = time.monotonic()
    if arguments.device == "gpu" and not devices.visible():
        raise InputError(
            "scripts/check_gpu.py: there is no GPU (nvidia-smi lists none); --device cpu tries the"
            " script itself"
        )
    rows = [["what", "size", "found"]]
    with tempfile.TemporaryDirectory() as folder:
        rows += compared(arguments, Path(folder))
    if arguments.curve:
        rows += curve(arguments)
    rows.append(["all of this", "", f"{(time.monotonic() - began) / 60:.1f} min"])
    arguments.out.mkdir(parents=True, exist_ok=True)
    written = arguments.out / f"{arguments.device}.md"
    command = " ".join(["python", "scripts/check_gpu.py", *sys.argv[1:]])
    files.write_text(written, f"`{command}`\n\n{tables.markdown(rows)}")
    print(written)


def compared(arguments: argparse.Namespace, folder: Path) -> list[list[str]]:
    """The rows of what a process on the device finds beside one on the CPU, and one more like
    it.
    """
    rows: list[list[str]] = []
    for number, size in enumerate(arguments.sizes):
        here = measured(arguments, size, arguments.device, folder)
        if number == 0:
            rows.append(["device", "", json.dumps(here["device"]) if here["device"] else "CPU"])
            cpu = measured(arguments, size, "cpu", folder)
            again = measured(arguments, size, arguments.device, folder)
            rows += [
                ["loss, relative to the CPU's", size, f"{here['loss'] / cpu['loss'] - 1:.1e}"],
                [
                    "gradient, relative norm of the difference",
                    size,
                    f"{relative(here['gradient'], cpu['gradient']):.1e}",
                ],
                [
                    "two processes, picture",
                    size,
                    "the same bytes" if here["picture"] == again["picture"] else "other bytes",
                ],
            ]
        share = here["host_s"] / (here["host_s"] + here["evaluation_s"])
        rows += [
            ["first evaluation", size, f"{here['first_s']:.2f} s"],
            ["an evaluation", size, f"{here['evaluation_s']:.4f} s"],
            ["the optimizer, on the host", size, f"{here['host_s']:.4f} s, {share:.0%}"],
            ["peak of the device's memory", size, f"{here['peak_bytes'] / 2**20:.0f} MiB"],
        ]
    return rows


def relative(found: Any, reference: Any) -> float:
    return float(np.linalg.norm(found - reference) / np.linalg.norm(reference))


def measured(arguments: argparse.Namespace, size: str, device: str, folder: Path) -> dict[str, Any]:
    """What `work` finds, in a process of its own; on the CPU no GPU is shown to it."""
    answer = folder / f"{size}.json"
    command = [
        *(sys.executable, __file__, *arguments.settings, "--sizes", size),
        *("--evaluations", str(arguments.evaluations), "--worker", str(answer)),
    ]
    hidden = {"CUDA_VISIBLE_DEVICES": "-1"} if device == "cpu" else {}
    done = subprocess.run(command, env=os.environ | hidden, check=False)
    if done.returncode:
        raise InputError(f"{' '.join(command[1:])}: ended with {done.returncode}")
    found: dict[str, Any] = json.loads(answer.read_text())
    return found | {"gradient": np.load(answer.with_suffix(".npy"))}


def work(arguments: argparse.Namespace) -> None:
    """One size on the device that TensorFlow takes: loss, gradient, times and the picture."""
    from stn import optimize, transfer
    from stn.assets import pictures
    from stn.backend import tf
    from stn.objective import objective
    from stn.transfer import story

    height, width = map(int, arguments.sizes[0].split("x"))
    shape = f"image.shape=[{height},{width}]"
    settings = config.compose(
        *(*SETTINGS, *PICTURES, *arguments.settings, shape),
        f"optimizer.max_evaluations={arguments.evaluations + 1}",
    )
    devices.use_precision(settings.network.precision)
    network, sized = transfer.network_of(settings), pictures.read(settings).at(1.0)
    loss = objective.build(story.objective_of(settings), network, sized)
    assert sized.content is not None
    noise = np.random.default_rng(0).normal(0, 20, (1, height, width, 3))
    image = (network.image(sized.content) + noise).astype(np.float32)
    began = time.perf_counter()
    terms, gradient = loss.value_and_grad(image)
    first_s = time.perf_counter() - began
    calls: list[float] = []

    def timed(image: np.ndarray) -> Any:
        began = time.perf_counter()
        found = loss.value_and_grad(image)
        calls.append(time.perf_counter() - began)
        return found

    began = time.perf_counter()
    problem = optimize.Problem(timed, limits=network.limits)
    state = optimize.State(image.astype(np.float64))
    outcome = optimize.minimize(problem, state, settings.optimizer)
    whole = time.perf_counter() - began
    answer = Path(arguments.worker)
    np.save(answer.with_suffix(".npy"), np.asarray(gradient).reshape(-1))
    name = "GPU:0" if devices.gpus() else "CPU:0"
    found = {
        "device": devices.describe(),
        "loss": terms.total,
        "first_s": first_s,
        "evaluation_s": float(np.median(calls)),
        "host_s": (whole - sum(calls)) / len(calls),
        "picture": hashlib.sha256(np.asarray(outcome.image).tobytes()).hexdigest(),
        "peak_bytes": tf.config.experimental.get_memory_info(name)["peak"],
    }
    answer.write_text(json.dumps(found))


def curve(arguments: argparse.Namespace) -> list[list[str]]:
    """The rows of our total losses over those that the authors' programs printed."""
    command = [
        *(sys.executable, str(ROOT / "experiments" / "authors_curve.py"), *arguments.settings),
        *(f"optimizer.max_evaluations={arguments.curve}", "tracking=off"),
    ]
    subprocess.run(command, check=True)
    return totals(CURVE.read_text())


def totals(table: str) -> list[list[str]]:
    """Of the experiment's table, the last total of each program."""
    last = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[2] == "loss/total":
            last[cells[0]] = ["ours over what the authors printed", cells[0], cells[5]]
    return list(last.values())


if __name__ == "__main__":
    command_line.run_command(main)
