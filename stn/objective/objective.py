"""The objective: targets computed once, then the total loss and its gradient with respect to the
image.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stn.assets.pictures import Sized
from stn.backend import tf
from stn.config.composition import pixel_unit
from stn.config.schema import Config
from stn.network import space, vgg
from stn.network.network import Network
from stn.objective import graph
from stn.objective import targets as style_targets
from stn.objective.graph import Form


@dataclass(frozen=True)
class Scale:
    """The numbers of the sum: alpha · Σ c_l content_l + beta · Σ w_l style_l +
    total_variation_weight · total_variation.

    `unit` [3] is one unit of the source's pixel space in 0-255 steps; total variation is measured
    in it."""

    alpha: float
    beta: float
    content: tuple[float, ...]
    style: tuple[float, ...]
    total_variation: float = 0.0
    unit: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Targets:
    """What the generated image is compared with: `content` {layer: P [1, h, w, N]} and the `style`
    targets.
    """

    content: Mapping[str, Any]
    style: Sequence[
        Mapping[str, Mapping[str, Any]]
    ]  # {layer: target}, see stn/objective/targets.py


@dataclass(frozen=True)
class Terms:
    """The loss at one image: total = content + style + total_variation, each with its weight (eq.
    7).

    `per_layer` holds `content/<layer>` and `style/<layer>`, the formulas' values before any weight.
    """

    total: float
    content: float
    style: float
    total_variation: float
    per_layer: Mapping[str, float]


def targets(kernels: vgg.Kernels, form: Form, content_image: Any, style_image: Any) -> Targets:
    """Targets from one content and one style image, each [1, h, w, 3], mean-subtracted; sizes may
    differ.
    """
    [A] = graph.statistics(kernels, form, style_image, [(form.statistics[0], None)])
    plain = {layer: {"A": each, "share": tf.ones(())} for layer, each in A.items()}
    return Targets(graph.content_features(kernels, form, content_image), [plain])


class Objective:
    """The total loss of an image and its gradient; those of the same form and shapes share what is
    compiled.
    """

    def __init__(
        self,
        kernels: vgg.Kernels,
        form: Form,
        scale: Scale,
        goal: Targets,
        kept: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        """`kept` is an image [1, h, w, 3] and a mask [h, w, 1] 0-1: where that is 0, the image
        counts in place of x.
        """
        self._form, self._scale, self._kept = form, scale, kept
        self._function: Any = None
        self._shape: Any = None
        self._inputs = (
            dict(kernels),
            dict(goal.content),
            [{layer: dict(target) for layer, target in each.items()} for each in goal.style],
            tf.constant(
                [scale.alpha * weight for weight in scale.content],
                tf.float32,
                (len(scale.content),),
            ),
            tf.constant(
                [scale.beta * weight for weight in scale.style], tf.float32, (len(scale.style),)
            ),
            tf.constant(scale.total_variation, tf.float32),
            tf.constant(scale.unit, tf.float32),
        )

    def value_and_grad(self, image: np.ndarray) -> tuple[Terms, np.ndarray]:
        """Loss terms and gradient [1, h, w, 3] float64 at `image` [1, h, w, 3]; the network runs in
        float32.
        """
        if self._kept is not None:
            around, mask = self._kept
            image = around + mask * (image - around)
        x = tf.constant(image, tf.float32)
        if self._shape != x.shape:
            self._function, self._shape = (
                graph.value_and_grad(self._form, x, *self._inputs),
                x.shape,
            )
        content, style, total_variation, gradient = self._function(x, *self._inputs)
        slope = gradient.numpy().astype(np.float64)
        terms = self._terms(content.numpy(), style.numpy(), float(total_variation))
        return terms, slope if self._kept is None else slope * self._kept[1]

    def _terms(self, content: np.ndarray, style: np.ndarray, total_variation: float) -> Terms:
        scale, form = self._scale, self._form
        C = [float(value) for value in content]
        E = [float(value) for value in style]
        weighted_content = scale.alpha * sum(
            c * value for c, value in zip(scale.content, C, strict=True)
        )
        weighted_style = scale.beta * sum(
            w * value for w, value in zip(scale.style, E, strict=True)
        )
        weighted_total_variation = (
            scale.total_variation * total_variation if form.total_variation_counted else 0.0
        )
        per_layer = {
            f"content/{layer}": value for layer, value in zip(form.content_layers, C, strict=True)
        }
        per_layer |= {
            f"style/{layer}": value for layer, value in zip(form.style_layers, E, strict=True)
        }
        total = weighted_content + weighted_style + weighted_total_variation
        return Terms(total, weighted_content, weighted_style, weighted_total_variation, per_layer)


def build(settings: Config, network: Network, sized: Sized) -> Objective:
    """The objective that the settings describe, for pictures at the size they have at a level.

    Warns of guides that no position of a layer lies in.
    """
    chosen = settings.objective
    form = Form(
        content_layers=tuple(layer.layer for layer in chosen.content_layers),
        style_layers=tuple(layer.layer for layer in chosen.style_layers),
        pooling=settings.network.pooling,
        content_reduction=chosen.content_reduction,
        gram_divisor=chosen.gram_divisor,
        style_reduction=chosen.style_reduction,
        total_variation=chosen.total_variation.form,
        total_variation_counted=chosen.total_variation.counted,
        ceil_mode=settings.network.ceil_mode,
        border=settings.network.border,
        shift=chosen.activation_shift,
        gradient_checkpointing=network.gradient_checkpointing,
    )
    red, green, blue = pixel_unit(settings)
    scale = Scale(
        alpha=chosen.content_weight,
        beta=chosen.style_weight,
        content=tuple(layer.weight for layer in chosen.content_layers),
        style=tuple(layer.weight for layer in chosen.style_layers),
        total_variation=chosen.total_variation.weight,
        unit=(red, green, blue),
    )

    def statistics_of(
        rgb: np.ndarray, asked: Sequence[style_targets.Asked]
    ) -> list[dict[str, Any]]:
        return graph.statistics(
            network.kernels, form, space.to_network(rgb, network.mean_pixel), asked
        )

    names, style = style_targets.build(settings, network.layer_names, sized, statistics_of)
    form = dataclasses.replace(form, statistics=names)
    P: dict[str, Any] = {}
    if form.content_layers and sized.content is not None:
        P = graph.content_features(
            network.kernels, form, space.to_network(sized.content, network.mean_pixel)
        )
    return Objective(network.kernels, form, scale, Targets(P, style), _kept(sized, network))


def _kept(sized: Sized, network: Network) -> tuple[np.ndarray, np.ndarray] | None:
    if sized.paint_only is None or sized.content is None:
        return None
    return space.to_network(sized.content, network.mean_pixel), sized.paint_only[..., None]
