"""Sizes by hand, every filter against another library or a naive loop, and the pictures of a run at
each level.
"""

import math

import numpy as np
import pytest
import skimage.transform
import tensorflow as tf
from PIL import Image

from stn import assets, config, images
from stn.assets.pictures import Painting, Pictures
from stn.images import resizing

FILTERS = config.choices("image.filter")
CUTS = "early_pillow_bilinear"
PILLOW = {
    "pillow_nearest": Image.Resampling.NEAREST,
    "pillow_bilinear": Image.Resampling.BILINEAR,
    "pillow_bicubic": Image.Resampling.BICUBIC,
}
BYTES = {CUTS, *PILLOW}


def photograph() -> np.ndarray:
    """Neither square nor smooth, and no side even: 171 × 225."""
    return images.read(assets.sample_path("skimage", "chelsea.png"))[40:211, 100:325]


def empty(height: int, width: int) -> np.ndarray:
    """A picture of which only the size counts."""
    return np.broadcast_to(0.0, (height, width, 3))


# Sizes


@pytest.mark.parametrize(
    ("height", "width", "rule", "expected"),
    [
        # size_px, side, aspect -> (height, width); by hand
        (400, 600, (300, "long", None), (200, 300)),
        (600, 400, (300, "long", None), (300, 200)),
        (400, 600, (900, "long", None), (600, 900)),
        (400, 600, (300, "short", None), (300, 450)),
        (600, 400, (300, "short", None), (450, 300)),
        (400, 600, (300, "long_at_most", None), (200, 300)),
        (400, 600, (900, "long_at_most", None), (400, 600)),
        (600, 400, (900, "long_at_most", None), (600, 400)),
        (500, 500, (256, "long", None), (256, 256)),
        (500, 500, (256, "short", None), (256, 256)),
        (400, 600, (None, "long", None), (400, 600)),
        (401, 599, (None, "short", None), (401, 599)),
        (400, 600, (450, "long", 1.5), (300, 450)),  # Dive into Deep Learning: 300 × 450
        (600, 400, (450, "long", 1.5), (300, 450)),
        (600, 400, (300, "short", 1.5), (300, 450)),
        (600, 400, (450, "long", 0.75), (450, 338)),
        (600, 400, (450, "short", 0.75), (600, 450)),
        (400, 600, (512, "long", 1.0), (512, 512)),
        (400, 600, (None, "long", 2.0), (300, 600)),
        (768, 1024, (512, "long", None), (384, 512)),
        (100, 333, (512, "long", None), (154, 512)),  # 153.75
        (4000, 2, (512, "long", None), (512, 1)),  # never nothing
        (2, 4000, (None, "long", 9000.0), (1, 4000)),
        (400, 900, (300, "area", None), (200, 450)),
        (900, 400, (300, "area", None), (450, 200)),
        (400, 600, (300, "area", 1.0), (300, 300)),
        (400, 600, (900, "area", None), (400, 600)),  # never enlarged
        (400, 600, (512, "area", None), (400, 600)),  # √(400 · 600) is 490
    ],
)
def test_the_size_rule(height, width, rule, expected):
    assert resizing.target_shape(empty(height, width), *rule) == expected


@pytest.mark.parametrize(
    ("height", "width", "side", "rounding", "expected"),
    [
        # The authors' notebook, short side 512: 682.67 × 512 and 646.67 × 512, which torchvision
        # cuts.
        (768, 1024, "short", "down", (512, 682)),
        (768, 970, "short", "down", (512, 646)),
        (768, 1024, "short", "nearest", (512, 683)),
        # NeuralImageSynthesis, √(height · width) = 512, which pyramid_reduce rounds up.
        (768, 1024, "area", "up", (444, 592)),
        (768, 970, "area", "up", (456, 576)),
        (1014, 1280, "area", "up", (456, 576)),
        (400, 600, "area", "up", (400, 600)),
        # neural-style-pt, anishathalye: int(), long side 512 of 1280 × 1014: 405.6
        (1014, 1280, "long", "down", (405, 512)),
        (1014, 1280, "long", "up", (406, 512)),
    ],
)
def test_sides_are_rounded_as_each_program_does(height, width, side, rounding, expected):
    assert resizing.target_shape(empty(height, width), 512, side, rounding=rounding) == expected


def test_a_side_that_is_whole_stays_whole_however_it_is_rounded():
    """Such as 49 · (1 / 49 · 3), which floating point may put just below or above 3."""
    for rounding in ("nearest", "down", "up"):
        for width in range(3, 200):
            wide = empty(3 * width, 7 * width)
            assert resizing.target_shape(wide, 21, rounding=rounding) == (9, 21)
            assert resizing.target_shape(wide, 9, "short", rounding=rounding) == (9, 21)
            assert resizing.target_shape(empty(width, 4 * width), 6, "area", rounding=rounding) == (
                3,
                12,
            )
    assert resizing.target_shape(empty(300, 400), None, aspect=4 / 3, rounding="up") == (300, 400)


def test_area_never_enlarges_nor_leaves_the_area_asked_for():
    for height, width in ((40, 700), (333, 517), (512, 512), (1300, 90)):
        found = resizing.target_shape(empty(height, width), 200, "area")
        assert math.sqrt(math.prod(found)) == pytest.approx(
            min(200, math.sqrt(height * width)), rel=0.01
        )
        assert found[0] <= height and found[1] <= width


# Filters


@pytest.mark.parametrize("method", FILTERS)
@pytest.mark.parametrize(
    ("height", "width"), [(40, 61), (13, 20), (190, 250), (40, 240), (200, 61)]
)
def test_every_filter_keeps_flat_pictures_flat_and_the_range(method, height, width):
    edges = np.zeros((80, 122, 3))
    edges[20:50, 8:91] = 255
    resized = resizing.resize(edges, height, width, method)
    assert resized.shape == (height, width, 3)
    assert resized.dtype == np.float64
    assert resized.min() >= 0 and resized.max() <= 255
    for level in (0.0, 77.0 if method in BYTES else 77.75, 255.0):
        flat = resizing.resize(np.full((80, 122, 3), level), height, width, method)
        np.testing.assert_allclose(flat, level, atol=1e-4)


@pytest.mark.parametrize("method", sorted(set(FILTERS) - {"pillow_nearest", CUTS}))
def test_every_filter_keeps_the_place(method):
    """A slope stays the slope through the new pixels' centers; half a pixel would make 1 to 2
    levels.
    """
    rows, columns = np.mgrid[:60, :80] + 0.5
    slope = np.stack([3 * columns, 255 - 2 * columns, 4 * rows], axis=-1)
    for height, width in ((30, 40), (45, 50), (97, 131)):
        y, x = (np.mgrid[:height, :width] + 0.5) * np.array([60 / height, 80 / width])[
            :, None, None
        ]
        expected = np.stack([3 * x, 255 - 2 * x, 4 * y], axis=-1)
        error = (resizing.resize(slope, height, width, method) - expected)[10:-10, 10:-10]
        # Pillow's bytes are rounded twice.
        assert np.abs(error).max() < (1.01 if method in BYTES else 0.4)
        np.testing.assert_allclose(error.mean((0, 1)), 0, atol=0.05)


@pytest.mark.parametrize("method", FILTERS)
def test_a_picture_of_the_right_size_is_not_touched(method):
    rgb = photograph()
    assert resizing.resize(rgb, *rgb.shape[:2], method) is rgb


@pytest.mark.parametrize(("height", "width"), [(57, 75), (100, 131), (12, 224), (1, 1)])
def test_area_is_the_mean_of_what_a_pixel_covers(height, width):
    """Each old pixel is cut up into as many parts as the new size has: then every new one covers
    whole parts.
    """
    rgb = photograph()
    found = resizing.resize(rgb, height, width, "area")
    for y in {0, height // 3, height - 1}:
        for x in {0, width // 2, width - 1}:
            rows = [part // height for part in range(y * 171, (y + 1) * 171)]
            columns = [part // width for part in range(x * 225, (x + 1) * 225)]
            by_column = sum(rgb[:, column] for column in columns) / len(columns)
            np.testing.assert_allclose(
                found[y, x], sum(by_column[row] for row in rows) / len(rows), rtol=1e-9
            )
    np.testing.assert_allclose(found.mean((0, 1)), rgb.mean((0, 1)), rtol=1e-9)


@pytest.mark.parametrize(
    ("height", "width"), [(57, 75), (100, 131), (40, 225), (190, 300), (100, 300)]
)
def test_bilinear_is_tensorflows_without_smoothing(height, width):
    """tf.image.resize, which the TensorFlow tutorials call."""
    rgb = photograph()
    expected = tf.image.resize(
        tf.constant(rgb, tf.float64), (height, width), "bilinear", antialias=False
    )
    np.testing.assert_allclose(resizing.resize(rgb, height, width, "bilinear"), expected, atol=1e-3)


def test_area_enlarges_bilinearly():
    rgb = photograph()
    expected = tf.image.resize(
        tf.constant(rgb, tf.float64), (200, 263), "bilinear", antialias=False
    )
    np.testing.assert_allclose(resizing.resize(rgb, 200, 263, "area"), expected, atol=1e-3)


@pytest.mark.parametrize(("height", "width"), [(200, 75), (57, 263)])
def test_area_is_bilinear_where_only_one_side_grows(height: int, width: int) -> None:
    rgb = photograph()
    expected = resizing.resize(rgb, height, width, "bilinear")
    np.testing.assert_array_equal(resizing.resize(rgb, height, width, "area"), expected)


@pytest.mark.parametrize(("height", "width"), [(57, 75), (100, 131), (40, 225), (190, 300)])
@pytest.mark.parametrize("method", PILLOW)
def test_pillows_filters_are_pillows_to_the_byte(method, height, width):
    rgb = photograph()
    expected = Image.fromarray(rgb.astype(np.uint8)).resize((width, height), PILLOW[method])
    np.testing.assert_array_equal(resizing.resize(rgb, height, width, method), expected)


@pytest.mark.parametrize("method", PILLOW)
def test_pillow_gets_the_nearest_bytes_of_a_picture_that_has_other_values(method):
    rgb = photograph() + np.linspace(-3.7, 3.7, 225)[:, None]
    whole = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    expected = Image.fromarray(whole).resize((70, 60), PILLOW[method])
    np.testing.assert_array_equal(resizing.resize(rgb, 60, 70, method), expected)


@pytest.mark.parametrize("scale", [2, 3, 1.7])
def test_pyramid_reduce_is_scikit_images(scale):
    rgb = photograph()[:168, :210]
    expected = skimage.transform.pyramid_reduce(rgb, scale, preserve_range=True, channel_axis=2)
    found = resizing.resize(rgb, *expected.shape[:2], "pyramid_reduce")
    # Where the size is rounded, our factor is that of the sizes: 1 % of the Gaussian's width at
    # this size.
    np.testing.assert_allclose(found, expected, atol=1e-9 if scale in (2, 3) else 0.5)


@pytest.mark.parametrize("height", [768, 1014])
def test_pyramid_reduce_by_the_authors_rule(height):
    """NeuralImageSynthesis: pyramid_reduce(image, sqrt(height · width / 512²)), each picture by its
    own area.
    """
    width = {768: 1024, 1014: 1280}[height]
    rgb = skimage.transform.resize(photograph(), (height, width), order=1, preserve_range=True)
    expected = skimage.transform.pyramid_reduce(
        rgb, math.sqrt(height * width / 512**2), preserve_range=True, channel_axis=2
    )
    shape = resizing.target_shape(rgb, 512, "area", rounding="up")
    assert shape == expected.shape[:2]
    np.testing.assert_allclose(resizing.resize(rgb, *shape, "pyramid_reduce"), expected, atol=0.05)


@pytest.mark.parametrize(("height", "width"), [(114, 150), (57, 75), (191, 300), (100, 131)])
def test_early_pillow_reads_from_the_corner_and_cuts(height, width):
    """Pillow 2.6's libImaging/Geometry.c, pixel by pixel: x · scale, neighbors' centers at one
    half, whole steps.
    """
    rgb = photograph()
    expected = np.empty((height, width, 3))
    for row in range(height):
        for column in range(width):
            y, x = row * rgb.shape[0] / height - 0.5, column * rgb.shape[1] / width - 0.5
            above, left = math.floor(y), math.floor(x)
            square = rgb[np.clip([[above], [above + 1]], 0, 170), np.clip([left, left + 1], 0, 224)]
            upper, lower = square[:, 0] + (square[:, 1] - square[:, 0]) * (x - left)
            expected[row, column] = np.floor(upper + (lower - upper) * (y - above) + 1e-9)
    found = resizing.resize(rgb, height, width, CUTS)
    assert (
        np.abs(found - expected).max() <= 1 and (found != expected).mean() < 3e-3
    )  # rounding at whole numbers


def test_skimage_is_near_pillows_bicubic_and_does_not_alias():
    rgb = photograph()
    for height, width in ((57, 75), (100, 131), (190, 300)):
        pillow = Image.fromarray(rgb.astype(np.uint8)).resize(
            (width, height), Image.Resampling.BICUBIC
        )
        resized = resizing.resize(rgb, height, width)
        assert np.abs(resized - np.asarray(pillow)).mean() < 4
        np.testing.assert_allclose(resized.mean((0, 1)), rgb.mean((0, 1)), atol=1.5)
    stripes = np.zeros((64, 64, 3))
    stripes[:, ::2] = 255  # as fine as pixels allow; a third of the width cannot hold them
    np.testing.assert_allclose(resizing.resize(stripes, 64, 21)[:, 2:-2], 127.5, atol=30)


def test_filters_tell_pictures_apart():
    """Bicubic against bilinear alone moves neural-style's terms by 30 %: no filter may pass for
    another.
    """
    rgb = photograph()
    found = [resizing.resize(rgb, 50, 70, method) for method in FILTERS]
    for i, one in enumerate(found):
        for other in found[:i]:
            assert np.abs(one - other).mean() > 0.2


# The pictures of a run


def pictures(
    content: tuple[int, int], style: tuple[int, int], style_size: str, **image
) -> Pictures:
    rgb = [
        np.random.default_rng(height).uniform(0, 255, (height, width, 3))
        for height, width in (content, style)
    ]
    return Pictures(rgb[0], (Painting(rgb[1]),), None, {}, config.Image(**image), style_size)


@pytest.mark.parametrize(
    ("content", "style", "style_size", "image", "at_full", "at_half"),
    [
        # anishathalye: the content's own size, the style as wide as the content (1280 × 1014 at
        # 512: 405.6).
        (
            (384, 512),
            (1014, 1280),
            "content_width",
            {"size_px": None, "rounding": "down"},
            (405, 512),
            (202, 256),
        ),
        (
            (512, 384),
            (1014, 1280),
            "content_width",
            {"size_px": None, "rounding": "down"},
            (304, 384),
            (152, 192),
        ),
        (
            (384, 512),
            (1280, 1014),
            "content_width",
            {"size_px": None, "rounding": "down"},
            (646, 512),
            (323, 256),
        ),
        ((384, 512), (90, 90), "content_width", {"size_px": None}, (512, 512), (256, 256)),
        ((384, 512), (1014, 1280), "content", {"size_px": 256}, (192, 256), (96, 128)),
        ((384, 512), (1280, 1014), "own", {"size_px": 256}, (256, 203), (128, 102)),
        ((384, 512), (1280, 1014), "own", {"size_px": 256, "aspect": 1.0}, (256, 256), (128, 128)),
    ],
)
def test_the_style_has_its_own_size_the_contents_or_its_width(
    content, style, style_size, image, at_full, at_half
):
    given = pictures(content, style, style_size, **image, filter="pillow_nearest")
    for scale, expected in ((1.0, at_full), (0.5, at_half)):
        assert given.shapes_at(scale)["style"] == expected
        sized = given.at(scale)
        assert sized.styles[0].rgb.shape[:2] == expected
        assert sized.content.shape[:2] == given.shapes_at(scale)["content"]


def test_a_levels_pictures_are_made_of_the_originals_by_the_settings_filter():
    given = pictures((90, 120), (80, 60), "own", size_px=60, filter="area")
    assert [given.at(scale).content.shape for scale in (1.0, 0.5)] == [
        (45, 60, 3),
        (22, 30, 3),
    ]  # 22.5, to even
    half = given.at(0.5).styles[0].rgb
    np.testing.assert_allclose(
        half.mean((0, 1)), given.styles[0].rgb.mean((0, 1)), rtol=1e-9
    )  # as only area does


@pytest.mark.parametrize(
    ("preset", "method", "content", "style"),
    [
        # Sizes (width, height) of chelsea, 451 × 300, and coffee, 600 × 400, by each program's rule
        ("d2l", "pillow_bilinear", (450, 300), (450, 300)),
        ("neural_style_pt", "pillow_bilinear", (512, 340), (512, 341)),  # 340.6 and 341.3, cut
        ("neural_style_anish", "pillow_bicubic", (451, 300), (451, 300)),  # 300.7, cut
        ("vgg16_lbfgs_walkthrough", "pillow_nearest", (512, 512), (512, 512)),
    ],
)
def test_programs_that_resize_by_pillow_have_its_bytes(preset, method, content, style):
    """What `Image.open(path).resize(size, filter)` gives, which is all that these programs do."""
    found = assets.pictures.read(
        config.compose(
            f"preset={preset}", "content.path=skimage:chelsea.png", "style.path=skimage:coffee.png"
        )
    ).at(1.0)
    for rgb, name, size in (
        (found.content, "chelsea.png", content),
        (found.styles[0].rgb, "coffee.png", style),
    ):
        with Image.open(assets.sample_path("skimage", name)) as picture:
            expected = picture.convert("RGB").resize(size, PILLOW[method])
        np.testing.assert_array_equal(rgb, expected)


# Copies


def test_a_copy_is_turned_by_quarters_exactly() -> None:
    rgb = photograph()
    for quarters in (-1, 1, 2, 3):
        found = resizing.copy(rgb, 90.0 * quarters, 1.0)
        np.testing.assert_array_equal(found, np.rot90(rgb, quarters))


@pytest.mark.parametrize("degrees", [7.5, -7.5, 22.5, 97.5])
def test_a_turned_copy_has_nothing_from_beyond_the_picture(degrees: float) -> None:
    """A picture whose numbers are places: bilinear has them exactly, but where it invents some."""
    height, width = 90, 120
    y, x = np.mgrid[:height, :width] - np.array([height - 1, width - 1]).reshape(2, 1, 1) / 2
    found = resizing.copy(np.stack([y, x, 0 * x], -1), degrees, 1.0)
    assert found.shape[:2] == resizing.copy_shape((height, width), degrees, 1.0)
    row, column = (np.arange(side) - (side - 1) / 2 for side in found.shape[:2])
    turn = math.radians(degrees)
    # A whole pixel of the middle may be half a pixel beside it where a side was odd.
    down = math.cos(turn) * row[:, None] + math.sin(turn) * column
    off = found[..., 0] - down
    assert np.ptp(off) < 1e-6 and abs(off.mean()) < 1


def test_a_copy_has_the_scale_of_its_sides() -> None:
    assert resizing.copy(photograph(), 0.0, 1.05).shape == (179, 236, 3)
    assert resizing.copy_shape((171, 225), 0.0, 1 / 1.05) == (162, 214)
    assert resizing.copy_shape((100, 300), 40.0, 1.0)[0] < 1  # nothing is left of it
