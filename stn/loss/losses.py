"""The losses: pure functions, one per equation, arrays in, a number out.

Letters, for one layer: F and P are the features [1, h, w, N] of the generated image and of the
content image. N is the number of channels and M = h w the number of positions. G and A are the
statistics of the generated image and of the style image, such as their Gram matrices [N, N]
(statistics.py). Equations (1) to (7) are those of Gatys, Ecker and Bethge 2016 (CVPR). Other forms
come from the programs named beside them (METHODS.md §2.2)."""

from collections.abc import Callable, Sequence

import numpy as np

from stn.backend import Tensor, tf

# The content loss of a layer, given Σ(F−P)² and NM.
CONTENT_REDUCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "half_sum": lambda squares, size: 0.5 * squares,  # eq. (1)
    "sum": lambda squares, size: squares,  # Keras' example
    "mean": lambda squares, size: squares / size,  # neural-style and others
    # neural-style-tf, content_loss_function 1
    "half_sum_over_sqrt_nm": lambda squares, size: squares / (2 * tf.sqrt(size)),
}


def content(F: Tensor, P: Tensor, reduction: str = "half_sum") -> Tensor:
    """Content loss of one layer, from features [1, h, w, N]: Σ(F−P)² as one of CONTENT_REDUCTIONS
    scales it (eq. 1); or of hypercolumns [n, N], one of CONTENT_OF_HYPERCOLUMNS.
    """
    if reduction in CONTENT_OF_HYPERCOLUMNS:
        return CONTENT_OF_HYPERCOLUMNS[reduction](F, P)
    squares = tf.reduce_sum(tf.square(F - P))
    return CONTENT_REDUCTIONS[reduction](squares, tf.cast(tf.size(F), F.dtype))


# Columns of a self-similarity whose sum, over n, is below this are taken to have it. Ours: float32
# rounds a cosine distance of zero to so much.
LEAST_DISTANCE = 1e-6


def self_similarity(X: Tensor, Y: Tensor) -> Tensor:
    """n · mean |D_ij / Σ_i D_ij − D'_ij / Σ_i D'_ij| of the cosine distances D within X [n, N] and
    D' within Y [n, N'] (nkolkin13/STROTSS, contextual_loss.py; without n that of Kolkin et al.
    2019).
    """
    shares = []
    for each in (X, Y):
        D = 1 - _product(tf.transpose(unit_rows(each)))
        n = tf.cast(tf.shape(D)[0], D.dtype)
        shares.append(D / tf.maximum(tf.reduce_sum(D, 0, keepdims=True), LEAST_DISTANCE * n))
    return n * tf.reduce_mean(tf.abs(shares[0] - shares[1]))


# Content losses of hypercolumns of the generated image and of the content, at the same positions.
CONTENT_OF_HYPERCOLUMNS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "self_similarity": self_similarity,
}


# What a Gram matrix is divided by, given N, M and whether its features carry a guide. Guided
# features have been divided by M already.
GRAM_DIVISORS: dict[str, Callable[[Tensor, Tensor, bool], Tensor]] = {
    "one": lambda N, M, guided: 1 / M if guided else tf.ones_like(M),  # nothing, as printed
    # With M the painting and the photograph may differ in size.
    "m": lambda N, M, guided: tf.ones_like(M) if guided else M,
    "nm": lambda N, M, guided: N if guided else N * M,
}


def gram(
    F: Tensor, divisor: str = "one", guided: bool = False, positions: int | None = None
) -> Tensor:
    """Gram matrix [N, N] of features [1, h, w, N] or [M, N]: G_ij = Σ_k F_ik F_jk, eq. (3).

    It is divided as GRAM_DIVISORS says. Where F holds only some rows of a picture with M =
    `positions`, the result is what those rows add to the picture's matrix."""
    F = tf.reshape(F, (-1, F.shape[-1]))  # [M, N]
    return tf.matmul(F, F, transpose_a=True) / _divisor(F, divisor, guided, positions)


def gram_gradient(
    F: Tensor, dG: Tensor, divisor: str = "one", guided: bool = False, positions: int | None = None
) -> Tensor:
    """The gradient with respect to F of a loss whose gradient with respect to `gram(F, divisor)` is
    dG [N, N]: F (dG + dGᵀ), divided as the matrix is.
    """
    flat = tf.reshape(F, (-1, F.shape[-1]))  # [M, N]
    slope = (dG + tf.transpose(dG)) / _divisor(flat, divisor, guided, positions)
    return tf.reshape(tf.matmul(flat, slope), tf.shape(F))


def _divisor(F: Tensor, divisor: str, guided: bool, positions: int | None) -> Tensor:
    M, N = tf.unstack(tf.cast(tf.shape(F), F.dtype))
    if positions is not None:
        M = tf.constant(positions, F.dtype)
    return GRAM_DIVISORS[divisor](N, M, guided)


# The style loss of a layer, given Σ(G−A)², the sides N and N' of the matrices, and S, the positions
# (height × width) of the generated image.
STYLE_REDUCTIONS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    "sum": lambda squares, rows, N, S: squares,  # Johnson et al. 2016, eq. (4)
    "mean": lambda squares, rows, N, S: squares / (rows * N),  # neural-style, the authors' code
    # With the divisor M this is eq. (4), Σ(G−A)² / (4N²M²).
    "sum_over_4n2": lambda squares, rows, N, S: squares / (4 * rows * N),
    "sum_over_36s2": lambda squares, rows, N, S: squares / (4 * 3**2 * S**2),  # Keras' example
}


def style(G: Tensor, A: Tensor, reduction: str = "sum_over_4n2", positions: Tensor = 1.0) -> Tensor:
    """Style loss of one layer, from two matrices [N, N'] that have been divided already: Σ(G−A)² as
    one of STYLE_REDUCTIONS scales it.
    """
    squares = tf.reduce_sum(tf.square(G - A))
    rows, N = (tf.cast(side, G.dtype) for side in G.shape)
    return STYLE_REDUCTIONS[reduction](squares, rows, N, tf.cast(positions, G.dtype))


def principal_components(A: Tensor, count: int) -> Tensor | None:
    """The eigenvectors [N, `count`] of a matrix A [N, N] with the largest eigenvalues; None for all
    of them, where `count` is N or more (Gatys, Ecker and Bethge 2015 (NIPS), figure 3).

    Of a Gram matrix they are the features' principal components without their mean taken out, of a
    covariance with it."""
    if count >= A.shape[-1]:
        return None
    return tf.constant(np.linalg.eigh(A)[1][:, -count:])


def reduced(G: Tensor, V: Tensor) -> Tensor:
    """VᵀGV: the matrix of features F V, where G [N, N] is that of F."""
    return tf.matmul(V, tf.matmul(G, V), transpose_a=True)


def sum_of_squares(G: Tensor, A: Tensor) -> Tensor:
    """Σ(G−A)²; of two means [1, N] the MMD² of the linear kernel (Li et al. 2017)."""
    return tf.reduce_sum(tf.square(G - A))


def mean_over_channels(G: Tensor, A: Tensor) -> Tensor:
    """(1/N) Σ(G−A)² of statistics [·, N] (Li et al. 2017, "batch norm statistics")."""
    return sum_of_squares(G, A) / tf.cast(G.shape[-1], G.dtype)


def gaussian_mmd(X: Tensor, Y: Tensor, gamma: Tensor | None = None) -> Tensor:
    """MMD² between samples [n, N] with the kernel exp(−γ|x−y|²), every pair counted (Li et al.
    2017).

    `gamma` is None for 1 / the mean of |y−y'|² over the pairs of Y, which the generated image does
    not change."""
    if gamma is None:
        # Of a painting of one color the mean is zero.
        gamma = 1 / tf.maximum(tf.reduce_mean(_distances(Y, Y)), 1e-12)
    same, cross, other = (
        tf.reduce_mean(tf.exp(-gamma * _distances(*pair))) for pair in ((X, X), (X, Y), (Y, Y))
    )
    return same + other - 2 * cross


def _distances(X: Tensor, Y: Tensor) -> Tensor:
    squares = tf.reduce_sum(tf.square(X), 1)[:, None] + tf.reduce_sum(tf.square(Y), 1)[None]
    # Rounding may leave a square below zero.
    return tf.nn.relu(squares - 2 * tf.matmul(X, Y, transpose_b=True))


def sorted_projections(F: Tensor, directions: Tensor) -> Tensor:
    """The features [M, N] projected on `directions` [D, N], each row sorted: [D, M]."""
    return sorted_rows(tf.matmul(directions, F, transpose_b=True))


def sorted_rows(p: Tensor) -> Tensor:
    """Each row of p [D, M], sorted.

    NumPy sorts, since on a CPU TensorFlow's sort takes many times longer. Which of equal
    numbers has which rank is left open: nearly all are zeros, whose gradient a ReLU stops."""

    @tf.custom_gradient
    def ordered(p: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        def gradient(d_sorted: Tensor) -> Tensor:
            back = tf.numpy_function(_unsorted, [p, d_sorted], p.dtype, stateful=False)
            return tf.ensure_shape(back, p.shape)

        sorted_rows = tf.numpy_function(_sorted, [p], p.dtype, stateful=False)
        return tf.ensure_shape(sorted_rows, p.shape), gradient

    return ordered(p)


def _sorted(p: np.ndarray) -> np.ndarray:
    return np.sort(p, axis=-1)


def _unsorted(p: np.ndarray, d_sorted: np.ndarray) -> np.ndarray:
    back = np.empty_like(d_sorted)
    np.put_along_axis(back, np.argsort(p, axis=-1), d_sorted, axis=-1)
    return back


def sliced_wasserstein(G: Tensor, A: Tensor) -> Tensor:
    """The mean of (G − A)² over directions and ranks of sorted projections [D, M] and [D, M']
    (Heitz et al. 2021).

    Where M is a multiple of M' each value of A counts several times, as in the authors' program.
    Otherwise A is linear between the middles of its ranks; ours."""
    M, given = G.shape[-1], A.shape[-1]
    if M % given == 0:
        return tf.reduce_mean(tf.square(G - tf.repeat(A, M // given, axis=-1)))
    place = np.clip((np.arange(M) + 0.5) * given / M - 0.5, 0, given - 1)
    low = np.minimum(place.astype(int), given - 2)
    share = tf.constant(place - low, A.dtype)
    at = (1 - share) * tf.gather(A, low, axis=-1) + share * tf.gather(A, low + 1, axis=-1)
    return tf.reduce_mean(tf.square(G - at))


# Li and Wand 2016, section 3; chuanli11/CNNMRF, mrf_patch_size
PATCH = 3
# How many scores of patches are in memory at a time; ours.
SCORES = 2**22


def patches(F: Tensor, styles: Sequence[Tensor], stride: int = 2) -> Tensor:
    """½ Σ |a − t|² over 3 × 3 patches a of F, each number over the patches it is in.

    t is the patch of all `styles` whose cosine with a is largest, and a constant. So the gradient
    is F minus the mean of the patches t laid over each other (Li and Wand 2016, eq. (2);
    chuanli11/CNNMRF, mylib/mrf.lua). Patches lie `stride` positions apart; the last ones end at the
    rim.

    F and the styles are [1, h, w, N + 1]. The last channel of F is the root of what a patch in the
    middle of which it stands counts, 1 without a mask. A style's patch is searched where that of
    its middle is at least half the largest. That is ours, as are masks."""
    F, weight = F[..., :-1], tf.square(_middles(F[..., -1:], stride))
    a = patches_of(F, stride)
    candidates = tf.concat([patches_of(S[..., :-1], stride) for S in styles], 0)
    inside = [_middles(S[..., -1:], stride) >= tf.reduce_max(S[..., -1]) / 2 for S in styles]
    t = tf.gather(candidates, nearest_rows(a, candidates, tf.concat(inside, 0)))
    counts = np.outer(*(np.bincount(_places(side, stride).ravel()) for side in F.shape[1:3]))
    over = patches_of(tf.constant(1 / counts[None, ..., None], F.dtype), stride)  # [n, 9]
    squares = tf.reduce_sum(tf.reshape(tf.square(a - t), (*over.shape, -1)), -1)  # [n, 9, N]
    return 0.5 * tf.reduce_sum(weight[:, None] * over * squares)


def _places(side: int, stride: int) -> np.ndarray:
    """The positions [PATCH, n] of the n patches along a side: its first ones, its second ones …"""
    last = side - PATCH
    starts = np.unique([*range(0, last, stride), last])
    return np.arange(PATCH)[:, None] + starts


def patches_of(F: Tensor, stride: int) -> Tensor:
    """The patches [n, 9N] of features [1, h, w, N], row by row."""
    down, across = (_places(side, stride) for side in F.shape[1:3])
    parts = [
        tf.gather(rows, columns, axis=1)
        for rows in (tf.gather(F[0], each) for each in down)
        for columns in across
    ]
    return tf.reshape(tf.concat(parts, -1), (down.shape[1] * across.shape[1], -1))


def _middles(F: Tensor, stride: int) -> Tensor:
    """The numbers [n] in the middles of the patches of one channel [1, h, w, 1]."""
    down, across = (_places(side, stride)[PATCH // 2] for side in F.shape[1:3])
    return tf.reshape(tf.gather(tf.gather(F[0, ..., 0], down), across, axis=1), (-1,))


def nearest(X: Tensor, styles: Sequence[Tensor]) -> Tensor:
    """mean_i min_j of the cosine distance of X_i and Y_j, both less their own means, of X [n, N]
    and the rows Y of all `styles` [n', N].

    Matches are constants (Kolkin et al. 2022, arXiv:2203.13215, "feature splitting"; nkolkin13/
    NeuralNeighborStyleTransfer, utils/stylize.py)."""
    Y = tf.concat(styles, 0)
    x, y = (each - tf.reduce_mean(each, 0) for each in (X, Y))
    matched = tf.gather(y, nearest_rows(x, y))
    cosines = unit_rows(x) * unit_rows(matched)
    return tf.reduce_mean(1 - tf.reduce_sum(cosines, 1))


def nearest_rows(a: Tensor, candidates: Tensor, allowed: Tensor | None = None) -> Tensor:
    """For each row of a [n, K] the row of `candidates` [n', K] whose cosine with it is largest, one
    of those `allowed` [n'] if there are some.
    """
    a, candidates = tf.stop_gradient(a), tf.stop_gradient(candidates)
    # 1e-8: a row of zeros alone has no direction, and no cosine but zero.
    units = candidates / (tf.norm(candidates, axis=1, keepdims=True) + 1e-8)
    count, step = a.shape[0], max(1, SCORES // candidates.shape[0])
    # Scores are cosines times the row's length; these are below them all.
    barred = None if allowed is None else tf.where(allowed, tf.zeros((), a.dtype), -4)
    lengths = tf.norm(a, axis=1, keepdims=True) + 1e-8

    def of_some(number: Tensor, found: tf.TensorArray) -> tuple[Tensor, tf.TensorArray]:
        part = slice(number * step, (number + 1) * step)
        scores = tf.matmul(a[part], units, transpose_b=True)
        if barred is not None:
            scores += barred * lengths[part]
        best = tf.argmax(scores, 1, tf.int32)
        return number + 1, found.write(number, best)

    parts = -(-count // step)
    found = tf.TensorArray(tf.int32, parts, infer_shape=False, element_shape=(None,))
    _, found = tf.while_loop(
        lambda number, _: number < parts, of_some, (tf.constant(0), found), parallel_iterations=1
    )
    return tf.ensure_shape(found.concat(), (count,))


def unit_rows(X: Tensor) -> Tensor:
    """The rows of X [n, N] over their lengths; a row of zeros stays."""
    return tf.math.l2_normalize(X, 1)


def relaxed_emd(X: Tensor, Y: Tensor) -> Tensor:
    """The relaxed earth mover's distance of two sets of `unit_rows`, [n, N] and [m, N], by the
    cosine distance C: max(mean_i min_j C_ij, mean_j min_i C_ij) (Kolkin et al. 2019,
    arXiv:1904.12785).

    For the gradient the pairs found are constants."""
    C = 1 - tf.matmul(X, Y, transpose_b=True)
    return _relaxed(C, X, Y, lambda x, y: 1 - tf.reduce_sum(x * y, 1))


# YUV-like colors from red, green and blue, orthonormal: nkolkin13/STROTSS, utils.py.
DECORRELATED = np.array(
    [[0.57735, 0.57735, 0.57735], [-0.57735, 0.788675, -0.211325], [-0.57735, -0.211325, 0.788675]]
)
# Squares of a distance of colors stay between these; the same, contextual_loss.py.
LEAST_SQUARE, LARGEST_SQUARE = 1e-5, 1e5


def palette(X: Tensor, Y: Tensor) -> Tensor:
    """The relaxed earth mover's distance of colors [n, 3] and [m, 3], red, green and blue in 0-1.

    Its cost is the cosine distance plus √(|x − y|² / 3) of decorrelated colors."""
    x, y = (tf.matmul(each, tf.constant(DECORRELATED.T, each.dtype)) for each in (X, Y))

    def cost(x: Tensor, y: Tensor) -> Tensor:
        squares = tf.reduce_sum(tf.square(x - y), -1)
        squares = tf.clip_by_value(squares, LEAST_SQUARE, LARGEST_SQUARE)
        cosine = tf.reduce_sum(unit_rows(x) * unit_rows(y), -1)
        return 1 - cosine + tf.sqrt(squares / 3)

    cosines = tf.matmul(unit_rows(x), unit_rows(y), transpose_b=True)
    squares = tf.clip_by_value(_distances(x, y), LEAST_SQUARE, LARGEST_SQUARE)
    return _relaxed(1 - cosines + tf.sqrt(squares / 3), x, y, cost)


def _relaxed(C: Tensor, X: Tensor, Y: Tensor, cost: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The larger mean of the least costs in rows and in columns of C [n, m]; `cost` gives those of
    pairs [k, N], which have a gradient.
    """
    nearest, back = (tf.argmin(C, axis, tf.int32) for axis in (1, 0))
    one = tf.reduce_mean(cost(X, tf.gather(Y, nearest)))
    other = tf.reduce_mean(cost(tf.gather(X, back), Y))
    return tf.maximum(one, other)


def mean_and_covariance(X: Tensor) -> Tensor:
    """Mean and covariance [1 + N, N] of the rows of X [n, N], both over n."""
    mean = tf.reduce_mean(X, 0, keepdims=True)
    return tf.concat([mean, _product(X - mean) / tf.cast(tf.shape(X)[0], X.dtype)], 0)


def _product(X: Tensor) -> Tensor:
    """XᵀX, whose gradient TensorFlow would compute by two products."""

    @tf.custom_gradient
    def product(X: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        return gram(X), lambda d: gram_gradient(X, d)

    return product(X)


def moments(G: Tensor, A: Tensor) -> Tensor:
    """mean |μ − μ'| + mean |K − K'| of two `mean_and_covariance` (Kolkin et al. 2019)."""
    difference = tf.abs(G - A)
    return tf.reduce_mean(difference[0]) + tf.reduce_mean(difference[1:])


# Added to the diagonal of both covariances: crowsonkb/style-transfer-pytorch, StyleLossW2.
COVARIANCE_EPSILON = 1e-4


def wasserstein2(
    G: Tensor, A: Tensor, roots: Callable[[Tensor, Tensor], Tensor] | None = None
) -> Tensor:
    """The squared Wasserstein distance of two normal distributions, over N:
    (|μ − μ'|² + tr(K + K' − 2 (K'^½ K K'^½)^½)) / N.

    G and A are the mean second moments [N + 1, N + 1] of features with a channel of ones, which
    hold covariance K and mean μ. `roots` gives the trace of the last term from K' and K; None is
    `trace_of_root`."""
    (mean, K), (other_mean, other_K) = _normal(G), _normal(A)
    roots = roots or trace_of_root
    bures = tf.linalg.trace(K) + tf.linalg.trace(other_K) - 2 * roots(other_K, K)
    squares = tf.reduce_sum(tf.square(mean - other_mean))
    return (squares + bures) / tf.cast(mean.shape[0], G.dtype)


def _normal(G: Tensor) -> tuple[Tensor, Tensor]:
    """The mean [N] and the covariance [N, N] that are in second moments."""
    mean, second = G[:-1, -1], G[:-1, :-1]
    diagonal = COVARIANCE_EPSILON * tf.eye(mean.shape[0], dtype=G.dtype)
    return mean, second - mean[:, None] * mean[None] + diagonal


def trace_of_root(A: Tensor, K: Tensor) -> Tensor:
    """tr (A^½ K A^½)^½ of covariances [N, N] with COVARIANCE_EPSILON on their diagonal, exactly.

    With A = L Lᵀ the eigenvalues of Lᵀ K L are those below the outer root. In float64, since they
    range over twelve decades."""
    A64 = tf.cast(A, tf.float64)
    L = tf.ensure_shape(tf.numpy_function(_factor, [A64], tf.float64, stateful=False), A.shape)
    B = tf.matmul(L, tf.matmul(tf.cast(K, tf.float64), L), transpose_a=True)

    @tf.custom_gradient
    def trace(B: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        found, slope = tf.numpy_function(
            _trace_of_root, [B], (tf.float64, tf.float64), stateful=False
        )
        return tf.ensure_shape(found, ()), lambda d: d * tf.ensure_shape(slope, B.shape)

    return tf.cast(trace(B), A.dtype)


def _factor(A: np.ndarray) -> np.ndarray:
    """L of A = L Lᵀ; eigenvalues that rounding took below the epsilon have it again.

    Large features are summed up in float32, whose last digits are larger than the epsilon."""
    try:
        return np.linalg.cholesky(A)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(A)
        return vectors * np.sqrt(np.maximum(values, COVARIANCE_EPSILON))


def _trace_of_root(B: np.ndarray) -> tuple[np.float64, np.ndarray]:
    """tr B^½ of a symmetric B, and its gradient, ½ B^-½."""
    values, vectors = np.linalg.eigh(B)
    # None is less but by rounding: both covariances have their epsilon.
    least = COVARIANCE_EPSILON**2
    roots = np.sqrt(np.maximum(values, least))
    slopes = np.where(values > least / 2, 0.5 / roots, 0.0)
    return roots.sum(), (vectors * slopes) @ vectors.T


# crowsonkb/style-transfer-pytorch, sqrtm_ns_lyap's num_iters
NEWTON_SCHULZ_STEPS = 12


def trace_of_stepped_root(A: Tensor, K: Tensor) -> Tensor:
    """tr (A^½ K A^½)^½ of covariances [N, N] with the roots of `newton_schulz_root`, as
    crowsonkb/style-transfer-pytorch computes it.
    """
    root = newton_schulz_root(A)
    return tf.linalg.trace(newton_schulz_root(tf.matmul(root, tf.matmul(K, root))))


def newton_schulz_root(A: Tensor) -> Tensor:
    """The square root of a matrix [N, N] with eigenvalues above zero, by NEWTON_SCHULZ_STEPS steps.

    They start from A / |A| (Frobenius) and do not converge where eigenvalues are far smaller than
    the largest. The gradient solves Lyapunov's equation by as many steps (Lin and Maji 2017,
    arXiv:1707.06772)."""

    @tf.custom_gradient
    def root(A: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        three = 3 * tf.eye(A.shape[0], dtype=A.dtype)
        size = tf.norm(A)
        Y, Z = A / size, three / 3
        for _ in range(NEWTON_SCHULZ_STEPS):
            half = (three - tf.matmul(Z, Y)) / 2
            Y, Z = tf.matmul(Y, half), tf.matmul(half, Z)
        found = Y * tf.sqrt(size)

        def gradient(d: Tensor) -> Tensor:
            size = tf.norm(found)
            X, Q = found / size, d / size
            for _ in range(NEWTON_SCHULZ_STEPS):
                rest = three - tf.matmul(X, X)
                turned = tf.matmul(X, Q, transpose_a=True) - tf.matmul(Q, X)
                Q = (tf.matmul(Q, rest) - tf.matmul(X, turned, transpose_a=True)) / 2
                X = tf.matmul(X, rest) / 2
            return Q / 2

        return found, gradient

    return root(A)


def _differences(image: Tensor) -> tuple[Tensor, Tensor]:
    """Δy and Δx between neighbors down and across."""
    return image[:, 1:] - image[:, :-1], image[:, :, 1:] - image[:, :, :-1]


def _over_both(of: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The sum of a number of Δy and of Δx."""

    def both(image: Tensor) -> Tensor:
        dy, dx = _differences(image)
        return of(dy) + of(dx)

    return both


def _power(image: Tensor) -> Tensor:
    dy, dx = _differences(image)
    return tf.reduce_sum((tf.square(dy[:, :, :-1]) + tf.square(dx[:, :-1])) ** 1.25)


def _nine_point(image: Tensor) -> Tensor:
    """⅔ (Σ Δy² + Σ Δx²) / HW + ⅙ Σ (both diagonals' Δ²) / (H+1)(W+1), over the channels, with the
    rim's pixels once more around the picture.
    """
    padded = tf.pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    down, up = padded[:, 1:, 1:] - padded[:, :-1, :-1], padded[:, 1:, :-1] - padded[:, :-1, 1:]
    straight = _over_both(lambda d: tf.reduce_sum(tf.square(d)))(image)
    diagonal = tf.reduce_mean(tf.square(down)) + tf.reduce_mean(tf.square(up))
    return 2 / 3 * straight / tf.cast(tf.size(image), image.dtype) + diagonal / 6


# Total variation of an image, from the differences Δy and Δx of neighbors down and across.
TOTAL_VARIATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda image: tf.zeros((), image.dtype),
    # Σ|Δ|: neural-style-pt, neural-style-tf, TensorFlow's tutorial
    "absolute": _over_both(lambda d: tf.reduce_sum(tf.abs(d))),
    # Σ(Δx²+Δy²): Johnson et al. 2016
    "squared": _over_both(lambda d: tf.reduce_sum(tf.square(d))),
    # ½ (mean |Δy| + mean |Δx|): Dive into Deep Learning
    "mean_absolute": lambda image: 0.5 * _over_both(lambda d: tf.reduce_mean(tf.abs(d)))(image),
    # mean Δy² + mean Δx²: anishathalye's neural-style, the tutorial's course variant
    "mean_squared": _over_both(lambda d: tf.reduce_mean(tf.square(d))),
    # Σ(Δx²+Δy²)^1.25 over the common window (H−1) × (W−1): Keras' example
    "power": _power,
    # crowsonkb/style-transfer-pytorch, TVLoss
    "nine_point": _nine_point,
}


def total_variation(image: Tensor, form: str) -> Tensor:
    """Total variation of `image` [1, H, W, 3], in one of the forms of TOTAL_VARIATIONS."""
    return TOTAL_VARIATIONS[form](image)
