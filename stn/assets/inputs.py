"""The files that feed a run: which those are, by the settings. None is opened here."""

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
    """All of them, by the key that names each; InputError, which names it too, if one is
    missing.
    """
    found = {"network.weights": weights(settings)}
    for name, path in pictures(settings).items():
        key = (
            name
            if name.endswith((".mask", ".result_mask", "paint_only", "mix.fine"))
            else f"{name}.path"
        )
        found[key] = store.locate_image(path)
    rescaling = means(settings)
    found |= {"network.rescale": rescaling} if rescaling else {}
    for key, located in found.items():
        if not located.is_file():
            raise InputError(f"{key}={located}: no such file")
    return found
