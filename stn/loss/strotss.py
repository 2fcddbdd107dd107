"""STROTSS, style transfer by relaxed optimal transport and self-similarity: losses of sets of
hypercolumns [n, N] (hypercolumns.py).

Kolkin, Salavon and Shakhnarovich 2019 (CVPR), arXiv:1904.12785."""

from collections.abc import Callable

import numpy as np

from stn.backend import Tensor, tf
from stn.loss import distributions, losses, neighbors


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
        cosine = tf.reduce_sum(neighbors.unit_rows(x) * neighbors.unit_rows(y), -1)
        return 1 - cosine + tf.sqrt(squares / 3)

    cosines = tf.matmul(neighbors.unit_rows(x), neighbors.unit_rows(y), transpose_b=True)
    squares = tf.clip_by_value(distributions.squared_distances(x, y), LEAST_SQUARE, LARGEST_SQUARE)
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
    return tf.concat([mean, losses.product(X - mean) / tf.cast(tf.shape(X)[0], X.dtype)], 0)


def moments(G: Tensor, A: Tensor) -> Tensor:
    """mean |μ − μ'| + mean |K − K'| of two `mean_and_covariance` (Kolkin et al. 2019)."""
    difference = tf.abs(G - A)
    return tf.reduce_mean(difference[0]) + tf.reduce_mean(difference[1:])


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
        D = 1 - losses.product(tf.transpose(neighbors.unit_rows(each)))
        n = tf.cast(tf.shape(D)[0], D.dtype)
        shares.append(D / tf.maximum(tf.reduce_sum(D, 0, keepdims=True), LEAST_DISTANCE * n))
    return n * tf.reduce_mean(tf.abs(shares[0] - shares[1]))


# Content losses of hypercolumns of the generated image and of the content, at the same positions.
CONTENT_REDUCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "self_similarity": self_similarity,
}
