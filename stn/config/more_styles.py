"""The styles of a run: `style`, and the entries of `more_styles`, which are checked here."""

from typing import Any

from stn.config import fields, names
from stn.config.schema import Config, Style
from stn.errors import InputError

# The keys of an entry of more_styles.
MORE = ("path", "weight", "scale", "mask", "result_mask", "layers")


def key_of(number: int) -> str:
    """The key that names a style by its place: `style`, then `more_styles[0]` and so on."""
    return f"more_styles[{number - 1}]" if number else "style"


def styles(config: Config) -> dict[str, Style]:
    """Every style of a run by the key that names it."""
    listed = [config.style, *config.more_styles]
    return {key_of(number): style for number, style in enumerate(listed)}


def guided(config: Config) -> bool:
    """Whether a mask says where a style is taken from or painted."""
    return any(style.mask or style.result_mask for style in styles(config).values())


def replace_entries(config: Config) -> None:
    """Entries of `more_styles` become Styles; InputError for what is none."""
    config.more_styles = [
        _parse(key_of(number), item, config.style.size)
        for number, item in enumerate(config.more_styles, start=1)
    ]


def _parse(key: str, item: Any, size: str) -> Style:
    if isinstance(item, Style):
        return item
    if not isinstance(item, dict) or "path" not in item:
        raise InputError(
            f"{key}: {item!r} names no painting; write more_styles=[{{path: FILE, weight: 1}}]"
        )
    item = dict(item)
    if item.pop("size", size) != size:  # settings that were written out have it
        raise InputError(f"{key}.size: every painting is sized as style.size says; leave it out")
    for name in item:
        if f"style.{name}" in names.RENAMED:
            now = names.RENAMED[f"style.{name}"].removeprefix("style.")
            raise InputError(f"{key}.{name}: is {key}.{now} now")
        if name not in MORE:
            question = fields.did_you_mean(fields.nearest(name, MORE))
            raise InputError(f"{key}.{name}: no such key; {question}known are {', '.join(MORE)}")
    for name in ("path", "mask", "result_mask"):
        if not isinstance(item.get(name), str | None) or item["path"] is None:
            raise InputError(f"{key}.{name}={item.get(name)!r}: must be the path of a picture")
    for name in ("weight", "scale"):
        if isinstance(item.get(name), bool) or not isinstance(item.get(name, 1), int | float):
            raise InputError(f"{key}.{name}={item[name]!r}: must be a number")
    layers = item.get("layers")
    if not isinstance(layers, list | None) or not all(
        isinstance(layer, str) for layer in layers or ()
    ):
        raise InputError(f"{key}.layers={layers!r}: must be a list of layer names")
    style = Style(**item, size=size)
    fields.check_values(style, f"{key}.")
    return style
