"""What TensorFlow compiles for each evaluation: the loss of an image and its gradient."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from stn import backend
from stn.backend import Tensor, tf
from stn.layers import COLORS, stride_of
from stn.loss import hypercolumns, losses, pixels, strotss
from stn.loss.statistics import Context
from stn.network import vgg
from stn.network.vgg import Options
from stn.objective import features
from stn.objective.layer_losses import Comparison, Goal, LayerLosses
from stn.objective.references import Directions
from stn.objective.specification import HYPERCOLUMN, Formula


class Choices(NamedTuple):
    """All that shapes the compiled function and is no number.

    `content_losses` and `style_losses` are named as in `Specification`, whose `content_layers` and
    `style_layers` they are taken at. `comparisons` has one entry for each style target. `chained`
    are the layers of a statistic that hands something on."""

    formula: Formula
    options: Options
    content_losses: tuple[str, ...]
    style_losses: tuple[str, ...]
    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    chained: tuple[str, ...]


class Inputs(NamedTuple):
    """What the compiled function takes next to an image: numbers, so that one trace serves a sweep
    of the same shape.

    `content` are features P {layer: [1, h, w, N]}. `style` has the tensors of each target by loss:
    its statistic A, its share of the loss, and where it has them its guide T and components V. The
    weights of losses are [losses], [losses, terms] and [losses of pixels]. `positions` are those of
    hypercolumns, [regions, n, 2], and `black` [3] is what the network takes for it."""

    kernels: vgg.Kernels
    content: Mapping[str, Tensor]
    style: Sequence[Mapping[str, Mapping[str, Tensor]]]
    content_weights: Tensor
    style_weights: Tensor
    total_variation_weight: Tensor
    pixel_unit: Tensor
    pixel_targets: Mapping[str, Tensor]
    pixel_weights: Tensor
    directions: Directions
    positions: Tensor
    black: Tensor


def value_and_grad(choices: Choices, image: Tensor, given: Inputs) -> Any:
    """The compiled function for an image [1, h, w, 3] and inputs of these shapes.

    It gives C, E, the total variation, losses of pixels and the gradient of the total with respect
    to the image. C [losses] and E [losses, terms] hold the content and the style losses, all before
    any weight."""
    return backend.function(_value_and_grad, (choices,), image, given)


def _value_and_grad(choices: Choices) -> Callable[..., Any]:
    formula, options, content_layers = choices.formula, choices.options, choices.content_layers
    layers = {*content_layers, *choices.style_layers}
    joins_content = HYPERCOLUMN in choices.content_losses
    joined = {layer for each in choices.comparisons for layer in each.joins}
    if joins_content:
        joined |= {*content_layers}
    whole = () if joins_content else content_layers  # compared everywhere
    on_grid = any(each.statistic.on_grid for each in choices.comparisons)
    count = max((each.term for each in choices.comparisons), default=0) + 1

    def function(image: Tensor, given: Inputs) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        P, positions = given.content, given.positions
        size = tf.shape(image)[1] * tf.shape(image)[2]
        goals = {
            loss: [
                Goal(*comparison, own["A"], own["share"], own.get("T"), own.get("V"))
                for comparison, each in zip(choices.comparisons, given.style, strict=True)
                if (own := each.get(loss))
            ]
            for loss in {*layers, *choices.style_losses}
        }
        content: dict[str, Tensor] = {}
        # A chain has no loss at its first layer.
        style: dict[str, Tensor] = {loss: tf.zeros((count,)) for loss in choices.style_losses}
        before: list[Tensor] = []  # what a style layer before handed on, where a statistic asks
        columns: dict[str, Tensor] = {}
        regions, drawn_each, _ = positions.shape  # of each region as many

        def sampled(layer: str, regions: int | None = None) -> features.Samples:
            if on_grid:
                return functools.partial(hypercolumns.on_grid, shape=image.shape[1:3])
            flat = tf.reshape(positions[:regions], (-1, 2))
            return functools.partial(hypercolumns.at, positions=flat / stride_of(layer))

        def of_region(F: Tensor, region: int) -> Tensor:
            return F if regions == 1 else F[region * drawn_each : (region + 1) * drawn_each]

        def joined_for(goal: Goal) -> Tensor:
            F = hypercolumns.joined(columns, goal.joins)
            return of_region(F, goal.region) if goal.statistic.at_positions else F

        def hook(layer: str, F: Tensor) -> Tensor:
            if layer in joined:
                columns[layer] = sampled(layer)(F)
            drawn, of_content = given.directions.get(layer), P[layer] if layer in whole else None
            if of_content is not None or goals[layer]:
                of_layer = LayerLosses(
                    formula.at(layer), drawn, of_content, goals[layer], size, count
                )
                F, content[layer], style[layer] = of_layer.with_late_gradient(F, before)
            if layer in choices.chained:
                statistic = formula.statistic
                assert statistic.hands_on is not None
                context = features.context_of(formula.at(layer), statistic, drawn, None, ())
                handed = statistic.hands_on(F, context)
                before[:] = before if handed is None else [handed]
            return F

        shares = {
            layer: features.share(
                formula,
                [(goal.statistic, goal.T) for goal in goals[layer]],
                sampled(layer) if layer in joined else None,
            )
            for layer in layers
            if layer not in (*whole, *choices.chained)
            and all(goal.statistic.sums_over_rows for goal in goals[layer])
        }
        with tf.GradientTape() as tape:
            tape.watch(image)
            if COLORS in layers:
                hook(COLORS, features.colors(image, given.black))
            for layer, found in features.of_image(
                options, image, given.kernels, layers, hook, shares
            ).items():
                of_layer = LayerLosses(formula, None, None, goals[layer], size, count)
                if layer in joined:
                    *found, columns[layer] = found
                content[layer], style[layer] = tf.zeros(()), of_layer.style_loss(found)
            if HYPERCOLUMN in choices.style_losses:
                its = goals[HYPERCOLUMN]
                of = [joined_for(goal) for goal in its]
                found = [
                    goal.statistic.of(F, Context(guide=goal.T))
                    for goal, F in zip(its, of, strict=True)
                ]
                all_layers = LayerLosses(formula, None, None, its, size, count)
                style[HYPERCOLUMN] = all_layers.style_loss(found)
            if joins_content:
                of_content = {layer: sampled(layer, 1)(P[layer]) for layer in content_layers}
                F = of_region(hypercolumns.joined(columns, content_layers), 0)
                of_photograph = hypercolumns.joined(of_content, content_layers)
                compare = strotss.CONTENT_REDUCTIONS[formula.content_reduction]
                content[HYPERCOLUMN] = compare(F, of_photograph)
            C = _stack(content[loss] for loss in choices.content_losses)
            E = _stack(style[loss] for loss in choices.style_losses)
            total_variation = losses.total_variation(
                image / given.pixel_unit, formula.total_variation
            )
            total = tf.reduce_sum(given.content_weights * C)
            total += tf.reduce_sum(given.style_weights * E)
            total += given.total_variation_weight * total_variation
            of_pixels = _stack(
                pixels.PIXEL_LOSSES[name].of(image, given.pixel_targets[name])
                for name in sorted(given.pixel_targets)
            )
            if given.pixel_targets:
                total += tf.reduce_sum(given.pixel_weights * of_pixels)
        return C, E, total_variation, of_pixels, tape.gradient(total, image)

    return function


def _stack(values: Iterable[Tensor]) -> Tensor:
    listed = list(values)
    return tf.stack(listed) if listed else tf.zeros((0,))
