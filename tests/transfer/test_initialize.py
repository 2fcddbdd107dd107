"""First images: noise by its bounds and moments, the others by their definition."""

import dataclasses

import numpy as np
import pytest
import synthetic

from stn import config
from stn.assets.pictures import LevelPictures, Painting
from stn.config.schema import Color, Init
from stn.images import resizing
from stn.network import convolution
from stn.network.network import of_weights
from stn.transfer import initialize

MEAN = np.array([123.68, 116.779, 103.939])  # METHODS.md §1
NETWORK = dataclasses.replace(of_weights(synthetic.vgg(19)), mean_pixel=MEAN)
H, W = 6, 10


def gradient_picture(height: int, width: int, phase: float) -> np.ndarray:
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    return 127.5 + 120 * np.sin(0.3 * x + 0.2 * y * (c + 1) + phase)


CONTENT, STYLE, FILE = (
    gradient_picture(H, W, 0),
    gradient_picture(9, 7, 1),
    gradient_picture(H, 13, 2),
)


def pictures(content: np.ndarray, style: np.ndarray, file: np.ndarray | None) -> LevelPictures:
    return LevelPictures(content, (Painting(style),), file, content.shape[:2], Color())


def first_image(init: Init, content=CONTENT, style=STYLE, file=FILE, seed: int = 0) -> np.ndarray:
    return initialize.initial_image(init, pictures(content, style, file), NETWORK, seed)


@pytest.mark.parametrize("amplitude", [20.0, 127.5])
def test_uniform_noise_fills_its_interval(amplitude):
    noise = initialize.noise(200, 300, "uniform", amplitude, seed=3)
    assert noise.shape == (1, 200, 300, 3)
    assert noise.dtype == np.float32
    assert -amplitude <= noise.min() < -0.999 * amplitude
    assert 0.999 * amplitude < noise.max() <= amplitude
    # 180,000 draws: the mean's own deviation is amplitude / √3 / √180000; five of them.
    assert abs(noise.mean()) < 5 * amplitude / 3**0.5 / 180_000**0.5
    assert noise.std() == pytest.approx(amplitude / 3**0.5, rel=0.01)


@pytest.mark.parametrize("amplitude", [0.001, 0.256, 60.0])
def test_normal_noise_has_its_deviation(amplitude):
    noise = initialize.noise(200, 300, "normal", amplitude, seed=3)
    assert abs(noise.mean()) < 5 * amplitude / 180_000**0.5
    assert noise.std() == pytest.approx(amplitude, rel=0.01)
    within = np.mean(np.abs(noise) < amplitude)
    assert within == pytest.approx(
        0.6827, abs=0.01
    )  # the normal law within one deviation; a uniform would have .577


def test_noise_is_independent_over_pixels_and_channels():
    noise = initialize.noise(200, 300, "uniform", 1.0, seed=3)[0].astype(np.float64)
    for a, b in (
        (noise[1:], noise[:-1]),
        (noise[:, 1:], noise[:, :-1]),
        (noise[..., 1], noise[..., 0]),
        (noise[..., 2], noise[..., 0]),
    ):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("distribution", config.choices("init.distribution"))
def test_the_seed_decides_every_byte(distribution):
    first, again, other = (initialize.noise(8, 9, distribution, 20.0, seed) for seed in (7, 7, 8))
    assert first.tobytes() == again.tobytes()
    assert np.abs(first - other).mean() > 1


@pytest.mark.parametrize("name", config.choices("init.name"))
def test_every_first_image_has_the_contents_size(name):
    image = first_image(Init(name, noise_ratio=0.5))
    assert image.shape == (1, H, W, 3)
    assert image.dtype == np.float64
    assert np.isfinite(image).all()


def test_content_style_and_file_are_those_pictures():
    assert (
        len(
            {
                first_image(Init(name, noise_ratio=0.5)).tobytes()
                for name in config.choices("init.name")
            }
        )
        == 6
    )
    np.testing.assert_allclose(first_image(Init("content"))[0], CONTENT - MEAN, rtol=1e-6)
    for name, rgb in (("style", STYLE), ("file", FILE)):
        np.testing.assert_allclose(
            first_image(Init(name))[0], resizing.resize(rgb, H, W) - MEAN, atol=1e-4
        )


def test_a_picture_of_the_right_size_is_not_touched():
    np.testing.assert_allclose(
        first_image(Init("style"), style=CONTENT)[0], CONTENT - MEAN, rtol=1e-6
    )
    np.testing.assert_allclose(
        first_image(Init("file"), file=CONTENT)[0], CONTENT - MEAN, rtol=1e-6
    )


def test_noise_ignores_the_pictures_and_the_mean_pixel():
    init = Init("noise", distribution="normal", amplitude=60.0)
    elsewhere = dataclasses.replace(NETWORK, mean_pixel=np.zeros(3))
    other = initialize.initial_image(init, pictures(255 - CONTENT, STYLE * 0, None), elsewhere, 5)
    np.testing.assert_array_equal(first_image(init, seed=5), other)
    np.testing.assert_array_equal(other, initialize.noise(H, W, "normal", 60.0, 5))


@pytest.mark.parametrize("ratio", [0.0, 0.25, 0.75, 1.0])
def test_blend_is_noise_and_content_by_the_ratio(ratio):
    """The TF1 walk-through: .75 · U(−20, 20) + .25 · content (METHODS.md §2.3)."""
    noise = initialize.noise(H, W, "uniform", 20.0, 4)
    image = first_image(
        Init("blend", distribution="uniform", amplitude=20.0, noise_ratio=ratio), seed=4
    )
    np.testing.assert_allclose(
        image, ratio * noise + (1 - ratio) * (CONTENT - MEAN)[None], atol=2e-5
    )


def test_noise_around_the_style_has_its_mean_color():
    noise = initialize.noise(H, W, "normal", 2.55, seed=4)
    image = first_image(Init("style_mean", amplitude=2.55), seed=4)
    np.testing.assert_allclose(image - noise, (STYLE.mean(axis=(0, 1)) - MEAN)[None, None, None] +
                               np.zeros((1, H, W, 3)), atol=2e-5)  # fmt: skip


def test_every_allowed_value_has_its_entry():
    assert set(config.choices("init.name")) == initialize.INITIALIZATIONS.keys()
    assert set(config.choices("init.distribution")) == initialize.DISTRIBUTIONS.keys()
    borders = {"zero", *convolution.PADDINGS, "replicate_first", "wrap"}
    assert set(config.choices("network.border")) == borders


def test_what_is_painted_is_content_and_the_level_s_first_image_with_its_detail() -> None:
    sized, asked = pictures(CONTENT, STYLE, None), config.compose().objective
    assert initialize.painted(asked, sized, NETWORK, None) is None
    first = np.sin(np.arange(CONTENT.size)).reshape(1, *CONTENT.shape)
    found = initialize.painted(asked, sized, NETWORK, first)
    sharp = first + initialize.detail(sized)
    np.testing.assert_allclose(found, 0.75 * (CONTENT - MEAN) + 0.25 * sharp, atol=2e-5)


def test_detail_is_what_the_content_loses_at_half_its_size() -> None:
    """Golden, of .5 + .4 sin(.5k): Torch's bilinear without aligned corners, there and back."""
    content = (0.5 + 0.4 * np.sin(0.5 * np.arange(105))).reshape(5, 7, 3)
    found = initialize.detail(pictures(content, STYLE, None))
    assert found.shape == (1, 5, 7, 3)
    assert np.abs(found).sum() == pytest.approx(27.09061962797933, rel=1e-12)
    flat = initialize.detail(pictures(np.full((5, 7, 3), 90.0), STYLE, None))
    np.testing.assert_allclose(flat, 0, atol=1e-12)
