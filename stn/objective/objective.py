"""The objective: its targets, computed once, then the loss and its gradient at any image."""

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import numpy as np

from stn.assets.pictures import LevelPictures
from stn.backend import Tensor, tf
from stn.images import resizing
from stn.loss import pixels
from stn.loss.statistics import Statistic
from stn.network.network import Network
from stn.objective import features, graph, references, targets
from stn.objective.guides import Asked, Guides
from stn.objective.layer_losses import Comparison
from stn.objective.specification import Specification, Term
from stn.objective.targets import StyleTarget
from stn.quantities import Terms

Made = TypeVar("Made")


class Drawn(NamedTuple):
    """The style targets of a draw, and what is drawn: directions by layer, and positions [regions,
    n, 2] of hypercolumns. A `style` of None leaves the targets as they are.
    """

    style: Sequence[StyleTarget] | None
    directions: references.Directions = MappingProxyType({})
    positions: Tensor | None = None  # None: none are drawn


class Objective:
    """The total loss of an image and its gradient. Objectives of one formula, with the same layers
    and shapes, share what is compiled.
    """

    def __init__(
        self,
        specification: Specification,
        network: Network,
        content: Mapping[str, Tensor],
        drawn: Callable[[int], Drawn],
        pixel_targets: Mapping[str, np.ndarray] = MappingProxyType({}),
        kept: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        """`content` are features P {layer: [1, h, w, N]}. `drawn` gives the style targets by the
        number of a draw, from 0. `pixel_targets` are what the losses of pixels compare with.
        `kept` is an image [1, h, w, 3] and a mask [h, w, 1], 0-1: where the mask is 0, that image
        takes the place of the one given.
        """
        self._specification, self._kept = specification, kept
        self._drawn, self._draw = drawn, 0
        chosen, first = specification, drawn(0)
        style = first.style or ()
        varies = chosen.formula.total_variation if chosen.total_variation_weight else "none"
        self._choices = graph.Choices(
            chosen.formula._replace(total_variation=varies),
            network.options,
            tuple(chosen.content_losses),
            chosen.style_losses,
            tuple(chosen.content_layers),
            chosen.every_style_layer,
            tuple(_comparison(target, chosen.style_terms[target.term]) for target in style),
            tuple(chosen.style_layers) if chosen.formula.statistic.hands_on is not None else (),
        )
        self._inputs = graph.Inputs(
            features.kernels_of(network, [*chosen.content_layers, *chosen.every_style_layer]),
            dict(content),
            [_inputs(target, chosen.formula.components) for target in style],
            _weights(chosen.content_weight, [chosen.content_losses], chosen.content_losses)[:, 0],
            _style_weights(chosen),
            tf.constant(chosen.total_variation_weight, tf.float32),
            tf.constant(chosen.pixel_unit, tf.float32),
            {name: tf.constant(each, tf.float32) for name, each in pixel_targets.items()},
            tf.constant([chosen.pixel_weights[name] for name in pixel_targets], tf.float32),
            dict(first.directions),
            features.nowhere() if first.positions is None else first.positions,
            features.black(network),
        )
        self._function: Any = None
        self._shape: Any = None

    def over_first_loss(self, image: np.ndarray) -> "Objective":
        """The objective whose style losses count over what they are at `image` [1, h, w, 3]."""
        found = copy.copy(self)
        found._specification = self._specification.over(self.value_and_grad(image)[0].per_layer)
        found._inputs = self._inputs._replace(style_weights=_style_weights(found._specification))
        return found

    @property
    def redraw(self) -> int | None:
        """After how many evaluations it is another function; None: never."""
        return self._specification.redrawn

    def at_evaluation(self, number: int) -> None:
        """Take the directions and positions of an evaluation of the level, counted from 0, as
        `Specification.redrawn` says; targets are those of the same directions.
        """
        draw = number // self.redraw if self.redraw else 0
        if draw == self._draw:
            return
        style, directions, positions = self._drawn(draw)
        self._inputs = self._inputs._replace(directions=dict(directions), positions=positions)
        if style is not None:
            components = self._specification.formula.components
            found = [_inputs(target, components) for target in style]
            self._inputs = self._inputs._replace(style=found)
        self._draw = draw

    def value_and_grad(self, image: np.ndarray) -> tuple[Terms, np.ndarray]:
        """Loss terms and gradient [1, h, w, 3], float64, at `image` [1, h, w, 3]; the network runs
        in float32.
        """
        if self._kept is not None:
            around, mask = self._kept
            image = around + mask * (image - around)
        x = tf.constant(image, tf.float32)
        if self._shape != x.shape:
            self._function = graph.value_and_grad(self._choices, x, self._inputs)
            self._shape = x.shape
        content, style, total_variation, of_pixels, gradient = self._function(x, self._inputs)
        slope = gradient.numpy().astype(np.float64)
        terms = self._terms(
            content.numpy(), style.numpy(), float(total_variation), of_pixels.numpy()
        )
        return terms, slope if self._kept is None else slope * self._kept[1]

    def _terms(
        self,
        content: np.ndarray,
        style: np.ndarray,
        total_variation: float,
        of_pixels: np.ndarray,
    ) -> Terms:
        chosen = self._specification
        C = dict(zip(chosen.content_losses, map(float, content), strict=True))
        E = dict(zip(chosen.style_losses, style, strict=True))
        of_terms = [
            (term, {loss: float(E[loss][number]) for loss in term.losses})
            for number, term in enumerate(chosen.style_terms)
        ]
        weighted_content = chosen.content_weight * sum(
            weight * C[loss] for loss, weight in chosen.content_losses.items()
        )
        weighted_style = chosen.style_weight * sum(
            weight * values[loss]
            for term, values in of_terms
            for loss, weight in term.losses.items()
        )
        counted = chosen.total_variation_counted
        variation = chosen.total_variation_weight * total_variation if counted else 0.0
        weighted_pixels = {f"loss/{name}": 0.0 for name in sorted(chosen.pixel_weights)}
        weighted_pixels |= {
            f"loss/{name}": chosen.pixel_weights[name] * float(value)
            for name, value in zip(self._inputs.pixel_targets, of_pixels, strict=True)
        }
        total = weighted_content + weighted_style + variation + sum(weighted_pixels.values())
        per_layer = {f"content/{layer}": value for layer, value in C.items()}
        for term, values in of_terms:
            per_layer |= {f"{term.name}/{layer}": value for layer, value in values.items()}
        per_layer |= weighted_pixels
        return Terms(total, weighted_content, weighted_style, variation, per_layer)


def build(
    specification: Specification,
    network: Network,
    sized: LevelPictures,
    level: int = 0,
    painted: np.ndarray | None = None,
) -> Objective:
    """The objective of pictures at the size they have at a level of that number.

    `painted` is the image [1, h, w, 3] for which some statistics find their targets once; None is
    the content.
    """
    projects = any(term.statistic.projects for term in specification.style_terms)
    # Paintings pass the network once, and of their features are other targets at every draw.
    keeps = specification.keeps_features and not network.options.gradient_checkpointing
    regions = targets.regions(sized.styles)
    copies = [(each.turn_deg, each.scale) for each in specification.copies]
    copies_of = _once(lambda rgb: [resizing.copy(rgb, *each) for each in copies])
    features_of = _once(
        lambda rgb: references.style_features(specification, network, network.image(rgb))
    )

    def drawn(draw: int) -> Drawn:
        directions = references.directions(specification, network, level, draw)
        positions = references.positions_of_result(specification, sized.shape, regions, level, draw)

        def statistics_of(rgb: np.ndarray, asked: Asked) -> list[dict[str, Tensor]]:
            if keeps:
                F = features_of(rgb)
                return references.statistics_of_features(specification, F, asked, directions)
            image = network.image(rgb)
            return references.statistics(specification, network, image, asked, directions, level)

        if draw and not projects:
            return Drawn(None, directions, positions)
        style = targets.build(specification, network, sized, statistics_of, copies_of)
        return Drawn(targets.found_once(style, of_painted), directions, positions)

    def of_painted(statistic: Statistic, T: Guides) -> Mapping[str, Tensor]:
        assert sized.content is not None
        image = network.image(sized.content) if painted is None else painted
        return references.statistics(specification, network, image, [(statistic, T)])[0]

    content: Mapping[str, Tensor] = {}
    if specification.content_layers and sized.content is not None:
        content = references.content_features(specification, network, network.image(sized.content))
    kept = None
    if sized.paint_only is not None and sized.content is not None:
        kept = network.image(sized.content), sized.paint_only[..., None]
    compared = _pixel_targets(specification, network, sized)
    found = Objective(specification, network, content, drawn, compared, kept)
    if specification.over_first_loss:
        assert sized.content is not None  # rules.check
        return found.over_first_loss(network.image(sized.content))
    return found


def _once(make: Callable[[np.ndarray], Made]) -> Callable[[np.ndarray], Made]:
    """The same function of a picture, which computes once what it gives for an array."""
    found: dict[int, tuple[np.ndarray, Made]] = {}

    def of(rgb: np.ndarray) -> Made:
        if id(rgb) not in found:
            found[id(rgb)] = rgb, make(rgb)  # the array is kept, so that no other has its id
        return found[id(rgb)][1]

    return of


def _pixel_targets(
    specification: Specification, network: Network, sized: LevelPictures
) -> dict[str, np.ndarray]:
    """What the losses of pixels that count compare the result with."""
    found = {}
    for name in sorted(name for name, weight in specification.pixel_weights.items() if weight):
        loss = pixels.PIXEL_LOSSES[name]
        rgb = sized.content if loss.of_content else sized.styles[0].rgb
        if rgb is not None:
            found[name] = loss.target(network.image(rgb))
    return found


def _comparison(target: StyleTarget, term: Term) -> Comparison:
    joins = tuple(term.layers) if term.statistic.of_hypercolumns else ()
    return Comparison(target.statistic, target.term, joins, target.region)


def _style_weights(chosen: Specification) -> Tensor:
    terms = [term.losses for term in chosen.style_terms]
    return _weights(chosen.style_weight, terms, chosen.style_losses)


def _weights(
    factor: float, terms: Sequence[Mapping[str, float]], losses: Collection[str]
) -> Tensor:
    """The weights of the terms' losses [losses, terms], 0 where one does not count."""
    found = [[factor * term.get(loss, 0.0) for term in terms] for loss in losses]
    return tf.constant(found, tf.float32, (len(losses), len(terms)))


def _inputs(target: StyleTarget, components: int | None) -> dict[str, dict[str, Tensor]]:
    """A target as the compiled function takes it, with its principal `components`, which no
    evaluation changes; a chain has no statistic at its first layer.
    """
    found = {}
    for layer, share in target.shares.items():
        if layer in target.A:
            found[layer] = {"A": target.A[layer], "share": tf.constant(share, tf.float32)}
            V = target.statistic.components(target.A[layer], components)
            if V is not None:
                found[layer]["V"] = V
            if target.T is not None and not target.statistic.at_positions:
                found[layer]["T"] = tf.constant(target.T[layer], tf.float32)
    return found
