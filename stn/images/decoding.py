"""The samples of any file that a user has, told by its first bytes; what is no picture is named."""

from typing import Any, BinaryIO

import numpy as np
from PIL import BmpImagePlugin, Image

from stn.errors import InputError
from stn.images import pillow, png, tiff
from stn.images.samples import Samples

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
    (4, b"ftyp", "a film; save one of its frames as PNG"),
    (8, b"AVI ", "a film; save one of its frames as PNG"),
    (0, b"\x1aE\xdf\xa3", "a film; save one of its frames as PNG"),
)
UNKNOWN = "not in a format that is read here; save it as PNG, JPEG, WebP or TIFF"


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
    if head.startswith(b"8BPS") and head[22:24] not in (b"\0\x01", b"\0\x08"):
        raise InputError(f"a Photoshop file of {head[23]} bits; save it as TIFF")
    try:
        picture = Image.open(file)
    except Image.UnidentifiedImageError:
        raise InputError(_what(head)) from None
    with picture:
        pillow.refuse_bomb(picture.width, picture.height)
        opacity = _fourth_of_bmp(picture, file)
        samples = pillow.from_pillow(picture)
    if opacity is not None:
        samples.values = np.dstack([samples.values, opacity])
        samples.notes += ("its fourth channel, which BMP does not name, was taken for opacity",)
    return samples


def _fourth_of_bmp(picture: Image.Image, file: BinaryIO) -> np.ndarray | None:
    """The fourth byte [h, w] of 32-bit pixels, where it differs from pixel to pixel: BMP leaves it
    open, and programs write opacity there; None otherwise.
    """
    if not isinstance(picture, BmpImagePlugin.BmpImageFile) or len(picture.tile) != 1:
        return None
    tile: Any = picture.tile[0]
    if tile.codec_name != "raw" or tile.args[0] != "BGRX":
        return None
    _, stride, direction = tile.args
    file.seek(tile.offset)
    rows = np.frombuffer(file.read(picture.height * stride), np.uint8)
    if rows.size < picture.height * stride:
        return None  # cut off, as decoding will find
    fourth = rows.reshape(picture.height, stride)[::direction, 3 : 4 * picture.width : 4]
    return fourth if np.ptp(fourth) else None


def _what(head: bytes) -> str:
    lower = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    for place, signature, what in OTHERS:
        if head[place:].startswith(signature) or (
            place == 0 and lower.startswith(signature.lower())
        ):
            return what
    return UNKNOWN
