"""The lists of a configuration: what a loss has of layers, statistics and paintings.

Layers stand as {layer, weight} each, or as bare names that share a weight of one. Statistics are
`objective.style_statistic` and what stands next to it or, at a level, in its place. Paintings are
`style` and `more_styles`."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from stn.config.schema import Config, Style
from stn.errors import InputError
from stn.layers import COLORS, VGG19, trunk_of
from stn.loss import strotss
from stn.loss.statistics import STATISTICS

MORE_STATISTICS = "objective.more_statistics"


@dataclass
class LayerWeight:
    """A layer of the content or the style loss, and its weight w_l there."""

    layer: str
    weight: float = 1.0


def replace_names(config: Config) -> None:
    """Bare layer names become LayerWeights; InputError, which names the key, for what is no layer
    of the network or no weight.

    Their weights are by `objective.layer_weighting`. equal, first_loss: w_l = 1/n (eq. 5); what
    first_loss divides by, the objective finds. With geometric, layer d of D style layers has
    2^(D−d) and of content layers 2^d. These are divided by their sum (Novak & Nikulin 2016, section
    3.1). Those of `more_statistics` share equally."""
    objective, network = config.objective, config.network.name
    for role in ("content", "style"):
        items = getattr(objective, f"{role}_layers")
        powers = [1.0] * len(items)
        if objective.layer_weighting == "geometric":
            order = [_depth(item, network) for item in items]
            sign = 1 if role == "content" else -1
            powers = [2.0 ** (sign * sorted(order).index(depth)) for depth in order]
        layers = parse(f"objective.{role}_layers", items, network, powers)
        setattr(objective, f"{role}_layers", layers)
    for at, each in enumerate(objective.more_statistics):
        key = f"{MORE_STATISTICS}[{at}].layers"
        if not each.layers:
            raise InputError(f"{key}=[]: must be a list of layers, such as [relu1_1]")
        each.layers = parse(key, each.layers, network, [1.0] * len(each.layers))


def _depth(item: Any, network: str) -> int:
    known = trunk_of(network)
    name = item.get("layer") if isinstance(item, dict) else getattr(item, "layer", item)
    return known.index(name) if name in known else -1


def parse(key: str, items: list[Any], network: str, powers: Sequence[float]) -> list[LayerWeight]:
    """The layers that a key lists, with shares of one like `powers` where it gives no weights;
    InputError as `replace_names`.
    """
    known = trunk_of(network)
    layers: list[LayerWeight] = []
    for item, power in zip(items, powers, strict=True):
        if isinstance(item, str):
            layers.append(LayerWeight(item, power / sum(powers)))
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


class Listed(NamedTuple):
    """A statistic, the key that names it, that of its layers, and these."""

    key: str
    statistic: str
    layers_key: str
    layers: list[Any]


def listed(config: Config) -> list[Listed]:
    """Every statistic that is compared, `style_statistic` first."""
    objective, key = config.objective, "objective.style_layers"
    found = [
        Listed("objective.style_statistic", objective.style_statistic, key, objective.style_layers)
    ]
    for at, level in enumerate(config.pyramid.levels):
        if level.style_statistic is not None:
            name = f"pyramid.levels[{at}].style_statistic"
            found.append(Listed(name, level.style_statistic, key, objective.style_layers))
    for at, each in enumerate(objective.more_statistics):
        found.append(
            Listed(MORE_STATISTICS, each.statistic, f"{MORE_STATISTICS}[{at}].layers", each.layers)
        )
    return found


def compared(config: Config) -> dict[str, list[str]]:
    """The layers of every statistic that is compared, `style_statistic` first."""
    return {each.statistic: [layer.layer for layer in each.layers] for each in listed(config)}


def style_layers(config: Config) -> list[str]:
    """The layers at which any is compared, each once."""
    return list(dict.fromkeys(itertools.chain(*compared(config).values())))


def draws(config: Config) -> bool:
    """Whether losses are compared at what is drawn, directions or positions."""
    of_content = config.objective.content_reduction in strotss.CONTENT_REDUCTIONS
    return of_content or any(STATISTICS[name].draws for name in compared(config))


def key_of(number: int) -> str:
    """The key that names a style by its place: `style`, then `more_styles[0]` and so on."""
    return f"more_styles[{number - 1}]" if number else "style"


def styles(config: Config) -> dict[str, Style]:
    """Every style of a run by the key that names it."""
    every = [config.style, *config.more_styles]
    return {key_of(number): style for number, style in enumerate(every)}


def guided(config: Config) -> bool:
    """Whether a mask says where a style is taken from or painted."""
    return any(style.mask or style.result_mask for style in styles(config).values())
