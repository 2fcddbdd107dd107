"""The numbers that other papers print, each as its own program computes it.

They are for tables that hold a picture of ours next to theirs. For a comparison of your own,
`measures` is the better yardstick: docs/reference/measures.md says why.
"""

from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

from stn.backend import tf
from stn.images import color
from stn.layers import GATYS
from stn.metrics import measures
from stn.network import vgg
from stn.network.network import Network

# Deng et al. 2022 (StyTr², CVPR), as diyiiyiii/StyTR-2 computes it: models/StyTR.py, forward, and
# function.py, calc_mean_std and normal.
CONTENT_LAYERS = ("relu4_1", "relu5_1")
STYLE_LAYERS = GATYS
EPSILON = 1e-5  # added to a variance


def stytr2(
    rgb: np.ndarray, content_rgb: np.ndarray, style_rgb: np.ndarray, network: Network
) -> dict[str, float]:
    """StyTr²'s content and style loss of a picture, `rgb` [h, w, 3], 0-255.

    Content: Σ over relu4_1 and relu5_1 of the mean squared difference of features, each channel
    less its mean and over its deviation. Style: Σ over five layers of the mean squared differences
    of the channels' means and of their deviations. Variances are divided by M − 1. Convolutions see
    a reflected border, and pooling rounds odd sides up. `content_rgb` has the size of `rgb`.

    Their encoder is the normalized VGG-19 of AdaIN (vgg_normalised.pth), so `network` is to be the
    rescaled one: the content loss hardly depends on a channel's scale, the style loss does.
    """
    content, style = 0.0, 0.0
    options = vgg.Options("max", border="reflect")
    walks = [
        vgg.walk(network.image(each), network.kernels, STYLE_LAYERS, options)
        for each in (rgb, content_rgb, style_rgb)
    ]
    for (layer, F), (_, P), (_, S) in zip(*walks, strict=True):
        if layer in CONTENT_LAYERS:
            content += float(tf.reduce_mean(tf.square(_normalized(F) - _normalized(P))))
        (mean, deviation), (its_mean, its_deviation) = _moments(F), _moments(S)
        style += float(tf.reduce_mean(tf.square(mean - its_mean)))
        style += float(tf.reduce_mean(tf.square(deviation - its_deviation)))
    return {"stytr2/content": content, "stytr2/style": style}


def ssim(rgb: np.ndarray, content_rgb: np.ndarray) -> dict[str, float]:
    """Structural similarity of two pictures [h, w, 3] in gray and as the mean over R, G and B:
    papers print either.

    Wang et al. 2004 (IEEE TIP 13:4), section III-C, on 0-255; gray is Rec. 601 luma. Nothing for
    pictures smaller than the window.
    """
    if min(rgb.shape[:2]) < measures.SSIM_WINDOW:
        return {}
    gray, content_gray = color.luma(rgb), color.luma(content_rgb)
    return {
        "ssim/gray": float(structural_similarity(gray, content_gray, **measures.SSIM)),
        "ssim/rgb": float(structural_similarity(rgb, content_rgb, channel_axis=2, **measures.SSIM)),
    }


def _moments(F: Any) -> tuple[Any, Any]:
    """Means and deviations [N] of features [1, h, w, N] over positions."""
    flat = tf.reshape(F, (-1, F.shape[-1]))
    mean = tf.reduce_mean(flat, 0)
    variance = tf.reduce_sum(tf.square(flat - mean), 0) / (flat.shape[0] - 1)
    return mean, tf.sqrt(variance + EPSILON)


def _normalized(F: Any) -> Any:
    mean, deviation = _moments(F)
    return (F - mean) / deviation
