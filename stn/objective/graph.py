"""What TensorFlow compiles: features and statistics of a picture; the loss and its gradient."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stn import backend
from stn.backend import Tensor, tf
from stn.loss import losses
from stn.loss import statistics as statistics_table
from stn.loss.statistics import Context, Statistic
from stn.network import checkpointing, convolution, vgg
from stn.network.network import Network
from stn.network.vgg import Options
from stn.objective.specification import Formula, Specification


class Choices(NamedTuple):
    """All that shapes the compiled function and is no number.

    `statistics` has one entry a style target, and `terms` the number of its term. `chained` are the
    layers of a statistic that compares each with the one before."""

    formula: Formula
    options: Options
    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]
    statistics: tuple[Statistic, ...]
    terms: tuple[int, ...]
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


# Unit vectors [D, N] by layer, for the statistics that project features.
Directions = Mapping[str, Tensor]


def directions(
    specification: Specification,
    network: Network,
    level: int,
    draw: int,
) -> dict[str, Tensor]:
    """The directions [D, N] of a draw, at the layers of statistics that project.

    They are drawn from seed, level, draw and layer, so that a run that is resumed has the same."""
    found = {}
    projecting = [term.layers for term in specification.style_terms if term.statistic.projects]
    for layer in (layer for layers in projecting for layer in layers):
        N, place = network.channels(layer), network.layer_names.index(layer)
        numbers = specification.seed, level, draw, place
        drawn = statistics_table.drawn_directions(specification.directions or N, N, numbers)
        found[layer] = tf.constant(drawn)
    return found


def content_features(
    specification: Specification, network: Network, image: np.ndarray
) -> dict[str, Tensor]:
    """P [1, h, w, N] of a content image [1, h, w, 3] at the content layers."""
    asked = ((None, tuple(specification.content_layers)),)
    guides: list[dict[str, Tensor]] = [{}]
    none: dict[str, Tensor] = {}  # no directions
    inputs = tf.constant(image, tf.float32), dict(network.kernels), guides, none
    choices = specification.formula, network.options, asked
    [found] = backend.function(_found, choices, *inputs)(*inputs)
    return dict(found)


def statistics(
    specification: Specification,
    network: Network,
    image: np.ndarray,
    asked: Sequence[tuple[Statistic, Mapping[str, np.ndarray] | None]],
    directions: Directions | None = None,
) -> list[dict[str, Tensor]]:
    """Statistics {layer: A} of a style image [1, h, w, 3] at the layers of their terms, in one
    pass.

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
    inputs = (
        tf.constant(image, tf.float32),
        dict(network.kernels),
        guides,
        dict(directions or {}),
    )
    found: list[dict[str, Tensor]] = backend.function(_found, choices, *inputs)(*inputs)
    return found


def value_and_grad(choices: Choices, *inputs: Any) -> Any:
    """The compiled function for inputs of these shapes; `function` in `_value_and_grad` names them.

    It gives C, E, the total variation and the gradient of the total with respect to the image [1,
    h, w, 3]. C and E [layers, terms] hold the content and the style losses before any weight.
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

    def function(
        image: Tensor,
        kernels: vgg.Kernels,
        guides: Sequence[Mapping[str, Tensor]],
        directions: Directions,
    ) -> list[dict[str, Tensor]]:
        found: list[dict[str, Tensor]] = [{} for _ in asked]
        before: list[Tensor] = []

        def hook(layer: str, F: Tensor) -> Tensor:
            for (statistic, its), T, kept in zip(asked, guides, found, strict=True):
                if layer not in its:
                    continue
                if statistic is None:
                    kept[layer] = F
                elif len(before) >= statistic.layers - 1:
                    drawn = directions.get(layer)
                    context = _context(formula, statistic, drawn, T.get(layer), before)
                    kept[layer] = statistic.of(F, context)
            if layer in chained:
                before[:] = [F]
            with tf.control_dependencies([kept[layer] for kept in found if layer in kept]):
                return tf.identity(F)

        shares = {}
        for layer in layers:
            kinds = [
                (statistic, T.get(layer))
                for (statistic, its), T in zip(asked, guides, strict=True)
                if layer in its and statistic is not None
            ]
            if kinds and all(statistic.sums_over_rows for statistic, _ in kinds):
                shares[layer] = _share(formula, kinds)
        for layer, sums in _features(options, image, kernels, layers, hook, shares).items():
            there = [kept for (_, its), kept in zip(asked, found, strict=True) if layer in its]
            for kept, G in zip(there, sums, strict=True):
                kept[layer] = G
        return found

    return function


def _chains(statistic: Statistic | None) -> bool:
    return statistic is not None and statistic.layers > 1


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
    if options.gradient_checkpointing:
        return checkpointing.features(image, kernels, layers, options, hook, shares)
    vgg.features(image, kernels, layers, options, hook)
    return {}


def _share(
    formula: Formula, asked: Sequence[tuple[Statistic, Tensor | None]]
) -> checkpointing.Share:
    """What some rows of a layer add to statistics, each with a guide or None."""

    def share(F: Tensor, first: int, height: int) -> list[Tensor]:
        return [_gram_of_rows(formula, statistic, F, T, first, height) for statistic, T in asked]

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
    formula, options, content_layers, style_layers, statistics, terms, chained = choices
    layers = {*content_layers, *style_layers}
    count = max(terms, default=0) + 1

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
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        positions = tf.shape(image)[1] * tf.shape(image)[2]
        goals = {
            layer: [
                Goal(statistic, term, each[layer]["A"], each[layer]["share"], each[layer].get("T"))
                for statistic, term, each in zip(statistics, terms, S, strict=True)
                if layer in each
            ]
            for layer in layers
        }
        content: dict[str, Tensor] = {}
        style: dict[str, Tensor] = {}
        before: list[Tensor] = []  # the features of the style layer before, where a statistic asks

        def hook(layer: str, F: Tensor) -> Tensor:
            drawn = directions.get(layer)
            of_layer = Layer(formula, drawn, P.get(layer), goals[layer], positions, count)
            F, content[layer], style[layer] = of_layer.with_late_gradient(F, before)
            if layer in chained:
                before[:] = [F]
            return F

        shares = {
            layer: _share(formula, [(goal.statistic, goal.T) for goal in goals[layer]])
            for layer in layers
            if layer not in (*P, *chained)
            and all(goal.statistic.sums_over_rows for goal in goals[layer])
        }
        with tf.GradientTape() as tape:
            tape.watch(image)
            for layer, found in _features(options, image, kernels, layers, hook, shares).items():
                of_layer = Layer(formula, None, None, goals[layer], positions, count)
                content[layer], style[layer] = tf.zeros(()), of_layer.style_loss(found)
            C = _stack(content[layer] for layer in content_layers)
            E = _stack(style[layer] for layer in style_layers)
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
