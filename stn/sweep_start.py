"""What is wrong with a sweep before its first cell: one output= for many, seeds where nothing is random."""

import itertools
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from stn.errors import InputError

FIRST_IMAGE = ("preset", "init", "init.name")  # the overrides that choose it
RANDOM = ("noise", "blend")


def check(overrides: Sequence[str]) -> None:
    """Look at the overrides of a multirun, inside Hydra.

    Raises InputError if several cells would write the same `output=`; warns if seeds are swept where no cell has a
    random first image, since such cells are equal and each costs a whole run.
    """
    loader = GlobalHydra.instance().config_loader()
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
    swept = {each.key_or_group: list(each.sweep_string_iterator()) for each in parsed if each.is_sweep_override()}
    _check_output(parsed, swept)
    if len(set(swept.get("seed", ()))) > 1:
        fixed = sorted({name for name in _first_images(parsed, swept) if name not in RANDOM})
        if fixed:
            warnings.warn(
                f"seed={','.join(swept['seed'])}: nothing is random with init={','.join(fixed)}, so all seeds give the "
                "same picture and each costs a run; add init=noise, or leave seed out",
                stacklevel=2,
            )


def _check_output(parsed: Sequence[Override], swept: Mapping[str, list[str]]) -> None:
    for override in parsed:
        if override.key_or_group != "output" or override.value() is None:
            continue
        outputs = swept.get("output") or [str(override.value())]
        cells = math.prod(len(values) for values in swept.values())
        if len(set(outputs)) < cells and not any("${" in output for output in outputs):
            raise InputError(
                f"output={','.join(outputs)}: {cells} cells would write it, each over the one before; put what varies "
                "into the name, as in 'output=copies/${hydra:sweep.subdir}.png'"
            )


def _first_images(parsed: Sequence[Override], swept: Mapping[str, list[str]]) -> Iterator[str]:
    """The init.name of every combination of values that could change it."""
    fixed = [str(each.input_line) for each in parsed if not each.is_sweep_override()]
    axes = {key: values for key, values in swept.items() if key in FIRST_IMAGE}
    for values in itertools.product(*axes.values()):
        chosen = [f"{key}={value}" for key, value in zip(axes, values, strict=True)]
        try:
            yield str(hydra.compose("config", [*fixed, *chosen]).init.name)
        except (HydraException, OmegaConfBaseException):
            return  # the cells themselves will say what is wrong
