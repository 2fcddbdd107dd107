"""Keys that the user typed and that other settings leave without effect: none is ignored in
silence.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from stn.config import dotted, lists, names, optimizers
from stn.config.optimizers import OPTIMIZERS
from stn.config.schema import Config, Init
from stn.errors import InputError
from stn.images import color
from stn.loss import strotss
from stn.loss.statistics import STATISTICS

OFF: tuple[Any, ...] = (None, False, 0, "none", [])  # values that switch something off


class Need(NamedTuple):
    """What a key needs to have an effect: whether settings have it, the key that decides it, and
    what to do where they do not.
    """

    met: Callable[[Config], bool]
    other: str
    remedy: str


def _one_of(other: str, *values: str) -> Need:
    """It counts with some values of another key alone."""
    remedy = f"it belongs to {', '.join(values)}"
    return Need(lambda config: dotted.value_of(config, other) in values, other, remedy)


def _given(other: str, remedy: str) -> Need:
    """It counts where another key is not off."""
    return Need(lambda config: dotted.value_of(config, other) not in OFF, other, remedy)


def _compared(*values: str) -> Need:
    """It counts where one of these statistics is compared."""
    other, remedy = "objective.style_statistic", f"it belongs to {', '.join(values)}"
    return Need(lambda config: not {*_statistics(config)}.isdisjoint(values), other, remedy)


def _statistics(config: Config) -> list[str]:
    """Those that are compared. A content loss of hypercolumns has the keys of all such."""
    found = [*lists.compared(config)]
    if config.objective.content_reduction in strotss.CONTENT_REDUCTIONS:
        found += [name for name in STATISTICS if STATISTICS[name].of_hypercolumns]
    return found


COLORS = {f"color.{key}": name for name, mode in color.MODES.items() for key in mode.keys}
_of_layers = _compared(*(name for name, each in STATISTICS.items() if not each.of_hypercolumns))
# What is needed, and the keys that need it.
NEEDS: list[tuple[Need, list[str]]] = [
    *(
        (
            _compared(*(name for name, each in STATISTICS.items() if key in each.keys)),
            [f"objective.{key}"],
        )
        for key in sorted(set().union(*(each.keys for each in STATISTICS.values())))
    ),
    *((_one_of("color.name", name), [key]) for key, name in COLORS.items()),
    (_one_of("guidance.name", "gram", "tag"), ["guidance.global_weight"]),
    (_one_of("guidance.name", "gram", "sums"), ["guidance.propagation", "guidance.margin"]),
    (
        _of_layers._replace(remedy="masks of hypercolumns are only resized"),
        ["guidance.propagation", "guidance.margin"],
    ),
    (_one_of("guidance.name", "sums"), ["guidance.sums_weight"]),
    (_one_of("guidance.name", "tag"), ["guidance.tag"]),
    (_one_of("init.name", "file"), ["init.path"]),
    (_one_of("init.name", *Init.RANDOM), ["init.distribution", "init.amplitude"]),
    (_one_of("init.name", "blend"), ["init.noise_ratio"]),
    *(
        (_one_of("optimizer.name", *optimizers.having(key)), [f"optimizer.{key}"])
        for key in dict.fromkeys(key for name in OPTIMIZERS for key in optimizers.keys(name))
        if optimizers.having(key) != tuple(OPTIMIZERS)
    ),
    (_given("objective.total_variation.form", "name a form"), ["objective.total_variation.weight"]),
    (
        _given("objective.total_variation.weight", "give a weight"),
        ["objective.total_variation.form", "objective.total_variation.counted"],
    ),
    (_given("mix.fine", "give mix.fine"), ["mix.layers", "mix.weight", "mix.max_evaluations"]),
    (_given("match.measure", "give match.measure"), ["match.value", "match.key"]),
    (_given("more_styles", "give more_styles"), ["styles_blend", "style.weight"]),
    (
        _given("objective.content_layers", "give content layers"),
        ["objective.content_weight", "objective.content_reduction", "strength"],
    ),
    (
        _given("objective.style_layers", "give style layers"),
        ["objective.style_weight", "objective.style_reduction", "style.layers"],
    ),
    (_given("image.size_px", "give a size"), ["image.side"]),
]


def warn(config: Config, overrides: Sequence[str]) -> None:
    """Warn, in a line each, of the overrides that change nothing; InputError for options of a color
    without a color.

    And of Adam's steps from black beyond white: a rate means another step next to a preset with
    other units. Only what the user typed is looked at: a group or a preset may list keys that
    belong to another choice."""
    if isinstance(config.optimizer, optimizers.Adam):
        _warn_of_steps(config.optimizer.learning_rate, max(config.image.pixel_unit))
    typed = dict(_typed(overrides))
    for key, value in typed.items():
        if value in OFF:
            continue  # it switches off what is off
        if key.startswith("color.") and config.color.name == "none":
            raise InputError(
                f"{key}={_typable(value)}: there is no color= to go with it; give"
                f" color={COLORS.get(key, 'match')}, say"
            )
        guidance = key.partition(".")[0] == "guidance" and value != "gram"
        if guidance and not lists.guided(config):
            warnings.warn(
                f"{key}={_typable(value)} has no effect without style.mask or style.result_mask",
                stacklevel=3,
            )
        if key in ("content", "content.path", "style", "style.path"):
            _warn_of_masks(config, typed, key)
        unmet = [need for need, keys in NEEDS if key in keys and not need.met(config)]
        # A weight of zero typed next to its form is meant: a cell of a sweep over weights.
        unmet = [
            each for each in unmet if not each.other.endswith(".weight") or each.other not in typed
        ]
        if unmet:
            other, remedy = unmet[0].other, unmet[0].remedy
            shown = _typable(dotted.value_of(config, other))
            warnings.warn(
                f"{key}={_typable(value)} has no effect with {other}={shown}; {remedy}",
                stacklevel=3,
            )


def _warn_of_steps(rate: float, unit: float) -> None:
    if rate * unit > 255:
        warnings.warn(
            f"optimizer.learning_rate={rate:g}: a step is {rate * unit:g} levels of 255, since"
            f" image.pixel_unit is {unit:g}; give a smaller one",
            stacklevel=4,
        )


def _warn_of_masks(config: Config, typed: Mapping[str, Any], key: str) -> None:
    """Of a preset's masks, which are of its own pictures, where the user names another picture and
    no masks.
    """
    masks = [mask for mask in ("style.mask", "style.result_mask") if dotted.value_of(config, mask)]
    if masks and not {"style.mask", "style.result_mask", "more_styles"} & typed.keys():
        warnings.warn(
            f"{key}={_typable(typed[key])}: {', '.join(masks)} and more_styles are of the preset's"
            " own pictures; give yours, or style.mask=null style.result_mask=null more_styles=[]",
            stacklevel=4,
        )


def _typed(overrides: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The keys of overrides and their values; those of `optimizer={name: adam, history: 5}` too."""
    for override in map(names.parsed, overrides):
        if not override.is_delete():
            yield from dotted.flat({override.key_or_group: override.value()}).items()


def _typable(value: Any) -> str:
    if value is None:
        return "null"
    return f"{value:g}" if isinstance(value, float) else str(value)
