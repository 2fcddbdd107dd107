"""What TensorFlow compiles: features and statistics of a picture; the loss and its gradient."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stn import backend
from stn.backend import Tensor, tf
from stn.layers import COLORS, stride_of
from stn.loss import hypercolumns, losses
from stn.loss.statistics import Context, Statistic
from stn.network import checkpointing, convolution, vgg
from stn.network.network import Network
from stn.network.vgg import Options
from stn.objective.specification import HYPERCOLUMN, Formula, Specification


class Choices(NamedTuple):
    """All that shapes the compiled function and is no number.

    `content_losses` and `style_losses` are named as in `Specification`, whose `content_layers` and
    `style_layers` they are taken at. `statistics` has one entry a style target, `terms` the number
    of its term, and `joins` its layers where it is of hypercolumns. `chained` are the layers of a
    statistic that compares each with the one before."""

    formula: Formula
    options: Options
    content_losses: tuple[str, ...]
    style_losses: tuple[str, ...]
    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]
    statistics: tuple[Statistic, ...]
    terms: tuple[int, ...]
    joins: tuple[tuple[str, ...], ...]
    chained: tuple[str, ...]


class Goal(NamedTuple):
    """A style target at one layer: statistic, the number of its term, target A, share of the
    layer's loss and guide T.
    """

    statistic: Statistic
    term: int
    A: Any  # a tensor, or a tuple where the statistic pools copies
    share: Tensor
    T: Tensor | None
    joins: tuple[str, ...] = ()  # the layers whose hypercolumns it is of


# Unit vectors [D, N] by layer, for the statistics that project features.
Directions = Mapping[str, Tensor]
# Of the numbers that positions are drawn from the last: a painting's, a result's.
OF_PAINTING, OF_RESULT = 0, 1


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
    specification: Specification, shape: tuple[int, int], level: int, draw: int
) -> Tensor:
    """The pixels [n, 2] of a result at which hypercolumns are compared at a draw; none without."""
    if not specification.joined_layers:
        return tf.zeros((0, 2))
    first = specification.seed, level
    count, grid = specification.hypercolumns, (*first, 0, OF_RESULT)
    drawn = (*first, draw + 1, OF_RESULT)  # another number than the grid's
    return tf.constant(hypercolumns.positions_of_result(shape, count, grid, drawn))


def content_features(
    specification: Specification, network: Network, image: np.ndarray
) -> dict[str, Tensor]:
    """P [1, h, w, N] of a content image [1, h, w, 3] at the content layers."""
    asked = ((None, tuple(specification.content_layers)),)
    guides: list[dict[str, Tensor]] = [{}]
    none: dict[str, Tensor] = {}  # no directions
    nowhere, black = tf.zeros((0, 2)), _black(network)
    inputs = tf.constant(image, tf.float32), dict(network.kernels), guides, none, nowhere, black
    choices = specification.formula, network.options, asked
    [found] = backend.function(_found, choices, *inputs)(*inputs)
    return dict(found)


def statistics(
    specification: Specification,
    network: Network,
    image: np.ndarray,
    asked: Sequence[tuple[Statistic, Mapping[str, np.ndarray] | None]],
    directions: Directions | None = None,
    level: int = 0,
) -> list[dict[str, Tensor]]:
    """Statistics {layer: A} of a style image [1, h, w, 3] at the layers of their terms, in one
    pass; of hypercolumns {HYPERCOLUMN: A}, at positions drawn for the level.

    Each that is `asked` for is a statistic and guides T {layer: [h, w]}, None for the whole image.
    """
    border = convolution.border_of_painting(network.options.border)
    guides = [
        {layer: tf.constant(each, tf.float32) for layer, each in (T or {}).items()}
        for _, T in asked
    ]
    layers = {term.statistic: tuple(term.layers) for term in specification.style_terms}
    kinds = tuple(
        # Guided means, which are no term of their own, go with the first.
        (statistic, layers.get(statistic, tuple(specification.style_layers)))
        for statistic, _ in asked
    )
    choices = specification.formula, network.options._replace(border=border), kinds
    positions = tf.zeros((0, 2))
    if specification.joined_layers:
        count, drawn = specification.style_hypercolumns, (specification.seed, level, 0, OF_PAINTING)
        positions = tf.constant(hypercolumns.positions_of_painting(image.shape[1:3], count, drawn))
    inputs = (
        tf.constant(image, tf.float32),
        dict(network.kernels),
        guides,
        dict(directions or {}),
        positions,
        _black(network),
    )
    found: list[dict[str, Tensor]] = backend.function(_found, choices, *inputs)(*inputs)
    return found


def _black(network: Network) -> Tensor:
    """What the network takes for black [3]."""
    return tf.constant(network.limits[0], tf.float32)


def value_and_grad(choices: Choices, *inputs: Any) -> Any:
    """The compiled function for inputs of these shapes; `function` in `_value_and_grad` names them.

    It gives C, E, the total variation and the gradient of the total with respect to the image [1,
    h, w, 3]. C and E [losses, terms] hold the content and the style losses before any weight.
    Targets and weights are its inputs, so that one trace serves a sweep of the same shape."""
    return backend.function(_value_and_grad, (choices,), *inputs)


def _found(
    formula: Formula,
    options: Options,
    asked: tuple[tuple[Statistic | None, tuple[str, ...]], ...],
) -> Callable[..., Any]:
    """A function that gives each statistic `asked` for at its layers; None asks for features."""
    layers = tuple(dict.fromkeys(layer for _, its in asked for layer in its))
    chained = {layer for statistic, its in asked if _chains(statistic) for layer in its}
    joined = {layer for statistic, its in asked if _joins(statistic) for layer in its}

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

        def sampled(layer: str) -> Samples:
            # A painting is read at whole positions: nkolkin13/STROTSS, vgg_pt.py.
            return _samples(tf.floor(positions / stride_of(layer)))

        def hook(layer: str, F: Tensor) -> Tensor:
            if layer in joined:
                columns[layer] = sampled(layer)(F)
            for (statistic, its), T, kept in zip(asked, guides, found, strict=True):
                if layer not in its or _joins(statistic):
                    continue
                if statistic is None:
                    kept[layer] = F
                elif len(before) >= statistic.layers - 1:
                    drawn = directions.get(layer)
                    context = _context(formula, statistic, drawn, T.get(layer), before)
                    kept[layer] = statistic.of(F, context)
            if layer in chained:
                before[:] = [F]
            done = [each[layer] for each in (*found, columns) if layer in each]
            with tf.control_dependencies(done):
                return tf.identity(F)

        if COLORS in layers:
            hook(COLORS, _colors(image, black))
        shares = {}
        for layer in layers:
            kinds = [
                (statistic, T.get(layer))
                for (statistic, its), T in zip(asked, guides, strict=True)
                if layer in its and not _joins(statistic)
            ]
            if all(statistic is not None and statistic.sums_over_rows for statistic, _ in kinds):
                of_sums = [(statistic, T) for statistic, T in kinds if statistic is not None]
                shares[layer] = _share(
                    formula, of_sums, sampled(layer) if layer in joined else None
                )
        for layer, sums in _features(options, image, kernels, layers, hook, shares).items():
            if layer in joined:
                *sums, columns[layer] = sums
            there = [
                kept
                for (statistic, its), kept in zip(asked, found, strict=True)
                if layer in its and not _joins(statistic)
            ]
            for kept, G in zip(there, sums, strict=True):
                kept[layer] = G
        for (statistic, its), kept in zip(asked, found, strict=True):
            if statistic is not None and _joins(statistic):
                kept[HYPERCOLUMN] = statistic.of(hypercolumns.joined(columns, its), Context())
        return found

    return function


def _chains(statistic: Statistic | None) -> bool:
    return statistic is not None and statistic.layers > 1


def _joins(statistic: Statistic | None) -> bool:
    return statistic is not None and statistic.of_hypercolumns


# Takes features [1, h, w, N] and gives [n, N], those at positions; or of some rows, by the number
# of the first and how many the layer has, what they add to it.
Samples = Callable[..., Tensor]


def _samples(positions: Tensor) -> Samples:
    def sampled(F: Tensor, first: Tensor | int = 0, height: int | None = None) -> Tensor:
        return hypercolumns.at(F, positions, first, height)

    return sampled


def _colors(image: Tensor, black: Tensor) -> Tensor:
    """Red, green and blue of an image, [1, h, w, 3], in 0-1."""
    return (image - black) / 255


def _context(
    formula: Formula,
    statistic: Statistic,
    directions: Tensor | None,
    T: Tensor | None,
    before: Sequence[Tensor],
) -> Context:
    return Context(
        formula.gram_divisor,
        formula.activation_shift,
        T,
        before[0] if statistic.layers > 1 else None,
        directions,
    )


def _features(
    options: Options,
    image: Tensor,
    kernels: vgg.Kernels,
    layers: Iterable[str],
    hook: Callable[[str, Tensor], Tensor],
    shares: Mapping[str, checkpointing.Share],
) -> dict[str, list[Tensor]]:
    """Call `hook` with the features of each layer. Layers that are computed by rows are never
    whole: the sums of their `shares` are returned instead.
    """
    layers = [layer for layer in layers if layer != COLORS]
    if options.gradient_checkpointing:
        return checkpointing.features(image, kernels, layers, options, hook, shares)
    vgg.features(image, kernels, layers, options, hook)
    return {}


def _share(
    formula: Formula,
    asked: Sequence[tuple[Statistic, Tensor | None]],
    samples: Samples | None = None,
) -> checkpointing.Share:
    """What some rows of a layer add to statistics, each with a guide or None; and the last, where
    there are `samples`, to them.
    """

    def share(F: Tensor, first: int, height: int) -> list[Tensor]:
        sums = [_gram_of_rows(formula, statistic, F, T, first, height) for statistic, T in asked]
        return sums if samples is None else [*sums, samples(F, first, height)]

    return share


def _gram_of_rows(
    formula: Formula, statistic: Statistic, F: Tensor, T: Tensor | None, first: int, height: int
) -> Tensor:
    assert statistic.gram_features is not None
    _, rows, width, _ = F.shape
    guided, M = T is not None, height * width

    divisor = statistic.divisor(formula.gram_divisor)

    @tf.custom_gradient
    def gram(X: Tensor) -> tuple[Tensor, Any]:
        G = losses.gram(X, divisor, guided, M)
        return G, lambda dG: losses.gram_gradient(X, dG, divisor, guided, M)

    T = tf.slice(T, (first, 0), (rows, width)) if guided else None
    context = Context(formula.gram_divisor, formula.activation_shift, T)
    return gram(statistic.gram_features(F, context))


def _value_and_grad(choices: Choices) -> Callable[..., Any]:
    formula, options, content_layers = choices.formula, choices.options, choices.content_layers
    layers = {*content_layers, *choices.style_layers}
    joins_content = HYPERCOLUMN in choices.content_losses
    joined = {layer for its in choices.joins for layer in its}
    if joins_content:
        joined |= {*content_layers}
    whole = () if joins_content else content_layers  # compared everywhere
    count = max(choices.terms, default=0) + 1

    def function(
        image: Tensor,
        kernels: vgg.Kernels,
        P: Mapping[str, Tensor],
        S: Sequence[Mapping[str, Mapping[str, Tensor]]],
        content_weights: Tensor,
        style_weights: Tensor,
        total_variation_weight: Tensor,
        unit: Tensor,
        directions: Directions,
        positions: Tensor,
        black: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        pixels = tf.shape(image)[1] * tf.shape(image)[2]
        kinds = choices.statistics, choices.terms, choices.joins, S
        goals = {
            loss: [
                Goal(statistic, term, own["A"], own["share"], own.get("T"), joins)
                for statistic, term, joins, each in zip(*kinds, strict=True)
                if (own := each.get(loss))
            ]
            for loss in {*layers, *choices.style_losses}
        }
        content: dict[str, Tensor] = {}
        # A chain has no loss at its first layer.
        style: dict[str, Tensor] = {loss: tf.zeros((count,)) for loss in choices.style_losses}
        before: list[Tensor] = []  # the features of the style layer before, where a statistic asks
        columns: dict[str, Tensor] = {}

        def sampled(layer: str) -> Samples:
            return _samples(positions / stride_of(layer))

        def hook(layer: str, F: Tensor) -> Tensor:
            if layer in joined:
                columns[layer] = sampled(layer)(F)
            drawn, of_content = directions.get(layer), P[layer] if layer in whole else None
            if of_content is not None or goals[layer]:
                of_layer = Layer(formula, drawn, of_content, goals[layer], pixels, count)
                F, content[layer], style[layer] = of_layer.with_late_gradient(F, before)
            if layer in choices.chained:
                before[:] = [F]
            return F

        shares = {
            layer: _share(
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
                hook(COLORS, _colors(image, black))
            for layer, found in _features(options, image, kernels, layers, hook, shares).items():
                of_layer = Layer(formula, None, None, goals[layer], pixels, count)
                if layer in joined:
                    *found, columns[layer] = found
                content[layer], style[layer] = tf.zeros(()), of_layer.style_loss(found)
            if HYPERCOLUMN in choices.style_losses:
                its = goals[HYPERCOLUMN]
                of = [hypercolumns.joined(columns, goal.joins) for goal in its]
                found = [goal.statistic.of(F, Context()) for goal, F in zip(its, of, strict=True)]
                all_layers = Layer(formula, None, None, its, pixels, count)
                style[HYPERCOLUMN] = all_layers.style_loss(found)
            if joins_content:
                of_content = {layer: sampled(layer)(P[layer]) for layer in content_layers}
                F, of_photograph = (
                    hypercolumns.joined(each, content_layers) for each in (columns, of_content)
                )
                content[HYPERCOLUMN] = losses.content(F, of_photograph, formula.content_reduction)
            C = _stack(content[loss] for loss in choices.content_losses)
            E = _stack(style[loss] for loss in choices.style_losses)
            total_variation = losses.total_variation(image / unit, formula.total_variation)
            total = tf.reduce_sum(content_weights * C) + tf.reduce_sum(style_weights * E)
            total += total_variation_weight * total_variation
        return C, E, total_variation, tape.gradient(total, image)

    return function


class Layer(NamedTuple):
    """The losses of one layer: P its content target or None, `goals` its style targets, of so many
    `terms`.
    """

    formula: Formula
    directions: Tensor | None
    P: Tensor | None
    goals: Sequence[Goal]
    positions: Tensor
    terms: int

    def content_loss(self, F: Tensor) -> Tensor:
        """The content loss of features F [1, h, w, N]; 0 without a target."""
        if self.P is None:
            return tf.zeros(())
        return losses.content(F, self.P, self.formula.content_reduction)

    def style_loss(self, found: Sequence[Tensor]) -> Tensor:
        """Σ share · loss of the statistics `found`, of each term [terms]."""
        formula, positions = self.formula, self.positions
        each: list[list[Tensor]] = [[] for _ in range(self.terms)]
        for G, goal in zip(found, self.goals, strict=True):
            loss = goal.statistic.loss(
                G, goal.A, formula.style_reduction, positions, formula.components
            )
            each[goal.term].append(goal.share * loss)
        return tf.stack([tf.add_n(losses) if losses else tf.zeros(()) for losses in each])

    def with_late_gradient(self, F: Tensor, before: Sequence[Tensor]) -> Any:
        """The features F [1, h, w, N] and the two losses, whose gradients are computed on the way
        back, to save memory.
        """

        @tf.custom_gradient
        def noted(F: Tensor, *before: Tensor) -> tuple[Any, Any]:
            found = [goal.statistic.of(F, self._context(goal, before)) for goal in self.goals]
            with tf.GradientTape() as of_style:
                of_style.watch(found)
                E = self.style_loss(found)

            def gradient(dF: Tensor, dC: Tensor, dE: Tensor) -> Any:
                # Left alone TensorFlow computes these products, as large as F, in the forward pass
                # and keeps all.
                with tf.control_dependencies([dF]):
                    late = tf.identity(F)
                with tf.GradientTape() as of_content:
                    of_content.watch(late)
                    C = self.content_loss(late)
                parts = [dF] if self.P is None else [dF, of_content.gradient(C, late, dC)]
                slopes = of_style.gradient(E, found, dE)
                to_before = [tf.zeros_like(x) for x in before]
                for goal, dG in zip(self.goals, slopes, strict=True):
                    part, *rest = self._gradient(goal, late, before, dG)
                    parts.append(part)
                    to_before = rest or to_before
                return (tf.add_n(parts), *to_before) if before else tf.add_n(parts)

            return (F, self.content_loss(F), E), gradient

        return noted(F, *before)

    def _context(self, goal: Goal, before: Sequence[Tensor]) -> Context:
        return _context(self.formula, goal.statistic, self.directions, goal.T, before)

    def _gradient(
        self, goal: Goal, F: Tensor, before: Sequence[Tensor], dG: Tensor
    ) -> list[Tensor]:
        """The gradient with respect to F, given that with respect to its statistic; for a statistic
        of two layers also that with respect to the layer before.
        """
        statistic = goal.statistic
        if statistic.gram_features is None:
            watched = (F, *before) if statistic.layers > 1 else (F,)
            with tf.GradientTape() as tape:
                tape.watch(watched)
                G = statistic.of(F, self._context(goal, before))
            return list(tape.gradient(G, watched, dG))
        with tf.GradientTape() as tape:
            tape.watch(F)
            X = statistic.gram_features(F, self._context(goal, before))
        divisor = statistic.divisor(self.formula.gram_divisor)
        dX = losses.gram_gradient(X, dG, divisor, guided=goal.T is not None)
        return [dX if X is F else tape.gradient(X, F, dX)]


def _stack(values: Iterable[Tensor]) -> Tensor:
    listed = list(values)
    return tf.stack(listed) if listed else tf.zeros((0,))
