"""Keys that the user typed and that other settings leave without effect: none is ignored in
silence.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from stn.config import lists, names, optimizers
from stn.config.schema import Init
from stn.errors import InputError
from stn.loss import strotss
from stn.loss.statistics import STATISTICS

# A key, the key that decides whether it counts, and the values of that one with which it does.
NEEDS = {
    **{
        f"objective.{key}": (
            "objective.style_statistic",
            tuple(name for name, statistic in STATISTICS.items() if key in statistic.keys),
        )
        for key in sorted(set().union(*(statistic.keys for statistic in STATISTICS.values())))
    },
    "guidance.global_weight": ("guidance.name", ("gram", "tag")),
    "guidance.propagation": ("guidance.name", ("gram", "sums")),
    "guidance.margin": ("guidance.name", ("gram", "sums")),
    "guidance.tag": ("guidance.name", ("tag",)),
    "color.mode": ("color.name", ("match",)),
    "color.luma": ("color.name", ("luminance",)),
    "color.space": ("color.name", ("swap",)),
    "guidance.sums_weight": ("guidance.name", ("sums",)),
    "init.path": ("init.name", ("file",)),
    "init.distribution": ("init.name", Init.RANDOM),
    "init.amplitude": ("init.name", Init.RANDOM),
    "init.noise_ratio": ("init.name", ("blend",)),
    **{
        f"optimizer.{key}": ("optimizer.name", optimizers.having(key))
        for name in optimizers.OPTIMIZERS
        for key in optimizers.keys(name)
        if optimizers.having(key) != tuple(optimizers.OPTIMIZERS)
    },
}
# The same where any value but the one that switches off will do.
NEEDS_ANY: dict[str, tuple[str, Callable[[Any], bool], str]] = {
    "objective.total_variation.weight": (
        "objective.total_variation.form",
        lambda form: form != "none",
        "name a form",
    ),
    "objective.total_variation.form": ("objective.total_variation.weight", bool, "give a weight"),
    "objective.total_variation.counted": (
        "objective.total_variation.weight",
        bool,
        "give a weight",
    ),
    **{
        f"mix.{key}": ("mix.fine", bool, "give mix.fine")
        for key in ("layers", "weight", "max_evaluations")
    },
    "styles_blend": ("more_styles", bool, "give more_styles"),
    "style.weight": ("more_styles", bool, "give more_styles"),
    **{
        f"objective.{role}_{key}": (f"objective.{role}_layers", bool, f"give {role} layers")
        for role in ("content", "style")
        for key in ("weight", "reduction")
    },
    "strength": ("objective.content_layers", bool, "give content layers"),
    "style.layers": ("objective.style_layers", bool, "give style layers"),
    "image.side": ("image.size_px", bool, "give a size"),
    **{f"match.{key}": ("match.measure", bool, "give match.measure") for key in ("value", "key")},
}


def warn(config: Any, overrides: Sequence[str]) -> None:
    """Warn, in a line each, of the overrides that change nothing; InputError for options of a color
    without a color.

    And of Adam's steps from black beyond white: a rate means another step next to a preset with
    other units. Only what the user typed is looked at: a group or a preset may list keys that
    belong to another choice."""
    if isinstance(config.optimizer, optimizers.Adam):
        _warn_of_steps(config.optimizer.learning_rate, max(config.image.pixel_unit))
    typed = dict(_typed(overrides))
    for key, value in typed.items():
        if value in (None, False, 0, "none", []):
            continue  # it switches off what is off
        if key.startswith("color.") and config.color.name == "none":
            needed = NEEDS[key][1][0] if key in NEEDS else "match"
            raise InputError(
                f"{key}={_typable(value)}: there is no color= to go with it; give"
                f" color={needed}, say"
            )
        guidance = key.partition(".")[0] == "guidance" and value != "gram"
        if guidance and not lists.guided(config):
            warnings.warn(
                f"{key}={_typable(value)} has no effect without style.mask or style.result_mask",
                stacklevel=3,
            )
        if key in ("content", "content.path", "style", "style.path"):
            _warn_of_masks(config, typed, key)
        if key in NEEDS:
            other, allowed = NEEDS[key]
            found = [_value(config, other)]
            if other == "objective.style_statistic":
                found = lists.statistics(config)
                if config.objective.content_reduction in strotss.CONTENT_REDUCTIONS:
                    found += [name for name in STATISTICS if STATISTICS[name].of_hypercolumns]
            counts = not set(found).isdisjoint(allowed)
            remedy = f"it belongs to {', '.join(allowed)}"
        elif key in NEEDS_ANY:
            other, does, remedy = NEEDS_ANY[key]
            # A weight of zero typed next to its form is meant: a cell of a sweep over weights.
            counts = does(_value(config, other)) or (other in typed and other.endswith(".weight"))
        else:
            continue
        if not counts:
            shown = _value(config, other)
            warnings.warn(
                f"{key}={_typable(value)} has no effect with {other}={_typable(shown)}; {remedy}",
                stacklevel=3,
            )


def _warn_of_steps(rate: float, unit: float) -> None:
    if rate * unit > 255:
        warnings.warn(
            f"optimizer.learning_rate={rate:g}: a step is {rate * unit:g} levels of 255, since"
            f" image.pixel_unit is {unit:g}; give a smaller one",
            stacklevel=4,
        )


def _warn_of_masks(config: Any, typed: Mapping[str, Any], key: str) -> None:
    """Of a preset's masks, which are of its own pictures, where the user names another picture and
    no masks.
    """
    masks = [mask for mask in ("style.mask", "style.result_mask") if _value(config, mask)]
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
            yield from _flat(override.key_or_group, override.value())


def _flat(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield from _flat(f"{key}.{name}", below)
    else:
        yield key, value


def _typable(value: Any) -> str:
    if value is None:
        return "null"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _value(config: Any, key: str) -> Any:
    for name in key.split("."):
        config = getattr(config, name)
    return config
