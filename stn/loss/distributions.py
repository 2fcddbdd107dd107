"""Distances of two distributions of features: by kernels, by sorted values, and of normal ones.

X and Y are samples [n, N] of the generated image and of the style; G and A what a statistic keeps
of them (statistics.py)."""

from collections.abc import Callable

import numpy as np

from stn.backend import Tensor, tf


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
        gamma = 1 / tf.maximum(tf.reduce_mean(squared_distances(Y, Y)), 1e-12)
    same, cross, other = (
        tf.reduce_mean(tf.exp(-gamma * squared_distances(*pair)))
        for pair in ((X, X), (X, Y), (Y, Y))
    )
    return same + other - 2 * cross


def squared_distances(X: Tensor, Y: Tensor) -> Tensor:
    """|x−y|² [n, m] of the rows of X [n, N] and of Y [m, N]."""
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
    for row, own, given in zip(back, p, d_sorted, strict=True):
        # The least are often half of all, zeros, and argsort takes several times as long with them.
        above = own > own.min()
        least = own.size - np.count_nonzero(above)
        if least == 1:  # as among projections
            row[np.argsort(own)] = given
        else:
            row[~above] = given[:least]
            row[np.flatnonzero(above)[np.argsort(own[above])]] = given[least:]
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
