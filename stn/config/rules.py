"""What keys need of each other: a loss that weighs something, styles that count, a photograph."""

from stn import quantities
from stn.config import fields, lists
from stn.config.lists import guided, styles
from stn.config.optimizers import Adam
from stn.config.schema import (
    Config,
    Init,
    Level,
    Match,
    Mix,
    Objective,
    Style,
    Sweep,
)
from stn.errors import InputError
from stn.images import color
from stn.layers import COLORS, stride_of
from stn.loss import pixels, statistics, strotss
from stn.loss.statistics import STATISTICS


def check(config: Config) -> None:
    """Raise InputError for settings that cannot stand together.

    Bare layer names become LayerWeights."""
    lists.replace_names(config)
    _check_together(config)
    _check_weights(config)
    if style_layers := lists.style_layers(config):
        _check_styles(styles(config), style_layers)
    for each in lists.listed(config):
        _check_statistic(each, config)
    _check_tags(config)
    _check_hypercolumns(config)
    _check_shifts(config)
    _check_pixels(config)
    _check_mix(config.mix, config.network.name)
    _check_match(config)
    _check_metric(config.sweep.metric)
    if config.content.path is None:
        _check_without_content(config)
    if config.init.name == "file" and not config.init.path:
        raise InputError(
            "init.path is missing: init=file needs the picture to start from, init.path=FILE"
        )
    _check_lists(config)
    chosen = config.optimizer
    if isinstance(chosen, Adam) and chosen.keep_over_levels and chosen.laplacian_levels:
        raise InputError(
            "optimizer.keep_over_levels=true: what Adam learned of a Laplacian pyramid's numbers"
            " fits no other size; give optimizer.laplacian_levels=0, or leave it out"
        )


def _check_weights(config: Config) -> None:
    """Raise InputError where there is nothing to minimize."""
    objective = config.objective
    if not objective.content_layers and not lists.style_layers(config):
        raise InputError(
            "objective.content_layers and objective.style_layers are both empty: nothing to"
            " optimize"
        )
    content = objective.content_weight * sum(each.weight for each in objective.content_layers)
    style = objective.style_weight * (
        sum(each.weight for each in objective.style_layers)
        + sum(each.weight for each in objective.more_statistics)
    )
    if not content and not style:
        raise InputError(
            "objective.content_weight and objective.style_weight: nothing weighs more than zero"
        )


def _check_together(config: Config) -> None:
    """Raise InputError for statistics that cannot be compared next to each other at a level."""
    objective, key = config.objective, lists.MORE_STATISTICS
    others = [each.statistic for each in objective.more_statistics]
    for number, name in enumerate(others):
        if STATISTICS[name].hands_on is not None:
            raise InputError(
                f"{key}[{number}].statistic={name}: compares neighboring layers; give it as"
                " objective.style_statistic, and the other one here"
            )
    of_content = {objective.content_reduction} & set(strotss.CONTENT_REDUCTIONS)
    levels = [level.style_statistic for level in config.pyramid.levels]
    for first in filter(None, [objective.style_statistic, *levels]):
        found = [first, *others]
        drawing = [name for name in dict.fromkeys(found) if STATISTICS[name].projects]
        if len(drawing) > 1:
            raise InputError(
                f"{key}: {' and '.join(drawing)} both draw at random; take one of them out"
            )
        for name in found:
            if found.count(name) > 1:
                raise InputError(f"{key}: {name} is compared already; give each statistic once")
        of_grid = [name for name in found if STATISTICS[name].on_grid]
        drawn = [name for name in found if STATISTICS[name].of_hypercolumns and name not in of_grid]
        drawn += of_content if objective.content_layers else ()
        if of_grid and drawn:
            raise InputError(
                f"{key}: {of_grid[0]} has hypercolumns on a grid, {drawn[0]} some that are drawn;"
                " take one of them out"
            )


def _check_statistic(listed: lists.Listed, config: Config) -> None:
    """Raise InputError for masks, weights and layers that a statistic cannot have."""
    key, name, layers_key, layers = listed
    statistic, objective, masked = STATISTICS[name], config.objective, guided(config)
    by = config.guidance.name
    first = key != lists.MORE_STATISTICS
    other = "take style_statistic=gram" if first else f"{name} out of {key}"
    if masked and statistic.no_masks and not (by == "tag" and statistic.takes_tags):
        tags = ", or give guidance=tag" if statistic.takes_tags else ""
        raise InputError(
            f"{key}={name}: takes no masks, since {statistic.no_masks}; leave style.mask and"
            f" style.result_mask out, or {other}{tags}"
        )
    if masked and by == "tag" and not statistic.takes_tags:
        raise InputError(
            f"guidance=tag: {name} does not sort by tags; give guidance=gram, or"
            " objective.style_statistic=sliced_wasserstein"
        )
    if masked and by == "sums" and statistic.of_hypercolumns:
        raise InputError(
            f"guidance=sums: {name} is of hypercolumns, which have no sums at a layer; give"
            " guidance=gram"
        )
    weights = {style.weight for style in styles(config).values()} - {0.0}
    if statistic.pooled and config.styles_blend == "targets" and len(weights) > 1:
        raise InputError(
            f"{key}={name}: searches all paintings at once, which no weights can divide; give equal"
            " style.weight, or styles_blend=losses"
        )
    if statistic.pooled and objective.copies and masked:
        raise InputError(
            "objective.copies: the copies of a painting have no masks; leave them, or style.mask"
            " and style.result_mask, out"
        )
    if 0 < len(layers) < statistic.layers:
        raise InputError(
            f"{key}={name}: compares neighboring layers; list two or more in {layers_key}"
        )


def _check_tags(config: Config) -> None:
    """Raise InputError unless tags are on both sides, and of one painting."""
    if config.guidance.name != "tag" or not guided(config):
        return
    if config.more_styles:
        raise InputError(
            "guidance=tag: the tags of the result are compared with those of one painting; leave"
            " more_styles out"
        )
    for key in ("mask", "result_mask"):
        if getattr(config.style, key) is None:
            raise InputError(
                f"guidance=tag: style.{key} is missing, so that one side has no tags; give a gray"
                " picture in which each class has one gray"
            )


def _check_pixels(config: Config) -> None:
    """Raise InputError for masks and several paintings, where a loss of pixels has one whole."""
    for name, weight in config.objective.pixel_weights().items():
        if not pixels.PIXEL_LOSSES[name].of_content and (config.more_styles or guided(config)):
            raise InputError(
                f"objective.{name}_weight={weight:g}: compares with one painting, the whole of it;"
                " leave style.mask, style.result_mask and more_styles out"
            )


def _check_shifts(config: Config) -> None:
    """Raise InputError for shifts that are none, and for a layer where none counts."""
    shifts = config.objective.shifts
    if not shifts or min(shifts) < 1 or len({*shifts}) < len(shifts):
        raise InputError(
            f"objective.shifts={shifts}: must be different whole numbers above 0, such as [1,2,4]"
        )
    for _, name, key, layers in lists.listed(config):
        for layer in layers if "shifts" in STATISTICS[name].keys else ():
            if not statistics.shifts_at(shifts, layer.layer):
                raise InputError(
                    f"objective.shifts={shifts}: none counts at {layer.layer} of {key}, a position"
                    f" of which is {stride_of(layer.layer)} pixels, more than the largest reaches;"
                    " add a smaller one"
                )


def _check_hypercolumns(config: Config) -> None:
    """Raise InputError for colors outside of hypercolumns, and for weights within them."""
    objective = config.objective
    found = [
        (
            "objective.content_layers",
            f"content_reduction={objective.content_reduction}",
            objective.content_layers,
            objective.content_reduction in strotss.CONTENT_REDUCTIONS,
        ),
        *(
            (key, name, layers, STATISTICS[name].of_hypercolumns)
            for _, name, key, layers in lists.listed(config)
        ),
    ]
    for key, name, layers, joins in found:
        names, weights = [each.layer for each in layers], {each.weight for each in layers}
        if COLORS in names and not joins:
            raise InputError(
                f"{key}: {COLORS}, the picture's colors, is a part of hypercolumns alone, which"
                f" {name} has not; leave it out"
            )
        if joins and len(weights) > 1:
            raise InputError(
                f"{key}: {name} joins its layers to hypercolumns, which have one loss; give bare"
                " names, without weights or objective.layer_weighting=geometric"
            )
        if joins and name == "palette" and names and names != [COLORS]:
            raise InputError(f"{key}: palette compares colors; give [{COLORS}] alone")
    if any(joins for *_, joins in found[1:]):
        for key, style in styles(config).items():
            if style.layers is not None:
                raise InputError(
                    f"{key}.layers: hypercolumns join all layers, so that a painting counts at all;"
                    " leave it out"
                )


def _check_mix(mix: Mix, network: str) -> None:
    """Raise InputError for layers that nothing can be mixed at."""
    if mix.fine is None:
        return
    if not lists.parse("mix.layers", list(mix.layers), network, [1.0] * len(mix.layers)):
        raise InputError(
            "mix.layers=[]: nothing to take from mix.fine; list layers such as [relu1_1,relu2_1]"
        )


def _check_match(config: Config) -> None:
    """Raise InputError for a measure without a value, and for a key that no search can change."""
    match = config.match
    if match.measure is None:
        return
    if match.value is None:
        raise InputError(f"match.measure={match.measure}: needs match.value=NUMBER")
    of_style = quantities.comparing_with(quantities.STYLE)
    if config.content.path is None and match.measure not in of_style:
        raise InputError(
            f"match.measure={match.measure}: needs a photograph, and content.path is null; match"
            f" one of {', '.join(of_style)}"
        )
    key = match.key or Match.KEY
    known = {name: value for name, value, _ in fields.fields(config)}
    value = known.get(key)
    if not isinstance(value, float) or not value > 0:
        shown = "no such key" if key not in known else f"{key}={value}"
        raise InputError(
            f"match.key={key}: must be a key with a number above 0, such as {Match.KEY}; there is"
            f" {shown}"
        )


def _check_metric(metric: str) -> None:
    """Raise InputError for a metric that no run could have, before any run is made."""
    known = (*quantities.MEASURES, *Sweep.OTHERS)
    if metric not in known and not metric.startswith(Sweep.BEGINNINGS):
        question = fields.did_you_mean(fields.nearest(metric, known))
        raise InputError(
            f"sweep.metric={metric}: {question}must be one of {', '.join(known)}, or begin with"
            f" {', '.join(Sweep.BEGINNINGS)}, as the keys of summary.json do"
        )


def _check_lists(config: Config) -> None:
    """Raise InputError for lists of numbers, or of levels, that are not what they have to be."""
    for level in config.pyramid.levels:
        _check_times(level.times, config.objective)
    shape = config.image.shape
    if shape is not None and (len(shape) != 2 or min(shape) < 1):
        raise InputError(f"image.shape={shape}: must be [height, width], both above 0")
    fields.check_color("image.pixel_unit", config.image.pixel_unit)
    if config.network.mean_pixel is not None:
        fields.check_color("network.mean_pixel", config.network.mean_pixel, zero=True)


def _check_times(times: dict[str, float], objective: Objective) -> None:
    """Raise InputError for what a level multiplies that is no weight, and for no factor."""
    known = [*Level.FACTORS, *(each.statistic for each in objective.more_statistics)]
    for name, factor in times.items():
        if name not in known:
            question = fields.did_you_mean(fields.nearest(name, known))
            raise InputError(
                f"pyramid.levels.times.{name}: {question}must be one of {', '.join(known)}"
            )
        off = name in pixels.FACTORS and factor == 0
        if not (0 < factor < float("inf") or off):
            raise InputError(f"pyramid.levels.times.{name}={factor}: must be a number above 0")


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
        **{
            f"objective.{name}_weight={weight:g}": pixels.PIXEL_LOSSES[name].of_content
            for name, weight in config.objective.pixel_weights().items()
        },
        f"init={config.init.name}": config.init.name in Init.OF_CONTENT,
        **{
            f"{each.key}={each.statistic}": STATISTICS[each.statistic].replace is not None
            for each in lists.listed(config)
        },
        f"color={config.color.name}": color.MODES[config.color.name].needs_photograph,
        "objective.layer_weighting=first_loss": (config.objective.layer_weighting == "first_loss"),
        "paint_only": config.paint_only is not None,
        "pyramid.levels.detail=true": any(level.detail for level in config.pyramid.levels),
        f"style.size={config.style.size}": (
            config.style.size.startswith("content") and config.image.shape is None
        ),
    }
    for key, does in needs.items():
        if does:
            raise InputError(
                f"{key}: needs a photograph, and content.path is null; give content.path=FILE"
            )
