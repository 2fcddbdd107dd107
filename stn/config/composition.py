"""The configuration: how Hydra composes it from `configs/`, and its checks; what it holds is in
`schema`.
"""

import contextlib
import copy
import threading
from collections.abc import Iterable, Iterator, Sequence

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
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
    return parse(_load(overrides), overrides)


def compose_each(several: Iterable[Sequence[str]]) -> list[Config]:
    """`compose(*overrides)` of each; groups that several name alike are looked up once, which is
    most of the time.
    """
    loaded: dict[tuple[str, ...], DictConfig] = {}
    found = []
    for overrides in several:
        names.check(overrides)
        # A key in a group has a dot, and wins over groups whatever the order.
        keys = [text for text in overrides if "." in text.partition("=")[0]]
        groups = tuple(text for text in overrides if text not in keys)
        if groups not in loaded:
            loaded[groups] = _load(groups)
        composed = copy.deepcopy(loaded[groups])
        with _input_errors():
            ConfigLoaderImpl._apply_overrides_to_config(
                OverridesParser.create().parse_overrides(keys), composed
            )
        found.append(parse(composed, overrides))
    return found


def _load(overrides: Sequence[str]) -> DictConfig:
    # Hydra's own `compose` would take the place of the program around it, if that is Hydra's too,
    # and of other threads.
    with _composing, _input_errors():
        before = version.getbase()
        version.setbase("1.3")
        try:
            loader = ConfigLoaderImpl(create_config_search_path(str(CONFIG_DIR)))
            composed = loader.load_configuration(
                "config", list(overrides), RunMode.RUN, from_shell=False
            )
        finally:
            version.VersionBase.instance().version_base = (
                before  # which `setbase` would not take, were there none
            )
    with open_dict(composed):
        del composed["hydra"]
    return composed


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


def check(config: Config) -> None:
    """Raise InputError for what a program wrote into a configuration that `parse` had checked."""
    names.check_attributes(config)
    try:
        OmegaConf.structured(config)  # which looks at the types
    except OmegaConfBaseException as error:
        raise InputError(one_line(error)) from None
    fields.check_values(config)
    rules.check(config)


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
