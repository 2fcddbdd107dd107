"""The objective: targets computed once, then the total loss and its gradient with respect to the image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stn import compiled, images, losses, vgg
from stn.backend import tf
from stn.config import Config
from stn.network import Network


@dataclass(frozen=True)
class Form:
    """Everything that shapes the compiled function and is not a number: layer names and named choices."""

    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]
    pooling: str
    content_reduction: str
    gram_divisor: str
    style_reduction: str
    smoothness: str
    smoothness_counted: bool = True  # false: in the gradient only
    odd: str = "ceil"  # sides of pooling: vgg.features


@dataclass(frozen=True)
class Scale:
    """The numbers of the sum: alpha · Σ c_l content_l + beta · Σ w_l style_l + smoothness_weight · smoothness.

    `unit` [3] is one unit of the source's pixel space in 0-255 steps; smoothness is measured in it.
    """

    alpha: float
    beta: float
    content: tuple[float, ...]
    style: tuple[float, ...]
    smoothness: float = 0.0
    unit: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Targets:
    """What the generated image is compared with: `content` {layer: P [1, h, w, N]}, `style` {layer: A [N, N]}."""

    content: Mapping[str, Any]
    style: Mapping[str, Any]


@dataclass(frozen=True)
class Terms:
    """The loss at one image: total = content + style + smoothness, each with its weight (eq. 7).

    `per_layer` holds `content/<layer>` and `style/<layer>`, the formulas' values before any weight.
    """

    total: float
    content: float
    style: float
    smoothness: float
    per_layer: Mapping[str, float]


def targets(kernels: vgg.Kernels, form: Form, content_image: Any, style_image: Any) -> Targets:
    """Targets from the content and the style image, each [1, h, w, 3], mean-subtracted; sizes may differ."""

    def found(layers: tuple[str, ...], gram_divisor: str | None, image: Any) -> Any:
        inputs = tf.constant(image, tf.float32), dict(kernels)
        return compiled.function(_targets, (layers, form.pooling, form.odd, gram_divisor), *inputs)(*inputs)

    P, A = found(form.content_layers, None, content_image), found(form.style_layers, form.gram_divisor, style_image)
    return Targets(P, A)


class Objective:
    """The total loss of an image and its gradient; those of the same form and shapes share what is compiled."""

    def __init__(self, kernels: vgg.Kernels, form: Form, scale: Scale, goal: Targets) -> None:
        self._form, self._scale = form, scale
        self._function: Any = None
        self._shape: Any = None
        self._inputs = (
            dict(kernels),
            dict(goal.content),
            dict(goal.style),
            tf.constant([scale.alpha * weight for weight in scale.content], tf.float32, (len(scale.content),)),
            tf.constant([scale.beta * weight for weight in scale.style], tf.float32, (len(scale.style),)),
            tf.constant(scale.smoothness, tf.float32),
            tf.constant(scale.unit, tf.float32),
        )

    def value_and_grad(self, image: np.ndarray) -> tuple[Terms, np.ndarray]:
        """Loss terms and gradient [1, h, w, 3] float64 at `image` [1, h, w, 3]; the network runs in float32."""
        x = tf.constant(image, tf.float32)
        if self._shape != x.shape:
            self._function, self._shape = compiled.function(_value_and_grad, (self._form,), x, *self._inputs), x.shape
        content, style, smoothness, gradient = self._function(x, *self._inputs)
        return self._terms(content.numpy(), style.numpy(), float(smoothness)), gradient.numpy().astype(np.float64)

    def _terms(self, content: np.ndarray, style: np.ndarray, smoothness: float) -> Terms:
        scale, form = self._scale, self._form
        C = [float(value) for value in content]
        E = [float(value) for value in style]
        weighted_content = scale.alpha * sum(c * value for c, value in zip(scale.content, C, strict=True))
        weighted_style = scale.beta * sum(w * value for w, value in zip(scale.style, E, strict=True))
        weighted_smoothness = scale.smoothness * smoothness if form.smoothness_counted else 0.0
        per_layer = {f"content/{layer}": value for layer, value in zip(form.content_layers, C, strict=True)}
        per_layer |= {f"style/{layer}": value for layer, value in zip(form.style_layers, E, strict=True)}
        total = weighted_content + weighted_style + weighted_smoothness
        return Terms(total, weighted_content, weighted_style, weighted_smoothness, per_layer)


def build(settings: Config, network: Network, content_rgb: np.ndarray, style_rgb: np.ndarray) -> Objective:
    """The objective that the settings describe, for a content and a style picture, `rgb` [h, w, 3], 0-255."""
    chosen = settings.objective
    form = Form(
        content_layers=tuple(layer.layer for layer in chosen.content_layers),
        style_layers=tuple(layer.layer for layer in chosen.style_layers),
        pooling=settings.network.pooling,
        content_reduction=chosen.content_reduction,
        gram_divisor=chosen.gram_divisor,
        style_reduction=chosen.style_reduction,
        smoothness=chosen.smoothness.form,
        smoothness_counted=chosen.smoothness.counted,
        odd=settings.network.odd,
    )
    red, green, blue = settings.image.pixel_unit
    scale = Scale(
        alpha=chosen.content_weight,
        beta=chosen.style_weight,
        content=tuple(layer.weight for layer in chosen.content_layers),
        style=tuple(layer.weight for layer in chosen.style_layers),
        smoothness=chosen.smoothness.weight,
        unit=(red, green, blue),
    )
    content, style = (images.to_network(rgb, network.mean_pixel) for rgb in (content_rgb, style_rgb))
    return Objective(network.kernels, form, scale, targets(network.kernels, form, content, style))


def _targets(layers: tuple[str, ...], pooling: str, odd: str, gram_divisor: str | None) -> Any:
    """Features at the layers, or their Gram matrices where a divisor is given, in which case no features are kept."""

    def function(image: Any, kernels: vgg.Kernels) -> dict[str, Any]:
        found = {}

        def hook(layer: str, F: Any) -> Any:
            found[layer] = F if gram_divisor is None else losses.gram(F, gram_divisor)
            with tf.control_dependencies([found[layer]]):
                return tf.identity(F)

        vgg.features(image, kernels, layers, pooling, hook, odd)
        return found

    return function


def _value_and_grad(form: Form) -> Any:
    """One function a form; targets and weights are its inputs, so that one trace serves a sweep of the same shape."""

    def function(
        image: Any,
        kernels: vgg.Kernels,
        P: Mapping[str, Any],
        A: Mapping[str, Any],
        content_weights: Any,
        style_weights: Any,
        smoothness_weight: Any,
        unit: Any,
    ) -> tuple[Any, Any, Any, Any]:
        positions = tf.shape(image)[1] * tf.shape(image)[2]
        content: dict[str, Any] = {}
        style: dict[str, Any] = {}

        def losses_of(layer: str, F: Any, G: Any) -> tuple[Any, Any]:
            C = losses.content(F, P[layer], form.content_reduction) if layer in P else tf.zeros(())
            E = losses.style(G, A[layer], form.style_reduction, positions) if layer in A else tf.zeros(())
            return C, E

        def hook(layer: str, F: Any) -> Any:
            @tf.custom_gradient
            def noted(F: Any) -> tuple[Any, Any]:
                G = losses.gram(F, form.gram_divisor) if layer in A else tf.zeros(())

                def gradient(dF: Any, dC: Any, dE: Any) -> Any:
                    # Left alone TensorFlow computes these products, as large as F, in the forward pass and keeps all.
                    with tf.control_dependencies([dF]):
                        late = tf.identity(F)
                    with tf.GradientTape() as tape:
                        tape.watch((late, G))
                        values = losses_of(layer, late, G)
                    to_F, dG = tape.gradient(values, (late, G), (dC, dE), tf.UnconnectedGradients.NONE)
                    parts = [dF] if to_F is None else [dF, to_F]
                    return tf.add_n(
                        parts if dG is None else [*parts, losses.gram_gradient(late, dG, form.gram_divisor)]
                    )

                return (F, *losses_of(layer, F, G)), gradient

            F, content[layer], style[layer] = noted(F)
            return F

        with tf.GradientTape() as tape:
            tape.watch(image)
            vgg.features(image, kernels, {*form.content_layers, *form.style_layers}, form.pooling, hook, form.odd)
            C = _stack(content[layer] for layer in form.content_layers)
            E = _stack(style[layer] for layer in form.style_layers)
            smoothness = losses.smoothness(image / unit, form.smoothness)
            total = tf.reduce_sum(content_weights * C) + tf.reduce_sum(style_weights * E)
            total += smoothness_weight * smoothness
        return C, E, smoothness, tape.gradient(total, image)

    return function


def _stack(values: Any) -> Any:
    listed: Sequence[Any] = list(values)
    return tf.stack(listed) if listed else tf.zeros((0,))
