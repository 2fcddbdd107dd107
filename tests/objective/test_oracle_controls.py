"""The oracle of the controls gives the numbers of an independent float64 script, and its gradients
are its values'.
"""

import numpy as np
import oracle_controls as oracle
import pytest
from oracle_controls import SOFT, T1, T2, U1, U2, P, Q, X, Y, Z

GAMMA = 0.25129246731707827
GUIDES = ([T1, T2], [U1, U2])
LOSSES = {  # value, gradient at [0, 0, 0] and Σ|gradient|; None where the script gave none
    "gram": (oracle.gram, 0.00144202636720094, -0.000294918671574699, 0.0297065084452402),
    "guided_gram": (
        lambda x, p: oracle.guided_gram(x, p, *GUIDES),
        *(0.004696859795480081, -0.00122484146474471, 0.0764560947194732),
    ),
    "guided_mean": (
        lambda x, p: oracle.guided_mean(x, p, *GUIDES),
        *(0.0009469816542052589, -0.000578654522422111, 0.0292875806702883),
    ),
    "stacked_sums": (
        lambda x, p: oracle.stacked_sums(x, p, *GUIDES),
        0.001678771780752255,
        None,
        None,
    ),
    "stacked_sums_of_one": (
        lambda x, p: oracle.stacked_sums(x, p, *GUIDES, mean_square=False),
        *(0.0014469585633165923, None, None),
    ),
    "shifted": (oracle.shifted, 0.0014623373389766315, -9.40218136133854e-06, 0.0461497034233981),
    "mean_std": (
        oracle.mean_std,
        0.00036218511514926377,
        -0.000264854557132187,
        0.0321094240294484,
    ),
    "covariance": (
        oracle.covariance,
        0.0014413466963544871,
        -0.000285910536294292,
        0.029682161068208,
    ),
    "linear_mmd": (
        oracle.linear_mmd,
        0.0012721704026566424,
        -0.00106094881781992,
        0.127857893025172,
    ),
    "polynomial_mmd": (oracle.polynomial_mmd, 0.0948340283, None, None),
    "gaussian_mmd": (
        lambda x, p: oracle.gaussian_mmd(x, p, GAMMA),
        *(0.005103347420345683, -0.00126291577045881, 0.0730513225925869),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_values_and_gradients_are_golden(name):
    loss, value, first, total = LOSSES[name]
    found, gradient = loss(X, P)
    assert found == pytest.approx(value, rel=2e-9 if name == "polynomial_mmd" else 1e-12)
    if first is not None:
        assert gradient[0, 0, 0] == pytest.approx(first, rel=1e-12)
        assert np.abs(gradient).sum() == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_the_values(name):
    x, p = X[:2, :4] + 0.1, P[1:4, 5:]  # another number of positions on each side
    guides = ([T1[:2, :4], SOFT[:2, :4]], [U1[1:4, 5:], SOFT[1:4, 5:]])
    loss = {
        "guided_gram": lambda x, p: oracle.guided_gram(x, p, *guides),
        "guided_mean": lambda x, p: oracle.guided_mean(x, p, *guides),
        "stacked_sums": lambda x, p: oracle.stacked_sums(x, p, *guides),
        "stacked_sums_of_one": lambda x, p: oracle.stacked_sums(x, p, *guides, mean_square=False),
    }.get(name, LOSSES[name][0])
    expected = oracle.differences(lambda moved: loss(moved, p)[0], x)
    np.testing.assert_allclose(loss(x, p)[1], expected, atol=3e-10)


def test_guides_of_ones_are_no_guides_and_areas_drop_out():
    ones = np.ones((6, 8))
    assert oracle.guided_gram(X, P, [ones], [ones])[0] == pytest.approx(
        0.00144202636720094, rel=1e-12
    )
    assert oracle.guided_gram(X, P, *GUIDES, (0.5, 0.5))[0] == pytest.approx(
        0.0023484298977400407, rel=1e-12
    )
    for T, expected in ((T1, 0.4703070009637245), (SOFT, 0.4944203618162644)):
        t = oracle.unit(T)[:, None]
        assert oracle.product(t * oracle.flat(X), t * oracle.flat(X))[0, 0] == pytest.approx(
            expected, rel=1e-12
        )
    # neural-style-tf's masks: not divided by the area, so smaller by its square, (ΣT²/M)²
    masked = (
        (T1, 0.00034056113527772405),
        (T2, 0.0004162778697599481),
        (SOFT, 0.00021554609151433653),
    )
    for T, expected in masked:
        assert oracle.guided_gram(X, P, [T], [T])[0] * (T**2).mean() ** 2 == pytest.approx(
            expected, rel=1e-12
        )


def test_the_shift_mixes_means_into_the_gram_matrix():
    raw, shifted = oracle.product(X, X) / 48, oracle.product(X - 1, X - 1) / 48
    mean = oracle.flat(X).mean(axis=0)
    np.testing.assert_allclose(shifted, raw - mean[:, None] - mean[None] + 1, atol=1e-14)
    assert 48 * shifted[0, 0] == pytest.approx(71.03788145942373, rel=1e-12)


def test_kernels_are_related_as_their_formulas_say():
    assert oracle.polynomial_mmd(X, P, 0)[0] == pytest.approx(0.09228968750085897, rel=1e-12)
    assert oracle.polynomial_mmd(X, P, 0)[0] / 64 == pytest.approx(oracle.gram(X, P)[0], rel=1e-12)
    assert oracle.polynomial_mmd(X, P, 1)[0] == pytest.approx(
        oracle.polynomial_mmd(X, P, 0)[0] + 2 * oracle.linear_mmd(X, P)[0], rel=1e-12
    )
    assert oracle.mean_squared_distance(X, P) == pytest.approx(3.979426883250783, rel=1e-12)
    assert oracle.gaussian_mmd(X, P, GAMMA / 2)[0] == pytest.approx(
        0.0019459694038146402, rel=1e-11
    )


def test_chained_gram_matrices():
    value, of_x, of_y = oracle.chain(X, Y, P, Z)
    assert value == pytest.approx(0.0005873099442644017, rel=1e-12)
    assert oracle.product(X, oracle.enlarged(Y, (6, 8)))[0, 0] == pytest.approx(
        -0.24553294892049804, rel=1e-12
    )
    assert of_x[0, 0, 0] == pytest.approx(-4.32321368963336e-05, rel=1e-12)
    assert of_y[0, 0, 0] == pytest.approx(-0.000305105031330394, rel=1e-12)
    assert np.abs(of_x).sum() == pytest.approx(0.0138680785849371, rel=1e-12)
    assert np.abs(of_y).sum() == pytest.approx(0.00975899686426152, rel=1e-12)
    x, y = X[:3, :5], Y[:2, :3]  # odd sides, as pooling meets them
    _, of_x, of_y = oracle.chain(x, y, P, Z)
    np.testing.assert_allclose(
        of_x, oracle.differences(lambda m: oracle.chain(m, y, P, Z)[0], x), atol=3e-10
    )
    np.testing.assert_allclose(
        of_y, oracle.differences(lambda m: oracle.chain(x, m, P, Z)[0], y), atol=3e-10
    )


def test_blended_targets_and_blended_losses_differ_by_a_constant():
    targets, losses = oracle.blended(X, [P, Q], (0.3, 0.7))
    assert targets == pytest.approx(0.0005733830907743059, rel=1e-12)
    assert losses == pytest.approx(0.0005843835320849532, rel=1e-12)
    assert losses - targets == pytest.approx(
        0.3 * 0.7 * oracle.blended(P, [Q], (1.0,))[0], rel=1e-9
    )
    for style, expected in ((P, 0.000360506591800235), (Q, 0.0006803307922069754)):
        assert oracle.blended(X, [style], (1.0,)) == pytest.approx((expected, expected), rel=1e-12)
