"""Settings: what a run is told."""

from stn.config.composition import (
    CONFIG_DIR,
    check,
    choices,
    compose,
    compose_each,
    levels,
    parse,
    pixel_unit,
)
from stn.config.dotted import (
    BUDGET,
    completed,
    counted,
    difference,
    differing,
    finite,
    flat,
    inert,
    short,
    to_dict,
)
from stn.config.rules import guided, styles
from stn.config.schema import Color, Config, Image, Level, Optimizer

__all__ = [
    "BUDGET",
    "CONFIG_DIR",
    "Color",
    "Config",
    "Image",
    "Level",
    "Optimizer",
    "check",
    "choices",
    "completed",
    "compose",
    "compose_each",
    "counted",
    "difference",
    "differing",
    "finite",
    "flat",
    "guided",
    "inert",
    "levels",
    "parse",
    "pixel_unit",
    "short",
    "styles",
    "to_dict",
]
