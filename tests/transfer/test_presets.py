"""Every preset against what its source computes and says: a float64 oracle of the losses, a table
of all else.

Both are written from METHODS.md and the programs, not from the YAML. The oracle is a table of what
each system computes, and a network of its own: TensorFlow operations in float64, rescaled by its
own means."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import oracle_controls
import pytest
import tensorflow as tf

from stn import assets, config, images, transfer
from stn.assets import matconvnet, weights
from stn.assets.pictures import LevelPictures, Painting, Pictures
from stn.config.schema import Color, Guidance
from stn.images import masks, resizing
from stn.layers import CONVS_PER_BLOCK, VGG19
from stn.loss import hypercolumns
from stn.network import rescale, vgg
from stn.objective import guides, objective

GATYS = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
JOHNSON = ["relu1_2", "relu2_2", "relu3_3", "relu4_3"]
SECOND = ["relu1_2", "relu2_2", "relu3_2", "relu4_2", "relu5_2"]
RELUS = [name for name in VGG19 if name.startswith("relu")]
WIDTHS = dict(
    zip(GATYS, (64, 128, 256, 512, 512), strict=True)
)  # of the real network, in weights of 1/N
POOLS = ["pool4", "pool3", "pool2", "pool1", "relu1_1"]
# Odd at every pooling under the system's own rule: 97, 49, 25, 13, 7 and 95, 47, 23, 11, 5.
SHIFTED = (72, 80)  # more than 64 pixels
SMALL, ODD = (48, 64), {True: (97, 129), False: (95, 127)}


def mse(x: Any, y: Any) -> Any:
    return tf.reduce_mean((x - y) ** 2)


def squares(x: Any, y: Any) -> Any:
    return tf.reduce_sum((x - y) ** 2)


def raw_gram(F: Any) -> Any:
    return tf.einsum("bhwi,bhwj->ij", F, F)


def size(F: Any) -> tuple[float, float]:
    """N and M of features."""
    return float(F.shape[3]), float(F.shape[1] * F.shape[2])


def gatys_style(F: Any, S: Any) -> Any:
    """Σ(G/M − A/M)² / (4N²), which is eq. 4 with each Gram over its own M."""
    (N, M), (_, M_style) = size(F), size(S)
    return squares(raw_gram(F) / M, raw_gram(S) / M_style) / (4 * N**2)


def mean_style(F: Any, S: Any) -> Any:
    """MSE(G/(NM) − A/(NM))."""
    (N, M), (_, M_style) = size(F), size(S)
    return mse(raw_gram(F) / (N * M), raw_gram(S) / (N * M_style))


def tutorial_style(F: Any, S: Any) -> Any:
    """MSE(G/M − A/M)."""
    return mse(raw_gram(F) / size(F)[1], raw_gram(S) / size(S)[1])


def released_style(F: Any, S: Any) -> Any:
    """1e3/N² · MSE(G/M − A/M)."""
    return 1e3 / size(F)[0] ** 2 * tutorial_style(F, S)


def johnson_style(F: Any, S: Any) -> Any:
    """Σ(G/(NM) − A/(NM))²."""
    (N, M), (_, M_style) = size(F), size(S)
    return squares(raw_gram(F) / (N * M), raw_gram(S) / (N * M_style))


def guided_style(F: Any, S: Any, parts: Any) -> Any:
    """Σ_r 1e3/N² · 1/R · MSE(G^r − A^r), G^r = Σ_k T_k² F_k F_kᵀ."""
    both = [
        (tf.einsum("bhwi,bhwj,hw->ij", X, X, T**2) for X, T in ((F, T), (S, U))) for T, U in parts
    ]
    return sum(1e3 / size(F)[0] ** 2 / len(parts) * mse(G, A) for G, A in both)


def summed_style(F: Any, S: Any, parts: Any) -> Any:
    """MSE(G/M − A/M) + 1e6 · Σ_r 1/R · MSE(m^r − n^r), m^r = Σ_k T_k F_k / √M."""
    both = [
        (tf.einsum("bhwi,hw->i", X, T) / size(X)[1] ** 0.5 for X, T in ((F, T), (S, U)))
        for T, U in parts
    ]
    return tutorial_style(F, S) + sum(1e6 / len(parts) * mse(m, n) for m, n in both)


drawn = functools.cache(masks.drawn)  # at 4 × the size of a mask, for every layer and style


@functools.cache
def drawn_masks() -> list[tuple[str, str]]:
    settings = config.compose("preset=gatys2017_guided")
    return [(str(each.result_mask), str(each.mask)) for each in config.styles(settings).values()]


def parts(margin: int) -> Callable[..., tuple[Any, ...]]:
    """The guides T and U of every part at a layer, by the masks that the preset has."""
    chosen = Guidance(propagation="inside", margin=margin)

    def found(layer: str, F: Any, S: Any) -> tuple[Any, ...]:
        def at(path: str, features: Any) -> np.ndarray:
            mask = masks.resize(drawn(path, ""), *features["conv1_1"].shape[1:3])
            return guides.propagate(mask, [layer], VGG19, chosen).layers[layer]

        return ([(at(result_mask, F), at(mask, S)) for result_mask, mask in drawn_masks()],)

    return found


def chain_style(F: Any, S: Any, before: Any = None, before_style: Any = None) -> Any:
    """Σ(G − A)² / (4 N N'), G of F − 1, enlarged by its nearest, and the layer before, over its
    positions.
    """
    if before is None:
        return 0.0

    def chained(X: Any, lower: Any) -> Any:
        for axis in (1, 2):
            small, large = X.shape[axis], lower.shape[axis]
            X = tf.gather(X, [i * small // large for i in range(large)], axis=axis)
        return tf.einsum("bhwi,bhwj->ij", lower - 1, X - 1) / size(lower)[1]

    return squares(chained(F, before), chained(S, before_style)) / (
        4 * size(F)[0] * size(before)[0]
    )


def chain_of(layer: str, F: Any, S: Any) -> tuple[Any, ...]:
    before = RELUS[max(RELUS.index(layer) - 1, 0)]
    return () if before == layer else (F[before], S[before])


def w2_style(F: Any, S: Any, steps: int | None = None) -> Any:
    """Of normal distributions, from NumPy: a loss and its gradient."""

    @tf.custom_gradient
    def loss(F: Any) -> Any:
        value, gradient = oracle_controls.wasserstein2(F[0].numpy(), S[0].numpy(), steps)
        return tf.constant(value, tf.float64), lambda d: d * gradient[None]

    return loss(F)


def sliced_style(F: Any, S: Any, directions: np.ndarray) -> Any:
    """Mean squares between projections by rank; the style's ranks are stretched to the picture's."""
    X, Y = (tf.sort(tf.einsum("bhwn,dn->dbhw", each, directions), -1) for each in (F, S))
    X, Y = (tf.sort(tf.reshape(each, (len(directions), -1)), -1) for each in (X, Y))
    M, M_style = X.shape[1], Y.shape[1]
    middles, own = ((np.arange(count) + 0.5) / count for count in (M, M_style))
    at = [
        np.interp(middles, own, row) if M % M_style else np.repeat(row, M // M_style) for row in Y
    ]
    return mse(X, np.array(at))


def directions_of(layer: str, F: Any, S: Any) -> tuple[Any, ...]:
    """As many as channels, of the first draw of the first level of seed 0."""
    N = F[layer].shape[3]
    drawn = np.random.default_rng([0, 0, 0, VGG19.index(layer)]).normal(size=(N, N))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True),)


def risser_style(F: Any, S: Any, layer: str) -> Any:
    """1e4 · ⅕ / 5 of eq. (4), and at two layers 1e6 · ½ / 2 · Σ(O − R)² / (NM), each channel of F
    matched to S's by rank.
    """
    total = 1e4 * 0.2 / 5 * gatys_style(F, S)
    if layer in ("relu1_1", "relu4_1"):
        own, matched = (tf.sort(tf.reshape(X, (-1, X.shape[3])), 0) for X in (F, S))
        total += 1e6 * 0.5 / 2 * mse(own, matched)
    return total


def patch_style(F: Any, S: Any) -> Any:
    """1e-4 of the distance to the patches at the least angle, from NumPy."""

    @tf.custom_gradient
    def loss(F: Any) -> Any:
        value, gradient = oracle_controls.patches(F[0].numpy(), S[0].numpy(), stride=2)
        return tf.constant(1e-4 * value, tf.float64), lambda d: 1e-4 * d * gradient[None]

    return loss(F)


HYPERCOLUMN = ["rgb", *RELUS[:4], "relu3_1", "relu3_2", "relu3_3", "relu4_3", "relu5_3"]


def read(F: Any, rows: np.ndarray, columns: np.ndarray) -> Any:
    """Features [n, N] at places between positions, by a matrix [n, hw] of tents."""
    _, height, width, N = F.shape
    down, across = (
        np.maximum(0, 1 - np.abs(np.clip(at, 0, side - 1)[:, None] - np.arange(side)))
        for at, side in ((rows, height), (columns, width))
    )
    tents = (down[:, :, None] * across[:, None]).reshape(len(rows), -1)
    return tents @ tf.reshape(F, (-1, N))


def strotss(F: Any, P: Any, S: Any) -> Any:
    """(α c + r + m + p / α) / (α + 2) with α = 2, at the first positions of seed 0."""
    shape, own = (tuple(each["rgb"].shape[1:3]) for each in (F, S))
    result = hypercolumns.positions_of_result(shape, 1024, (0, 0, 0, 1), (0, 0, 1, 1)).T
    painting = hypercolumns.positions_of_painting(own, 5000, (0, 0, 0, 0)).T

    def columns(of: Any, at: np.ndarray, layers: list[str]) -> Any:
        strides = {layer: 2 ** (int(layer[4]) - 1) if layer != "rgb" else 1 for layer in layers}
        places = [at // n if of is S else at / n for n in strides.values()]
        return tf.concat([read(of[k], *p) for k, p in zip(layers, places, strict=True)], 1)

    x, p, s = (columns(*each, HYPERCOLUMN) for each in ((F, result), (P, result), (S, painting)))
    colors = [
        columns(*each, ["rgb"]) @ oracle_controls.TO_YUV.T for each in ((F, result), (S, painting))
    ]

    def cosines(X: Any, Y: Any) -> Any:
        X, Y = (each / tf.norm(each, axis=1, keepdims=True) for each in (X, Y))
        return 1 - X @ tf.transpose(Y)

    def relaxed(C: Any) -> Any:
        return max(tf.reduce_mean(tf.reduce_min(C, axis)) for axis in (0, 1))

    def normal(X: Any) -> Any:
        mean = tf.reduce_mean(X, 0)
        return mean, tf.transpose(X - mean) @ (X - mean) / len(X)

    means, covariances = zip(normal(x), normal(s), strict=True)
    m = sum(tf.reduce_mean(tf.abs(a - b)) for a, b in (means, covariances))
    away = tf.reduce_sum((colors[0][:, None] - colors[1][None]) ** 2, 2)
    palette = cosines(*colors) + tf.sqrt(tf.maximum(away, 1e-5) / 3)
    D, other = (each / tf.reduce_sum(each, 0) for each in (cosines(x, x), cosines(p, p)))
    c = len(x) * tf.reduce_mean(tf.abs(D - other))
    return (2 * c + relaxed(cosines(x, s)) + m + relaxed(palette) / 2) / 4


def matches(x: Any, s: Any) -> Any:
    """For each row of x the place in s of the one at the smallest angle, both less their means."""
    x, s = (tf.math.l2_normalize(each - tf.reduce_mean(each, 0), 1) for each in (x, s))
    return tf.argmax(x @ tf.transpose(s), 1)


def away(x: Any, s: Any) -> Any:
    """mean_i (1 − cos(x_i, s_i))."""
    x, s = (each / tf.norm(each, axis=1, keepdims=True) for each in (x, s))
    return tf.reduce_mean(1 - tf.reduce_sum(x * s, 1))


def splitting(F: Any, S: Any) -> Any:
    """NNST's last pass at a layer, against the painting and its turns."""
    x = tf.reshape(F, (-1, F.shape[-1]))
    s = tf.concat([tf.reshape(each, (-1, each.shape[-1])) for each in S], 0)
    found = tf.gather(s - tf.reduce_mean(s, 0), matches(x, s))
    return away(x - tf.reduce_mean(x, 0), found)


def replacing(F: Any, P: Any, S: Any) -> Any:
    """NNST's other passes at the first level: the painting's hypercolumns that match the
    photograph's, at a quarter of the size.
    """

    def columns(of: Any, shape: tuple[int, int]) -> Any:
        found = []
        for layer in NNST:
            sides = of[layer].shape[1:3]
            places = [
                np.linspace(0, side - 1, own // 4) for side, own in zip(sides, shape, strict=True)
            ]
            at = [each.ravel() for each in np.meshgrid(*places, indexing="ij")]
            found.append(read(of[layer], *at) / of[layer].shape[3])
        return tf.concat(found, 1)

    shape = tuple(F["conv1_1"].shape[1:3])
    x, p = columns(F, shape), columns(P, shape)
    turns = [{layer: S[layer][k] for layer in NNST} for k in range(4)]
    s = tf.concat([columns(each, tuple(each["relu1_1"].shape[1:3])) for each in turns], 0)
    return 10 * away(x, tf.gather(s, matches(p, s)))


def linear_mmd(F: Any, S: Any, count: float) -> Any:
    """½ |Σ_k F_k − Σ_k S_k|² / M, and over the pixels."""
    return squares(*(tf.reduce_sum(X, (0, 1, 2)) for X in (F, S))) / (2 * size(F)[1]) / count


def pixels(layer: str, F: Any, S: Any) -> tuple[Any, ...]:
    return (size(F["conv1_1"])[1],)


def differences(x: Any) -> tuple[Any, Any]:
    return x[:, 1:] - x[:, :-1], x[:, :, 1:] - x[:, :, :-1]


def absolute(x: Any) -> Any:
    return sum(tf.reduce_sum(tf.abs(d)) for d in differences(x))


def squared(x: Any) -> Any:
    return sum(tf.reduce_sum(d**2) for d in differences(x))


def mean_squared(x: Any) -> Any:
    return sum(tf.reduce_mean(d**2) for d in differences(x))


def half_mean_absolute(x: Any) -> Any:
    return sum(tf.reduce_mean(tf.abs(d)) for d in differences(x)) / 2


def nine_point(x: Any) -> Any:
    """⅔ of the mean squares to the right and below, ⅙ of those along the diagonals; the rim goes on
    for a pixel.
    """
    x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    inner = x[:, 1:-1, 1:-1]
    straight = mse(x[:, 2:, 1:-1], inner) + mse(x[:, 1:-1, 2:], inner)
    diagonal = mse(x[:, 1:, 1:], x[:, :-1, :-1]) + mse(x[:, 1:, :-1], x[:, :-1, 1:])
    return 2 / 3 * straight + diagonal / 6


def power(x: Any) -> Any:
    dy, dx = x[:, 1:, :-1] - x[:, :-1, :-1], x[:, :-1, 1:] - x[:, :-1, :-1]
    return tf.reduce_sum((dx**2 + dy**2) ** 1.25)


IMAGENET_STD = np.array([0.229, 0.224, 0.225])
IMAGENET_MEAN = (123.68, 116.779, 103.939)


def paper_content(F: Any, P: Any) -> Any:
    return squares(F, P) / 2


def berger_style(F: Any, S: Any, layer: str) -> Any:
    """Gram matrices, and below the last layer those of features with others 4, 8, … positions away,
    up to 64 pixels.
    """
    own = 500 * gatys_style(F, S)
    stride = 2 ** (int(layer[4]) - 1)
    shifts = [shift for shift in (4, 8, 16, 32, 64) if shift * stride <= 64]
    if layer == GATYS[-1]:
        return own
    total = 0.0
    for shift, axis in itertools.product(shifts, (1, 2)):
        matrices = []
        for x in (F, S):
            keep = [slice(None)] * 3
            keep[axis] = slice(shift, None)
            one = x[tuple(keep)]
            keep[axis] = slice(None, -shift)
            matrices.append(tf.einsum("bijk,bijl->kl", one, x[tuple(keep)]) / size(one)[1])
        total += squares(*matrices) / (4 * size(F)[0] ** 2) / 2
    return own + 20000 / 4 * total / len(shifts)


def other_spectrum(image: Any, painting: Any) -> Any:
    """½ Σ(I − Ĩ)², Ĩ with the painting's spectrum and the image's angles, in 0-255 less the mean."""
    mean = np.array(IMAGENET_MEAN)
    own, given = (
        tf.signal.fft2d(tf.cast(tf.transpose(x[0] - mean, (2, 0, 1)), tf.complex128))
        for x in (image, painting)
    )
    product = tf.reduce_sum(own * tf.math.conj(given), 0)
    # |I − Ĩ|² by Parseval: what both have, less what they share at the best angle.
    squares = tf.reduce_sum(tf.abs(own) ** 2 + tf.abs(given) ** 2, 0) - 2 * tf.abs(product)
    return tf.reduce_sum(squares) / (2 * image.shape[1] * image.shape[2])


def affine_rest(V: Any, photograph: Any) -> Any:
    """Of each 3 × 3 window what an affine map of the photograph's colors leaves of V, by ridge
    regression with 1e-7 (Luan et al. 2017).
    """
    own, v = (
        tf.reshape(tf.image.extract_patches(x, [1, 3, 3, 1], [1] * 4, [1] * 4, "VALID"), (-1, 9, 3))
        for x in (photograph, V)
    )
    D = np.concatenate([own.numpy(), np.ones((len(own), 9, 1))], -1)
    fit = np.linalg.inv(np.swapaxes(D, 1, 2) @ D + 1e-7 * np.diag([1, 1, 1, 0]))
    return tf.reduce_sum(v * ((np.eye(9) - D @ fit @ np.swapaxes(D, 1, 2)) @ v))


class System(NamedTuple):
    """What one system minimizes: content + Σ style_weights · style + total_variation(image), on which
    network.

    `more` is what a layer's style loss takes beside its own features: of the layer, and all
    features of both images."""

    content_layer: str | None
    content: Callable[[Any, Any], Any]
    style_layers: list[str]
    style: Callable[..., Any]
    style_weights: list[float]
    pooling: str
    ceil_mode: bool
    total_variation: Callable[[Any], Any] = lambda x: 0.0
    uncounted: Callable[[Any], Any] = lambda x: 0.0  # descended but not part of the value
    depth: int = 19
    rescaled: int = 0  # 1: mean activations are one; 2: their root mean squares
    mean_pixel: tuple[float, float, float] = IMAGENET_MEAN  # subtracted from red, green and blue
    white: float = 255.0  # what pixels in [0, 1] are multiplied with before that
    transposed: bool = False  # rows and columns of the kernels exchanged
    more: Callable[[str, Any, Any], tuple[Any, ...]] = lambda layer, F, S: ()
    border: str = "CONSTANT"  # what a convolution sees beyond the picture: zeros
    first_border: str = ""  # the first convolution, if something else
    feature_scale: float = 1.0
    joined: Callable[[Any, Any, Any], Any] | None = None  # of all layers of three pictures
    turns: bool = False  # whether the style's features are a list of them and those of its turns
    near: float = 1e-4  # of the gradient; ranks of nearly equal numbers differ in float32


# METHODS.md §2.2, row by row.
AS_RUN = System(
    *("relu4_2", lambda F, P: 1e6 * mse(F, P), GATYS, tutorial_style, [1e9 / 5] * 5, "avg", True),
    rescaled=1,
)
RELEASED = System("relu4_2", mse, GATYS, released_style, [1.0] * 5, "max", False)
TORCH = System(
    *("relu4_2", lambda F, P: 5 * mse(F, P), GATYS, mean_style, [100.0] * 5, "max", True),
    uncounted=lambda x: 1e-3 / 2 * squared(x),
    white=256.0,
)
PERCEPTUAL = System(  # Johnson et al., as their program has it
    *("relu2_2", mse, JOHNSON, mean_style, [5.0] * 4, "max", True),
    uncounted=lambda x: 1e-6 / 2 * squared(x),
    depth=16,
)
TUTORIAL = System(
    *(
        "relu5_2",
        lambda F, P: 1e4 * mse(F, P),
        GATYS,
        tutorial_style,
        [1e-2 / 5] * 5,
        "max",
        False,
    ),
    total_variation=lambda x: 30 * absolute(x / 255),
)
SYSTEMS = {
    "gatys2015": AS_RUN,
    "gatys2016": AS_RUN,
    "gatys_released": RELEASED,
    "johnson2016": PERCEPTUAL,
    "neural_style": TORCH,
    "neural_style_pt": TORCH._replace(
        ceil_mode=False, total_variation=lambda x: 1e-3 * absolute(x), uncounted=lambda x: 0.0
    ),
    "neural_style_tf": System(
        *("conv4_2", lambda F, P: 5 * squares(F, P) / (2 * size(F)[0] ** 0.5 * size(F)[1] ** 0.5)),
        *(GATYS, gatys_style, [1e4 * 0.2 / 5] * 5, "avg", True),
        total_variation=lambda x: 1e-3 * absolute(x),
    ),
    "neural_style_anish": System(
        *("relu4_2", lambda F, P: 5 * mse(F, P), GATYS, mean_style, [500 / 5] * 5, "max", True),
        total_variation=lambda x: 100 * mean_squared(x),
        transposed=True,
    ),
    "tf_tutorial": TUTORIAL,
    "tf_tutorial_course": TUTORIAL._replace(
        style_layers=SECOND, total_variation=lambda x: 1e8 * mean_squared(x / 255)
    ),
    "d2l": System(
        *("relu4_4", mse, [*GATYS[:4], "conv5_1"], mean_style, [1e3 * 10] * 5, "max", False),
        total_variation=lambda x: 10 * half_mean_absolute(x / (255 * IMAGENET_STD)),
    ),
    "tf1_walkthrough": System(
        *("relu5_2", lambda F, P: 5 * paper_content(F, P), GATYS, gatys_style),
        *([100 * w for w in (0.5, 1.0, 1.5, 3.0, 4.0)], "avg", True),
    ),
    "vgg16_lbfgs_walkthrough": System(
        *("relu2_2", lambda F, P: 0.025 * squares(F, P), [*JOHNSON, "relu5_3"]),
        lambda F, S, positions: squares(raw_gram(F), raw_gram(S)) / (4 * 3**2 * positions**2),
        *([5 / 5] * 5, "max", False),
        total_variation=power,
        depth=16,
        mean_pixel=(
            103.939,
            116.779,
            123.68,
        ),  # blue's from red, red's from blue: a quirk of the notebook
        more=pixels,
    ),
    "default": RELEASED._replace(
        pooling="avg",
        ceil_mode=True,
        style_weights=[2000 / 5000] * 5,  # by eye, for faces
        total_variation=lambda x: 20 * mean_squared(x),
        border="REFLECT",
    ),
    "demo": RELEASED._replace(
        pooling="avg", ceil_mode=True, style_weights=[700 / 5000] * 5
    ),  # by eye, for a cat
    # Eq. (4) of Johnson et al. as printed, with the weights of their program.
    "johnson2016 objective.style_reduction=sum": PERCEPTUAL._replace(style=johnson_style),
    # Gatys et al. 2016, eqs. 1, 4, 5 and 7 with α/β = 1e-3, on the network of `default`.
    "default objective=gatys_printed": System(
        *("relu4_2", paper_content, GATYS, gatys_style, [1e3 / 5] * 5, "avg", True),
        border="REFLECT",
    ),
}
# METHODS.md §2.5.
CONTROLS = {
    "gatys2017_guided": RELEASED._replace(ceil_mode=True, style=guided_style, more=parts(3)),
    "gatys2017_guided_sums": RELEASED._replace(
        ceil_mode=True,
        style=summed_style,
        style_weights=[1e3 / N**2 for N in WIDTHS.values()],
        more=parts(0),
    ),
    "gatys2015_texture": System(
        *(None, mse, POOLS, gatys_style, [1e9] * 5, "avg", True), rescaled=1
    ),
    "novak2016": System(
        *(
            "relu4_2",
            mse,
            RELUS,
            chain_style,
            [0.1 * 2.0 ** (15 - d) / (2**16 - 1) for d in range(16)],
        ),
        *("avg", True),
        more=chain_of,
    ),
    "mmd2017": System(  # over the pixels, of each of which relu4_2 has 512 / 64 numbers
        *(
            "relu4_2",
            lambda F, P: 8 * mse(F, P),
            GATYS,
            linear_mmd,
            [5 * 2e3 / N for N in WIDTHS.values()],
        ),
        *("avg", False),
        uncounted=lambda x: 3 * 1e-2 / 16 * mean_squared(x),
        more=pixels,
        white=256.0,
    ),
}
LATER = {  # METHODS.md §2.6
    "crowson_w2": System(
        *("relu4_2", lambda F, P: 0.015 * mse(F, P), GATYS, functools.partial(w2_style, steps=12)),
        *([w / 341 for w in (256, 64, 16, 4, 1)], "max", False),
        total_variation=lambda x: 2 * nine_point(x / 255),
        first_border="SYMMETRIC",
        feature_scale=0.01735,
    ),
}
LATER["risser2017"] = SYSTEMS["neural_style_tf"]._replace(
    style=risser_style,
    style_weights=[1.0] * 5,
    total_variation=lambda x: 1e-3 * mean_squared(x),
    more=lambda layer, F, S: (layer,),
    near=1e-3,
)
HEITZ = [relu for relu in RELUS if relu[4] < "5"]
LATER["heitz2021_torch"] = System(
    *(None, mse, HEITZ, sliced_style, [1.0] * 12, "avg", False),
    rescaled=2,
    border="REFLECT",
    near=5e-3,  # twelve layers of ranks; 2.6e-3 was seen where oneDNN stops at AVX2
    more=directions_of,
)
LATER["heitz2021"] = LATER["heitz2021_torch"]._replace(
    style_layers=[*HEITZ, "relu5_1", "relu5_2"], style_weights=[1.0] * 14
)
LATER["kolkin2019"] = System(
    *(None, mse, [], mse, [], "max", False),
    joined=strotss,
    depth=16,
    feature_scale=1 / 255,
    near=1e-3,
)
NNST = [*RELUS[:4], "relu3_1", "relu3_2", "relu3_3", "relu4_1", "relu4_2", "relu4_3"]
LATER["kolkin2022"] = System(
    *(None, mse, NNST, splitting, [1.0] * 10, "max", False),
    depth=16,
    turns=True,
    near=1e-3,
)
LATER["kolkin2022 objective.style_statistic=nearest_hypercolumns"] = LATER["kolkin2022"]._replace(
    style_layers=[], style_weights=[], joined=replacing
)
LATER["crowson_w2 objective.style_statistic=wasserstein2"] = LATER["crowson_w2"]._replace(
    style=w2_style
)
LATER["li_wand2016"] = TORCH._replace(
    content=lambda F, P: 20 * mse(F, P),
    style_layers=["relu3_1", "relu4_1"],
    style=patch_style,
    style_weights=[1.0, 1.0],
)
LATER["luan2017"] = TORCH._replace(joined=lambda F, P, S: 1e4 * affine_rest(F["rgb"], P["rgb"]))
LATER["berger2017"] = System(
    *(None, mse, GATYS, berger_style, [1.0] * 5, "avg", True),
    mean_pixel=(123.0, 117.0, 104.0),
    more=lambda layer, F, S: (layer,),
)
LATER["liu2016"] = CONTROLS["gatys2015_texture"]._replace(
    joined=lambda F, P, S: 1e5 * other_spectrum(F["rgb"] * 255, S["rgb"] * 255)
)
SYSTEMS_AND_CONTROLS = SYSTEMS | CONTROLS | LATER
# These minimize what gatys_released does, of pictures that are recolored or mixed before.
RECOLORED = ("gatys2017_color", "gatys2017_luminance", "gatys2017_scale")
FORCED_TO_CONTENT = (
    "berger2017",
    "liu2016",  # of the result's size
    "neural_style_tf",
    "risser2017",
    "d2l",
    "tf1_walkthrough",
    "vgg16_lbfgs_walkthrough",
    "mmd2017",
)  # style's size


def network(depth: int, path: Path) -> weights.Weights:
    """A narrow VGG with He-scaled random kernels and small positive biases, from a .mat on disk."""
    generator = np.random.default_rng(depth)
    layers, channels = [], 3
    for block, (convs, width) in enumerate(
        zip(CONVS_PER_BLOCK[depth], (8, 12, 16, 24, 24), strict=True), 1
    ):
        for i in range(1, convs + 1):
            kernel = generator.normal(
                0, (2 / (9 * channels)) ** 0.5, (3, 3, channels, width)
            ).astype(np.float32)
            bias = generator.uniform(0, 0.3, width).astype(np.float32)
            layers.append(weights.Layer(f"conv{block}_{i}", kernel, bias))
            channels = width
    matconvnet.write(
        path, weights.Weights(tuple(layers), np.array(weights.IMAGENET_MEAN, dtype=np.float32))
    )
    return matconvnet.load(path)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("networks")
    for depth in (16, 19):
        network(depth, folder / f"{depth}.mat")
    return {depth: folder / f"{depth}.mat" for depth in (16, 19)}


@functools.cache
def pictures(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Content, style and a third picture, each a photograph of its own.

    None has flat areas: there maxima tie, and float32 and float64 pass the gradient to different
    pixels."""
    names = ("chelsea.png", "coffee.png", "motorcycle_left.png")
    photographs = [images.read(assets.sample_path("skimage", name)) for name in names]
    return tuple(resizing.resize(rgb[20:, 30:], height, width) for rgb in photographs)  # type: ignore[return-value]


def oracle_features(
    image: Any,
    net: weights.Weights,
    pooling: str,
    ceil_mode: bool,
    border: str = "CONSTANT",
    first_border: str = "",
) -> dict[str, Any]:
    """Every conv and relu layer in float64; 2 × 2 pooling that leaves what lies beyond the border
    out. A convolution sees there what tf.pad calls `border`, zeros if nothing else.
    """
    found, x, block = {}, image, 1
    for layer in net.layers:
        if layer.name[4] != str(block):
            block += 1
            pool = tf.nn.avg_pool2d if pooling == "avg" else tf.nn.max_pool2d
            x = pool(
                x if ceil_mode else x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2],
                2,
                2,
                "SAME",
            )
            found[f"pool{block - 1}"] = x
        around = [[0, 0], [1, 1], [1, 1], [0, 0]]
        x = tf.pad(x, around, (first_border if layer.name == "conv1_1" else "") or border)
        x = tf.nn.conv2d(x, layer.kernel.astype(np.float64), 1, "VALID") + layer.bias.astype(
            np.float64
        )
        found[layer.name] = x
        x = tf.maximum(x, 0.0)
        found[layer.name.replace("conv", "relu")] = x
    return found


PHOTOGRAPHS = rescale.PHOTOGRAPHS[1:3]  # two are enough to tell one mean from another


@functools.cache
def scales(path: Path, power: int) -> dict[str, np.ndarray]:
    """What each filter of a rescaled network is multiplied with: one over its mean, or a fifth of
    its layer's mean; a mean of squares has its root taken.
    """
    net = matconvnet.load(path)
    sums: dict[str, Any] = {}
    positions: dict[str, float] = {}
    for name in PHOTOGRAPHS:
        rgb = images.read(assets.locate_image(name))
        rgb = resizing.resize(rgb, *resizing.target_shape(rgb, 256))
        found = oracle_features(
            tf.constant((rgb - net.mean_pixel)[None], tf.float64), net, "avg", True
        )
        for layer, F in found.items():
            if layer.startswith("relu"):
                sums[layer] = sums.get(layer, 0) + tf.reduce_sum(F**power, (0, 1, 2)).numpy()
                positions[layer] = positions.get(layer, 0) + size(F)[1]
    means = {layer: (total / positions[layer]) ** (1 / power) for layer, total in sums.items()}
    found = {layer: 1 / np.maximum(mean, mean.mean() / 5) for layer, mean in means.items()}
    last = {
        f"pool{block}": f"relu{block}_{convs}" for block, convs in enumerate(CONVS_PER_BLOCK[19], 1)
    }
    return found | {pool: found[relu] for pool, relu in list(last.items())[:-1]}


def of_one_size(name: str, odd_sides: bool) -> tuple[np.ndarray, ...]:
    """Content, style and third picture of a system; the style has a size of its own where the
    system lets it.
    """
    small = SHIFTED if name == "berger2017" else SMALL
    content, style, third = pictures(
        *(ODD[SYSTEMS_AND_CONTROLS[name].ceil_mode] if odd_sides else small)
    )
    return content, style if name in FORCED_TO_CONTENT else style[:-11, :-6], third


@functools.cache
def oracle(name: str, odd_sides: bool, path: Path) -> tuple[float, np.ndarray]:
    """Loss and gradient, once for both of our convolutions."""
    system, rgb = SYSTEMS_AND_CONTROLS[name], of_one_size(name, odd_sides)
    net = matconvnet.load(path)
    content, style, third = (
        tf.constant((p / 255 * system.white - np.array(system.mean_pixel))[None]) for p in rgb
    )

    def features(image: Any) -> dict[str, Any]:
        if (
            system.transposed
        ):  # what such a network sees is the picture with rows and columns exchanged
            image = tf.transpose(image, (0, 2, 1, 3))
        plain = oracle_features(
            image, net, system.pooling, system.ceil_mode, system.border, system.first_border
        )
        plain = {layer: system.feature_scale * F for layer, F in plain.items()}
        plain["rgb"] = image / system.white + np.array(system.mean_pixel) / system.white
        # With rectifiers and no normalization, the rescaled network's features are the plain ones
        # times a constant.
        return (
            {layer: plain[layer] * scale for layer, scale in scales(path, system.rescaled).items()}
            | {"rgb": plain["rgb"]}
            if system.rescaled
            else plain
        )

    P, S = features(content), features(style)
    if system.turns:
        turned = [S, *(features(tf.image.rot90(style, k)) for k in (1, 2, 3))]
        S = {layer: [each[layer] for each in turned] for layer in S}
    with tf.GradientTape() as tape:
        tape.watch(third)
        F = features(third)
        total = (
            system.content(F[system.content_layer], P[system.content_layer])
            if system.content_layer
            else 0.0
        )
        for layer, weight in zip(system.style_layers, system.style_weights, strict=True):
            total += weight * system.style(F[layer], S[layer], *system.more(layer, F, S))
        if system.joined:
            total += system.joined(F, P, S)
        total += system.total_variation(third)
        descended = total + system.uncounted(third)
    return float(total), tape.gradient(descended, third).numpy() * system.white / 255


@pytest.mark.parametrize(
    ("odd_sides", "convolution"),
    [(False, "direct"), (True, "winograd")],
    ids=["even", "odd-winograd"],
)
@pytest.mark.parametrize("name", SYSTEMS)
def test_loss_and_gradient_are_those_of_the_source(
    name: str, odd_sides: bool, convolution: str, networks: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(name, odd_sides, convolution, networks, monkeypatch)


@pytest.mark.filterwarnings("ignore:.*too narrow for")  # so small are the pictures
@pytest.mark.parametrize("name", CONTROLS | LATER)
def test_loss_and_gradient_of_controls_are_those_of_the_source(
    name: str, networks: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(name, False, "winograd", networks, monkeypatch)


@pytest.mark.parametrize("name", RECOLORED)
def test_recolored_pictures_have_the_loss_of_the_released_code(name: str) -> None:
    ours, released = (config.compose(f"preset={preset}") for preset in (name, "gatys_released"))
    released.network.ceil_mode = True  # Torch's import of Caffe networks
    assert (ours.objective, ours.network) == (released.objective, released.network)


def check(
    name: str,
    odd_sides: bool,
    convolution: str,
    networks: dict[int, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = networks[SYSTEMS_AND_CONTROLS[name].depth]
    # The networks are narrow: the same layers take Winograd's algorithm as in the real one, from
    # the third block on.
    monkeypatch.setattr(rescale, "PHOTOGRAPHS", PHOTOGRAPHS)
    monkeypatch.setattr(vgg, "WINOGRAD_CHANNELS", matconvnet.load(path).layer("conv3_1").bias.size)
    overrides = (
        *f"preset={name}".split(),
        f"network.weights={path}",
        f"network.convolution={convolution}",
    )
    settings = config.compose(*overrides)
    network = transfer.network_of(settings)
    assert len(network.kernels["conv3_2"][0].shape) == {"direct": 4, "winograd": 3}[convolution]
    content, style, third = of_one_size(name, odd_sides)
    total, gradient = oracle(name, odd_sides, path)

    loss = objective.build(
        transfer.objective_of(settings), network, sized(content, style, settings)
    )
    terms, ours = loss.value_and_grad(network.image(third))

    assert terms.total == pytest.approx(total, rel=1e-5)
    assert np.linalg.norm(ours) == pytest.approx(np.linalg.norm(gradient), rel=1e-4)
    near = SYSTEMS_AND_CONTROLS[name].near
    assert np.linalg.norm(ours - gradient) <= near * np.linalg.norm(gradient)


def sized(content: np.ndarray, style: np.ndarray, settings: config.Config) -> LevelPictures:
    """Pictures of a run at these sizes, every style the same painting under its own masks."""

    def mask(path: str | None, rgb: np.ndarray) -> np.ndarray | None:
        return None if path is None else masks.resize(drawn(path, ""), *rgb.shape[:2])

    styles = tuple(
        Painting(
            style,
            each.weight,
            mask=mask(each.mask, style),
            result_mask=mask(each.result_mask, content),
        )
        for each in config.styles(settings).values()
    )
    photograph = None if settings.content.path is None else content
    return LevelPictures(photograph, styles, None, content.shape[:2], Color())


def test_printed_and_released_gatys_differ_by_printed_constants_only(networks: dict) -> None:
    """METHODS.md §2.2: with m = MSE(G/(NM) − A/(NM)), E_l = N²/4 · m, the released term is 1e3 · m;
    content 2/(NM).
    """
    content, style, third = pictures(*SMALL)
    terms = {}
    for name in ("gatys_printed", "gatys"):
        settings = config.compose(f"objective={name}", f"network.weights={networks[19]}")
        network = transfer.network_of(settings)
        loss = objective.build(
            transfer.objective_of(settings), network, sized(content, style, settings)
        )
        terms[name] = loss.value_and_grad(network.image(third))[0]
    printed, released = terms["gatys_printed"], terms["gatys"]
    F = oracle_features(tf.constant(third[None]), matconvnet.load(networks[19]), "avg", True)
    for layer in GATYS:
        N = size(F[layer])[0]
        assert printed.per_layer[f"style/{layer}"] == pytest.approx(
            N**2 / 4 * released.per_layer[f"style/{layer}"], rel=1e-5
        )
    assert released.style == pytest.approx(
        1e3 * sum(released.per_layer[f"style/{layer}"] for layer in GATYS)
    )
    N, M = size(F["relu4_2"])
    assert released.content == pytest.approx(2 / (N * M) * printed.content, rel=1e-5)


class Row(NamedTuple):
    """What a preset's source says beside the formulas, for pictures of 1024 × 768, 1280 × 1014 and
    400 × 300 pixels.
    """

    network: str
    pooling: str  # and what it makes of odd sides
    content_px: tuple[int, int]  # height and width of the content, 1024 × 768
    style_px: tuple[
        int, int
    ]  # of the style, 1280 × 1014; a style stretched to the content's size has the same
    small_px: tuple[int, int]  # of a content of 400 × 300: does it grow?
    resized_by: str
    first_image: tuple[Any, ...]
    optimizer: tuple[Any, ...]
    evaluations: int
    clipped: bool
    content: dict[str, float]  # layers with their weights, α and β multiplied in
    style: dict[str, float]
    controls: Mapping[str, Any] = MappingProxyType({})


# METHODS.md §2.2 and §2.3; sizes by hand, from each program's rule.
CONTENT, EACH = ("content",), dict.fromkeys
LONG = (
    (384, 512),
    (405, 512),
    (384, 512),
)  # long side 512, up or down; 1014 · 512 / 1280 = 405.6, cut
AREA = ((444, 592), (456, 576), (300, 400))  # √(height · width) = 512, never enlarged, rounded up
UNIT = (255.0,) * 3  # pixels in [0, 1]
KERAS_ADAM = ("adam", 0.02, 0.99, 0.999, 1e-1)  # rate, betas, epsilon
CONTROL = Row(  # NeuralImageSynthesis, all its notebooks of controls
    "vgg19",
    "max ceil",
    *AREA,
    "pyramid_reduce",
    CONTENT,
    ("torch_lbfgs", 100),
    500,
    False,
    {"relu4_2": 1},
    EACH(GATYS, 1e3),
)
# fmt: off
TABLE = {
    "gatys2015": Row(
        "vgg19 rescaled", "avg ceil", *AREA, "pyramid_reduce", ("noise", "normal", 1.0), ("lbfgs", 20, None), 2000,
        False, {"relu4_2": 1e6}, EACH(GATYS, 2e8)),
    "gatys2016": Row(
        "vgg19 rescaled", "avg ceil", *AREA, "pyramid_reduce", ("noise", "normal", 1.0), ("torch_lbfgs", 100), 2000,
        False, {"relu4_2": 1e6}, EACH(GATYS, 2e8)),
    "gatys_released": Row(
        "vgg19", "max floor", (512, 682), (512, 646), (512, 682), "early_pillow_bilinear", CONTENT,
        ("torch_lbfgs", 100), 500, False, {"relu4_2": 1}, EACH(GATYS, 1e3)),
    "johnson2016": Row(
        "vgg16", "max ceil", *LONG, "area", ("noise", "normal", 1.0), ("torch_lbfgs", 100), 500, True,
        {"relu2_2": 1}, EACH(JOHNSON, 5)),
    "neural_style": Row(
        "vgg19", "max ceil", *LONG, "area", ("noise", "normal", 1e-3), ("torch_lbfgs", 100), 1000, False,
        {"relu4_2": 5}, EACH(GATYS, 100)),
    "neural_style_pt": Row(
        "vgg19", "max floor", *LONG, "pillow_bilinear", ("noise", "normal", 1e-3), ("torch_lbfgs", 100), 1000, False,
        {"relu4_2": 5}, EACH(GATYS, 100)),
    "neural_style_tf": Row(
        "vgg19", "avg ceil", (384, 512), (384, 512), (300, 400), "area", CONTENT, ("lbfgs", 10, None), 1000, False,
        {"conv4_2": 5}, EACH(GATYS, 1e4 * 0.2 / 5)),
    "neural_style_anish": Row(  # the style as wide as the content: 1014 · 1024 / 1280 = 811.2
        "vgg19", "max ceil", (768, 1024), (811, 1024), (300, 400), "pillow_bicubic", ("noise", "normal", 0.256),
        ("adam", 10, 0.9, 0.999, 1e-8), 1000, False, {"relu4_2": 5}, EACH(GATYS, 100)),
    "tf_tutorial": Row(
        "vgg19", "max floor", *LONG, "bilinear", CONTENT, KERAS_ADAM, 1000, True, {"relu5_2": 1e4}, EACH(GATYS, 2e-3),
        {"unit": UNIT}),
    "tf_tutorial_course": Row(
        "vgg19", "max floor", *LONG, "bilinear", CONTENT, KERAS_ADAM, 500, True, {"relu5_2": 1e4}, EACH(SECOND, 2e-3),
        {"unit": UNIT}),
    "d2l": Row(
        "vgg19", "max floor", (300, 450), (300, 450), (300, 450), "pillow_bilinear", CONTENT,
        ("adam", 0.3, 0.9, 0.999, 1e-8, 0.8, 50), 500, False, {"relu4_4": 1}, EACH([*GATYS[:4], "conv5_1"], 1e4),
        {"unit": (58.395, 57.12, 57.375)}),  # 255 · ImageNet's deviation
    "tf1_walkthrough": Row(
        "vgg19", "avg ceil", (768, 1024), (768, 1024), (300, 400), "pillow_nearest", ("blend", "uniform", 20.0, 0.75),
        ("adam", 2, 0.9, 0.999, 1e-8), 3000, False,
        {"relu5_2": 5}, dict(zip(GATYS, (50, 100, 150, 300, 400), strict=True))),
    "vgg16_lbfgs_walkthrough": Row(
        "vgg16", "max floor", (512, 512), (512, 512), (512, 512), "pillow_nearest", ("noise", "uniform", 127.5),
        ("lbfgs", 10, 20), 10 * 20 + 1, False, {"relu2_2": 0.025}, EACH([*JOHNSON, "relu5_3"], 1)),
    "gatys2017_color": CONTROL._replace(controls={"color": ("match", "pca")}),
    "gatys2017_luminance": CONTROL._replace(controls={"color": ("luminance", "mean")}),
    "gatys2017_guided": CONTROL._replace(controls={"guidance": (2, "gram", "inside", 3, 0)}),
    "gatys2017_guided_sums": CONTROL._replace(
        style={layer: 1e3 / N**2 for layer, N in WIDTHS.items()},
        controls={"guidance": (2, "sums", "inside", 0, 0, 1e6)}),
    "gatys2017_scale": CONTROL._replace(
        controls={"color": ("match", "pca"), "mix": (["relu1_1", "relu2_1"], 1e3, 500)}),
    "gatys2015_texture": Row(  # 256 / √(1280 · 1014) = 0.22471
        "vgg19 rescaled", "avg ceil", (227, 287), (227, 287), (227, 287), "bilinear", ("noise", "normal", 1.0),
        ("lbfgs", 20, None), 2000, True, {}, EACH(POOLS, 1e9), {"color": ("histogram",)}),
    "novak2016": Row(
        "vgg19", "avg ceil", (384, 512), (406, 512), (384, 512), "skimage", CONTENT, ("torch_lbfgs", 100), 500, False,
        {"relu4_2": 1}, {layer: 0.1 * 2.0 ** (15 - d) / (2**16 - 1) for d, layer in enumerate(RELUS)},
        {"statistic": ("chain", -1)}),
    "mmd2017": Row(
        "vgg19", "avg floor", (450, 600), (450, 600), (450, 600), "bilinear", ("noise", "uniform", 0.1),
        ("torch_lbfgs", 100), 1000, False, {"relu4_2": 8},
        {layer: 5e3 / N / 4**k for k, (layer, N) in enumerate(WIDTHS.items())},
        {"statistic": ("mean", 0)}),
    "risser2017": Row(
        "vgg19", "avg ceil", (384, 512), (384, 512), (300, 400), "area", CONTENT, ("lbfgs", 10, None), 1000, False,
        {"conv4_2": 5}, EACH(GATYS, 1e4 * 0.2 / 5),
        {"next to it": {("histogram", "relu1_1"): 2.5e5, ("histogram", "relu4_1"): 2.5e5}}),
    "heitz2021": Row(  # any painting's middle square there; ours has its short side of 256
        "vgg19 rescaled rms", "avg floor", (256, 256), (256, 323), (256, 256), "bilinear",
        ("style_mean", "normal", 2.55), ("lbfgs", 10, None), 20 * 65, False,
        {}, EACH([*HEITZ, "relu5_1", "relu5_2"], 1),
        {"statistic": ("sliced_wasserstein", 0), "border": "reflect", "redraw": (None, 65, True),
         "unit": UNIT}),
    "heitz2021_torch": Row(
        "vgg19 rescaled rms", "avg floor", (203, 256), (203, 256), (203, 256), "skimage",
        ("style_mean", "normal", 2.55), ("torch_lbfgs", 100), 64 * 64, False,
        {}, EACH(HEITZ, 1),
        {"statistic": ("sliced_wasserstein", 0), "border": "reflect", "redraw": (None, 1, False),
         "result": "last", "unit": UNIT}),
    "li_wand2016": Row(  # 1014 · 384 / 1280 = 304.2
        "vgg19", "max ceil", (288, 384), (304, 384), (288, 384), "area", CONTENT, ("torch_lbfgs", 25), 100, False,
        {"relu4_2": 20}, EACH(["relu3_1", "relu4_1"], 1e-4),
        {"statistic": ("patches", 0), "levels": ("anew", {96: 100, 192: 100})}),
    "kolkin2019": Row(  # α/(α+2) of ten layers, 1/(α+2) and p/α of others, with α = 2
        "vgg16", "max floor", *LONG, "bilinear", ("style_mean", "normal", 0.0),
        ("rmsprop", 1e-3, 0.99, 1e-8, 5), 250, False, EACH(HYPERCOLUMN, 0.05), EACH(HYPERCOLUMN, 0.025),
        {"statistic": ("relaxed_emd", 0), "redraw": (None, 1, False), "result": "last",
         "next to it": {("palette", "rgb"): 0.125, **{("moments", layer): 0.025 for layer in HYPERCOLUMN}},
         "levels": ("anew", {64: 250, 128: 250, 256: 250}), "detail": True,
         "alpha": [16, 8, 4], "rates": [2, 2, 2], "unit": UNIT}),
    "kolkin2022": Row(
        "vgg16", "max floor", *LONG, "area", CONTENT,
        ("adam", 2e-3, 0.9, 0.999, 1e-8, 8, False), 200, False, {}, EACH(NNST, 1),
        {"statistic": ("nearest", 0), "redraw": (None, 1, False), "result": "last", "color": ("oklab",),
         "copies": [(90, 1), (180, 1), (270, 1)], "unit": UNIT,
         "levels": ("anew", {64: 200, 128: 200, 256: 200, 512: 200}), "variables": [5, 6, 7, 8],
         "of levels": (0.75, {("nearest_hypercolumns", ("style_weight", 0.1))})}),
    "luan2017": Row(  # 1014 · 700 / 1280 = 554.5
        "vgg19", "max ceil", (525, 700), (554, 700), (525, 700), "pillow_bicubic", ("noise", "normal", 1e-4),
        ("torch_lbfgs", 100), 1000, False, {"relu4_2": 5}, EACH(GATYS, 100),
        {"levels": ("anew", {700: 1000}), "matting": (1e4, [{"matting_weight": 0}])}),
    "berger2017": Row(
        "vgg19", "avg ceil", (512, 512), (512, 512), (512, 512), "pillow_nearest", ("noise", "uniform", 128.0),
        ("adam", 1.0, 0.9, 0.999, 1e-8), 10000, False, {}, EACH(GATYS, 500),
        {"next to it": EACH([("shifted_gram", layer) for layer in GATYS[:4]], 5e3), "shifts": [4, 8, 16, 32, 64],
         "result": "last"}),
    "liu2016": Row(
        "vgg19 rescaled", "avg ceil", (227, 287), (227, 287), (227, 287), "bilinear", ("noise", "normal", 1.0),
        ("lbfgs", 20, None), 2000, True, {}, EACH(POOLS, 1e9), {"color": ("histogram",), "spectrum": 1e5}),
    "crowson_w2": Row(  # gen_scales(128, 512): round(512 / √2^i) while that is 128 or more
        "vgg19", "max floor", (384, 512), (406, 512), (384, 512), "pillow_bicubic", CONTENT,
        ("adam", 0.02, 0.9, 0.99, 1e-8), 500, True, {"relu4_2": 0.015},
        dict(zip(GATYS, (256 / 341, 64 / 341, 16 / 341, 4 / 341, 1 / 341), strict=True)),
        {"statistic": ("wasserstein2_newton", 0), "border": "replicate_first", "result": "average",
         "unit": UNIT,
         "levels": ("kept", {128: 1000, 181: 500, 256: 500, 362: 500})}),
}
# fmt: on


@pytest.mark.parametrize("name", TABLE)
def test_all_else_is_what_the_source_says(name: str) -> None:
    assert found_row(config.compose(f"preset={name}")) == TABLE[name]._replace(
        content=pytest.approx(TABLE[name].content, rel=1e-12),
        style=pytest.approx(TABLE[name].style, rel=1e-12),
    )


def test_the_rate_of_adam_where_it_is_the_programs_other_optimizer() -> None:
    """METHODS.md §2.3: L-BFGS, or Adam 10 (Torch), 1 (pt), 1 (tf)."""
    rates = {"neural_style": 10, "neural_style_pt": 1, "neural_style_tf": 1}
    assert {
        name: config.compose(f"preset={name}", "optimizer.name=adam").optimizer.learning_rate
        for name in rates
    } == rates


def found_row(settings: config.Config) -> Row:
    network, init, optimizer, chosen = (
        settings.network,
        settings.init,
        settings.optimizer,
        settings.objective,
    )

    def shapes(height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Of the result and of the style."""
        content, style = (
            np.broadcast_to(0.0, (*shape, 3)) for shape in ((height, width), (1014, 1280))
        )
        photograph = None if settings.content.path is None else content
        found = Pictures(
            photograph, (Painting(style),), None, {}, settings.image, settings.style.size
        )
        return found.shape_at(1.0), found.shapes_at(1.0)["style"]

    first: tuple[Any, ...] = (init.name,)
    first += () if init.name == "content" else (init.distribution, init.amplitude)
    first += (init.noise_ratio,) if init.name == "blend" else ()
    steps: tuple[Any, ...] = (optimizer.name, getattr(optimizer, "history", None))
    if optimizer.name == "lbfgs":  # its restarts; a test of SciPy's may not stop a run early
        steps += (optimizer.restart_every, *{optimizer.ftol, optimizer.gtol} - {0.0})
    elif optimizer.name == "adam":
        steps = (
            "adam",
            optimizer.learning_rate,
            optimizer.beta1,
            optimizer.beta2,
            optimizer.epsilon,
        )
        steps += (optimizer.decay_rate, optimizer.decay_every) if optimizer.decay_rate != 1 else ()
        if optimizer.laplacian_levels:
            steps += (optimizer.laplacian_levels, optimizer.laplacian_corners)
    elif optimizer.name == "rmsprop":
        steps = ("rmsprop", optimizer.learning_rate, optimizer.rho, optimizer.epsilon)
        steps += (optimizer.laplacian_levels,)
    rescaled = {None: "", "default": " rescaled", "default_rms": " rescaled rms"}[network.rescale]
    return Row(
        network.name + rescaled,
        f"{network.pooling} {'ceil' if network.ceil_mode else 'floor'}",
        *shapes(768, 1024),
        shapes(300, 400)[0],
        settings.image.filter,
        first,
        steps,
        optimizer.max_evaluations,
        optimizer.bounds,
        {layer.layer: chosen.content_weight * layer.weight for layer in chosen.content_layers},
        {layer.layer: chosen.style_weight * layer.weight for layer in chosen.style_layers},
        found_controls(settings),
    )


def found_controls(settings: config.Config) -> dict[str, Any]:
    """The controls that are on, each with the numbers that count for it."""
    found: dict[str, Any] = {}
    color, guidance, mix, chosen, pyramid = (
        settings.color,
        settings.guidance,
        settings.mix,
        settings.objective,
        settings.pyramid,
    )
    if color.name != "none":
        counts = {
            "match": (color.mode,),
            "luminance": (color.luma,),
            "swap": (color.space,),
            "histogram": (),
            "oklab": (),
        }
        found["color"] = (color.name, *counts[color.name])
    if config.guided(settings):
        styles = config.styles(settings).values()
        assert (
            all(style.mask and style.result_mask for style in styles)
            and len({style.weight for style in styles}) == 1
        )
        found["guidance"] = (
            len(styles),
            guidance.name,
            guidance.propagation,
            guidance.margin,
            guidance.global_weight,
        )
        found["guidance"] += (guidance.sums_weight,) if guidance.name == "sums" else ()
    if mix.fine:
        found["mix"] = (mix.layers, mix.weight, mix.max_evaluations)
    if chosen.style_statistic != "gram":
        found["statistic"] = (chosen.style_statistic, chosen.activation_shift)
    if chosen.more_statistics:
        found["next to it"] = {
            (each.statistic, layer.layer): chosen.style_weight * each.weight * layer.weight
            for each in chosen.more_statistics
            for layer in each.layers
        }
    if (unit := settings.image.pixel_unit) != [1.0] * 3:
        found["unit"] = tuple(unit)
    if settings.network.border != "zero":
        found["border"] = settings.network.border
    if chosen.redraw:
        clips = getattr(settings.optimizer, "clip_restarts", False)
        found["redraw"] = (chosen.directions, chosen.redraw, clips)
    if (result := getattr(settings.optimizer, "result", "best")) != "best":
        found["result"] = result
    if pyramid.levels:
        assert settings.image.size_px
        sizes = {
            round(each.scale * settings.image.size_px): each.max_evaluations
            for each in pyramid.levels
        }
        kept = getattr(settings.optimizer, "keep_over_levels", False)
        found["levels"] = ("kept" if kept else "anew", sizes)
    if all(each.detail for each in pyramid.levels) and pyramid.levels:
        found["detail"] = True
    if "shifted_gram" in config.compared(settings):
        found["shifts"] = chosen.shifts
    if chosen.spectrum_weight:
        found["spectrum"] = chosen.spectrum_weight
    if chosen.copies:
        found["copies"] = [(each.turn_deg, each.scale) for each in chosen.copies]
    if any(each.style_statistic for each in pyramid.levels):
        found["of levels"] = (
            chosen.content_share,
            {(each.style_statistic, *each.times.items()) for each in pyramid.levels},
        )
        found["variables"] = [each.laplacian_levels for each in pyramid.levels]
    elif chosen.matting_weight:
        found["matting"] = (chosen.matting_weight, [each.times for each in pyramid.levels])
    elif any(each.times for each in pyramid.levels):
        times = [each.times for each in pyramid.levels]
        # α / 2 of content over style, and 2 / α of the palette; their sum has one weight.
        found["alpha"] = [round(2 * t["content_weight"] / t["style_weight"], 9) for t in times]
        assert [2 / t["palette"] for t in times] == found["alpha"]
        assert [round(4 / t["style_weight"] - 2, 9) for t in times] == found["alpha"]
        found["rates"] = [t["learning_rate"] for t in times]
    assert settings.styles_blend == "targets" and not settings.paint_only
    return found


def test_every_preset_has_its_oracle_and_every_published_one_its_row() -> None:
    presets = {path.stem for path in (config.CONFIG_DIR / "preset").glob("*.yaml")}
    assert presets <= {*SYSTEMS_AND_CONTROLS, *RECOLORED}
    assert presets - {"default", "demo"} == set(TABLE)


PRESETS = sorted(path.stem for path in (config.CONFIG_DIR / "preset").glob("*.yaml"))


@pytest.mark.filterwarnings("ignore:strength=2 has no effect")
@pytest.mark.parametrize("name", PRESETS)
def test_a_strength_of_two_doubles_the_style_weight_alone(name: str) -> None:
    own, doubled = (
        transfer.objective_of(config.compose(f"preset={name}", *strength))
        for strength in ((), ("strength=2",))
    )
    assert own.style_weight > 0
    assert doubled == dataclasses.replace(own, style_weight=2 * own.style_weight)


@pytest.mark.parametrize("name", ["default", "tf_tutorial"])
def test_a_strength_of_two_doubles_style_over_content(
    name: str, networks: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescale, "PHOTOGRAPHS", PHOTOGRAPHS)
    depth = 16 if config.compose(f"preset={name}").network.name == "vgg16" else 19
    content, style, third = pictures(*SMALL)
    found = []
    for strength in ((), ("strength=2",)):
        settings = config.compose(f"preset={name}", f"network.weights={networks[depth]}", *strength)
        network = transfer.network_of(settings)
        loss = objective.build(
            transfer.objective_of(settings), network, sized(content, style, settings)
        )
        found.append(loss.value_and_grad(network.image(third))[0])
    own, doubled = found
    assert own.style > 0 and doubled.style == pytest.approx(2 * own.style, rel=1e-5)
    assert doubled.content == pytest.approx(own.content, rel=1e-5)
    assert doubled.total_variation == pytest.approx(own.total_variation, rel=1e-5)
