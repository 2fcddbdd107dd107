"""Measure speed and memory beside PyTorch on this machine: python scripts/benchmark.py (pip install -e '.[bench]').

Writes benchmark.md, benchmark.png and benchmark.json into --out. Every program is a process of its own that keeps its
objective ready, and they evaluate in turns, so that what else the machine does falls on all alike.
"""

import argparse
import dataclasses
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

from stn import assets, config, errors, images, matconvnet, resizing, weights

SIZES = ("256x256", "384x512", "512x512", "768x1024", "1024x1024", "1536x2048")  # height × width
PROGRAMS = {
    "ours": "stn, Winograd (`auto` on processors)",
    "ours_direct": "stn, `network.convolution=direct`",
    "ours_recompute": "stn, `network.recompute=true`",
    "torch_nchw": "PyTorch, NCHW (as neural-style-pt)",
    "torch_channels_last": "PyTorch, channels last",
}
DEFAULT = ("ours", "ours_direct", "torch_nchw", "torch_channels_last")
# Gatys et al. 2016, sections 2 and 3, at α/β = 1e-3: the layers of every figure there.
CONTENT_LAYER, STYLE_LAYERS, ALPHA, BETA = "relu4_2", ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"), 1.0, 1e3
CHANNELS = {1: 64, 2: 128, 3: 256, 4: 512, 5: 512}  # Simonyan & Zisserman 2015, table 1
LARGEST_FOR_BOOKKEEPING = 1024 * 1024  # pixels; SciPy's takes minutes beyond, and its share is the same
START = (
    *("preset=gatys_released", "image.size_px=256", "optimizer.max_evaluations=1"),
    *("content=astronaut", "style.path=skimage:coffee.png"),
)
LAST = "conv5_1"  # nothing above it is computed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="height x width, such as 384x512")
    parser.add_argument(
        "--repetitions", type=errors.whole, default=3, help="rounds; medians are over all their evaluations"
    )
    parser.add_argument("--evaluations", type=errors.whole, default=3, help="of each program in a round")
    parser.add_argument("--programs", nargs="+", default=DEFAULT, choices=PROGRAMS)
    parser.add_argument(
        "--network", help="the network measured on, such as vgg19_q8 (scripts/fetch.py); without, VGG-19's shapes"
    )
    parser.add_argument("--sweep-runs", type=int, default=16, help="0: no sweep is timed")
    parser.add_argument("--starts", type=int, default=3, help="whole processes with one evaluation; 0: none is timed")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    parser.add_argument("--worker", nargs=3, metavar=("PROGRAM", "SIZE", "WEIGHTS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(*arguments.worker)
        return
    if any(program.startswith("torch") for program in arguments.programs):
        try:
            import torch  # noqa: F401
        except ImportError as error:
            raise errors.InputError("scripts/benchmark.py: PyTorch is missing; pip install -e '.[bench]'") from error
    for size in arguments.sizes:
        if [part.isdecimal() for part in size.split("x")] != [True, True]:
            raise errors.InputError(f"--sizes {size}: must be height x width, such as 384x512")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(arguments, Path(folder))
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "benchmark.md").write_text(report(found))
    plot(found, arguments.out / "benchmark.png")
    for runs in found["sizes"].values():
        for run in runs.values():
            del run["gradient"]  # the table says how far they agree
    (arguments.out / "benchmark.json").write_text(json.dumps(found, indent=1) + "\n")
    print(arguments.out / "benchmark.md")


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Everything, as plain numbers."""
    if arguments.network:
        file = assets.locate_weights(arguments.network)
    else:
        file = folder / "vgg19.mat"
        matconvnet.write(file, random_vgg19())
    found: dict[str, Any] = {"command": " ".join(["python", "scripts/benchmark.py", *sys.argv[1:]]), **machine()}
    found["network"] = f"`{arguments.network}`" if arguments.network else "VGG-19's shapes with random weights"
    found["load_s"] = [timed(lambda: matconvnet.load(file)) for _ in range(4)]
    found["depth"] = matconvnet.load(file).depth
    found["sizes"] = {}
    with tqdm(total=len(arguments.sizes) * arguments.repetitions, unit="round", disable=None) as bar:
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
        found["start_s"] = starts(folder, file, arguments.starts)
    return found


class Worker:
    """One program in a process of its own."""

    def __init__(self, program: str, size: str, file: Path) -> None:
        command = [sys.executable, __file__, "--worker", program, size, str(file)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
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
            raise errors.InputError(f"{' '.join(map(str, self._process.args))}: ended before its measurement was done")  # type: ignore[arg-type]
        return json.loads(line)


def work(program: str, size: str, file: str) -> None:
    """A worker's life: set up, evaluate once, then whatever is asked for on standard input."""
    began = time.perf_counter()
    height, width = map(int, size.split("x"))
    make = ours if program.startswith("ours") else torch_program
    evaluate, extra = make(program, matconvnet.load(Path(file)), height, width)
    value, gradient = evaluate()
    # The gradient is compared on a sample; its norm is of the whole.
    sample = np.ascontiguousarray(gradient).reshape(-1)[:: max(1, gradient.size // 5000)]
    say({"first_s": time.perf_counter() - began, "value": value, "gradient": sample.tolist()})
    for line in sys.stdin:
        if line.startswith("end"):
            break
        say([timed(evaluate) for _ in range(int(line.split()[1]))])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    say({"peak_bytes": peak} | extra())


def pictures(height: int, width: int, mean_pixel: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Content, style and the image evaluated, which is neither, [1, h, w, 3]: scikit-image's photographs and noise."""
    content, style = (
        images.to_network(resizing.resize(images.read(images.sample_path("skimage", name)), height, width), mean_pixel)
        for name in ("chelsea.png", "coffee.png")
    )
    noise = np.random.default_rng(0).normal(0, 20, content.shape)
    return content, style, (content + noise).astype(np.float32)


def ours(program: str, network: weights.Weights, height: int, width: int) -> Any:
    from stn import objective, optimize, vgg

    content, style, image = pictures(height, width, network.mean_pixel)

    kernels = vgg.kernels(network, "direct" if program == "ours_direct" else "winograd")
    form = objective.Form((CONTENT_LAYER,), STYLE_LAYERS, "avg", "half_sum", "m", "sum_over_4n2", "none")
    form = dataclasses.replace(form, recompute=program == "ours_recompute")
    share = 1 / len(STYLE_LAYERS)
    scale = objective.Scale(ALPHA, BETA, (1.0,), (share,) * len(STYLE_LAYERS))

    def build() -> Any:
        return objective.Objective(kernels, form, scale, objective.targets(kernels, form, content, style))

    loss = build()

    def evaluate() -> tuple[float, np.ndarray]:
        terms, gradient = loss.value_and_grad(image)
        return terms.total, gradient

    def extra() -> dict[str, Any]:
        """What only ours has: bookkeeping of the optimizers, and how soon a second run of the shape is ready."""
        curvature = np.random.default_rng(1).uniform(1, 100, image.shape)
        calls: list[tuple[float, float]] = []

        def bowl(x: np.ndarray) -> tuple[objective.Terms, np.ndarray]:
            began = time.perf_counter()
            gradient = curvature * x
            value = objective.Terms(0.5 * float(np.vdot(gradient, x)), 0.0, 0.0, 0.0, {})
            calls.append((began, time.perf_counter()))
            return value, gradient

        if height * width > LARGEST_FOR_BOOKKEEPING:
            return {"again_s": timed(lambda: build())}
        bookkeeping = {}
        limits = (-np.full(3, 130.0), np.full(3, 130.0))
        for name in ("lbfgs", "torch_lbfgs", "spectral_lbfgs", "adam"):
            own = config.compose(f"optimizer={name}").optimizer
            for bounds in (False, True) if name == "lbfgs" else (own.bounds,):
                settings = dataclasses.replace(own, max_evaluations=own.history + 20, bounds=bounds)
                calls.clear()
                state = optimize.State(image.astype(np.float64))
                optimize.minimize(bowl, state, settings, lambda *_: None, limits=limits)
                # From the end of an evaluation to the beginning of the next, with a full memory.
                between = [later - ended for (_, ended), (later, _) in pairwise(calls[own.history + 2 :])]
                label = f"{name}{', bounds' * (bounds and name == 'lbfgs')}, history {own.history}"
                bookkeeping[label if name != "adam" else name] = statistics.median(between)
        return {"bookkeeping_s": bookkeeping, "again_s": timed(lambda: build())}

    return evaluate, extra


def torch_program(program: str, network: weights.Weights, height: int, width: int) -> Any:
    """The same objective as the PyTorch programs write it: modules' functions, autograd, a loss at each layer."""
    import torch
    import torch.nn.functional as F

    content, style, image = pictures(height, width, network.mean_pixel)
    layout = torch.channels_last if program == "torch_channels_last" else torch.contiguous_format
    layers = [
        (
            layer.name,
            torch.tensor(layer.kernel.transpose(3, 2, 0, 1)).contiguous(memory_format=layout),
            torch.tensor(layer.bias),
        )
        for layer in network.layers
    ]

    def features(x: Any) -> dict[str, Any]:
        found = {}
        for name, kernel, bias in layers:
            if name.endswith("_1") and name != "conv1_1":
                x = F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
            x = F.relu(F.conv2d(x, kernel, bias, padding=1))
            found[name.replace("conv", "relu")] = x
            if name == LAST:
                break
        return found

    def gram(f: Any) -> Any:
        if program == "torch_channels_last":
            f = f.permute(0, 2, 3, 1).reshape(-1, f.shape[1])
            return f.T @ f / len(f)
        f = f.reshape(f.shape[1], -1)
        return f @ f.T / f.shape[1]

    def tensor(x: np.ndarray) -> Any:
        return torch.tensor(x.transpose(0, 3, 1, 2)).contiguous(memory_format=layout)

    with torch.no_grad():
        P = features(tensor(content))[CONTENT_LAYER]
        A = {layer: gram(f) for layer, f in features(tensor(style)).items() if layer in STYLE_LAYERS}
    start = tensor(image)

    def evaluate() -> tuple[float, np.ndarray]:
        x = start.detach().requires_grad_(True)
        f = features(x)
        loss = ALPHA * 0.5 * ((f[CONTENT_LAYER] - P) ** 2).sum()
        for layer in STYLE_LAYERS:
            N = f[layer].shape[1]
            loss = loss + BETA / len(STYLE_LAYERS) * ((gram(f[layer]) - A[layer]) ** 2).sum() / (4 * N**2)
        loss.backward()
        return loss.item(), x.grad.permute(0, 2, 3, 1).double().numpy()

    def extra() -> dict[str, Any]:
        a = torch.randn(2048, 2048)
        return {"matmul_flops": max(2 * 2048**3 / timed(lambda: a @ a) for _ in range(10))}

    return evaluate, extra


def sweep(folder: Path, runs: int) -> dict[str, float]:
    """A sweep at 64 px by Hydra's own launcher: wall seconds, and those spent in their evaluations."""
    narrow = folder / "narrow.mat"
    matconvnet.write(narrow, random_vgg19(channels=dict.fromkeys(CHANNELS, 8)))
    command = [sys.executable, str(Path(__file__).with_name("stylize.py")), "-m", f"network.weights={narrow}"]
    command += ["image.size_px=64", "optimizer.max_evaluations=10", "tracking=off", "content=astronaut"]
    command += [
        "style.path=skimage:coffee.png",
        f"hydra.sweep.dir={folder / 'sweep'}",
        f"seed=range(0,{runs})",
        "init=noise",
    ]
    wall = timed(lambda: subprocess.run(command, check=True, capture_output=True))
    times = sorted(path.stat().st_mtime for path in (folder / "sweep").glob("*/summary.json"))
    inside = [json.loads(path.read_text())["seconds"] for path in (folder / "sweep").glob("*/summary.json")]
    between = [later - earlier for earlier, later in pairwise(times)]
    return {
        "wall_s": wall,
        "runs": len(inside),
        "a_run_s": statistics.median(between),
        "evaluations_s": statistics.median(inside),
    }


def starts(folder: Path, file: Path, rounds: int) -> dict[str, list[dict[str, float]]]:
    """CPU seconds, user and system, and wall seconds of processes: TensorFlow's import, and a command that paints."""
    painting = [str(Path(__file__).with_name("stylize.py")), *START, f"network.weights={file}"]
    commands = {"import": ["-c", "import tensorflow"], "image": painting}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            place = [f"hydra.run.dir={folder / f'start{number}'}"] if name == "image" else []
            process, before = [sys.executable, *command, *place], resource.getrusage(resource.RUSAGE_CHILDREN)
            wall = timed(lambda process=process: subprocess.run(process, check=True, capture_output=True))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
            found[name].append({"cpu": cpu, "wall": wall})
    return found


def random_vgg19(channels: dict[int, int] = CHANNELS) -> weights.Weights:
    """VGG-19's shapes up to LAST; random weights of He's scale, since an evaluation's cost does not depend on them."""
    rng = np.random.default_rng(0)
    layers, inputs = [], 3
    for block, count in enumerate(weights.CONVS_PER_BLOCK[19], 1):
        for index in range(1, count + 1):
            N = channels[block]
            kernel = rng.normal(0, (2 / (9 * inputs)) ** 0.5, (3, 3, inputs, N)).astype(np.float32)
            layers.append(weights.Layer(f"conv{block}_{index}", kernel, np.zeros(N, np.float32)))
            inputs = N
            if layers[-1].name == LAST:
                return weights.Weights(tuple(layers), np.array(weights.IMAGENET_MEAN, np.float32))
    raise AssertionError(LAST)


def direct_flops(size: str, depth: int) -> float:
    """Multiplications and additions of value and gradient by direct convolutions: each layer forward and backward."""
    height, width = map(int, size.split("x"))
    total, inputs = 0.0, 3
    for block, count in enumerate(weights.CONVS_PER_BLOCK[depth], 1):
        for index in range(1, count + 1):
            total += 2 * 2 * 9 * inputs * CHANNELS[block] * height * width
            inputs = CHANNELS[block]
            if f"conv{block}_{index}" == LAST:
                return total
        height, width = -(-height // 2), -(-width // 2)
    raise AssertionError(LAST)


def machine() -> dict[str, Any]:
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def report(found: dict[str, Any]) -> str:
    """benchmark.md."""
    measured = found["sizes"]
    flops = max((run.get("matmul_flops", 0.0) for runs in measured.values() for run in runs.values()), default=0.0)
    lines = [
        "# Benchmark",
        "",
        f"`{found['command']}` on {found['cores']} cores of {found['processor']}.",
        f"Value and gradient of the objective of Gatys et al. 2016 (relu4_2; relu1_1 … relu5_1) on {found['network']},",
        "float32. All programs of a size evaluated in turns in one run. Seconds are the median, then",
        "the least and the most; memory is the peak of the process, libraries included. Against products: operations",
        f"of direct convolutions over {flops / 1e9:.0f} GFLOP/s, PyTorch's best product of 2048 × 2048 matrices here,",
        "which is no limit: TensorFlow's direct convolutions are up to twice as fast.",
        "",
        "| height × width | program | s an evaluation | ÷ PyTorch NCHW | ÷ channels last | against products "
        "| s a megapixel | first evaluation, s | peak, MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for size, runs in measured.items():
        median = {program: statistics.median(run["seconds"]) for program, run in runs.items()}
        for program, run in runs.items():
            s = median[program]
            ratios = [
                f"{s / median[other]:.2f}" if other in median else "" for other in ("torch_nchw", "torch_channels_last")
            ]
            limit = f"{direct_flops(size, found['depth']) / flops / s:.2f}" if flops else ""
            cells = [
                size.replace("x", " × "),
                PROGRAMS[program],
                f"{s:.2f} ({min(run['seconds']):.2f}-{max(run['seconds']):.2f})",
                *ratios,
                limit,
                f"{s / pixels(size) * 1e6:.2f}",
                f"{run['first_s']:.1f}",
                f"{run['peak_bytes'] / 2**20:.0f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "Agreement with the first program of each size, in value and in gradient (relative norm; where a rectifier's",
        "input is so near zero that rounding decides, gradients part):",
        "",
    ]
    for size, runs in measured.items():
        lines.append(f"- {size.replace('x', ' × ')}: " + "; ".join(agreement(runs)))
    lines += ["", "| overhead an evaluation, or as said | s | of an evaluation |", "|---|---|---|"]
    for size, runs in measured.items():
        run = runs.get("ours", {})
        for name, s in run.get("bookkeeping_s", {}).items():
            share = s / statistics.median(run["seconds"])
            lines.append(f"| {name}, {size.replace('x', ' × ')} | {s:.4f} | {share:.1%} |")
        if run:
            shape = size.replace("x", " × ")
            lines.append(f"| a further run of the shape, to its first evaluation, {shape} | {run['again_s']:.2f} | |")
    first, *later = found["load_s"]
    lines.append(f"| `.mat` ({found['network']}), first load | {first:.2f} | |")
    lines.append(f"| `.mat`, later loads, median | {statistics.median(later):.2f} | |")
    if s := found.get("sweep"):
        beside = s["a_run_s"] - s["evaluations_s"]
        lines.append(
            f"| a run of a sweep of {s['runs']} cells (64 px, narrow network, 10 evaluations) beside its evaluations "
            f"| {beside:.2f} | |"
        )
    if s := found.get("start_s"):
        (alone, image), (alone_wall, image_wall) = (
            [statistics.median(each[kind] for each in s[name]) for name in ("import", "image")]
            for kind in ("cpu", "wall")
        )
        lines += [
            "",
            "## Start",
            "",
            f"From `python scripts/stylize.py {' '.join(START)}` on {found['network']} to",
            f"image.png: {image:.1f} s of CPU,",
            f"user and system, {image / alone:.1f} times those of `import tensorflow` alone, {alone:.1f};",
            f"{image_wall:.1f} s of time, {image_wall / alone_wall:.1f} times its {alone_wall:.1f} (medians of",
            f"{len(s['image'])} in turns).",
        ]
    return "\n".join(lines) + "\n\n![seconds a megapixel and memory by size](benchmark.png)\n"


def agreement(runs: dict[str, Any]) -> Iterator[str]:
    reference = next(iter(runs.values()))
    exact = np.array(reference["gradient"])
    for program, run in list(runs.items())[1:]:
        value = abs(run["value"] / reference["value"] - 1)
        gradient = np.linalg.norm(np.array(run["gradient"]) - exact) / np.linalg.norm(exact)
        yield f"{program} {value:.0e}, {gradient:.0e}"


def plot(found: dict[str, Any], path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for program in next(iter(found["sizes"].values())):
        runs = {pixels(size) / 1e6: sizes[program] for size, sizes in found["sizes"].items()}
        x = sorted(runs)
        low, middle, high = ([f(runs[p]["seconds"]) / p for p in x] for f in (min, statistics.median, max))
        line = left.plot(x, middle, marker="o", label=program)[0]
        left.fill_between(x, low, high, alpha=0.2, color=line.get_color())
        right.plot(x, [runs[p]["peak_bytes"] / 2**30 for p in x], marker="o", color=line.get_color())
    for axis, label in ((left, "seconds a megapixel"), (right, "peak memory, GiB")):
        axis.set(xlabel="megapixels", ylabel=label, xscale="log", ylim=(0, None))
    left.legend(fontsize="small")
    figure.savefig(path, dpi=110)


def pixels(size: str) -> int:
    height, width = map(int, size.split("x"))
    return height * width


def timed(action: Any) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    errors.run_command(main)
