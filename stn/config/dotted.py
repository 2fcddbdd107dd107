"""Settings as flat keys, `objective.style_weight`: to compare runs and to shorten for tables."""

import collections
import dataclasses
import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stn.config.schema import Config

# What names a run or shows it, but changes no pixel of its picture.
# `threads` changes last digits, where the processor's kernels divide sums among threads: runs with
# other threads are compared as equals, but one is not resumed as the other (`same_threads`).
INERT_KEYS = (
    "name",
    "sweep",
    "tracking",
    "output",
    "view",
    "figures",
    "force",
    "threads",
    "gpus_per_cell",
)


def to_dict(config: Config) -> dict[str, Any]:
    """The configuration as plain dictionaries and lists, for JSON and W&B."""
    return dataclasses.asdict(config)


NAMED = 3  # so many differing settings a message names
BUDGET = "optimizer.max_evaluations"  # the one setting that a run may be given more of


def inert(key: str) -> bool:
    """Whether a setting, given as `tracking` or as `tracking.mode`, changes no pixel of a run's
    picture.
    """
    return key.partition(".")[0] in INERT_KEYS


def counted(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that could change a pixel, as {"objective.style_weight": …}."""
    return {key: value for key, value in flat(settings).items() if not inert(key)}


def differing(several: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys of settings, as in "objective.style_weight", of which not all have the same value;
    no inert ones. What an optimizer does not have is no difference: its name is.
    """
    flats = [counted(settings) for settings in several]
    keys = dict.fromkeys(key for each in flats for key in each)
    return [key for key in keys if not _agree(key, flats)]


def _agree(key: str, flats: Sequence[Mapping[str, Any]]) -> bool:
    if key.startswith("optimizer."):
        flats = [each for each in flats if key in each or "optimizer.name" not in each]
    return all(each.get(key) == flats[0].get(key) for each in flats)


def difference(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """What makes it another run, as `key: earlier → now`, the first NAMED of it, what has a name
    before the settings of that choice; a larger budget does not.
    """
    keys = [key for key in differing([now, earlier]) if key != BUDGET or not raised(earlier, now)]
    keys.sort(key=lambda key: not key.endswith(".name"))
    named = [f"{key}: {flat(earlier).get(key)} → {flat(now).get(key)}" for key in keys[:NAMED]]
    more = [f"{len(keys) - NAMED} more"] if len(keys) > NAMED else []
    return ", ".join([*named, *more]) or None


def same_threads(one: Any, other: Any) -> bool:
    """Whether two values of `threads` can be one run's; None, which takes what there is, is any."""
    return one is None or other is None or one == other


def short(value: Any) -> Any:
    """A setting as a table shows it: numbers stay numbers, layer lists and paths become short."""
    if (
        isinstance(value, list)
        and value
        and all(isinstance(item, dict) and "layer" in item for item in value)
    ):
        equal = len({item["weight"] for item in value}) == 1
        return ", ".join(
            item["layer"] if equal else f"{item['layer']} × {item['weight']:g}" for item in value
        )
    if isinstance(value, str):
        return (
            Path(value.partition(":")[2] or value).stem if "/" in value or ":" in value else value
        )
    if value is None or isinstance(value, bool | list | dict):
        return json.dumps(value)
    return finite(value)


def told_apart(values: Iterable[Any]) -> list[Any]:
    """Settings as `short` shows them; in full where two that differ would look the same."""
    known = [(json.dumps(value, sort_keys=True), value) for value in values]
    brief = {text: short(value) for text, value in known}
    looks = collections.Counter(map(json.dumps, brief.values()))
    alone = {text for text, shown in brief.items() if looks[json.dumps(shown)] == 1}
    full = {text: value if isinstance(value, str) else text for text, value in known}
    return [brief[text] if text in alone else full[text] for text, _ in known]


def finite(value: Any) -> Any:
    """A value as JSON can hold it, which knows no NaN and no infinity: those become text."""
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as {"objective.style_weight": …}; lists stay as they are."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found |= (
            flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
        )
    return found


def value_of(config: Any, key: str) -> Any:
    """The value of a key, such as `objective.style_weight`."""
    return functools.reduce(getattr, key.split("."), config)


def raised(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a run is given a larger budget than it had."""
    before = flat(earlier).get(BUDGET)
    return isinstance(before, int) and bool(flat(now)[BUDGET] > before)
