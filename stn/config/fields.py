"""What a field of the configuration may hold and what it means, said next to the field."""

import copy
import dataclasses
import difflib
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from stn.errors import InputError


def key(default: Any, *, help: str, values: str = "", unit: str = "", **limits: Any) -> Any:
    """A field: what it means in a sentence, its unit, and in words what it may be if its type
    does not say.
    """
    metadata = {"help": help, "values": values, "unit": unit, **limits}
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=lambda: copy.copy(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def one_of(
    default: Any,
    choices: Iterable[str],
    *,
    help: str,
    refused: Mapping[str, str] = MappingProxyType({}),
) -> Any:
    """A field with a few named choices, and None if that is its default; `refused` says why others
    that one could expect are none.
    """
    none = (None,) if default is None else ()
    return key(default, help=help, choices=tuple(choices), none=none, refused=refused)


def number(
    default: Any,
    *,
    help: str,
    unit: str = "",
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
    below: float = math.inf,
) -> Any:
    """A field with a number: finite, at least `least`, above `above`, at most `most`, below
    `below`.
    """
    return key(default, help=help, unit=unit, least=least, above=above, most=most, below=below)


def entries(settings: type, *, help: str) -> Any:
    """A field with a list of entries, each with the settings of a class; empty by default."""
    names = ", ".join(each.name for each in dataclasses.fields(settings))
    return key([], help=help, values=f"`{{{names}}}` each", entries=settings)


def group(settings: type) -> Any:
    """A field that holds the settings of a group, all at their defaults."""
    return dataclasses.field(default_factory=settings)


def fields(config: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every field below `config`: its key, its value and what its definition says is allowed."""
    for each in dataclasses.fields(config):
        found = getattr(config, each.name)
        if dataclasses.is_dataclass(found):
            yield from fields(found, f"{prefix}{each.name}.")
        else:
            yield f"{prefix}{each.name}", found, each.metadata


def nearest(typed: str, known: Iterable[str]) -> list[str]:
    """The name that is most like what was typed; none if none is like it."""
    return difflib.get_close_matches(typed, list(known), 1)


def did_you_mean(near: Collection[str]) -> str:
    """The question that a message asks of names that could have been meant; empty without any."""
    return f"did you mean {' or '.join(near)}? " if near else ""


def check_values(config: Any, prefix: str = "") -> None:
    """Raise InputError for a value below `config` that its field does not allow."""
    for name, value, limits in fields(config, prefix):
        check_value(name, value, limits)
        for number, entry in enumerate(value if "entries" in limits else ()):
            check_values(entry, f"{name}[{number}].")


def check_value(key: str, value: Any, limits: Mapping[str, Any]) -> None:
    """Raise InputError, which names the key, for a value that its field does not allow."""
    if "choices" in limits and value not in (*limits["choices"], *limits["none"]):
        question = did_you_mean(nearest(str(value), limits["choices"]))
        known = ", ".join(limits["choices"])
        reason = limits.get("refused", {}).get(value)
        why = f"{reason}; " if reason else question
        raise InputError(f"{key}={value}: {why}must be one of {known}")
    if "least" not in limits or value is None:
        return
    inside = limits["least"] <= value <= limits["most"]
    if not (math.isfinite(value) and inside and limits["above"] < value < limits["below"]):
        raise InputError(f"{key}={value}: must be {bounds(limits)}")


def bounds(limits: Mapping[str, Any]) -> str:
    """The bounds of a number in words."""
    words = {"above": "above", "least": "at least", "most": "at most", "below": "below"}
    found = [f"{words[each]} {limits[each]:g}" for each in words if math.isfinite(limits[each])]
    return " and ".join(found) or "a finite number"


def check_color(key: str, color: list[float], zero: bool = False) -> None:
    """Raise InputError unless the value is one number a color channel, above zero or, with `zero`,
    at least.
    """
    if len(color) != 3 or not all(
        math.isfinite(value) and (value > 0 or (zero and value == 0)) for value in color
    ):
        least = "of at least 0" if zero else "above 0"
        raise InputError(f"{key}={color}: must be three numbers {least}, one a color channel")
