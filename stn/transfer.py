"""The story of one run, top to bottom: images, weights, targets, objective, first image, minimize, run directory."""

import contextlib
import math
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np

from stn import assets, config, figures, files, images, initialize, objective, optimize, runs, tracking, vgg, weights
from stn.errors import InputError, Interrupted


@dataclass(frozen=True)
class Result:
    """The picture, `rgb` [h, w, 3] 0-255; its loss terms; the run directory, which holds everything else."""

    rgb: np.ndarray
    terms: objective.Terms
    run_dir: Path


def run(settings: config.Config, run_dir: Path, group: str | None = None) -> Result | None:
    """Stylize one picture; all it leaves is in `run_dir`. None if that run was finished before.

    `group` names the sweep for W&B. Raises InputError for what the user can mend, and Interrupted after Ctrl-C or
    SIGTERM, once the best image and a state to go on from are written.
    """
    vgg_weights = weights.load(_weights_path(settings.network))
    pictures = _Pictures.read(settings)
    _check_reach(settings, vgg_weights, pictures)

    with _directory(run_dir, settings, vgg_weights, pictures) as directory:
        if directory.finished:
            print(f"finished before: {directory.path / 'image.png'}")
            return None
        mean_pixel, kernels = vgg_weights.mean_pixel, vgg.kernels(vgg_weights)
        content_image = images.to_network(pictures.content, mean_pixel)
        style_image = images.to_network(pictures.style, mean_pixel)
        targets = objective.targets(kernels, _form(settings), content_image, style_image)
        loss = objective.Objective(kernels, _form(settings), _scale(settings), targets)
        first_image = initialize.first_image(
            settings.init, pictures.content, pictures.style, pictures.file, mean_pixel, settings.seed
        )
        start = directory.begin(runs.git_commit()) or first_image
        with (
            _observers(directory, settings, start, group, mean_pixel) as (on_evaluation, wandb),
            _signals() as signaled,
        ):
            outcome = optimize.minimize(
                loss.value_and_grad,
                start,
                settings.optimizer,
                on_evaluation,
                on_checkpoint=directory.checkpoint,
                interrupted=lambda: signaled[0].name if signaled else None,
                limits=(0 - mean_pixel, 255 - mean_pixel),
                unit=np.array(settings.image.unit),
            )
            rgb = images.from_network(outcome.image, mean_pixel)
            if signaled:
                raise _interrupted(directory, rgb, signaled[0])
            wandb.log_image("image", rgb, outcome.evaluations)
            wandb.finish(directory.finish(outcome, rgb))
        if settings.figures:
            figures.comparison(directory.path, pictures.content, pictures.style, rgb)
            figures.loss_curves(directory.path)
        if settings.output:
            directory.write_image(str(Path(settings.output).absolute()), rgb)
        return Result(rgb, outcome.best.terms, directory.path)


@dataclass(frozen=True)
class _Pictures:
    """The pictures that a run reads, `rgb`, at the size they are used in, and where they came from."""

    content: np.ndarray
    style: np.ndarray
    file: np.ndarray | None
    paths: dict[str, Path]

    @classmethod
    def read(cls, settings: config.Config) -> "_Pictures":
        paths = {
            "content": assets.locate_image(settings.content.path),
            "style": assets.locate_image(settings.style.path),
        }
        if settings.init.name == "file" and settings.init.path:
            paths["init"] = assets.locate_image(settings.init.path)
        rule = settings.image
        content, style = images.read(paths["content"]), images.read(paths["style"])
        content = images.resize(content, *images.target_shape(content, rule.size_px, rule.side, rule.aspect))
        if settings.style.size == "content":
            style = images.resize(style, *content.shape[:2])
        elif settings.style.size == "content_width":
            width = content.shape[1]
            style = images.resize(style, max(1, round(style.shape[0] * width / style.shape[1])), width)
        else:
            style = images.resize(style, *images.target_shape(style, rule.size_px, rule.side, rule.aspect))
        return cls(content, style, images.read(paths["init"]) if "init" in paths else None, paths)


def _weights_path(network: config.Network) -> Path:
    return Path(network.weights) if network.weights else assets.locate_weights(network.name)


def _form(settings: config.Config) -> objective.Form:
    chosen = settings.objective
    return objective.Form(
        content_layers=tuple(layer.layer for layer in chosen.content_layers),
        style_layers=tuple(layer.layer for layer in chosen.style_layers),
        pooling=settings.network.pooling,
        content_reduction=chosen.content_reduction,
        gram_divisor=chosen.gram_divisor,
        style_reduction=chosen.style_reduction,
        smoothness=chosen.smoothness.form,
    )


def _scale(settings: config.Config) -> objective.Scale:
    chosen = settings.objective
    red, green, blue = settings.image.unit
    return objective.Scale(
        alpha=chosen.content_weight,
        beta=chosen.style_weight,
        content=tuple(layer.weight for layer in chosen.content_layers),
        style=tuple(layer.weight for layer in chosen.style_layers),
        smoothness=chosen.smoothness.weight,
        unit=(red, green, blue),
    )


def _check_reach(settings: config.Config, vgg_weights: weights.Weights, pictures: _Pictures) -> None:
    """Every layer asked for is in the weights, and the pictures are large enough for it."""
    path = _weights_path(settings.network)
    if settings.network.name == "vgg19" and vgg_weights.depth == 16 and "conv4_1" in vgg_weights.layer_names:
        raise InputError(f"{path}: holds a VGG-16, but network=vgg19; use network=vgg16 or the VGG-19 file")
    if settings.network.name != "vgg19" and vgg_weights.depth == 19:
        raise InputError(f"{path}: holds a VGG-19, but network={settings.network.name}; use network=vgg19")
    form = _form(settings)
    for role, layers in (("content", form.content_layers), ("style", form.style_layers)):
        for layer in layers:
            if layer not in vgg_weights.layer_names:
                raise InputError(
                    f"{path}: has no {layer}, which objective.{role}_layers asks for; it ends at "
                    f"{vgg_weights.layer_names[-1]}"
                )
    asked = {*form.content_layers, *form.style_layers}
    pools = max(int(layer.removeprefix("pool") if layer.startswith("pool") else int(layer[4]) - 1) for layer in asked)
    for role in ("content", "style"):
        height, width = getattr(pictures, role).shape[:2]
        if min(height, width) < 2**pools:
            raise InputError(
                f"{role}.path={pictures.paths[role]}: {width} × {height} pixels are too few for {max(asked)}, which "
                f"sees {2**pools} at once; use a larger picture, image.size_px, or shallower layers"
            )


@contextlib.contextmanager
def _directory(
    run_dir: Path, settings: config.Config, vgg_weights: weights.Weights, pictures: _Pictures
) -> Iterator[runs.RunDirectory]:
    checksums = {"weights": vgg_weights.sha256} | {role: files.sha256(path) for role, path in pictures.paths.items()}
    directory = runs.RunDirectory(run_dir, config.to_dict(settings), checksums, settings.force)
    try:
        yield directory
    finally:
        directory.release()


@contextlib.contextmanager
def _observers(
    directory: runs.RunDirectory,
    settings: config.Config,
    start: np.ndarray | optimize.State,
    group: str | None,
    mean_pixel: np.ndarray,
) -> Iterator[tuple[Callable[[optimize.Evaluation, np.ndarray], None], tracking.WandB]]:
    """What hears of every evaluation: the run directory, the progress display and W&B."""
    done = start.evaluations if isinstance(start, optimize.State) else 0
    track = settings.tracking
    wandb = tracking.WandB(
        track.mode, track.project, directory.path, config.to_dict(settings), directory.path.name, group
    )
    progress = tracking.Progress(settings.optimizer.max_evaluations, done)

    def on_evaluation(evaluation: optimize.Evaluation, image: np.ndarray) -> None:
        row = directory.record(evaluation)
        progress.show(evaluation)
        wandb.log(row)
        if (
            track.progress_every
            and evaluation.index
            and evaluation.index % track.progress_every == 0
            and math.isfinite(evaluation.terms.total)
        ):
            rgb = images.from_network(image, mean_pixel)
            directory.write_image(f"progress/{evaluation.index:06d}.png", rgb)
            wandb.log_image("progress", rgb, evaluation.index)

    try:
        yield on_evaluation, wandb
    finally:
        progress.close()
        wandb.finish({}, exit_code=1)  # does nothing after an ordinary end


@contextlib.contextmanager
def _signals() -> Iterator[list[signal.Signals]]:
    """A list that Ctrl-C or SIGTERM fills, so that the current evaluation is finished; a second one ends at once."""
    received: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def remember(number: int, frame: FrameType | None) -> None:
        received.append(signal.Signals(number))
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)

    earlier = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _interrupted(directory: runs.RunDirectory, rgb: np.ndarray, number: signal.Signals) -> Interrupted:
    directory.write_metrics()
    path = directory.write_image("image.png", rgb)
    return Interrupted(
        f"interrupted: the best image so far is {path}; the same command with hydra.run.dir={directory.path} goes on",
        128 + number,
    )
