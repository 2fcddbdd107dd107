"""What is minimized, before any picture is known: layers with their weights, and named choices."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from stn.config.schema import Copy, Guidance, Level
from stn.loss import statistics, strotss
from stn.loss.statistics import STATISTICS, Statistic

# What the loss of hypercolumns, which all their layers share, is called in place of a layer.
HYPERCOLUMN = "hypercolumn"


class Formula(NamedTuple):
    """The named choices of an objective. They shape the compiled function; numbers do not."""

    content_reduction: str = "mean"
    statistic: Statistic = STATISTICS["gram"]
    gram_divisor: str = "nm"
    style_reduction: str = "mean"
    activation_shift: float = 0.0
    components: int | None = None  # of the style's features; None: all
    total_variation: str = "none"
    # Positions between features that are compared, where a statistic compares such.
    shifts: tuple[int, ...] = (1,)

    def at(self, layer: str) -> "Formula":
        """The same at one layer, where no shift reaches farther in pixels than the largest."""
        return self._replace(shifts=statistics.shifts_at(self.shifts, layer))


class Term(NamedTuple):
    """A style loss of one statistic at layers with their weights; `name` is what it is logged
    by.
    """

    name: str
    statistic: Statistic
    layers: Mapping[str, float]

    @property
    def losses(self) -> Mapping[str, float]:
        """The losses it has, a layer each or one of hypercolumns, with their weights."""
        return _joined(self.layers) if self.statistic.of_hypercolumns else self.layers

    def over(self, per_layer: Mapping[str, float]) -> "Term":
        """The same, with weights divided by the losses there; that of a loss of 0 stays."""
        layers = {}
        for layer, weight in self.layers.items():
            loss = HYPERCOLUMN if self.statistic.of_hypercolumns else layer
            layers[layer] = weight / (per_layer[f"{self.name}/{loss}"] or 1.0)
        return self._replace(layers=layers)


def _joined(layers: Mapping[str, float]) -> Mapping[str, float]:
    return {HYPERCOLUMN: sum(layers.values())} if layers else {}


@dataclass(frozen=True)
class Specification:
    """The objective alpha · Σ w_l content_l + beta · Σ w_l style_l + weight · total variation + Σ
    `pixel_weights` · losses of pixels.

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
    # Of the losses of pixels that count, by their names.
    pixel_weights: Mapping[str, float] = field(default_factory=dict)
    more_terms: tuple[Term, ...] = ()  # of other statistics; beta multiplies their weights too
    guidance: Guidance = field(default_factory=Guidance)
    # Whether several styles have one target, their mean, or a loss each.
    blend_targets: bool = True
    seed: int = 0  # of the statistics that draw directions
    directions: int | None = None  # how many; None: as many as a layer has channels
    copies: tuple[Copy, ...] = ()  # of paintings, for the statistics that pool some
    hypercolumns: int = 1024  # of the result and of the content, at the same positions
    style_hypercolumns: int = 5000  # of a painting
    redraw: int | None = None  # evaluations after which others are drawn, if any; None: never
    over_first_loss: bool = False  # whether a style loss counts over its value at the photograph

    def at(self, level: Level) -> "Specification":
        """That of a level: its own statistic in place of the first, and weights multiplied by its
        `times`, `content_weight`, `style_weight`, a later term's and those of losses of pixels.
        """
        factors, statistic = level.times, self.formula.statistic
        if level.style_statistic is not None:
            statistic = STATISTICS[level.style_statistic]
        return dataclasses.replace(
            self,
            formula=self.formula._replace(statistic=statistic),
            content_weight=self.content_weight * factors.get("content_weight", 1.0),
            style_weight=self.style_weight * factors.get("style_weight", 1.0),
            pixel_weights={
                name: weight * factors.get(f"{name}_weight", 1.0)
                for name, weight in self.pixel_weights.items()
            },
            more_terms=tuple(
                term._replace(
                    layers={
                        layer: weight * factors.get(term.name, 1.0)
                        for layer, weight in term.layers.items()
                    }
                )
                for term in self.more_terms
            ),
        )

    def over(self, per_layer: Mapping[str, float]) -> "Specification":
        """The same, with every style loss divided by its value in `Terms.per_layer`."""
        first, *more = (term.over(per_layer) for term in self.style_terms)
        return dataclasses.replace(self, style_layers=first.layers, more_terms=tuple(more))

    @property
    def style_terms(self) -> tuple[Term, ...]:
        """The style losses that are added up, the one of `formula` and `style_layers` first."""
        return Term("style", self.formula.statistic, self.style_layers), *self.more_terms

    @property
    def redrawn(self) -> int | None:
        """`redraw` where losses are compared at what is drawn, else None."""
        draws = any(term.statistic.draws for term in self.style_terms)
        return self.redraw if draws or HYPERCOLUMN in self.content_losses else None

    @property
    def keeps_features(self) -> bool:
        """Whether the paintings' features stay in memory, since their targets are drawn anew."""
        of_layers = all(
            term.statistic.layers == 1 and not term.statistic.of_hypercolumns
            for term in self.style_terms
        )
        projects = any(term.statistic.projects for term in self.style_terms)
        return bool(self.redraw) and projects and of_layers

    @property
    def on_grid(self) -> bool:
        """Whether hypercolumns are compared on a grid, at no positions drawn."""
        return any(term.statistic.on_grid for term in self.style_terms)

    @property
    def guides_columns(self) -> bool:
        """Whether masks are to say which hypercolumns are compared."""
        return any(term.statistic.of_hypercolumns for term in self.style_terms)

    @property
    def replaces(self) -> bool:
        """Whether targets are found once a level, for a picture that it is told."""
        return any(term.statistic.replace is not None for term in self.style_terms)

    @property
    def every_style_layer(self) -> tuple[str, ...]:
        """The layers of all style terms, each once."""
        return tuple(dict.fromkeys(layer for term in self.style_terms for layer in term.layers))

    @property
    def style_losses(self) -> tuple[str, ...]:
        """The names of the losses of all style terms, each once: layers, or HYPERCOLUMN."""
        return tuple(dict.fromkeys(loss for term in self.style_terms for loss in term.losses))

    @property
    def content_losses(self) -> Mapping[str, float]:
        """The content losses with their weights: a layer each, or one of hypercolumns."""
        joins = self.formula.content_reduction in strotss.CONTENT_REDUCTIONS
        return _joined(self.content_layers) if joins else self.content_layers

    @property
    def joined_layers(self) -> tuple[str, ...]:
        """The layers of hypercolumns, each once."""
        layers = [term.layers for term in self.style_terms if term.statistic.of_hypercolumns]
        if HYPERCOLUMN in self.content_losses:
            layers.append(self.content_layers)
        return tuple(dict.fromkeys(layer for each in layers for layer in each))
