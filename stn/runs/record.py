"""Runs that were made: read one, find those below a folder, order them."""

import csv
import functools
import io
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from stn import assets, config, files, images
from stn.assets import pictures
from stn.config import dotted
from stn.errors import InputError
from stn.images import resizing

PROVENANCE, SUMMARY, METRICS, PICTURE = (
    "provenance.json",
    "summary.json",
    "metrics.csv",
    "image.png",
)
MIXED = "style"  # the run that made the style picture of two paintings, in the directory of its own
UNCOLORED = "uncolored.png"  # the result before color= changed it
FILES = (SUMMARY, METRICS, PICTURE, UNCOLORED)  # what tells of a run that was made
EXPERIMENT = "cell"  # the axis of an experiment: its cells' names
TRIALS = "match_trials"  # runs on the way to a measure's value, in the directory of the run
LOCK = ".lock"  # held by the process that runs, and removed at its end unless that is kill -9
FAILED = "failed.json"  # of a sweep's cell that ended with an error: why, and what was asked for


# Bytes; ours: a run's own have a thousandth of it.
JSON_MAX, METRICS_MAX = 2**26, 2**30


class SweepCell(NamedTuple):
    """What a run is in a sweep: the sweep's name, which groups its runs in W&B, and what it varies,
    with this run's values as typed.
    """

    sweep: str
    axes: Mapping[str, str]


class Run:
    """One run directory; each file is read when it is first asked for.

    A file that is missing or damaged counts as empty, so that a report can list what is left;
    `check` refuses the run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @functools.cached_property
    def provenance(self) -> Mapping[str, Any]:
        """Where the run came from: its settings, versions, checksums."""
        return _or_empty(read_json, self.path / PROVENANCE)

    @functools.cached_property
    def summary(self) -> Mapping[str, Any]:
        """The last numbers of a finished run."""
        return _or_empty(read_json, self.path / SUMMARY)

    @functools.cached_property
    def failure(self) -> Mapping[str, Any]:
        """Why the last try of a sweep's cell ended with an error; empty if it did not."""
        return _or_empty(read_json, self.path / FAILED)

    @functools.cached_property
    def metrics(self) -> Mapping[str, np.ndarray]:
        """The columns [evaluations] of metrics.csv by name."""
        return _or_empty(read_metrics, self.path / METRICS)

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """The whole configuration, as nested dictionaries."""
        return self.part("config")

    @functools.cached_property
    def flat(self) -> dict[str, Any]:
        """The settings by dotted keys, `objective.style_weight`."""
        return config.flat(self.settings)

    def part(self, name: str) -> dict[str, Any]:
        """A part of provenance.json, such as "versions"; empty if it is missing or damaged."""
        found = self.provenance.get(name)
        return found if isinstance(found, dict) else {}

    @property
    def inputs(self) -> dict[str, Any]:
        """The checksums of the weights and the pictures, by the keys that name them."""
        return self.part("inputs_sha256")

    @property
    def threads(self) -> int | None:
        """The threads that the run began with; None if it does not say."""
        found = (self.part(name).get("threads") for name in ("machine", "config"))
        return next((each for each in found if isinstance(each, int)), None)

    @property
    def axes(self) -> dict[str, str]:
        """What its sweep varied, with this run's values as they were typed.

        Empty for a single run, and for an experiment's, whose cells have names of their own."""
        found = self.provenance.get("axes", self.failure.get("axes"))
        known = isinstance(found, dict) and EXPERIMENT not in found
        return {str(key): str(value) for key, value in found.items()} if known else {}

    @property
    def overrides(self) -> list[str]:
        """What was typed for a cell that failed before it had settings."""
        found = self.failure.get("overrides", [])
        return [str(each) for each in found] if isinstance(found, list) else []

    @property
    def state(self) -> Literal["finished", "failed", "unfinished"]:
        """Finished is a run with a summary, which is written last; one whose summary is damaged has
        to be run again.
        """
        if self.summary:
            return "finished"
        return "failed" if self.failure else "unfinished"

    def suffices(self, settings: Mapping[str, Any]) -> bool:
        """Whether the run is finished, and did not end for want of a larger budget, which
        `settings` give it now.
        """
        wanting = self.summary.get("stop_reason") == "max_evaluations" and dotted.raised(
            self.settings, settings
        )
        return self.state == "finished" and not wanting

    @property
    def rgb(self) -> np.ndarray:
        """The result, `rgb` [h, w, 3] 0-255; InputError if there is no readable picture.

        It is read each time, since the pictures of a whole sweep would fill the memory.
        """
        return images.read(self.path / PICTURE)

    def picture(self, role: str) -> Any:
        """The `content` or the `style` picture at the size that the run gave it, `rgb`; None if it
        had none.
        """
        if self.settings[role]["path"] is None:
            return None
        rgb = images.read(assets.locate_image(self.settings[role]["path"]))
        image = config.Image(**self.settings["image"])
        shape: Any = image.shape or pictures.shape_of(rgb, image)
        if role == "style":
            times, size = self.settings[role]["scale"], self.settings[role]["size"]
            shape = pictures.style_shape(rgb, times, size, image, lambda: self.rgb.shape[:2])
        return resizing.resize(rgb, shape[0], shape[1], image.filter)

    def check(self) -> "Run":
        """Give the run itself if it is finished and whole; else InputError, which names the missing
        or damaged file.
        """
        for read, name in ((read_json, PROVENANCE), (read_json, SUMMARY), (read_metrics, METRICS)):
            if not read(self.path / name):
                raise InputError(f"{self.path / name}: damaged (it is empty)")
        if not self.settings:
            raise InputError(f"{self.path / PROVENANCE}: damaged (it holds no configuration)")
        _ = self.rgb
        return self


def below(folder: Path) -> list[Run]:
    """Every run in `folder` and below, in natural order, but for what W&B keeps, what mixed
    another run's style, and trials.
    """
    paths = set()
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in ("wandb", TRIALS)]
        if PROVENANCE in names or FAILED in names:  # a cell refused at once leaves only the second
            paths.add(Path(path).relative_to(folder))
    outer = [path for path in paths if not (path.name == MIXED and path.parent in paths)]
    return [Run(folder / path) for path in sorted(outer, key=natural)]


def natural(path: Path) -> list[list[int | str]]:
    """A key to sort paths by, in which numbers count as numbers: seed-2 comes before seed-10."""
    # Text and numbers alternate, text first and perhaps empty, so that like is compared with like.
    return [
        [int(piece) if i % 2 else piece for i, piece in enumerate(re.split(r"(\d+)", part))]
        for part in path.parts
    ]


def best_so_far(metrics: Mapping[str, np.ndarray]) -> np.ndarray:
    """For each row of metrics.csv the number of the row with the lowest total loss up to it,
    [rows], anew at each level of a pyramid.
    """
    total = metrics["loss/total"].tolist()
    level = metrics.get("level", np.zeros(len(total))).tolist()
    rows, best = np.zeros(len(total), int), 0
    for row, value in enumerate(total):
        if value < total[best] or np.isnan(total[best]) or level[row] != level[best]:
            best = row
        rows[row] = best
    return rows


def read_json(path: Path) -> dict[str, Any]:
    """An object from a JSON file; InputError, which names the file, if it is missing or damaged."""
    try:
        value = json.loads(files.read_text(path, JSON_MAX))
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: damaged (it holds no JSON object)")
    return value


def read_metrics(path: Path) -> dict[str, np.ndarray]:
    """The columns [rows] of a metrics.csv by name, none if no evaluation was made; InputError as
    `read_json`.
    """
    try:
        text = io.StringIO(files.read_text(path, METRICS_MAX), newline="")
        header, *lines = list(csv.reader(text)) or [[]]
        if any(len(line) != len(header) for line in lines):
            raise ValueError("a row is shorter or longer than the first")
        columns = np.array(lines, dtype=float).reshape(len(lines), len(header)).T
    except (OSError, ValueError, csv.Error) as error:
        raise _unreadable(path, error) from error
    return dict(zip(header, columns, strict=True))


def _or_empty(read: Callable[[Path], dict[str, Any]], path: Path) -> dict[str, Any]:
    try:
        return read(path)
    except InputError:
        return {}


def _unreadable(path: Path, error: Exception) -> InputError:
    why = error.strerror if isinstance(error, OSError) else f"damaged ({error})"
    return InputError(f"{path}: {why}")
