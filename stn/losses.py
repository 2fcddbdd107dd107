"""The losses: pure functions, one per equation, arrays in, a number out.

Letters, for one layer: F and P are the features [1, h, w, N] of the generated image and of the content image, N the
channels, M = h w the positions, G and A the Gram matrices [N, N] of the generated image and of the style image.
Numbers (1) … (7) are the equations of Gatys, Ecker and Bethge 2016 (CVPR); the other forms are those of the programs
named beside them, as METHODS.md §2.2 lists them.
"""

from typing import Any

from stn.backend import tf


def content(F: Any, P: Any, reduction: str = "half_sum") -> Any:
    """Content loss of one layer.

    half_sum: ½ Σ(F−P)², eq. (1). sum: Σ(F−P)² (Keras' example). mean: Σ(F−P)² / (NM) (neural-style and others).
    half_sum_over_sqrt_nm: Σ(F−P)² / (2 √N √M) (neural-style-tf, content_loss_function 1).
    """
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


def gram(F: Any, divisor: str = "one") -> Any:
    """Gram matrix [N, N] of features [1, h, w, N]: G_ij = Σ_k F_ik F_jk, eq. (3), over its `gram_divisor`."""
    F = tf.reshape(F, (-1, F.shape[-1]))  # [M, N]
    return tf.matmul(F, F, transpose_a=True) / gram_divisor(F, divisor)


def gram_gradient(F: Any, dG: Any, divisor: str = "one") -> Any:
    """What a gradient dG [N, N] with respect to `gram(F, divisor)` is with respect to F [1, h, w, N]: F (dG + dGᵀ)."""
    flat = tf.reshape(F, (-1, F.shape[-1]))
    return tf.reshape(tf.matmul(flat, (dG + tf.transpose(dG)) / gram_divisor(flat, divisor)), tf.shape(F))


def gram_divisor(F: Any, divisor: str) -> Any:
    """What the Gram matrix of `F` [M, N] is divided by.

    one: nothing, as printed. m: M, which lets painting and photograph differ in size. nm: NM.
    """
    M, N = tf.unstack(tf.cast(tf.shape(F), F.dtype))
    if divisor == "one":
        return tf.ones((), F.dtype)
    if divisor == "m":
        return M
    if divisor == "nm":
        return N * M
    raise ValueError(f"unknown Gram divisor {divisor!r}")


def style(G: Any, A: Any, reduction: str = "sum_over_4n2", positions: Any = 1.0) -> Any:
    """Style loss of one layer, from Gram matrices [N, N] that carry their divisor already.

    sum_over_4n2: Σ(G−A)² / (4N²), which with divisor m is eq. (4), Σ(G−A)² / (4N²M²).
    mean: Σ(G−A)² / N² (neural-style, the authors' code). sum: Σ(G−A)² (Johnson et al. 2016, eq. 4).
    sum_over_36s2: Σ(G−A)² / (4·3²·S²), S = `positions`, the generated image's height × width (Keras' example).
    """
    squares = tf.reduce_sum(tf.square(G - A))
    N = tf.cast(G.shape[-1], G.dtype)
    if reduction == "sum_over_4n2":
        return squares / (4 * N**2)
    if reduction == "mean":
        return squares / N**2
    if reduction == "sum":
        return squares
    if reduction == "sum_over_36s2":
        return squares / (4 * 3**2 * tf.cast(positions, G.dtype) ** 2)
    raise ValueError(f"unknown style reduction {reduction!r}")


def smoothness(image: Any, form: str) -> Any:
    """Total variation of `image` [1, H, W, 3]; Δy and Δx are the differences of neighbors down and across.

    absolute: Σ|Δ| (neural-style-pt, neural-style-tf, TensorFlow tutorial). squared: Σ(Δx²+Δy²) (Johnson et al. 2016).
    mean_squared: mean Δy² + mean Δx² (anishathalye's neural-style, the tutorial's course variant).
    mean_absolute: ½ (mean |Δy| + mean |Δx|) (Dive into Deep Learning).
    power: Σ(Δx²+Δy²)^1.25 over the common window (H−1) × (W−1) (Keras' example). none: 0.
    """
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
    raise ValueError(f"unknown smoothness form {form!r}")
