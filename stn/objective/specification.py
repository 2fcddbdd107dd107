"""What is minimized, before any picture is known: layers with their weights, and named choices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from stn.config.schema import Copy, Guidance
from stn.loss.statistics import STATISTICS, Statistic


class Formula(NamedTuple):
    """The named choices of an objective. They shape the compiled function; numbers do not."""

    content_reduction: str = "mean"
    statistic: Statistic = STATISTICS["gram"]
    gram_divisor: str = "nm"
    style_reduction: str = "mean"
    activation_shift: float = 0.0
    components: int | None = None  # of the style's features; None: all
    total_variation: str = "none"


class Term(NamedTuple):
    """A style loss of one statistic at layers with their weights; `name` is what it is logged
    by.
    """

    name: str
    statistic: Statistic
    layers: Mapping[str, float]


@dataclass(frozen=True)
class Specification:
    """The objective alpha · Σ w_l content_l + beta · Σ w_l style_l + weight · total variation.

    Layers are given with their weights w_l. `content_weight` is alpha and `style_weight` beta.
    Where several statistics are compared, the sum over style_l is over all `style_terms`."""

    formula: Formula
    content_layers: Mapping[str, float]
    style_layers: Mapping[str, float]
    content_weight: float = 1.0
    style_weight: float = 1.0
    total_variation_weight: float = 0.0
    # False: total variation is in the gradient, but not in the total.
    total_variation_counted: bool = True
    # One unit of the source's pixels in 0-255 steps, RGB; total variation is measured in it.
    pixel_unit: tuple[float, ...] = (1.0, 1.0, 1.0)
    more_terms: tuple[Term, ...] = ()  # of other statistics; beta multiplies their weights too
    guidance: Guidance = field(default_factory=Guidance)
    # Whether several styles have one target, their mean, or a loss each.
    blend_targets: bool = True
    seed: int = 0  # of the statistics that draw directions
    directions: int | None = None  # how many; None: as many as a layer has channels
    copies: tuple[Copy, ...] = ()  # of paintings, for the statistics that pool some
    redraw: int | None = None  # evaluations after which others are drawn; None: never

    @property
    def style_terms(self) -> tuple[Term, ...]:
        """The style losses that are added up, the one of `formula` and `style_layers` first."""
        return Term("style", self.formula.statistic, self.style_layers), *self.more_terms

    @property
    def every_style_layer(self) -> tuple[str, ...]:
        """The layers of all style terms, each once."""
        return tuple(dict.fromkeys(layer for term in self.style_terms for layer in term.layers))
