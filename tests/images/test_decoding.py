"""What a file says of its samples is followed: depth, polarity, planes, profile, orientation,
opacity, page; what is lost is said.
"""

import io
import os
import socket
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from stn import images
from stn.errors import InputError

LONG = os.environ.get("STN_LONG") == "1"
HEIGHT, WIDTH = 21, 34
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TO_XYZ = np.array([[0.4360, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])
ORIENTATION, SUBFILE, OLD_SUBFILE = 274, 254, 255


def picture(seed: int = 0) -> np.ndarray:
    """A smooth picture without any symmetry, float64 [h, w, 3], 0-255."""
    x_phase, y_phase, z_phase = np.random.default_rng(seed).uniform(0, 1, 3)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    red = 255 * ((x / (WIDTH - 1) + x_phase) % 1)
    green = 255 * ((y / (HEIGHT - 1) + y_phase) % 1)
    return np.stack([red, green, 255 * ((x + 2 * y) / 80 + z_phase) % 255], axis=-1)


RGB = picture()
GRAY = RGB @ [0.3, 0.6, 0.1]
OPACITY = np.clip(np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) / 45, 0, 1)


def over_white(rgb: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    return rgb * opacity[..., None] + 255 * (1 - opacity[..., None])


def as_type(levels: np.ndarray, kind: str) -> np.ndarray:
    """0-255 as samples of a type: the whole range of integers, 0-1 of floats."""
    if kind.startswith("float"):
        return (levels / 255).astype(kind)
    return np.rint(levels / 255 * np.iinfo(kind).max).astype(kind)


def tiff(pixels: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, metadata=None, **options)
    return stream.getvalue()


def planes(pixels: np.ndarray) -> np.ndarray:
    return np.moveaxis(pixels, -1, 0)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(values: np.ndarray, bits: int) -> bytes:
    """Rows of samples of `bits`, each row ending with a whole byte."""
    rows = []
    for row in values.reshape(len(values), -1):
        text = "".join(f"{value:0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        rows.append(int(text, 2).to_bytes(len(text) // 8, "big"))
    return b"".join(rows)


def png(values: np.ndarray, bits: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of integer samples [h, w, channels], with chunks before the pixels."""
    height, width, channels = values.shape
    color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    size = -(-width * channels * bits // 8)
    body = packed(values, bits)
    rows = b"".join(b"\0" + body[at : at + size] for at in range(0, len(body), size))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def tiff_of_tags(body: bytes, tags: dict[int, list[int]], order: str = "<") -> bytes:
    """A TIFF of one strip, `body`, with these tags of 16 or 32 bits."""
    tags |= {259: [1], 273: [8], 279: [len(body)]}
    begin = 8 + len(body) + 2 + 12 * len(tags) + 4
    entries, longer = b"", b""
    for tag in sorted(tags):
        letter, kind = ("I", 4) if tag in (273, 279) else ("H", 3)
        data = struct.pack(f"{order}{len(tags[tag])}{letter}", *tags[tag])
        entries += struct.pack(f"{order}HHI", tag, kind, len(tags[tag]))
        if len(data) > 4:
            entries += struct.pack(f"{order}I", begin + len(longer))
            longer += data
        else:
            entries += data + bytes(4 - len(data))
    start = {">": b"MM\0*", "<": b"II*\0"}[order] + struct.pack(f"{order}I", 8 + len(body))
    return start + body + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + longer


def tiff_by_hand(values: np.ndarray, bits: int, photometric: int, order: str = ">") -> bytes:
    """An uncompressed gray TIFF of packed samples, which no writer here makes."""
    height, width = values.shape
    body = values.astype(f"{order}u2").tobytes() if bits == 16 else packed(values, bits)
    tags = {256: [width], 257: [height], 258: [bits], 262: [photometric], 277: [1], 278: [height]}
    return tiff_of_tags(body, tags, order)


def profile(space: bytes, **tags: bytes) -> bytes:
    """An ICC display profile with the header of Pillow's sRGB profile and the given tags."""
    table, body, begin = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name.encode(), begin + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">I", begin + len(body)) + SRGB[4:16] + space + SRGB[20:128]
    return header + struct.pack(">I", len(tags)) + table + body


def xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * value) for value in (x, y, z)))


def curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(gamma * 256), 0)


D50 = xyz(0.9642, 1, 0.8249)


def gray_profile(gamma: float) -> bytes:
    return profile(b"GRAY", wtpt=D50, kTRC=curve(gamma))


def rgb_profile(gamma: float) -> bytes:
    """sRGB's primaries with another curve."""
    primaries = {f"{name}XYZ": xyz(*TO_XYZ[:, i]) for i, name in enumerate("rgb")}
    return profile(b"RGB ", wtpt=D50, **primaries, **{f"{name}TRC": curve(gamma) for name in "rgb"})


def srgb_encoded(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, to 0-255."""
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: np.rot90(stored),
}


def read(tmp_path: Path, data: bytes, name: str = "picture") -> tuple[np.ndarray, str]:
    """The picture, and the lines that were said of it, without its name."""
    path = tmp_path / name
    path.write_bytes(data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rgb = images.read(path)
    lines = [str(warning.message) for warning in caught]
    assert all(line.startswith(f"{path}: ") and "\n" not in line for line in lines)
    return rgb, "; ".join(line.removeprefix(f"{path}: ") for line in lines)


def assert_seen(found: tuple[np.ndarray, str], expected: np.ndarray, said: str = "") -> None:
    """The right picture within two levels of 0-255, and nothing said but `said`."""
    rgb, lines = found
    if expected.ndim == 2:
        expected = np.repeat(expected[..., None], 3, axis=2)
    assert rgb.shape == expected.shape
    assert np.abs(rgb - expected).max() <= 2
    assert said in lines if said else not lines


# Depth and polarity


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8, 10, 12, 14, 16])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", [0, 1], ids=["white is zero", "black is zero"])
def test_gray_tiff_of_any_depth_and_polarity(tmp_path, bits, photometric, order):
    values = np.rint(GRAY / 255 * (2**bits - 1)).astype(int)
    stored = values if photometric == 1 else 2**bits - 1 - values
    found = read(tmp_path, tiff_by_hand(stored, bits, photometric, order))
    assert_seen(found, values / (2**bits - 1) * 255)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "uint32", "float16", "float32", "float64"])
def test_tiff_whose_zero_is_white(tmp_path, kind):
    assert_seen(read(tmp_path, tiff(as_type(255 - GRAY, kind), photometric="miniswhite")), GRAY)


DEPTHS = {"gray": (1, 2, 4, 8, 16), "rgb": (8, 16)}  # of PNG


@pytest.mark.parametrize(
    ("color", "bits"), [(color, bits) for color in DEPTHS for bits in DEPTHS[color]]
)
def test_png_of_any_depth_with_one_color_transparent(tmp_path, color, bits):
    most = 2**bits - 1
    values = np.rint((GRAY[..., None] if color == "gray" else RGB) / 255 * most).astype(int)
    clear = values[7, 9]
    data = png(values, bits, (b"tRNS", struct.pack(f">{len(clear)}H", *clear)))
    opacity = 1.0 - (values == clear).all(axis=-1)
    assert opacity.any() and not opacity.all()
    expected = np.broadcast_to(values / most * 255, RGB.shape)
    assert_seen(read(tmp_path, data), over_white(expected, opacity))


def test_16_bit_png_keeps_its_bits(tmp_path):
    values = as_type(np.dstack([RGB, 255 * OPACITY]), "uint16")
    rgb, _ = read(tmp_path, png(values, 16))
    np.testing.assert_allclose(rgb, over_white(RGB, OPACITY), atol=0.01)


ADAM7 = """
16462646
77777777
56565656
77777777
36463646
77777777
56565656
77777777
"""  # the pass of each pixel (PNG, 8.2)


@pytest.mark.parametrize(("bits", "channels"), [(2, 1), (16, 1), (16, 2), (16, 3), (16, 4)])
@pytest.mark.parametrize(("height", "width"), [(2, 2), (5, 3), (19, 26)])
def test_an_interlaced_png_is_read_without_a_word(tmp_path, capfd, bits, channels, height, width):
    most = 2**bits - 1
    values = np.random.default_rng(0).integers(0, most + 1, (height, width, channels))
    of_pass = np.array([[*line] for line in ADAM7.split()]).astype(int)
    of_pass = np.tile(of_pass, (3, 4))[:height, :width]
    rows = b""
    for number in range(1, 8):
        for row in range(height):
            chosen = values[row, of_pass[row] == number]
            rows += b"\0" + packed(chosen[None], bits) if chosen.size else b""
    color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 1)
    clear = [(b"tRNS", struct.pack(">H", values[1, 1, 0]))] if channels == 1 else []
    parts = [(b"IHDR", header), *clear, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    rgb, _ = read(tmp_path, b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    levels = values / most * 255
    opacity = levels[..., -1] / 255 if channels in (2, 4) else np.ones((height, width))
    if clear:
        opacity = 1.0 - (values[..., 0] == values[1, 1, 0])
    color_levels = levels[..., :3] if channels > 2 else levels[..., :1].repeat(3, axis=2)
    np.testing.assert_allclose(rgb, over_white(color_levels, opacity), atol=0.01)
    assert capfd.readouterr() == ("", "")


def test_samples_that_are_black_are_said_to_be(tmp_path):
    ten_bits_in_16 = np.rint(GRAY / 255 * 1023).astype(int)
    found = read(tmp_path, png(ten_bits_in_16[..., None], 16))
    assert_seen(found, GRAY / 64, "nothing in it is brighter than 4 of 255")


@pytest.mark.parametrize("bits", [4, 8, 10, 12, 16])
@pytest.mark.parametrize("kind", ["jp2", "j2k"])
@pytest.mark.parametrize("color", ["gray", "rgb", "rgba"])
def test_jpeg_2000_of_any_depth(tmp_path, bits, kind, color):
    levels = {"gray": GRAY, "rgb": RGB, "rgba": np.dstack([RGB, 255 * OPACITY])}[color]
    values = np.rint(levels / 255 * (2**bits - 1)).astype(np.uint8 if bits <= 8 else np.uint16)
    data = imagecodecs.jpeg2k_encode(values, bitspersample=bits, codecformat=kind, reversible=True)
    seen = values / (2**bits - 1) * 255
    seen = over_white(seen[..., :3], seen[..., 3] / 255) if color == "rgba" else seen
    said = "taken for opacity" if color == "rgba" else ""  # this encoder does not name it
    assert_seen(read(tmp_path, data), seen, said)


def test_floats_of_light_beyond_white_are_said_to_be_dark(tmp_path):
    data = tiff((RGB / 255 * 9).astype(np.float32), photometric="rgb")
    assert_seen(read(tmp_path, data), RGB / 255 * 9, "nothing in it is brighter than 64 of 255")


def test_floats_that_are_no_colors_are_refused(tmp_path):
    with pytest.raises(InputError, match="holds numbers from 0 to 4095"):
        read(tmp_path, tiff(np.linspace(0, 4095, 200).reshape(10, 20).astype(np.float32)))


# Planes, inks, orientation


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "zstd", "packbits"])
def test_planes_of_color_and_opacity(tmp_path, kind, compression):
    stored = planes(as_type(np.dstack([RGB, 255 * OPACITY]), kind))
    options = {"photometric": "rgb", "planarconfig": "separate", "extrasamples": ["unassalpha"]}
    data = tiff(stored, compression=compression, **options)
    assert_seen(read(tmp_path, data), over_white(RGB, OPACITY))


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_inks_of_any_depth(tmp_path, kind, planar):
    inks = np.dstack([255 - RGB, GRAY / 2])
    stored = as_type(inks if planar == "contig" else planes(inks), kind)
    data = tiff(stored, photometric="separated", planarconfig=planar)
    assert_seen(read(tmp_path, data), RGB * (1 - GRAY[..., None] / 510))


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["planar uint16", "float32", "gray uint16", "16-bit PNG"])
def test_pictures_of_many_bits_come_upright(tmp_path, kind, orientation):
    if kind == "16-bit PNG":
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        body = exif.tobytes().removeprefix(b"Exif\0\0")
        data = png(as_type(RGB, "uint16"), 16, (b"eXIf", body))
    else:
        levels = GRAY if "gray" in kind else RGB
        stored = as_type(levels, kind.split()[-1])
        planar = {"planarconfig": "separate"} if "planar" in kind else {}
        photometric = "minisblack" if "gray" in kind else "rgb"
        data = tiff(
            planes(stored) if planar else stored,
            photometric=photometric,
            extratags=[(ORIENTATION, 3, 1, orientation, True)],
            **planar,
        )
    expected = UPRIGHT[orientation](GRAY if "gray" in kind else RGB)
    assert_seen(read(tmp_path, data), expected)


# Opacity


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_colors_that_were_multiplied_by_their_opacity(tmp_path, kind):
    opacity = np.clip(OPACITY, 0.2, 1)
    stored = as_type(np.dstack([RGB * opacity[..., None], 255 * opacity]), kind)
    data = tiff(stored, photometric="rgb", extrasamples=["assocalpha"])
    assert_seen(read(tmp_path, data), over_white(RGB, opacity))
    path = tmp_path / "picture"
    rgb, found = images.read_with_opacity(path)
    assert np.abs(rgb - RGB).max() < 4  # 8 bits of a fifth of the light
    np.testing.assert_allclose(found, opacity, atol=0.003)


@pytest.mark.parametrize("options", [{"photometric": "rgb", "extrasamples": [0]}, {"bmp": True}])
def test_a_fourth_channel_without_a_name_is_spoken_of(tmp_path, options):
    stored = np.rint(np.dstack([RGB, 255 * OPACITY])).astype(np.uint8)
    if "bmp" in options:
        stream = io.BytesIO()
        Image.fromarray(stored).save(stream, "BMP")
        found = read(tmp_path, stream.getvalue())
        assert_seen(found, over_white(RGB, OPACITY), "taken for opacity")
    else:
        assert_seen(read(tmp_path, tiff(stored, **options)), RGB, "1 channel beside its colors")


def bmp(opacity: int) -> bytes:
    """A 32-bit BMP with the header that names an opacity (BITMAPV4HEADER), bottom row first."""
    pixels = np.dstack([np.rint(RGB)[::-1, :, ::-1], np.full((HEIGHT, WIDTH), opacity)])
    header = struct.pack("<IiiHHIIiiII", 108, WIDTH, HEIGHT, 1, 32, 3, 0, 2835, 2835, 0, 0)
    header += struct.pack("<IIII4s", 0xFF0000, 0xFF00, 0xFF, 0xFF000000, b"BGRs") + bytes(48)
    body = pixels.astype(np.uint8).tobytes()
    return b"BM" + struct.pack("<IHHI", 122 + len(body), 0, 0, 122) + header + body


@pytest.mark.parametrize("kind", ["BMP", "PNG", "TIFF"])
def test_an_opacity_of_zero_everywhere_is_left_out_and_said(tmp_path, kind):
    stored = np.dstack([np.rint(RGB), np.zeros((HEIGHT, WIDTH))])
    data = {
        "BMP": lambda: bmp(0),
        "PNG": lambda: png(stored.astype(int), 8),
        "TIFF": lambda: tiff(stored.astype(np.uint8), photometric="rgb", extrasamples=[2]),
    }[kind]()
    assert_seen(read(tmp_path, data), RGB, "its opacity is zero everywhere and was left out")


# Samples that are more than numbers


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_subsampled_colors_of_a_tiff_come_upright(tmp_path, orientation):
    y, x = np.mgrid[0:20, 0:34].astype(np.float64)
    luma, blue, red = 60 + 4 * x, 100 + 3 * y, 160 - x - y
    body = b""
    for row in range(0, 20, 2):
        for column in range(0, 34, 2):
            at = np.s_[row : row + 2, column : column + 2]
            block = [*luma[at].ravel(), blue[at].mean(), red[at].mean()]
            body += bytes(round(value) for value in block)
    colors = [  # ITU-R BT.601
        luma + 1.402 * (red - 128),
        luma - 0.344136 * (blue - 128) - 0.714136 * (red - 128),
        luma + 1.772 * (blue - 128),
    ]
    tags = {256: [34], 257: [20], 258: [8, 8, 8], 262: [6], 274: [orientation], 277: [3]}
    rgb, said = read(tmp_path, tiff_of_tags(body, tags | {278: [20], 530: [2, 2]}))
    expected = UPRIGHT[orientation](np.clip(np.stack(colors, axis=-1), 0, 255))
    assert rgb.shape == expected.shape and not said
    assert np.abs(rgb - expected).max() < 8  # four pixels share a chroma


@pytest.mark.parametrize("bits", [1, 4, 8, 16])
def test_an_opacity_next_to_a_palette(tmp_path, bits):
    full = 2**bits - 1
    indices, opacity = (np.indices((HEIGHT, WIDTH)) * 7) % (full + 1)
    colors = np.random.default_rng(0).integers(0, 256, (3, full + 1))
    stored = np.dstack([indices, opacity])
    body = stored.astype("<u2").tobytes() if bits == 16 else packed(stored, bits)
    tags = {256: [WIDTH], 257: [HEIGHT], 258: [bits] * 2, 262: [3], 277: [2], 278: [HEIGHT]}
    data = tiff_of_tags(body, tags | {320: [*(257 * colors).ravel()], 338: [2]})
    assert_seen(read(tmp_path, data), over_white(colors.T[indices], opacity / full))


MASKS = {
    "4 bits each": (16, (0xF00, 0xF0, 0xF), 0),
    "4 bits each and opacity": (16, (0xF00, 0xF0, 0xF), 0xF000),
    "opacity of 1 bit": (16, (0x7C00, 0x3E0, 0x1F), 0x8000),
    "blue on top": (16, (0x1F, 0x7E0, 0xF800), 0),
    "10 bits each": (32, (0x3FF00000, 0xFFC00, 0x3FF), 0),
    "10 bits each and opacity": (32, (0x3FF00000, 0xFFC00, 0x3FF), 0xC0000000),
    "opacity last": (32, (0xFF000000, 0xFF0000, 0xFF00), 0xFF),
}


@pytest.mark.parametrize("header", [40, 56, 124])
@pytest.mark.parametrize("kind", MASKS)
def test_masks_of_a_bmp_are_followed(tmp_path, kind, header):
    bits, masks, mask_of_opacity = MASKS[kind]
    pixels, seen = np.zeros((HEIGHT, WIDTH), np.int64), []
    for mask, levels in zip(
        (*masks, mask_of_opacity), (*np.moveaxis(RGB, -1, 0), 255 * OPACITY), strict=True
    ):
        lowest = mask & -mask or 1
        stored = np.rint(levels / 255 * (mask // lowest)).astype(np.int64)
        pixels += stored * lowest
        seen.append(stored / (mask // lowest or 1))
    body = b""
    for row in pixels[::-1]:
        row_bytes = row.astype(f"<u{bits // 8}").tobytes()
        body += row_bytes + bytes(-len(row_bytes) % 4)
    compression = 6 if mask_of_opacity else 3
    head = struct.pack("<IiiHHIIiiII", header, WIDTH, HEIGHT, 1, bits, compression, *[0] * 5)
    head += struct.pack("<4I", *masks, mask_of_opacity)[
        : 16 if mask_of_opacity or header > 40 else 12
    ]
    head += bytes(max(0, header - len(head)))
    data = b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + len(head)) + head + body
    expected = 255 * np.stack(seen[:3], axis=-1)
    assert_seen(
        read(tmp_path, data), over_white(expected, seen[3]) if mask_of_opacity else expected
    )


# Profiles


@pytest.mark.parametrize("kind", ["8-bit PNG", "16-bit PNG", "TIFF", "planar TIFF", "float TIFF"])
@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_a_profile_counts_at_every_depth(tmp_path, kind, gamma, color):
    embedded = gray_profile(gamma) if color == "gray" else rgb_profile(gamma)
    levels = GRAY[..., None] if color == "gray" else RGB
    if kind.endswith("PNG"):
        bits = int(kind.partition("-")[0])
        chunks = [(b"iCCP", b"name\0\0" + zlib.compress(embedded))]
        values = as_type(levels, f"uint{bits}")
        data, levels = png(values, bits, *chunks), values / (2**bits - 1) * 255
    else:
        stored = as_type(levels, "float32" if "float" in kind else "uint16")
        stored = stored[..., 0] if color == "gray" else stored
        planar = "planar" in kind and color == "rgb"
        data = tiff(
            planes(stored) if planar else stored,
            photometric="rgb" if color == "rgb" else "minisblack",
            iccprofile=embedded,
            **({"planarconfig": "separate"} if planar else {}),
        )
    expected = srgb_encoded(np.broadcast_to(levels / 255, RGB.shape) ** (round(gamma * 256) / 256))
    assert gamma != 1 or np.abs(expected - levels).max() > 50, "this profile is far from sRGB"
    assert_seen(read(tmp_path, data), expected)


def test_a_profile_of_gray_counts_where_a_format_has_no_gray(tmp_path):
    stream = io.BytesIO()
    picture = Image.fromarray(np.rint(GRAY).astype(np.uint8))
    picture.save(stream, "WEBP", lossless=True, icc_profile=gray_profile(1.0))
    assert_seen(read(tmp_path, stream.getvalue()), srgb_encoded(np.rint(GRAY) / 255))


def in_header(data: bytes, boxes: bytes) -> bytes:
    """A JP2 with more boxes in its header."""
    at = data.index(b"jp2h") - 4
    (size,) = struct.unpack_from(">I", data, at)
    return (
        data[:at]
        + struct.pack(">I", size + len(boxes))
        + data[at + 4 : at + size]
        + boxes
        + data[at + size :]
    )


def definitions(*channels: tuple[int, int, int]) -> bytes:
    body = struct.pack(">H", len(channels)) + b"".join(
        struct.pack(">3H", *each) for each in channels
    )
    return struct.pack(">I4s", 8 + len(body), b"cdef") + body


def jpeg_2000(levels: np.ndarray) -> bytes:
    stored = np.rint(levels).astype(np.uint8)
    return imagecodecs.jpeg2k_encode(stored, level=0, codecformat="jp2", reversible=True)


PLAIN = ((0, 0, 1), (1, 0, 2), (2, 0, 3))


@pytest.mark.parametrize("kind", [1, 2, 65535])
def test_the_kind_of_a_fourth_channel_of_jpeg_2000_is_followed(tmp_path, kind):
    opacity = np.clip(OPACITY, 0.2, 1)
    colors = RGB * opacity[..., None] if kind == 2 else RGB
    data = in_header(
        jpeg_2000(np.dstack([colors, 255 * opacity])), definitions(*PLAIN, (3, kind, 0))
    )
    expected, said = (over_white(RGB, opacity), "") if kind < 3 else (RGB, "left out")
    assert_seen(read(tmp_path, data), expected, said)


@pytest.mark.parametrize(("indices", "entries"), [(1, 8), (4, 8), (8, 8), (8, 5)])
def test_a_palette_of_jpeg_2000_has_a_depth_of_its_own(tmp_path, indices, entries):
    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body) + 8) + kind + body

    numbers = (np.arange(32 * 32).reshape(32, 32) // 4 % 2**indices).astype(np.uint8)
    data = imagecodecs.jpeg2k_encode(
        numbers, level=0, codecformat="jp2", bitspersample=indices, reversible=True
    )
    colors = np.random.default_rng(0).integers(0, 2**entries, (2**indices, 3))
    sizes = struct.pack(">HB3B", len(colors), 3, *[entries - 1] * 3)
    palette = box(b"pclr", sizes + colors.astype(np.uint8).tobytes())
    channels = box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, channel) for channel in range(3)))
    begin = data.index(b"jp2h") + 4
    end = begin - 8 + struct.unpack_from(">I", data, begin - 8)[0]
    header = data[begin:end].replace(b"\1\0\0\0\0\0\x11", b"\1\0\0\0\0\0\x10")  # gray to sRGB
    data = data[: begin - 8] + box(b"jp2h", header + palette + channels) + data[end:]
    assert_seen(read(tmp_path, data), colors[numbers] / (2**entries - 1) * 255)


def test_a_profile_of_jpeg_2000_is_followed(tmp_path):
    stream, profile = io.BytesIO(), rgb_profile(1.0)
    Image.fromarray(np.rint(RGB).astype(np.uint8)).save(stream, "JPEG2000", irreversible=False)
    data = stream.getvalue()
    at = data.index(b"colr") - 4
    (size,) = struct.unpack_from(">I", data, at)
    box = struct.pack(">I4sBBB", 11 + len(profile), b"colr", 2, 0, 0) + profile
    header = data.index(b"jp2h") - 4
    (whole,) = struct.unpack_from(">I", data, header)
    data = data[:at] + box + data[at + size :]
    data = data[:header] + struct.pack(">I", whole - size + len(box)) + data[header + 4 :]
    rgb, said = read(tmp_path, data)
    assert not said and np.abs(rgb - srgb_encoded(np.rint(RGB) / 255)).max() <= 8


def test_inks_of_a_jpeg_without_adobes_marker_are_spoken_of(tmp_path):
    stream = io.BytesIO()
    Image.new("CMYK", (8, 8), (0, 90, 200, 10)).save(stream, "JPEG")
    data = stream.getvalue()
    at = data.index(b"\xff\xee")
    (size,) = struct.unpack_from(">H", data, at + 2)
    assert "Adobe" not in read(tmp_path, data)[1]
    assert "Adobe" in read(tmp_path, data[:at] + data[at + 2 + size :])[1]


@pytest.mark.parametrize("kind", ["16-bit PNG", "TIFF", "float TIFF"])
def test_a_wide_profile_keeps_the_shadows_of_many_bits(tmp_path, kind):
    """In 8 bits ProPhoto's darks are up to ten levels off."""
    primaries = np.array([[0.7977, 0.1352, 0.0313], [0.2880, 0.7119, 0.0001], [0, 0, 0.8249]])
    tags = {f"{name}XYZ": xyz(*primaries[:, i]) for i, name in enumerate("rgb")}
    wide = profile(b"RGB ", wtpt=D50, **tags, **{f"{name}TRC": curve(1.8) for name in "rgb"})
    dark = RGB / 8
    values = as_type(dark, "uint16")
    if kind == "16-bit PNG":
        data = png(values, 16, (b"iCCP", b"name\0\0" + zlib.compress(wide)))
    else:
        stored = values if kind == "TIFF" else as_type(dark, "float32")
        data = tiff(stored, photometric="rgb", iccprofile=wide)
    linear = (dark / 255) ** (round(1.8 * 256) / 256) @ primaries.T @ np.linalg.inv(TO_XYZ).T
    assert_seen(read(tmp_path, data), srgb_encoded(np.clip(linear, 0, 1)))


@pytest.mark.parametrize("bits", [24, 32])
def test_a_profile_of_a_bmp_is_followed(tmp_path, bits):
    pixels = np.rint(RGB)[::-1, :, ::-1].astype(np.uint8)
    if bits == 32:
        pixels = np.dstack([pixels, np.zeros((HEIGHT, WIDTH), np.uint8)])
    body = b"".join(row.tobytes() + bytes(-row.nbytes % 4) for row in pixels)
    for kind, gamma, expected, said in (
        (b"DEBM", 0, srgb_encoded(np.rint(RGB) / 255), ""),
        (b"KNIL", 0, RGB, "its color profile is another file"),
        (bytes(4), 1, RGB, "its gamma of 1 was ignored"),
        (b"BGRs", 0, RGB, ""),
    ):
        linear = rgb_profile(1.0)
        head = struct.pack("<IiiHH", 124, WIDTH, HEIGHT, 1, bits) + bytes(40) + kind + bytes(36)
        head += struct.pack("<7I", *[gamma * 2**16] * 3, 4, 124 + len(body), len(linear), 0)
        data = b"BM" + struct.pack("<IHHI", 0, 0, 0, 138) + head + body + linear
        assert_seen(read(tmp_path, data), expected, said)


def test_a_bmp_that_leaves_out_where_its_pixels_begin(tmp_path):
    pixels = np.dstack([np.rint(RGB)[::-1, :, ::-1], np.zeros((HEIGHT, WIDTH))]).astype(np.uint8)
    head = struct.pack("<IiiHH24x", 40, WIDTH, HEIGHT, 1, 32)
    assert_seen(read(tmp_path, b"BM" + bytes(12) + head + pixels.tobytes()), RGB)


@pytest.mark.parametrize("tag", ["TransferFunction", "PrimaryChromaticities"])
def test_colors_that_a_tiff_tells_and_are_not_followed_are_spoken_of(tmp_path, tag):
    for far in (False, True):
        light = (np.arange(256) / 255) ** (1.0 if far else 2.2) * 65535
        red = 0.68 if far else 0.64
        ratios = [
            number for x in (red, 0.33, 0.3, 0.6, 0.15, 0.06) for number in (int(1e5 * x), 10**5)
        ]
        extra = {
            "TransferFunction": (301, 3, 768, [*np.rint(light).astype(int)] * 3, True),
            "PrimaryChromaticities": (319, 5, 6, ratios, True),
        }[tag]
        found = read(tmp_path, tiff(EIGHT_BIT, photometric="rgb", extratags=[extra]))
        assert_seen(found, RGB, f"its {tag} w" if far else "")


def test_a_profile_of_srgb_leaves_16_bits_as_they_are(tmp_path):
    data = tiff(as_type(RGB, "uint16"), photometric="rgb", iccprofile=SRGB)
    np.testing.assert_allclose(read(tmp_path, data)[0], RGB, atol=0.01)


@pytest.mark.parametrize(
    ("embedded", "said"),
    [(b"no profile", "damaged"), (gray_profile(1.8), "for gray samples")],
)
def test_a_profile_that_cannot_be_followed_is_spoken_of(tmp_path, embedded, said):
    data = tiff(as_type(RGB, "uint16"), photometric="rgb", iccprofile=embedded)
    assert_seen(read(tmp_path, data), RGB, f"its color profile is {said} and was left out")


def test_a_gamma_that_is_not_followed_is_spoken_of(tmp_path):
    values = np.rint(RGB).astype(int)
    linear = read(tmp_path, png(values, 8, (b"gAMA", struct.pack(">I", 100000))))
    assert_seen(linear, RGB, "its gAMA of 1 was ignored")
    usual = read(tmp_path, png(values, 8, (b"gAMA", struct.pack(">I", 45455))))
    assert_seen(usual, RGB)
    srgb = [(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100000))]  # sRGB comes first (PNG, 4.3)
    assert_seen(read(tmp_path, png(values, 8, *srgb)), RGB)
    hdr = (b"cICP", bytes([9, 16, 0, 1]))  # stronger than a profile (PNG, 4.3)
    assert_seen(read(tmp_path, png(values, 8, hdr)), RGB, "(wide gamut or HDR) were read as sRGB")
    narrow = png(values, 8, (b"cICP", bytes([1, 13, 0, 0])))
    assert_seen(read(tmp_path, narrow), RGB, "its narrow range (cICP) was read as the full range")
    both = png(values, 8, hdr, (b"iCCP", b"name\0\0" + zlib.compress(rgb_profile(1.0))))
    expected = srgb_encoded(values / 255)  # by the profile, which is linear
    assert_seen(read(tmp_path, both), expected, "were ignored for its color profile")


@pytest.mark.parametrize("place", [0, 2, 5])
def test_primaries_that_are_not_followed_are_spoken_of(tmp_path, place):
    values = np.rint(RGB).astype(int)
    srgb = [31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000]
    assert_seen(read(tmp_path, png(values, 8, (b"cHRM", struct.pack(">8I", *srgb)))), RGB)
    other = [number + 11000 * (i == place) for i, number in enumerate(srgb)]
    chunks = [(b"gAMA", struct.pack(">I", 45455)), (b"cHRM", struct.pack(">8I", *other))]
    assert_seen(read(tmp_path, png(values, 8, *chunks)), RGB, "its cHRM primaries were ignored")


@pytest.mark.parametrize(("primaries", "curve"), [(1, 13), (9, 16), (12, 13), (1, 8)])
def test_colors_of_an_avif_that_are_not_srgb_are_spoken_of(tmp_path, primaries, curve):
    flat = np.full((16, 24, 3), 130, np.uint8)
    data = imagecodecs.avif_encode(flat, level=100, primaries=primaries, transfer=curve, matrix=1)
    said = "" if primaries == 1 and curve == 13 else "its cICP colors"
    rgb, lines = read(tmp_path, data)
    assert np.abs(rgb - 130).max() <= 3
    assert said in lines if said else not lines


# Pages and frames


def pages(*parts: tuple[np.ndarray, list]) -> bytes:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for pixels, extratags in parts:
            writer.write(pixels, photometric="rgb", metadata=None, extratags=extratags)
    return stream.getvalue()


THUMBNAIL = np.full((8, 12, 3), 77, np.uint8)
EIGHT_BIT = np.rint(RGB).astype(np.uint8)


@pytest.mark.parametrize("tag", [(SUBFILE, 4, 1, 1, True), (OLD_SUBFILE, 3, 1, 2, True)])
def test_a_thumbnail_is_not_taken_for_the_picture(tmp_path, tag):
    data = pages((THUMBNAIL, [tag]), (EIGHT_BIT, []))
    assert_seen(read(tmp_path, data), RGB, "its first page is a thumbnail and was passed over")
    assert_seen(read(tmp_path, pages((EIGHT_BIT, []), (THUMBNAIL, [tag]))), RGB)


def test_a_picture_below_its_thumbnail_is_found(tmp_path):
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(THUMBNAIL, photometric="rgb", subfiletype=1, subifds=1, metadata=None)
        writer.write(EIGHT_BIT, photometric="rgb", metadata=None)
    assert_seen(read(tmp_path, stream.getvalue()), RGB, "thumbnail")


def test_raw_files_of_cameras_are_refused_by_name(tmp_path):
    mosaic = as_type(GRAY, "uint16")
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(THUMBNAIL, photometric="rgb", subfiletype=1, subifds=1, metadata=None)
        writer.write(mosaic, photometric="cfa", metadata=None)
    dng = tiff(EIGHT_BIT, photometric="rgb", extratags=[(50706, 1, 4, (1, 4, 0, 0), True)])
    canon = b"II*\0\x10\0\0\0CR\x02\0" + bytes(300)
    for data in (stream.getvalue(), dng, canon):
        with pytest.raises(InputError, match="camera's raw file"):
            read(tmp_path, data)


def frames(kind: str) -> bytes:
    stream = io.BytesIO()
    others = [Image.fromarray(255 - EIGHT_BIT)]
    options = {"lossless": True} if kind == "WEBP" else {}
    Image.fromarray(EIGHT_BIT).save(stream, kind, save_all=True, append_images=others, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_more_than_one_page_or_frame_is_said(tmp_path, kind):
    assert_seen(read(tmp_path, frames(kind)), np.rint(RGB), "has 2 ")


def test_a_stack_of_imagej_that_lists_its_first_page_alone_is_said(tmp_path):
    stream = io.BytesIO()
    stack = np.stack([as_type(GRAY, "uint16"), as_type(255 - GRAY, "uint16")])
    tifffile.imwrite(stream, stack, imagej=True, byteorder="<")
    data = bytearray(stream.getvalue())
    (first,) = struct.unpack_from("<I", data, 4)
    after = first + 2 + 12 * struct.unpack_from("<H", data, first)[0]
    data[after : after + 4] = bytes(4)
    assert_seen(read(tmp_path, bytes(data)), GRAY, "has 2 pages")


# A fourth channel that is none of the picture's


def photoshop(
    mode: int, bits: int, *channels: np.ndarray, layers: int | None = None, resources: bytes = b""
) -> bytes:
    """A PSD of these planes, without compression; `layers` is the number that its header says."""
    height, width = channels[0].shape
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, len(channels), height, width, bits, mode)
    section = b"" if layers is None else struct.pack(">IIh2x", 8, 4, layers)
    body = struct.pack(">II", 0, len(resources)) + resources + (section or bytes(4))
    return head + body + bytes(2) + b"".join(plane.tobytes() for plane in channels)


def test_a_selection_that_photoshop_saved_is_no_opacity(tmp_path):
    stored = [*np.moveaxis(EIGHT_BIT, -1, 0), np.rint(255 * OPACITY).astype(np.uint8)]
    for layers in (None, 1):
        data = photoshop(3, 8, *stored, layers=layers)
        assert_seen(read(tmp_path, data), RGB, "1 channel beside its colors was left out")


def test_what_is_transparent_in_photoshop_lies_on_white(tmp_path):
    """Its merged picture has white below (psd-tools, _remove_white_background)."""
    opacity = np.clip(OPACITY, 0.2, 1)
    seen = over_white(RGB, opacity)
    planes_on_white = np.moveaxis(np.rint(np.dstack([seen, 255 * opacity])).astype(np.uint8), -1, 0)
    assert_seen(read(tmp_path, photoshop(3, 8, *planes_on_white, layers=-1)), seen)
    rgb, found = images.read_with_opacity(tmp_path / "picture")
    assert np.abs(rgb - RGB).max() < 4  # 8 bits of a fifth of the light
    np.testing.assert_allclose(found, opacity, atol=0.003)


@pytest.mark.parametrize("bits", [0, 8])
def test_a_fourth_channel_that_tga_does_not_count_is_spoken_of(tmp_path, bits):
    pixels = np.dstack([EIGHT_BIT[..., ::-1], np.rint(255 * OPACITY)]).astype(np.uint8)
    head = struct.pack("<3B9x2H2B", 0, 0, 2, WIDTH, HEIGHT, 32, 0x20 | bits)
    said = "" if bits else "which TGA does not name"
    assert_seen(read(tmp_path, head + pixels.tobytes()), over_white(RGB, OPACITY), said)


@pytest.mark.parametrize("kind", [1, 3, 4])
def test_the_kind_of_a_fourth_channel_that_tga_names_is_followed(tmp_path, kind):
    opacity = np.clip(OPACITY, 0.2, 1)
    colors = RGB * opacity[..., None] if kind == 4 else RGB
    pixels = np.rint(np.dstack([colors[..., ::-1], 255 * opacity])).astype(np.uint8)
    body = struct.pack("<3B9x2H2B", 0, 0, 2, WIDTH, HEIGHT, 32, 0x28) + pixels.tobytes()
    end = bytes(494) + bytes([kind]) + struct.pack("<II", len(body), 0) + b"TRUEVISION-XFILE.\0"
    expected, said = (RGB, "left out") if kind == 1 else (over_white(RGB, opacity), "")
    assert_seen(read(tmp_path, body + end), expected, said)


@pytest.mark.parametrize("named", [0, 1])
def test_the_bit_of_opacity_in_a_tga_of_16_bits(tmp_path, named):
    five, clear = EIGHT_BIT.astype(int) >> 3, OPACITY < 0.5
    pixels = five @ [1 << 10, 1 << 5, 1] + np.where(clear, 0, 1 << 15)
    head = struct.pack("<3B9x2H2B", 0, 0, 2, WIDTH, HEIGHT, 16, 0x20 | named)
    seen = over_white(five * 255 / 31, 1.0 - clear) if named else five * 255 / 31
    assert_seen(read(tmp_path, head + pixels.astype("<u2").tobytes()), seen)


@pytest.mark.parametrize("kind", ["icon", "cursor"])
@pytest.mark.parametrize("bits", [24, 32])
def test_what_an_icon_and_a_cursor_leave_out_is_transparent(tmp_path, kind, bits):
    clear = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) % 3 == 0
    pixels, opacity = np.rint(RGB)[::-1, :, ::-1].astype(np.uint8), 1.0 - clear
    if bits == 32:
        pixels, opacity = np.dstack([pixels, np.rint(255 * OPACITY)[::-1].astype("u1")]), OPACITY
        clear[:] = False
    mask = b"".join(packed(row[None].astype(int), 1).ljust(8, b"\0") for row in clear[::-1])
    body = b"".join(row.tobytes() + bytes(-row.nbytes % 4) for row in pixels) + mask
    picture_of_it = struct.pack("<IiiHH24x", 40, WIDTH, 2 * HEIGHT, 1, bits) + body
    of_list = (0, 0) if kind == "icon" else (17, 11)  # depths left out; the hot spot
    head = struct.pack("<3H", 0, 1 if kind == "icon" else 2, 1)
    head += struct.pack("<4B2H2I", WIDTH, HEIGHT, 0, 0, *of_list, len(picture_of_it), 22)
    assert_seen(read(tmp_path, head + picture_of_it), over_white(RGB, opacity))


# What was called unreadable, and what is refused for its reason


@pytest.mark.parametrize("kind", [b"zTXt", b"tEXt", b"iTXt"])
@pytest.mark.parametrize("bits", [8, 16])
def test_long_texts_in_a_png_are_no_bombs(tmp_path, kind, bits):
    text = b"a story" * (3 * 2**20 // 7)
    body = {
        b"zTXt": b"Description\0\0" + zlib.compress(text),
        b"tEXt": b"Description\0" + text,
        b"iTXt": b"Description\0\1\0\0\0" + zlib.compress(text),
    }[kind]
    assert_seen(read(tmp_path, png(as_type(RGB, f"uint{bits}"), bits, (kind, body))), RGB)


def test_a_long_profile_in_a_png_is_no_bomb(tmp_path):
    long = rgb_profile(1.0) + np.random.default_rng(0).bytes(3 * 2**20)
    long = struct.pack(">I", len(long)) + long[4:]
    chunks = [(b"iCCP", b"name\0\0" + zlib.compress(long))]
    found = read(tmp_path, png(as_type(RGB, "uint8"), 8, *chunks))
    assert_seen(found, srgb_encoded(np.rint(RGB) / 255))


@pytest.mark.parametrize("name", ["none", "picture.jpg", "picture.raw"])
def test_a_float_tiff_needs_no_suffix(tmp_path, name):
    assert_seen(read(tmp_path, tiff(as_type(RGB, "float32"), photometric="rgb"), name), RGB)


REASONS: dict[str, tuple[bytes, str]] = {
    "PDF": (b"%PDF-1.7\n", "a PDF"),
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(20), "HEIC"),
    "film": (b"\0\0\0\x18ftypisom" + bytes(20), "a film"),
    "SVG": (b"\n<svg xmlns=>", "an SVG"),
    "page of the web": (b"<!DOCTYPE html><html>", "a page of the web"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "OpenEXR": (b"\x76\x2f\x31\x01" + bytes(40), "OpenEXR"),
    "JPEG XL": (b"\xff\x0a" + bytes(40), "JPEG XL"),
    "DICOM": (bytes(128) + b"DICM" + bytes(40), "DICOM"),
    "CIELab": (tiff(EIGHT_BIT, photometric="cielab"), "CIELAB"),
    "negative": (tiff(np.full((4, 5), -3, np.int16)), "below zero"),
    "24 bits": (
        tiff_of_tags(bytes(60), {256: [5], 257: [4], 258: [24], 262: [1], 277: [1], 278: [4]}),
        "samples of 24 bits",
    ),
    "inks the other way round": (
        tiff(
            np.dstack([EIGHT_BIT] * 4),
            photometric="separated",
            extratags=[(336, 3, 2, (255, 0), True)],
        ),
        "DotRange",
    ),
    "Apple's PNG": (
        b"\x89PNG\r\n\x1a\n" + chunk(b"CgBI", bytes(4)) + png(EIGHT_BIT, 8)[8:],
        "of Apple's own kind",
    ),
    "weather": (b"GRIB\0\0\0\1" + bytes(90), "a file of GRIB"),
    "PostScript": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
        "PostScript",
    ),
    "Photoshop's two colors": (photoshop(0, 1, np.zeros((8, 1), np.uint8)), "two colors"),
    "Photoshop's channels": (photoshop(7, 8, *[EIGHT_BIT[..., 0]] * 3), "without colors"),
    "Photoshop's Lab": (photoshop(9, 8, *[EIGHT_BIT[..., 0]] * 3), "Lab"),
    "samples without a meaning": (
        tiff_of_tags(bytes(60), {256: [10], 257: [6], 258: [8], 277: [1], 278: [6]}),
        "PhotometricInterpretation",
    ),
    "JPEG of 12 bits": (
        imagecodecs.jpeg8_encode(np.zeros((8, 8), np.uint16), bitspersample=12),
        "12 bits",
    ),
    "FITS": (
        b"SIMPLE  =                    T".ljust(80)
        + b"".join(
            f"{key:8}= {value:>20}".encode().ljust(80)
            for key, value in (("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", 9), ("NAXIS2", 9))
        )
        + b"END".ljust(80 * 31)
        + bytes(2880),
        "FITS",
    ),
    "XBM": (
        b"#define a_width 8\n#define a_height 2\nstatic char a_bits[] = {\n0x01, 0x02};\n",
        "an X bitmap",
    ),
    "Sun raster of 32 bits": (
        struct.pack(">8I", 0x59A66A95, 4, 4, 32, 64, 1, 0, 0) + bytes(64),
        "a Sun raster of 32 bits",
    ),
    "SGI of gray and opacity": (
        struct.pack(">HBBHHHHII", 474, 0, 1, 3, 4, 4, 2, 0, 255).ljust(512, b"\0") + bytes(32),
        "of a kind that is not read here",
    ),
    "PCX of 4 bits": (
        struct.pack("<4B4H", 10, 5, 1, 4, 0, 0, 7, 7).ljust(65, b"\0") + b"\1\4" + bytes(99),
        "of a kind that is not read here",
    ),
    "PSB": (b"8BPS\0\2" + photoshop(3, 8, *[EIGHT_BIT[..., 0]] * 3)[6:], "PSB"),
    "Photoshop's channels beside colors": (
        photoshop(3, 8, *[EIGHT_BIT[..., 0]] * 5),
        "5 channels",
    ),
    "Photoshop's layers alone": (
        photoshop(
            3,
            8,
            *[EIGHT_BIT[..., 0]] * 3,
            resources=b"8BIM" + struct.pack(">HHIIB3x", 1057, 0, 8, 1, 0),
        ),
        "without a merged picture",
    ),
    "Phase One": (b"II*\0\x10\0\0\0IIII" + bytes(300), "camera's raw file"),
    "JPEG 2000 in CIELab": (
        jpeg_2000(RGB).replace(b"colr\1\0\0\0\0\0\x10", b"colr\1\0\0\0\0\0\x0e"),
        "JPEG 2000 in color space 14",
    ),
    "JPEG 2000 with blue first": (
        in_header(jpeg_2000(RGB), definitions((0, 0, 3), (1, 0, 2), (2, 0, 1))),
        "another order",
    ),
    "JPEG 2000 with a deep palette": (
        in_header(
            jpeg_2000(GRAY).replace(b"\1\0\0\0\0\0\x11", b"\1\0\0\0\0\0\x10"),
            struct.pack(">I4sHB3B", 14 + 6 * 256, b"pclr", 256, 3, 9, 9, 9) + bytes(6 * 256),
        ),
        "a palette of more than 8 bits",
    ),
    "inks that do not reach full": (
        tiff(
            np.dstack([EIGHT_BIT, EIGHT_BIT[..., 0]]),
            photometric="separated",
            extratags=[(336, 3, 2, (16, 235), True)],
        ),
        "DotRange",
    ),
    "BMP of 2 bits": (
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 0, 0, 0, 54, 40, 8, 8, 1, 2, *[0] * 6) + bytes(64),
        "depth",
    ),
    "AVIF that is cut off": (b"\0\0\0\x20ftypavif" + bytes(20), "cut off"),
    "more inks": (
        tiff(np.dstack([EIGHT_BIT] * 2), photometric="separated", extratags=[(332, 3, 1, 2, True)]),
        "inks",
    ),
}


@pytest.mark.parametrize("kind", REASONS)
def test_what_is_not_read_is_refused_for_its_true_reason(tmp_path, kind):
    data, reason = REASONS[kind]
    with pytest.raises(InputError, match=reason):
        read(tmp_path, data)


def test_what_is_no_file_is_named_as_what_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    Path("directory").mkdir()
    Path("empty.png").touch()
    Path("link.png").symlink_to("gone.png")
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    for path, reason in {
        "pipe": "a pipe",
        "directory": "a directory",
        "empty.png": "an empty file",
        "link.png": "a link to gone.png, which does not exist",
        "socket": "a socket",
        "/dev/null": "a device",
        "": "an empty path",
        "http://example.org/a.png": "an address",
        "missing.png": f"no such file in {tmp_path}",
        "empty.png/picture.png": "no such file",
        "x" * 5000: "cannot be looked at",
    }.items():
        with pytest.raises(InputError, match=reason):
            images.read(path)


def test_a_picture_that_another_thread_never_writes_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused = threading.Event()

    def try_it() -> None:
        with pytest.raises(InputError):
            images.read(tmp_path / "pipe")
        refused.set()

    threading.Thread(target=try_it, daemon=True).start()
    assert refused.wait(20)


# Pillow images


def reopened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_an_image_that_is_not_decoded_yet_is_read_as_its_file():
    for data, expected in (
        (png(as_type(RGB, "uint16"), 16), RGB),
        (tiff_by_hand(np.rint(GRAY / 255 * 4095).astype(int), 12, 1, "<"), GRAY),
        (tiff_by_hand(65535 - as_type(GRAY, "uint16").astype(int), 16, 0, "<"), GRAY),
        (tiff(planes(as_type(RGB, "uint16")), photometric="rgb", planarconfig="separate"), RGB),
    ):
        rgb, _ = images.from_memory("content", reopened(data))
        expected = np.broadcast_to(expected.reshape(HEIGHT, WIDTH, -1), RGB.shape)
        assert np.abs(rgb - expected).max() < 0.1


@pytest.mark.parametrize("kind", ["planes", "12 bits", "white is zero"])
def test_an_image_that_pillow_decoded_wrongly_is_refused(kind):
    data = {
        "planes": tiff(planes(as_type(RGB, "uint16")), photometric="rgb", planarconfig="separate"),
        "12 bits": tiff_by_hand(np.rint(GRAY).astype(int), 12, 1, "<"),
        "white is zero": tiff_by_hand(as_type(GRAY, "uint16").astype(int), 16, 0, "<"),
    }[kind]
    image = reopened(data)
    image.load()
    with pytest.raises(InputError, match=r"^content: .*give the path"):
        images.from_memory("content", image)


@pytest.mark.parametrize("mode", ["RGBa", "La"])
def test_premultiplied_images_are_seen_as_they_are_meant(mode):
    straight = np.rint(np.dstack([RGB if mode == "RGBa" else GRAY, 255 * OPACITY]))
    image = Image.fromarray(straight.astype(np.uint8)).convert(mode)
    rgb, opacity = images.from_memory("content", image)
    expected = over_white(np.broadcast_to(straight[..., :-1], RGB.shape), straight[..., -1] / 255)
    assert np.abs(images.over_white(rgb, opacity) - expected).max() <= 2


def test_a_truncated_or_closed_image_is_refused(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(EIGHT_BIT).resize((200, 150)).save(stream, "JPEG")
    closed = Image.fromarray(EIGHT_BIT)
    closed.save(tmp_path / "a.png")
    closed = Image.open(tmp_path / "a.png")
    closed.close()
    for image in (reopened(stream.getvalue()[:-2000]), closed):
        with pytest.raises(InputError, match=r"^content: "):
            images.from_memory("content", image)


# Every writer


def tiff_writers(rng: np.random.Generator) -> tuple[str, bytes, np.ndarray]:
    """A random kind of TIFF by tifffile, and what it means."""
    rgb, opacity = picture(int(rng.integers(2**31))), np.clip(OPACITY, rng.uniform(0, 0.5), 1)
    gray = rgb.mean(axis=-1)
    color = rng.choice(["gray", "inverted", "rgb", "straight", "premultiplied", "inks"])
    kind = rng.choice(["uint8", "uint16", "uint32", "float16", "float32", "float64"])
    levels, photometric, extra, expected = {
        "gray": (gray, "minisblack", [], gray),
        "inverted": (255 - gray, "miniswhite", [], gray),
        "rgb": (rgb, "rgb", [], rgb),
        "straight": (np.dstack([rgb, 255 * opacity]), "rgb", [2], over_white(rgb, opacity)),
        "premultiplied": (
            np.dstack([rgb * opacity[..., None], 255 * opacity]),
            "rgb",
            [1],
            over_white(rgb, opacity),
        ),
        "inks": (np.dstack([255 - rgb, 0 * gray]), "separated", [], rgb),
    }[str(color)]
    stored, options = as_type(levels, str(kind)), {}
    if stored.ndim == 3 and rng.random() < 0.5:
        stored, options = planes(stored), {"planarconfig": "separate"}
    options |= {
        "byteorder": rng.choice(["<", ">"]),
        "compression": rng.choice(["none", "lzw", "deflate", "zstd", "packbits", "lzma", "jpegxl"]),
        "predictor": bool(rng.random() < 0.5),
        "bigtiff": bool(rng.random() < 0.5),
        "tile": (16, 32) if rng.random() < 0.5 else None,
    }
    orientation = int(rng.integers(1, 9))
    options["extratags"] = [(ORIENTATION, 3, 1, orientation, True)]
    data = tiff(stored, photometric=photometric, extrasamples=extra or None, **options)
    return f"{color} {kind} {options}", data, UPRIGHT[orientation](expected)


def pillow_writers(rng: np.random.Generator) -> tuple[str, bytes, np.ndarray]:
    """A random mode and lossless format of Pillow, and what it means."""
    rgb = np.rint(picture(int(rng.integers(2**31))))
    gray, opacity = np.rint(rgb.mean(axis=-1)), np.rint(255 * OPACITY)
    sixteen = as_type(gray, "uint16")
    mode = str(rng.choice(["1", "L", "LA", "RGB", "RGBA", "P", "CMYK", "I;16", "I", "F"]))
    palette = Image.fromarray(rgb.astype(np.uint8)).quantize(64)
    stored, expected = {
        "1": (Image.fromarray(gray > 99), 255.0 * (gray > 99)),
        "L": (gray, gray),
        "LA": (np.dstack([gray, opacity]), over_white(gray[..., None], opacity / 255)),
        "RGB": (rgb, rgb),
        "RGBA": (np.dstack([rgb, opacity]), over_white(rgb, opacity / 255)),
        "P": (palette, np.asarray(palette.convert("RGB"), float)),
        "CMYK": (
            Image.merge(
                "CMYK",
                [
                    *Image.fromarray((255 - rgb).astype("u1")).split(),
                    Image.new("L", (WIDTH, HEIGHT)),
                ],
            ),
            rgb,
        ),
        "I;16": (Image.fromarray(sixteen), gray),
        "I": (Image.fromarray(sixteen.astype(np.int32)), gray),
        "F": (Image.fromarray((gray / 255).astype(np.float32)), gray),
    }[mode]
    image = stored if isinstance(stored, Image.Image) else Image.fromarray(stored.astype(np.uint8))
    kind, options = [
        ("PNG", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "group4"}),
        ("TIFF", {"compression": "zstd"}),
        ("BMP", {}),
        ("TGA", {}),
        ("PPM", {}),
        ("SGI", {}),
        ("PCX", {}),
        ("IM", {}),
        ("QOI", {}),
        ("JPEG2000", {"irreversible": False}),
        ("WEBP", {"lossless": True, "exact": True}),
    ][int(rng.integers(14))]
    if (kind == "PPM" and "A" in mode) or (kind == "WEBP" and mode in ("I", "I;16", "F")):
        kind = "PNG"  # these write something else than they are given
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    if expected.ndim == 3:
        expected = np.broadcast_to(expected, (HEIGHT, WIDTH, 3))
    return f"{mode} {kind} {options}", stream.getvalue(), expected


def imageio_writers(rng: np.random.Generator) -> tuple[str, bytes, np.ndarray]:
    """A random type and format of imageio, and what it means."""
    rgb = picture(int(rng.integers(2**31)))
    kind = str(rng.choice(["uint8", "uint16", "float32"]))
    plugin, suffix = [("pillow", ".png"), ("tifffile", ".tif"), ("pillow", ".bmp")][
        int(rng.integers(3))
    ]
    levels = rgb.mean(axis=-1) if plugin == "pillow" and kind == "uint16" else rgb
    data = iio.imwrite("<bytes>", as_type(levels, kind), extension=suffix, plugin=plugin)
    return f"{kind} {plugin} {suffix}", data, levels


def png_writers(rng: np.random.Generator) -> tuple[str, bytes, np.ndarray]:
    """A random PNG by libpng, and what it means."""
    rgb, opacity = picture(int(rng.integers(2**31))), np.clip(OPACITY, 0.1, 1)
    gray, kind = rgb.mean(axis=-1), str(rng.choice(["uint8", "uint16"]))
    levels, expected = [
        (gray, gray),
        (np.dstack([gray, 255 * opacity]), over_white(np.dstack([gray] * 3), opacity)),
        (rgb, rgb),
        (np.dstack([rgb, 255 * opacity]), over_white(rgb, opacity)),
    ][int(rng.integers(4))]
    return f"libpng {kind}", imagecodecs.png_encode(as_type(levels, kind)), expected


@pytest.mark.parametrize("writers", [tiff_writers, pillow_writers, imageio_writers, png_writers])
def test_what_any_writer_writes_is_read_back_or_refused(
    tmp_path, writers: Callable[[np.random.Generator], tuple[str, bytes, np.ndarray]]
):
    rng = np.random.default_rng(zlib.crc32(writers.__name__.encode()))
    written = refused = 0
    for _ in range(3000 if LONG else 200):
        try:
            what, data, expected = writers(rng)
        except (OSError, ValueError, TypeError, RuntimeError, struct.error, KeyError):
            continue  # the writer has no such kind
        written += 1
        if expected.ndim == 2:
            expected = np.repeat(expected[..., None], 3, axis=2)
        try:
            rgb, _ = read(tmp_path, data)
        except InputError:
            refused += 1
            continue
        assert rgb.shape == expected.shape, what
        assert np.abs(rgb - expected).max() <= 2, what
    assert written > 60 and refused < written / 20
