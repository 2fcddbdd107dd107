"""What a study of choices on photographs crossed with paintings says, from the rows of its table.

A row is a mapping with `photograph`, `painting`, `choice`, `matched` and a number for each outcome
(stn/study/trials.py writes them). Each choice is compared with its baseline on the same
pair of pictures."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stn import quantities
from stn.analysis import figures, inference, tables
from stn.analysis.inference import Effect, Pair

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Contrast:
    """A choice against another, on which an effect is asked for; `label` is what a table says."""

    choice: str
    baseline: str
    label: str
    primary: bool = False  # its primary outcome is one of the primary family


@dataclass(frozen=True)
class Finding:
    """An effect of a contrast on an outcome: of the logarithm if `factor`, else a difference."""

    contrast: Contrast
    outcome: str
    effect: Effect
    factor: bool
    primary: bool


def values(rows: Sequence[Row], choice: str, outcome: str) -> dict[Pair, float]:
    """The outcome of the choice's picture on each pair that has one at equal content."""
    return {
        (row["photograph"], row["painting"]): float(row[outcome])
        for row in rows
        if row["choice"] == choice and row["matched"]
    }


def changes(
    rows: Sequence[Row], contrast: Contrast, outcome: str
) -> tuple[dict[Pair, float], bool]:
    """The change from baseline to choice on each pair that both have, and whether it is that of the
    logarithm: where the outcome's changes are factors and no value is zero.
    """
    ours = values(rows, contrast.choice, outcome)
    theirs = values(rows, contrast.baseline, outcome)
    pairs = [
        pair
        for pair in ours
        if pair in theirs and math.isfinite(ours[pair]) and math.isfinite(theirs[pair])
    ]
    every = [value for pair in pairs for value in (ours[pair], theirs[pair])]
    factor = quantities.about(f"measures/{outcome}").factor and all(each > 0 for each in every)
    if factor:
        return {pair: math.log(ours[pair] / theirs[pair]) for pair in pairs}, True
    return {pair: ours[pair] - theirs[pair] for pair in pairs}, False


def complete(found: Mapping[Pair, float], paintings: Sequence[str]) -> dict[Pair, float]:
    """The changes of the photographs that have one with every painting."""
    whole = {
        photograph
        for photograph, _ in found
        if all((photograph, painting) in found for painting in paintings)
    }
    return {pair: value for pair, value in found.items() if pair[0] in whole}


def findings(
    rows: Sequence[Row],
    contrasts: Sequence[Contrast],
    outcomes: Sequence[str],
    paintings: Sequence[str],
) -> list[Finding]:
    """Every contrast's effect on every outcome, the first of which is the primary one; p values are
    adjusted by Holm within the primary family, by Benjamini and Hochberg over the rest.

    A contrast of which no photograph is complete is left out."""
    found = []
    for contrast in contrasts:
        for outcome in outcomes:
            every, factor = changes(rows, contrast, outcome)
            known = {pair: [value] for pair, value in complete(every, paintings).items()}
            effect = inference.effect(known)
            if effect is not None:
                primary = contrast.primary and outcome == outcomes[0]
                found.append(Finding(contrast, outcome, effect, factor, primary))
    adjusted = inference.adjust([each.effect for each in found], [each.primary for each in found])
    return [
        dataclasses.replace(each, effect=effect)
        for each, effect in zip(found, adjusted, strict=True)
    ]


def table(found: Sequence[Finding]) -> tuple[list[list[str]], list[str]]:
    """The cells of a table of findings, headings first, and its notes."""
    rows = [["choice", "outcome", "change", *tables.EFFECT]]
    for each in found:
        name = tables.titled(f"measures/{each.outcome}").removeprefix("measures/")
        note = " (Holm)" if each.primary else ""
        rows.append([each.contrast.label, name, *tables.effect(each.effect, each.factor, note)])
    few = any(each.effect.pairs < inference.FEWEST_PAIRS for each in found)
    notes = [
        "p: Clark's min F′, photographs and paintings random. Adjusted by Holm in the primary"
        " family, by Benjamini and Hochberg over the rest. Bold: adjusted p below 0.05."
    ]
    return rows, [*notes, *([inference.FEW] if few else [])]


def correlations(
    rows: Sequence[Row], contrasts: Sequence[Contrast], outcomes: Sequence[str]
) -> np.ndarray:
    """Spearman's rank correlation [outcomes, outcomes] of changes, over pairs and contrasts.

    Changes of one contrast are taken less their mean: what measures share within a choice, and not
    that choices differ. NaN where an outcome never varies."""
    import scipy.stats

    columns: list[np.ndarray] = []
    for contrast in contrasts:
        of_outcome = [changes(rows, contrast, outcome)[0] for outcome in outcomes]
        pairs = [pair for pair in of_outcome[0] if all(pair in each for each in of_outcome)]
        if len(pairs) > 1:
            d = np.array([[each[pair] for pair in pairs] for each in of_outcome])
            columns.append(d - d.mean(axis=1, keepdims=True))
    if not columns:
        return np.full((len(outcomes), len(outcomes)), np.nan)
    ranks = scipy.stats.rankdata(np.hstack(columns), axis=1)
    with np.errstate(invalid="ignore"):
        return np.corrcoef(ranks)


def examples(found: Mapping[Pair, float]) -> dict[str, Pair]:
    """The pair with the median change, and the two with the extreme ones; of equals the first by
    name.
    """
    ordered = sorted(found, key=lambda pair: (found[pair], pair))
    return {
        "least": ordered[0],
        "median": ordered[(len(ordered) - 1) // 2],
        "largest": ordered[-1],
    }


def draw(found: Sequence[Finding], outcomes: Sequence[str]) -> figures.Figure:
    """A panel an outcome, a row a contrast: the change in percent with its interval, full where it
    is found.
    """
    contrasts = list(dict.fromkeys(each.contrast for each in found))
    with figures.paper_style():
        height = 0.28 * len(contrasts) + 0.9
        figure, axes = figures.subplots(
            1, len(outcomes), figsize=(figures.TEXT_WIDTH, height), sharey=True
        )
        for axis, outcome in zip(np.atleast_1d(axes), outcomes, strict=True):
            own = {each.contrast: each for each in found if each.outcome == outcome}
            factor = any(each.factor for each in own.values())
            alike = {name: each.effect for name, each in own.items() if each.factor == factor}
            figures.intervals(axis, [alike.get(contrast) for contrast in contrasts], factor)
            axis.set(title=outcome.replace("_", " "), xlabel="% more" if factor else "difference")
        np.atleast_1d(axes)[0].set_yticklabels([each.label for each in contrasts])
    return figure
