"""One HTML page over any tree of run directories: table, pictures, before and after, curves, commands."""

import base64
import csv
import functools
import io
import json
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from PIL import Image

from stn import assets, config, files, images, resizing, sweeps
from stn.errors import InputError

TEMPLATE = Path(__file__).with_name("report.html")
CURVE_POINTS = 300  # of one run; more cannot be told apart at the width of the page
SHOWN = ("loss/total", "loss/content", "loss/style", "loss/smoothness", "evaluations", "seconds", "stop_reason")


def write(directory: Path, path: Path, max_px: int = 512) -> int:
    """Write the page over every run below `directory` to `path`, and give the number of runs.

    Pictures are embedded as JPEG, no side above `max_px`. A run that did not finish, or cannot be read, is listed with
    what is known of it. Raises InputError where there is no run at all.
    """
    found = sorted(_run_directories(directory), key=_natural)
    if not found:
        raise InputError(f"{directory}: holds no run (a directory with provenance.json)")
    pictures: dict[str, str] = {}
    runs = [_run(run_dir, directory, pictures, max_px) for run_dir in found]
    for run, chosen in zip(runs, parameters([run.pop("config") for run in runs]), strict=True):
        run["parameters"] = chosen
    measures = [key for key in dict.fromkeys(key for run in runs for key in run["results"]) if key not in SHOWN]
    page = {
        "title": directory.resolve().name,
        "parameters": list(dict.fromkeys(key for run in runs for key in run["parameters"])),
        "results": [*(key for key in SHOWN if any(run["results"].get(key) for run in runs)), *measures],
        "runs": runs,
        "pictures": pictures,
    }
    # Inside a script element only `<` can end the data.
    data = json.dumps(page, allow_nan=False).replace("<", "\\u003c")
    files.write_text(path, TEMPLATE.read_text(encoding="utf-8").replace("{{data}}", data))
    return len(runs)


def parameters(configs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each run's settings those in which not all runs agree, in short forms; none for a run without settings."""
    keys, flats = _differing(configs), [_flat(settings) for settings in configs]
    return [{key: _shown(flat[key]) for key in keys if key in flat} for flat in flats]


def overrides_of(settings: dict[str, Any]) -> list[str]:
    """The overrides of scripts/stylize.py that make these settings: the preset, then whatever differs from it."""
    preset = settings.get("name", "custom")
    start, base = _base(preset)
    flat, known = _flat(settings), _flat(base)
    return [*start, *(f"{key}={_grammar(value)}" for key, value in flat.items() if known.get(key) != value)]


def command(settings: dict[str, Any]) -> str:
    """The shell command that makes this run again."""
    inert = set(config.INERT_KEYS)
    kept = [text for text in overrides_of(settings) if text.partition("=")[0].split(".")[0] not in inert]
    return shlex.join(["python", "scripts/stylize.py", *kept])


@functools.cache
def _base(preset: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    for start in ((f"preset={preset}",), ()):
        try:
            return start, config.to_dict(config.compose(*start))
        except (HydraException, OmegaConfBaseException, InputError):
            continue  # not a preset (`custom`, or one that has gone since)
    raise InputError("the default configuration cannot be composed")


def _run_directories(directory: Path) -> Iterable[Path]:
    marks = ("provenance.json", sweeps.FAILED)
    return {
        path.parent
        for mark in marks
        for path in directory.rglob(mark)
        if "wandb" not in path.relative_to(directory).parts
    }


def _natural(path: Path) -> list[tuple[int, int | str]]:
    """Sorts 2 before 10."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in path.parts]


def _run(run_dir: Path, root: Path, pictures: dict[str, str], max_px: int) -> dict[str, Any]:
    provenance, summary, failed = (_json(run_dir / name) for name in ("provenance.json", "summary.json", sweeps.FAILED))
    settings = provenance.get("config") or failed.get("config") or {}
    rows = _metrics(run_dir / "metrics.csv")
    if summary:
        state, reason = "finished", ""
    elif failed:
        state, reason = "failed", str(failed.get("error", ""))
    else:
        state, reason = "unfinished", f"{len(rows)} of {_budget(settings)} evaluations"
    results = {key: value for key, value in summary.items() if key in SHOWN or key.startswith("measures")}
    results = {name: value for key, value in results.items() for name, value in _flat({key: value}, "/").items()}
    after = _embed(run_dir / "image.png", pictures, max_px)
    before = _before(run_dir, settings, provenance, pictures, max_px)
    if failed and not settings:
        again = shlex.join(["python", "scripts/stylize.py", *map(str, failed.get("overrides", []))])
    else:
        again = command(settings) if settings else ""
    return {
        "name": str(run_dir.relative_to(root)) if run_dir != root else run_dir.resolve().name,
        "state": state,
        "reason": reason,
        "results": {key: _finite(value) for key, value in results.items()},
        "curve": _curve(rows),
        "after": after,
        "before": before,
        "command": again,
        "config": settings,
    }


def _before(
    run_dir: Path, settings: dict[str, Any], provenance: dict[str, Any], pictures: dict[str, str], max_px: int
) -> str | None:
    """The content picture, if it is at hand and unchanged; else the first progress picture."""
    try:
        path = assets.locate_image(settings["content"]["path"])
        if path.is_file() and files.sha256(path) == provenance["inputs_sha256"]["content"]:
            return _embed(path, pictures, max_px)
    except (KeyError, TypeError, InputError, OSError):
        pass
    progress = sorted((run_dir / "progress").glob("*.png"))
    return _embed(progress[0], pictures, max_px) if progress else None


def _embed(path: Path, pictures: dict[str, str], max_px: int) -> str | None:
    """Put the picture among the page's, once, and give its key; None where there is no readable picture."""
    if not path.is_file():
        return None
    key = files.sha256(path)[:16]
    if key not in pictures:
        try:
            rgb = images.read(path)
        except InputError:
            return None
        scale = min(1.0, max_px / max(rgb.shape[:2]))
        if scale < 1:
            rgb = resizing.resize(rgb, *(max(1, round(side * scale)) for side in rgb.shape[:2]))
        data = io.BytesIO()
        Image.fromarray(np.clip(np.rint(rgb), 0, 255).astype(np.uint8)).save(data, "JPEG", quality=92, subsampling=0)
        pictures[key] = "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()
    return key


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _metrics(path: Path) -> list[dict[str, float]]:
    try:
        with path.open(newline="") as file:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError):
        return []


def _curve(rows: Sequence[dict[str, float]]) -> dict[str, list[Any]]:
    """The loss columns over the evaluations and the seconds, thinned out to CURVE_POINTS with both ends kept."""
    if not rows:
        return {}
    kept = sorted({round(i) for i in np.linspace(0, len(rows) - 1, min(len(rows), CURVE_POINTS))})
    names = [name for name in rows[0] if name in ("evaluation", "seconds") or name.startswith("loss/")]
    return {name: [_finite(rows[i][name]) for i in kept] for name in names}


def _budget(settings: dict[str, Any]) -> Any:
    try:
        levels = settings["pyramid"]["levels"]
        return settings["optimizer"]["max_evaluations"] + sum(level["max_evaluations"] for level in levels)
    except (KeyError, TypeError):
        return "?"


def _differing(configs: Sequence[dict[str, Any]]) -> list[str]:
    """The keys of which not all runs have the same value; the preset's name is left out if it is the same."""
    flats = [_flat(settings) for settings in configs if settings]
    keys = dict.fromkeys(key for flat in flats for key in flat)
    inert = set(config.INERT_KEYS) - {"name"}
    return [
        key
        for key in keys
        if key.split(".")[0] not in inert and len({json.dumps(flat.get(key), sort_keys=True) for flat in flats}) > 1
    ]


def _flat(value: Any, separator: str = ".", key: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {key: value}
    return {
        name: leaf
        for part, below in value.items()
        for name, leaf in _flat(below, separator, f"{key}{separator}{part}" if key else str(part)).items()
    }


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


def _grammar(value: Any) -> str:
    """A value in Hydra's override grammar."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return "[" + ",".join(_grammar(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_grammar(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str):
        if re.fullmatch(r"[A-Za-z_/][\w./:-]*", value) and value.lower() not in ("null", "true", "false", "nan", "inf"):
            return value
        return "'" + value.replace("\\'", "\\\\'").replace("'", "\\'") + "'"
    return repr(value)
