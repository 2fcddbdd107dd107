"""The targets of the style loss: statistics of the paintings, each for a region of the result."""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stn.assets.pictures import LevelPictures, Painting
from stn.backend import Tensor
from stn.config import lists
from stn.images import masks
from stn.loss import hypercolumns
from stn.loss.statistics import GUIDED_MEANS, Statistic
from stn.network.network import Network
from stn.objective import guides
from stn.objective.guides import Asked, Guides
from stn.objective.specification import HYPERCOLUMN, Specification

# What is asked of a painting `rgb`, as {layer: A}. The painting passes the network once.
StatisticsOf = Callable[[np.ndarray, Asked], list[dict[str, Tensor]]]


@dataclass(frozen=True)
class StyleTarget:
    """A statistic A {layer: ...} that the result is to have, with its share of each layer's loss.

    `T` are the guides of the region of the result where it counts, None for all of it, and `region`
    is the place of that one in `regions`. `term` is its place in `Specification.style_terms`."""

    statistic: Statistic
    A: Mapping[str, Any]  # a tuple of those of copies, too, where the statistic pools them
    shares: Mapping[str, float]
    T: Guides = None
    region: int = 0
    term: int = 0

    def times(self, factor: float) -> "StyleTarget":
        """The target with its shares multiplied."""
        shares = {layer: factor * share for layer, share in self.shares.items()}
        return dataclasses.replace(self, shares=shares)


def build(
    specification: Specification,
    network: Network,
    sized: LevelPictures,
    statistics_of: StatisticsOf,
    copies_of: Callable[[np.ndarray], Sequence[np.ndarray]],
) -> list[StyleTarget]:
    """The targets for pictures at the size of a level; a layer's style loss is Σ share · loss.

    The shares of several styles add up to one. `copies_of` are those of a painting that are
    searched next to it. Warns of a mask in which no position of a layer lies."""
    if not specification.every_style_layer:
        return []

    with_copies = functools.partial(_with_copies, copies_of, statistics_of)
    found = _targets(specification, network, sized, with_copies)
    return averaged(found) if specification.blend_targets else found


def regions(styles: Sequence[Painting]) -> list[np.ndarray | None]:
    """The masks [h, w] of the result's regions, each once; first None, for all of it."""
    found = {_key(style.result_mask): style.result_mask for style in styles}
    return [None, *(mask for mask in found.values() if mask is not None)]


def _key(mask: np.ndarray | None) -> bytes | None:
    return None if mask is None else mask.tobytes()


def averaged(targets: Sequence[StyleTarget]) -> list[StyleTarget]:
    """The targets with those of one region and statistic replaced by their mean, Σ w_k A_k
    (neural-style), or for a statistic that searches for matches by all of them, as it does copies.

    For a sum of squares the gradient is that of Σ w_k loss(G, A_k); the value is lower by
    Σ w_k loss(A_k, Ā). Others stay apart."""
    found: dict[object, StyleTarget] = {}
    for number, target in enumerate(targets):
        statistic = target.statistic
        joins = statistic.averages or statistic.pooled
        place = statistic, target.region, None if joins else number
        found[place] = _mean(found[place], target) if place in found else target
    return list(found.values())


def found_once(
    targets: Sequence[StyleTarget], of_painted: Callable[[Statistic, Guides], Mapping[str, Tensor]]
) -> list[StyleTarget]:
    """The targets with those that stay over a level found, for the statistic that `of_painted`
    gives of the picture to be painted, under guides.
    """
    return [
        target
        if (replace := target.statistic.replace) is None
        else dataclasses.replace(
            target,
            A={
                loss: replace(of_painted(target.statistic, target.T)[loss], A)
                for loss, A in target.A.items()
            },
        )
        for target in targets
    ]


def _targets(
    specification: Specification,
    network: Network,
    sized: LevelPictures,
    statistics_of: StatisticsOf,
) -> list[StyleTarget]:
    guidance, columns = specification.guidance, specification.guides_columns
    layers = [
        layer
        for layer in specification.every_style_layer
        if any(layer in term.losses for term in specification.style_terms)
    ]
    regions_of_result = [_key(mask) for mask in regions(sized.styles)]
    guided = any(style.mask is not None or style.result_mask is not None for style in sized.styles)

    def propagated(mask: np.ndarray | None, key: str) -> Guides:
        if mask is None:
            return None
        if guidance.name == "tag":
            ceil_mode = network.options.ceil_mode
            return guides.tags(mask, layers, network.layer_names, ceil_mode, guidance.tag)
        T, vanished = guides.propagate(mask, layers, network.layer_names, guidance, network.options)
        if vanished:
            warnings.warn(
                f"{key}: too narrow for {', '.join(vanished)}, no position of which sees the inside"
                " only; there its guide is propagation=simple",
                stacklevel=2,
            )
        if columns:
            shape = hypercolumns.grid(mask.shape) if specification.on_grid else mask.shape
            T[HYPERCOLUMN] = guides.guide(masks.resize(mask, *shape))
        return T

    # A painting, the guides on it, and a target that has no statistics yet.
    Wanted = tuple[np.ndarray, Guides, StyleTarget]
    whole: list[Wanted] = []
    masked: list[Wanted] = []
    by_means = guidance.name == "sums"
    for number, style in enumerate(sized.styles):
        share = {loss: _share(sized.styles, number, loss) for loss in specification.style_losses}
        if not any(share.values()):
            continue
        wanted = [
            StyleTarget(term.statistic, {}, shares, term=place)
            for place, term in enumerate(specification.style_terms)
            if (shares := {loss: share[loss] for loss in term.losses if share[loss]})
        ]
        key = lists.key_of(number)
        if not guided or by_means or guidance.global_weight:
            whole += [(style.rgb, None, target) for target in wanted]
        if guided and (not by_means or guidance.sums_weight):
            T = propagated(style.mask, f"{key}.mask")
            on_result = propagated(style.result_mask, f"{key}.result_mask")
            region = regions_of_result.index(_key(style.result_mask))
            if by_means:
                wanted = [
                    dataclasses.replace(target, statistic=GUIDED_MEANS)
                    for target in wanted
                    if target.term == 0
                ]
            masked += [
                (style.rgb, T, dataclasses.replace(target, T=on_result, region=region))
                for target in wanted
            ]
    found = _with_statistics([*whole, *masked], statistics_of)
    of_whole, of_masked = found[: len(whole)], found[len(whole) :]
    if not guided:
        return of_whole
    if by_means:
        return [*of_whole, *(target.times(guidance.sums_weight) for target in of_masked)]
    return [*of_masked, *(target.times(guidance.global_weight) for target in of_whole)]


def _with_copies(
    copies_of: Callable[[np.ndarray], Sequence[np.ndarray]],
    statistics_of: StatisticsOf,
    rgb: np.ndarray,
    asked: Asked,
) -> list[dict[str, Any]]:
    """Statistics of a painting; of those that pool its own in a tuple, then those of its copies."""
    found: list[dict[str, Any]] = list(statistics_of(rgb, asked))
    pooled = [number for number, (statistic, _) in enumerate(asked) if statistic.pooled]
    of_copies = [
        statistics_of(copy, [asked[at] for at in pooled])
        for copy in (copies_of(rgb) if pooled else ())
    ]
    for place, number in enumerate(pooled):
        found[number] = {
            layer: (A, *(each[place][layer] for each in of_copies))
            for layer, A in found[number].items()
        }
    return found


def _with_statistics(
    wanted: Sequence[tuple[np.ndarray, Guides, StyleTarget]], statistics_of: StatisticsOf
) -> list[StyleTarget]:
    """The targets with their statistics; a painting that several share passes the network once."""
    found: dict[int, StyleTarget] = {}
    for number, (rgb, _, _) in enumerate(wanted):
        if number not in found:
            same = [
                other
                for other, (its, _, _) in enumerate(wanted)
                if its is rgb or np.array_equal(its, rgb)
            ]
            asked = {other: (wanted[other][2].statistic, wanted[other][1]) for other in same}
            once = {(statistic, id(T)): (statistic, T) for statistic, T in asked.values()}
            A = dict(zip(once, statistics_of(rgb, list(once.values())), strict=True))
            found |= {
                other: dataclasses.replace(wanted[other][2], A=A[statistic, id(T)])
                for other, (statistic, T) in asked.items()
            }
    return [found[number] for number in range(len(wanted))]


def _share(styles: Sequence[Painting], number: int, layer: str) -> float:
    """The weight of a style at a layer over that of all styles that count there."""
    weights = [
        style.weight if style.layers is None or layer in style.layers else 0.0 for style in styles
    ]
    return weights[number] / sum(weights)


def _mean(one: StyleTarget, other: StyleTarget) -> StyleTarget:
    A, shares = dict(one.A), dict(one.shares)
    for layer, share in other.shares.items():
        before = shares.get(layer, 0.0)
        shares[layer] = before + share
        if layer in other.A and one.statistic.pooled:
            A[layer] = (*A.get(layer, ()), *other.A[layer])
        elif layer in other.A:
            A[layer] = (before * A[layer] + share * other.A[layer]) / (before + share)
    return dataclasses.replace(one, A=A, shares=shares)
