"""The initial image of a run: content, style, noise, a blend of noise and content, or a file."""

from collections.abc import Callable

import numpy as np

from stn.assets.pictures import LevelPictures
from stn.config.schema import Init, Objective
from stn.images import resizing
from stn.network.network import Network

# By init.distribution: numbers of a shape, from a generator and an amplitude.
DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, float, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda generator, amplitude, shape: generator.normal(0, amplitude, shape),
    "uniform": lambda generator, amplitude, shape: generator.uniform(-amplitude, amplitude, shape),
}


def noise(height: int, width: int, distribution: str, amplitude: float, seed: int) -> np.ndarray:
    """Noise `image` [1, h, w, 3] around the mean pixel: U(−amplitude, amplitude), or normal of that
    deviation.

    Amplitudes are in 0-255 steps; each preset's value stands with its source in configs/.
    """
    generator = np.random.default_rng(seed)
    found = DISTRIBUTIONS[distribution](generator, amplitude, (1, height, width, 3))
    return found.astype(np.float32)


def initial_image(init: Init, pictures: LevelPictures, network: Network, seed: int) -> np.ndarray:
    """The initial image [1, h, w, 3], mean-subtracted, float64, of the result's size.

    A style or a file is resized to it. The rules between keys see to it that a picture is there
    wherever `init.name` needs one (stn/config/rules.py).
    """
    return INITIALIZATIONS[init.name](init, pictures, network, seed).astype(np.float64)


def detail(pictures: LevelPictures) -> np.ndarray:
    """What the content [1, h, w, 3] loses at half its size, bilinear there and back: the finest
    level of its Laplacian pyramid (nkolkin13/STROTSS, styleTransfer.py).
    """
    content = pictures.content
    assert content is not None
    halves = [max(1, side // 2) for side in pictures.shape]
    bilinear = resizing.FILTERS["bilinear"]
    return (content - bilinear(bilinear(content, *halves), *pictures.shape))[None]


def painted(
    objective: Objective, pictures: LevelPictures, network: Network, first: np.ndarray | None
) -> np.ndarray | None:
    """The image [1, h, w, 3] for which targets are found at a level's start: `content_share` of the
    content, and else the level's `first` image with the content's detail; without one None
    (nkolkin13/NeuralNeighborStyleTransfer, utils/stylize.py).
    """
    if first is None:
        return None
    assert pictures.content is not None
    content, share = network.image(pictures.content), objective.content_share
    found: np.ndarray = share * content + (1 - share) * (first + detail(pictures))
    return found


def _content(init: Init, pictures: LevelPictures, network: Network, seed: int) -> np.ndarray:
    assert pictures.content is not None
    return network.image(pictures.content)


def _style(init: Init, pictures: LevelPictures, network: Network, seed: int) -> np.ndarray:
    return network.image(resizing.resize(pictures.styles[0].rgb, *pictures.shape))


def _noise(init: Init, pictures: LevelPictures, network: Network, seed: int) -> np.ndarray:
    return noise(*pictures.shape, init.distribution, init.amplitude, seed)


def _style_mean(init: Init, pictures: LevelPictures, network: Network, seed: int) -> np.ndarray:
    """Noise around the mean color of the first style (Heitz et al. 2021)."""
    mean = pictures.styles[0].rgb.mean(axis=(0, 1), keepdims=True)
    return network.image(mean) + _noise(init, pictures, network, seed)


def _blend(init: Init, pictures: LevelPictures, network: Network, seed: int) -> np.ndarray:
    """noise_ratio · noise + (1 − noise_ratio) · content, as neural-style-tf's and the TF1
    walk-through's.
    """
    ratio = np.float32(init.noise_ratio)
    content = _content(init, pictures, network, seed)
    return ratio * _noise(init, pictures, network, seed) + (1 - ratio) * content


def _file(init: Init, pictures: LevelPictures, network: Network, seed: int) -> np.ndarray:
    assert pictures.initial is not None
    return network.image(resizing.resize(pictures.initial, *pictures.shape))


INITIALIZATIONS: dict[str, Callable[[Init, LevelPictures, Network, int], np.ndarray]] = {
    "content": _content,
    "style": _style,
    "style_mean": _style_mean,
    "noise": _noise,
    "blend": _blend,
    "file": _file,
}
