"""What the benchmark writes, from what it measured: tables for benchmark.md, and benchmark.png."""

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from benchmark_worker import LAST

from stn.analysis import doc_tables
from stn.layers import FILTERS, LAYERS, TRUNKS

PROGRAMS = {
    "ours": "stn, Winograd (`auto` on CPUs)",
    "ours_direct": "stn, `network.convolution=direct`",
    "ours_recompute": "stn, `network.gradient_checkpointing=true`",
    "torch_nchw": "PyTorch, NCHW (as neural-style-pt)",
    "torch_channels_last": "PyTorch, channels last",
}


def text(found: dict[str, Any]) -> str:
    """The tables of benchmark.md."""
    measured = found["sizes"]
    flops = max(
        (run.get("matmul_flops", 0.0) for runs in measured.values() for run in runs.values()),
        default=0.0,
    )
    lines = [
        f"`{found['command']}` on {found['cores']} cores of {found['processor']}.",
        (
            "Value and gradient of the objective of Gatys et al. 2016 (relu4_2; relu1_1 … relu5_1;"
            f" average pooling) on {found['network']},"
        ),
        (
            "float32. All programs of a size are evaluated in turns in one run. Seconds are the"
            " median, then the least"
        ),
        (
            "and the most. Memory is the peak of the process, libraries included. Against products:"
            " operations"
        ),
        (
            f"of direct convolutions over {flops / 1e9:.0f} GFLOP/s, PyTorch's best product of 2048"
            " × 2048 matrices here,"
        ),
        "which is no limit: TensorFlow's direct convolutions are up to twice as fast.",
        "",
        (
            "| height × width | program | s an evaluation | ÷ PyTorch NCHW | ÷ channels last |"
            " against products | s a megapixel | first evaluation, s | peak, MB |"
        ),
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for size, runs in measured.items():
        median = {program: statistics.median(run["seconds"]) for program, run in runs.items()}
        for program, run in runs.items():
            s = median[program]
            ratios = [
                f"{s / median[other]:.2f}" if other in median else ""
                for other in ("torch_nchw", "torch_channels_last")
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
        (
            "Agreement with the first program of each size, in value and in gradient (relative"
            " norm; where a ReLU's"
        ),
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
            lines.append(
                f"| a further run of the shape, to its first evaluation, {shape} |"
                f" {run['again_s']:.2f} | |"
            )
    first, *later = found["load_s"]
    lines.append(f"| `.mat` ({found['network']}), first load | {first:.2f} | |")
    lines.append(f"| `.mat`, later loads, median | {statistics.median(later):.2f} | |")
    if s := found.get("sweep"):
        beside = s["a_run_s"] - s["evaluations_s"]
        lines.append(
            f"| a run of a sweep of {s['runs']} cells (64 px, narrow network, 10 evaluations)"
            f" without its evaluations | {beside:.2f} | |"
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
            f"From `{found['start_command']}` on {found['network']} to",
            f"image.png: {image:.1f} s of CPU,",
            (
                f"user and system, {image / alone:.1f} times those of `import tensorflow` alone,"
                f" {alone:.1f};"
            ),
            (
                f"{image_wall:.1f} s of time, {image_wall / alone_wall:.1f} times its"
                f" {alone_wall:.1f} (medians of"
            ),
            f"{len(s['image'])} in turns).",
        ]
    return "\n".join(lines) + "\n\n![seconds a megapixel and memory by size](benchmark.png)\n"


def write(found: dict[str, Any], path: Path) -> None:
    """The tables into a page, which is made if it is not there."""
    if not path.is_file():
        path.write_text("# Benchmark\n\n<!-- benchmark -->\n<!-- end -->\n", encoding="utf-8")
    doc_tables.write([path], "benchmark", lambda _: text(found))


def compare(runs: dict[str, Any]) -> None:
    """Put how far each gradient is from the first, relative to its norm, in place of the
    gradients.
    """
    gradients = {program: np.array(run.pop("gradient")) for program, run in runs.items()}
    exact = next(iter(gradients.values()))
    for program, run in runs.items():
        distance = np.linalg.norm(gradients[program] - exact) / np.linalg.norm(exact)
        run["gradient_difference"] = float(distance)


def agreement(runs: dict[str, Any]) -> Iterator[str]:
    reference, *others = runs
    for program in others:
        value = abs(runs[program]["value"] / runs[reference]["value"] - 1)
        yield f"{program} {value:.0e}, {runs[program]['gradient_difference']:.0e}"


def plot(found: dict[str, Any], path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    sizes = sorted(pixels(size) / 1e6 for size in found["sizes"])
    for program in next(iter(found["sizes"].values())):
        runs = {pixels(size) / 1e6: sizes[program] for size, sizes in found["sizes"].items()}
        x = sorted(runs)
        low, middle, high = (
            [f(runs[p]["seconds"]) / p for p in x] for f in (min, statistics.median, max)
        )
        line = left.plot(x, middle, marker="o", label=PROGRAMS[program])[0]
        left.fill_between(x, low, high, alpha=0.2, color=line.get_color())
        right.plot(
            x, [runs[p]["peak_bytes"] / 2**30 for p in x], marker="o", color=line.get_color()
        )
    for axis, label in ((left, "seconds a megapixel"), (right, "peak memory, GiB")):
        axis.set(xlabel="megapixels", ylabel=label, xscale="log", ylim=(0, None))
        axis.set_xticks(sizes, [f"{size:.2f}" for size in sizes])
        axis.set_xticks([], minor=True)
    left.legend(fontsize="small")
    figure.savefig(path, dpi=110)


def direct_flops(size: str, depth: int) -> float:
    """Multiplications and additions of value and gradient by direct convolutions: each layer
    forward and backward.
    """
    height, width = map(int, size.split("x"))
    total, inputs = 0.0, 3
    for layer in (LAYERS[name] for name in TRUNKS[depth]):
        if layer.kind == "conv":
            outputs = FILTERS[layer.block - 1]
            total += 2 * 2 * 9 * inputs * outputs * height * width
            inputs = outputs
        elif layer.kind == "pool":
            height, width = -(-height // 2), -(-width // 2)
        if layer.name == LAST:
            return total
    raise AssertionError(LAST)


def pixels(size: str) -> int:
    height, width = map(int, size.split("x"))
    return height * width
