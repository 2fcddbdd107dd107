"""Ablation measures: one yardstick for every picture, whatever objective it minimized.

All are taken from the result (`rgb`) and the two pictures at the sizes the run had. The network is
the run's own with its plain weights (never rescaled) and average pooling, so numbers compare among
runs that share a weight file:

    measures/content               ½ Σ(F−P)² / (NM) at relu4_2: eq. (1) a feature
    measures/style/<layer>         E_l = Σ(G/M − A/M)² / (4N²) at relu1_1 … relu5_1: eq. (4)
    measures/style                 Σ w_l E_l, w_l = 1 / (number of these layers): eq. (5)
    measures/gram/<layer>          ‖G/M − A/M‖ / ‖A/M‖ (Frobenius) at every ReLU
    measures/gram                  their mean
    measures/features/<layer>      ‖F − P‖ / ‖P‖ at every ReLU
    measures/features              their mean
    measures/ssim_to_content       structural similarity with the content, 1 for the same picture
    measures/edges_to_content      1 where the content's edges keep their direction, 0 by chance,
                                   −1 if all turned
    measures/patches_to_style      sliced Wasserstein distance of 7 × 7 patches to the style picture
    measures/histogram_to_content  ½ Σ|p − q| of the color histograms, 0 for the same colors, 1 for
                                   none in common
    measures/histogram_to_style    the same, to the style picture
    measures/checkerboard          root mean square of the finest checkers, in levels of 255
    measures/isolated_pixels       pixels unlike all eight neighbors, a number

Equations are those of Gatys, Ecker & Bethge 2016 (CVPR); letters as in losses.py. Weights that end
below a layer leave its key out, and a mean is then over the layers that are there.
"""

import collections
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from skimage import color, filters
from skimage.metrics import structural_similarity

from stn.backend import tf
from stn.layers import GATYS
from stn.loss import losses
from stn.metrics import artifacts, patches
from stn.network import checkpointing
from stn.network.network import Network
from stn.network.vgg import Options

# Gatys et al. 2016, section 3; VGG-19 and VGG-16 both have them.
CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = GATYS
POOLING = "avg"  # Gatys et al. 2016, section 2
# Wang et al. 2004 (IEEE TIP 13:4), section III-C: Gaussian window of 11 pixels and deviation 1.5;
# here over R, G and B.
SSIM_DEVIATION, SSIM_WINDOW = 1.5, 11
SSIM = {
    "gaussian_weights": True,
    "sigma": SSIM_DEVIATION,
    "use_sample_covariance": False,
    "data_range": 255,
}
ROUNDING = 1e-6  # of 255 steps a pixel: what a flat picture has of a gradient, and more
BINS = 8  # a color channel, so 512 colors of 32 × 32 × 32 values; ours


def measure(
    rgb: np.ndarray, content_rgb: np.ndarray | None, style_rgb: np.ndarray, network: Network
) -> dict[str, float]:
    """All measures of a picture `rgb` [h, w, 3], 0-255; `content_rgb` has its size, `style_rgb` may
    have another.

    `network` is the plain one. What cannot be measured is left out: structural similarity of a
    picture smaller than its window, patches of one smaller than a patch, edges of a content without
    any. So are a layer that is all zero, and likeness to the content of a run that has none."""
    found = _network_measures(rgb, content_rgb, style_rgb, network)
    if content_rgb is not None:
        if min(rgb.shape[:2]) >= SSIM_WINDOW:
            found["ssim_to_content"] = float(
                structural_similarity(rgb, content_rgb, channel_axis=2, **SSIM)
            )
        found |= (
            {"edges_to_content": kept} if (kept := kept_edges(rgb, content_rgb)) is not None else {}
        )
        found["histogram_to_content"] = histogram_distance(rgb, content_rgb)
    found["histogram_to_style"] = histogram_distance(rgb, style_rgb)
    found["checkerboard"] = artifacts.checkerboard(rgb)
    found["isolated_pixels"] = artifacts.isolated_pixels(rgb)
    if min(*rgb.shape[:2], *style_rgb.shape[:2]) >= patches.SIDE:
        found["patches_to_style"] = patches.distance(rgb, style_rgb)
    return {f"measures/{name}": value for name, value in found.items()}


def histogram_distance(rgb: np.ndarray, other_rgb: np.ndarray) -> float:
    """Total variation ½ Σ|p − q| of the histograms of two pictures [h, w, 3], 0-255, over
    BINS³ colors, each a share of the pixels.

    It is one minus the histogram intersection of Swain & Ballard 1991 (IJCV 7:1), between 0 and 1.
    """
    return float(0.5 * np.abs(_histogram(rgb) - _histogram(other_rgb)).sum())


def kept_edges(
    rgb: np.ndarray, content_rgb: np.ndarray, where: np.ndarray | None = None
) -> float | None:
    """Σ |p| cos 2(φ − ψ) / Σ |p| over the pixels, p the content's gradient, φ and ψ the directions
    of both; ours.

    Of the pixels at which `where` [h, w] is true, or of all. Twice the angle, since an edge is as
    much an edge when light and dark change places. Where the result is flat it adds 0. None for a
    content without a gradient."""
    f, p = _gradient(rgb), _gradient(content_rgb)
    strength = np.abs(p) if where is None else np.abs(p) * where
    if not strength.any():
        return None
    turned = f * p.conj()  # its angle is φ − ψ
    length = np.abs(turned)
    cosine = np.real(turned**2) / np.where(length > 0, length, 1) ** 2
    return float((strength * cosine).sum() / strength.sum())


def _histogram(rgb: np.ndarray) -> np.ndarray:
    bins = np.clip(rgb * (BINS / 256), 0, BINS - 1).astype(int)
    colors = bins.reshape(-1, 3) @ (BINS**2, BINS, 1)
    return np.bincount(colors, minlength=BINS**3) / len(colors)


def _gradient(rgb: np.ndarray) -> np.ndarray:
    """The gradient x + iy of the luminance, smoothed as for the structural similarity: edges, not
    grain.
    """
    smooth = filters.gaussian(color.rgb2gray(rgb), SSIM_DEVIATION)
    gradient = filters.sobel_v(smooth) + 1j * filters.sobel_h(smooth)
    return np.where(np.abs(gradient) < ROUNDING, 0, gradient)


def _network_measures(
    rgb: np.ndarray, content_rgb: np.ndarray | None, style_rgb: np.ndarray, network: Network
) -> dict[str, float]:
    layers = [layer.replace("conv", "relu") for layer in network.kernels]

    options = Options(POOLING, gradient_checkpointing=network.gradient_checkpointing)

    def walk(picture: np.ndarray) -> Iterator[tuple[str, Any, int]]:
        return checkpointing.walk(network.image(picture), network.kernels, layers, options)

    # By layer, summed over its bands: Gram matrices, Σ(F−P)², ΣP², NM.
    A, G, off, length, size = (collections.defaultdict[str, Any](float) for _ in range(5))
    for layer, S, M in walk(style_rgb):
        A[layer] += losses.gram(S, "m", positions=M)
    # Result and content side by side, so that never more than a layer of both is in memory.
    contents = (
        walk(content_rgb) if content_rgb is not None else itertools.repeat((None, None, None))
    )
    for (layer, F, M), (_, P, _) in zip(walk(rgb), contents, strict=False):
        G[layer] += losses.gram(F, "m", positions=M)
        if P is not None:
            off[layer] += tf.reduce_sum(tf.square(F - P))
            length[layer] += tf.reduce_sum(tf.square(P))
            size[layer] = M * F.shape[-1]
    found = (
        {"content": 0.5 * float(off[CONTENT_LAYER] / size[CONTENT_LAYER])}
        if CONTENT_LAYER in off
        else {}
    )
    E = {
        f"style/{layer}": float(losses.style(G[layer], A[layer], "sum_over_4n2"))
        for layer in STYLE_LAYERS
        if layer in G
    }
    gram: dict[str, float] = {}
    features: dict[str, float] = {}
    for layer in G:
        gram |= _relative(f"gram/{layer}", tf.norm(G[layer] - A[layer]), tf.norm(A[layer]))
    for layer in off:
        features |= _relative(f"features/{layer}", tf.sqrt(off[layer]), tf.sqrt(length[layer]))
    found["style"] = sum(E.values()) / len(E)
    for name, each in (("gram", gram), ("features", features)):
        found |= {name: float(np.mean(list(each.values())))} if each else {}
    return found | E | gram | features


def _relative(name: str, difference: Any, length: Any) -> dict[str, float]:
    """One norm over the other under its name; nothing if that is zero."""
    return {name: float(difference) / float(length)} if float(length) else {}
