"""The numbers of a finished run as data: what summary.json calls them, and how to read them.

What each measure is stands in stn/metrics/measures.py, which computes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

LOWER, HIGHER = "↓", "↑"
CONTENT, STYLE = "content", "style"  # what a measure compares the result with


class Quantity(NamedTuple):
    """What a reader must know of a number.

    `heading`, with the unit, stands where it is not the key. `better` is LOWER, HIGHER or neither.
    Changes are factors, or differences where zero has no meaning of its own. `compares` says what a
    measure compares the result with, if with anything."""

    heading: str = ""
    better: str = ""
    factor: bool = True
    compares: str = ""


@dataclass(frozen=True)
class Terms:
    """The loss at one image: total = content + style + total_variation, each with its weight (eq.
    7).

    `per_layer` holds `content/<layer>` and `style/<layer>`, the formulas' values before any weight.
    A second statistic has its own name there, as in `histogram/<layer>`; `style` counts all. Losses
    of pixels that are asked for are there too, with their weights: `loss/matting`."""

    total: float
    content: float
    style: float
    total_variation: float
    per_layer: Mapping[str, float]


# The terms of a loss; losses compare only under one objective.
TERMS = ("total", "content", "style", "total_variation")
LOSSES = tuple(f"loss/{term}" for term in TERMS)
# By their names after `measures/`; a measure of one layer, `style/relu1_1`, is as its mean.
MEASURES = {
    "features": Quantity(better=LOWER, compares=CONTENT),
    "content": Quantity(better=LOWER, compares=CONTENT),
    "ssim_to_content": Quantity(better=HIGHER, factor=False, compares=CONTENT),
    "edges_to_content": Quantity(better=HIGHER, factor=False, compares=CONTENT),
    "histogram_to_content": Quantity(better=LOWER, compares=CONTENT),
    "gram": Quantity(better=LOWER, compares=STYLE),
    "style": Quantity(better=LOWER, compares=STYLE),
    "patches_to_style": Quantity(better=LOWER, compares=STYLE),
    "histogram_to_style": Quantity(better=LOWER, compares=STYLE),
    "checkerboard": Quantity(better=LOWER),
    "isolated_pixels": Quantity(better=LOWER),
}
OTHERS = {
    **{f"{place}{key}": Quantity(better=LOWER) for key in LOSSES for place in ("", "picture/")},
    "picture/clipped_share": Quantity("clipped values (share)", LOWER),
    "seconds": Quantity("time (s)", LOWER),
    "peak_memory_mb": Quantity("peak memory (MiB)", LOWER),
    "optimizer.max_evaluations": Quantity("max. evaluations"),  # a setting, which may be a column
}


def comparing_with(what: str) -> tuple[str, ...]:
    """The measures that compare the result with CONTENT or with STYLE."""
    return tuple(name for name, quantity in MEASURES.items() if quantity.compares == what)


def about(key: str) -> Quantity:
    """What there is to know of a key of summary.json; of one layer's measure, that of their
    mean."""
    kind, _, name = key.partition("/")
    if kind == "measures":
        return MEASURES.get(name.partition("/")[0], Quantity())
    return OTHERS.get(key, Quantity())
