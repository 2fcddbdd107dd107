"""Content, style by Gram matrices, and total variation: pure functions, one per equation, arrays
in, a number out.

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
    scales it (eq. 1).
    """
    squares = tf.reduce_sum(tf.square(F - P))
    return CONTENT_REDUCTIONS[reduction](squares, tf.cast(tf.size(F), F.dtype))


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


def shifted_grams(
    F: Tensor, shifts: Sequence[int], divisor: str = "one", guide: Tensor | None = None
) -> Tensor:
    """Gram matrices [2DN, N] of features [1, h, w, N] with those some positions off, for D shifts
    each down and to the right (Berger and Memisevic 2017, arXiv:1606.01286).

    They are Σ F_k+δ,i F_k,j over the M' positions that have both, and divided as GRAM_DIVISORS says
    for M'. With a guide T [h, w] a pair counts T_k T_k+δ, over their sum; that is ours."""
    places = [(axis, shift) for shift in shifts for axis in (1, 2)]
    X = F if guide is None else F * tf.cast(guide, F.dtype)[None, ..., None]
    N = tf.constant(F.shape[-1], F.dtype)
    found = []
    for (axis, shift), G in zip(places, tf.split(_products(X, places), len(places)), strict=True):
        one, _ = _apart(X, axis, shift)
        divided = GRAM_DIVISORS[divisor](
            N, tf.cast(tf.size(one) / X.shape[-1], F.dtype), guide is not None
        )
        if guide is not None:
            pairs = tf.multiply(*_apart(tf.cast(guide, F.dtype)[None], axis, shift))
            # A narrow mask may hold no pair.
            divided *= tf.maximum(tf.reduce_sum(pairs), 1e-30)
        found.append(G / divided)
    return tf.concat(found, 0)


def _apart(X: Tensor, axis: int, shift: int) -> tuple[Tensor, Tensor]:
    """X without its first `shift` positions along an axis, and without its last ones."""
    if axis == 1:
        return X[:, shift:], X[:, :-shift]
    return X[:, :, shift:], X[:, :, :-shift]


def _products(X: Tensor, places: Sequence[tuple[int, int]]) -> Tensor:
    """Σ_k of X and X off by each of the axes and shifts, undivided [2DN, N].

    They and their gradients are computed one after the other, each from two copies of X, where
    TensorFlow would keep all copies."""

    @tf.custom_gradient
    def products(X: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        N, found = X.shape[-1], list[Tensor]()
        for axis, shift in places:
            with tf.control_dependencies(found[-1:]):
                one, other = (tf.reshape(x, (-1, N)) for x in _apart(X, axis, shift))
                found.append(tf.matmul(one, other, transpose_a=True))

        def gradient(d: Tensor) -> Tensor:
            total = tf.zeros_like(X)
            for (axis, shift), dG in zip(places, tf.split(d, len(places)), strict=True):
                with tf.control_dependencies([total]):
                    one, other = _apart(X, axis, shift)
                    to_one, to_other = tf.matmul(other, dG, transpose_b=True), tf.matmul(one, dG)
                    total += _padded(to_one, axis, (shift, 0)) + _padded(to_other, axis, (0, shift))
            return total

        return tf.concat(found, 0), gradient

    return products(X)


def _padded(x: Tensor, axis: int, zeros: tuple[int, int]) -> Tensor:
    return tf.pad(x, [zeros if each == axis else (0, 0) for each in range(4)])


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


def product(X: Tensor) -> Tensor:
    """XᵀX, whose gradient TensorFlow would compute by two products."""

    @tf.custom_gradient
    def squared(X: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        return gram(X), lambda d: gram_gradient(X, d)

    return squared(X)


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
