"""The names that a user may type: keys, groups and their choices. What is wrong is refused in one
line, with the nearest name.
"""

import dataclasses
import functools
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import HydraException
from omegaconf import MISSING

from stn import command_line
from stn.config import fields
from stn.config.schema import Config
from stn.errors import InputError

PACKAGE = Path(__file__).resolve().parents[1]
# The checkout's; an installed package has a copy of them (setup.cfg).
CONFIG_DIR = next(
    (folder for folder in (PACKAGE.parent / "configs", PACKAGE / "configs") if folder.is_dir()),
    PACKAGE / "configs",
)
# What keys were called before; also as the beginning of longer keys.
RENAMED = {
    "objective.smoothness": "objective.total_variation",
    "network.odd": "network.ceil_mode",
    "network.white": "network.input_range",
    "network.recompute": "network.gradient_checkpointing",
    "style.onto": "style.result_mask",
    "tracking.view_seconds": "tracking.preview_seconds",
    "image.unit": "image.pixel_unit",
}
# What neural_style.lua, other programs and the papers call a key, where its last name is another.
CALLED = {
    **dict.fromkeys(("content_image", "content_img"), "content"),
    **dict.fromkeys(("style_image", "style_img"), "style"),
    **dict.fromkeys(("output_image", "out", "output_file"), "output"),
    **dict.fromkeys(("output_dir", "out_dir", "outdir", "dir"), "hydra.run.dir"),
    **dict.fromkeys(("init_image", "init_img"), "init.path"),
    **dict.fromkeys(("model_file", "weights_file"), "network.weights"),
    **dict.fromkeys(("model", "net", "backbone"), "network"),
    **dict.fromkeys(("size", "image_size", "img_size", "imsize", "width"), "image.size_px"),
    **dict.fromkeys(
        ("num_iterations", "iterations", "iters", "num_steps", "steps", "epochs", "max_iter"),
        "optimizer.max_evaluations",
    ),
    "lr": "optimizer.learning_rate",
    "lbfgs_num_correction": "optimizer.history",
    "save_iter": "tracking.progress_every",
    "tv_weight": "objective.total_variation.weight",
    "alpha": "objective.content_weight",
    "beta": "objective.style_weight",
    "original_colors": "color",
    "style_blend_weights": "style.weight",
    "wandb": "tracking",
}
# Words of a command with which there may be groups and choices that only Hydra finds.
ELSEWHERE = ("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn")
WHERE = {"preset": "docs/presets/index.md"}  # that all choices of a group are told about


@functools.lru_cache(maxsize=4096)
def parsed(word: str) -> Override:
    """A word as Hydra's grammar reads it, once in a process, since it takes 2 ms of CPU a word.

    Raises HydraException for what it cannot read."""
    [override] = OverridesParser.create().parse_overrides([word])
    return override


def check(words: Sequence[str]) -> None:
    """Raise InputError for an override, as in `network=vgg16` or `seed=1`, of a key or a choice
    that is not there. What Hydra cannot read is left to it.
    """
    if any(word.startswith((*ELSEWHERE, "hydra.searchpath=")) for word in words):
        return
    for word in words:
        if "=" in word and not word.startswith("-"):
            try:
                override = parsed(word)
            except HydraException:
                continue
            _check(override)


def check_setting(key: str, value: Any, python: bool = False) -> None:
    """Raise InputError for a key, or a choice of a group, that is not there. In `python` two
    underscores stand for a dot.
    """
    dot = "__" if python else "."
    plain = value is None or isinstance(value, str | bool | int | float)  # no array, from Python
    typed = key.replace(".", dot) + f"={'null' if value is None else value}" * plain
    for old, new in RENAMED.items():
        if f"{key}.".startswith(f"{old}."):
            now = key.replace(old, new, 1).replace(".", dot)
            raise InputError(f"{typed}: is {now} now")
    if isinstance(value, Mapping):
        for name, below in value.items():
            check_setting(f"{key}.{name}", below, python)
    elif key in groups():
        _check_choice(key, value, typed)
    elif any(each.startswith(f"{key}.") for each in keys()):
        inside = [each.replace(".", dot) for each in keys() if each.startswith(f"{key}.")]
        raise InputError(f"{typed}: holds several keys: {', '.join(inside)}")
    elif key not in keys():
        raise InputError(f"{typed}: no such key{_instead(key, value, dot)}")
    elif "entries" in keys()[key] and isinstance(value, list | tuple):
        for number, entry in enumerate(value):
            _check_entry(f"{key.replace('.', dot)}[{number}]", entry, keys()[key])


def _check_entry(key: str, entry: Any, limits: Mapping[str, Any]) -> None:
    """Raise InputError for an entry of a list that lacks a key, or has one that is not there."""
    if not isinstance(entry, Mapping):
        raise InputError(f"{key}={entry}: must be {limits['values'].removesuffix(' each')}")
    known = {each.name: each for each in dataclasses.fields(limits["entries"])}
    for name in entry:
        for old, new in RENAMED.items():
            if old.rpartition(".")[2] == name and new.rpartition(".")[2] in known:
                raise InputError(f"{key}.{name}: is {key}.{new.rpartition('.')[2]} now")
        if name not in known:
            question = fields.did_you_mean(fields.nearest(name, known))
            raise InputError(f"{key}.{name}: no such key; {question}known are {', '.join(known)}")
    for name, each in known.items():
        if name not in entry and each.default == MISSING:
            raise InputError(f"{key}.{name}: is missing; known are {', '.join(known)}")


@functools.cache
def keys() -> dict[str, Mapping[str, Any]]:
    """Every key in full, such as `image.size_px`, with what it may be."""
    return {key: limits for key, _, limits in fields.fields(Config())}


@functools.cache
def groups() -> dict[str, list[str]]:
    """The choices of every group, such as those of `preset`."""
    folders = [path for path in CONFIG_DIR.iterdir() if path.is_dir() and path.name != "hydra"]
    folders.sort(key=lambda path: (path.name != "preset", path.name))
    return {path.name: sorted(each.stem for each in path.glob("*.yaml")) for path in folders}


def _check(override: Override) -> None:
    key, value = override.key_or_group, override.value()
    if key.partition(".")[0].partition("/")[0] == "hydra" or override.is_delete():
        return
    if key not in groups() or not override.is_sweep_override():
        check_setting(key, value)
    elif isinstance(value, ChoiceSweep):  # not glob(*), whose choices are there
        for choice in override.sweep_string_iterator():
            check_setting(key, choice)


def _check_choice(group: str, choice: Any, typed: str) -> None:
    known = groups()[group]
    if not isinstance(choice, str) or choice.removesuffix(".yaml") not in known:
        question = fields.did_you_mean(fields.nearest(str(choice), known))
        listed = f"there are {', '.join(known)}"
        if group in WHERE and command_line.has_pages():  # a guess would be lost among so many
            listed = f"all {len(known)} are in {WHERE[group]}"
        raise InputError(f"{typed}: no such {group}; {question}{listed}")


def _instead(key: str, value: Any, dot: str = ".") -> str:
    """What could have been meant by a key, and which there are beside it."""
    group, beside = _beside(key)
    question = fields.did_you_mean([each.replace(".", dot) for each in meant(key, value)])
    known = ", ".join(each.rpartition(".")[2] for each in beside)
    place = f" in {group}" if group else ""
    page = command_line.told("docs/reference/configuration.md")
    return f"; {question}known{place} are {known} ({page})"


def is_known(key: str) -> bool:
    """Whether it is a key in full, or a group."""
    return key in groups() or key in keys()


def meant(key: str, value: Any = "") -> list[str]:
    """The keys that could have been meant by one that may not be there; at most three."""
    name = key.rpartition(".")[2]
    if is_known(key):
        return [key]
    if name in CALLED:
        return [CALLED[name]]
    _, beside = _beside(key)
    anywhere = [each for each in keys() if _may_be(each, value)]
    near = _begun(name, beside) or _begun(name, anywhere) or _like(name, beside)
    return near or _like(name, anywhere)


def _beside(key: str) -> tuple[str, list[str]]:
    """The group of a key, and the keys in it; without a known group all beginnings of keys."""
    group = key.rpartition(".")[0]
    beside = [each for each in keys() if each.rpartition(".")[0] == group]
    if group and beside:
        return group, beside
    return "", list(dict.fromkeys([*groups(), *(each.partition(".")[0] for each in keys())]))


def _begun(name: str, several: Collection[str]) -> list[str]:
    """Keys whose last name begins with this one, unless they are many."""
    found = [each for each in several if each.rpartition(".")[2].startswith(name)]
    return found if len(found) <= 3 else []


def _like(name: str, several: Collection[str]) -> list[str]:
    """Keys whose last name is most like this one."""
    last = {each: each.rpartition(".")[2] for each in several}
    near = fields.nearest(name, last.values())
    return [each for each in last if last[each] in near][:3]


def _may_be(key: str, value: Any) -> bool:
    """Whether a key is one that may have a value: a choice is no number."""
    return isinstance(value, str) or "choices" not in keys()[key]
