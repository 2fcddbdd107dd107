"""Pictures of any program on our yardstick: brought to one size, then measured."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stn import assets, config, images, runs
from stn.assets import inputs, pictures
from stn.config import overrides, schema
from stn.errors import InputError
from stn.images import resizing
from stn.metrics import learned, measures, published
from stn.network.network import Network, load
from stn.transfer import mixing, story

# Programs crop a result to whole strides of their network, so its aspect is a little off. Ours.
ASPECT_SLACK = 0.02


@dataclass(frozen=True)
class Job:
    """One result and the two pictures that it was made of."""

    content: Path
    style: Path
    result: Path


class Sized(NamedTuple):
    """Pictures to be compared, `rgb` [h, w, 3], 0-255: content and result of one size."""

    result: np.ndarray
    content: np.ndarray | None
    style: np.ndarray


def of_run(directory: Path) -> tuple[Sized, Network, Network]:
    """The pictures of a finished run, at the sizes and with the colors that the run gave them; its
    network, plain and rescaled.

    Raises InputError if the run is not finished, or an input is missing or has changed since.
    """
    run = runs.Run(directory).check()
    settings = config.compose(*overrides.overrides_of(run.settings))
    originals = pictures.read(settings)
    recorded = run.inputs
    for key, checksum in originals.checksums().items():
        if recorded.get(key) not in (None, checksum):
            raise InputError(f"{originals.paths[key]}: has changed since {directory} was made")
    sized = mixing.mixed(originals, settings, directory, story.run).at(1.0)
    _, rescaled = networks(inputs.weights(settings))
    three = Sized(run.rgb, sized.photograph, sized.styles[0].rgb)
    return three, story.network_of(settings).plain(), rescaled


def of_job(
    job: Job, network: str | Path, size: int | tuple[int, int] | None
) -> tuple[Sized, Network, Network]:
    """The pictures of a job's files, brought to one size, and a network as `networks` takes it;
    InputError names the picture that is missing or does not fit.
    """
    result, content, style = (
        images.read(assets.locate_image(str(path))) for path in (job.result, job.content, job.style)
    )
    try:
        return of_one_size(result, content, style, size), *networks(network)
    except InputError as error:
        raise InputError(f"{job.result}: {error}") from error


def numbers(
    sized: Sized, plain: Network, rescaled: Network, metrics: Sequence[str] = ()
) -> dict[str, float]:
    """Our measures of a picture, as summary.json has them, and those that papers print.

    Raises InputError for one of `metrics` that a picture is too small for, or has no content for.
    """
    rgb, content, style = sized
    found = measures.measure(rgb, content, style, plain)
    if content is None:
        if metrics:
            raise InputError(f"{metrics[0]}: compares with the content, and there is none")
        return found
    printed = published.ssim(rgb, content) | published.stytr2(rgb, content, style, rescaled)
    if metrics:  # each of them contains it
        printed["lpips"] = learned.lpips(rgb, content)
    return found | {f"published/{name}": value for name, value in printed.items()}


def of_one_size(
    result: np.ndarray,
    content: np.ndarray | None,
    style: np.ndarray,
    size: int | tuple[int, int] | None = None,
) -> Sized:
    """Pictures, `rgb` [h, w, 3], 0-255, brought together: the result keeps its size.

    With `size` a number, its long side gets that many pixels; with `size` (width, height), all
    three are stretched to it. The content is resized to the result, the style to the result's long
    side. Raises InputError for a content of another aspect than the result's."""
    if isinstance(size, tuple):
        width, height = size
        stretched = [
            None if rgb is None else resizing.resize(rgb, height, width)
            for rgb in (result, content, style)
        ]
        assert stretched[0] is not None and stretched[2] is not None
        return Sized(stretched[0], stretched[1], stretched[2])
    if size is not None:
        result = resizing.resize(result, *resizing.target_shape(result, size))
    height, width = result.shape[:2]
    if content is not None:
        ratio = content.shape[1] / content.shape[0] * height / width
        if abs(ratio - 1) > max(ASPECT_SLACK, 1 / min(height, width)):
            raise InputError(
                f"the result has {width} × {height} pixels and its content "
                f"{content.shape[1]} × {content.shape[0]}, another aspect: crop the content as "
                "your program did, or give a size of WIDTHxHEIGHT"
            )
        content = resizing.resize(content, height, width)
    longest = max(height, width)
    return Sized(result, content, resizing.resize(style, *resizing.target_shape(style, longest)))


@functools.lru_cache(maxsize=2)
def networks(network: str | Path) -> tuple[Network, Network]:
    """vgg19_q8, vgg19, vgg16 or a .mat file as it is, and rescaled for StyTr²'s numbers; InputError
    if it is not there. Kept, since many pictures follow.
    """
    known = network in config.choices("network.name")
    path = assets.locate_weights(str(network)) if known else Path(network)
    if not path.is_file():
        raise InputError(f"network={network}: no such file, and no network of this name")
    return load(path), load(path, schema.Network(rescale="default"))
