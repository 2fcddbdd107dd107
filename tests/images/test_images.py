"""Pictures of every kind read to the same numbers, bad ones refused in one line, and written ones
whole.
"""

import contextlib
import functools
import io
import json
import math
import os
import resource
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image, ImageCms

from stn import assets, images
from stn.errors import InputError
from stn.images import formats, pillow

LONG = os.environ.get("STN_LONG") == "1"
ORIENTATION, DESCRIPTION = 0x0112, 0x010E  # EXIF tags
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@functools.cache
def photo(height: int = 21, width: int = 34) -> np.ndarray:
    """A smooth picture without any symmetry, uint8 [h, w, 3]."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red, green = 255 * x / (width - 1), 255 * y / (height - 1)
    blue = 255 * np.exp(-((x - width / 4) ** 2 + (y - height / 3) ** 2) / (height * width / 8))
    return np.rint(np.stack([red, green, blue], axis=-1)).astype(np.uint8)


GREY = photo()[..., 0] // 2 + photo()[..., 1] // 2
GREY_16 = GREY.astype(np.uint16) * 250 + 33
RGB_16 = photo().astype(np.uint16) * 250 + np.array([1, 33, 77], dtype=np.uint16)


def as_rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(grey, dtype=np.float64)[..., None], 3, axis=2)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, color: int, rows: bytes) -> bytes:
    """A PNG file from its header and its unfiltered rows, for what Pillow does not write."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_16(pixels: np.ndarray) -> bytes:
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png(width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], rows)


def encoded(pixels: np.ndarray | Image.Image, kind: str, **options) -> bytes:
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def tiff(pixels: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


def profile(space: bytes, **tags: bytes) -> bytes:
    """An ICC display profile with the header of Pillow's sRGB profile and the given tags."""
    table, body, begin = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name.encode(), begin + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">I", begin + len(body)) + SRGB[4:16] + space + SRGB[20:128]
    return header + struct.pack(">I", len(tags)) + table + body


# Red and green primaries exchanged: the same numbers mean the exchanged colors.
SWAPPED = SRGB.replace(b"rXYZ", b"gXYZ*").replace(b"gXYZ", b"rXYZ", 2).replace(b"rXYZ*", b"gXYZ")
GAMMA = 1.8
GREY_PROFILE = profile(
    b"GRAY",
    wtpt=b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061),  # D50, as ICC.1:2010 has it
    kTRC=b"curv\0\0\0\0" + struct.pack(">IH", 1, round(GAMMA * 256)) + b"\0\0",
)


def srgb_encoded(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, to 0-255."""
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def read(tmp_path: Path, data: bytes, name: str = "picture.png") -> np.ndarray:
    path = tmp_path / name
    path.write_bytes(data)
    rgb = images.read(path)
    assert_is_rgb(rgb)
    return rgb


def assert_is_rgb(rgb: np.ndarray) -> None:
    assert rgb.dtype == np.float64
    assert rgb.ndim == 3 and rgb.shape[2] == 3 and min(rgb.shape[:2]) >= 2
    assert np.isfinite(rgb).all() and rgb.min() >= 0 and rgb.max() <= 255


# Reading


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("a.png", "PNG", {}),
        ("a.tif", "TIFF", {}),
        ("a.tiff", "TIFF", {"compression": "tiff_lzw"}),
        ("a.webp", "WEBP", {"lossless": True}),
        ("A.PNG", "PNG", {}),
        ("A.TIFF", "TIFF", {}),
        ("ein Bild – 絵 🎨.png", "PNG", {}),
        ("it's a 'name' & more;.png", "PNG", {}),
        ("wrong.jpg", "PNG", {}),
        ("wrong.tif", "WEBP", {"lossless": True}),
        ("wrong.png", "TIFF", {}),
        ("none", "PNG", {}),
        ("other.png", "PPM", {}),
    ],
)
def test_lossless_pictures_read_exactly_whatever_their_name(tmp_path, name, kind, options):
    np.testing.assert_array_equal(read(tmp_path, encoded(photo(), kind, **options), name), photo())


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "wrong.png"])
@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {}), ("JPEG", {"progressive": True}), ("WEBP", {})]
)
def test_lossy_pictures_read_nearly(tmp_path, name, kind, options):
    rgb = read(tmp_path, encoded(photo(80, 100), kind, quality=95, **options), name)
    assert np.abs(rgb - photo(80, 100)).mean() < 2


def palette() -> Image.Image:
    return Image.fromarray(photo()).quantize(32)


def transparent(mode: str, opacity: int) -> Image.Image:
    """Pure red, or black where there is no color, of one opacity."""
    return Image.new(mode, (3, 2), (255, 0, 0, opacity) if mode == "RGBA" else (0, opacity))


def palette_with_transparency() -> bytes:
    picture = Image.fromarray(np.array([[0, 1, 2]] * 2, dtype=np.uint8), "P")
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    return encoded(picture, "PNG", transparency=bytes([255, 128, 0]))


def one_other() -> Image.Image:
    """All of one color, but one pixel."""
    picture = Image.new("RGB", (3, 2), (9, 8, 7))
    picture.putpixel((0, 0), (1, 2, 3))
    return picture


HALF = 255 * (1 - 128 / 255)  # 127: white through a layer of opacity 128
KINDS: dict[str, tuple[Callable[[], bytes], np.ndarray | list]] = {
    "grey": (lambda: encoded(GREY, "PNG"), as_rgb(GREY)),
    "grey JPEG": (
        lambda: encoded(np.full((16, 16), 77, np.uint8), "JPEG"),
        np.full((16, 16, 3), 77),
    ),
    "1 bit": (lambda: encoded(Image.fromarray(GREY > 99), "PNG"), as_rgb(255 * (GREY > 99))),
    "palette": (lambda: encoded(palette(), "PNG"), np.asarray(palette().convert("RGB"))),
    "palette GIF": (lambda: encoded(palette(), "GIF"), np.asarray(palette().convert("RGB"))),
    "palette, transparent": (
        palette_with_transparency,
        [[[255, 0, 0], [HALF, 255, HALF], [255, 255, 255]]] * 2,
    ),
    "RGBA, opaque": (
        lambda: encoded(transparent("RGBA", 255), "PNG"),
        np.full((2, 3, 3), [255, 0, 0]),
    ),
    "RGBA, half": (
        lambda: encoded(transparent("RGBA", 128), "PNG"),
        np.full((2, 3, 3), [255, HALF, HALF]),
    ),
    "RGBA TIFF": (
        lambda: encoded(transparent("RGBA", 51), "TIFF"),
        np.full((2, 3, 3), [255, 204, 204]),
    ),
    "RGBA WebP": (
        lambda: encoded(transparent("RGBA", 51), "WEBP", lossless=True),
        np.full((2, 3, 3), [255, 204, 204]),
    ),
    "LA": (lambda: encoded(transparent("LA", 51), "PNG"), np.full((2, 3, 3), 204)),
    "RGB, one color clear": (
        lambda: encoded(one_other(), "PNG", transparency=(9, 8, 7)),
        [[[1, 2, 3], [255] * 3, [255] * 3], [[255] * 3] * 3],
    ),
    "16-bit grey PNG": (lambda: encoded(GREY_16, "PNG"), as_rgb(GREY_16 / 257)),
    "16-bit grey TIFF": (lambda: tiff(GREY_16), as_rgb(GREY_16 / 257)),
    "big-endian 16-bit grey TIFF": (lambda: tiff(GREY_16, byteorder=">"), as_rgb(GREY_16 / 257)),
    "16 bits in 32": (
        lambda: encoded(Image.fromarray(GREY_16.astype(np.int32)), "TIFF"),  # Pillow's mode I
        as_rgb(GREY_16 / 257),
    ),
    "float grey TIFF, 0-1": (
        lambda: tiff((GREY_16 / 65535).astype(np.float32)),
        as_rgb(GREY_16 / 257),
    ),
    "float grey TIFF, 0-255": (
        lambda: tiff((GREY_16 / 257).astype(np.float32)),
        as_rgb(GREY_16 / 257),
    ),
    "float grey TIFF, a little beyond 1": (
        lambda: tiff(np.array([[0.25, 0.5, 0.75], [0, 1, 1.001]], np.float32)),
        as_rgb([[63.75, 127.5, 191.25], [0, 255, 255]]),
    ),
    "double grey TIFF": (lambda: tiff(GREY_16 / 65535), as_rgb(GREY_16 / 257)),
    "float RGB TIFF": (
        lambda: tiff((RGB_16 / 65535).astype(np.float32), photometric="rgb"),
        RGB_16 / 257,
    ),
    "32-bit grey TIFF": (lambda: tiff(GREY_16.astype(np.uint32) * 65537), as_rgb(GREY_16 / 257)),
    "32-bit RGB TIFF": (
        lambda: tiff(RGB_16.astype(np.uint32) * 65537, photometric="rgb"),
        RGB_16 / 257,
    ),
    "16-bit RGB TIFF, by planes": (
        lambda: tiff(RGB_16.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"),
        RGB_16 / 257,
    ),
    "RGB TIFF, by planes": (
        lambda: tiff(photo().transpose(2, 0, 1), photometric="rgb", planarconfig="separate"),
        photo(),
    ),
    "float RGBA TIFF, half": (
        lambda: tiff(
            np.full((2, 3, 4), [1, 0, 0, 0.5], np.float32),
            photometric="rgb",
            extrasamples=["unassalpha"],
        ),
        np.full((2, 3, 3), [255, 127.5, 127.5]),
    ),
    "several pages": (lambda: tiff(np.stack([photo(), 255 - photo()]), photometric="rgb"), photo()),
    "several float pages": (
        lambda: tiff(np.stack([photo(), 255 - photo()]).astype(np.float32), photometric="rgb"),
        photo(),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_becomes_rgb(tmp_path, kind):
    data, expected = KINDS[kind]
    tolerance = 1e-4 if "float" in kind else 1e-9
    np.testing.assert_allclose(read(tmp_path, data(), "picture.tif"), expected, atol=tolerance)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "deflated TIFF"])
def test_16_bit_color_is_right_to_one_level(tmp_path, kind):
    compression = "deflate" if "deflated" in kind else None
    rgb = read(
        tmp_path,
        png_16(RGB_16)
        if kind == "PNG"
        else tiff(RGB_16, photometric="rgb", compression=compression),
    )
    assert np.abs(rgb - RGB_16 / 257).max() < 1


def test_16_bit_transparency_is_composited_over_white(tmp_path):
    rgb = read(tmp_path, png_16(np.full((2, 3, 4), [65535, 0, 0, 32768], np.uint16)))
    np.testing.assert_allclose(rgb, np.full((2, 3, 3), [255, 127.5, 127.5]), atol=0.51)


def test_half_transparent_red_over_white_keeps_the_half_level(tmp_path):
    rgb = read(tmp_path, encoded(Image.new("RGBA", (2, 2), (255, 0, 0, 128)), "PNG"))
    np.testing.assert_allclose(rgb[0, 0], [255, 127, 127], atol=1e-9)  # opacity 128/255, not 1/2
    halves = np.full((2, 2, 4), [1, 0, 0, 0.5], np.float32)
    rgb = read(tmp_path, tiff(halves, photometric="rgb", extrasamples=["unassalpha"]), "half.tif")
    np.testing.assert_allclose(rgb[0, 0], [255, 127.5, 127.5])


def test_every_level_of_every_opacity_stays_in_range(tmp_path):
    opacity, level = np.mgrid[0:256, 0:256].astype(np.uint8)
    rgb = read(tmp_path, encoded(np.dstack([level, level, level, opacity]), "PNG"))
    expected = level / 255 * opacity + 255.0 - opacity
    np.testing.assert_allclose(rgb, as_rgb(expected), atol=1e-9)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_converted(tmp_path, kind):
    inks = [
        (0, 0, 0, 0),
        (255, 0, 0, 0),
        (0, 255, 0, 0),
        (0, 0, 255, 0),
        (0, 0, 0, 255),
        (60, 120, 30, 80),
    ]
    for ink in inks:
        picture = Image.new("CMYK", (16, 16), ink)
        rgb = read(tmp_path, encoded(picture, kind, **({"quality": 95} if kind == "JPEG" else {})))
        expected = [(255 - color) * (255 - ink[3]) / 255 for color in ink[:3]]
        np.testing.assert_allclose(rgb, np.full((16, 16, 3), expected), atol=3)


UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored),
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_pictures_come_upright(tmp_path, orientation, kind):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": 0}}.get(kind, {})
    rgb = read(tmp_path, encoded(photo(48, 80), kind, exif=exif, **options))
    expected = UPRIGHT[orientation](photo(48, 80))
    assert rgb.shape == expected.shape
    assert np.abs(rgb - expected).mean() < (2 if kind == "JPEG" else 1e-9)


def test_16_bit_and_transparent_pictures_come_upright(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    rgb = read(tmp_path, encoded(GREY_16, "PNG", exif=exif))
    np.testing.assert_allclose(rgb, np.rot90(as_rgb(GREY_16 / 257), -1))
    rgba = np.dstack([photo(), GREY])
    opacity = as_rgb(GREY) / 255
    expected = np.rot90(photo() * opacity + 255 * (1 - opacity), -1)
    np.testing.assert_allclose(read(tmp_path, encoded(rgba, "PNG", exif=exif)), expected)


# Color profiles


def test_an_srgb_profile_changes_nothing(tmp_path):
    for kind, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
        rgb = read(tmp_path, encoded(photo(), kind, icc_profile=SRGB, **options))
        np.testing.assert_allclose(rgb, photo(), atol=1)


@pytest.mark.parametrize("kind", ["RGB", "RGBA", "palette"])
def test_a_profile_is_converted_to_srgb(tmp_path, kind):
    assert SWAPPED != SRGB and len(SWAPPED) == len(SRGB)
    stored = photo()
    if kind == "palette":
        picture = palette()
        stored = np.asarray(picture.convert("RGB"))
    else:
        picture = Image.fromarray(
            np.dstack([stored, np.full_like(GREY, 255)]) if kind == "RGBA" else stored
        )
    rgb = read(tmp_path, encoded(picture, "PNG", icc_profile=SWAPPED))
    np.testing.assert_allclose(rgb, stored[..., [1, 0, 2]], atol=2)


@pytest.mark.parametrize("kind", ["L", "LA"])
def test_a_grey_profile_is_converted_to_srgb(tmp_path, kind):
    pixels = GREY if kind == "L" else np.dstack([GREY, np.full_like(GREY, 255)])
    rgb = read(tmp_path, encoded(Image.fromarray(pixels, kind), "PNG", icc_profile=GREY_PROFILE))
    expected = srgb_encoded((GREY / 255) ** GAMMA)
    assert np.abs(expected - GREY).max() > 10, "this profile is far from sRGB"
    np.testing.assert_allclose(rgb, as_rgb(expected), atol=0.5)


@pytest.mark.parametrize(
    ("picture", "embedded"),
    [
        (photo(), b"not a profile"),
        (photo(), SRGB[:200]),
        (photo(), GREY_PROFILE),
        (GREY, SRGB),
        (photo(), b""),
    ],
    ids=["text", "truncated", "grey for a color picture", "color for a grey picture", "empty"],
)
def test_a_useless_profile_leaves_the_pixels(tmp_path, picture, embedded):
    rgb = read(tmp_path, encoded(picture, "PNG", icc_profile=embedded))
    np.testing.assert_allclose(rgb, picture if picture.ndim == 3 else as_rgb(picture), atol=1)


# Refusals


def shortened(data: bytes, part: float) -> bytes:
    return data[: round(len(data) * part)]


def header_only_tiff(width: int, height: int) -> bytes:
    """A small float RGB TIFF whose header claims another size."""
    data = bytearray(tiff(np.zeros((2, 3, 3), np.float32), photometric="rgb"))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        for name, size in (
            ("ImageWidth", width),
            ("ImageLength", height),
            ("RowsPerStrip", height),
        ):
            tag = file.pages[0].tags[name]
            data[tag.offset + 2 : tag.offset + 12] = struct.pack("<HII", 4, 1, size)
    return bytes(data)


def holding(value: float) -> bytes:
    pixels = np.full((4, 5, 3), 0.5, np.float32)
    pixels[1, 2, 0] = value
    return tiff(pixels, photometric="rgb")


LARGE = photo(120, 150)
REFUSED: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"this is not a picture\n" * 20,
    "page of the web": lambda: b"<!DOCTYPE html><html><body>404</body></html>",
    "random bytes": lambda: np.random.default_rng(0).bytes(5000),
    "zeros": lambda: bytes(5000),
    **{
        f"JPEG, first {part:.0%}": lambda p=part: shortened(encoded(LARGE, "JPEG"), p)
        for part in (0.01, 0.3, 0.6, 0.95)
    },
    **{
        f"PNG, first {part:.0%}": lambda p=part: shortened(encoded(LARGE, "PNG"), p)
        for part in (0.01, 0.3, 0.6, 0.95)
    },
    **{
        f"WebP, first {part:.0%}": lambda p=part: shortened(encoded(LARGE, "WEBP"), p)
        for part in (0.01, 0.3, 0.95)
    },
    **{
        f"TIFF, first {part:.0%}": lambda p=part: shortened(encoded(LARGE, "TIFF"), p)
        for part in (0.01, 0.3, 0.95)
    },
    "signature of a PNG": lambda: encoded(LARGE, "PNG")[:8],
    "signature of a JPEG": lambda: encoded(LARGE, "JPEG")[:2],
    "signature of a TIFF": lambda: encoded(LARGE, "TIFF")[:4],
    "one pixel": lambda: encoded(photo()[:1, :1], "PNG"),
    "one row": lambda: encoded(photo()[:1], "PNG"),
    "one column": lambda: encoded(photo()[:, :1], "PNG"),
    "no pixels": lambda: png(0, 0, 8, 2, b""),
    "bomb": lambda: png(60_000, 60_000, 8, 2, b"\0"),
    "just above the limit": lambda: png(10_001, 10_000, 8, 2, b"\0"),
    "grey bomb": lambda: png(60_000, 60_000, 16, 0, b"\0"),
    "float bomb": lambda: header_only_tiff(60_000, 60_000),
    "NaN": lambda: holding(math.nan),
    "infinity": lambda: holding(math.inf),
    "NaN in grey": lambda: tiff(np.full((4, 5), math.nan, np.float32)),
    "5 float channels": lambda: tiff(
        np.zeros((6, 7, 5), np.float32), photometric="minisblack", planarconfig="contig"
    ),
    "2 float channels": lambda: tiff(
        np.zeros((6, 7, 2), np.float32), photometric="minisblack", planarconfig="contig"
    ),
    "5 planes": lambda: tiff(
        np.zeros((5, 6, 7), np.float32), photometric="minisblack", planarconfig="separate"
    ),
    "negative samples": lambda: tiff(np.full((4, 5), -7, np.int32)),
}


@pytest.mark.parametrize("name", ["a picture.png", "a picture.tif"])
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_picture_is_refused_in_one_line_that_names_it(tmp_path, kind, name):
    path = tmp_path / name
    path.write_bytes(REFUSED[kind]())
    assert_refused(path)


def test_what_is_no_file_is_refused_in_one_line_that_names_it(tmp_path):
    for path in (
        tmp_path,
        tmp_path / "missing.png",
        tmp_path / "no" / "folder.png",
        Path("/dev/null"),
        Path(),
    ):
        assert_refused(path)


def assert_refused(path: Path) -> None:
    with pytest.raises(InputError) as caught:
        images.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < len(str(path)) + 120


@pytest.mark.parametrize("kind", ["bomb", "grey bomb", "float bomb", "just above the limit"])
def test_a_bomb_is_refused_by_its_size(tmp_path, kind):
    path = tmp_path / "bomb.tif"
    path.write_bytes(REFUSED[kind]())
    assert path.stat().st_size < 1000
    with pytest.raises(InputError, match="megapixels"):
        images.read(path)


# Damaged files


@functools.cache
def seeds() -> dict[str, bytes]:
    exif = Image.Exif()
    exif[ORIENTATION], exif[DESCRIPTION] = 6, "a photograph"
    small = photo(24, 30)
    return {
        "png": encoded(small, "PNG", icc_profile=SRGB, exif=exif),
        "16-bit.png": encoded(GREY_16, "PNG"),
        "palette.png": palette_with_transparency(),
        "jpg": encoded(small, "JPEG", icc_profile=SWAPPED, exif=exif),
        "progressive.jpg": encoded(small, "JPEG", progressive=True),
        "cmyk.jpg": encoded(Image.fromarray(small).convert("CMYK"), "JPEG"),
        "webp": encoded(small, "WEBP", exif=exif),
        "lossless.webp": encoded(np.dstack([small, small[..., 0]]), "WEBP", lossless=True),
        "tif": encoded(small, "TIFF", icc_profile=SRGB, exif=exif),
        "lzw.tif": encoded(small, "TIFF", compression="tiff_lzw"),
        "16-bit.tif": tiff(GREY_16, compression="deflate"),
        "planes.tif": tiff(RGB_16.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"),
        "float.tif": tiff(small.astype(np.float32), photometric="rgb", compression="deflate"),
    }


def mended(data: bytes) -> bytes:
    """A damaged PNG with its checksums made right again, so that the damage is read past them."""
    out, place = data[:8], 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        out += chunk(data[place + 4 : place + 8], data[place + 8 : place + 8 + length])
        place += 12 + length
    return out


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    mutant = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.integers(len(mutant) or 1))
        length = int(rng.integers(1, 12))
        match rng.integers(6):
            case 0 | 1:  # other bytes
                mutant[place : place + length] = rng.bytes(length)
            case 2:  # one bit
                mutant[place : place + 1] = bytes(
                    [(mutant[place] if mutant else 0) ^ 1 << int(rng.integers(8))]
                )
            case 3:  # extreme numbers
                mutant[place : place + 4] = rng.choice(
                    [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"]
                )
            case 4:  # bytes lost, or all the rest
                del mutant[place : place + length if rng.random() < 0.7 else len(mutant)]
            case _:  # bytes twice
                mutant[place:place] = mutant[max(0, place - length) : place]
    mutant_bytes = bytes(mutant)
    if mutant_bytes.startswith(b"\x89PNG\r\n\x1a\n") and rng.random() < 0.7:
        with contextlib.suppress(struct.error):
            return mended(mutant_bytes)
    return mutant_bytes


@pytest.mark.parametrize("name", seeds())
def test_a_damaged_file_is_refused_or_gives_a_picture_and_never_anything_else(
    tmp_path, monkeypatch, name
):
    # A smaller limit than the real one, so that the memory of a picture just below it can be
    # bounded here.
    monkeypatch.setattr(pillow, "MAX_PIXELS", 10**6)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5 * 10**5)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    seed, path, refused = seeds()[name], tmp_path / name.replace("png", "PNG"), 0
    images_read = 3000 if LONG else 250
    path.write_bytes(seed)
    assert_is_rgb(images.read(path))
    before = peak_memory()
    for _ in range(images_read):
        path.write_bytes(damaged(seed, rng))
        try:
            assert_is_rgb(images.read(path))
        except InputError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            refused += 1
    assert (
        0 < refused < images_read
    )  # the damage is neither too small nor too great to show anything
    assert (
        peak_memory() - before < 400 * 2**20
    )  # a million pixels are 24 MB of float64, and some copies of it


def peak_memory() -> int:
    """Bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


# Writing


SETTINGS = json.dumps({"optimizer": {"name": "lbfgs"}, "text": 'quotes " and a backslash \\'})


@pytest.mark.parametrize("name", ["out.png", "out.PNG", "out.tif", "out.tiff"])
def test_lossless_formats_round_trip_exactly(tmp_path, name):
    images.write(tmp_path / name, photo().astype(np.float64), SETTINGS)
    np.testing.assert_array_equal(images.read(tmp_path / name), photo())


@pytest.mark.parametrize("name", ["out.jpg", "out.jpeg", "out.webp"])
def test_lossy_formats_are_written_in_high_quality(tmp_path, name):
    rgb = np.asarray(Image.open(assets.sample_path("skimage", "chelsea.png")), dtype=np.float64)
    images.write(tmp_path / name, rgb, SETTINGS)
    error = images.read(tmp_path / name) - rgb
    psnr = 10 * np.log10(255**2 / np.mean(error**2))
    assert psnr > 38  # decibels; at quality 75 a photograph has about 35


def test_jpeg_keeps_the_color_of_every_pixel(tmp_path):
    stripes = np.zeros((32, 32, 3))
    stripes[:, ::2, 0] = stripes[:, 1::2, 2] = (
        200  # red and blue: color at half the width would make them violet
    )
    images.write(tmp_path / "out.jpg", stripes)
    assert np.abs(images.read(tmp_path / "out.jpg") - stripes).mean() < 5


@pytest.mark.parametrize("suffix", images.FORMATS)
def test_settings_and_the_srgb_profile_are_in_the_file(tmp_path, suffix):
    path = tmp_path / f"ein Bild{suffix}"
    images.write(path, photo(), SETTINGS)
    with Image.open(path) as picture:
        embedded = ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(embedded)
        assert picture.info["icc_profile"][24:36] == bytes(
            12
        )  # no time of making: the same picture, the same bytes
        text = picture.text["stn"] if suffix == ".png" else picture.getexif()[DESCRIPTION]
    assert text == SETTINGS


def test_settings_in_any_language_are_kept_in_png(tmp_path):
    images.write(tmp_path / "out.png", photo(), "Kandinsky – Композиция VII")
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.text["stn"] == "Kandinsky – Композиция VII"


def test_pixels_are_rounded_and_clipped(tmp_path):
    rgb = np.array([[-50.0, 0.4, 0.6], [254.4, 254.6, 300.0]])[:, None].repeat(2, axis=1)
    images.write(tmp_path / "out.png", rgb)
    np.testing.assert_array_equal(
        images.read(tmp_path / "out.png")[:, 0], [[0, 0, 1], [254, 255, 255]]
    )


def test_the_same_picture_gives_the_same_file(tmp_path):
    for suffix in images.FORMATS:
        paths = [tmp_path / f"{name}{suffix}" for name in ("a", "b")]
        for path in paths:
            images.write(path, photo(), SETTINGS)
        assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("name", ["out.bmp", "out", "out.png.gz", ".png"])
def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(InputError, match=r"\.png, \.jpg, \.jpeg, \.webp, \.tif, \.tiff"):
        images.write(tmp_path / name, photo())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("earlier", [None, b"an earlier result"])
@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_a_failed_write_leaves_what_was_there(tmp_path, suffix, earlier):
    path = tmp_path / f"out{suffix}"
    if earlier:
        path.write_bytes(earlier)
    with pytest.raises((OSError, ValueError)):
        images.write(path, np.zeros((70_000, 2, 3)))  # higher than either format can be
    assert [file.read_bytes() for file in tmp_path.iterdir()] == ([earlier] if earlier else [])


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_breaks_off_midway_leaves_nothing(tmp_path, monkeypatch, error):
    def break_off(target: Path, *_, **__) -> None:
        target.write_bytes(b"half a pict")
        raise error

    monkeypatch.setattr(formats.iio, "imwrite", break_off)
    with pytest.raises(type(error)):
        images.write(tmp_path / "out.png", photo())
    assert list(tmp_path.iterdir()) == []


def test_a_written_file_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / "other").write_bytes(b"")
    images.write(tmp_path / "out.png", photo())
    assert (tmp_path / "out.png").stat().st_mode == (tmp_path / "other").stat().st_mode


# Samples


def test_samples_lie_inside_scikit_image():
    path = assets.sample_path("skimage", "coffee.png")
    np.testing.assert_array_equal(images.read(path), skimage.data.coffee())
    with pytest.raises(InputError, match=r"skimage:no\.png"):
        assets.sample_path("skimage", "no.png")
