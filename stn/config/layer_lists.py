"""The layers of a loss as the configuration lists them: {layer, weight} each, or bare names."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stn.config.schema import Objective
from stn.errors import InputError
from stn.layers import COLORS, VGG19, trunk_of


@dataclass
class LayerWeight:
    """A layer of the content or the style loss, and its weight w_l there."""

    layer: str
    weight: float = 1.0


def replace_names(objective: Objective, network: str) -> None:
    """Bare layer names of an objective become LayerWeights, their weights by `layer_weighting`;
    InputError as `parse`.

    equal, first_loss: w_l = 1/n (eq. 5); what first_loss divides by, the objective finds. With
    geometric, layer d of D style layers has 2^(D−d) and of content layers 2^d. These are divided
    by their sum (Novak & Nikulin 2016, section 3.1)."""
    for role in ("content", "style"):
        items = getattr(objective, f"{role}_layers")
        powers = [1.0] * len(items)
        if objective.layer_weighting == "geometric":
            order = [_depth(item, network) for item in items]
            sign = 1 if role == "content" else -1
            powers = [2.0 ** (sign * sorted(order).index(depth)) for depth in order]
        shares = [power / sum(powers) for power in powers]
        setattr(
            objective, f"{role}_layers", parse(f"objective.{role}_layers", items, network, shares)
        )


def _depth(item: Any, network: str) -> int:
    known = trunk_of(network)
    name = item.get("layer") if isinstance(item, dict) else getattr(item, "layer", item)
    return known.index(name) if name in known else -1


def parse(key: str, items: list[Any], network: str, shares: Sequence[float]) -> list[LayerWeight]:
    """The layers that a key lists, with these shares where it gives no weights.

    Raises InputError, which names the key, for what `network` has not or is no weight.
    """
    known = trunk_of(network)
    layers: list[LayerWeight] = []
    for item, share in zip(items, shares, strict=True):
        if isinstance(item, str):
            layers.append(LayerWeight(item, share))
        elif isinstance(item, LayerWeight):
            layers.append(item)
        elif isinstance(item, dict) and set(item) == {"layer", "weight"}:
            if isinstance(item["weight"], bool) or not isinstance(item["weight"], int | float):
                raise InputError(
                    f"{key}: the weight of {item['layer']} is {item['weight']!r}, not a number"
                )
            layers.append(LayerWeight(str(item["layer"]), float(item["weight"])))
        else:
            raise InputError(
                f"{key}: {item!r} is neither a layer name nor {{layer: NAME, weight: NUMBER}}"
            )
    for layer in layers:
        if layer.layer not in (COLORS, *known):
            raise InputError(
                f"{key}: {network} has no layer {layer.layer!r}; layers are conv1_1 … conv5_"
                f"{4 if known is VGG19 else 3}, relu likewise, and pool1 … pool5"
            )
        if not (math.isfinite(layer.weight) and layer.weight >= 0):
            raise InputError(
                f"{key}: the weight of {layer.layer} is {layer.weight}; it must be zero or more"
            )
        if sum(other.layer == layer.layer for other in layers) > 1:
            raise InputError(f"{key}: {layer.layer} is listed twice; give each layer once")
    return layers
