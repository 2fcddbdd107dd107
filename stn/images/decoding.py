"""The samples of any file that a user has, told by its first bytes; what is no picture is named."""

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from PIL import Image, ImageFile

from stn.errors import InputError
from stn.images import bmp, pillow, png, tiff
from stn.images.samples import Samples, of_cicp

# What begins like this is no picture that can be read here, and what it is.
OTHERS = (
    (0, b"%PDF", "a PDF; save its picture as PNG or JPEG"),
    (0, b"%!PS", "PostScript; save it as PNG or JPEG"),
    (0, b"\xc5\xd0\xd3\xc6", "PostScript; save it as PNG or JPEG"),
    (0, b"<svg", "an SVG drawing; save it as PNG"),
    (0, b"<?xml", "XML or an SVG drawing; save it as PNG"),
    (0, b"<!doctype", "a page of the web; download the picture itself"),
    (0, b"<html", "a page of the web; download the picture itself"),
    (0, b"version https://git-lfs", "a pointer of Git LFS; run `git lfs pull`"),
    (0, b"PK\x03\x04", "a ZIP archive; unpack it first"),
    (0, b"\x1f\x8b", "compressed by gzip; unpack it first"),
    (0, b"\x93NUMPY", "a NumPy array; give it to stn.stylize, or save it as PNG"),
    (0, b"\x89HDF", "an HDF5 file; save its picture as PNG or TIFF"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR, of linear light; save it as PNG or TIFF"),
    (0, b"#?RADIANCE", "Radiance HDR, of linear light; save it as PNG or TIFF"),
    (0, b"#?RGBE", "Radiance HDR, of linear light; save it as PNG or TIFF"),
    (0, b"\xff\x0a", "JPEG XL; save it as PNG or JPEG"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL; save it as PNG or JPEG"),
    (0, b"II\xbc\x01", "JPEG XR; save it as PNG or JPEG"),
    (
        0,
        b"\xff\xd8\xff",
        "a JPEG that is cut off, or of a kind that is not read here (12 bits, lossless, JPEG-LS);"
        " save it again as PNG",
    ),
    (0, b"gimp xcf", "GIMP's XCF; export it as PNG or TIFF"),
    (128, b"DICM", "DICOM; save it as PNG or TIFF"),
    (0, b"FUJIFILMCCD-RAW", "a camera's raw file (Fujifilm RAF); develop it to TIFF or JPEG"),
    (0, b"IIU\0", "a camera's raw file (Panasonic RW2); develop it to TIFF or JPEG"),
    (0, b"IIRO", "a camera's raw file (Olympus ORF); develop it to TIFF or JPEG"),
    (0, b"IIRS", "a camera's raw file (Olympus ORF); develop it to TIFF or JPEG"),
    (0, b"FOVb", "a camera's raw file (Sigma X3F); develop it to TIFF or JPEG"),
    (0, b"\0MRM", "a camera's raw file (Minolta MRW); develop it to TIFF or JPEG"),
    (6, b"HEAPCCDR", "a camera's raw file (Canon CRW); develop it to TIFF or JPEG"),
    (4, b"ftypcrx ", "a camera's raw file (Canon CR3); develop it to TIFF or JPEG"),
    (4, b"ftyphei", "HEIC; save it as JPEG or PNG"),
    (4, b"ftyphev", "HEIC; save it as JPEG or PNG"),
    (4, b"ftypmif1", "HEIC; save it as JPEG or PNG"),
    (4, b"ftypmsf1", "HEIC; save it as JPEG or PNG"),
    (4, b"ftypavi", "an AVIF that is cut off; get it again"),
    (4, b"ftyp", "a film; save one of its frames as PNG"),
    (8, b"AVI ", "a film; save one of its frames as PNG"),
    (0, b"\x1aE\xdf\xa3", "a film; save one of its frames as PNG"),
)
# Color modes of Photoshop (File Formats, table 1): gray, palette, RGB, CMYK, duotone as gray.
PHOTOSHOP = (1, 2, 3, 4, 8)
TGA_OPACITY = 15  # the bits of its descriptor that count those of opacity
# Where a stream's number of channels and their depths less one are (ISO 15444-1, A.5.1), 128 more
# where they are signed; and colors in luma and chroma (I.5.3.3).
CODESTREAM, SIZES, SYCC = b"\xff\x4f\xff\x51", 42, b"\0\0\0\x12"
WITH_PROFILE = (2, 3)  # methods of its box `colr` (ISO 15444-1, I.5.3.3; 15444-2)
UNKNOWN = "not in a format that is read here, or cut off; save it as PNG, JPEG, WebP or TIFF"


def from_file(file: BinaryIO) -> Samples:
    """The samples in an open file; InputError, without its name, if they are not understood."""
    head = file.read(160)
    file.seek(0)
    if not head:
        raise InputError("an empty file")
    if head.startswith(png.SIGNATURE):
        return png.read(file.read())
    if head.startswith(tiff.SIGNATURES):
        if head[8:10] == b"CR":
            raise InputError(tiff.RAW)
        return tiff.read(file)
    if head.startswith(b"8BPS"):
        _refuse_photoshop(head)
    if head.startswith(bmp.SIGNATURE):
        found = bmp.read(file.read())
        file.seek(0)
        if found is not None:
            return found
    try:
        picture = Image.open(file)
    except Image.UnidentifiedImageError:
        raise InputError(_what(head)) from None
    except (OSError, NotImplementedError) as error:
        if "unsupported" in str(error).lower() or "unimplemented" in str(error).lower():
            raise InputError(f"of a kind that is not read here ({error}); save it as PNG") from None
        raise
    if picture.format == "EPS" or isinstance(picture, ImageFile.StubImageFile):
        what = _what(head)
        raise InputError(f"a file of {picture.format}; save it as PNG" if what is UNKNOWN else what)
    with picture:
        pillow.refuse_bomb(picture.width, picture.height)
        samples = pillow.from_pillow(picture)
    # What Pillow passes over: what a fourth channel is, JPEG 2000's profile, AVIF's colors.
    if picture.format == "TGA" and picture.mode == "RGBA" and not head[17] & TGA_OPACITY:
        samples.notes += ("its fourth channel, which TGA does not name, was taken for opacity",)
    if picture.format == "PSD" and picture.mode == "RGBA" and not _is_transparent(_whole(file)):
        samples.values = samples.values[..., :3]
        samples.notes += ("1 channel beside its colors was left out",)
    if picture.format == "JPEG2000":
        _follow_jpeg_2000(_whole(file), samples)
    elif picture.format == "AVIF" and not samples.profile:
        for color in _inside(_whole(file), b"meta", b"iprp", b"ipco", b"colr"):
            if color.startswith(b"nclx") and len(color) > 8:
                samples.notes += of_cicp(*struct.unpack_from(">2H", color, 4))
    return samples


def _follow_jpeg_2000(data: bytes, samples: Samples) -> None:
    """Take the profile, and samples that are not of 8 bits, of which Pillow makes others."""
    colors = [*_inside(data, b"jp2h", b"colr")]
    for color in colors:
        if color[:1] and color[0] in WITH_PROFILE:
            samples.profile = samples.profile or color[3:]
    begin = data.find(CODESTREAM) + SIZES
    (channels,) = struct.unpack_from(">H", data, begin - 2)
    depths = {depth + 1 for depth in data[begin : begin + 3 * channels : 3]}
    in_luma = any(color[:1] == b"\1" and color[3:7] == SYCC for color in colors)
    found = depths
    for palette in _inside(data, b"jp2h", b"pclr"):
        found = {depth + 1 for depth in palette[3 : 3 + palette[2]]}  # `depths` are of its indices
    if len(found) == 1 and found <= set(range(1, 17)) and found | depths != {8} and not in_luma:
        values: Any = imagecodecs.jpeg2k_decode(data)
        samples.values, samples.white = np.atleast_3d(values), 2.0 ** found.pop() - 1


def _refuse_photoshop(head: bytes) -> None:
    bits, mode = struct.unpack_from(">2H", head, 22)
    if mode not in PHOTOSHOP:
        kind = {0: "two colors", 7: "channels without colors", 9: "Lab"}.get(mode, mode)
        raise InputError(f"a Photoshop file of {kind}; save it as TIFF in RGB")
    if bits != 8:
        raise InputError(f"a Photoshop file of {bits} bits; save it as TIFF")


def _is_transparent(data: bytes) -> bool:
    """Whether a Photoshop file's fourth channel is the opacity of all its layers, which their
    negative number says, and no selection that was saved.
    """
    place = 26
    for _ in ("table of colors", "resources"):
        place += 4 + int(struct.unpack_from(">I", data, place)[0])
    size, _, layers = struct.unpack_from(">IIh", data.ljust(place + 10, b"\0"), place)
    return bool(size and layers < 0)


def _whole(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def _inside(data: bytes, kind: bytes, *below: bytes) -> Iterator[bytes]:
    """The contents of the boxes along a path of kinds."""
    for found, body in _boxes(data):
        if found == kind and below:
            # `meta` has a version first (ISO 14496-12, 8.11.1).
            yield from _inside(body[4:] if kind == b"meta" else body, *below)
        elif found == kind:
            yield body


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each box (ISO 15444-1, I.4) of less than 4 GB."""
    place = 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        size = size or len(data) - place
        if size < 8:
            return
        yield kind, data[place + 8 : place + size]
        place += size


def _what(head: bytes) -> str:
    lower = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    for place, signature, what in OTHERS:
        if head[place:].startswith(signature) or (
            place == 0 and lower.startswith(signature.lower())
        ):
            return what
    return UNKNOWN
