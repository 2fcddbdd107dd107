"""What is wrong with a sweep before its first cell: files that are missing, one output= for many,
seeds where nothing is random.
"""

import contextlib
import itertools
import math
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from stn import config
from stn.assets import inputs
from stn.config.schema import Init
from stn.errors import InputError

# The groups and keys that name files; of cells that differ in others alone one is looked at.
FILES = ("preset", "content", "style", "more_styles", "network", "init", "mix", "paint_only")
# The overrides that choose what is drawn: the initial image, and directions or positions of a
# statistic.
DRAWN = (
    *("preset", "init", "init.name", "objective"),
    *("objective.style_statistic", "objective.more_statistics"),
)


def composed(overrides: Iterable[str]) -> config.Config:
    """The settings of a cell, without the warnings that the cell itself will give."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return config.compose(*overrides)


def look_for_files(planned: Mapping[str, Sequence[str]]) -> None:
    """Raise InputError for what is missing of any cell, before the first; fetch small networks."""
    several: dict[tuple[str, ...], config.Config] = {}
    for given in planned.values():
        typed = tuple(text for text in given if re.split(r"[.=@/]", text.lstrip("+"))[0] in FILES)
        if typed in several:
            continue
        with contextlib.suppress(InputError):  # the cell will say it
            several[typed] = composed(typed)
    inputs.prepare((settings, typed) for typed, settings in several.items())


def check(overrides: Sequence[str]) -> None:
    """Look at the overrides of a multirun, inside Hydra.

    Raises InputError if a `glob` fits nothing, or several cells would write the same `output=`.
    Warns if seeds are swept where a cell draws nothing: such cells are equal, and each costs a run.
    """
    loader = GlobalHydra.instance().config_loader()
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
    swept = {
        # Of an interval the sweeper chooses the values, one a cell.
        each.key_or_group: ["interval"] * 2
        if each.is_interval_sweep()
        else list(each.sweep_string_iterator())
        for each in parsed
        if each.is_sweep_override()
    }
    for each in parsed:
        if each.is_sweep_override() and not swept[each.key_or_group]:
            raise InputError(
                f"{each.input_line}: no {each.key_or_group} has such a name, so that there"
                " would be no cell"
            )
    _check_output(parsed, swept)
    if len(set(swept.get("seed", ()))) > 1:
        fixed = sorted(set(_not_random(parsed, swept)))
        if fixed:
            warnings.warn(
                f"seed={','.join(swept['seed'])}: nothing is random with init={','.join(fixed)}, so"
                " all seeds give the same picture and each costs a run; add init=noise, or leave"
                " seed out",
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
                f"output={','.join(outputs)}: {cells} cells would write it, each over the one"
                " before; put what varies into the name, as in"
                " 'output=copies/${hydra:sweep.subdir}.png'"
            )


def _not_random(parsed: Sequence[Override], swept: Mapping[str, list[str]]) -> Iterator[str]:
    """The init.name of every combination of values with which a seed changes nothing."""
    fixed = [
        str(each.input_line)
        for each in parsed
        if not each.is_sweep_override() and each.key_or_group.partition(".")[0] in DRAWN
    ]
    axes = {key: values for key, values in swept.items() if key in DRAWN}
    for values in itertools.product(*axes.values()):
        chosen = [f"{key}={value}" for key, value in zip(axes, values, strict=True)]
        try:
            settings = composed([*fixed, *chosen])
        except InputError:
            return  # the cells themselves will say what is wrong
        if settings.init.name not in Init.RANDOM and not config.draws(settings):
            yield settings.init.name
