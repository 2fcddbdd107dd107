"""The losses: pure functions, one per equation, arrays in, a number out.

Letters, for one layer: F and P are the features [1, h, w, N] of the generated image and of the
content image, N the channels, M = h w the positions, G and A the Gram matrices [N, N] of the
generated image and of the style image, or another of their statistics. Numbers (1) … (7) are the
equations of Gatys, Ecker and Bethge 2016 (CVPR); the other forms are those of the programs named
beside them, as METHODS.md §2.2 lists them."""

from typing import Any

import numpy as np

from stn.backend import tf


def content(F: Any, P: Any, reduction: str = "half_sum") -> Any:
    """Content loss of one layer.

    half_sum: ½ Σ(F−P)², eq. (1). sum: Σ(F−P)² (Keras' example). mean: Σ(F−P)² / (NM) (neural-style
    and others). half_sum_over_sqrt_nm: Σ(F−P)² / (2 √N √M) (neural-style-tf, content_loss_function
    1)."""
    squares = tf.reduce_sum(tf.square(F - P))
    size = tf.cast(tf.size(F), F.dtype)  # N M
    if reduction == "half_sum":
        return 0.5 * squares
    if reduction == "sum":
        return squares
    if reduction == "mean":
        return squares / size
    if reduction == "half_sum_over_sqrt_nm":
        return squares / (2 * tf.sqrt(size))
    raise ValueError(f"unknown content reduction {reduction!r}")


def statistic(
    F: Any, name: str = "gram", divisor: str = "one", shift: float = 0.0, T: Any = None
) -> Any:
    """What a style loss compares, of features [1, h, w, N].

    gram: the Gram matrix [N, N], eq. (3), of F + `shift` (Novak & Nikulin 2016, section 3.3: −1).
    covariance: that of F − mean. polynomial: [N + 1, N + 1], that of F with a channel of ones,
    whose summed squares are the MMD² of the kernel (xᵀy + 1)² (Li et al. 2017). mean: [1, N];
    mean_std: [2, N], the channels' means and deviations (Li et al. 2017). gaussian: [SAMPLES, N],
    features at evenly drawn positions.

    A guide `T` [h, w] with ΣT² = 1 weighs position k by T_k², where each has 1/M without (Gatys et
    al. 2017, guided Gram matrices). guided_mean: [1, N], Σ T_k F_k / √M (their code's "guided
    sums", MeanMSEGuided)."""
    if name in GRAMS:
        return gram(features_of_gram(F, name, shift, T), divisor, guided=T is not None)
    flat = tf.reshape(F, (-1, F.shape[-1]))  # [M, N]
    if name == "guided_mean":
        root = tf.sqrt(tf.cast(tf.shape(flat)[0], F.dtype))
        return (
            tf.reduce_mean(flat, 0)
            if T is None
            else tf.reduce_sum(flat * _flat(T)[:, None], 0) / root
        )[None]
    if name == "gaussian":
        return tf.gather(flat, positions_drawn(flat.shape[0]))
    mean = _mean(flat, T)
    if name == "mean":
        return mean[None]
    if name == "mean_std":
        variance = _mean(tf.square(flat - mean), T)
        positive = variance > 0  # where it is zero the root has no slope
        return tf.stack([mean, tf.where(positive, tf.sqrt(tf.where(positive, variance, 1.0)), 0.0)])
    raise ValueError(f"unknown style statistic {name!r}")


# The statistics that are a Gram matrix of features changed beforehand.
GRAMS = ("gram", "covariance", "polynomial")
# Those in which each position counts by itself, so that the matrices of some rows and of the others
# add up.
GRAMS_OF_ROWS = ("gram", "polynomial")


def features_of_gram(F: Any, name: str, shift: float = 0.0, T: Any = None) -> Any:
    """The features of which the statistic `name`, one of GRAMS, is the Gram matrix: F itself, or
    changed [M, N].
    """
    if name == "gram" and not shift and T is None:
        return F
    flat = tf.reshape(F, (-1, F.shape[-1]))  # [M, N]
    if name == "covariance":
        flat -= _mean(flat, T)
    if name == "polynomial":
        flat = tf.concat([flat, tf.ones_like(flat[:, :1])], 1)
    if name == "gram":
        flat += shift
    return flat if T is None else flat * _flat(T)[:, None]


def chain(F: Any, before: Any, shift: float = 0.0) -> Any:
    """Gram matrix [N', N] over M' between features F [1, h, w, N] and those of the layer before,
    [1, h', w', N'].

    F is enlarged to the M' = h' w' positions by its nearest (Novak & Nikulin 2016, section 3.5).
    """
    height, width = before.shape[1:3]
    rows, columns = (
        np.arange(side) * small // side
        for side, small in ((height, F.shape[1]), (width, F.shape[2]))
    )
    enlarged = tf.gather(tf.gather(F, rows, axis=1), columns, axis=2)
    flat, flat_before = (tf.reshape(x, (-1, x.shape[-1])) + shift for x in (enlarged, before))
    return tf.matmul(flat_before, flat, transpose_a=True) / tf.cast(height * width, F.dtype)


def gram(F: Any, divisor: str = "one", guided: bool = False, positions: int | None = None) -> Any:
    """Gram matrix [N, N] of features [1, h, w, N] or [M, N]: G_ij = Σ_k F_ik F_jk, eq. (3), over
    its `gram_divisor`.

    Features that carry a guide, `guided`, have been divided by M already. Of features that are some
    rows of a picture's M = `positions`, what those rows add to its matrix."""
    F = tf.reshape(F, (-1, F.shape[-1]))  # [M, N]
    return tf.matmul(F, F, transpose_a=True) / gram_divisor(F, divisor, guided, positions)


def gram_gradient(
    F: Any, dG: Any, divisor: str = "one", guided: bool = False, positions: int | None = None
) -> Any:
    """What a gradient dG [N, N] with respect to `gram(F, divisor)` is with respect to F: F (dG +
    dGᵀ).
    """
    flat = tf.reshape(F, (-1, F.shape[-1]))
    slope = (dG + tf.transpose(dG)) / gram_divisor(flat, divisor, guided, positions)
    return tf.reshape(tf.matmul(flat, slope), tf.shape(F))


def gram_divisor(F: Any, divisor: str, guided: bool = False, positions: int | None = None) -> Any:
    """What the Gram matrix of `F` [M, N] is divided by.

    one: nothing, as printed. m: M, which lets painting and photograph differ in size. nm: NM.
    """
    M, N = tf.unstack(tf.cast(tf.shape(F), F.dtype))
    if positions is not None:
        M = tf.constant(positions, F.dtype)
    if divisor not in ("one", "m", "nm"):
        raise ValueError(f"unknown Gram divisor {divisor!r}")
    if divisor == "one":
        return 1 / M if guided else tf.ones((), F.dtype)
    if guided:
        return N if divisor == "nm" else tf.ones((), F.dtype)
    return N * M if divisor == "nm" else M


def style(
    G: Any, A: Any, reduction: str = "sum_over_4n2", positions: Any = 1.0, name: str = "gram"
) -> Any:
    """Style loss of one layer, from two statistics of one name; matrices [N, N'] carry their
    divisor already.

    sum_over_4n2: Σ(G−A)² / (4 N N'), which with divisor m is eq. (4), Σ(G−A)² / (4N²M²). mean:
    Σ(G−A)² / (N N') (neural-style, the authors' code). sum: Σ(G−A)² (Johnson et al. 2016, eq. 4).
    sum_over_36s2: Σ(G−A)² / (4·3²·S²), S = `positions`, the generated image's height × width
    (Keras' example).

    The statistics that are no matrices have one form each, whatever the reduction. mean: Σ(μ−μ')²,
    the MMD² of the linear kernel; mean_std: (1/N) Σ[(μ−μ')² + (σ−σ')²]; gaussian: `gaussian_mmd`;
    guided_mean: (1/N) Σ(m−m')²."""
    if name == "gaussian":
        return gaussian_mmd(G, A)
    squares = tf.reduce_sum(tf.square(G - A))
    rows, N = (tf.cast(side, G.dtype) for side in G.shape)
    if name == "mean":
        return squares
    if name in ("mean_std", "guided_mean"):
        return squares / N
    if reduction == "sum_over_4n2":
        return squares / (4 * rows * N)
    if reduction == "mean":
        return squares / (rows * N)
    if reduction == "sum":
        return squares
    if reduction == "sum_over_36s2":
        return squares / (4 * 3**2 * tf.cast(positions, G.dtype) ** 2)
    raise ValueError(f"unknown style reduction {reduction!r}")


def gaussian_mmd(X: Any, Y: Any, gamma: Any = None) -> Any:
    """MMD² between samples [n, N] with the kernel exp(−γ|x−y|²), every pair counted (Li et al.
    2017).

    `gamma` is None for 1 / the mean of |y−y'|² over the pairs of Y, which the generated image does
    not change."""
    if gamma is None:
        gamma = 1 / tf.maximum(
            tf.reduce_mean(_distances(Y, Y)), 1e-12
        )  # of a painting of one color it is zero
    same, cross, other = (
        tf.reduce_mean(tf.exp(-gamma * _distances(*pair))) for pair in ((X, X), (X, Y), (Y, Y))
    )
    return same + other - 2 * cross


# Positions at which `gaussian` takes features: a kernel of all pairs would be M². Ours.
SAMPLES = 512


def positions_drawn(count: int) -> np.ndarray:
    """SAMPLES of `count` positions, or all of them; the same at every call."""
    return np.sort(np.random.default_rng(0).permutation(count)[:SAMPLES])


def _distances(X: Any, Y: Any) -> Any:
    squares = tf.reduce_sum(tf.square(X), 1)[:, None] + tf.reduce_sum(tf.square(Y), 1)[None]
    return tf.nn.relu(
        squares - 2 * tf.matmul(X, Y, transpose_b=True)
    )  # rounding may leave it below zero


def _mean(flat: Any, T: Any) -> Any:
    return (
        tf.reduce_mean(flat, 0)
        if T is None
        else tf.reduce_sum(flat * tf.square(_flat(T))[:, None], 0)
    )


def _flat(T: Any) -> Any:
    return tf.reshape(T, (-1,))


def total_variation(image: Any, form: str) -> Any:
    """Total variation of `image` [1, H, W, 3]; Δy and Δx are the differences of neighbors down and
    across.

    absolute: Σ|Δ| (neural-style-pt, neural-style-tf, TensorFlow tutorial). squared: Σ(Δx²+Δy²)
    (Johnson et al. 2016). mean_squared: mean Δy² + mean Δx² (anishathalye's neural-style, the
    tutorial's course variant). mean_absolute: ½ (mean |Δy| + mean |Δx|) (Dive into Deep Learning).
    power: Σ(Δx²+Δy²)^1.25 over the common window (H−1) × (W−1) (Keras' example). none: 0."""
    dy = image[:, 1:] - image[:, :-1]
    dx = image[:, :, 1:] - image[:, :, :-1]
    if form == "none":
        return tf.zeros((), image.dtype)
    if form == "absolute":
        return tf.reduce_sum(tf.abs(dy)) + tf.reduce_sum(tf.abs(dx))
    if form == "squared":
        return tf.reduce_sum(tf.square(dy)) + tf.reduce_sum(tf.square(dx))
    if form == "mean_squared":
        return tf.reduce_mean(tf.square(dy)) + tf.reduce_mean(tf.square(dx))
    if form == "mean_absolute":
        return 0.5 * (tf.reduce_mean(tf.abs(dy)) + tf.reduce_mean(tf.abs(dx)))
    if form == "power":
        a = tf.square(dy[:, :, :-1]) + tf.square(dx[:, :-1])
        return tf.reduce_sum(a**1.25)
    raise ValueError(f"unknown total variation form {form!r}")
