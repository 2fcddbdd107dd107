"""Color between pictures: a painting recolored, luminance and chroma exchanged, histograms matched.

Everything takes and gives `rgb` [h, w, 3], float, 0-255, gamma-encoded as the sources have it.
Papers: Gatys, Bethge, Hertzmann & Shechtman 2016 (arXiv:1606.05897); Gatys et al. 2017 (CVPR,
arXiv:1611.07865), §5. "The authors' code" is leongatys/NeuralImageSynthesis,
ColourControl.ipynb."""

import itertools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import skimage.color
from scipy import ndimage

from stn.errors import InputError

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
EPS = 1e-5 * 255**2  # the authors' 1e-5 is of values in 0-1; this is a variance
# The authors' two matrices, named luv there; they are inverse to each other up to 2.4e-3.
TO_YUV = np.array([LUMA, [-0.147, -0.288, 0.436], [0.615, -0.515, -0.1]])
FROM_YUV = np.array([[1, 0, 1.139], [1, -0.395, -0.580], [1, 2.03, 0]])
FLAT = 1e-6  # of 255 steps: what resizing makes of a channel that is the same everywhere
BINS = 100  # leongatys/DeepTextures, Misc.py


def match(
    source_rgb: np.ndarray,
    target_rgb: np.ndarray,
    mode: str = "pca",
    eps: float = EPS,
    clip: bool = True,
) -> np.ndarray:
    """`source_rgb` with the mean and the covariance of the colors of `target_rgb`: x ↦ A x + b of
    `color_map`.

    A gray or constant picture on either side works through `eps`, which leaves the covariance wrong
    by about as much. Clipping to 0-255, as the authors do, disturbs the match; `clip=False` gives
    what lies outside as well."""
    A, b = color_map(source_rgb, target_rgb, mode, eps)
    matched = source_rgb @ A.T + b
    return np.clip(matched, 0, 255) if clip else matched


def color_map(
    source_rgb: np.ndarray, target_rgb: np.ndarray, mode: str = "pca", eps: float = EPS
) -> tuple[np.ndarray, np.ndarray]:
    """A [3, 3] and b [3] that give the source's colors the target's statistics: A Σ_S Aᵀ = Σ_C, b =
    μ_C − A μ_S.

    chol: A = L_C L_S⁻¹, Σ = L Lᵀ. pca: A = Σ_C^½ Σ_S^−½ with symmetric roots (Image Analogies).
    sym: the symmetric A, Σ_S^−½ (Σ_S^½ Σ_C Σ_S^½)^½ Σ_S^−½, which changes the colors least. `eps`
    is added to the diagonal of both Σ. Raises InputError where the source's colors do not fill the
    space and `eps` is too small to help."""
    (mean_s, S), (mean_c, C) = (_statistics(rgb, eps) for rgb in (source_rgb, target_rgb))
    if np.linalg.cond(S) > 1e12:  # beyond it float64 keeps no four digits of the inverse
        raise InputError(
            "the picture to recolor is gray or of few colors, which have no inverse; give eps above"
            " zero"
        )
    A = MAPS[mode](S, C)
    return A, mean_c - A @ mean_s


def luma(rgb: np.ndarray) -> np.ndarray:
    """Luma [h, w] of `rgb`: .299 R + .587 G + .114 B."""
    return rgb @ LUMA


def gray(rgb: np.ndarray) -> np.ndarray:
    """`rgb` without its colors: the luma in all three channels."""
    return np.repeat(luma(rgb)[..., None], 3, axis=-1)


def match_luma(source_rgb: np.ndarray, target_rgb: np.ndarray, mode: str = "mean") -> np.ndarray:
    """`gray(source_rgb)`, its luma L_S moved to that of the target, L_C, before a transfer on
    luminance.

    none: as it is. mean: L_S − μ_S + μ_C (the authors' code). mean_std: (σ_C / σ_S)(L_S − μ_S) +
    μ_C (Gatys et al. 2017, eq. 10); a luma that is the same everywhere becomes μ_C."""
    L_S, L_C = gray(source_rgb), gray(target_rgb)
    if mode == "none":
        return L_S
    # The bound keeps rounding from passing for contrast where there is none.
    ratio = L_C.std() / max(L_S.std(), 1e-6) if mode == "mean_std" else 1.0
    return np.clip(ratio * (L_S - L_S.mean()) + L_C.mean(), 0, 255)


def restore_chroma(result_rgb: np.ndarray, content_rgb: np.ndarray) -> np.ndarray:
    """The result of a transfer on luminance with the content's colors, as the authors' code puts
    them back.

    All three channels of the result were optimized; their plain mean replaces Y of the content's
    YUV. Clipped to 0-255."""
    yuv = content_rgb @ TO_YUV.T
    yuv[..., 0] = result_rgb.mean(axis=-1)
    return np.clip(yuv @ FROM_YUV.T, 0, 255)


def swap(result_rgb: np.ndarray, content_rgb: np.ndarray, space: str = "yuv") -> np.ndarray:
    """The luminance of `result_rgb` with the chroma of `content_rgb`, clipped to 0-255; both of one
    size.

    `yuv`: content + (Y_result − Y_content), which YUV, YIQ, YCrCb and YCbCr all come to. So do
    neural-style, neural-style-pt, anishathalye's neural-style, and neural-style-tf's yuv and ycrcb,
    up to their rounding to 8 bits. `lab`, `luv`: L* of the result, the other two of the content,
    D65 (neural-style-tf's lab and luv)."""
    if space == "yuv":
        return np.clip(content_rgb + (luma(result_rgb) - luma(content_rgb))[..., None], 0, 255)
    forward, back = getattr(skimage.color, f"rgb2{space}"), getattr(skimage.color, f"{space}2rgb")
    swapped = forward(content_rgb / 255)
    swapped[..., 0] = forward(result_rgb / 255)[..., 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of colors that no screen has; they are clipped
        return np.clip(255 * back(swapped), 0, 255)


def match_histogram(source_rgb: np.ndarray, target_rgb: np.ndarray) -> np.ndarray:
    """`source_rgb` with the histogram of `target_rgb` in each channel (leongatys/DeepTextures,
    Misc.py:105-157).

    A value's rank, 0-1 and the mean of its equals', goes through the inverse of the target's
    cumulative histogram, which is linear between the edges of BINS."""
    matched = np.empty_like(source_rgb, dtype=np.float64)
    for c in range(source_rgb.shape[-1]):
        if np.ptp(target_rgb[..., c]) < FLAT:
            matched[..., c] = target_rgb[..., c].mean()
            continue
        density, edges = np.histogram(target_rgb[..., c], BINS, density=True)
        # Not counts over their sum, which differ in the last digit: next to an empty bin that digit
        # decides.
        cumulative = np.append(0, np.cumsum(density * np.diff(edges)))
        ranks = _ranks(source_rgb[..., c])
        matched[..., c] = np.interp(ranks / ranks.size, cumulative, edges)
    return matched


# OKLab by Björn Ottosson (2020), in its first numbers, those of NNST's utils/colorization.py.
TO_LMS = np.array(
    [
        [0.4121656120, 0.5362752080, 0.0514575653],
        [0.2118591070, 0.6807189584, 0.1074065790],
        [0.0883097947, 0.2818474174, 0.6302613616],
    ]
)
TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
FROM_OKLAB = np.array(
    [
        [1, 0.3963377774, 0.2158037573],
        [1, -0.1055613458, -0.0638541728],
        [1, -0.0894841775, -1.2914855480],
    ]
)
FROM_LMS = np.array(
    [
        [4.0767245293, -3.3072168827, 0.2307590544],
        [-1.2681437731, 2.6093323231, -0.3411344290],
        [-0.0041119885, -0.7034763098, 1.7068625689],
    ]
)
# The same program: what is added to variances, below which covariance of A and B a painting is
# gray, how a difference of L weighs, and how often neighbors are averaged.
OKLAB_EPS, GRAY, EDGE, ROUNDS = 1e-4, 6e-5, 10.0, 5


def match_oklab(
    result_rgb: np.ndarray, content_rgb: np.ndarray, style_rgb: np.ndarray
) -> np.ndarray:
    """The lightness of the result with the colors of the content, which are moved to those of the
    style; result and content of one size (Kolkin et al. 2022; NNST, utils/colorization.py).

    In OKLab, applied to gamma-encoded values as there: L is the result's. A and B are the content's
    with mean and covariance of the style's, averaged over neighbors of like L. All three are cut to
    the style's range. Where the style is gray, it is the result's A and B, and all three channels
    are moved."""
    content, style, result = (
        to_oklab(np.clip(rgb, 0, 255)) for rgb in (content_rgb, style_rgb, result_rgb)
    )
    least, most = style.min(axis=(0, 1)), style.max(axis=(0, 1))
    _, covariance = _statistics(style, 0.0)
    cut = np.clip(result, least, most)
    if np.abs(covariance[1:, 1:]).max() < GRAY:
        found = match(np.dstack([cut[..., :1], result[..., 1:]]), style, eps=OKLAB_EPS, clip=False)
    else:
        moved = match(content[..., 1:], style[..., 1:], eps=OKLAB_EPS, clip=False)
        found = np.dstack([cut[..., :1], _smoothed(moved, cut[..., 0])])
    return from_oklab(np.clip(found, least, most))


def to_oklab(rgb: np.ndarray) -> np.ndarray:
    """L, A and B of OKLab [h, w, 3], from `rgb` as it is, without gamma undone."""
    return np.cbrt(rgb / 255 @ TO_LMS.T) @ TO_OKLAB.T


def from_oklab(lab: np.ndarray) -> np.ndarray:
    """`rgb` of OKLab [h, w, 3], clipped to 0-255."""
    return np.clip(255 * ((lab @ FROM_OKLAB.T) ** 3 @ FROM_LMS.T), 0, 255)


def _smoothed(values: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """ROUNDS of the mean of 3 × 3 neighbors of `values` [h, w, N], each weighing exp(−EDGE |Δ|) by
    its difference in `guide` [h, w]; at the rim stands the last.
    """
    height, width = guide.shape
    corners = [(i, j) for i in range(3) for j in range(3)]

    def shifted(image: np.ndarray) -> list[np.ndarray]:
        padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), "edge")
        return [padded[i : i + height, j : j + width] for i, j in corners]

    guide = guide[..., None]
    weights = [np.exp(-EDGE * np.abs(guide - other)) for other in shifted(guide)]
    total = np.sum(weights, axis=0)
    for _ in range(ROUNDS):
        parts = zip(weights, shifted(values), strict=True)
        values = np.sum([weight * other for weight, other in parts], axis=0) / total
    return values


# luanfujun/deep-photo-styletransfer (16744e3), cuda_utils.cu and deepmatting_seg.lua: one over its
# pixels' unit, sides of the windows in which colors are fitted, what keeps a map small; gen_all.py:
# how far maps are averaged, and which difference of colors weighs e^-½.
UNIT, WINDOW, RIDGE = 1 / 256, 3, 1e-3
RADIUS, COLOR_EDGE = 15, 0.01
ROWS = 32  # averaged at a time, so that they stay in the CPU's cache; ours


def local_affine(
    result_rgb: np.ndarray, content_rgb: np.ndarray, averaged: bool = True
) -> np.ndarray:
    """The content recolored by affine maps of its colors, one a pixel, that come near the result;
    both of one size (Luan et al. 2017, arXiv:1703.07511: what its program writes).

    A map is fitted in each window of WINDOW × WINDOW by least squares, Σ |A (c, 1) − y|² + RIDGE
    |A|² over the colors' columns. Then it is averaged over neighbors up to RADIUS away, which weigh
    exp(−d² / 2σ²) exp(−|Δc|² / 6 COLOR_EDGE²), d the distance, σ a third of RADIUS and Δc the
    content's difference. So what is flat in the photograph is flat. If not `averaged`, each pixel
    has the map of its own window, which takes a small part of the time."""
    content, result = UNIT * content_rgb, UNIT * result_rgb
    maps = _fitted_maps(content, result)
    A = _averaged(maps, content) if averaged else maps.transpose(2, 3, 0, 1)  # [3, 4, h, w]
    recolored = np.einsum("ijhw,hwj->hwi", A[:, :3], content) + A[:, 3].transpose(1, 2, 0)
    return np.clip(recolored / UNIT, 0, 255)


def _averaged(maps: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Maps [h, w, 3, 4] averaged over neighbors of like color, [3, 4, h, w] float32."""
    height, width = content.shape[:2]
    # [1 + 3 + 12]: what counts, colors and maps; beyond the rim nothing does
    around = ((RADIUS, RADIUS), (RADIUS, RADIUS), (0, 0))
    each = [np.ones((height, width, 1)), content, maps.reshape(height, width, 12)]
    padded = np.pad(np.dstack(each), around).astype(np.float32).transpose(2, 0, 1)
    found = np.empty((12, height, width), np.float32)
    steps = range(-RADIUS, RADIUS + 1)
    for first in range(0, height, ROWS):
        rows = min(ROWS, height - first)
        own = padded[1:4, RADIUS + first : RADIUS + first + rows, RADIUS : RADIUS + width]
        total = np.zeros((13, rows, width), np.float32)
        for down, across in itertools.product(steps, steps):
            top, left = RADIUS + first + down, RADIUS + across
            other = padded[:, top : top + rows, left : left + width]
            apart = np.square(other[1:4] - own).sum(axis=0) / (6 * COLOR_EDGE**2)
            distance = (down**2 + across**2) / (2 * (RADIUS / 3) ** 2)
            weight = np.exp(-apart - np.float32(distance)) * other[0]
            total[0] += weight
            total[1:] += weight * other[4:]
        found[:, first : first + rows] = total[1:] / total[0]
    return found.reshape(3, 4, height, width)


def _fitted_maps(content: np.ndarray, result: np.ndarray) -> np.ndarray:
    """The affine maps A [h, w, 3, 4] from colors with a one to the result's, in windows that end at
    the rim.
    """
    x = np.dstack([content, np.ones(content.shape[:2])])

    def summed(products: np.ndarray) -> np.ndarray:
        for axis in (0, 1):
            products = ndimage.correlate1d(products, np.ones(WINDOW), axis, mode="constant")
        return products

    of_colors = summed(x[..., :, None] * x[..., None, :]) + np.diag([RIDGE, RIDGE, RIDGE, 0])
    to_result = summed(x[..., :, None] * result[..., None, :])
    return np.swapaxes(np.linalg.solve(of_colors, to_result), -1, -2)


def _ranks(values: np.ndarray) -> np.ndarray:
    """The rank of each of `values` [h, w] among them all, from one; equals share their mean."""
    # As scipy.stats.rankdata, whose import takes longer than most pictures.
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place].reshape(values.shape)


def _statistics(rgb: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean [N] and covariance [N, N] of the N channels, over the number of pixels, `eps` on its
    diagonal.
    """
    channels = rgb.shape[-1]
    colors = rgb.reshape(-1, channels)
    return colors.mean(axis=0), np.cov(colors.T, bias=True) + eps * np.eye(channels)


def _root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric square root U Λ^½ Uᵀ."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def _pca(S: np.ndarray, C: np.ndarray) -> np.ndarray:
    return _root(C) @ np.linalg.inv(_root(S))


def _chol(S: np.ndarray, C: np.ndarray) -> np.ndarray:
    return np.linalg.cholesky(C) @ np.linalg.inv(np.linalg.cholesky(S))


def _sym(S: np.ndarray, C: np.ndarray) -> np.ndarray:
    root, inverse = _root(S), np.linalg.inv(_root(S))
    return inverse @ _root(root @ C @ root) @ inverse


# The linear maps of `color_map`, and what `match_luma` and `swap` can do, by name.
MAPS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "pca": _pca,
    "chol": _chol,
    "sym": _sym,
}
LUMAS, SPACES = ("mean_std", "mean", "none"), ("yuv", "lab", "luv")


@dataclass(frozen=True)
class Mode:
    """One way for the result to get the photograph's colors: what becomes of the photograph that
    the network sees and of the painting before, and of the result after, each None for nothing.

    `painting` takes painting, photograph and options; `result` the result, photograph, painting and
    options. These have the fields of `config.Color`, of which `keys` count."""

    photograph: Callable[[np.ndarray], np.ndarray] | None = None
    painting: Callable[[np.ndarray, Any, Any], np.ndarray] | None = None
    result: Callable[[np.ndarray, Any, np.ndarray, Any], np.ndarray] | None = None
    # In place of `result` where a picture is looked at while the run goes, and that takes seconds.
    preview: Callable[[np.ndarray, Any, np.ndarray, Any], np.ndarray] | None = None
    keys: tuple[str, ...] = ()
    needs_photograph: bool = True


# By color.name.
MODES: dict[str, Mode] = {
    "none": Mode(needs_photograph=False),
    "match": Mode(
        painting=lambda style, content, options: match(style, content, options.mode),
        keys=("mode",),
    ),
    "luminance": Mode(
        gray,
        lambda style, content, options: match_luma(style, content, options.luma),
        lambda rgb, content, style, options: restore_chroma(rgb, content),
        keys=("luma",),
    ),
    "swap": Mode(
        result=lambda rgb, content, style, options: swap(rgb, content, options.space),
        keys=("space",),
    ),
    "histogram": Mode(
        result=lambda rgb, content, style, options: match_histogram(rgb, style),
        needs_photograph=False,
    ),
    "oklab": Mode(result=lambda rgb, content, style, options: match_oklab(rgb, content, style)),
    "local_affine": Mode(
        result=lambda rgb, content, style, options: local_affine(rgb, content),
        preview=lambda rgb, content, style, options: local_affine(rgb, content, averaged=False),
    ),
}
