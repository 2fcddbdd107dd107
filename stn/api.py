"""`stn.stylize`: one run from Python, on files or arrays, in a notebook or a program."""

import dataclasses
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from stn import assets, command_line, config, images
from stn.assets import inputs, pictures
from stn.config import names, overrides
from stn.errors import InputError, Interrupted
from stn.metrics import learned

if TYPE_CHECKING:
    from stn.transfer.result import Result

# Keys of the command that have another form here, and which.
ELSEWHERE = {
    "content.path": "give the picture as the first argument",
    "style.path": "give the picture as the second argument",
    "output": "use save(FILE) of the result",
    "view": "leave it out; `python scripts/report.py DIRECTORY --live` shows the run while it goes",
    "figures": "leave it out; `python scripts/report.py DIRECTORY` shows before, after and curves",
}


def stylize(
    content: Any,
    style: Any,
    preset: str = "default",
    *,
    directory: str | Path | None = None,
    **settings: Any,
) -> "Result":
    """Paint `content` as `style` is painted: what `scripts/stylize.py preset=…` does, from Python.

    `content`, `style`: a file, as the command takes it (also "skimage:chelsea.png" or
    "asset:FILE"), an array, or a Pillow image. An array is RGB, [h, w, 3], of uint8, or of floats
    in 0-1 or 0-255: 0-1 unless one is above 2. `content=None`: none. `settings`: the command's
    overrides, two underscores in place of a dot: `network="vgg19_q8"`, `seed=1`,
    `image__size_px=256`, `objective__style_layers=["relu1_1", "relu2_1"]`; where one is a picture,
    an array will do. W&B is off unless `tracking` is among them. `directory`: where the run leaves
    what the command leaves; the same call resumes there if it was interrupted, and only reads the
    picture if it is finished. Without one nothing is kept: the run has a temporary directory, which
    is removed at its end.

    Raises InputError, with the command's one line, for what the caller can correct; Interrupted
    after Ctrl-C, or the notebook's stop button."""
    typed = {key.replace("__", "."): value for key, value in settings.items()}
    _check_keys(typed, directory)
    if not any(key.partition(".")[0] == "tracking" for key in typed):
        typed["tracking"] = "off"
    arrays: dict[str, pictures.Picture] = {}
    given = _taken_out("", {"preset": preset, **typed}, arrays)
    given["content.path"] = None if content is None else _path("content", content, arrays)
    given["style.path"] = _path("style", style, arrays)
    composed = config.compose(*(f"{key}={overrides.text(value)}" for key, value in given.items()))
    typed_keys = [f"{key}=" for key in ("content", "style", *typed)]
    inputs.prepare([(composed, typed_keys)], in_memory=arrays)
    from stn import transfer  # after the checks: TensorFlow takes seconds to import

    if directory is not None:
        return transfer.run(composed, Path(directory), arrays=arrays)
    composed.tracking.progress_every = 0
    with tempfile.TemporaryDirectory(prefix="stn-") as folder:
        try:
            made = transfer.run(composed, Path(folder), arrays=arrays)
        except Interrupted as end:
            kept = (
                "nothing of it is kept; with directory=FOLDER the best picture is, and the same"
                " call resumes"
            )
            raise Interrupted(f"interrupted: {kept}", end.exit_code) from None
    return dataclasses.replace(made, run_dir=None)


def measure(
    content: Any,
    style: Any,
    result: Any,
    *,
    network: str | Path = "vgg19_q8",
    size: int | tuple[int, int] | None = None,
    metrics: Sequence[str] = (),
) -> dict[str, float]:
    """Our measures of any program's picture, and numbers that papers print
    (docs/reference/measures.md).

    `content`, `style`, `result`: files, arrays or Pillow images, as `stylize` takes them;
    `content=None`: none. `network`: vgg19_q8, vgg19, vgg16 or a .mat file. `size`: the result's
    long side, or (width, height) to which all three are stretched; as it is without one.
    `metrics=["lpips"]` adds LPIPS, by the extra `stn[metrics]`; its network, 244 MB, is fetched
    once. ArtFID is of sets of pictures, which `scripts/measure.py` measures.

    Raises InputError for a picture that cannot be read, and for a content of another aspect.
    """
    if isinstance(metrics, str):
        metrics = [metrics]
    learned.check(metrics)
    if "artfid" in metrics:
        raise InputError(
            "metrics=artfid: is of sets of pictures, and here is one; measure folders with"
            f" `{command_line.program('measure')} CONTENTS STYLES RESULTS --metrics artfid`"
        )
    learned.prepare(metrics)
    from stn.transfer import measuring  # TensorFlow takes seconds to import

    photograph = None if content is None else _rgb("content", content)
    painting, picture = _rgb("style", style), _rgb("result", result)
    sized = measuring.of_one_size(picture, photograph, painting, size)
    return measuring.numbers(sized, *measuring.networks(network), metrics)


def _rgb(name: str, picture: Any) -> np.ndarray:
    if isinstance(picture, str | os.PathLike):
        return images.read(assets.locate_image(os.fspath(picture)))
    return images.over_white(*images.from_memory(name, picture))


def _path(key: str, picture: Any, arrays: dict[str, pictures.Picture]) -> str:
    """What stands in the settings for a picture, which goes to `arrays` if it is no file."""
    if isinstance(picture, str | os.PathLike):
        return os.fspath(picture)
    arrays[key] = images.from_memory(key, picture)
    return pictures.ARRAY


def _taken_out(key: str, value: Any, arrays: dict[str, pictures.Picture]) -> Any:
    """Settings with ARRAY in place of every picture that is in memory, as in `more_styles=[{"path":
    painting}]`.
    """
    if isinstance(value, Mapping):
        return {
            name: _taken_out(f"{key}.{name}".lstrip("."), below, arrays)
            for name, below in value.items()
        }
    if isinstance(value, list | tuple):
        return [_taken_out(f"{key}[{number}]", below, arrays) for number, below in enumerate(value)]
    if isinstance(value, Image.Image) or np.ndim(value) > 1:
        return _path(key.removesuffix(".path"), value, arrays)  # the keys of `inputs.pictures`
    return value


def _check_keys(typed: dict[str, Any], directory: str | Path | None) -> None:
    for key in typed:
        group = key.partition(".")[0].partition("/")[0]
        if key in ELSEWHERE:
            raise InputError(f"{key}: {command_line.told(ELSEWHERE[key])}")
        if group == "hydra":
            raise InputError(
                f"{key}: is the command's; here the run goes to directory=FOLDER, and a sweep is a"
                " loop"
            )
        if group == "tracking" and typed[key] != "off" and directory is None:
            raise InputError(
                f"{key}: W&B and progress pictures need a place; give directory=FOLDER"
            )
        names.check_setting(key, typed[key], python=True)
