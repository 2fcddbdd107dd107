"""The story of one run, top to bottom: weights, pictures, targets, objective, first image, minimize, run directory."""

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from stn import (
    assets,
    backend,
    config,
    figures,
    files,
    images,
    initialize,
    measures,
    objective,
    optimize,
    rescale,
    runs,
    tracking,
    vgg,
    weights,
)
from stn.errors import InputError


@dataclass(frozen=True)
class Result:
    """The picture, `rgb` [h, w, 3] 0-255; its loss terms; the run directory, which holds everything else."""

    rgb: np.ndarray
    terms: objective.Terms
    run_dir: Path


def run(
    settings: config.Config, run_dir: Path, group: str | None = None, axes: Mapping[str, str] | None = None
) -> Result | None:
    """Stylize one picture; all it leaves is in `run_dir`. None if that run was finished before.

    `group` names the sweep for W&B and `axes` what it varies, with this run's values. Raises InputError for what the
    user can mend, and Interrupted after Ctrl-C or SIGTERM, once the best image and a state to go on from are written.
    """
    tracking.check_credentials(settings.tracking.mode)
    backend.use_threads(settings.threads)
    vgg_weights = network_of(settings)
    originals = _Pictures.read(settings)
    levels = [*settings.pyramid.levels, config.Level(1.0, settings.optimizer.max_evaluations)]
    _check_reach(settings, vgg_weights, originals, min(level.scale for level in levels))
    _check_room(settings, vgg_weights, originals, run_dir)
    kernels = vgg.kernels(vgg_weights, settings.network.convolution)
    mean_pixel, checksum = vgg_weights.mean_pixel, vgg_weights.sha256
    del vgg_weights  # 80 MB that the kernels hold now

    with _directory(run_dir, settings, checksum, originals) as directory:
        if directory.finished:
            print(f"finished before: {directory.path / 'image.png'}")
            if settings.output:
                directory.write_image(str(Path(settings.output).absolute()), images.read(directory.path / "image.png"))
            return None
        state = directory.begin()
        with tracking.Watch(directory, config.to_dict(settings), levels, state, group, axes, mean_pixel) as watch:
            for number in range(state.level if state else 0, len(levels)):
                pictures = originals.at(levels[number].scale)
                loss = objective_of(settings, kernels, mean_pixel, pictures.content, pictures.style)
                state = state or optimize.State(_first_image(settings, pictures, mean_pixel))
                outcome = optimize.minimize(
                    loss.value_and_grad,
                    state,
                    dataclasses.replace(settings.optimizer, max_evaluations=levels[number].max_evaluations),
                    on_evaluation=watch.on_evaluation,
                    on_checkpoint=watch.on_checkpoint,
                    interrupted=watch.interrupted,
                    limits=(0 - mean_pixel, 255 - mean_pixel),
                    unit=np.array(settings.image.unit),
                )
                rgb = images.from_network(outcome.image, mean_pixel)
                watch.stop_if_interrupted(rgb)
                if number + 1 < len(levels):
                    shape = originals.shapes_at(levels[number + 1].scale)["content"]
                    enlarged = images.to_network(images.resize(rgb, *shape), mean_pixel)
                    state = state.next_level(enlarged)
                    directory.checkpoint(state)
            watch.finish(rgb, directory.finish(outcome, rgb, _measures(settings, pictures, rgb, kernels, mean_pixel)))
        if settings.figures:
            figures.comparison(directory.path, pictures.content, pictures.style, rgb)
            figures.loss_curves(directory.path)
        if settings.output:
            directory.write_image(str(Path(settings.output).absolute()), rgb)
        return Result(rgb, outcome.best.terms, directory.path)


def objective_of(
    settings: config.Config,
    kernels: vgg.Kernels,
    mean_pixel: np.ndarray,
    content_rgb: np.ndarray,
    style_rgb: np.ndarray,
) -> objective.Objective:
    """The objective that the settings describe, for a content and a style picture, `rgb` [h, w, 3], 0-255."""
    content_image, style_image = images.to_network(content_rgb, mean_pixel), images.to_network(style_rgb, mean_pixel)
    targets = objective.targets(kernels, _form(settings), content_image, style_image)
    return objective.Objective(kernels, _form(settings), _scale(settings), targets)


def network_of(settings: config.Config) -> weights.Weights:
    """The network that the settings name, rescaled if they ask for it."""
    path, rescaling = _weights_path(settings.network), settings.network.rescale
    network = weights.load(path)
    if rescaling is None:
        return network
    if rescaling == "default":
        return rescale.rescaled(network, rescale.default_means(network, path, settings.network.pooling))
    return rescale.rescaled(network, rescale.read_means(Path(rescaling)))


@dataclass(frozen=True)
class _Pictures:
    """The pictures that a run reads, `rgb`, and where they came from."""

    content: np.ndarray
    style: np.ndarray
    file: np.ndarray | None  # of init=file
    paths: dict[str, Path]
    image: config.Image
    style_size: str

    @classmethod
    def read(cls, settings: config.Config) -> "_Pictures":
        paths = {"content": settings.content.path, "style": settings.style.path}
        if settings.init.name == "file" and settings.init.path:
            paths["init"] = settings.init.path
        located = {role: assets.locate_image(path) for role, path in paths.items()}
        rgb = {role: images.read(path) for role, path in located.items()}
        return cls(rgb["content"], rgb["style"], rgb.get("init"), located, settings.image, settings.style.size)

    def shapes_at(self, scale: float) -> dict[str, tuple[int, int]]:
        """Height and width that the size rules give content and style at a level of the pyramid; 1.0 is full size."""
        content = _scaled(self._target_shape(self.content), scale)
        style = _scaled(self._target_shape(self.style), scale)
        if self.style_size == "content":
            style = content
        elif self.style_size == "content_width":
            style = max(1, round(self.style.shape[0] * content[1] / self.style.shape[1])), content[1]
        return {"content": content, "style": style}

    def at(self, scale: float) -> "_Pictures":
        """Content and style at the size they have at a level of the pyramid."""
        shapes = self.shapes_at(scale)
        content, style = images.resize(self.content, *shapes["content"]), images.resize(self.style, *shapes["style"])
        return dataclasses.replace(self, content=content, style=style)

    def _target_shape(self, rgb: np.ndarray) -> tuple[int, int]:
        return images.target_shape(rgb, self.image.size_px, self.image.side, self.image.aspect)


def _scaled(shape: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _first_image(settings: config.Config, pictures: _Pictures, mean_pixel: np.ndarray) -> np.ndarray:
    first = initialize.first_image(
        settings.init, pictures.content, pictures.style, pictures.file, mean_pixel, settings.seed
    )
    return first.astype(np.float64)


def _measures(
    settings: config.Config, pictures: _Pictures, rgb: np.ndarray, kernels: vgg.Kernels, mean_pixel: np.ndarray
) -> dict[str, float]:
    if settings.network.rescale is not None:  # the yardstick is the plain network
        kernels = vgg.kernels(weights.load(_weights_path(settings.network)), settings.network.convolution)
    return measures.measure(rgb, pictures.content, pictures.style, kernels, mean_pixel)


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
        smoothness_counted=chosen.smoothness.counted,
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


def _check_reach(
    settings: config.Config, vgg_weights: weights.Weights, originals: _Pictures, smallest_scale: float
) -> None:
    """Every layer asked for is in the weights, and the pictures are large enough for it at every level."""
    path = _weights_path(settings.network)
    name = settings.network.name
    if name.startswith("vgg19") and vgg_weights.depth == 16 and "conv4_1" in vgg_weights.layer_names:
        raise InputError(f"{path}: holds a VGG-16, but network={name}; use network=vgg16 or a VGG-19 file")
    if name == "vgg16" and vgg_weights.depth == 19:
        raise InputError(f"{path}: holds a VGG-19, but network=vgg16; use network=vgg19 or a VGG-16 file")
    asked = {
        "content": [layer.layer for layer in settings.objective.content_layers],
        "style": [layer.layer for layer in settings.objective.style_layers],
    }
    for role, layers in asked.items():
        for layer in layers:
            if layer not in vgg_weights.layer_names:
                last = vgg_weights.layer_names[-1]
                raise InputError(f"{path}: has no {layer}, which objective.{role}_layers asks for; it ends at {last}")
    deepest = max((layer for layers in asked.values() for layer in layers), key=vgg_weights.layer_names.index)
    before = vgg_weights.layer_names[: vgg_weights.layer_names.index(deepest) + 1]
    stride = 2 ** sum(name.startswith("pool") for name in before)
    for role, (height, width) in originals.shapes_at(smallest_scale).items():
        if min(height, width) < stride:
            raise InputError(
                f"{role}.path={originals.paths[role]}: {width} × {height} pixels are too few for {deepest}, one "
                f"position of which covers {stride}; use a larger image.size_px or shallower layers"
            )
    if settings.output and Path(settings.output).suffix.lower() not in images.FORMATS:
        raise InputError(f"output={settings.output}: end the name in one of {', '.join(images.FORMATS)}")


def _check_room(settings: config.Config, vgg_weights: weights.Weights, originals: _Pictures, run_dir: Path) -> None:
    """There is memory for the largest level and disk for what it leaves; else InputError with a size that would fit."""
    layers = [layer.layer for layer in (*settings.objective.content_layers, *settings.objective.style_layers)]
    height, width = originals.shapes_at(1.0)["content"]
    # Measured on VGG-19 (docs/benchmark.md): the kernels take 0.25 GB, value and gradient 1.0 to 1.2 times the
    # convolutions' outputs.
    kernels, activations = 0.3e9, 1.3 * vgg.activation_bytes(vgg_weights, layers, height * width)
    evaluations = settings.optimizer.max_evaluations
    history = min(settings.optimizer.history, evaluations)
    # Pairs of images: of float64 in SciPy's memory, of float32 in ours; Adam has none.
    pairs = {"lbfgs": 16, "adam": 0}.get(settings.optimizer.name, 8) * history * height * width * 3
    needed, available = kernels + activations + pairs, psutil.virtual_memory().available
    if needed > available:
        fits = int(max(height, width) * (max(0.0, available - kernels) / (activations + pairs)) ** 0.5)
        raise InputError(
            f"image.size_px={settings.image.size_px}: {width} × {height} pixels need about {needed / 1e9:.1f} GB of "
            f"memory and {available / 1e9:.1f} GB are free; a long side of {fits} px would fit"
        )
    every = settings.tracking.progress_every
    pictures = 3 + (2 * evaluations // every if every else 0)  # W&B keeps a copy of each
    # A checkpoint has four arrays of 8 bytes a channel and our pairs, and stands beside the one before for a moment.
    kept = 0 if settings.optimizer.name == "lbfgs" else pairs
    needed = height * width * 3 * (pictures + 2 * 4 * 8) + 2 * kept + 2**20
    present = next(folder for folder in (run_dir.absolute(), *run_dir.absolute().parents) if folder.exists())
    free = shutil.disk_usage(present).free
    if needed > free:
        raise InputError(
            f"hydra.run.dir={run_dir}: the run leaves about {needed / 1e6:.0f} MB and {free / 1e6:.0f} MB are free; "
            "make room or give another hydra.run.dir"
        )


@contextlib.contextmanager
def _directory(
    run_dir: Path, settings: config.Config, weights_checksum: str, pictures: _Pictures
) -> Iterator[runs.RunDirectory]:
    checksums = {"weights": weights_checksum} | {role: files.sha256(path) for role, path in pictures.paths.items()}
    if settings.network.rescale not in (None, "default"):
        checksums["rescale"] = files.sha256(Path(str(settings.network.rescale)))
    directory = runs.RunDirectory(run_dir, config.to_dict(settings), checksums, settings.force)
    try:
        yield directory
    finally:
        directory.release()
