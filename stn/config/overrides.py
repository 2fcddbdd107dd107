"""Text in Hydra's override grammar: of Python values, and of typed words, quoted where Hydra would
not read them.

The command of scripts/stylize.py that makes a run again, from its settings."""

import functools
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from stn import command_line, files
from stn.config import composition, dotted, names, optimizers
from stn.config.schema import Config, Level
from stn.errors import InputError

WORDS = ("null", "true", "false", "nan", "inf")  # which the grammar would not take for text
# A directory is one, whatever commas are in its name.
DIRECTORIES = ("hydra.run.dir", "hydra.sweep.dir")
PATHS = (
    *("content.path", "style.path", "style.mask", "style.result_mask", "init.path"),
    *("paint_only", "mix.fine", "network.weights", "network.rescale", "output"),
    *DIRECTORIES,
)


def text(value: Any) -> str:
    """A value in Hydra's override grammar: None, truth, numbers, text, paths, lists and
    dictionaries of them.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return "[" + ",".join(text(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str | os.PathLike):
        plain = os.fspath(value)
        known = re.fullmatch(r"[A-Za-z_/][\w./:-]*", plain, re.ASCII) and plain.lower() not in WORDS
        return plain if known else quote(plain.replace("${", "\\${"))  # which is no interpolation
    return repr(value)


def quote(plain: str) -> str:
    """Text between quotes, as the grammar has them."""
    # A backslash counts as one wherever no quote follows it.
    return (
        "'"
        + re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + found[2].replace("'", "\\'"), plain)
        + "'"
    )


def quoted(words: Sequence[str]) -> list[str]:
    """The words of a command line, those quoted that name a file and that Hydra would not read as
    that name.

    What Hydra reads (`a,b` in a sweep, quotes, functions) stays Hydra's, unless it is the name of a
    file that is there. Raises InputError, which shows the quotes to type, for other text that Hydra
    cannot read, and for keys and choices that are not there."""
    sweeping = any(word in ("-m", "--multirun") or word.startswith("hydra.mode=") for word in words)
    found = [_quoted(word, sweeping) for word in words]
    names.check(found)
    return found


def _quoted(word: str, sweeping: bool) -> str:
    key, sign, value = word.partition("=")
    if not sign or not key or key.startswith("-"):
        return word
    if key.lstrip("+") not in PATHS:
        if not _parses(value) and not value.startswith(("[", "{", "'", '"')):
            text = f"{key}={quote(value)}"
            shown = shlex.quote(text) if set('"$`\\!') & set(text) else f'"{text}"'
            raise InputError(
                f"{word}: Hydra cannot read it; text with such signs is quoted, as in {shown}"
            )
        return word
    if _is_there(value):
        return f"{key}={_piece(value, literal=True)}"
    one = key in DIRECTORIES and "$" not in value and not value.startswith(("'", '"'))
    if not one and _parses(value):
        return word
    pieces = value.split(",") if sweeping and not one else [value]
    return f"{key}={','.join(map(_piece, pieces))}"


def _piece(value: str, literal: bool = False) -> str:
    """One name, quoted if need be; a `literal` one holds no interpolations."""
    name = str(files.expanded(value)) if value.startswith("~/") else value
    if literal and "${" in name:
        return quote(name.replace("${", "\\${"))
    return name if _reads_as_text(name) or (not literal and _parses(name)) else quote(name)


def _is_there(value: str) -> bool:
    try:
        return value not in ("", "null") and files.expanded(value).exists()
    except (OSError, ValueError):  # no name of a file at all
        return False


def _parses(value: str) -> bool:
    try:
        names.parsed(f"key={value}")
    except OverrideParseException:
        return False
    except HydraException:  # glob(...), which needs to know the configuration
        return True
    return True


def _reads_as_text(value: str) -> bool:
    try:
        override = names.parsed(f"key={value}")
        return not override.is_sweep_override() and override.value() == value
    except HydraException:
        return False


def overrides_of(settings: dict[str, Any]) -> list[str]:
    """The overrides of scripts/stylize.py that make these settings: the preset, then whatever
    differs from it.
    """
    optimizer = settings.get("optimizer", {}).get("name")
    start, base = _base(str(settings.get("name", "custom")), optimizer)
    flat, known = dotted.flat(settings), dotted.flat(base)
    return [
        *start,
        *(f"{key}={text(value)}" for key, value in flat.items() if known.get(key) != value),
    ]


def command(settings: dict[str, Any]) -> str:
    """The shell command that makes this run again."""
    kept = [text for text in overrides_of(settings) if not dotted.inert(text.partition("=")[0])]
    return f"{command_line.program('stylize')} {shlex.join(kept)}"


def budgets(settings: Config, of: Callable[[int], int]) -> list[str]:
    """The overrides that give every level of a run, and of a style that is mixed first, `of` the
    evaluations that it has.
    """
    usual, mix = vars(Level()), settings.mix
    levels = [
        {key: value for key, value in vars(level).items() if value != usual[key]}
        | {"max_evaluations": of(level.max_evaluations)}
        for level in settings.pyramid.levels
    ]
    return [
        *([f"pyramid.levels={text(levels)}"] if levels else []),
        *([f"mix.max_evaluations={of(mix.max_evaluations)}"] if mix.fine else []),
        f"optimizer.max_evaluations={of(settings.optimizer.max_evaluations)}",
    ]


@functools.cache
def _base(preset: str, optimizer: str | None) -> tuple[tuple[str, ...], dict[str, Any]]:
    for start in ((f"preset={preset}",), ()):
        try:
            base = composition.compose(*start)
            if optimizer in optimizers.OPTIMIZERS and optimizer != base.optimizer.name:
                start = (*start, f"optimizer.name={optimizer}")  # whose keys are others
                base = composition.compose(*start)
            return start, dotted.to_dict(base)
        except (HydraException, OmegaConfBaseException, InputError):
            continue  # not a preset (`custom`, or one that has gone since)
    raise InputError("the default configuration cannot be composed")
