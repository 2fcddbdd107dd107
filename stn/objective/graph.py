"""What TensorFlow compiles: features and statistics of a picture; the terms of the loss and their
gradient.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stn import backend
from stn.backend import tf
from stn.loss import losses
from stn.loss.statistics import STATISTICS, Context, Statistic
from stn.network import checkpointing, convolution, vgg

# At a layer: statistics, each with its targets A, its share and its guides T.
Aims = Sequence[tuple[Statistic, Mapping[str, Any]]]
LossesOf = Callable[[Any, Sequence[Any]], tuple[Any, Any]]


@dataclass(frozen=True)
class Form:
    """Everything that shapes the compiled function and is not a number: layer names and named
    choices.
    """

    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]
    pooling: str
    content_reduction: str
    gram_divisor: str
    style_reduction: str
    total_variation: str
    total_variation_counted: bool = True  # false: in the gradient only
    ceil_mode: bool = True  # sides of pooling: vgg.features
    border: str = "zero"
    statistics: tuple[Statistic, ...] = (STATISTICS["gram"],)  # one a style target
    shift: float = 0.0
    gradient_checkpointing: bool = (
        False  # in bands, forgotten and computed again for the gradient: bands.features
    )


def content_features(kernels: vgg.Kernels, form: Form, image: Any) -> dict[str, Any]:
    """P [1, h, w, N] of a content image [1, h, w, 3], mean-subtracted, at the content layers."""
    inputs: Any = tf.constant(image, tf.float32), dict(kernels), [{}]
    [found] = backend.function(_found, (form, form.content_layers, (None,)), *inputs)(*inputs)
    return dict(found)


def statistics(
    kernels: vgg.Kernels,
    form: Form,
    image: Any,
    asked: Sequence[tuple[Statistic, Mapping[str, Any] | None]],
) -> list[dict[str, Any]]:
    """Statistics of a style image [1, h, w, 3], mean-subtracted, at the style layers, in one pass.

    Each that is `asked` for is a statistic and guides T {layer: [h, w]}, None for the whole image.
    """
    form = dataclasses.replace(form, border=convolution.border_of_painting(form.border))
    guides = [
        {layer: tf.constant(each, tf.float32) for layer, each in (T or {}).items()}
        for _, T in asked
    ]
    names = tuple(name for name, _ in asked)
    inputs = tf.constant(image, tf.float32), dict(kernels), guides
    found: list[dict[str, Any]] = backend.function(
        _found, (form, form.style_layers, names), *inputs
    )(*inputs)
    return found


def value_and_grad(form: Form, *inputs: Any) -> Any:
    """The compiled function for inputs of these shapes, which are those of `function` in
    `_value_and_grad`.

    It gives C, E, the total variation and the gradient of the total with respect to the image [1,
    h, w, 3]; C and E hold the content and the style losses of the layers before any weight. Targets
    and weights are its inputs, so that one trace serves a sweep of the same shape."""
    return backend.function(_value_and_grad, (form,), *inputs)


def _found(form: Form, layers: tuple[str, ...], names: tuple[Statistic | None, ...]) -> Any:
    """Statistics of the features at the layers, one a name, in which case no features are kept;
    None: the features.
    """

    def function(
        image: Any, kernels: vgg.Kernels, guides: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [{} for _ in names]
        before: list[Any] = []

        def hook(layer: str, F: Any) -> Any:
            for name, T, kept in zip(names, guides, found, strict=True):
                each = F if name is None else _statistic(form, name, F, T.get(layer), before)
                kept |= {} if each is None else {layer: each}
            before[:] = [F]
            with tf.control_dependencies([kept[layer] for kept in found if layer in kept]):
                return tf.identity(F)

        asked = [(name, T) for name, T in zip(names, guides, strict=True) if name is not None]
        shares = {}
        if asked and all(name.sums_over_rows for name, _ in asked):
            shares = {
                layer: _share(form, [(name, T.get(layer)) for name, T in asked]) for layer in layers
            }
        for layer, sums in _features(form, image, kernels, layers, hook, shares).items():
            for kept, G in zip(found, sums, strict=True):
                kept[layer] = G
        return found

    return function


def _features(
    form: Form,
    image: Any,
    kernels: vgg.Kernels,
    layers: Iterable[str],
    hook: Callable[[str, Any], Any],
    shares: Mapping[str, checkpointing.Share],
) -> dict[str, list[Any]]:
    """Calls `hook` at each of the layers, or gives the sums of its `shares` where it is never
    whole.
    """
    if form.gradient_checkpointing:
        return checkpointing.features(
            image, kernels, layers, form.pooling, hook, form.ceil_mode, form.border, shares
        )
    vgg.features(image, kernels, layers, form.pooling, hook, form.ceil_mode, form.border)
    return {}


def _share(form: Form, aims: Sequence[tuple[Statistic, Any]]) -> checkpointing.Share:
    """What some rows of a layer add to statistics that are sums over positions, each a name and its
    guide or None.
    """

    def share(F: Any, first: int, height: int) -> list[Any]:
        return [_gram_of_rows(form, name, F, T, first, height) for name, T in aims]

    return share


def _gram_of_rows(form: Form, name: Statistic, F: Any, T: Any, first: int, height: int) -> Any:
    _, rows, width, _ = F.shape
    guided, M = T is not None, height * width

    @tf.custom_gradient
    def gram(X: Any) -> tuple[Any, Any]:
        G = losses.gram(X, form.gram_divisor, guided, M)
        return G, lambda dG: losses.gram_gradient(X, dG, form.gram_divisor, guided, M)

    T = tf.slice(T, (first, 0), (rows, width)) if guided else None
    assert name.gram_features is not None
    return gram(name.gram_features(F, Context(form.gram_divisor, form.shift, T)))


def _statistic(form: Form, name: Statistic, F: Any, T: Any, before: Sequence[Any]) -> Any:
    """A statistic of features; None at the first layer, if it compares a layer with the one
    before.
    """
    if name.layers > 1 and not before:
        return None
    return name.of(
        F, Context(form.gram_divisor, form.shift, T, before[0] if name.layers > 1 else None)
    )


def _value_and_grad(form: Form) -> Any:
    def function(
        image: Any,
        kernels: vgg.Kernels,
        P: Mapping[str, Any],
        S: Sequence[Mapping[str, Mapping[str, Any]]],
        content_weights: Any,
        style_weights: Any,
        total_variation_weight: Any,
        unit: Any,
    ) -> tuple[Any, Any, Any, Any]:
        positions = tf.shape(image)[1] * tf.shape(image)[2]
        layers = {*form.content_layers, *form.style_layers}
        aims = {
            layer: [
                (name, each[layer])
                for name, each in zip(form.statistics, S, strict=True)
                if layer in each
            ]
            for layer in layers
        }
        content: dict[str, Any] = {}
        style: dict[str, Any] = {}
        before: list[Any] = []  # of a chain: the features of the layer before

        def hook(layer: str, F: Any) -> Any:
            losses_of = _losses_of(form, P.get(layer), aims[layer], positions)
            F, content[layer], style[layer] = _with_late_gradient(
                form, losses_of, aims[layer], F, before
            )
            if layer in form.style_layers and any(name.layers > 1 for name in form.statistics):
                before[:] = [F]
            return F

        shares = {
            layer: _share(form, [(name, aim.get("T")) for name, aim in aims[layer]])
            for layer in layers
            if layer not in P and all(name.sums_over_rows for name in form.statistics)
        }
        with tf.GradientTape() as tape:
            tape.watch(image)
            for layer, found in _features(form, image, kernels, layers, hook, shares).items():
                content[layer], style[layer] = (
                    tf.zeros(()),
                    _style_loss(form, found, aims[layer], positions),
                )
            C = _stack(content[layer] for layer in form.content_layers)
            E = _stack(style[layer] for layer in form.style_layers)
            total_variation = losses.total_variation(image / unit, form.total_variation)
            total = tf.reduce_sum(content_weights * C) + tf.reduce_sum(style_weights * E)
            total += total_variation_weight * total_variation
        return C, E, total_variation, tape.gradient(total, image)

    return function


def _style_loss(form: Form, found: Sequence[Any], aims: Aims, positions: Any) -> Any:
    """The style loss of a layer: of the statistics `found` there, each aiming at its targets with
    its share.
    """
    each = [
        aim["share"] * name.loss(G, aim["A"], form.style_reduction, positions)
        for G, (name, aim) in zip(found, aims, strict=True)
    ]
    return tf.add_n(each) if each else tf.zeros(())


def _losses_of(form: Form, P: Any, aims: Aims, positions: Any) -> LossesOf:
    """The content and the style loss of a layer as a function of its features and the statistics
    found of them.
    """

    def losses_of(F: Any, found: Sequence[Any]) -> tuple[Any, Any]:
        C = tf.zeros(()) if P is None else losses.content(F, P, form.content_reduction)
        return C, _style_loss(form, found, aims, positions)

    return losses_of


def _with_late_gradient(
    form: Form, losses_of: LossesOf, aims: Aims, F: Any, before: Sequence[Any]
) -> Any:
    """The features F of a layer and its two losses, whose gradients are computed on the way back,
    to save memory.
    """

    @tf.custom_gradient
    def noted(F: Any, *before: Any) -> tuple[Any, Any]:
        found = [_statistic(form, name, F, aim.get("T"), before) for name, aim in aims]

        def gradient(dF: Any, dC: Any, dE: Any) -> Any:
            # Left alone TensorFlow computes these products, as large as F, in the forward pass and
            # keeps all.
            with tf.control_dependencies([dF]):
                late = tf.identity(F)
            with tf.GradientTape() as tape:
                tape.watch((late, *found))
                values = losses_of(late, found)
            to_F, *slopes = tape.gradient(
                values, (late, *found), (dC, dE), tf.UnconnectedGradients.NONE
            )
            parts, to_before = (
                [dF] if to_F is None else [dF, to_F],
                [tf.zeros_like(x) for x in before],
            )
            for (name, aim), dG in zip(aims, slopes, strict=True):
                part, *rest = _statistic_gradient(form, name, late, aim.get("T"), before, dG)
                parts.append(part)
                to_before = rest or to_before
            return (tf.add_n(parts), *to_before) if before else tf.add_n(parts)

        return (F, *losses_of(F, found)), gradient

    return noted(F, *before)


def _statistic_gradient(
    form: Form, name: Statistic, F: Any, T: Any, before: Sequence[Any], dG: Any
) -> list[Any]:
    """What a gradient with respect to `_statistic` is with respect to F, and for a chain to the
    layer before.
    """
    if name.gram_features is None:
        with tf.GradientTape() as tape:
            tape.watch((F, *before))
            G = _statistic(form, name, F, T, before)
        watched = (F, *before) if name.layers > 1 else (F,)
        return list(tape.gradient(G, watched, dG))
    with tf.GradientTape() as tape:
        tape.watch(F)
        X = name.gram_features(F, Context(form.gram_divisor, form.shift, T))
    dX = losses.gram_gradient(X, dG, form.gram_divisor, guided=T is not None)
    return [dX if X is F else tape.gradient(X, F, dX)]


def _stack(values: Any) -> Any:
    listed: Sequence[Any] = list(values)
    return tf.stack(listed) if listed else tf.zeros((0,))
