"""What the style of each part of the picture is to become: the statistics of the paintings, weighed
and guided.
"""

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stn.assets.pictures import Sized, Style
from stn.backend import tf
from stn.config.schema import Config
from stn.images import masks
from stn.loss.statistics import GUIDED_MEANS, STATISTICS, Statistic

Guides = Mapping[str, Any] | None
# A statistic, and the guides {layer: T} that weigh it.
Asked = tuple[Statistic, Guides]
# What is asked of a painting `rgb` at every style layer, each {layer: A}; the painting passes the
# network once.
StatisticsOf = Callable[[np.ndarray, Sequence[Asked]], list[dict[str, Any]]]


@dataclass(frozen=True)
class Part:
    """Statistics A {layer: …} for the part of the picture where a style is painted, each layer's
    with its share.

    `T` {layer: [h, w]} are the guides of that part, None for all of the picture; `where` tells
    parts apart."""

    statistic: Statistic
    A: Mapping[str, Any]
    shares: Mapping[str, float]
    T: Guides
    where: bytes | None


def build(
    settings: Config, layer_names: Sequence[str], sized: Sized, statistics_of: StatisticsOf
) -> tuple[tuple[Statistic, ...], list[dict[str, dict[str, Any]]]]:
    """The targets of the style loss: the statistic of each, and {layer: {A, share, T}}, T only
    where it is guided.

    A layer's style loss is Σ share · loss(statistic, A) (objective.py). Shares of the styles
    sum to one."""
    layers = [layer.layer for layer in settings.objective.style_layers]
    if not layers:
        return (), []
    parts = _parts(settings, layers, layer_names, sized, statistics_of)
    if settings.styles_blend == "targets":
        parts = blended(parts)
    return tuple(part.statistic for part in parts), [_tensors(part) for part in parts]


def blended(parts: Sequence[Part]) -> list[Part]:
    """Parts of one place and statistic as one, whose target is their mean by share: Σ w_k A_k
    (neural-style).

    For a sum of squares the gradient is that of the blended losses, Σ w_k ℓ(G, A_k); the value is
    lower by Σ w_k ℓ(A_k, Ā). A sample of features has no mean and stays apart."""
    found: dict[Any, Part] = {}
    for number, part in enumerate(parts):
        place = (part.statistic, part.where, None if part.statistic.averages else number)
        found[place] = _mean(found[place], part) if place in found else part
    return list(found.values())


def _parts(
    settings: Config,
    layers: list[str],
    layer_names: Sequence[str],
    sized: Sized,
    statistics_of: StatisticsOf,
) -> list[Part]:
    statistic, guidance = STATISTICS[settings.objective.style_statistic], settings.guidance
    guided = any(style.mask is not None or style.result_mask is not None for style in sized.styles)

    def propagated(mask: np.ndarray | None, key: str) -> Guides:
        if mask is None:
            return None
        ceil_mode, how = settings.network.ceil_mode, guidance.propagation
        T, vanished = masks.propagate(
            mask, layers, layer_names, ceil_mode, how, guidance.margin, settings.network.border
        )
        if vanished:
            warnings.warn(
                f"{key}: too narrow for {', '.join(vanished)}, no position of which sees the inside"
                " only; there its guide is propagation=simple",
                stacklevel=2,
            )
        return T

    wholes: list[
        tuple[np.ndarray, Guides, Part]
    ] = []  # painting, its guides, and a part without targets
    inside: list[tuple[np.ndarray, Guides, Part]] = []
    for number, style in enumerate(sized.styles):
        shares = {
            layer: share for layer in layers if (share := _share(sized.styles, number, layer))
        }
        key = "style" if number == 0 else f"more_styles[{number - 1}]"
        if not shares:
            continue
        if not guided or guidance.name == "sums" or guidance.global_weight:
            wholes.append((style.rgb, None, Part(statistic, {}, shares, None, None)))
        if guided and (guidance.name != "sums" or guidance.sums_weight):
            compared = GUIDED_MEANS if guidance.name == "sums" else statistic
            T, result_mask = (
                propagated(style.mask, f"{key}.mask"),
                propagated(style.result_mask, f"{key}.result_mask"),
            )
            where = None if style.result_mask is None else style.result_mask.tobytes()
            inside.append((style.rgb, T, Part(compared, {}, shares, result_mask, where)))
    parts = _with_targets([*wholes, *inside], statistics_of)
    whole, masked = parts[: len(wholes)], parts[len(wholes) :]
    if not guided:
        return whole
    if guidance.name == "sums":
        return [*whole, *(_times(part, guidance.sums_weight) for part in masked)]
    return [*masked, *(_times(part, guidance.global_weight) for part in whole)]


def _with_targets(
    wanted: Sequence[tuple[np.ndarray, Guides, Part]], statistics_of: StatisticsOf
) -> list[Part]:
    """The parts with their targets; a painting that several of them have passes the network
    once.
    """
    found: dict[int, Part] = {}
    for number, (rgb, _, _) in enumerate(wanted):
        if number not in found:
            same = [
                other
                for other, (its, _, _) in enumerate(wanted)
                if its is rgb or np.array_equal(its, rgb)
            ]
            asked = {other: (wanted[other][2].statistic, wanted[other][1]) for other in same}
            once = {(name, id(T)): (name, T) for name, T in asked.values()}
            targets = dict(zip(once, statistics_of(rgb, list(once.values())), strict=True))
            found |= {
                other: dataclasses.replace(wanted[other][2], A=targets[name, id(T)])
                for other, (name, T) in asked.items()
            }
    return [found[number] for number in range(len(wanted))]


def _share(styles: Sequence[Style], number: int, layer: str) -> float:
    """The weight of a style at a layer over that of all styles that count there."""
    weights = [
        style.weight if style.layers is None or layer in style.layers else 0.0 for style in styles
    ]
    return weights[number] / sum(weights)


def _times(part: Part, factor: float) -> Part:
    return Part(
        part.statistic,
        part.A,
        {key: factor * share for key, share in part.shares.items()},
        part.T,
        part.where,
    )


def _mean(one: Part, other: Part) -> Part:
    A, shares = dict(one.A), dict(one.shares)
    for layer, share in other.shares.items():
        before = shares.get(layer, 0.0)
        shares[layer] = before + share
        if layer in other.A:
            A[layer] = (before * A[layer] + share * other.A[layer]) / (before + share)
    return Part(one.statistic, A, shares, one.T, one.where)


def _tensors(part: Part) -> dict[str, dict[str, Any]]:
    """The inputs of the compiled function; a chain has no statistic at its first layer."""
    found = {}
    for layer, share in part.shares.items():
        if layer in part.A:
            found[layer] = {"A": part.A[layer], "share": tf.constant(share, tf.float32)}
            if part.T is not None:
                found[layer]["T"] = tf.constant(part.T[layer], tf.float32)
    return found
