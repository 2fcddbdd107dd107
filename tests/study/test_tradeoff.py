"""Trade-off curves against closed forms, their intervals against SciPy's and counting."""

import numpy as np
import pytest
import scipy.stats

from stn import errors
from stn.study import inference, tradeoff


def test_a_front_goes_through_its_points_in_any_order_and_never_beyond_them() -> None:
    x, y = [4.0, 1.0, 2.0, 8.0], [3.0, 10.0, 9.0, 1.0]
    curve = tradeoff.curve(x, y)
    np.testing.assert_allclose(curve.at(np.array(x)), y)
    between = curve.at(np.linspace(1, 8, 200))
    assert (
        np.diff(between) <= 0
    ).all()  # falling points, falling curve: a spline of another kind would swing
    assert np.isnan(curve.at(0.9)) and np.isnan(curve.at(8.1))


def test_points_of_the_same_x_become_their_mean_and_what_is_not_finite_none() -> None:
    curve = tradeoff.curve([1, 2, 2, 3, np.nan, 4], [8, 5, 7, 2, 1, np.inf])
    np.testing.assert_array_equal(curve.x, [1, 2, 3])
    np.testing.assert_allclose(curve.y, [8, 6, 2])
    curve = tradeoff.curve([1, 2, 2, 3], [8, 2, 8, 1], log_y=True)
    assert curve.y[1] == pytest.approx(4)


def test_an_exponential_is_a_line_on_a_logarithmic_axis() -> None:
    x = np.array([1, 3, 4, 6.0])
    curve = tradeoff.curve(x, 7 * np.exp(-2 * x), log_y=True)
    assert curve.at(5.0) == pytest.approx(7 * np.exp(-10))


def test_the_gap_is_the_area_over_the_width() -> None:
    line, other = tradeoff.curve([0, 1, 2, 4], [8, 6, 4, 0]), tradeoff.curve([1, 2, 3], [4, 3, 2])
    # 8 − 2x against 5 − x over [1, 3]: the mean of 3 − x is 1
    assert tradeoff.gap(line, other) == pytest.approx(1)
    assert tradeoff.gap(other, line) == pytest.approx(-1)
    x = np.array([1, 2, 5, 9.0])
    twice = [tradeoff.curve(x, factor / x, log_y=True) for factor in (6, 3)]
    assert np.exp(tradeoff.gap(*twice)) == pytest.approx(2)


def test_what_curves_refuse() -> None:
    with pytest.raises(errors.InputError, match=r"a trade-off curve needs 3 points .* there are 2"):
        tradeoff.curve([1, 2, 2], [1, 2, 3])
    with pytest.raises(errors.InputError, match="y of 0 has no logarithm"):
        tradeoff.curve([1, 2, 3], [1, 0, 3], log_y=True)
    low, high = tradeoff.curve([1, 2, 3], [1, 2, 3]), tradeoff.curve([4, 5, 6], [1, 2, 3])
    with pytest.raises(errors.InputError, match="no x in common"):
        tradeoff.gap(low, high)


def test_the_nearest_point() -> None:
    assert tradeoff.nearest([4, 1, 2], 2.9) == 2 and tradeoff.nearest([4, 1, 2], 3.1) == 0


def test_pictures_are_matched_where_all_sweeps_have_one() -> None:
    assert tradeoff.matched([[0, 5, 10], [1, 5.2, 9], [2, 4.9, 7]]) == pytest.approx(5.05, abs=0.05)
    assert tradeoff.matched([[0, 4, 9], [0, 5, 9]]) == pytest.approx(
        4.5, abs=0.05
    )  # 0 and 9 tell nothing
    assert 1 < tradeoff.matched([[0, 1], [3, 4]]) < 3  # between those that do not meet


def test_many_groups_have_scipys_interval() -> None:
    """With many groups Student's t is the normal, and the interval the plain percentile's."""
    values = np.random.default_rng(5).normal(3, 2, 200)
    found = inference.over_groups([[value] for value in values])
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert (found.mean, found.pairs) == (pytest.approx(values.mean()), 200)
    assert [found.low, found.high] == pytest.approx([theirs.low, theirs.high], abs=0.02)


def test_seeds_of_a_pair_are_no_further_pairs() -> None:
    groups = [[0.0, 1.0], [10.0, 11.0], [4.0, 5.0]]
    assert inference.over_groups(groups) == inference.over_groups([[0.5], [10.5], [4.5]])


def test_three_pairs_have_more_than_their_range_and_one_has_no_interval() -> None:
    found = inference.over_groups([[1.0], [2.0], [6.0]])
    assert (found.mean, found.pairs) == (3, 3)
    # The range from the mean, times √(3/2): as far as resamples of three can go.
    assert [found.low, found.high] == pytest.approx([3 - 2 * 1.5**0.5, 3 + 3 * 1.5**0.5])
    shifted = [inference.over_groups([[v - by] for v in (1.0, 2.0, 6.0)]) for by in (0.5, 0.6)]
    assert [each.excludes_zero for each in shifted] == [True, False]
    one = inference.over_groups([[2.0], []])
    assert one.pairs == 1 and np.isnan(one.low) and not one.excludes_zero
    assert inference.over_groups([[], []]) is None
