"""The configuration: how Hydra composes it from `configs/`, and its checks; what it holds is in
`schema`.
"""

import contextlib
import copy
import functools
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import hydra
from hydra import version
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobRuntime
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from stn.command_line import of_hydra, one_line
from stn.config import fields, ineffective, names, optimizers, rules
from stn.config.names import CONFIG_DIR
from stn.config.overrides import quoted
from stn.config.schema import Config, Level
from stn.errors import InputError

ConfigStore.instance().store(name="schema", node=Config)
_composing = threading.Lock()  # around what Hydra keeps one of in a process


def compose(*words: str) -> Config:
    """The configuration that `scripts/stylize.py` would run with these overrides; InputError with
    its line.
    """
    overrides = quoted(words)
    keys = [text for text in overrides if _is_key(text)]
    with _input_errors():
        composed = _of_groups([text for text in overrides if text not in keys])
        for text in keys:
            _put(composed, text)
    return parse(composed, overrides)


def _is_key(text: str) -> bool:
    """Whether it gives one key one value. Such win over groups, whatever the order."""
    known = names.keys().keys() - names.groups().keys()
    return text.partition("=")[0] in known and not names.parsed(text).is_sweep_override()


def _put(composed: DictConfig, text: str) -> None:
    override = names.parsed(text)
    try:
        OmegaConf.update(composed, override.key_or_group, override.value(), merge=True)
    except OmegaConfBaseException as error:  # in Hydra's words, of which `one_line` knows the value
        raise ConfigCompositionException(f"Error merging override {text}") from error


def _of_groups(overrides: Sequence[str]) -> DictConfig:
    """What groups make, as in `preset=johnson2016`. They are looked up once while no file of them
    changes, which is most of the time of composing.
    """
    if any("hydra" in text for text in overrides):  # which may name other folders
        return _load(overrides)
    stamps = tuple((path, path.stat().st_mtime_ns) for path in CONFIG_DIR.rglob("*.yaml"))
    return copy.deepcopy(_loaded(tuple(overrides), stamps))


@functools.lru_cache(maxsize=256)
def _loaded(overrides: tuple[str, ...], stamps: tuple[tuple[Path, int], ...]) -> DictConfig:
    return _load(overrides)


def _load(overrides: Sequence[str]) -> DictConfig:
    with own_loader():
        return hydra.compose("config", list(overrides))


@contextlib.contextmanager
def own_loader() -> Iterator[ConfigLoader]:
    """For the time of the block Hydra composes from CONFIG_DIR.

    A program around it that is Hydra's too has its own again at the end."""
    with _composing:
        there, base = GlobalHydra.instance(), version.getbase()
        around = there.hydra
        there.clear()
        try:
            job = JobRuntime.instance().get("name")
            hydra.initialize_config_dir(str(CONFIG_DIR), job, version_base="1.3")
            yield there.config_loader()
        finally:
            there.hydra = around
            # `setbase` would not take None, which it was if nobody had set it.
            version.VersionBase.instance().version_base = base


@contextlib.contextmanager
def _input_errors() -> Iterator[None]:
    """What Hydra finds wrong is an InputError."""
    try:
        yield
    except Exception as error:
        if of_hydra(error):
            raise InputError(one_line(error)) from None
        raise


def parse(config: DictConfig, overrides: Sequence[str] = ()) -> Config:
    """Turn Hydra's configuration into a checked `Config`; InputError names the key, the value and
    what is allowed.

    Of the `overrides` that made it those that change nothing are named in a warning.
    """
    try:
        parsed = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise InputError(one_line(error)) from None
    if not isinstance(parsed, Config):
        raise InputError(
            "the configuration lacks the schema; keep `- schema` first in the defaults of"
            " config.yaml"
        )
    fields.check_values(parsed)  # also those of optimizers that are not chosen
    parsed.optimizer = optimizers.chosen(parsed.optimizer)
    rules.check(parsed)
    ineffective.warn(parsed, overrides)
    return parsed


def pixel_unit(config: Config) -> tuple[float, ...]:
    """One of the source's pixel units in 0-255 steps, RGB: `image.pixel_unit`, where its network
    sees 255 for white.
    """
    return tuple(unit * 255 / config.network.input_range for unit in config.image.pixel_unit)


def levels(config: Config) -> list[Level]:
    """The levels of a run, coarse ones first; the last is the full size."""
    return [*config.pyramid.levels, Level(1.0, config.optimizer.max_evaluations)]


def choices(key: str) -> tuple[str, ...]:
    """The names that a key may have, such as `choices("init.name")`."""
    found: tuple[str, ...] = names.keys()[key]["choices"]
    return found
