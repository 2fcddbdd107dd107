"""In what runs differ: the axes of a sweep as they were typed, then whatever else differs.

`-m layers=gatys,johnson` has the one axis `layers`, though it changes several settings."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from stn import command_line, config
from stn.runs.record import Run

SEED = "seed"  # the last axis: its values are repetitions
Rows = Sequence[Mapping[str, Any]]


def parameters(several: Sequence[Run]) -> list[dict[str, Any]]:
    """The values of each run on the axes in which not all runs agree, in short forms.

    Axes come first, by the names that were typed. A differing setting that follows from them is
    left out. A run without settings has what its sweep's command says of it."""
    known = [run for run in several if run.settings]
    flat = [run.flat for run in known]
    failed = [typed(run.overrides) for run in several if not run.settings]
    # A preset's name changes no pixel, but readers call their runs by it.
    named = ["name"] if len({str(each.get("name")) for each in flat}) > 1 else []
    differing = [*named, *config.differing([run.settings for run in known])]
    names = dict.fromkeys(axis for run in several for axis in run.axes if not config.inert(axis))
    axes = {}
    for axis in names:
        values = _values(axis, known, flat, differing)
        others = [each[axis] for each in failed if axis in each]
        if len({_text(value) for value in (*values, *others) if value is not None}) > 1:
            axes[axis] = values
    rest = [key for key in differing if not _follows(key, known, flat, axes)]
    keys = sorted(dict.fromkeys([*axes, *rest]), key=lambda key: key == SEED)
    rows = iter(
        {**setting, **{key: value for key, value in row.items() if value is not None}}
        for setting, row in zip(flat, _transposed(axes, len(flat)), strict=True)
    )
    of_failed = iter(failed)
    found = [next(rows) if run.settings else next(of_failed) for run in several]
    columns = {
        key: iter(config.told_apart(row[key] for row in found if key in row)) for key in keys
    }
    return [{key: next(columns[key]) for key in keys if key in row} for row in found]


def typed(overrides: Sequence[str]) -> dict[str, Any]:
    """The values of overrides such as `seed=1`, by their keys."""
    pairs = [text.lstrip("+~").partition("=") for text in overrides]
    return {key: _value(text) for key, equals, text in pairs if equals}


def command(run: Run) -> str:
    """The shell command of a sweep's cell with the overrides that were typed, or "" if unknown."""
    sessions = [run.provenance, *run.provenance.get("continuations", [])]
    words = [str(word) for word in sessions[-1].get("command", []) if "=" in str(word)]
    if not run.axes or not words:
        return "" if run.provenance else shown(run.overrides)
    pairs = [word.partition("=") for word in words if not word.startswith(("-", "hydra."))]
    given = {key: value for key, _, value in pairs if not config.inert(key.lstrip("+~"))}
    plain = {key.lstrip("+~"): key for key in given}
    given |= {plain.get(axis, axis): value for axis, value in run.axes.items()}
    return shown([f"{key}={value}" for key, value in given.items()])


def shown(overrides: Sequence[str]) -> str:
    """A command with these overrides, quoted for a shell; "" without any."""
    return f"{command_line.program('stylize')} {shlex.join(overrides)}" if overrides else ""


def _values(axis: str, known: Sequence[Run], flat: Rows, differing: Sequence[str]) -> list[Any]:
    """The values of all runs on a typed axis, None where one is not known."""
    if any(axis in settings for settings in flat):
        return [settings.get(axis) for settings in flat]
    return _completed([run.axes.get(axis) for run in known], flat, differing)


def _completed(values: list[Any], flat: Rows, differing: Sequence[str]) -> list[Any]:
    """The choices of a group, such as `layers`; of runs that were not asked for one by name too.

    Those have the choice of a run that agrees with them in all settings that the group decides."""
    given = [(value, each) for value, each in zip(values, flat, strict=True) if value is not None]
    decided = [
        key
        for key in differing
        if len({_text(each.get(key)) for _, each in given}) > 1
        and len({(value, _text(each.get(key))) for value, each in given})
        == len({value for value, _ in given})
    ]
    if not decided:
        return values
    chosen = {tuple(_text(each.get(key)) for key in decided): value for value, each in given}
    return [
        chosen.get(tuple(_text(each.get(key)) for key in decided)) if value is None else value
        for value, each in zip(values, flat, strict=True)
    ]


def _follows(key: str, known: Sequence[Run], flat: Rows, axes: Mapping[str, Sequence[Any]]) -> bool:
    """Whether a setting follows from the axes, so that a reader need not see it.

    It does if some sweep's axes change it, and equal values on all axes make it equal."""
    if key in axes or any(None in values for values in axes.values()):
        return False
    rows = [tuple(map(_text, row.values())) for row in _transposed(axes, len(flat))]
    values = [_text(settings.get(key)) for settings in flat]
    if len(set(zip(rows, values, strict=True))) > len(set(rows)):
        return False
    changed: dict[Any, set[str]] = {}
    for run, value in zip(known, values, strict=True):
        if run.axes:
            changed.setdefault(run.path.parent, set()).add(value)
    return any(len(each) > 1 for each in changed.values())


def _transposed(columns: Mapping[str, Sequence[Any]], length: int) -> list[dict[str, Any]]:
    return [{key: column[row] for key, column in columns.items()} for row in range(length)]


def _value(text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, int | float | bool | list) else text.strip("'\"")


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
