"""One HTML page over any tree of run directories, or of two: pictures, groups over seeds, trade-off
curves, losses, tables.
"""

import base64
import functools
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from stn import assets, config, files, images, runs
from stn.analysis import comparison, figures, grouping, sweep_tables, tables
from stn.config import overrides
from stn.errors import InputError
from stn.images import resizing
from stn.report import progress
from stn.runs import axes
from stn.sweeps import cells

PAGE = Path(__file__).with_name("web")
CURVE_POINTS = 300  # of one run; more cannot be told apart at the width of the page
ALL_POINTS = 30_000  # of all runs together, so that a page of hundreds opens at once
SHOWN = (*grouping.RESULTS, "stop_reason")

# Stores a picture for the page and gives its key; None if it cannot be read.
Keep = Callable[[Path], str | None]
List = Callable[[str, runs.Run, Keep, int], dict[str, Any]]  # as `list_run`
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def write(directory: Path, path: Path, max_px: int = 512) -> int:
    """Write the page over every run below `directory` to `path`, and return the number of runs.

    Pictures are embedded as JPEG, no side above `max_px`. A run that did not finish is listed with
    what is known of it; so is a cell of a sweep that left nothing. Raises InputError where there is
    no run at all."""
    found = below(directory)
    embedded = EmbeddedPictures(max_px)
    named = {sweep_tables.name_of(run, directory): run for run in found}
    page = collect(directory.resolve().name, named, embedded.keep)
    add_cells(page, directory, found, cells.missing(directory))
    files.write_text(path, html(page | {"pictures": embedded.pictures}))
    return len(found)


def write_comparison(first: runs.Run, second: runs.Run, path: Path, max_px: int = 512) -> None:
    """Write the page of two runs to `path`, with their differences in settings, results, pictures.

    `max_px` as of `write`."""
    embedded = EmbeddedPictures(max_px)
    named = {str(run.path): run for run in (first, second)}
    page = collect(" and ".join(named), named, embedded.keep)
    rgb, note = comparison.difference(first, second)
    page["comparison"] = {
        "picture": None if rgb is None else embedded.add("difference", rgb),
        "note": note,
        "rows": comparison.rows(first, second),
    }
    files.write_text(path, html(page | {"pictures": embedded.pictures}))


class EmbeddedPictures:
    """JPEGs inside the page, no side above `max_px`; equal files are stored once."""

    def __init__(self, max_px: int) -> None:
        self.pictures: dict[str, str] = {}
        self._max_px = max_px

    def keep(self, path: Path) -> str | None:
        """Embed a file, by its checksum."""
        try:
            key = files.sha256(path)[:16]
            return key if key in self.pictures else self.add(key, images.read(path))
        except (OSError, InputError):
            return None

    def add(self, key: str, rgb: np.ndarray) -> str:
        """Embed `rgb` [h, w, 3] 0-255 and give its key."""
        self.pictures[key] = (
            "data:image/jpeg;base64," + base64.b64encode(jpeg(rgb, self._max_px)).decode()
        )
        return key


def jpeg(rgb: np.ndarray, max_px: int) -> bytes:
    """`rgb` [h, w, 3] 0-255 as the page has it: a JPEG, no side above `max_px`."""
    scale = min(1.0, max_px / max(rgb.shape[:2]))
    if scale < 1:
        rgb = resizing.resize(rgb, *(max(1, round(side * scale)) for side in rgb.shape[:2]))
    data = io.BytesIO()
    Image.fromarray(images.to_bytes(rgb)).save(data, "JPEG", quality=92, subsampling=0)
    return data.getvalue()


def below(directory: Path) -> list[runs.Run]:
    """Every run below `directory`; InputError if there is none."""
    found = runs.below(directory)
    if not found:
        raise InputError(f"{directory}: holds no run (a directory with provenance.json)")
    return found


def collect(
    title: str, named: Mapping[str, runs.Run], keep: Keep, listed: List | None = None
) -> dict[str, Any]:
    """What the page shows of these runs, as plain values; pictures by the keys that `keep` gave.

    `listed` may take the place of `list_run` with what it remembers of a run."""
    found = list(named.values())
    points = min(CURVE_POINTS, max(50, ALL_POINTS // max(1, len(found))))
    chosen = runs.parameters(found)
    shown = [(listed or list_run)(name, run, keep, points) for name, run in named.items()]
    shown = [run | {"parameters": own} for run, own in zip(shown, chosen, strict=True)]
    parameters = list(dict.fromkeys(key for own in chosen for key in own))
    results = grouping.results(found)
    return {
        "title": title,
        "notes": grouping.not_comparable(found),
        "parameters": parameters,
        "main": sweep_tables.main_results(found),
        "results": results + ["stop_reason"] * any(run.summary.get("stop_reason") for run in found),
        "headings": _differing({key: tables.heading(key) for key in (*parameters, *results)}),
        "titles": _differing({key: tables.titled(key) for key in results}),
        "runs": shown,
        **_grouped(named, [*results, *parameters]),
        "effects": _effects(found),
    }


def add_cells(
    page: dict[str, Any],
    root: Path,
    found: Sequence[runs.Run],
    missing: Mapping[str, Sequence[str]],
) -> None:
    """Say of the runs found below `root` which are there twice, and add the `missing` cells."""
    repeated = cells.twice(found)
    for listed, run in zip(page["runs"], found, strict=True):
        if run.path in repeated:
            listed["reason"] = f"the same settings as {repeated[run.path].relative_to(root)}"
    page["runs"] += [
        _missing(name, overrides, page["parameters"]) for name, overrides in missing.items()
    ]


def html(page: Mapping[str, Any] | None, policy: str = POLICY) -> str:
    """The page as one file; without data it asks its server for them.

    `policy` is its Content-Security-Policy: what the browser may load."""
    # Inside a script element only `<` can end the data.
    data = json.dumps(page, allow_nan=False).replace("<", "\\u003c")
    script = "".join(_part(name) for name in ("runs.js", "live.js", "charts.js"))
    parts = {"style": _part("report.css"), "data": data, "script": script, "policy": policy}
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _part("report.html"))


def _part(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def _grouped(named: Mapping[str, runs.Run], columns: Sequence[str]) -> dict[str, Any]:
    """The groups over seeds, the columns for both axes, and what connects the groups to curves."""
    names = {id(run): name for name, run in named.items()}
    groups = grouping.over_seeds(named.values())
    place = {id(group): index for index, group in enumerate(groups)}
    estimates = [
        {key: known for key in columns if (known := group.estimate(key))} for group in groups
    ]
    keys = dict.fromkeys(key for group in groups for key in group.parameters)
    curves = {by: grouping.connected(groups, by or None) for by in ("", *keys)}
    return {
        "groups": [
            {
                "runs": [names[id(run)] for run in group.runs],
                "parameters": group.parameters,
                "yardstick": ", ".join(group.yardstick),
                "estimates": {
                    key: [
                        known.mean,
                        _known(known.deviation),
                        known.seeds,
                        sweep_tables.estimated(known),
                    ]
                    for key, known in each.items()
                },
            }
            for group, each in zip(groups, estimates, strict=True)
        ],
        "best": {key: found for key in columns if (found := sweep_tables.best_of(groups, key))},
        "axes": [key for key in columns if any(key in each for each in estimates)],
        "by": grouping.swept(groups) or "",
        "curves": {
            by: {label: [place[id(group)] for group in each] for label, each in lines.items()}
            for by, lines in curves.items()
        },
        "fewest": figures.FEWEST,
    }


def _effects(found: Sequence[runs.Run]) -> dict[str, Any]:
    """The table of effects of each axis that is no picture and no seed, with its notes."""
    groups = grouping.over_seeds(found)
    columns = [key for key in sweep_tables.main_results(found) if key != "seconds"]
    keys = dict.fromkeys(key for group in groups for key in group.parameters)
    shown = {}
    for axis in keys:
        if axis.partition(".")[0] in ("content", "style") or not columns:
            continue
        rows, notes = sweep_tables.of_effects(groups, axis, columns)
        if len(rows) > 1:
            bold = [[isinstance(cell, tables.Bold) for cell in row] for row in rows]
            shown[axis] = {"rows": rows, "bold": bold, "notes": notes}
    return shown


def _differing(named: Mapping[str, str]) -> dict[str, str]:
    """Those that are not called by their key."""
    return {key: text for key, text in named.items() if text != key}


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def list_run(name: str, run: runs.Run, keep: Keep, points: int) -> dict[str, Any]:
    """One run as the page has it; curves have at most `points` points."""
    shown = {
        key: value
        for key, value in run.summary.items()
        if key in SHOWN or key.startswith("measures/")
    }
    return {
        "name": name,
        "state": run.state,
        "reason": _reason(run),
        "objective": grouping.objective(run) if run.settings else "",
        "results": {key: config.finite(value) for key, value in shown.items()},
        **_curves(run.metrics, points),
        "after": keep(progress.latest(run)),
        "before": _before(run, keep),
        # As typed for a sweep's cell, else by its settings.
        "command": axes.command(run) or (overrides.command(run.settings) if run.settings else ""),
    }


def _missing(name: str, overrides: Sequence[str], parameters: Sequence[str]) -> dict[str, Any]:
    """A cell of a sweep's last command that left nothing, as the page has it."""
    typed = axes.typed(overrides)
    return {
        "name": name,
        "state": "missing",
        "reason": "nothing is there yet",
        "command": axes.shown(overrides),
        "parameters": {key: config.short(typed[key]) for key in parameters if key in typed},
        "objective": "",
        "results": {},
        "curve": {},
        "best": {},
        "after": None,
        "before": None,
    }


def _reason(run: runs.Run) -> str:
    """Why there is no result."""
    if run.state == "finished":
        return ""
    if run.state == "failed":
        return str(run.failure.get("error", ""))
    budget = sum(evaluations for _, evaluations in progress.levels(run.settings))
    return f"{len(run.metrics.get('evaluation', ()))} of {budget or '?'} evaluations"


@functools.lru_cache(maxsize=100)
def _sha256(path: Path, modified: int) -> str:
    """The checksum of a picture that many runs share, as long as it is not modified."""
    return files.sha256(path)


def _before(run: runs.Run, keep: Keep) -> str | None:
    """The content picture, if it is available and unchanged; else the first progress picture."""
    try:
        path = assets.locate_image(run.settings["content"]["path"])
        if (
            not files.why_unreadable(path)
            and _sha256(path, path.stat().st_mtime_ns) == run.inputs["content"]
        ):
            return keep(path)
    except (KeyError, TypeError, InputError, OSError):
        pass
    progress = sorted((run.path / "progress").glob("*.png"))
    return keep(progress[0]) if progress else None


def _curves(metrics: Mapping[str, np.ndarray], points: int) -> dict[str, Any]:
    """The losses over evaluations and seconds, thinned out with both ends kept.

    `curve` has them as they were, `best` their running minimum. Terms that are zero everywhere are
    left out."""
    length = len(metrics.get("loss/total", ()))
    if not length:
        return {"curve": {}, "best": {}}
    kept = np.unique(np.linspace(0, length - 1, min(length, points)).round().astype(int))
    best = runs.best_so_far(metrics)[kept]
    terms = [name for name in metrics if name.startswith("loss/") and metrics[name].any()]
    names = [name for name in ("evaluation", "seconds") if name in metrics]
    return {
        "curve": {name: _rounded(metrics[name][kept]) for name in (*names, *terms)},
        "best": {name: _rounded(metrics[name][best]) for name in terms},
    }


def _rounded(column: np.ndarray) -> list[Any]:
    """Five digits, more than can be drawn."""
    short = [float(f"{value:.5g}") for value in column.tolist()]
    return short if np.isfinite(column).all() else [config.finite(value) for value in short]
