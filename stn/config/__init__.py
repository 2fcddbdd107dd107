"""Settings: what a run is told, and the check that it can be done.

`compose` makes the typed `Config` of a command from the files in `configs/`. Every key, its limits
and its help stand in `schema`; `rules` has what keys need of each other. `ineffective` warns of
overrides that change nothing. `dotted` treats settings as flat keys, to compare runs.
"""

from stn.config.composition import (
    CONFIG_DIR,
    choices,
    compose,
    levels,
    parse,
    pixel_unit,
)
from stn.config.dotted import (
    BUDGET,
    counted,
    difference,
    differing,
    finite,
    flat,
    inert,
    same_threads,
    short,
    to_dict,
    told_apart,
    value_of,
)
from stn.config.lists import compared, draws, guided, style_layers, styles
from stn.config.optimizers import FirstOrder, Optimizer
from stn.config.schema import Color, Config, Image, Level
