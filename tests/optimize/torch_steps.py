"""Images that torch.optim evaluates, recorded once: python tests/optimize/torch_steps.py writes
torch_steps.npz.

Torch is a large download, which no test needs: they compare with what is recorded, and where it is
installed also that with Torch's own steps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RECORDED = Path(__file__).with_suffix(".npz")
EVALUATIONS = 10
Function = Callable[[np.ndarray], tuple[float, np.ndarray]]

SHAPE = (1, 4, 5, 3)
RNG = np.random.default_rng(0)
START, CENTER = RNG.uniform(-1, 1, SHAPE), RNG.uniform(-50, 50, SHAPE)
CURVATURE = 1 + 0.1 * np.linspace(1, 30, CENTER.size).reshape(SHAPE)


def round_bowl(image: np.ndarray) -> tuple[float, np.ndarray]:
    return 0.5 * np.sum(CURVATURE * (image - CENTER) ** 2), CURVATURE * (image - CENTER)


def cone(image: np.ndarray) -> tuple[float, np.ndarray]:
    """Straight but near its least: the first steps from afar change no gradient, so that they are
    no pairs.
    """
    away = image - CENTER
    gradient = np.clip(away, -5, 5)
    return np.sum(gradient * (away - gradient / 2)), gradient


# By name: the function, its first image, Torch's optimizer and that one's options.
TRAJECTORIES: dict[str, tuple[Function, np.ndarray, str, dict[str, Any]]] = {
    "bowl": (round_bowl, START, "LBFGS", {"history_size": 6}),
    "cone": (cone, CENTER + 16, "LBFGS", {"history_size": 6}),
    "bowl_of_one_pair": (round_bowl, START, "LBFGS", {"history_size": 1}),
    "adam": (round_bowl, START, "Adam", {"lr": 1.0}),
    "adam_of_other_betas": (cone, START, "Adam", {"lr": 0.3, "betas": (0.5, 0.8)}),
    "rmsprop": (round_bowl, START, "RMSprop", {"lr": 0.3}),
    "rmsprop_of_a_pyramid": (cone, START, "RMSprop", {"lr": 0.3, "alpha": 0.9, "levels": 2}),
    "adam_of_a_pyramid": (round_bowl, START, "Adam", {"lr": 0.5, "levels": 1}),
}


def made(name: str) -> np.ndarray:
    """The images [evaluations, 1, h, w, 3] that Torch evaluates in float32, as everybody runs
    it.
    """
    import torch

    function, start, optimizer, options = TRAJECTORIES[name]
    options = dict(options)
    if "levels" in options:
        return made_of_a_pyramid(function, start, optimizer, options)
    x = torch.tensor(start, dtype=torch.float32, requires_grad=True)
    images: list[np.ndarray] = []

    def closure() -> Any:
        images.append(x.detach().numpy().copy())
        value, gradient = function(images[-1].astype(np.float64))
        x.grad = torch.tensor(gradient, dtype=torch.float32)
        return torch.tensor(value)

    if optimizer == "LBFGS":
        options = options | {"tolerance_grad": 0, "tolerance_change": 0}
        torch.optim.LBFGS([x], max_iter=EVALUATIONS, **options).step(closure)
    else:
        steps = getattr(torch.optim, optimizer)([x], **options)
        for _ in range(EVALUATIONS):
            steps.step(closure)
    return np.array(images[:EVALUATIONS])


def made_of_a_pyramid(
    function: Function, start: np.ndarray, optimizer: str, options: dict[str, Any]
) -> np.ndarray:
    """The same where the variables are a Laplacian pyramid, resized with its corners aligned, and
    Torch computes their gradients.
    """
    import torch

    def resized(x: Any, shape: Any) -> Any:
        how = {"mode": "bilinear", "align_corners": True}
        return torch.nn.functional.interpolate(x, tuple(shape), **how)

    rest, pyramid = torch.tensor(start.transpose(0, 3, 1, 2), dtype=torch.float32), []
    for _ in range(options.pop("levels")):
        small = resized(rest, [max(1, side // 2) for side in rest.shape[2:]])
        pyramid.append(rest - resized(small, rest.shape[2:]))
        rest = small
    pyramid = [each.clone().requires_grad_() for each in [*pyramid, rest]]
    steps, images = getattr(torch.optim, optimizer)(pyramid, **options), []
    for _ in range(EVALUATIONS):
        x = pyramid[-1]
        for level in reversed(pyramid[:-1]):
            x = level + resized(x, level.shape[2:])
        images.append(x.detach().numpy().transpose(0, 2, 3, 1))
        _, gradient = function(images[-1].astype(np.float64))
        steps.zero_grad()
        x.backward(torch.tensor(gradient.transpose(0, 3, 1, 2), dtype=torch.float32))
        steps.step()
    return np.array(images)


def main() -> None:
    import torch

    images = {name: made(name) for name in TRAJECTORIES}
    with RECORDED.open("wb") as file:
        np.savez_compressed(file, torch=np.array(torch.__version__), **images)


if __name__ == "__main__":
    main()
