"""Losses of the picture's pixels against a photograph or a painting, without the network: a table.

Pictures are as the network sees them, [1, h, w, 3], in steps of 0-255. To add a loss, write its two
functions and its entry here, its key `objective.NAME_weight`, and an oracle in
tests/loss/test_pixels.py."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stn.backend import Tensor, tf

# Sides of the windows in which colors are to be affine; luanfujun/deep-photo-styletransfer
# (4801fa2), getLaplacian1.m.
WINDOW = 3
# Keeps an affine map small where a window has few colors; the same file.
EPSILON = 1e-7
# How many windows are solved at a time; ours.
AT_ONCE = 2**14
# Every neighbor of a pixel within a window once, as (down, across): half of the 24 around it.
NEIGHBORS = [
    (down, across)
    for down, across in itertools.product(range(WINDOW), range(1 - WINDOW, WINDOW))
    if (down, across) > (0, 0)
]


@dataclass(frozen=True)
class PixelLoss:
    """A loss of the picture alone: `prepare` makes a target of another picture once a level, and
    `loss` compares a picture with it.
    """

    prepare: Callable[[np.ndarray], np.ndarray]
    loss: Callable[[Tensor, Tensor], Tensor]
    # Whether the other picture is the photograph; else the painting, of which there is one, whole
    # and of the result's size.
    of_content: bool
    # Of one unit of its pixels, in steps of 0-255.
    unit: float = 1.0
    # Bytes a pixel that loss, gradient and target take: of `matting` measured, 154 MB at 384 × 288
    # less what 2^16 windows took then; of `spectrum` reckoned.
    bytes: float = 0.0

    def target(self, image: np.ndarray) -> np.ndarray:
        """What `of` compares with, of the other picture [1, h, w, 3] as the network sees it."""
        return self.prepare(np.asarray(image, np.float64) / self.unit)

    def of(self, image: Tensor, target: Tensor) -> Tensor:
        """The loss of a picture [1, h, w, 3] as the network sees it."""
        return self.loss(image / self.unit, target)


def matting_weights(colors: np.ndarray) -> np.ndarray:
    """The weights [12, h, w] of the matting Laplacian of a photograph with colors [1, h, w, 3], 0-1
    (Luan et al. 2017, arXiv:1703.07511).

    They are −L between each pixel and its NEIGHBORS, 0 beyond the rim. L adds up δ_ij − (1 + (c_i −
    μ)ᵀ (Σ + ε/9)⁻¹ (c_j − μ)) / 9 over windows of 3 × 3 (Levin, Lischinski and Weiss 2008)."""
    picture = np.asarray(colors, np.float64)[0]
    height, width = (max(0, side - WINDOW + 1) for side in picture.shape[:2])
    found = np.zeros((len(NEIGHBORS), *picture.shape[:2]))
    places = list(itertools.product(range(WINDOW), repeat=2))
    pairs = list(itertools.combinations(range(len(places)), 2))
    step = max(1, AT_ONCE // max(1, width))
    for first in range(0, height, step) if width else ():
        rows = min(step, height - first)
        views = [
            picture[first + down : first + down + rows, across : across + width]
            for down, across in places
        ]
        away = np.stack(views, -2)  # [rows, width, 9, 3]
        away = away - away.mean(axis=-2, keepdims=True)
        covariance = np.swapaxes(away, -1, -2) @ away / len(places)
        inverse = np.linalg.inv(covariance + EPSILON / len(places) * np.eye(3))
        affinity = (1 + away @ inverse @ np.swapaxes(away, -1, -2)) / len(places)
        for one, other in pairs:
            (down, across), (below, beside) = places[one], places[other]
            at = NEIGHBORS.index((below - down, beside - across))
            found[at, first + down : first + down + rows, across : across + width] += affinity[
                ..., one, other
            ]
    return found


def matting(V: Tensor, weights: Tensor) -> Tensor:
    """Σ_c V_cᵀ L V_c of a picture V [1, h, w, 3], 0-1, with the L of `matting_weights` (Luan et al.
    2017).

    It is zero where V is an affine map of the photograph's colors in every window. Rows of L add up
    to zero, so that it is Σ −L_ij |V_i − V_j|² over pairs of neighbors."""
    total = tf.zeros((), V.dtype)
    _, height, width, _ = V.shape
    for number, (down, across) in enumerate(NEIGHBORS):
        left, right = max(0, -across), max(0, across)
        if down >= height or left + right >= width:
            continue
        one = V[0, : height - down, left : width - right]
        other = V[0, down:, right : width - left]
        squares = tf.reduce_sum(tf.square(one - other), -1)
        weight = weights[number, : height - down, left : width - right]
        total += tf.reduce_sum(weight * squares)
    return total


def spectrum(image: Tensor, painting: Tensor) -> Tensor:
    """½ Σ(I − Ĩ)² of a picture I [1, h, w, 3], where Ĩ is the nearest picture with the spectrum of
    a painting S of that size (Liu, Gousseau and Xia 2016, arXiv:1605.01141).

    Ĩ has F(S) turned, at each frequency, by the angle of Σ_c F(I) F(S)*. It is a projection, so
    that the gradient is I − Ĩ exactly."""
    picture, other = (tf.transpose(x[0], (2, 0, 1)) for x in (image, painting))
    own, given = tf.signal.rfft2d(picture), tf.signal.rfft2d(other)
    product = tf.reduce_sum(own * tf.math.conj(given), 0)
    size = tf.abs(product)
    # A frequency that one of them lacks has no angle.
    some = size > 0
    turned = product / tf.cast(tf.where(some, size, 1), product.dtype)
    turned = tf.where(some, turned, tf.ones_like(turned))
    nearest = tf.signal.irfft2d(turned * given, picture.shape[1:])
    return 0.5 * tf.reduce_sum(tf.square(picture - tf.stop_gradient(nearest)))


# By the names before `_weight` of their keys of the objective.
PIXEL_LOSSES: dict[str, PixelLoss] = {
    "matting": PixelLoss(matting_weights, matting, of_content=True, unit=255.0, bytes=500.0),
    "spectrum": PixelLoss(np.asarray, spectrum, of_content=False, bytes=150.0),
}
# The factors that a level may have of them.
FACTORS = tuple(f"{name}_weight" for name in PIXEL_LOSSES)
