"""The statistics that are compared next to `objective.style_statistic`, the entries of
`objective.more_statistics`, and those that take its place at a level.
"""

import itertools
from typing import Any, NamedTuple

from stn.config import fields, layer_lists
from stn.config.schema import Config, MoreStatistic, Objective
from stn.errors import InputError
from stn.loss import strotss
from stn.loss.statistics import STATISTICS

KEY_OF_ONE, KEY = "objective.style_statistic", "objective.more_statistics"
KEYS = ("statistic", "layers", "weight")


class Listed(NamedTuple):
    """A statistic, the key that names it, that of its layers, and these."""

    key: str
    statistic: str
    layers_key: str
    layers: list[Any]


def listed(config: Config) -> list[Listed]:
    """Every statistic that is compared, `style_statistic` first."""
    objective, key = config.objective, "objective.style_layers"
    found = [Listed(KEY_OF_ONE, objective.style_statistic, key, objective.style_layers)]
    for at, level in enumerate(config.pyramid.levels):
        if level.style_statistic is not None:
            name = f"pyramid.levels[{at}].style_statistic"
            found.append(Listed(name, level.style_statistic, key, objective.style_layers))
    for at, each in enumerate(objective.more_statistics):
        found.append(Listed(KEY, each.statistic, f"{KEY}[{at}].layers", each.layers))
    return found


def statistics(config: Config) -> list[str]:
    """Every statistic that is compared, each once, `style_statistic` first."""
    return list(dict.fromkeys(each.statistic for each in listed(config)))


def compared(config: Config) -> dict[str, list[str]]:
    """The layers of every statistic that is compared."""
    return {each.statistic: [layer.layer for layer in each.layers] for each in listed(config)}


def draws(config: Config) -> bool:
    """Whether losses are compared at what is drawn, directions or positions."""
    of_content = config.objective.content_reduction in strotss.CONTENT_REDUCTIONS
    return of_content or any(STATISTICS[name].draws for name in statistics(config))


def style_layers(config: Config) -> list[str]:
    """The layers at which any is compared, each once."""
    return list(dict.fromkeys(itertools.chain(*compared(config).values())))


def replace_entries(config: Config) -> None:
    """Entries become MoreStatistics, their layers LayerWeights; InputError for what is none, or
    cannot be compared together at a level.
    """
    objective = config.objective
    objective.more_statistics = [
        _parse(f"{KEY}[{number}]", item, config.network.name)
        for number, item in enumerate(objective.more_statistics)
    ]
    others = [each.statistic for each in objective.more_statistics]
    for each in listed(config):
        if each.key != KEY:
            _check_together(each.statistic, others, objective)


def _check_together(one: str, others: list[str], objective: Objective) -> None:
    """Raise InputError for statistics of a level that cannot be compared next to each other."""
    found = [one, *others]
    drawing = [name for name in dict.fromkeys(found) if STATISTICS[name].projects]
    if len(drawing) > 1:
        raise InputError(
            f"{KEY}: {' and '.join(drawing)} both draw at random; take one of them out"
        )
    for name in found:
        if found.count(name) > 1:
            raise InputError(f"{KEY}: {name} is compared already; give each statistic once")
    of_grid = [name for name in found if STATISTICS[name].on_grid]
    drawn = [name for name in found if STATISTICS[name].of_hypercolumns and name not in of_grid]
    if objective.content_layers and objective.content_reduction in strotss.CONTENT_REDUCTIONS:
        drawn.append(objective.content_reduction)
    if of_grid and drawn:
        raise InputError(
            f"{KEY}: {of_grid[0]} has hypercolumns on a grid, {drawn[0]} some that are drawn; take"
            " one of them out"
        )


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
