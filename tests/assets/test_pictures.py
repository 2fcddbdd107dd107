"""What a color mode does to a painting before a run, and to the result as it is saved."""

from collections.abc import Callable

import numpy as np
import oracle_controls as oracle
import pytest

from stn import config
from stn.assets import pictures
from stn.images import color

RNG = np.random.default_rng(5)
# Without contrast enough for a value to be clipped.
CONTENT, STYLE, RESULT = (
    RNG.normal(mean, deviation, (24, 30, 3)).round()
    for mean, deviation in (((120, 100, 90), (8, 5, 6)), ((90, 130, 140), 9), (110, 7))
)
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def same(before: np.ndarray, after: np.ndarray) -> bool:
    return np.allclose(before, after)


def moments(rgb: np.ndarray) -> np.ndarray:
    colors = rgb.reshape(-1, 3)
    return np.vstack([colors.mean(axis=0), np.cov(colors.T, bias=True)])


def chroma(rgb: np.ndarray) -> np.ndarray:
    """Blue and red less luma, which YUV and its like scale."""
    return rgb[..., [0, 2]] - (rgb @ LUMA)[..., None]


def quantiles(rgb: np.ndarray) -> np.ndarray:
    return np.quantile(rgb.reshape(-1, 3), np.linspace(0.02, 0.98, 20), axis=0)


# By color.name: whether the painting that the network sees, and the result as it is saved, are what
# the mode promises.
PROMISED: dict[str, Callable[[np.ndarray, np.ndarray], bool]] = {
    "none": lambda style, shown: same(style, STYLE) and same(shown, RESULT),
    "match": lambda style, shown: (
        np.allclose(moments(style), moments(CONTENT), rtol=0.03, atol=0.2) and same(shown, RESULT)
    ),
    # The authors' two YUV matrices are inverse to each other up to 2.4e-3.
    "luminance": lambda style, shown: (
        same(style, style[..., :1]) and np.allclose(chroma(shown), chroma(CONTENT), atol=0.5)
    ),
    "swap": lambda style, shown: (
        same(style, STYLE)
        and same(shown @ LUMA, RESULT @ LUMA)
        and same(chroma(shown), chroma(CONTENT))
    ),
    "histogram": lambda style, shown: (
        same(style, STYLE) and np.allclose(quantiles(shown), quantiles(STYLE), atol=1.5)
    ),
    "oklab": lambda style, shown: (
        same(style, STYLE)
        and np.abs(color.to_oklab(shown) - color.to_oklab(RESULT))[..., 0].mean() < 0.02
        and np.allclose(
            *(color.to_oklab(rgb)[..., 1:].mean((0, 1)) for rgb in (shown, STYLE)), atol=0.01
        )
    ),
    "local_affine": lambda style, shown: (
        same(style, STYLE) and np.allclose(shown, oracle.local_affine(RESULT, CONTENT), atol=0.01)
    ),
}


def test_every_color_mode_has_its_promise_here() -> None:
    assert PROMISED.keys() == set(config.choices("color.name"))


@pytest.mark.parametrize("name", PROMISED)
def test_a_color_mode_keeps_its_promise_and_no_other(name: str) -> None:
    settings = config.compose("objective=gatys", f"color={name}", "image.size_px=null")
    arrays = {"content": (CONTENT, None), "style": (STYLE, None)}
    sized = pictures.read(settings, arrays).at(1.0)
    style, shown = sized.styles[0].rgb, sized.shown(RESULT)
    kept = [other for other, promise in PROMISED.items() if promise(style, shown)]
    assert kept == [name]
    assert sized.recolored == (not same(shown, RESULT))
