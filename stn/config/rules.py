"""What the controls of a run need of each other: several styles, layers without content, masks,
colors.

The layers of a loss as the configuration lists them: {layer, weight} each, or bare names."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stn.config import fields, names
from stn.config.schema import Config, Objective, Style
from stn.errors import InputError
from stn.layers import VGG16, VGG19
from stn.loss.statistics import STATISTICS

# The keys of an entry of more_styles.
MORE = ("path", "weight", "scale", "mask", "result_mask", "layers")


def check(config: Config) -> None:
    """Raise InputError for controls that cannot stand together; entries of `more_styles` become
    Styles.
    """
    config.more_styles = [
        _parse(number, item, config.style.size) for number, item in enumerate(config.more_styles)
    ]
    if config.objective.style_layers:
        _check_styles(styles(config), [layer.layer for layer in config.objective.style_layers])
    name = config.objective.style_statistic
    statistic = STATISTICS[name]
    if statistic.no_masks and guided(config):
        raise InputError(
            f"objective.style_statistic={name}: takes no masks, since {statistic.no_masks}; leave"
            " style.mask and style.result_mask out, or take style_statistic=gram"
        )
    if 0 < len(config.objective.style_layers) < statistic.layers:
        raise InputError(
            f"objective.style_statistic={name}: compares neighboring layers; list two or more style"
            " layers"
        )
    if config.mix.fine is not None:
        shares = [1.0] * len(config.mix.layers)
        if not parse("mix.layers", list(config.mix.layers), config.network.name, shares):
            raise InputError(
                "mix.layers=[]: nothing to take from mix.fine; list layers such as"
                " [relu1_1,relu2_1]"
            )
    if config.content.path is None:
        _check_without_content(config)


def styles(config: Config) -> dict[str, Style]:
    """Every style of a run by the key that names it: `style`, then `more_styles[0]` and so on."""
    return {"style": config.style} | {
        f"more_styles[{number}]": style for number, style in enumerate(config.more_styles)
    }


def guided(config: Config) -> bool:
    """Whether a mask says where a style is taken from or painted."""
    return any(style.mask or style.result_mask for style in styles(config).values())


def _parse(number: int, item: Any, size: str) -> Style:
    key = f"more_styles[{number}]"
    if isinstance(item, Style):
        return item
    if not isinstance(item, dict) or "path" not in item:
        raise InputError(
            f"{key}: {item!r} names no painting; write more_styles=[{{path: FILE, weight: 1}}]"
        )
    item = dict(item)
    if item.pop("size", size) != size:  # settings that were written out have it
        raise InputError(f"{key}.size: every painting is sized as style.size says; leave it out")
    for name in item:
        if f"style.{name}" in names.RENAMED:
            now = names.RENAMED[f"style.{name}"].removeprefix("style.")
            raise InputError(f"{key}.{name}: is {key}.{now} now")
        if name not in MORE:
            question = fields.did_you_mean(fields.nearest(name, MORE))
            raise InputError(f"{key}.{name}: no such key; {question}known are {', '.join(MORE)}")
    for name in ("path", "mask", "result_mask"):
        if not isinstance(item.get(name), str | None) or item["path"] is None:
            raise InputError(f"{key}.{name}={item.get(name)!r}: must be the path of a picture")
    for name in ("weight", "scale"):
        if isinstance(item.get(name), bool) or not isinstance(item.get(name, 1), int | float):
            raise InputError(f"{key}.{name}={item[name]!r}: must be a number")
    layers = item.get("layers")
    if not isinstance(layers, list | None) or not all(
        isinstance(layer, str) for layer in layers or ()
    ):
        raise InputError(f"{key}.layers={layers!r}: must be a list of layer names")
    style = Style(**item, size=size)
    for name, value, limits in fields.fields(style):
        fields.check_value(f"{key}.{name}", value, limits)
    return style


def _check_styles(found: dict[str, Style], style_layers: list[str]) -> None:
    """Raise InputError unless every layer has a style that counts there."""
    if not sum(style.weight for style in found.values()) > 0:
        raise InputError(
            "style.weight and the weights of more_styles: their sum is zero; give one a weight"
            " above it"
        )
    for key, style in found.items():
        if style.layers == []:
            raise InputError(
                f"{key}.layers=[]: counts nowhere; leave it out for all of objective.style_layers"
            )
        for layer in style.layers or ():
            if layer not in style_layers:
                raise InputError(
                    f"{key}.layers: {layer} is not one of objective.style_layers; name it there too"
                )
    for layer in style_layers:
        if not any(
            style.weight and layer in (style.layers or style_layers) for style in found.values()
        ):
            raise InputError(
                f"objective.style_layers: no style counts at {layer}; leave it out, or name it in"
                " layers"
            )


def _check_without_content(config: Config) -> None:
    """Raise InputError for what needs a photograph where there is none."""
    needs = {
        "objective.content_layers": bool(config.objective.content_layers),
        f"init={config.init.name}": config.init.name in ("content", "blend"),
        f"color={config.color.name}": config.color.name in ("match", "luminance", "swap"),
        "paint_only": config.paint_only is not None,
        f"style.size={config.style.size}": (
            config.style.size != "own" and config.image.shape is None
        ),
    }
    for key, does in needs.items():
        if does:
            raise InputError(
                f"{key}: needs a photograph, and content.path is null; give content.path=FILE"
            )


@dataclass
class LayerWeight:
    layer: str
    weight: float = 1.0


def replace_names(objective: Objective, network: str) -> None:
    """Bare layer names of an objective become LayerWeights, their weights by `layer_weighting`;
    InputError as `parse`.

    equal: w_l = 1/n (eq. 5). geometric: of the layer d of D style layers 2^(D−d), of content layers
    2^d, each divided by their sum (Novak & Nikulin 2016, section 3.1)."""
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
    known = VGG16 if network == "vgg16" else VGG19
    name = item.get("layer") if isinstance(item, dict) else getattr(item, "layer", item)
    return known.index(name) if name in known else -1


def parse(key: str, items: list[Any], network: str, shares: Sequence[float]) -> list[LayerWeight]:
    """The layers that a key lists, with these shares where it gives no weights.

    Raises InputError, which names the key, for what `network` has not or is no weight.
    """
    known = VGG16 if network == "vgg16" else VGG19
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
        if layer.layer not in known:
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
