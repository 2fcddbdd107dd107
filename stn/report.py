"""One HTML page over any tree of run directories: table, pictures, before and after, curves, commands."""

import base64
import functools
import io
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from PIL import Image

from stn import assets, config, files, images, overrides, resizing, runs
from stn.errors import InputError

TEMPLATE = Path(__file__).with_name("report.html")
CURVE_POINTS = 300  # of one run; more cannot be told apart at the width of the page
LOSSES = ("loss/total", "loss/content", "loss/style", "loss/smoothness")
# The picture's own losses come first: the optimizer's are of an image that may leave 0-255.
SHOWN = (
    *(f"picture/{key}" for key in LOSSES),
    *("picture/clipped_share", *LOSSES, "evaluations", "seconds", "stop_reason"),
)


def write(directory: Path, path: Path, max_px: int = 512) -> int:
    """Write the page over every run below `directory` to `path`, and give the number of runs.

    Pictures are embedded as JPEG, no side above `max_px`. A run that did not finish, or cannot be read, is listed with
    what is known of it. Raises InputError where there is no run at all.
    """
    found = runs.below(directory)
    if not found:
        raise InputError(f"{directory}: holds no run (a directory with provenance.json)")
    pictures: dict[str, str] = {}
    listed = [_listed(run, directory, pictures, max_px) for run in found]
    for run, chosen in zip(listed, parameters(found), strict=True):
        run["parameters"] = chosen
    measures = [key for key in dict.fromkeys(key for run in listed for key in run["results"]) if key not in SHOWN]
    page = {
        "title": directory.resolve().name,
        "parameters": list(dict.fromkeys(key for run in listed for key in run["parameters"])),
        "results": [*(key for key in SHOWN if any(run["results"].get(key) for run in listed)), *measures],
        "runs": listed,
        "pictures": pictures,
    }
    # Inside a script element only `<` can end the data.
    data = json.dumps(page, allow_nan=False).replace("<", "\\u003c")
    files.write_text(path, TEMPLATE.read_text(encoding="utf-8").replace("{{data}}", data))
    return len(listed)


def parameters(several: Sequence[runs.Run]) -> list[dict[str, Any]]:
    """Of each run's settings those in which not all runs agree, in short forms; none for a run without settings."""
    known = [run.settings for run in several if run.settings]
    # The preset's name changes no pixel, but is what a reader calls its runs by.
    named = ["name"] if len({str(settings.get("name")) for settings in known}) > 1 else []
    keys, flats = [*named, *runs.differing(known)], [runs.flat(run.settings) for run in several]
    return [{key: _shown(flat[key]) for key in keys if key in flat} for flat in flats]


def overrides_of(settings: dict[str, Any]) -> list[str]:
    """The overrides of scripts/stylize.py that make these settings: the preset, then whatever differs from it."""
    preset = str(settings.get("name", "custom"))
    start, base = _base(preset)
    flat, known = runs.flat(settings), runs.flat(base)
    return [*start, *(f"{key}={overrides.text(value)}" for key, value in flat.items() if known.get(key) != value)]


def command(settings: dict[str, Any]) -> str:
    """The shell command that makes this run again."""
    kept = [text for text in overrides_of(settings) if not runs.inert(text.partition("=")[0])]
    return shlex.join(["python", "scripts/stylize.py", *kept])


@functools.cache
def _base(preset: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    for start in ((f"preset={preset}",), ()):
        try:
            return start, config.to_dict(config.compose(*start))
        except (HydraException, OmegaConfBaseException, InputError):
            continue  # not a preset (`custom`, or one that has gone since)
    raise InputError("the default configuration cannot be composed")


def _listed(run: runs.Run, root: Path, pictures: dict[str, str], max_px: int) -> dict[str, Any]:
    """One run as the page has it."""
    results = {key: value for key, value in run.summary.items() if key in SHOWN or key.startswith("measures/")}
    return {
        "name": str(run.path.relative_to(root)) if run.path != root else run.path.resolve().name,
        "state": run.state,
        "reason": _reason(run),
        "results": {key: _finite(value) for key, value in results.items()},
        "curve": _curve(run.metrics),
        "after": _embed(run.path / runs.PICTURE, pictures, max_px),
        "before": _before(run, pictures, max_px),
        "command": _again(run),
    }


def _reason(run: runs.Run) -> str:
    """Why there is no result."""
    if run.state == "finished":
        return ""
    if run.state == "failed":
        return str(run.failure.get("error", ""))
    return f"{len(run.metrics.get('evaluation', ()))} of {_budget(run.settings)} evaluations"


def _again(run: runs.Run) -> str:
    """The command that makes the run; of a cell refused at once only its overrides are known."""
    if run.settings:
        return command(run.settings)
    if run.failure:
        return shlex.join(["python", "scripts/stylize.py", *map(str, run.failure.get("overrides", []))])
    return ""


def _before(run: runs.Run, pictures: dict[str, str], max_px: int) -> str | None:
    """The content picture, if it is at hand and unchanged; else the first progress picture."""
    try:
        path = assets.locate_image(run.settings["content"]["path"])
        if path.is_file() and files.sha256(path) == run.provenance["inputs_sha256"]["content"]:
            return _embed(path, pictures, max_px)
    except (KeyError, TypeError, InputError, OSError):
        pass
    progress = sorted((run.path / "progress").glob("*.png"))
    return _embed(progress[0], pictures, max_px) if progress else None


def _embed(path: Path, pictures: dict[str, str], max_px: int) -> str | None:
    """Put the picture among the page's, once, and give its key; None where there is no readable picture."""
    try:
        key = files.sha256(path)[:16]
    except OSError:
        return None
    if key not in pictures:
        try:
            rgb = images.read(path)
        except InputError:
            return None
        scale = min(1.0, max_px / max(rgb.shape[:2]))
        if scale < 1:
            rgb = resizing.resize(rgb, *(max(1, round(side * scale)) for side in rgb.shape[:2]))
        data = io.BytesIO()
        Image.fromarray(images.to_bytes(rgb)).save(data, "JPEG", quality=92, subsampling=0)
        pictures[key] = "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()
    return key


def _curve(metrics: Mapping[str, np.ndarray]) -> dict[str, list[Any]]:
    """The loss columns over the evaluations and the seconds, thinned out to CURVE_POINTS with both ends kept."""
    curve: dict[str, list[Any]] = {}
    for name, column in metrics.items():
        if len(column) and (name in ("evaluation", "seconds") or name.startswith("loss/")):
            kept = np.unique(np.linspace(0, len(column) - 1, min(len(column), CURVE_POINTS)).round().astype(int))
            curve[name] = [_finite(value) for value in column[kept].tolist()]
    return curve


def _budget(settings: dict[str, Any]) -> Any:
    try:
        levels = settings["pyramid"]["levels"]
        return settings["optimizer"]["max_evaluations"] + sum(level["max_evaluations"] for level in levels)
    except (KeyError, TypeError):
        return "?"


def _shown(value: Any) -> Any:
    """A setting as the table shows it: numbers stay numbers, layer lists and paths become short."""
    if isinstance(value, list) and value and all(isinstance(item, dict) and "layer" in item for item in value):
        equal = len({item["weight"] for item in value}) == 1
        return ", ".join(item["layer"] if equal else f"{item['layer']} × {item['weight']:g}" for item in value)
    if isinstance(value, str):
        return Path(value.partition(":")[2] or value).stem if "/" in value or ":" in value else value
    if value is None or isinstance(value, bool | list | dict):
        return json.dumps(value)
    return _finite(value)


def _finite(value: Any) -> Any:
    """JSON has no NaN."""
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value
