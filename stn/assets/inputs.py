"""The files that feed a run: which those are, by the settings. None is opened here."""

import functools
from collections.abc import Callable, Iterable
from pathlib import Path

from stn import config, files
from stn.assets import store
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
    return None if path in (None, "default") else files.expanded(str(path))


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
    found, missing = _looked_for(settings)
    if missing:
        raise InputError("; ".join(missing))
    return found


def missing(several: Iterable[config.Config]) -> list[str]:
    """What must be done about each file that some of these runs need and that is not there."""
    lines = (line for settings in several for line in _looked_for(settings)[1])
    return list(dict.fromkeys(lines))


def _looked_for(settings: config.Config) -> tuple[dict[str, Path], list[str]]:
    """The files that are there, by their keys, and a line about each that is not."""
    asked: dict[str, Callable[[], Path]] = {"network.weights": lambda: weights(settings)}
    empty: set[str] = set()  # these paths would be the working directory
    for name, path in pictures(settings).items():
        key = (
            name
            if name.endswith((".mask", ".result_mask", "paint_only", "mix.fine"))
            else f"{name}.path"
        )
        asked[key] = functools.partial(store.locate_image, path)
        empty |= set() if path.strip() else {key}
    if rescaling := means(settings):
        asked["network.rescale"] = lambda: rescaling
    found: dict[str, Path] = {}
    missing: list[str] = []
    for key, locate in asked.items():
        try:
            found[key] = locate()
        except InputError as error:
            missing.append(str(error))
            continue
        given = "" if key in empty else found[key]
        reason = files.why_unreadable(given)
        if reason:
            missing.append(f"{key}={given}: {reason}")
    return found, missing
