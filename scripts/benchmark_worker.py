"""One program of the benchmark, in a process of its own: scripts/benchmark.py starts it and says
when to evaluate.
"""

import argparse
import dataclasses
import json
import resource
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from stn import assets, command_line, config, images
from stn.assets import matconvnet, weights
from stn.images import resizing
from stn.layers import GATYS
from stn.quantities import Terms

# Gatys et al. 2016, sections 2 and 3, at α/β = 1e-3: the layers of every figure there.
CONTENT_LAYER, STYLE_LAYERS, ALPHA, BETA = "relu4_2", GATYS, 1.0, 1e3
LAST = "conv5_1"  # nothing above it is computed
LARGEST_FOR_BOOKKEEPING = (
    1024 * 1024
)  # pixels; SciPy's takes minutes beyond, and its share is the same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("program", "size", "weights"):
        parser.add_argument(name)
    arguments = parser.parse_args()
    work(arguments.program, arguments.size, arguments.weights)


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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
    say({"peak_bytes": peak} | extra())


def pictures(
    height: int, width: int, mean_pixel: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Content, style and the image evaluated, which is neither, [1, h, w, 3]: scikit-image's
    photographs and noise.
    """
    content, style = (
        (
            resizing.resize(images.read(assets.sample_path("skimage", name)), height, width)
            - mean_pixel
        )[None].astype(np.float32)
        for name in ("chelsea.png", "coffee.png")
    )
    noise = np.random.default_rng(0).normal(0, 20, content.shape)
    return content, style, (content + noise).astype(np.float32)


def ours(program: str, network: weights.Weights, height: int, width: int) -> Any:
    from stn import optimize
    from stn.network import quickest
    from stn.network.network import of_weights
    from stn.network.vgg import Options
    from stn.objective import objective, references
    from stn.objective.specification import Formula, Specification
    from stn.objective.targets import StyleTarget

    content, style, image = pictures(height, width, network.mean_pixel)

    options = Options("avg", gradient_checkpointing=program == "ours_recompute")
    method = "direct" if program == "ours_direct" else "winograd"
    ready = of_weights(network, method, options, quickest.operation(512))
    formula = Formula("half_sum", gram_divisor="m", style_reduction="sum_over_4n2")
    share = 1 / len(STYLE_LAYERS)
    chosen = Specification(
        formula, {CONTENT_LAYER: 1.0}, dict.fromkeys(STYLE_LAYERS, share), ALPHA, BETA
    )

    def build() -> Any:
        [A] = references.statistics(chosen, ready, style, [(formula.statistic, None)])
        target = StyleTarget(formula.statistic, A, dict.fromkeys(A, 1.0))
        P = references.content_features(chosen, ready, content)
        return objective.Objective(chosen, ready, P, lambda _: objective.Drawn([target]))

    loss = build()

    def evaluate() -> tuple[float, np.ndarray]:
        terms, gradient = loss.value_and_grad(image)
        return terms.total, gradient

    def extra() -> dict[str, Any]:
        """What only ours has: bookkeeping of the optimizers, and how soon a second run of the shape
        is ready.
        """
        curvature = np.random.default_rng(1).uniform(1, 100, image.shape)
        calls: list[tuple[float, float]] = []

        def bowl(x: np.ndarray) -> tuple[Terms, np.ndarray]:
            began = time.perf_counter()
            gradient = curvature * x
            value = Terms(0.5 * float(np.vdot(gradient, x)), 0.0, 0.0, 0.0, {})
            calls.append((began, time.perf_counter()))
            return value, gradient

        if height * width > LARGEST_FOR_BOOKKEEPING:
            return {"again_s": timed(lambda: build())}
        bookkeeping = {}
        limits = (-np.full(3, 130.0), np.full(3, 130.0))
        for name in ("lbfgs", "torch_lbfgs", "spectral_lbfgs", "adam"):
            own = config.compose(f"optimizer={name}").optimizer
            for bounds in (False, True) if name == "lbfgs" else (own.bounds,):
                pairs = getattr(own, "history", 0)
                settings = dataclasses.replace(own, max_evaluations=pairs + 20, bounds=bounds)
                calls.clear()
                state = optimize.State(image.astype(np.float64))
                optimize.minimize(optimize.Problem(bowl, limits), state, settings)
                # From the end of an evaluation to the beginning of the next, with a full memory.
                between = [later - ended for (_, ended), (later, _) in pairwise(calls[pairs + 2 :])]
                label = f"{name}{', bounds' * (bounds and name == 'lbfgs')}, history {pairs}"
                bookkeeping[label if name != "adam" else name] = statistics.median(between)
        return {"bookkeeping_s": bookkeeping, "again_s": timed(lambda: build())}

    return evaluate, extra


def torch_program(program: str, network: weights.Weights, height: int, width: int) -> Any:
    """The same objective as the PyTorch programs write it: modules' functions, autograd, a loss at
    each layer.
    """
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
        A = {
            layer: gram(f) for layer, f in features(tensor(style)).items() if layer in STYLE_LAYERS
        }
    start = tensor(image)

    def evaluate() -> tuple[float, np.ndarray]:
        x = start.detach().requires_grad_(True)
        f = features(x)
        loss = ALPHA * 0.5 * ((f[CONTENT_LAYER] - P) ** 2).sum()
        for layer in STYLE_LAYERS:
            N = f[layer].shape[1]
            loss = loss + BETA / len(STYLE_LAYERS) * ((gram(f[layer]) - A[layer]) ** 2).sum() / (
                4 * N**2
            )
        loss.backward()
        return loss.item(), x.grad.permute(0, 2, 3, 1).double().numpy()

    def extra() -> dict[str, Any]:
        a = torch.randn(2048, 2048)
        return {"matmul_flops": max(2 * 2048**3 / timed(lambda: a @ a) for _ in range(10))}

    return evaluate, extra


def timed(action: Any) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    command_line.run_command(main)
