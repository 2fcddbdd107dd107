"""BMP of 16 and 32 bits, whose colors and opacity are fields that masks name.

Pillow knows some sets of masks only, and not the opacity of 16 bits."""

import struct
from typing import Any

import numpy as np

from stn.errors import InputError
from stn.images import pillow
from stn.images.samples import Samples

SIGNATURE = b"BM"
HEADERS = (40, 52, 56, 108, 124)  # bytes of BITMAPINFOHEADER to BITMAPV5HEADER
# Of bV5CSType (BITMAPV5HEADER): 'MBED', 'LINK', LCS_CALIBRATED_RGB. Ours: what is not seen.
EMBEDDED, LINKED, CALIBRATED, GAMMA_SLACK = b"DEBM", b"KNIL", bytes(4), 0.1
PLAIN, MASKED, MASKED_WITH_OPACITY = 0, 3, 6  # of biCompression
USUAL = {16: (0x7C00, 0x3E0, 0x1F), 32: (0xFF0000, 0xFF00, 0xFF)}  # where none are named


def read(data: bytes) -> Samples | None:
    """The samples in the bytes of such a BMP; None for another kind of BMP, InputError if they are
    cut off.
    """
    if len(data) < 70:
        return None
    begin, size, width, height = struct.unpack_from("<IIii", data, 10)
    bits, compression = struct.unpack_from("<HI", data, 28)
    if size not in HEADERS or bits not in USUAL:
        return None
    if compression not in (PLAIN, MASKED, MASKED_WITH_OPACITY):
        return None
    pillow.refuse_bomb(width, abs(height))
    if begin == 0:  # left out by some programs: behind the header, and masks beside it
        beside = {MASKED: 12, MASKED_WITH_OPACITY: 16}.get(compression, 0)
        begin = 14 + size + (beside if size == 40 else 0)
    masks, opacity = USUAL[bits], 0
    if compression != PLAIN:
        masks = struct.unpack_from("<3I", data, 54)
        if compression == MASKED_WITH_OPACITY or size >= 56:
            (opacity,) = struct.unpack_from("<I", data, 66)
    pixels = _pixels(data[begin:], width, height, bits)
    if not all(masks):
        raise InputError("its masks leave out a color; save it again as PNG")
    channels = [_levels(pixels, mask) for mask in masks]
    notes: tuple[str, ...] = ()
    if opacity:
        channels.append(_levels(pixels, opacity))
    elif bits == 32:
        rest = 0xFFFFFFFF & ~(masks[0] | masks[1] | masks[2])
        # BMP leaves it open, and programs write opacity there.
        if rest.bit_count() == 8 and np.ptp(pixels & rest):
            channels.append(_levels(pixels, rest))
            notes = ("its fourth channel, which BMP does not name, was taken for opacity",)
    samples = Samples(np.dstack(channels), "rgb", 255.0, notes=notes)
    follow(data, samples)
    return samples


def follow(data: bytes, samples: Samples) -> None:
    """Take the profile of any BMP, or say what is not followed of its colors."""
    size, kind = struct.unpack_from("<I", data, 14)[0], data[70:74]
    if size == 124 and kind == EMBEDDED:
        begin, length = struct.unpack_from("<II", data, 126)
        samples.profile = data[14 + begin : 14 + begin + length]
    elif size == 124 and kind == LINKED:
        samples.notes += ("its color profile is another file, and was left out",)
    elif size >= 108 and kind == CALIBRATED:
        gamma = struct.unpack_from("<I", data, 110)[0] / 2**16
        if gamma and abs(gamma / 2.2 - 1) > GAMMA_SLACK:
            samples.notes += (f"its gamma of {gamma:g} was ignored, and its colors read as sRGB",)


def _pixels(body: bytes, width: int, height: int, bits: int) -> np.ndarray:
    """Whole numbers [h, w], the first row on top."""
    stride = -(-width * bits // 32) * 4
    if width < 1 or height == 0 or len(body) < stride * abs(height):
        raise InputError(pillow.DAMAGED)
    rows = np.frombuffer(body, np.uint8, stride * abs(height)).reshape(abs(height), stride)
    pixels: Any = np.ascontiguousarray(rows[:, : width * bits // 8]).view(f"<u{bits // 8}")
    return pixels[::-1] if height > 0 else pixels


def _levels(pixels: np.ndarray, mask: int) -> np.ndarray:
    """What a mask takes of whole numbers, as 0-255."""
    lowest = mask & -mask
    return (pixels & mask) // lowest * (255.0 / (mask // lowest))
