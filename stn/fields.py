"""What a field of the configuration may hold, said beside the field, and the check of it."""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import field
from typing import Any

from stn.errors import InputError


def one_of(default: Any, *choices: str) -> Any:
    """A field with a few named choices."""
    return field(default=default, metadata={"choices": choices})


def number(default: Any, least: float = -math.inf, above: float = -math.inf, most: float = math.inf) -> Any:
    """A field with a number: finite, at least `least`, more than `above`, at most `most`."""
    return field(default=default, metadata={"least": least, "above": above, "most": most})


def walk(config: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every field of a dataclass and of those in it: its key, its value and what its definition says is allowed."""
    for each in dataclasses.fields(config):
        found = getattr(config, each.name)
        if dataclasses.is_dataclass(found):
            yield from walk(found, f"{prefix}{each.name}.")
        else:
            yield f"{prefix}{each.name}", found, each.metadata


def check(key: str, value: Any, allowed: Any) -> None:
    """Raise InputError for a value that its field does not allow; null is no number and passes."""
    if "choices" in allowed and value not in allowed["choices"]:
        raise InputError(f"{key}={value}: must be one of {', '.join(allowed['choices'])}")
    if "least" not in allowed or value is None:
        return
    if not math.isfinite(value) or value < allowed["least"] or value <= allowed["above"]:
        bound = f"of at least {allowed['least']}" if allowed["above"] == -math.inf else f"above {allowed['above']}"
        raise InputError(f"{key}={value}: must be a number {bound}")
    if value > allowed["most"]:
        raise InputError(f"{key}={value}: must be at most {allowed['most']}")


def check_color(key: str, color: list[float]) -> None:
    """Raise InputError unless these are three numbers above zero."""
    if len(color) != 3 or not all(math.isfinite(value) and value > 0 for value in color):
        raise InputError(f"{key}={color}: must be three numbers above 0, one a color channel")
