"""The statistics that are compared next to `objective.style_statistic`: the entries of
`objective.more_statistics`.
"""

import itertools
from typing import Any

from stn.config import fields, layer_lists
from stn.config.schema import MoreStatistic, Objective
from stn.errors import InputError
from stn.loss import strotss
from stn.loss.statistics import STATISTICS

KEY = "objective.more_statistics"
KEYS = ("statistic", "layers", "weight")


def statistics(objective: Objective) -> list[str]:
    """Every statistic that is compared, `style_statistic` first."""
    return [objective.style_statistic, *(each.statistic for each in objective.more_statistics)]


def listed(objective: Objective) -> list[tuple[str, str, list[Any]]]:
    """The key, the statistic and the layers of each list of style layers."""
    first = "objective.style_layers", objective.style_statistic, objective.style_layers
    others = enumerate(objective.more_statistics)
    return [first, *((f"{KEY}[{at}].layers", each.statistic, each.layers) for at, each in others)]


def compared(objective: Objective) -> dict[str, list[str]]:
    """The layers of every statistic that is compared."""
    return {name: [each.layer for each in layers] for _, name, layers in listed(objective)}


def draws(objective: Objective) -> bool:
    """Whether losses are compared at what is drawn, directions or positions."""
    of_content = objective.content_reduction in strotss.CONTENT_REDUCTIONS
    return of_content or any(STATISTICS[name].draws for name in statistics(objective))


def style_layers(objective: Objective) -> list[str]:
    """The layers at which any is compared, each once."""
    return list(dict.fromkeys(itertools.chain(*compared(objective).values())))


def replace_entries(objective: Objective, network: str) -> None:
    """Entries become MoreStatistics, their layers LayerWeights; InputError for what is none."""
    objective.more_statistics = [
        _parse(f"{KEY}[{number}]", item, network)
        for number, item in enumerate(objective.more_statistics)
    ]
    found = statistics(objective)
    drawing = [name for name in dict.fromkeys(found) if STATISTICS[name].projects]
    if len(drawing) > 1:
        raise InputError(
            f"{KEY}: {' and '.join(drawing)} both draw at random; take one of them out"
        )
    for name in found:
        if found.count(name) > 1:
            raise InputError(f"{KEY}: {name} is compared already; give each statistic once")


def _parse(key: str, item: Any, network: str) -> MoreStatistic:
    if isinstance(item, MoreStatistic):
        item = {name: getattr(item, name) for name in KEYS}
    if not isinstance(item, dict) or not {"statistic", "layers"} <= item.keys():
        raise InputError(
            f"{key}: {item!r} lacks a statistic or layers; write"
            f" {KEY}=[{{statistic: histogram, layers: [relu1_1], weight: 1}}]"
        )
    for name in item:
        if name not in KEYS:
            question = fields.did_you_mean(fields.nearest(name, KEYS))
            raise InputError(f"{key}.{name}: no such key; {question}known are {', '.join(KEYS)}")
    weight, layers = item.get("weight", 1.0), item["layers"]
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise InputError(f"{key}.weight={weight!r}: must be a number")
    if not isinstance(layers, list) or not layers:
        raise InputError(f"{key}.layers={layers!r}: must be a list of layers, such as [relu1_1]")
    shares = [1 / len(layers)] * len(layers)
    parsed = layer_lists.parse(f"{key}.layers", layers, network, shares)
    found = MoreStatistic(str(item["statistic"]), parsed, float(weight))
    fields.check_values(found, f"{key}.")
    if STATISTICS[found.statistic].layers > 1:
        raise InputError(
            f"{key}.statistic={found.statistic}: compares neighboring layers; give it as"
            " objective.style_statistic, and the other one here"
        )
    return found
