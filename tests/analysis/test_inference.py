"""Effects: p values and adjustments against formulas of textbooks, intervals by simulation."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from stn.analysis import inference
from stn.analysis.inference import Effect

PHOTOGRAPHS, PAINTINGS = 10, 6  # of the study
# Deviations of photographs, of paintings, and of what is left; the truth is a mean of 0.
WORLDS = [(1.0, 1.0, 1.0), (1.0, 0.3, 0.5), (0.2, 1.0, 0.5), (0.3, 0.3, 1.0)]


def grid(d: np.ndarray) -> dict[tuple[str, str], list[float]]:
    return {
        (f"photograph {i}", f"painting {j}"): [float(value)] for (i, j), value in np.ndenumerate(d)
    }


def drawn(
    rng: np.random.Generator, world: tuple[float, float, float], photographs: int = PHOTOGRAPHS
) -> np.ndarray:
    a, b, e = world
    return (
        a * rng.normal(size=(photographs, 1))
        + b * rng.normal(size=(1, PAINTINGS))
        + e * rng.normal(size=(photographs, PAINTINGS))
    )


@pytest.mark.parametrize("photographs", [PHOTOGRAPHS, 5, 3])
@pytest.mark.parametrize("world", WORLDS)
def test_intervals_cover_the_truth_and_a_null_study_finds_little(
    world: tuple[float, float, float], photographs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "RESAMPLES", 499)
    rng = np.random.default_rng(11)
    found = [inference.effect(grid(drawn(rng, world, photographs))) for _ in range(400)]
    covered = np.mean([each.low <= 0 <= each.high for each in found])
    # Three photographs are few: where they decide alone, intervals are a little short.
    assert (0.90 if photographs > 3 else 0.86) <= covered <= 0.97
    assert np.mean([each.p < 0.05 for each in found]) <= (
        0.075 if photographs > 3 else 0.09
    )  # of 400


def test_pairs_that_are_not_crossed_cover_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "RESAMPLES", 999)
    rng = np.random.default_rng(3)
    found = [
        inference.effect({(str(i), str(i)): [x] for i, x in enumerate(rng.normal(size=8))})
        for _ in range(600)
    ]
    assert 0.90 <= np.mean([each.low <= 0 <= each.high for each in found]) <= 0.97


def test_pairs_have_students_p() -> None:
    values = {("a", "x"): [1.0, 3.0], ("b", "y"): [4.0], ("c", "z"): [3.0, math.nan]}
    found = inference.effect(values)
    assert (found.mean, found.pairs) == (3, 3)
    assert found.p == pytest.approx(scipy.stats.ttest_1samp([2, 4, 3], 0).pvalue)


def test_a_crossing_has_clarks_min_f() -> None:
    """1 / min F′ = 1 / F₁ + 1 / F₂, where each F is a squared t over photographs or paintings."""
    d = np.array([[1.0, 2.0, 4.0], [2.0, 2.5, 3.0], [0.5, 2.0, 5.0], [1.0, 1.0, 2.0]])
    f1 = scipy.stats.ttest_1samp(d.mean(axis=1), 0).statistic ** 2
    f2 = scipy.stats.ttest_1samp(d.mean(axis=0), 0).statistic ** 2
    freedom = (f1 + f2) ** 2 / (f1**2 / 2 + f2**2 / 3)
    expected = scipy.stats.f.sf(f1 * f2 / (f1 + f2), 1, freedom)
    assert inference.effect(grid(d)).p == pytest.approx(expected)


def test_seeds_are_no_further_pairs() -> None:
    once = {(str(i), str(i)): [float(i)] for i in range(5)}
    again = {pair: values * 10 for pair, values in once.items()}
    assert inference.effect(again) == inference.effect(once)


def test_holm_and_benjamini_hochberg_by_their_definitions() -> None:
    def of(p: float) -> Effect:
        return Effect(1, 0, 2, 9, p)

    primary, others = [0.04, 0.01, 0.03], [0.01, 0.04, 0.03, 0.005]
    kinds = [True] * len(primary) + [False] * len(others)
    both = inference.adjust([of(p) for p in [*primary, *others]], kinds)
    holm, rest = both[: len(primary)], both[len(primary) :]
    assert [each.adjusted for each in holm] == pytest.approx([0.06, 0.03, 0.06])
    # The largest p that is at most (rank / 4) q: 0.04, 0.03 · 4/3, 0.01 · 4/2, 0.005 · 4
    assert [each.adjusted for each in rest] == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert [each.found for each in holm] == [False, True, False]


def test_with_fewer_than_six_pairs_nothing_is_found() -> None:
    for pairs, found in ((5, False), (6, True)):
        effect = inference.effect({(str(i), str(i)): [10 + i / 10] for i in range(pairs)})
        [adjusted] = inference.adjust([effect], [True])
        assert adjusted.p < 1e-4 and adjusted.found is found
    assert 2 / 2 ** (inference.FEWEST_PAIRS - 1) > 0.05 > 2 / 2**inference.FEWEST_PAIRS


def test_one_picture_tells_nothing_of_others() -> None:
    one = inference.effect({("a", "x"): [1.0, 2.0]})
    assert (one.mean, one.pairs) == (1.5, 1) and math.isnan(one.p) and math.isnan(one.low)
    assert inference.effect({("a", "x"): [math.nan]}) is None
    [kept] = inference.adjust([one], [True])
    assert not kept.found


def test_a_photograph_that_lacks_a_painting_is_left_out_of_a_crossing() -> None:
    d = np.arange(12.0).reshape(4, 3) ** 1.5
    values = grid(d)
    del values["photograph 3", "painting 0"]
    assert inference.effect(values) == inference.effect(grid(d[:3]))
    assert len(list(itertools.product(range(3), range(3)))) == inference.effect(values).pairs
