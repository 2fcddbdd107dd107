"""Between pictures, `rgb` 0-255, and the network's input, mean-subtracted."""

import numpy as np


def to_network(rgb: np.ndarray, mean_pixel: np.ndarray) -> np.ndarray:
    """`rgb` [h, w, 3], 0-255 -> `image` [1, h, w, 3], mean-subtracted, float32."""
    return (rgb - mean_pixel)[None].astype(np.float32)


def from_network(image: np.ndarray, mean_pixel: np.ndarray) -> np.ndarray:
    """`image` [1, h, w, 3], mean-subtracted -> `rgb` [h, w, 3], clipped to 0-255."""
    return np.clip(np.asarray(image, dtype=np.float64)[0] + mean_pixel, 0, 255)


def clipped_share(image: np.ndarray, mean_pixel: np.ndarray) -> float:
    """The share of the values of `image` [1, h, w, 3], mean-subtracted, that lie outside 0-255 by
    half a step.
    """
    values = np.asarray(image, dtype=np.float64)[0] + mean_pixel
    return float(((values < -0.5) | (values > 255.5)).mean())
