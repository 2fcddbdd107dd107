"""The command of scripts/stylize.py that makes a run again, from its settings."""

import functools
import re
import shlex
from typing import Any

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from stn import config, runs
from stn.errors import InputError


def overrides_of(settings: dict[str, Any]) -> list[str]:
    """The overrides of scripts/stylize.py that make these settings: the preset, then whatever differs from it."""
    preset = str(settings.get("name", "custom"))
    start, base = _base(preset)
    flat, known = runs.flat(settings), runs.flat(base)
    return [*start, *(f"{key}={_grammar(value)}" for key, value in flat.items() if known.get(key) != value)]


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
