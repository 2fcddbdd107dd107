"""Ablation measures: one yardstick for every picture, whatever objective it minimized.

All are taken from the result (`rgb`) and the two pictures at the sizes the run had. The network is the run's own with
its plain weights (never rescaled) and average pooling, so numbers compare among runs that share a weight file:

    measures/content               ½ Σ(F−P)² / (NM) at relu4_2: eq. (1) a feature, so that size does not count
    measures/style/<layer>         E_l = Σ(G/M − A/M)² / (4N²) at relu1_1 … relu5_1: eq. (4), each Gram over its own M
    measures/style                 Σ w_l E_l, w_l = 1 / (number of these layers): eq. (5)
    measures/ssim_to_content       structural similarity with the content picture, 1 for the same picture
    measures/histogram_to_content  ½ Σ|p − q| of the color histograms, 0 for the same colors, 1 for none in common
    measures/histogram_to_style    the same, to the style picture

Equations are those of Gatys, Ecker & Bethge 2016 (CVPR); letters as in losses.py. Weights that end below a layer leave
its key out, and `measures/style` is then the mean over the layers that are there.
"""

import numpy as np
from skimage.metrics import structural_similarity

from stn import images, losses, vgg
from stn.network import Network

# Gatys et al. 2016, section 3; VGG-19 and VGG-16 both have them.
CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
POOLING = "avg"  # Gatys et al. 2016, section 2
# Wang et al. 2004 (IEEE TIP 13:4), section III-C: Gaussian window of 11 pixels and deviation 1.5; here over R, G and B.
SSIM = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255, "channel_axis": 2}
SSIM_WINDOW = 11
BINS = 8  # a color channel, so 512 colors of 32 × 32 × 32 values; ours


def measure(rgb: np.ndarray, content_rgb: np.ndarray, style_rgb: np.ndarray, network: Network) -> dict[str, float]:
    """All measures of a picture `rgb` [h, w, 3], 0-255; `content_rgb` has its size, `style_rgb` may have another.

    `network` is the plain one. A picture smaller than the SSIM's window has no `measures/ssim_to_content`.
    """
    found = _network_measures(rgb, content_rgb, style_rgb, network)
    if min(rgb.shape[:2]) >= SSIM_WINDOW:
        found["ssim_to_content"] = float(structural_similarity(rgb, content_rgb, **SSIM))
    found["histogram_to_content"] = histogram_distance(rgb, content_rgb)
    found["histogram_to_style"] = histogram_distance(rgb, style_rgb)
    return {f"measures/{name}": value for name, value in found.items()}


def histogram_distance(rgb: np.ndarray, other_rgb: np.ndarray) -> float:
    """Total variation ½ Σ|p − q| of two pictures' histograms over BINS³ colors, each a share of the pixels.

    It is one minus the histogram intersection of Swain & Ballard 1991 (IJCV 7:1), between 0 and 1.
    """
    return float(0.5 * np.abs(_histogram(rgb) - _histogram(other_rgb)).sum())


def _histogram(rgb: np.ndarray) -> np.ndarray:
    bins = np.clip(rgb * (BINS / 256), 0, BINS - 1).astype(int)
    colors = bins.reshape(-1, 3) @ (BINS**2, BINS, 1)
    return np.bincount(colors, minlength=BINS**3) / len(colors)


def _network_measures(
    rgb: np.ndarray, content_rgb: np.ndarray, style_rgb: np.ndarray, network: Network
) -> dict[str, float]:
    kernels, mean_pixel = network.kernels, network.mean_pixel
    has_content = CONTENT_LAYER.replace("relu", "conv") in kernels
    style_layers = [layer for layer in STYLE_LAYERS if layer.replace("relu", "conv") in kernels]
    content_layers = [CONTENT_LAYER] if has_content else []
    F = vgg.features(images.to_network(rgb, mean_pixel), kernels, [*content_layers, *style_layers], POOLING)
    P = vgg.features(images.to_network(content_rgb, mean_pixel), kernels, content_layers, POOLING)
    S = vgg.features(images.to_network(style_rgb, mean_pixel), kernels, style_layers, POOLING)
    found: dict[str, float] = {}
    if has_content:
        found["content"] = 0.5 * float(losses.content(F[CONTENT_LAYER], P[CONTENT_LAYER], "mean"))
    E = {
        layer: float(losses.style(losses.gram(F[layer], "m"), losses.gram(S[layer], "m"), "sum_over_4n2"))
        for layer in style_layers
    }
    found["style"] = sum(E.values()) / len(E)
    return found | {f"style/{layer}": value for layer, value in E.items()}
