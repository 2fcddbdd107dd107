"""What the fields of the configuration may hold: names, numbers and keys, said beside each field,
checked here.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from stn.errors import InputError


def one_of(default: Any, *choices: str) -> Any:
    """A field with a few named choices."""
    return field(default=default, metadata={"choices": choices})


def number(
    default: Any,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
    below: float = math.inf,
) -> Any:
    """A field with a number: finite, at least `least`, more than `above`, at most `most`, less than
    `below`.
    """
    return field(
        default=default, metadata={"least": least, "above": above, "most": most, "below": below}
    )


def fields(config: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every field below `config`: its key, its value and what its definition says is allowed."""
    for each in dataclasses.fields(config):
        found = getattr(config, each.name)
        if dataclasses.is_dataclass(found):
            yield from fields(found, f"{prefix}{each.name}.")
        else:
            yield f"{prefix}{each.name}", found, each.metadata


def refuse_unknown(config: Any, prefix: str = "") -> None:
    """Raise InputError for a key that the dataclasses of the configuration do not have, such as
    `+foo=1` adds.
    """
    known = [each.name for each in dataclasses.fields(config)]
    for name, value in vars(config).items():
        if name not in known:
            raise InputError(
                f"{prefix}{name}={value}: no such key; known are"
                f" {', '.join(prefix + key for key in known)}"
            )
        if dataclasses.is_dataclass(value):
            refuse_unknown(value, f"{prefix}{name}.")


def check_value(key: str, value: Any, limits: Mapping[str, Any]) -> None:
    """Raise InputError, which names the key, for a value that the definition of its field does not
    allow.
    """
    if "choices" in limits and value not in limits["choices"]:
        raise InputError(f"{key}={value}: must be one of {', '.join(limits['choices'])}")
    if "least" not in limits or value is None:
        return
    if not math.isfinite(value) or value < limits["least"] or value <= limits["above"]:
        bound = (
            f"of at least {limits['least']}"
            if limits["above"] == -math.inf
            else f"above {limits['above']}"
        )
        raise InputError(f"{key}={value}: must be a number {bound}")
    if value > limits["most"]:
        raise InputError(f"{key}={value}: must be at most {limits['most']}")
    if value >= limits["below"]:
        raise InputError(f"{key}={value}: must be below {limits['below']}")


def check_color(key: str, color: list[float]) -> None:
    """Raise InputError unless the value is one positive number a color channel."""
    if len(color) != 3 or not all(math.isfinite(value) and value > 0 for value in color):
        raise InputError(f"{key}={color}: must be three numbers above 0, one a color channel")
