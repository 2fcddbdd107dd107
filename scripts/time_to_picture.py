"""Time whole processes to pictures of one loss, ours beside PyTorch's: python
scripts/time_to_picture.py

The reference is a program as neural-style-pt is built: modules in PyTorch, torch.optim.LBFGS with a
history of 100, its default objective, from the photograph. Ours gets the number of evaluations
after which it first was as low as the reference's picture. Both are then timed from command to
file, in turns. Needs pip install -e '.[bench]'."""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from stn import command_line, config, errors, images, runs
from stn.assets import inputs, matconvnet, pictures

STYLIZE = Path(__file__).with_name("stylize.py")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="such as content=chelsea image.size_px=256",
    )
    parser.add_argument(
        "--evaluations", type=command_line.whole, default=500, help="of the reference"
    )
    parser.add_argument(
        "--repetitions", type=command_line.whole, default=1, help="how often each is timed"
    )
    parser.add_argument("--reference", type=Path, metavar="PICTURE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    overrides = [
        "preset=neural_style_pt",
        "network=vgg19_q8",
        "init=content",
        "tracking=off",
        *arguments.overrides,
    ]
    if arguments.reference:
        reference(config.compose(*overrides), arguments.evaluations, arguments.reference)
        return
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(compared(overrides, arguments, Path(folder)), indent=1))


def compared(
    overrides: list[str], arguments: argparse.Namespace, folder: Path
) -> dict[str, object]:
    """Seconds of both processes, evaluations of ours, and the loss that both pictures have."""
    theirs = folder / "reference.png"
    seconds: dict[str, list[float]] = {"reference_s": [referred(theirs)], "ours_s": []}
    # Our loss of their picture: a run that starts at it and is evaluated once.
    stylized(
        [*overrides, "init=file", f"init.path={theirs}", "optimizer.max_evaluations=1"],
        folder / "theirs",
    )
    goal = runs.Run(folder / "theirs").summary["picture/loss/total"]
    ours = [*overrides, "optimizer=spectral_lbfgs"]
    for budget in (arguments.evaluations // 4, arguments.evaluations // 2, arguments.evaluations):
        stylized(
            [*ours, f"optimizer.max_evaluations={budget}"], folder / "search"
        )  # it goes on where it was
        reached = np.flatnonzero(
            runs.read_metrics(folder / "search" / runs.METRICS)["loss/total"] <= goal
        )
        if len(reached):
            break
    else:
        raise errors.InputError(
            f"after {budget} evaluations ours is not as low as the reference's picture"
        )
    needed = int(reached[0]) + 1
    for number in range(arguments.repetitions):
        if number:
            seconds["reference_s"].append(referred(theirs))
        seconds["ours_s"].append(
            stylized([*ours, f"optimizer.max_evaluations={needed}"], folder / f"ours{number}")
        )
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    return {
        "evaluations": [arguments.evaluations, needed],
        "loss_of_their_picture": goal,
        "loss_of_ours": runs.Run(folder / "ours0").summary["picture/loss/total"],
        **seconds,
        "ratio": medians["ours_s"] / medians["reference_s"],
    }


def stylized(overrides: list[str], folder: Path) -> float:
    return run([str(STYLIZE), *overrides, f"hydra.run.dir={folder}"])


def referred(picture: Path) -> float:
    return run([*sys.argv, "--reference", str(picture)])


def run(command: list[str]) -> float:
    """Seconds of another Python; if it fails, its own line has said what went wrong."""
    began = time.perf_counter()
    if subprocess.run(
        [sys.executable, *command], check=False, stdout=subprocess.DEVNULL
    ).returncode:
        raise errors.InputError(
            f"{Path(command[0]).name} ended with an error; its line stands above"
        )
    return time.perf_counter() - began


def reference(settings: config.Config, evaluations: int, path: Path) -> None:
    """Minimize neural-style-pt's objective in PyTorch and write the picture, clipped as its
    `deprocess` does.
    """
    try:
        import torch
        from torch import nn
        from torch.nn.functional import mse_loss
    except ImportError as error:
        raise errors.InputError(
            "time_to_picture.py: PyTorch is missing; pip install -e '.[bench]'"
        ) from error

    weights, sized = matconvnet.load(inputs.weights(settings)), pictures.read(settings).at(1.0)
    brighter = settings.network.input_range / 255
    assert sized.content is not None

    def tensor(rgb: np.ndarray) -> torch.Tensor:
        image = (rgb * brighter - weights.mean_pixel)[None].transpose(0, 3, 1, 2)
        return torch.tensor(np.ascontiguousarray(image, np.float32))

    asked = settings.objective
    content, style = (
        [each.layer for each in layers] for layers in (asked.content_layers, asked.style_layers)
    )
    blocks: dict[str, nn.Module] = {}
    for layer in weights.layers:
        relu = layer.name.replace("conv", "relu")
        height, width, channels, filters = layer.kernel.shape
        convolution = nn.Conv2d(channels, filters, (height, width), padding="same")
        convolution.weight.data = torch.tensor(layer.kernel.transpose(3, 2, 0, 1).copy())
        convolution.bias.data = torch.tensor(layer.bias)
        pooled = [nn.MaxPool2d(2)] if layer.name.endswith("_1") and blocks else []
        blocks[relu] = nn.Sequential(*pooled, convolution, nn.ReLU()).requires_grad_(False)
        if relu == max(content + style):
            break

    def features(x: torch.Tensor) -> dict[str, torch.Tensor]:
        found = {}
        for name, block in blocks.items():
            found[name] = x = block(x)
        return found

    def gram(f: torch.Tensor) -> torch.Tensor:
        f = f.reshape(f.shape[1], -1)
        return f @ f.T / f.numel()

    P, A = features(tensor(sized.content)), features(tensor(sized.styles[0].rgb))
    targets = {layer: gram(A[layer]) for layer in style}
    x = tensor(sized.content).requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        [x],
        max_iter=evaluations,
        max_eval=evaluations,
        history_size=100,
        tolerance_change=-1,
        tolerance_grad=-1,
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        f = features(x)
        total = asked.total_variation.weight * sum(x.diff(dim=axis).abs().sum() for axis in (2, 3))
        for layer in content:
            total = total + asked.content_weight * mse_loss(f[layer], P[layer])
        for layer, target in targets.items():
            total = total + asked.style_weight / len(targets) * mse_loss(gram(f[layer]), target)
        total.backward()
        return total

    optimizer.step(closure)
    image = x.detach().permute(0, 2, 3, 1).numpy() / brighter
    iio.imwrite(path, images.to_bytes(image[0] + weights.mean_pixel / brighter))


if __name__ == "__main__":
    command_line.run_command(main)
