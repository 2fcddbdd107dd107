"""What is computed of content and paintings once a level: features, statistics, what is drawn."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from stn import backend
from stn.backend import Tensor, tf
from stn.layers import COLORS, stride_of
from stn.loss import hypercolumns
from stn.loss.statistics import Context, Statistic
from stn.network import convolution, vgg
from stn.network.network import Network
from stn.network.vgg import Options
from stn.objective import features
from stn.objective.guides import Asked
from stn.objective.specification import HYPERCOLUMN, Formula, Specification

# Unit vectors [D, N] by layer, for the statistics that project features.
Directions = Mapping[str, Tensor]
# Of the numbers that positions are drawn from the last: a painting's, a result's.
OF_PAINTING, OF_RESULT = 0, 1
# A statistic that is the features themselves.
FEATURES = Statistic(lambda F, context: F)
# Statistics with the layers at which each is asked for.
Kinds = tuple[tuple[Statistic, tuple[str, ...]], ...]


def directions(
    specification: Specification,
    network: Network,
    level: int,
    draw: int,
) -> dict[str, Tensor]:
    """What is drawn for the statistic that draws, at its layers.

    It is drawn from seed, level, draw and layer, so that a run that is resumed has the same."""
    found = {}
    for term in specification.style_terms:
        drawn = term.statistic.draw
        if drawn is None:
            continue
        for layer in term.layers:
            N, place = network.channels(layer), network.layer_names.index(layer)
            numbers = specification.seed, level, draw, place
            found[layer] = tf.constant(drawn(specification.directions or N, N, numbers))
    return found


def positions_of_result(
    specification: Specification,
    shape: tuple[int, int],
    masks: Sequence[np.ndarray | None],
    level: int,
    draw: int,
) -> Tensor:
    """The pixels [masks, n, 2] of a result at which hypercolumns are compared at a draw, for each
    of some masks [h, w], None for all of it.

    There are none without such losses, or where they are on a grid."""
    if not specification.joined_layers or specification.on_grid:
        return features.nowhere()
    first = specification.seed, level
    count, grid = specification.hypercolumns, (*first, 0, OF_RESULT)
    drawn = (*first, draw + 1, OF_RESULT)  # another number than the grid's
    return tf.stack(
        [hypercolumns.positions_of_result(shape, count, grid, drawn, mask) for mask in masks]
    )


def content_features(
    specification: Specification, network: Network, image: np.ndarray
) -> dict[str, Tensor]:
    """P [1, h, w, N] of a content image [1, h, w, 3] at the content layers."""
    layers = tuple(specification.content_layers)
    return _features(specification, network, network.options, image, layers)


def style_features(
    specification: Specification, network: Network, image: np.ndarray
) -> dict[str, Tensor]:
    """The features [1, h, w, N] of a style image [1, h, w, 3] at all style layers."""
    options = _of_painting(network)
    return _features(specification, network, options, image, specification.every_style_layer)


def _features(
    specification: Specification,
    network: Network,
    options: Options,
    image: np.ndarray,
    layers: tuple[str, ...],
) -> dict[str, Tensor]:
    asked = ((FEATURES, layers),)
    guides: list[dict[str, Tensor]] = [{}]
    none: dict[str, Tensor] = {}  # no directions
    nowhere, black = features.nowhere(), features.black(network)
    kernels = features.kernels_of(network, layers)
    inputs = tf.constant(image, tf.float32), kernels, guides, none, nowhere, black
    choices = specification.formula, options, asked, (0,)
    [found] = backend.function(_found, choices, *inputs)(*inputs)
    return dict(found)


def _of_painting(network: Network) -> Options:
    return network.options._replace(border=convolution.border_of_painting(network.options.border))


def statistics(
    specification: Specification,
    network: Network,
    image: np.ndarray,
    asked: Asked,
    directions: Directions | None = None,
    level: int = 0,
) -> list[dict[str, Tensor]]:
    """Statistics {layer: A} of a style image [1, h, w, 3] at the layers of their terms, in one
    pass; of hypercolumns {HYPERCOLUMN: A}, at positions drawn for the level or on a grid.

    Each that is `asked` for is a statistic and guides T {layer: [h, w]}, None for the whole image.
    """
    guides, kinds = _asked(specification, asked)
    positions, places = features.nowhere(), (0,) * len(asked)
    if specification.joined_layers and not specification.on_grid:
        count, drawn = specification.style_hypercolumns, (specification.seed, level, 0, OF_PAINTING)
        each = {id(T): None if T is None else T.get(HYPERCOLUMN) for _, T in asked}
        places = tuple(list(each).index(id(T)) for _, T in asked)
        positions = tf.stack(
            [
                hypercolumns.positions_of_painting(image.shape[1:3], count, drawn, T)
                for T in each.values()
            ]
        )
    choices = specification.formula, _of_painting(network), kinds, places
    inputs = (
        tf.constant(image, tf.float32),
        features.kernels_of(network, [layer for _, its in kinds for layer in its]),
        guides,
        dict(directions or {}),
        positions,
        features.black(network),
    )
    found: list[dict[str, Tensor]] = backend.function(_found, choices, *inputs)(*inputs)
    return found


def statistics_of_features(
    specification: Specification,
    F: Mapping[str, Tensor],
    asked: Asked,
    directions: Directions,
) -> list[dict[str, Tensor]]:
    """The same as `statistics`, of one layer each, from `style_features`."""
    guides, kinds = _asked(specification, asked)
    inputs = dict(F), guides, dict(directions)
    found: list[dict[str, Tensor]] = backend.function(
        _of_features, (specification.formula, kinds), *inputs
    )(*inputs)
    return found


def _of_features(formula: Formula, asked: Kinds) -> Callable[..., Any]:
    def function(
        F: Mapping[str, Tensor], guides: Sequence[Mapping[str, Tensor]], directions: Directions
    ) -> list[dict[str, Tensor]]:
        def of(statistic: Statistic, T: Mapping[str, Tensor], layer: str) -> Tensor:
            drawn, guide = directions.get(layer), T.get(layer)
            context = features.context_of(formula.at(layer), statistic, drawn, guide, ())
            return statistic.of(F[layer], context)

        return [
            {layer: of(statistic, T, layer) for layer in layers}
            for (statistic, layers), T in zip(asked, guides, strict=True)
        ]

    return function


def _asked(
    specification: Specification,
    asked: Asked,
) -> tuple[list[dict[str, Tensor]], Kinds]:
    """Guides as tensors, and each statistic with the layers of its term."""
    guides = [
        {layer: tf.constant(each, tf.float32) for layer, each in (T or {}).items()}
        for _, T in asked
    ]
    layers = {term.statistic: tuple(term.layers) for term in specification.style_terms}
    # Guided means, which are no term of their own, go with the first.
    first = tuple(specification.style_layers)
    return guides, tuple((statistic, layers.get(statistic, first)) for statistic, _ in asked)


def _found(
    formula: Formula,
    options: Options,
    asked: Kinds,
    places: tuple[int, ...],
) -> Callable[..., Any]:
    """A function that gives each statistic `asked` for at its layers; `places` say which of the
    positions each has.
    """
    layers = tuple(dict.fromkeys(layer for _, its in asked for layer in its))
    chained = {layer for statistic, its in asked if statistic.layers > 1 for layer in its}
    joined = {layer for statistic, its in asked if statistic.of_hypercolumns for layer in its}
    on_grid = any(statistic.on_grid for statistic, _ in asked)

    def function(
        image: Tensor,
        kernels: vgg.Kernels,
        guides: Sequence[Mapping[str, Tensor]],
        directions: Directions,
        positions: Tensor,
        black: Tensor,
    ) -> list[dict[str, Tensor]]:
        found: list[dict[str, Tensor]] = [{} for _ in asked]
        before: list[Tensor] = []
        columns: dict[str, Tensor] = {}

        def sampled(layer: str) -> features.Samples:
            if on_grid:
                return functools.partial(hypercolumns.on_grid, shape=image.shape[1:3])
            # A painting is read at whole positions: nkolkin13/STROTSS, vgg_pt.py.
            own = tf.floor(tf.reshape(positions, (-1, 2)) / stride_of(layer))
            return functools.partial(hypercolumns.at, positions=own)

        def hook(layer: str, F: Tensor) -> Tensor:
            if layer in joined:
                columns[layer] = sampled(layer)(F)
            for (statistic, its), T, kept in zip(asked, guides, found, strict=True):
                if layer not in its or statistic.of_hypercolumns:
                    continue
                if len(before) >= statistic.layers - 1:
                    drawn = directions.get(layer)
                    context = features.context_of(
                        formula.at(layer), statistic, drawn, T.get(layer), before
                    )
                    kept[layer] = statistic.of(F, context)
            if layer in chained:
                before[:] = [F]
            done = [each[layer] for each in (*found, columns) if layer in each]
            with tf.control_dependencies(done):
                return tf.identity(F)

        if COLORS in layers:
            hook(COLORS, features.colors(image, black))
        shares = {}
        for layer in layers:
            kinds = [
                (statistic, T.get(layer))
                for (statistic, its), T in zip(asked, guides, strict=True)
                if layer in its and not statistic.of_hypercolumns
            ]
            if all(statistic.sums_over_rows for statistic, _ in kinds):
                samples = sampled(layer) if layer in joined else None
                shares[layer] = features.share(formula, kinds, samples)
        for layer, sums in features.of_image(options, image, kernels, layers, hook, shares).items():
            if layer in joined:
                *sums, columns[layer] = sums
            there = [
                kept
                for (statistic, its), kept in zip(asked, found, strict=True)
                if layer in its and not statistic.of_hypercolumns
            ]
            for kept, G in zip(there, sums, strict=True):
                kept[layer] = G
        drawn_each = positions.shape[1]
        for (statistic, its), T, place, kept in zip(asked, guides, places, found, strict=True):
            if statistic.of_hypercolumns:
                F, guide = hypercolumns.joined(columns, its), T.get(HYPERCOLUMN)
                if statistic.at_positions:
                    F, guide = F[place * drawn_each : (place + 1) * drawn_each], None
                kept[HYPERCOLUMN] = statistic.of(F, Context(guide=guide))
        return found

    return function
