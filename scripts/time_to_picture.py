"""Time whole processes to pictures that are as good, ours and PyTorch's: python
scripts/time_to_picture.py

The reference is a program as neural-style-pt is built: modules in PyTorch, torch.optim.LBFGS with a
history of 100, its default objective, from the photograph. Ours gets as many evaluations as its
picture needs: its loss, and the distance of its patches to the painting's, are to be no larger than
the reference's. Both are then timed from command to file, in turns. With --pairs three pairs of
pictures are compared, at 256 px 15 minutes on two idle cores, and --out gets their rows. Needs pip
install -e '.[bench]'."""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np

from stn import command_line, config, errors, files, images, runs
from stn.analysis import tables
from stn.assets import inputs, matconvnet, pictures
from stn.runs import provenance

STYLIZE = Path(__file__).with_name("stylize.py")


# Two by day and one by night, photograph and painting; `python scripts/fetch.py images` gets them.
PAIRS = {
    "Neckarfront, The Starry Night": ("content=tubingen", "style=vangogh_starry_night"),
    "Astronaut, The Scream": ("content=astronaut", "style=the_scream"),
    "Rocket at night, Shipwreck": ("content=rocket", "style=shipwreck"),
}
LOSS, PATCHES = "picture/loss/total", "measures/patches_to_style"
MORE = 1.25  # times the evaluations where a picture is not yet as good


def main() -> None:
    parser = command_line.parser(__doc__)
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
    parser.add_argument("--pairs", action="store_true", help="three pairs, one of them dark")
    parser.add_argument(
        "--out", type=Path, metavar="CSV", help="a file for the rows of --pairs, with all it had"
    )
    parser.add_argument("--reference", type=Path, metavar="PICTURE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    fixed = ("preset=neural_style_pt", "network=vgg19_q8", "init=content", "tracking=off")
    # The reference's own process is given them already.
    overrides = list(dict.fromkeys([*fixed, *arguments.overrides]))
    if arguments.reference:
        reference(config.compose(*overrides), arguments.evaluations, arguments.reference)
        return
    rows = []
    for name, pair in (PAIRS if arguments.pairs else {"": ()}).items():
        with tempfile.TemporaryDirectory() as folder:
            found = compared([*overrides, *pair], arguments, Path(folder))
        print(json.dumps({"pair": name} | found, indent=1), flush=True)
        rows.append(row(name, found, config.compose(*overrides, *pair)))
    if arguments.out:
        files.write_text(arguments.out, tables.csv_text(list(rows[0]), rows))


def row(name: str, found: Mapping[str, Any], settings: config.Config) -> dict[str, str]:
    """What is compared of a pair, as `results/tables` has it."""
    theirs, ours = (statistics.median(found[key]) for key in ("reference_s", "ours_s"))
    return {
        "pair": name,
        "PyTorch, s": f"{theirs:.0f}",
        "ours, s": f"{ours:.1f}",
        "of PyTorch's": f"{found['ratio']:.3f}",
        "evaluations of ours": str(found["evaluations"][1]),
        "loss of ours over theirs": f"{found['loss_of_ours'] / found['loss_of_their_picture']:.3f}",
        "patch distance of theirs": f"{found['patches_of_their_picture']:.4f}",
        "of ours": f"{found['patches_of_ours']:.4f}",
        "network": str(settings.network.name),
        "size_px": str(settings.image.size_px),
        **provenance.of_table("torch", "tensorflow"),
    }


def compared(overrides: list[str], arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Seconds of both processes, evaluations of ours, and how good both pictures are."""
    theirs = folder / "reference.png"
    seconds: dict[str, list[float]] = {"reference_s": [referred(overrides, arguments, theirs)]}
    # Their picture as we measure it: a run that starts at it and is evaluated once.
    stylized(
        [*overrides, "init=file", f"init.path={theirs}", "optimizer.max_evaluations=1"],
        folder / "theirs",
    )
    goal = runs.Run(folder / "theirs").summary
    ours = [*overrides, "optimizer=spectral_lbfgs"]
    for budget in (arguments.evaluations // 4, arguments.evaluations // 2, arguments.evaluations):
        stylized(
            [*ours, f"optimizer.max_evaluations={budget}", "tracking.keep_checkpoint=true"],
            folder / "search",
        )  # it resumes where it was
        reached = np.flatnonzero(
            runs.read_metrics(folder / "search" / runs.METRICS)["loss/total"] <= goal[LOSS]
        )
        if len(reached):
            break
    else:
        raise errors.InputError(
            f"after {budget} evaluations ours is not as low as the reference's picture"
        )
    needed = int(reached[0]) + 1
    while True:
        timed = stylized([*ours, f"optimizer.max_evaluations={needed}"], folder / f"ours{needed}")
        own = runs.Run(folder / f"ours{needed}").summary
        as_good = all(own[key] <= goal[key] for key in (LOSS, PATCHES))
        if as_good or needed >= arguments.evaluations:
            break
        needed = min(arguments.evaluations, math.ceil(MORE * needed))
    seconds["ours_s"] = [timed]
    for number in range(1, arguments.repetitions):
        seconds["reference_s"].append(referred(overrides, arguments, theirs))
        again = folder / f"again{number}"
        seconds["ours_s"].append(stylized([*ours, f"optimizer.max_evaluations={needed}"], again))
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    return {
        "evaluations": [arguments.evaluations, needed],
        "as_good": as_good,
        "loss_of_their_picture": goal[LOSS],
        "loss_of_ours": own[LOSS],
        "patches_of_their_picture": goal[PATCHES],
        "patches_of_ours": own[PATCHES],
        **seconds,
        "ratio": medians["ours_s"] / medians["reference_s"],
    }


def stylized(overrides: list[str], folder: Path) -> float:
    return run([str(STYLIZE), *overrides, f"hydra.run.dir={folder}"])


def referred(overrides: list[str], arguments: argparse.Namespace, picture: Path) -> float:
    wanted = ["--evaluations", str(arguments.evaluations), "--reference", str(picture)]
    return run([__file__, *overrides, *wanted])


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
