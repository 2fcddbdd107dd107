"""Losses of features and what they are matched with in the style: patches and positions.

The matches are those of the largest cosine, and constants for the gradient."""

from collections.abc import Sequence

import numpy as np

from stn.backend import Tensor, tf

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
    """mean_i min_j of the cosine distance of X_i and Y_j, both less their own means.

    They are rows of X [n, N + 1] and of all `styles` [n', N + 1], whose last number says what one
    counts. Matches are constants (Kolkin et al. 2022, arXiv:2203.13215, "feature splitting";
    nkolkin13/NeuralNeighborStyleTransfer, utils/stylize.py). What counts is the square of a guide,
    and rows of a style are searched where it is at least half the largest; ours, as are masks."""
    X, weight = _parted(X)
    inside = tf.concat([_inside(Y) for Y in styles], 0)
    Y, of_Y = _parted(tf.concat(styles, 0))
    x, y = X - _mean(X, weight), Y - _mean(Y, of_Y)
    return cosine_distance(x, tf.gather(y, nearest_rows(x, y, inside)), weight)


def replaced(X: Tensor, styles: Sequence[Tensor]) -> Tensor:
    """For each row of X [n, N + 1] the row [N] of all `styles` [n', N + 1] at the smallest angle,
    both less their own means.

    Weights are as in `nearest` (Kolkin et al. 2022, arXiv:2203.13215;
    nkolkin13/NeuralNeighborStyleTransfer, utils/stylize.py, replace_features)."""
    X, weight = _parted(X)
    sums = [(tf.reduce_sum(w[:, None] * Y, 0), tf.reduce_sum(w)) for Y, w in map(_parted, styles)]
    mean = tf.add_n([each for each, _ in sums]) / tf.add_n([count for _, count in sums])
    x = X - _mean(X, weight)
    found, best = tf.zeros_like(X), tf.fill((X.shape[0],), tf.cast(-2, X.dtype))  # below a cosine
    for style in styles:  # one by one, since they are large
        Y, _ = _parted(style)
        rows = tf.gather(Y, nearest_rows(x, Y - mean, _inside(style)))
        cosine = tf.reduce_sum(unit_rows(x) * unit_rows(rows - mean), 1)
        found = tf.where((cosine > best)[:, None], rows, found)
        best = tf.maximum(cosine, best)
    return found


def from_replaced(X: Tensor, found: Tensor) -> Tensor:
    """The mean of the cosine distances of the rows of X [n, N + 1], which count as its last numbers
    say, and of what `replaced` gave for them, [n, N] (Kolkin et al. 2022).
    """
    X, weight = _parted(X)
    return cosine_distance(X, found, weight)


def cosine_distance(X: Tensor, Y: Tensor, weight: Tensor) -> Tensor:
    """The mean of the cosine distances of X_i and Y_i, rows of [n, N], by their `weight` [n]."""
    return _mean(1 - tf.reduce_sum(unit_rows(X) * unit_rows(Y), 1), weight)


def _parted(X: Tensor) -> tuple[Tensor, Tensor]:
    """The rows [n, N] and what they count [n], of both [n, N + 1]."""
    return X[:, :-1], X[:, -1]


def _inside(Y: Tensor) -> Tensor:
    """Whether the rows of a style [n, N + 1] are searched."""
    return Y[:, -1] >= tf.reduce_max(Y[:, -1]) / 4


def _mean(X: Tensor, weight: Tensor) -> Tensor:
    """Σ w_i X_i / Σ w_i of the rows, or numbers, of X; 0 where none counts."""
    of_rows = tf.reshape(weight, (-1, *[1] * (len(X.shape) - 1)))
    # Of a grid that misses a narrow region no position counts; 1e-12 is below all that do.
    return tf.reduce_mean(of_rows * X, 0) / tf.maximum(tf.reduce_mean(weight), 1e-12)


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
