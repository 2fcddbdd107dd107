"""Every statistic of the table: against an oracle, and for what its entry says of it.

The oracles are loops in float64, written from the papers (tests/oracle_controls.py)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import oracle_controls as oracle
import pytest
from oracle_controls import P2, X2, P, Q, X, Y, Z
from scipy.ndimage import map_coordinates

from stn import config, errors
from stn.backend import tf
from stn.loss import distributions, hypercolumns, losses, neighbors, statistics, strotss
from stn.loss.statistics import GUIDED_MEANS, STATISTICS, Context, Statistic

GAMMA = 1 / oracle.mean_squared_distance(P, P)
DRAWN = statistics.drawn_directions(4, 4, [0]).astype(np.float64)
# By name: the oracle's loss and gradient, as functions of the features and the style's, and its
# style_reduction, where it is a matrix divided by M.
ORACLES: dict[str, tuple[Callable[[np.ndarray, np.ndarray], Any], str]] = {
    "gram": (oracle.gram, "sum_over_4n2"),
    "covariance": (oracle.covariance, "sum_over_4n2"),
    "polynomial": (oracle.polynomial_mmd, "sum"),
    "wasserstein2": (oracle.wasserstein2, ""),
    "wasserstein2_newton": (lambda X, P: oracle.wasserstein2(X, P, steps=12), ""),
    "shifted_gram": (oracle.shifted_grams, "sum_over_4n2"),
    "mean": (oracle.linear_mmd, ""),
    "mean_std": (oracle.mean_std, ""),
    "gaussian": (lambda X, P: oracle.gaussian_mmd(X, P, GAMMA), ""),
    "chain": (lambda Y, Z: oracle.chain(X, Y, P, Z)[::2], "sum_over_4n2"),
    "sliced_wasserstein": (
        lambda X, P: oracle.sliced_wasserstein(X, P, DRAWN),
        "",
    ),
    "histogram": (oracle.histogram, ""),
    "nearest": (oracle.nearest, ""),
    "nearest_as_run": (oracle.nearest, ""),  # without a wider layer before
    "patches": (lambda X, P: oracle.patches(X, P, stride=2), ""),
    "patches_dense": (lambda X, P: oracle.patches(X, P, stride=1), ""),
    "relaxed_emd": (oracle.relaxed_emd, ""),
    "moments": (oracle.moments, ""),
    "palette": (oracle.palette, ""),
    "nearest_hypercolumns": (oracle.nearest_hypercolumns, ""),
}
# METHODS.md §2.5
GOLDEN = {
    "gram": 0.00144202636720094,
    "covariance": 0.00144134669635448,
    "polynomial": 0.0948340283,
    "mean": 0.00127217040265664,
    "mean_std": 0.000362185115149264,
    "chain": 0.000587309944264402,
}
every = pytest.mark.parametrize("name", STATISTICS)


def with_gradient(
    statistic: Statistic,
    F: np.ndarray,
    S: np.ndarray,
    reduction: str = "sum",
    components: int | None = None,
    **options: Any,
) -> tuple[float, np.ndarray]:
    """The loss of features [h, w, N] against those of a style, and its gradient."""
    options.setdefault("gram_divisor", "m")
    pair = statistic.layers == 2  # of the layer above X, the style's above P
    before = [tf.constant(each[None].astype(F.dtype)) if pair else None for each in (X, P)]
    options["directions"] = tf.constant(DRAWN)
    image, style = (Context(**options, before=each) for each in before)
    features = tf.constant(F[None])
    with tf.GradientTape() as tape:
        tape.watch(features)
        G = statistic.of(features, image)
        A = statistic.of(tf.constant(S[None]), style)
        A = (A,) if statistic.pooled else A
        A = statistic.replace(G, A) if statistic.replace else A
        V = statistic.components(A, components)
        value = statistic.loss(G, A, reduction, F.shape[0] * F.shape[1], V)
    return float(value), tape.gradient(value, features).numpy()[0]


def pair(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Features and a style's for a statistic: of the layer above where it takes two, or colors."""
    if name == "palette":
        return colors(X), colors(P)
    return (Y, Z) if STATISTICS[name].layers == 2 else (X, P)


def colors(F: np.ndarray) -> np.ndarray:
    """The first three channels, between 0 and 1."""
    return 0.5 + 0.4 * F[..., :3]


def test_every_statistic_has_an_oracle_and_a_row_in_the_documents() -> None:
    assert ORACLES.keys() == STATISTICS.keys()
    page = (config.CONFIG_DIR.parent / "docs" / "reference" / "losses.md").read_text().splitlines()
    rows = {line.split("`")[1] for line in page if line.startswith("| `")}
    assert STATISTICS.keys() - rows == set()


@every
def test_loss_and_gradient_are_the_oracles(name: str) -> None:
    loss, reduction = ORACLES[name]
    value, gradient = with_gradient(STATISTICS[name], *pair(name), reduction)
    expected, slope = loss(*pair(name))
    # X and P have rank 2: roots of 1e-8 are known to fewer digits.
    few = "wasserstein2" in name
    assert value == pytest.approx(expected, rel=1e-9 if few else 1e-11)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-10 if few else 1e-14)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_values(name: str) -> None:
    value, _ = with_gradient(STATISTICS[name], *pair(name), ORACLES[name][1])
    assert value == pytest.approx(GOLDEN[name], rel=2e-9 if name == "polynomial" else 1e-12)


@pytest.mark.parametrize("name", ["gram", "covariance"])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_principal_components_are_those_of_the_styles_features(name: str, count: int) -> None:
    center = (lambda F: F - oracle.flat(F).mean(axis=0)) if name == "covariance" else np.copy
    value, gradient = with_gradient(STATISTICS[name], X2, P2, "sum_over_4n2", components=count)
    expected, slope = oracle.components(center(X2), center(P2), count)
    assert value == pytest.approx(expected, rel=1e-11)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-12)


def test_a_shift_and_a_kernel_of_given_width_have_the_papers_values() -> None:
    value, _ = with_gradient(STATISTICS["gram"], X, P, "sum_over_4n2", shift=-1.0)
    assert value == pytest.approx(0.0014623373389766315, rel=1e-12)
    flat = (tf.constant(oracle.flat(F)) for F in (X, P))
    found = distributions.gaussian_mmd(*flat, 0.25129246731707827)
    assert float(found) == pytest.approx(0.005103347420345683, rel=1e-11)


@every
def test_its_gradient_is_that_of_differences(name: str) -> None:
    F, S = pair(name)
    reduction = ORACLES[name][1] or "sum"
    way = np.cos(1.7 * np.arange(F.size)).reshape(F.shape) * 1e-5  # changes no rank
    high, low = (with_gradient(STATISTICS[name], F + step, S, reduction)[0] for step in (way, -way))
    _, gradient = with_gradient(STATISTICS[name], F, S, reduction)
    assert (gradient * way).sum() == pytest.approx((high - low) / 2, rel=1e-5)


@every
@pytest.mark.parametrize(
    "key", ["gram_divisor", "style_reduction", "activation_shift", "components"]
)
def test_the_keys_that_count_next_to_it_are_those_that_change_it(name: str, key: str) -> None:
    statistic = STATISTICS[name]
    usual, _ = with_gradient(statistic, *pair(name))
    others = {
        "gram_divisor": lambda: with_gradient(statistic, *pair(name), gram_divisor="nm"),
        "style_reduction": lambda: with_gradient(statistic, *pair(name), "mean"),
        "activation_shift": lambda: with_gradient(statistic, *pair(name), shift=-0.5),
        "components": lambda: with_gradient(statistic, *pair(name), components=1),
    }
    other, _ = others[key]()
    assert (other != usual) == (key in statistic.keys)


@every
def test_it_is_zero_at_its_own_style_and_positive_elsewhere(name: str) -> None:
    if STATISTICS[name].layers == 1 and name != "wasserstein2_newton":  # its roots are too small
        own = pair(name)[0]
        value, gradient = with_gradient(STATISTICS[name], own, own)
        # The distance of colors is not below this.
        least = (1e-5 / 3) ** 0.5 if name == "palette" else 0.0
        assert value == pytest.approx(least, abs=1e-15)
        np.testing.assert_allclose(gradient, 0, atol=1e-12)
    assert with_gradient(STATISTICS[name], *pair(name))[0] > 0


@every
def test_features_that_do_not_vary_are_finite(name: str) -> None:
    """As of a picture of one color, or where a ReLU gives nothing; float32, as a run has it."""
    F, S = (each.astype(np.float32) for each in pair(name))
    for features, style in ((0 * F + 1, S), (0 * F, S), (F, 0 * S), (0 * F, 0 * S)):
        value, gradient = with_gradient(STATISTICS[name], features, style)
        assert np.isfinite(value) and np.isfinite(gradient).all()


@every
def test_where_features_stand_counts_for_patches_and_shifts_alone(name: str) -> None:
    statistic = STATISTICS[name]
    F, S = pair(name)
    order = np.random.default_rng(0).permutation(F.shape[0] * F.shape[1])
    mixed = oracle.flat(F)[order].reshape(F.shape)
    value, gradient = with_gradient(statistic, F, S)
    other, slope = with_gradient(statistic, mixed, S)
    placed = statistic.least_side > 1 or statistic.layers > 1 or "shifts" in statistic.keys
    assert (other == pytest.approx(value, rel=1e-10)) == (not placed)
    if not placed:
        expected = oracle.flat(gradient)[order].reshape(F.shape)
        np.testing.assert_allclose(slope, expected, rtol=1e-8, atol=1e-10)


@every
def test_a_guide_weighs_positions_where_masks_are_taken(name: str) -> None:
    statistic, ones = STATISTICS[name], np.full((6, 8), 48**-0.5)
    if statistic.at_positions:
        return  # which are drawn inside (test_controls.py)
    if statistic.no_masks:
        with pytest.raises(errors.InputError, match=f"{name}: takes no masks, since "):
            config.compose(f"objective.style_statistic={name}", "style.mask=left")
        return
    soft = oracle.SOFT / np.linalg.norm(oracle.SOFT)
    plain, guided, half = (
        statistic.of(tf.constant(X[None]), Context("m", guide=T)) for T in (None, ones, soft)
    )
    np.testing.assert_allclose(guided, plain, rtol=1e-10, atol=1e-14)
    assert np.abs(half - plain).max() > 1e-3
    for divisor in losses.GRAM_DIVISORS:
        plain, guided = (
            statistic.of(tf.constant(X[None]), Context(divisor, guide=T)) for T in (None, ones)
        )
        np.testing.assert_allclose(guided, plain, rtol=1e-10, atol=1e-14)


@every
def test_a_guide_counts_a_position_as_often_as_its_square_says(name: str) -> None:
    """T² of 0, 1, 2 or 3 shares is the statistic of features that stand there so many times."""
    statistic = STATISTICS[name]
    stand = statistic.pooled or "shifts" in statistic.keys  # where they stand
    if statistic.no_masks or statistic.at_positions or stand:
        return
    counts = np.arange(48) % 4
    T = np.sqrt(counts / counts.sum()).reshape(6, 8)
    repeated = np.repeat(oracle.flat(X), counts, axis=0)
    guided = statistic.of(tf.constant(X[None]), Context("m", guide=T))
    plain = statistic.of(tf.constant(repeated[None, None]), Context("m"))
    np.testing.assert_allclose(guided, plain, rtol=1e-10, atol=1e-14)


@every
def test_rows_add_up_where_its_entry_says_so(name: str) -> None:
    statistic = STATISTICS[name]
    if not statistic.sums_over_rows:
        return
    assert statistic.gram_features is not None
    whole = statistic.of(tf.constant(X[None]), Context("nm"))
    parts = [
        losses.gram(
            statistic.gram_features(tf.constant(rows[None]), Context()),
            statistic.divisor("nm"),
            positions=48,
        )
        for rows in (X[:4], X[4:])
    ]
    np.testing.assert_allclose(parts[0] + parts[1], whole, rtol=1e-12, atol=1e-15)


@every
def test_the_mean_of_two_styles_has_the_gradient_of_both(name: str) -> None:
    """For an entry that `averages`; one that does not gives another gradient, or none."""
    statistic = STATISTICS[name]
    if statistic.layers > 1:
        return
    contexts = Context("m", directions=tf.constant(DRAWN))
    ours, *styles = (colors(F) if name == "palette" else F for F in (X, P, Q))
    A, B = (statistic.of(tf.constant(S[None]), contexts).numpy() for S in styles)
    features = tf.constant(ours[None])

    def loss(G: Any, A: Any) -> Any:
        A = (A,) if statistic.pooled else A
        A = statistic.replace(G, A) if statistic.replace else A
        return statistic.loss(G, A, "sum", 48)

    slopes = []
    for losses_of in (
        lambda G: 0.3 * loss(G, A) + 0.7 * loss(G, B),
        lambda G: loss(G, 0.3 * A + 0.7 * B),
    ):
        with tf.GradientTape() as tape:
            tape.watch(features)
            value = losses_of(statistic.of(features, contexts))
        slopes.append(tape.gradient(value, features).numpy())
    same = np.allclose(*slopes, rtol=1e-9, atol=1e-14)
    # The mean of two normal distributions' moments is one's, which is no mean of distances.
    assert same or not statistic.averages or "wasserstein2" in name


def test_guided_means_are_their_formula() -> None:
    def contexts(T: np.ndarray) -> Context:
        return Context(guide=tf.constant(T / np.linalg.norm(T)))

    total = 0.0
    for T, U in zip((oracle.T1, oracle.T2), (oracle.U1, oracle.U2), strict=True):
        G, A = (
            GUIDED_MEANS.of(tf.constant(F[None]), contexts(guide)) for F, guide in ((X, T), (P, U))
        )
        total += 0.5 * float(GUIDED_MEANS.loss(G, A, "sum", 48))
    assert total == pytest.approx(0.0009469816542052589, rel=1e-12)
    whole = GUIDED_MEANS.of(tf.constant(X[None]), Context())
    np.testing.assert_allclose(whole, oracle.flat(X).mean(axis=0)[None], rtol=1e-12)


def test_drawn_positions_are_distinct_and_the_same_every_time() -> None:
    drawn = statistics.positions_drawn(2000)
    assert len(set(drawn)) == len(drawn) == statistics.SAMPLES
    np.testing.assert_array_equal(drawn, statistics.positions_drawn(2000))
    np.testing.assert_array_equal(statistics.positions_drawn(5), np.arange(5))


DIRECTIONS = np.cos(0.3 * np.arange(4)[:, None] + 0.7 * np.arange(4)[None])
DIRECTIONS /= np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)
# Of X against styles of 48, 24 and 40 positions: the loss, its gradient at [0, 0, 0] and the sum of
# the gradient's absolute values, from the authors' program in float64 (the first) and a script.
SLICED = {
    48: (0.02950344633847712, -0.0032564430885612117, 0.4062587849655969),
    24: (0.031986584941194884, -0.0032938068944258357, 0.42387408790112274),
    40: (0.029879267236652036, -0.003247505602761636, 0.4149241255753573),
}


@pytest.mark.parametrize("positions", SLICED)
def test_sliced_wasserstein_has_the_authors_values(positions: int) -> None:
    features, style = (tf.constant(oracle.flat(F)) for F in (X, P))
    A = distributions.sorted_projections(style[:positions], tf.constant(DIRECTIONS))
    with tf.GradientTape() as tape:
        tape.watch(features)
        G = distributions.sorted_projections(features, tf.constant(DIRECTIONS))
        value = distributions.sliced_wasserstein(G, A)
    gradient = tape.gradient(value, features).numpy()
    found = float(value), gradient[0, 0], np.abs(gradient).sum()
    assert found == pytest.approx(SLICED[positions], rel=1e-12)


@pytest.mark.parametrize("least", [-2.0, -0.5, 0.0, 2.0])
def test_the_gradient_of_a_rank_goes_to_a_number_that_has_it(least: float) -> None:
    """However many are equal, as where a ReLU gives zeros."""
    rows = np.maximum(np.sin(np.arange(60.0) ** 2).reshape(2, 30), least)
    weights = np.cos(np.arange(60.0)).reshape(2, 30)
    found, gradient = numbers(lambda p: tf.reduce_sum(weights * distributions.sorted_rows(p)), rows)
    assert found == pytest.approx((weights * np.sort(rows)).sum(), rel=1e-12)
    for row, slopes, given in zip(rows, gradient, weights, strict=True):
        for number in row:
            ranks = slice((row < number).sum(), (row <= number).sum())
            assert sorted(slopes[row == number]) == sorted(given[ranks])


def test_histogram_has_the_values_of_the_axes_as_directions() -> None:
    """The authors' sliced distance on the four axes; Σ(O − R)² is that without 1/(NM)."""
    value, gradient = with_gradient(STATISTICS["histogram"], X, P)
    found = value, gradient[0, 0, 0], np.abs(gradient).sum()
    expected = 0.0036568063858038054, 0.000786483000235419, 0.08973254992341022
    assert found == pytest.approx(expected, rel=1e-12)
    assert value * X.size == pytest.approx(0.7021068260743306, rel=1e-12)


# Of X against P by the axis and the shift: the loss, its gradient at [0, 0, 0], the sum of the
# gradient's absolute values, and G_00 undivided; from a script in float64.
SHIFTED = {
    ("right", 1): (0.024774379425050157, -0.000972506802145784, 0.0679876308799058, 1.38908674986),
    ("down", 1): (0.017246318958725505, 9.285608254606e-05, 0.07572111656497725, 14.7384138149051),
    ("right", 2): (0.040243215411576806, 5.4307182314722e-05, 0.21708451277278, -17.3723722918054),
}


@pytest.mark.parametrize(("axis", "shift"), SHIFTED)
def test_shifted_gram_matrices_have_the_golden_values(axis: str, shift: int) -> None:
    features = tf.constant(X[None])
    part = slice(4) if axis == "down" else slice(4, 8)
    with tf.GradientTape() as tape:
        tape.watch(features)
        G, A = (
            losses.shifted_grams(F, [shift], "m")[part] for F in (features, tf.constant(P[None]))
        )
        value = losses.style(G, A, "sum_over_4n2")
    gradient = tape.gradient(value, features).numpy()
    raw = losses.shifted_grams(features, [shift])[part]
    found = float(value), gradient[0, 0, 0, 0], np.abs(gradient).sum(), float(raw[0, 0])
    assert found == pytest.approx(SHIFTED[axis, shift], rel=1e-9)


@pytest.mark.parametrize("guides", [(None, None), (oracle.SOFT, None), (oracle.T1, oracle.U2)])
def test_shifted_gram_matrices_under_masks_are_the_oracles(guides: tuple) -> None:
    image, style = (
        Context("m", guide=None if t is None else t / np.linalg.norm(t), shifts=(1, 2))
        for t in guides
    )
    features, statistic = tf.constant(X[None]), STATISTICS["shifted_gram"]
    with tf.GradientTape() as tape:
        tape.watch(features)
        A = statistic.of(tf.constant(P[None]), style)
        value = statistic.loss(statistic.of(features, image), A, "sum_over_4n2", 48)
    expected, slope = oracle.shifted_grams(X, P, (1, 2), *guides)
    assert float(value) == pytest.approx(expected, rel=1e-11)
    np.testing.assert_allclose(tape.gradient(value, features)[0], slope, rtol=1e-9, atol=1e-13)


def test_a_mask_too_narrow_for_a_shift_has_a_matrix_of_zeros() -> None:
    T = np.zeros((6, 8))
    T[:, 3] = 6**-0.5
    found = STATISTICS["shifted_gram"].of(tf.constant(X[None]), Context("nm", guide=T)).numpy()
    assert found[:4].any() and not found[4:].any()


def test_shifts_reach_as_many_pixels_at_each_layer() -> None:
    shifts = (4, 8, 16, 32, 64)
    layers = {"relu1_1": 5, "relu2_1": 4, "relu3_1": 3, "relu4_1": 2, "pool4": 1, "relu5_1": 1}
    for layer, count in layers.items():
        assert statistics.shifts_at(shifts, layer) == shifts[:count]


# Of X against P: the loss, its gradient at [0, 0, 0], the sum of the gradient's absolute values and
# the patches of P that are matched. The dense one is that of pystiche/papers, the other a script's.
PATCHES = {
    "patches": (
        (46.07941686159732, 0.4902608213406994, 91.01888407257485),
        [3, 4, 2, 11, 9, 0, 9, 2, 5, 11, 5, 2],
    ),
    "patches_dense": (
        (47.29291681884053, 0.4902608213406994, 87.45597208223629),
        [5, 0, 1, 9, 10, 23, 15, 23, 0, 19, 4, 17, 20, 16, 0, 1, 9, 10, 14, 15, 23, 0, 19, 4],
    ),
}


@pytest.mark.parametrize("name", PATCHES)
@pytest.mark.parametrize("at_once", [2**22, 30])
def test_patches_have_the_authors_values_and_matches(
    name: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many scores are computed at a time."""
    monkeypatch.setattr(neighbors, "SCORES", at_once)
    value, gradient = with_gradient(STATISTICS[name], X, P)
    expected, matched = PATCHES[name]
    found = value, gradient[0, 0, 0], np.abs(gradient).sum()
    assert found == pytest.approx(expected, rel=1e-12)
    pair = [neighbors.patches_of(tf.constant(F[None]), 1 + (name == "patches")) for F in (X, P)]
    np.testing.assert_array_equal(neighbors.nearest_rows(*pair), matched)


def test_nearest_has_the_authors_values_and_matches() -> None:
    """NNST's final pass (utils/stylize.py) in float64, of 48 positions, which are all taken."""
    value, gradient = with_gradient(STATISTICS["nearest"], X, P)
    found = value, gradient[0, 0, 0], np.abs(gradient).sum()
    expected = 0.012499389011691958, 0.000885316268747351, 0.19806433080886116
    assert found == pytest.approx(expected, rel=1e-12)
    x, p = (tf.constant(oracle.flat(F) - oracle.flat(F).mean(0)) for F in (X, P))
    np.testing.assert_array_equal(neighbors.nearest_rows(x, p)[:8], [43, 23, 39, 4, 13, 0, 9, 33])


def test_hypercolumns_are_replaced_by_the_authors_matches() -> None:
    """NNST's other passes (utils/stylize.py, replace_features), float64; of whole and parts."""
    value, gradient = with_gradient(STATISTICS["nearest_hypercolumns"], X, P)
    found = value, gradient[0, 0, 0], np.abs(gradient).sum()
    expected = 0.012648069334220769, 0.00020021288895900392, 0.19523059060191683
    assert found == pytest.approx(expected, rel=1e-12)
    x, p = oracle.flat(X), oracle.flat(P)
    matched = p[oracle.matches(x, p)]
    for parts in ([p], [p[:5], p[5:40], p[40:]]):
        np.testing.assert_array_equal(replaced(x, *parts), matched)
    np.testing.assert_array_equal(matched[:8], p[[43, 23, 39, 4, 13, 0, 9, 33]])
    for F, S in ((x * 0, p), (x, p * 0), (x * 0 + 1, p)):  # nothing varies
        assert {*map(tuple, replaced(F, S))} <= {*map(tuple, S)}


def replaced(F: np.ndarray, *styles: np.ndarray) -> np.ndarray:
    """Rows [n, N] replaced by those of styles, which all count alike."""
    ones = [tf.constant(np.hstack([each, np.ones((len(each), 1))])) for each in (F, *styles)]
    return neighbors.replaced(ones[0], ones[1:]).numpy()


def masked(
    name: str, T: np.ndarray | None, U: np.ndarray | None
) -> tuple[float, np.ndarray, np.ndarray]:
    """The loss of X against P under guides, its gradient, and by differences along a direction."""
    statistic = STATISTICS[name]
    image, style = (
        Context("m", guide=None if t is None else tf.constant(t / np.linalg.norm(t)))
        for t in (T, U)
    )

    def loss(F: Any) -> Any:
        A: Any = (statistic.of(tf.constant(P[None]), style),)
        A = (
            statistic.replace(statistic.of(tf.constant(X[None]), image), A)
            if (statistic.replace)
            else A
        )
        return statistic.loss(statistic.of(F, image), A, "", 48)

    value, gradient = numbers(loss, X[None])
    way = np.cos(1.7 * np.arange(X.size)).reshape(X.shape) * 1e-5
    high, low = (float(loss(tf.constant((X + s * way)[None]))) for s in (1, -1))
    assert (gradient[0] * way).sum() == pytest.approx((high - low) / 2, rel=1e-5)
    return value, gradient[0], way


# Left of column 3 in the result, softly towards it, and the upper rows of the painting.
GUIDES = {
    "result": (oracle.SOFT * oracle.T1, None),
    "style": (None, (oracle.ROW < 4) * (1 + oracle.COLUMN / 8)),
    "both": (oracle.SOFT * oracle.T1, (oracle.ROW < 4) * (1 + oracle.COLUMN / 8)),
}


@pytest.mark.parametrize("guides", GUIDES)
def test_masked_nearest_features_are_the_oracles(guides: str) -> None:
    T, U = GUIDES[guides]
    value, gradient, _ = masked("nearest", T, U)
    expected, slope = oracle.nearest(X, P, T, U)
    assert value == pytest.approx(expected, rel=1e-11)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-13)
    assert T is None or not gradient[:, 4:].any()


@pytest.mark.parametrize("guides", GUIDES)
def test_masked_hypercolumns_are_replaced_from_inside(guides: str) -> None:
    T, U = GUIDES[guides]
    value, gradient, _ = masked("nearest_hypercolumns", T, U)
    x, p = oracle.flat(X), oracle.flat(P)
    t = p[oracle.matches(x, p, T, U)]
    cosines = (x * t).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(t, axis=1)
    w = np.full(48, 1 / 48) if T is None else oracle.unit(T) ** 2
    assert value == pytest.approx(w @ (1 - cosines), rel=1e-11)
    assert T is None or not gradient[:, 4:].any()


def test_a_grid_that_misses_a_narrow_mask_is_finite() -> None:
    T = np.zeros((6, 200))
    T[0, 2] = 1  # of every third column that begins at the first
    F = np.sin(np.arange(6 * 200 * 4.0)).reshape(1, 6, 200, 4)
    statistic, drawn = STATISTICS["nearest"], tf.zeros((2,))
    guided = Context(guide=tf.constant(T), directions=drawn)
    A = statistic.of(tf.constant(F[:, ::-1]), guided)
    value, gradient = numbers(lambda F: statistic.loss(statistic.of(F, guided), (A,), "", 1), F)
    assert value == 0 and not gradient.any()


def stale(F: np.ndarray, channels: int) -> np.ndarray:
    """Features [n, N] as nkolkin13/NeuralNeighborStyleTransfer reads a sample that a wider layer
    left: `contiguous().view(1, channels, -1)` of [1, N, h, w], number by number."""
    numbers = [F[k, c] for c in range(F.shape[1]) for k in range(len(F))]
    n = len(numbers) // channels
    return np.array([[numbers[c * n + k] for c in range(channels)] for k in range(n)])


def test_a_narrow_layer_has_the_sample_of_the_last_wide_one_as_it_was_run() -> None:
    """Its own features do not count, and 3 channels of 65 × 4 positions are read as 4."""
    wide = np.sin(0.31 * np.arange(65 * 4 * 3)).reshape(65, 4, 3)
    statistic, drawn = STATISTICS["nearest_as_run"], tf.zeros((2,))
    context = Context(directions=drawn)
    handed = statistic.hands_on(tf.constant(wide[None]), context)
    assert statistic.hands_on(tf.constant(X[None]), context) is None
    A = (statistic.of(tf.constant(P[None]), context),)

    def loss(F: Any, wide: Any) -> Any:
        handed = statistic.hands_on(wide[None], context)
        return statistic.loss(statistic.of(F[None], context._replace(before=handed)), A, "", 1)

    value, gradient = numbers(lambda wide: loss(tf.constant(X), wide), wide)
    read = stale(oracle.flat(wide), 4)
    expected, slope = oracle.nearest(read[None], P)
    assert handed.shape == (260, 4) and read.shape == (195, 4)
    assert value == pytest.approx(expected, rel=1e-11)
    places = stale(np.arange(780.0).reshape(260, 3), 4).astype(int)
    np.testing.assert_allclose(gradient.ravel()[places], slope[0], rtol=1e-9, atol=1e-13)
    assert float(loss(tf.constant(X * 2 + 1), tf.constant(wide))) == value
    own = statistic.of(tf.constant(wide[None]), context._replace(before=handed + 1))
    np.testing.assert_array_equal(own, handed)  # a wide layer has its own


def test_nearest_takes_a_large_layer_on_a_grid_at_drawn_offsets() -> None:
    """150 × 200 positions: every third, 50 × 66 of them, wherever the grid begins."""
    places = np.stack(np.meshgrid(np.arange(150.0), np.arange(200.0), indexing="ij"), -1)
    for offsets, corner in (((0.0, 0.99), (0, 2)), ((0.4, 0.0), (1, 0))):
        context = Context(directions=tf.constant(offsets))
        found = STATISTICS["nearest"].of(tf.constant(places[None]), context).numpy()
        expected = places[corner[0] :: 3, corner[1] :: 3][:50, :66].reshape(-1, 2)
        np.testing.assert_array_equal(found[:, :2], expected)
        np.testing.assert_array_equal(found[:, 2], 1)
        T = 1 + places.sum(-1)
        guided = context._replace(guide=tf.constant(T / np.linalg.norm(T)))
        found = STATISTICS["nearest"].of(tf.constant(places[None]), guided).numpy()
        expected = (1 + expected.sum(-1)) ** 2 / np.square(T).mean()
        np.testing.assert_allclose(found[:, 2], expected, rtol=1e-12)
    drawn = np.array([statistics.drawn_offsets(0, 0, [0, level]) for level in range(200)])
    assert drawn.shape == (200, 2) and 0 <= drawn.min() < 0.05 and 0.95 < drawn.max() < 1
    np.testing.assert_array_equal(drawn[3], statistics.drawn_offsets(5, 7, [0, 3]))


def test_patches_are_searched_for_in_all_copies() -> None:
    for name in PATCHES:
        statistic = STATISTICS[name]
        *copies, own = (statistic.of(tf.constant(each[None]), Context()) for each in (P, Q, X))
        values = [float(statistic.loss(own, each, "", 48)) for each in (copies, (*copies, own))]
        assert values[0] > values[1] == 0


@pytest.mark.parametrize("name", PATCHES)
@pytest.mark.parametrize("sides", ["result", "style", "both"])
def test_masked_patches_are_the_oracles(name: str, sides: str) -> None:
    """Left of column 3 in the result, softly towards it, and the upper rows of the painting."""
    T = oracle.SOFT * oracle.T1 if sides != "style" else None
    U = (oracle.ROW < 4) * (1 + oracle.COLUMN / 8) if sides != "result" else None
    F, statistic = tf.constant(X[None]), STATISTICS[name]
    image, style = (
        Context(guide=None if t is None else tf.constant(t / np.linalg.norm(t))) for t in (T, U)
    )
    with tf.GradientTape() as tape:
        tape.watch(F)
        A = statistic.of(tf.constant(P[None]), style)
        value = statistic.loss(statistic.of(F, image), (A,), "", 48)
    gradient = tape.gradient(value, F).numpy()[0]
    expected, slope = oracle.patches(X, P, 1 + (name == "patches"), T, U)
    assert float(value) == pytest.approx(expected, rel=1e-11)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-12)
    if T is not None:
        assert not gradient[:, 4:].any()


def test_patches_of_zeros_alone_are_finite() -> None:
    """As where a ReLU gives nothing: a patch without an angle is no match but of its like."""
    some = np.abs(P)
    some[:, :5] = 0
    for F, S in ((X * 0, P), (X, some), (X * 0, P * 0)):
        value, gradient = with_gradient(STATISTICS["patches"], F, S)
        assert np.isfinite(value) and np.isfinite(gradient).all()
    corner = neighbors.patches_of(tf.constant(some[None]), 2)
    assert 0 not in neighbors.nearest_rows(
        neighbors.patches_of(tf.constant(abs(X[None])), 2), corner
    )


def test_directions_depend_on_their_numbers_and_on_nothing_else() -> None:
    first, again, other = (
        statistics.drawn_directions(5, 7, numbers) for numbers in ((3, 0, 1), (3, 0, 1), (3, 1, 0))
    )
    assert first.shape == (5, 7)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1
    # NumPy's own stream, before it is normalized
    drawn = statistics.drawn_directions(2, 3, [0, 3, 17])[0]
    assert drawn[0] / drawn[1] == pytest.approx(0.4840412198684014 / -0.28997871599840797)


def test_a_tag_is_one_more_channel_by_which_positions_sort() -> None:
    """Heitz et al. 2021: ±10 on the columns left of 3 and the rest, the directions' tag 1."""
    tags = np.where(oracle.COLUMN < 3, 10.0, -10.0).reshape(-1, 1)
    features, style = (tf.constant(np.hstack([oracle.flat(F), tags])) for F in (X, P))
    ways = tf.constant(np.hstack([DIRECTIONS, np.ones((4, 1))]))
    with tf.GradientTape() as tape:
        tape.watch(features)
        pair = [distributions.sorted_projections(F, ways) for F in (features, style)]
        value = distributions.sliced_wasserstein(*pair)
    gradient = tape.gradient(value, features).numpy()[:, :4]
    found = float(value), gradient[0, 0], np.abs(gradient).sum()
    expected = 0.14760115336667215, -0.008426614173857294, 0.8356542614445652
    assert found == pytest.approx(expected, rel=1e-11)
    # Normalized together with their tag, as the program does: half of each.
    whole, slope = tagged(X, P, tags.reshape(6, 8), DIRECTIONS)
    found = whole, slope[0, 0, 0], np.abs(slope).sum()
    assert found == pytest.approx(np.divide(expected, 2), rel=1e-11)
    way = np.cos(1.7 * np.arange(X.size)).reshape(X.shape) * 1e-6
    high, low = (tagged(X + s * way, P, tags.reshape(6, 8), DIRECTIONS)[0] for s in (1, -1))
    assert (slope * way).sum() == pytest.approx((high - low) / 2, rel=1e-5)


def tagged(
    F: np.ndarray, S: np.ndarray, tags: np.ndarray, directions: np.ndarray
) -> tuple[float, np.ndarray]:
    """The sliced distance of features with tags on both sides, and its gradient."""
    statistic = STATISTICS["sliced_wasserstein"]
    context = Context(guide=tf.constant(tags), directions=tf.constant(directions))
    A = statistic.of(tf.constant(S[None]), context)
    value, slope = numbers(lambda F: statistic.loss(statistic.of(F, context), A, "", 48), F[None])
    return value, slope[0]


def test_far_tags_of_equal_shares_are_a_loss_for_each_class() -> None:
    value, slope = tagged(X, P, np.where(oracle.COLUMN < 3, 100.0, -100.0), DIRECTIONS)
    parts = [
        oracle.sliced_wasserstein(F[0][:, part], F[1][:, part], DIRECTIONS)
        for F in [(X, P)]
        for part in (slice(0, 3), slice(3, 8))
    ]
    shares = np.array([3 / 8, 5 / 8]) / 2  # directions are shorter by √2
    expected = np.concatenate([w * g for w, (_, g) in zip(shares, parts, strict=True)], 1)
    assert value == pytest.approx(sum(shares * [each for each, _ in parts]), rel=1e-9)
    np.testing.assert_allclose(slope, expected, rtol=1e-7, atol=1e-12)


# Loss, gradient at [0, 0, 0] and the sum of its absolute values: of 12 steps by
# crowsonkb/style-transfer-pytorch (e7e2c71) in float64, of exact roots by a script.
WASSERSTEIN = {
    ("wasserstein2", "X, P"): (0.015883405097825945, -0.002666038974764, 0.2014822051247),
    ("wasserstein2_newton", "X, P"): (
        *(0.01598307041777293, -0.002666051686236, 0.20148441726874578),
    ),
    ("wasserstein2", "X2, P2"): (0.0676010459383007, -0.002363867296892, 0.448511150705797),
    ("wasserstein2_newton", "X2, P2"): (
        *(0.06859310514884705, -0.002415727514856, 0.44988017444966),
    ),
    ("wasserstein2_newton", "X, .3P + .7Q"): (
        *(0.02814683452591362, -0.00317916227114525, 0.2688930161554918),
    ),
}


@pytest.mark.parametrize(("name", "what"), WASSERSTEIN)
def test_wasserstein_has_the_authors_values(name: str, what: str) -> None:
    F = tf.constant((oracle.X2 if what == "X2, P2" else X)[None])
    styles = {
        "X, P": [(1.0, P)],
        "X2, P2": [(1.0, oracle.P2)],
        "X, .3P + .7Q": [(0.3, P), (0.7, Q)],  # means and raw second moments blended
    }[what]
    statistic = STATISTICS[name]
    A = sum(w * statistic.of(tf.constant(S[None]), Context()).numpy() for w, S in styles)
    with tf.GradientTape() as tape:
        tape.watch(F)
        value = statistic.loss(statistic.of(F, Context()), tf.constant(A), "", 48)
    gradient = tape.gradient(value, F).numpy()
    found = float(value), gradient[0, 0, 0, 0], np.abs(gradient).sum()
    assert found == pytest.approx(WASSERSTEIN[name, what], rel=1e-10)


def test_wasserstein_of_features_whose_last_digits_exceed_the_epsilon() -> None:
    """As a network that is not scaled has them: two matrices of 40 channels, of 12 positions."""
    F, S = (np.random.default_rng(seed).uniform(0, 3e3, (1, 3, 4, 40)) for seed in (0, 1))
    found = []
    for kind in (tf.float32, tf.float64):
        features = tf.constant(F, kind)
        with tf.GradientTape() as tape:
            tape.watch(features)
            G, A = (
                STATISTICS["wasserstein2"].of(x, Context())
                for x in (features, S.astype(kind.as_numpy_dtype))
            )
            value = STATISTICS["wasserstein2"].loss(G, A, "", 12)
        found.append((float(value), tape.gradient(value, features).numpy()))
    (value, gradient), (expected, slope) = found
    assert value == pytest.approx(expected, rel=1e-3)
    assert np.linalg.norm(gradient - slope) < 1e-2 * np.linalg.norm(slope)


# Kolkin et al. 2019. Loss, gradient at [0, 0] and the sum of its absolute values, from the authors'
# functions (nkolkin13/STROTSS, 9a1543a) in float64.
STROTSS = {
    "relaxed_emd": (0.01230672024560644, 0.00020021288895900392, 0.19352428748107242),
    "moments": (0.06740302578263442, -0.010068764468321525, 1.0944077848858047),
    # of the colors, whose gradient is 0.4 of these
    "palette": (0.04381131586160114, -0.0005580548208498, 1.0665019645586593),
    "self_similarity": (0.9037949011746088, 0.00255742496809048, 0.19597186535212788),
}


def compared(name: str, F: Any, S: Any) -> Any:
    """A loss of hypercolumns [n, N]."""
    if name == "self_similarity":
        return strotss.CONTENT_REDUCTIONS[name](F, S)
    statistic = STATISTICS[name]
    return statistic.loss(statistic.of(F, Context()), statistic.of(S, Context()), "", 1)


def numbers(function: Callable[[Any], Any], F: np.ndarray) -> tuple[float, np.ndarray]:
    features = tf.constant(F)
    with tf.GradientTape() as tape:
        tape.watch(features)
        value = function(features)
    return float(value), tape.gradient(value, features).numpy()


@pytest.mark.parametrize("name", STROTSS)
def test_losses_of_hypercolumns_have_the_authors_values(name: str) -> None:
    x, p = (oracle.flat(F) for F in (pair(name) if name == "palette" else (X, P)))
    value, gradient = numbers(lambda F: compared(name, F, tf.constant(p)), x)
    found = value, gradient[0, 0], np.abs(gradient).sum()
    assert found == pytest.approx(STROTSS[name], rel=1e-11)


@pytest.mark.parametrize("name", ["relaxed_emd", "palette"])
def test_the_paintings_side_counts_where_it_is_the_larger(name: str) -> None:
    """As of a painting that has every color of the result, and others."""
    F, S = pair(name)
    S = np.concatenate([F, S * (1, -1, 1, -1)[: S.shape[-1]]])
    value, gradient = with_gradient(STATISTICS[name], F, S)
    expected, slope = ORACLES[name][0](F, S)
    assert value == pytest.approx(expected, rel=1e-11) and value > 0.05
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-14)


def test_self_similarity_is_its_oracle_and_not_a_matter_of_the_order() -> None:
    x, p = (oracle.flat(F) for F in (X, P))
    value, gradient = numbers(lambda F: compared("self_similarity", F, tf.constant(p)), x)
    expected, slope = oracle.self_similarity(x, p)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, slope, atol=1e-13)
    way = np.cos(1.7 * np.arange(x.size)).reshape(x.shape) * 1e-6
    high, low = (compared("self_similarity", x + step, p) for step in (way, -way))
    assert (gradient * way).sum() == pytest.approx(float(high - low) / 2, rel=1e-5)
    order = np.random.default_rng(0).permutation(len(x))
    assert float(compared("self_similarity", x[order], p[order])) == pytest.approx(value, rel=1e-12)


def test_all_losses_of_hypercolumns_together_have_the_authors_value() -> None:
    """(α c + r + m + p / max(α, 1)) / (α + 2), of colors next to four channels. The authors' matrix
    of colors is float32, which moves the ninth digit."""
    p = np.concatenate([oracle.flat(colors(P)), oracle.flat(P)], 1)

    def total(alpha: float, F: Any) -> Any:
        h = tf.concat([0.5 + 0.4 * F[:, :3], F], 1)
        terms = alpha * compared("self_similarity", h, p) + compared(
            "palette", h[:, :3], p[:, :3]
        ) / (max(alpha, 1.0))
        return (terms + compared("relaxed_emd", h, p) + compared("moments", h, p)) / (alpha + 2)

    expected = {
        16.0: (0.8352256454544564, 0.00184736860838, 0.2449008562025815),
        0.5: (0.22616182679780322, -0.0024901290356987, 0.38473317633880),
    }
    for alpha, wanted in expected.items():
        value, gradient = numbers(lambda F, alpha=alpha: total(alpha, F), oracle.flat(X))
        found = value, gradient[0, 0], np.abs(gradient).sum()
        assert found == pytest.approx(wanted, rel=2e-8)


@pytest.mark.parametrize("name", STROTSS)
def test_losses_of_hypercolumns_of_one_color_are_finite(name: str) -> None:
    p = oracle.flat(colors(P))
    for gray in (0.0, 0.5):
        value, gradient = numbers(
            lambda F: compared(name, F, tf.constant(p, tf.float32)), np.full(p.shape, gray, "f")
        )
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()


def test_hypercolumns_are_bilinear_between_positions_and_gone_on_with_beyond_a_side() -> None:
    """Golden: pixel (3, 5) above is (1.5, 2.5) in a layer of half the size."""
    F = np.sin(0.29 * np.arange(36)).reshape(1, 3, 4, 3)
    where = np.array([[1.5, 2.5], [0, 0], [2, 3], [2.75, 1.25], [0.5, 3.5], [1.5, 2.5]])
    found = hypercolumns.at(tf.constant(F), tf.constant(where)).numpy()
    assert found[0] == pytest.approx(
        [-0.13690927096342675, -0.1505394172586041, -0.1515976782591881], rel=1e-14
    )
    of_scipy = [
        map_coordinates(each, where.T, order=1, mode="nearest") for each in F[0].T.swapaxes(1, 2)
    ]
    np.testing.assert_allclose(found, np.transpose(of_scipy), atol=1e-15)
    parts = [
        hypercolumns.at(tf.constant(F[:, rows]), tf.constant(where), rows.start, 3)
        for rows in (slice(0, 1), slice(1, 3))
    ]
    np.testing.assert_allclose(sum(parts), found, atol=1e-15)
    _, gradient = numbers(
        lambda F: tf.reduce_sum(np.cos(found) * hypercolumns.at(F, tf.constant(where))), F
    )
    # linear, so that its gradient is its transpose
    assert (gradient * F).sum() == pytest.approx((np.cos(found) * found).sum(), rel=1e-12)
    assert not gradient[0, 0, 1].any()  # where no position is near


def test_a_grid_of_hypercolumns_is_torch_s_corner_on_corner() -> None:
    """F.interpolate(bilinear, align_corners=True) of two layers to a quarter of a picture's sides,
    over their channels."""
    for height, width, shape in ((4, 5, (31, 60)), (9, 13, (13, 11))):
        F = np.sin(0.29 * np.arange(height * width * 3)).reshape(1, height, width, 3)
        down, across = shape[0] // 4, shape[1] // 4
        at = np.stack(
            np.meshgrid(
                np.linspace(0, height - 1, down), np.linspace(0, width - 1, across), indexing="ij"
            )
        ).reshape(2, -1)
        expected = [map_coordinates(each, at, order=1) for each in np.moveaxis(F[0], -1, 0)]
        found = hypercolumns.on_grid(tf.constant(F), shape).numpy()
        np.testing.assert_allclose(found, np.transpose(expected) / 3, atol=1e-15)
        parts = [
            hypercolumns.on_grid(tf.constant(F[:, rows]), shape, rows.start, height)
            for rows in (slice(0, 3), slice(3, height))
        ]
        np.testing.assert_allclose(sum(parts), found, atol=1e-15)


def test_positions_of_hypercolumns_are_on_a_grid_and_depend_on_their_numbers() -> None:
    shape = 512, 341  # of 10 times 128² pixels: every third row and every fourth column
    first, again, other, offset = (
        hypercolumns.positions_of_result(shape, 1024, level, draw)
        for level, draw in (((0, 1), (0, 2)), ((0, 1), (0, 2)), ((0, 1), (0, 3)), ((2, 1), (0, 2)))
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape == (1024, 2)
    assert len({tuple(row) for row in first}) < 1024  # rows and columns are drawn apart
    for drawn in (first, other):
        assert {*(drawn[:, 0] % 3)} == {first[0, 0] % 3}
        assert {*(drawn[:, 1] % 4)} == {first[0, 1] % 4}
    assert (first != other).any()
    assert {*(offset[:, 0] % 3), *(offset[:, 1] % 4 + 3)} != {
        *(first[:, 0] % 3),
        *(first[:, 1] % 4 + 3),
    }
    assert len(hypercolumns.positions_of_result((6, 8), 1024, (0,), (1,))) == 48


def test_positions_inside_a_mask_are_drawn_as_often_as_its_square_says() -> None:
    mask = np.zeros((60, 50))
    mask[10:40, 20:30], mask[10:40, 30:40] = 1.0, 0.5
    drawn = hypercolumns.positions_of_painting((60, 50), 5000, [3, 0], mask)
    whole = hypercolumns.positions_of_painting((60, 50), 5000, [3, 0])
    of_result = hypercolumns.positions_of_result((60, 50), 500, [3, 0], [4], mask)
    assert drawn.shape == whole.shape and of_result.shape == (500, 2)
    for found in (drawn, of_result):
        rows, columns = found.T
        assert rows.min() >= 10 and rows.max() < 40 and columns.min() >= 20 and columns.max() < 40
    assert (drawn[:, 1] < 30).mean() == pytest.approx(0.8, abs=0.02)
    again = hypercolumns.positions_of_painting((60, 50), 5000, [3, 0], mask)
    np.testing.assert_array_equal(again, drawn)
    # On the grid of all positions, or beside it where a region is narrower than its steps.
    large = np.zeros((512, 341))
    large[:256] = 1
    grid = hypercolumns.positions_of_result(large.shape, 1024, [0, 1], [0, 2])
    inside = hypercolumns.positions_of_result(large.shape, 1024, [0, 1], [0, 2], large)
    assert {*(inside[:, 1] % 4)} == {*(grid[:, 1] % 4)}
    narrow = np.zeros((512, 341))
    narrow[(int(grid[0, 0]) + 1) % 3, :5] = 1
    few = hypercolumns.positions_of_result(large.shape, 1024, [0, 1], [0, 2], narrow)
    assert len(few) == 1024 and narrow[tuple(few.astype(int).T)].all()


def test_positions_of_a_painting_are_distinct_a_thousand_at_a_time() -> None:
    drawn = hypercolumns.positions_of_painting((50, 60), 2500, [3, 0])
    assert drawn.shape == (2500, 2)
    rounds = [{tuple(row) for row in drawn[at : at + 1000]} for at in (0, 1000, 2000)]
    assert [len(each) for each in rounds] == [1000, 1000, 500]
    assert len(set.union(*rounds)) < 2500
    assert drawn.max(0).tolist() == [49, 59]
    np.testing.assert_array_equal(drawn, hypercolumns.positions_of_painting((50, 60), 2500, [3, 0]))
    assert len(hypercolumns.positions_of_painting((5, 6), 5000, [3, 0])) == 150
