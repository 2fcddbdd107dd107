"""Findings of a crossed study: against plain NumPy, on null studies, and on a planted effect."""

import math

import numpy as np
import pytest

from stn.analysis import inference
from stn.study import effects
from stn.study.effects import Contrast

PHOTOGRAPHS, PAINTINGS = [f"p{i}" for i in range(10)], [f"s{j}" for j in range(6)]
OUTCOMES = ("patches_to_style", "gram", "ssim_to_content")
CONTRASTS = (
    Contrast("one", "base", "One", primary=True),
    Contrast("two", "base", "Two", primary=True),
    Contrast("three", "base", "Three"),
)


def study(rng, shift=0.0, photographs=10, choices=("base", "one", "two", "three")):
    """Rows with effects that vary over photographs, paintings and pairs, `shift` in `one` alone."""
    rows = []
    for choice in choices:
        a, b = (rng.normal(0, 0.1, (count, 3)) for count in (photographs, 6))
        for i in range(photographs):
            for j in range(6):
                change = a[i] + b[j] + rng.normal(0, 0.1, 3) + (shift if choice == "one" else 0)
                change = change * (choice != "base") + rng.normal(0, 0.02, 3)
                row = dict(zip(OUTCOMES, 0.3 * np.exp(change), strict=True))
                names = {"photograph": PHOTOGRAPHS[i], "painting": PAINTINGS[j], "choice": choice}
                rows.append(names | row | {"matched": 1.0})
    return rows


def plain(rows, choice, outcome):
    """Mean and p of the log ratio by formulas written out: Clark's min F′ from sums of squares."""
    value = {
        (row["choice"], row["photograph"], row["painting"]): row[outcome]
        for row in rows
        if row["matched"]
    }
    photographs = sorted({row["photograph"] for row in rows})
    d = np.array(
        [
            [math.log(value[choice, p, s]) - math.log(value["base", p, s]) for s in PAINTINGS]
            for p in photographs
        ]
    )
    r, c = d.shape
    rows_ms = c * np.sum((d.mean(1) - d.mean()) ** 2) / (r - 1)
    columns_ms = r * np.sum((d.mean(0) - d.mean()) ** 2) / (c - 1)
    f = r * c * d.mean() ** 2 / (rows_ms + columns_ms)
    freedom = (rows_ms + columns_ms) ** 2 / (rows_ms**2 / (r - 1) + columns_ms**2 / (c - 1))
    # P(F > f) with (1, ν) is P(|t| > √f) with ν: integrated by a fine sum of Student's density.
    t = np.linspace(0, math.sqrt(f), 200_001)
    density = (1 + t**2 / freedom) ** (-(freedom + 1) / 2)
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    scale /= math.sqrt(math.pi * freedom)
    area = np.sum((density[1:] + density[:-1]) / 2) * (t[1] - t[0])
    return d.mean(), 1 - 2 * scale * area


def holm(p):
    """Each p times the number of those not below it, never less than a smaller one's."""
    return [max(min(1, q * sum(other >= q for other in p)) for q in p if q <= own) for own in p]


def test_an_independent_analysis_gives_the_same_numbers():
    rows = study(np.random.default_rng(5), shift=0.1)
    found = effects.findings(rows, CONTRASTS, OUTCOMES[:2], PAINTINGS)
    assert len(found) == 6
    for each in found:
        mean, p = plain(rows, each.contrast.choice, each.outcome)
        assert each.effect.mean == pytest.approx(mean, abs=1e-12)
        assert each.effect.p == pytest.approx(p, abs=1e-6)
    primary = [each for each in found if each.primary]
    assert [each.contrast.choice for each in primary] == ["one", "two"]
    assert [each.effect.adjusted for each in primary] == pytest.approx(
        holm([each.effect.p for each in primary])
    )


def test_of_null_studies_one_in_twenty_finds_anything_in_its_primary_family(monkeypatch):
    monkeypatch.setattr(inference, "RESAMPLES", 9)
    rng, studies, wrong = np.random.default_rng(2), 250, 0
    for _ in range(studies):
        rows = study(rng, choices=("base", "one", "two"))
        found = effects.findings(rows, CONTRASTS[:2], OUTCOMES[:1], PAINTINGS)
        wrong += any(each.effect.found for each in found if each.primary)
    assert wrong / studies <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / studies)


def test_a_planted_effect_is_found_and_the_others_are_not():
    found = effects.findings(
        study(np.random.default_rng(7), shift=-0.4), CONTRASTS, OUTCOMES, PAINTINGS
    )
    by_place = {(each.contrast.choice, each.outcome): each for each in found}
    planted = by_place["one", "patches_to_style"]
    assert planted.effect.found and planted.effect.low < -0.4 < planted.effect.high
    assert not by_place["two", "patches_to_style"].effect.found
    assert not by_place["one", "ssim_to_content"].factor  # a difference, as the tables say
    rows, notes = effects.table(found)
    bold = [row[2] for row in rows if hasattr(row[2], "__dict__")]
    assert any("−" in text for text in bold) and "Holm" in notes[0]


def test_photographs_that_lack_a_painting_do_not_count():
    rows = study(np.random.default_rng(1))
    rows[3]["matched"] = 0.0  # the baseline of p0
    effect = effects.findings(rows, CONTRASTS[:1], OUTCOMES[:1], PAINTINGS)[0].effect
    assert effect.pairs == 54
    rest = [row for row in rows if row["photograph"] != "p0"]
    assert effect.mean == pytest.approx(plain(rest, "one", OUTCOMES[0])[0])


def test_below_six_pairs_nothing_is_found_and_the_table_says_why():
    rows = [row for row in study(np.random.default_rng(1), -3.0, 2) if row["painting"] < "s2"]
    found = effects.findings(rows, CONTRASTS[:1], OUTCOMES[:1], ["s0", "s1"])
    assert found[0].effect.pairs == 4 and not found[0].effect.found
    assert inference.FEW in effects.table(found)[1]


def test_measures_that_say_the_same_correlate():
    rng = np.random.default_rng(3)
    rows = study(rng)
    for row in rows:
        row["gram"] = row["patches_to_style"] ** 2
        row["ssim_to_content"] = rng.uniform()
    r = effects.correlations(rows, CONTRASTS, OUTCOMES)
    assert r[0, 1] == pytest.approx(1) and abs(r[0, 2]) < 0.25


def test_examples_are_the_median_and_the_extremes():
    found = {("a", "x"): 0.3, ("a", "y"): -0.5, ("b", "x"): 0.1, ("b", "y"): 0.0, ("c", "x"): 0.2}
    assert effects.examples(found) == {
        "least": ("a", "y"),
        "median": ("b", "x"),
        "largest": ("a", "x"),
    }
