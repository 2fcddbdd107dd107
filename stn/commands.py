"""The command of scripts/stylize.py that makes a run again, from its settings."""

import functools
import shlex
from typing import Any

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from stn import config, overrides, runs
from stn.errors import InputError


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
