"""The first image of a run: content, style, noise, a blend of noise and content, or a file."""

import numpy as np

from stn.assets.pictures import Sized
from stn.config.schema import Init
from stn.images import resizing
from stn.network.network import Network


def noise(height: int, width: int, distribution: str, amplitude: float, seed: int) -> np.ndarray:
    """Noise `image` [1, h, w, 3] around the mean pixel: U(−amplitude, amplitude), or normal of that
    deviation.

    Amplitudes are in 0-255 steps; each preset's value stands with its source in configs/.
    """
    generator = np.random.default_rng(seed)
    shape = (1, height, width, 3)
    if distribution == "uniform":
        return generator.uniform(-amplitude, amplitude, shape).astype(np.float32)
    if distribution == "normal":
        return generator.normal(0, amplitude, shape).astype(np.float32)
    raise ValueError(f"unknown distribution {distribution!r}")


def first_image(init: Init, pictures: Sized, network: Network, seed: int) -> np.ndarray:
    """The first image [1, h, w, 3], mean-subtracted, float64, of the result's size; other pictures
    are resized to it.

    blend: noise_ratio · noise + (1 − noise_ratio) · content, as neural-style-tf's and the TF1
    walk-through's."""
    return _first_image(init, pictures, network, seed).astype(np.float64)


def _first_image(init: Init, pictures: Sized, network: Network, seed: int) -> np.ndarray:
    height, width = pictures.shape
    if init.name == "noise":
        return noise(height, width, init.distribution, init.amplitude, seed)
    if init.name == "style":
        return network.image(resizing.resize(pictures.styles[0].rgb, height, width))
    if init.name == "file" and pictures.first is not None:
        return network.image(resizing.resize(pictures.first, height, width))
    if pictures.content is None:
        raise ValueError(f"no content for the initial image {init.name!r}")
    content_image = network.image(pictures.content)
    if init.name == "content":
        return content_image
    if init.name == "blend":
        ratio = np.float32(init.noise_ratio)
        return (
            ratio * noise(height, width, init.distribution, init.amplitude, seed)
            + (1 - ratio) * content_image
        )
    raise ValueError(f"unknown initial image {init.name!r}")
