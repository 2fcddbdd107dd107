"""PNG: by Pillow, without the texts that it takes for bombs; by libpng what Pillow would round.

Pixels are those libraries'. Ours is what reads chunks: which texts to leave out, the profile, and
what the file says of its colors. No one library gives all of that (docs/notes/tried.md)."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image

from stn.errors import InputError
from stn.images import pillow
from stn.images.samples import Samples, of_cicp

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # by the type of its colors
# First column and row, and steps across and down, of each pass (PNG, 8.2).
PASSES = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
TEXT = (b"tEXt", b"zTXt", b"iTXt")
# Texts of a PNG that can hold its orientation, and how long one may be.
METADATA, TEXT_MAX = (b"Raw profile type", b"XML:com.adobe.xmp"), 2**20
PROFILE_MAX = 2**26  # bytes; profiles with tables for printers have up to some 10 MB
# gAMA is 1/gamma in 1/100000: of sRGB 45455 (PNG, 11.3.2.2). Ours: how far from it is not seen.
GAMMA, GAMMA_SLACK = 45455, 0.02
# sRGB's white, red, green and blue, x and y in 1/100000 (PNG, 11.3.2.1); ours: what is not seen.
PRIMARIES, PRIMARIES_SLACK = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000), 500


def read(data: bytes) -> Samples:
    """The samples in the bytes of a PNG; InputError says what is not understood."""
    chunks = list(_chunks(data))
    bodies = {kind: data[start + 8 : end - 4] for kind, start, end in reversed(chunks[:-1])}
    if b"CgBI" in bodies:
        raise InputError("a PNG of Apple's own kind (CgBI); save it again as PNG")
    if len(bodies.get(b"IHDR", b"")) != 13:
        raise InputError(pillow.DAMAGED)
    width, height, depth, color = struct.unpack_from(">IIBB", bodies[b"IHDR"])
    pillow.refuse_bomb(width, height)
    kept = [
        data[start:end]
        for kind, start, end in chunks
        if kind != b"iCCP" and (kind not in TEXT or _is_metadata(kind, data[start + 8 : end - 4]))
    ]
    with Image.open(io.BytesIO(SIGNATURE + b"".join(kept))) as picture:
        if depth == 16 or (depth < 8 and color == 0 and b"tRNS" in bodies):
            samples = pillow.from_array(_by_libpng([part for part in kept if part[4:8] in PIXELS]))
            samples.orientation = pillow.orientation_of(picture)
            samples.notes = pillow.frames(picture)
        else:
            samples = pillow.from_pillow(picture)
    try:
        samples.profile = _profile(bodies)
    except (ValueError, zlib.error):
        samples.notes += ("its color profile is damaged and was left out",)
    samples.notes += _colors(bodies, samples.profile is not None)
    return samples


def _by_libpng(chunks: list[bytes]) -> np.ndarray:
    """Samples [h, w, channels] of a PNG of 16 bits or of gray, given by its chunks.

    Of an interlaced one each pass is read as a PNG of its own: of all together libpng prints a
    warning."""
    width, height, depth, color, *_, interlaced = struct.unpack(">IIBBBBB", chunks[0][8:-4])
    if not interlaced:
        return np.atleast_3d(imagecodecs.png_decode(SIGNATURE + b"".join(chunks)))
    before = [part for part in chunks if part[4:8] in (b"PLTE", b"tRNS")]
    inflated = zlib.decompressobj()
    packed = b"".join(part[8:-4] for part in chunks if part[4:8] == b"IDAT")
    found = np.zeros(0)
    for x, y, right, down in PASSES:
        columns, rows = -(-(width - x) // right), -(-(height - y) // down)
        if min(columns, rows) < 1:
            continue
        body = inflated.decompress(packed, rows * (1 - -columns * CHANNELS[color] * depth // 8))
        packed = inflated.unconsumed_tail
        header = struct.pack(">IIBBBBB", columns, rows, depth, color, 0, 0, 0)
        part = [_chunk(b"IHDR", header), *before, _chunk(b"IDAT", zlib.compress(body, 0))]
        data = SIGNATURE + b"".join((*part, _chunk(b"IEND", b"")))
        values: Any = imagecodecs.png_decode(data)
        values = values.reshape(rows, columns, -1)
        if not found.size:
            found = np.zeros((height, width, values.shape[2]), values.dtype)
        found[y::down, x::right] = values
    return found


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, beginning and end of each chunk; last, without a kind, of what is no whole one."""
    place = 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        if place + 12 + length > len(data):
            break
        yield data[place + 4 : place + 8], place, place + 12 + length
        place += 12 + length
    yield b"", place, len(data)


def _is_metadata(kind: bytes, body: bytes) -> bool:
    if not body.startswith(METADATA) or len(body) > TEXT_MAX:
        return False
    after = body[body.index(b"\0") + 1 :] if b"\0" in body else b""
    if kind == b"tEXt" or (kind == b"iTXt" and after[:1] == b"\0"):
        return True  # not compressed
    try:
        _inflated(after[1:] if kind == b"zTXt" else after[2:].split(b"\0", 2)[2], TEXT_MAX)
    except (IndexError, ValueError, zlib.error):
        return False
    return True


def _inflated(data: bytes, most: int) -> bytes:
    stream = zlib.decompressobj()
    found = stream.decompress(data, most)
    if stream.unconsumed_tail:
        raise ValueError("inflates to more than it may")
    return found


def _profile(found: dict[bytes, bytes]) -> bytes | None:
    if b"iCCP" not in found:
        return None
    body = found[b"iCCP"]
    return _inflated(body[body.index(b"\0") + 2 :], PROFILE_MAX)


def _colors(found: dict[bytes, bytes], has_profile: bool) -> tuple[str, ...]:
    """What a PNG says of its colors and is not followed, the stronger first (PNG, 4.3)."""
    cicp = found.get(b"cICP", b"")
    if len(cicp) == 4 and not cicp[3]:
        return ("its narrow range (cICP) was read as the full range",)
    if len(cicp) == 4:
        return of_cicp(cicp[0], cicp[1], has_profile)
    if has_profile or b"sRGB" in found:
        return ()
    notes: tuple[str, ...] = ()
    if len(found.get(b"gAMA", b"")) == 4:
        (gamma,) = struct.unpack(">I", found[b"gAMA"])
        if abs(gamma / GAMMA - 1) >= GAMMA_SLACK:
            notes = (f"its gAMA of {gamma / 100000:g} was ignored, and its colors read as sRGB",)
    if len(found.get(b"cHRM", b"")) == 32:
        given = struct.unpack(">8I", found[b"cHRM"])
        if any(abs(a - b) > PRIMARIES_SLACK for a, b in zip(given, PRIMARIES, strict=True)):
            notes += ("its cHRM primaries were ignored, and its colors read as sRGB",)
    return notes
