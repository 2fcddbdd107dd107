"""What people type, as the overrides that Hydra reads: two files, `content=photo.jpg`, flags.

`python scripts/stylize.py photo.jpg painting.jpg -m seed=0,1` becomes
`-m content.path=photo.jpg style.path=painting.jpg seed=0,1`.
"""

import itertools
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from stn import command_line, files, runs
from stn.assets import store
from stn.config import names, overrides
from stn.errors import InputError
from stn.images import formats
from stn.sweeps import cells

# What a picture may be typed as, other than by its key; a group's option is no file.
FLAGS = {
    "--content": "content.path",
    "-c": "content.path",
    "--style": "style.path",
    "-s": "style.path",
    "--output": "output",
    "-o": "output",
}
# Hydra's own flags (hydra.cc, "Hydra's command line flags"), and those that take a value.
HYDRAS = (
    *("--help", "-h", "--hydra-help", "--version", "--resolve", "--run", "-r", "--multirun", "-m"),
    *("--shell-completion", "-sc"),
)
HYDRAS_WITH_VALUE = (
    *("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn"),
    *("--config-dir", "-cd", "--experimental-rerun", "--info", "-i"),
)
SHOWN = ("job", "hydra", "all")  # of --cfg
GROUPS = {"content": "content.path", "style": "style.path", "network": "network.weights"}


def understood(words: Sequence[str]) -> list[str]:
    """The words of a command line, as Hydra reads them: its flags first, then overrides.

    Raises InputError, with what to type, for flags that are none and for more than two files.
    """
    flags: list[str] = []
    given: list[str] = []
    pictures: list[int] = []  # where in `given` a file stands that was typed without a key
    left = list(words)
    while left:
        word = left.pop(0)
        name, sign, value = word.partition("=")
        following = left[0] if left and "=" not in left[0] and not left[0].startswith("-") else ""
        if name == "--resume":
            given += _resumed(value or (left.pop(0) if following else ""))
        elif word == "--demo":
            given.append("preset=demo")
        elif name == "-c" and following in SHOWN:
            flags += [word, left.pop(0)]
        elif name in FLAGS:
            if not value and not (left and _may_follow(left[0])):
                raise InputError(f"{word}: which file? type {name} FILE")
            given.append(f"{FLAGS[name]}={value or left.pop(0)}")
        elif name in (*HYDRAS, *HYDRAS_WITH_VALUE):
            flags.append(word)
            if name in HYDRAS_WITH_VALUE and not sign and following:
                flags.append(left.pop(0))
        elif word.startswith("-") and not _is_file(word):
            raise InputError(f"{word}: no such flag; {_without_dashes(name, value or following)}")
        elif word == "=":
            raise InputError("a setting is KEY=VALUE, without spaces around the =")
        elif (sign or word.startswith("~")) and not _is_file(word):
            given.append(_with_path(word))
        else:
            pictures.append(len(given))
            given.append(word)
    for number, override in zip(pictures, _positional([given[i] for i in pictures]), strict=True):
        given[number] = override
    multirun = [word for word in given if word == "-m"]  # of a sweep that is resumed
    return [*flags, *multirun[:1], *(word for word in given if word != "-m")]


def _positional(words: Sequence[str]) -> list[str]:
    """Overrides for the files that were typed without a key: the photograph, then the painting."""
    for first, last in itertools.combinations(range(len(words) + 1), 2):
        together = " ".join(words[first:last])
        if last - first > 1 and _is_file(together):
            quoted = shlex.quote(together)
            raise InputError(f"{together}: a name with spaces is put between quotes: {quoted}")
    for word in words:
        if not _like_a_file(word):
            raise InputError(f"{word}: no such file; {_meant(word)}")
    if len(words) > 2:
        raise InputError(
            f"{' '.join(words)}: {len(words)} files, where two are meant, the photograph and the"
            f" painting; for a copy of the result type output={words[2]}"
        )
    return [
        f"{key}={word}" for key, word in zip(("content.path", "style.path"), words, strict=False)
    ]


def _with_path(word: str) -> str:
    """`content=photo.jpg` as `content.path=photo.jpg`; other overrides as they are."""
    key, _, value = word.partition("=")
    if key not in GROUPS:
        return word
    pieces = [value] if _is_file(value) else value.split(",")
    known = any(piece in names.groups()[key] for piece in pieces)
    if known or not all(_like_a_file(piece.strip("'\"")) for piece in pieces):
        return word
    return f"{GROUPS[key]}={value}"


def _may_follow(word: str) -> bool:
    """Whether it is the file of the flag before it, rather than another flag or a setting."""
    key, sign, _ = word.partition("=")
    known = key.startswith("hydra") or names.is_known(key)
    return _is_file(word) or not (word.startswith("-") or (sign and known))


def _without_dashes(flag: str, value: str) -> str:
    """What to type in place of a flag that is none."""
    near = names.meant(flag.lstrip("-").replace("-", "_"), value)
    if not near:
        return f"type {command_line.program('stylize')} --help for what there is"
    typed = " or ".join(f"{key}={value or 'VALUE'}" for key in near)
    return f"settings have no dashes: type {typed}"


def _meant(word: str) -> str:
    """What to type in place of a word that is neither a file nor a setting."""
    if names.is_known(word):
        return f"type {word}=VALUE for the setting"
    if groups := [group for group, choices in names.groups().items() if word in choices]:
        return f"type {' or '.join(f'{group}={word}' for group in groups)}"
    near = files.nearest(Path(word))
    return f"did you mean {near}?" if near else "type KEY=VALUE for a setting, --help for the keys"


def _like_a_file(text: str) -> bool:
    """Whether something of this name is there, or it is spelled as the name of a file."""
    suffixes = (*formats.FORMATS, ".bmp", ".gif", ".mat", ".t7")
    scheme = text.partition(":")[0] in (*store.PACKAGED, "asset", "drawn")
    there = _is_file(text) or files.expanded(text).is_dir()
    return there or scheme or "/" in text or Path(text).suffix.lower() in suffixes


def _is_file(text: str) -> bool:
    try:
        return files.expanded(text).is_file()
    except (OSError, ValueError):  # no name of a file at all
        return False


def _resumed(directory: str) -> list[str]:
    """The overrides of the run, or of the sweep, that is in a directory, and the directory."""
    here = f"{overrides.text(directory)}"
    if not directory:
        raise InputError("--resume: which directory? type --resume DIRECTORY")
    if (Path(directory) / cells.SWEEP).is_file():
        asked: Any = OmegaConf.to_container(
            OmegaConf.load(Path(directory) / cells.SWEEP).hydra.overrides, resolve=False
        )
        kept = [
            word for word in asked["hydra"] if word.startswith(("hydra/launcher", "hydra.launcher"))
        ]
        return ["-m", *asked["task"], *kept, f"hydra.sweep.dir={here}"]
    run = runs.Run(Path(directory))
    if not run.settings:
        raise InputError(
            f"--resume {directory}: no run was begun there; its settings would be in"
            f" {runs.PROVENANCE}. A new one: {command_line.program('stylize')} hydra.run.dir={here}"
        )
    return [*overrides.overrides_of(run.settings), f"hydra.run.dir={here}"]
