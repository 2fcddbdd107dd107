"""Pictures of any program on our yardstick: brought to one size, then measured."""

import csv
import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stn import assets, config, images, runs
from stn.assets import inputs, pictures
from stn.config import overrides, schema
from stn.errors import InputError
from stn.images import resizing
from stn.network.network import Network, load
from stn.transfer import measures, mixing, published, story

# Programs crop a result to whole strides of their network, so its aspect is a little off. Ours.
ASPECT_SLACK = 0.02
COLUMNS = ("content", "style", "result")  # of a CSV of pairs


@dataclass(frozen=True)
class Job:
    """One result and the two pictures that it was made of."""

    content: Path
    style: Path
    result: Path


def measure(
    result: np.ndarray,
    content: np.ndarray | None,
    style: np.ndarray,
    network: str | Path = "vgg19_q8",
    size: int | tuple[int, int] | None = None,
) -> dict[str, float]:
    """All our measures of a picture, `rgb` [h, w, 3], 0-255, and those that papers print.

    The result keeps its size. With `size` a number, its long side gets that many pixels; with
    `size` (width, height), all three pictures are stretched to it. The content is resized to the
    result, the style to the result's long side. `network` is vgg19_q8, vgg19, vgg16 or a .mat file;
    for StyTr²'s numbers it is rescaled. A `content` of None leaves out what compares with it.

    Raises InputError for a content of another aspect than the result's, and for missing weights.
    """
    result, content, style = _of_one_size(result, content, style, size)
    plain, rescaled = _networks(network)
    found = measures.measure(result, content, style, plain)
    return found | _published(result, content, style, rescaled)


def measure_run(directory: Path) -> dict[str, float]:
    """The measures of a finished run, as its summary.json has them, and those that papers print.

    Its inputs are read again, at the sizes and with the colors that the run gave them. Raises
    InputError if the run is not finished, or an input is missing or has changed since.
    """
    run = runs.Run(directory).check()
    settings = config.compose(*overrides.overrides_of(run.settings))
    originals = pictures.read(settings)
    recorded = run.inputs
    for key, checksum in originals.checksums().items():
        if recorded.get(key) not in (None, checksum):
            raise InputError(f"{originals.paths[key]}: has changed since {directory} was made")
    sized = mixing.mixed(originals, settings, directory, story.run).at(1.0)
    network = story.network_of(settings)
    content, style = sized.photograph, sized.styles[0].rgb
    found = measures.measure(run.rgb, content, style, network.plain())
    _, rescaled = _networks(inputs.weights(settings))
    return found | _published(run.rgb, content, style, rescaled)


def _published(
    rgb: np.ndarray, content: np.ndarray | None, style: np.ndarray, rescaled: Network
) -> dict[str, float]:
    if content is None:
        return {}
    found = published.ssim(rgb, content) | published.stytr2(rgb, content, style, rescaled)
    return {f"published/{name}": value for name, value in found.items()}


def jobs(content: Path, style: Path, results: Sequence[Path]) -> list[Job]:
    """What is to be measured: one picture or more of one pair, or folders paired by name.

    In a folder of results a name begins with its content's and ends with its style's, with anything
    between: `tubingen_stylized_the_scream.png`. A content or a style that is a file goes with all
    results. Raises InputError for a name that fits no pair or several, and for files left over.
    """
    files = [each for path in results for each in (_pictures(path) if path.is_dir() else [path])]
    contents = _pictures(content) if content.is_dir() else [content]
    styles = _pictures(style) if style.is_dir() else [style]
    if not content.is_dir() and not style.is_dir():
        return [Job(content, style, each) for each in files]
    found = [
        Job(
            _fitting(each, contents, str.startswith, "content"),
            _fitting(each, styles, str.endswith, "style"),
            each,
        )
        for each in files
    ]
    for role, several in (("content", contents), ("style", styles)):
        used = {getattr(job, role) for job in found}
        if left := [path.name for path in several if path not in used]:
            raise InputError(
                f"{several[0].parent}: no result was made of {', '.join(left[:5])}"
                f"{' …' * (len(left) > 5)}; give a CSV of the pairs, or take these out"
            )
    return found


def read_pairs(path: Path) -> list[Job]:
    """The jobs that a CSV lists, with the columns content, style and result; paths are as seen from
    its folder.

    Raises InputError, which names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from error
    if not rows or not set(COLUMNS) <= rows[0].keys():
        raise InputError(f"{path}: needs a first line content,style,result and a line a result")
    found = []
    for number, row in enumerate(rows, start=2):
        if any(not row[column] for column in COLUMNS):
            raise InputError(f"{path}, line {number}: a column is empty")
        found.append(Job(*(path.parent / str(row[column]) for column in COLUMNS)))
    return found


def read_job(job: Job) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Result, content and style of a job, `rgb` [h, w, 3], 0-255; InputError if one lacks."""
    found = [images.read(assets.locate_image(str(p))) for p in (job.result, job.content, job.style)]
    return found[0], found[1], found[2]


def measure_job(
    job: Job, network: str | Path, size: int | tuple[int, int] | None
) -> dict[str, float]:
    """`measure` of a job's files; InputError names the picture that is missing or does not fit."""
    three = read_job(job)
    try:
        return measure(*three, network, size)
    except InputError as error:
        raise InputError(f"{job.result}: {error}") from error


def _of_one_size(
    result: np.ndarray,
    content: np.ndarray | None,
    style: np.ndarray,
    size: int | tuple[int, int] | None,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    if isinstance(size, tuple):
        width, height = size
        stretched = [
            None if rgb is None else resizing.resize(rgb, height, width)
            for rgb in (result, content, style)
        ]
        assert stretched[0] is not None and stretched[2] is not None
        return stretched[0], stretched[1], stretched[2]
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
    return (
        result,
        content,
        resizing.resize(style, *resizing.target_shape(style, max(height, width))),
    )


@functools.lru_cache(maxsize=2)
def _networks(network: str | Path) -> tuple[Network, Network]:
    """The network as its file has it, and rescaled; kept, since many pictures follow."""
    known = network in config.choices("network.name")
    path = assets.locate_weights(str(network)) if known else Path(network)
    if not path.is_file():
        raise InputError(f"network={network}: no such file, and no network of this name")
    return load(path), load(path, schema.Network(rescale="default"))


def _pictures(folder: Path) -> list[Path]:
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in images.FORMATS and path.is_file() and path.name[0] != "."
    )
    if not found:
        raise InputError(f"{folder}: holds no picture ({', '.join(images.FORMATS)})")
    return found


def _fitting(
    result: Path, several: Sequence[Path], fits: Callable[[str, str], bool], role: str
) -> Path:
    """The picture whose name the result's has; of `a` and `a_b` the longer."""
    found = [path for path in several if fits(result.stem, path.stem)]
    longest = max((len(path.stem) for path in found), default=0)
    found = [path for path in found if len(path.stem) == longest]
    if len(several) == 1 and not found:
        return several[0]
    if len(found) != 1:
        where = "begins" if role == "content" else "ends"
        raise InputError(
            f"{result}: its name {where} with that of {'several' if found else 'no'} {role}"
            f"{'s' * bool(found)} in {several[0].parent}; give a CSV of the pairs"
        )
    return found[0]


def parse_size(text: str) -> int | tuple[int, int]:
    """`512`, the long side, or `256x256`, width and height; InputError for anything else."""
    whole = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text)
    if not whole or min(int(each) for each in whole.groups() if each) < 2:
        raise InputError(f"--size {text}: give the long side, 512, or both sides, 256x256")
    return (int(whole[1]), int(whole[2])) if whole[2] else int(whole[1])
