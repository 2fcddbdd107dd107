"""The samples of any file that a user has, told by its first bytes; what is no picture is named."""

import io
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from PIL import Image, ImageFile

from stn.errors import InputError
from stn.images import bmp, pillow, png, tiff
from stn.images.samples import CHANNELS, Samples, of_cicp

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
    (0, b"8BPS\0\2", "a large Photoshop file (PSB); save it as TIFF"),
    (0, b"P7\n", "a PAM; save it as PNG"),
    (0, b"PF\n", "a PFM in color; save it as TIFF"),
    (0, b"SDPX", "a DPX film frame; save it as PNG or TIFF"),
    (0, b"XPDS", "a DPX film frame; save it as PNG or TIFF"),
    (0, b"Rar!", "a RAR archive; unpack it first"),
    (0, b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (0, b"\xfd7zXZ", "compressed by xz; unpack it first"),
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
# What Pillow reads as something else than it is.
MISREAD = {
    "FITS": "FITS, whose scale, zero and planes are not read here; save it as PNG or TIFF",
    "XBM": "an X bitmap (XBM), which programs read in both polarities; save it as PNG",
}
# Channels that Pillow reads by color mode of Photoshop (File Formats, table 1): gray, palette, RGB
# with an opacity, CMYK, duotone as gray.
PHOTOSHOP = {1: 1, 2: 1, 3: 4, 4: 4, 8: 1}
VERSION_INFO = 1057  # of Photoshop's resources: its byte 4 says whether there is a merged picture
TGA_OPACITY = 15  # the bits of its descriptor that count those of opacity
# A TGA's last bytes say where its extension is, whose byte 494 is the kind of its fourth channel:
# 3 is opacity, 4 opacity by which the colors were multiplied (Truevision TGA, 2.0, field 24).
TGA_END, TGA_KIND = b"TRUEVISION-XFILE.\0", 494
SUN_32_BITS = struct.pack(">I", 32)
# Where a stream's number of channels and their depths less one are (ISO 15444-1, A.5.1), 128 more
# where they are signed; and colors in luma and chroma (I.5.3.3).
CODESTREAM, SIZES, SYCC = b"\xff\x4f\xff\x51", 42, b"\0\0\0\x12"
ENUMERATED = (12, 16, 17, 18)  # CMYK, sRGB, gray, sYCC, also there
OPACITY, PREMULTIPLIED = 1, 2  # in its box `cdef` (I.5.3.6)
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
        if head[8:10] == b"CR" or head[8:12] in (b"IIII", b"MMMM"):  # Canon, Phase One
            raise InputError(tiff.RAW)
        return tiff.read(file)
    if head.startswith(b"8BPS\0\1"):
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
    except (OSError, NotImplementedError, ValueError) as error:
        if any(word in str(error).lower() for word in ("unsupported", "unimplemented", "unknown")):
            raise InputError(f"of a kind that is not read here ({error}); save it as PNG") from None
        raise
    if picture.format == "EPS" or isinstance(picture, ImageFile.StubImageFile):
        what = _what(head)
        raise InputError(f"a file of {picture.format}; save it as PNG" if what is UNKNOWN else what)
    if picture.format in MISREAD or (picture.format == "SUN" and head[12:16] == SUN_32_BITS):
        raise InputError(MISREAD.get(picture.format, "a Sun raster of 32 bits; save it as PNG"))
    if picture.format in ("ICO", "CUR"):
        picture = Image.open(io.BytesIO(_as_icon(_whole(file))))
    elif picture.format == "JPEG2000":
        _refuse_jpeg_2000(_whole(file))
    elif picture.format == "PSD":
        _refuse_unmerged(picture)
    with picture:
        pillow.refuse_bomb(picture.width, picture.height)
        samples = pillow.from_pillow(picture)
    if picture.format in FOLLOWED:
        FOLLOWED[picture.format](_whole(file), samples)
    return samples


def _as_icon(data: bytes) -> bytes:
    """An icon or cursor of Windows as an icon whose list of pictures has the depths of these.

    A cursor's list has something else there, and an icon's may have zero. Pillow takes a picture of
    32 bits for one without opacity then, and of a cursor leaves out the mask.
    """
    found = bytearray(data)
    found[2] = 1
    for place in range(6, 6 + 16 * data[4], 16):
        (begin,) = struct.unpack_from("<I", data, place + 12)
        found[place + 4 : place + 8] = data[begin + 12 : begin + 16]
    return bytes(found)


def _follow_tga(data: bytes, samples: Samples) -> None:
    """Take its fourth channel for what it is."""
    if samples.values.shape[2] < 4:
        return
    bits, is_named = data[16], data[17] & TGA_OPACITY
    kind = 3
    if data.endswith(TGA_END):
        (extension,) = struct.unpack_from("<I", data, len(data) - 26)
        kind = data[extension + TGA_KIND] if extension else 3
    if bits == 16 and not is_named:  # a bit without a meaning
        samples.values = samples.values[..., :3]
        return
    if kind not in (3, 4):
        _leave_out_last(samples)
        return
    if bits == 16:  # Pillow takes the bit for transparency
        samples.values = np.dstack([samples.values[..., :3], 255 - samples.values[..., 3]])
    elif not is_named:
        samples.notes += ("its fourth channel, which TGA does not name, was taken for opacity",)
    samples.premultiplied = kind == 4


def _follow_photoshop(data: bytes, samples: Samples) -> None:
    """Take its fourth channel for what it is, and undo the white below what is transparent."""
    if samples.color != "rgb" or samples.values.shape[2] < 4:
        return
    if not _is_transparent(data):
        _leave_out_last(samples)
        return
    # As psd-tools does it (_remove_white_background).
    opacity = samples.values[..., 3:].astype(int)
    colors = np.maximum(samples.values[..., :3] - (255 - opacity), 0)
    samples.values, samples.premultiplied = np.dstack([colors, opacity]), True


def _follow_avif(data: bytes, samples: Samples) -> None:
    """Say which colors are not followed."""
    for color in () if samples.profile else _inside(data, b"meta", b"iprp", b"ipco", b"colr"):
        if color.startswith(b"nclx") and len(color) > 8:
            samples.notes += of_cicp(*struct.unpack_from(">2H", color, 4))


def _leave_out_last(samples: Samples) -> None:
    samples.values = samples.values[..., :-1]
    samples.notes += ("1 channel beside its colors was left out",)


def _refuse_jpeg_2000(data: bytes) -> None:
    for color in _inside(data, b"jp2h", b"colr"):
        space = int.from_bytes(color[3:7], "big")
        if color[:1] == b"\1" and space not in ENUMERATED:
            raise InputError(f"JPEG 2000 in color space {space}; save it as PNG in sRGB")
    for palette in _inside(data, b"jp2h", b"pclr"):
        if max(palette[3 : 3 + palette[2]]) > 7:
            raise InputError("JPEG 2000 with a palette of more than 8 bits; save it as PNG")
    for channel, kind, color_number in _definitions(data):
        if kind == 0 and color_number not in (0, channel + 1):
            raise InputError("JPEG 2000 with its colors in another order; save it as PNG")


def _definitions(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Number, kind and color of the channels that a JPEG 2000 defines."""
    for body in _inside(data, b"jp2h", b"cdef"):
        number = int.from_bytes(body[:2], "big")
        yield from struct.iter_unpack(">3H", body[2 : 2 + 6 * number])


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
    colored = CHANNELS[samples.color]
    if samples.values.shape[2] > colored:
        kinds = {channel: kind for channel, kind, _ in _definitions(data)}
        if colored not in kinds:
            samples.notes += ("its last channel, which has no name, was taken for opacity",)
        elif kinds[colored] not in (OPACITY, PREMULTIPLIED):
            _leave_out_last(samples)
        samples.premultiplied = kinds.get(colored) == PREMULTIPLIED


def _refuse_photoshop(head: bytes) -> None:
    bits, mode = struct.unpack_from(">2H", head, 22)
    if mode not in PHOTOSHOP:
        kind = {0: "two colors", 7: "channels without colors", 9: "Lab"}.get(mode, mode)
        raise InputError(f"a Photoshop file of {kind}; save it as TIFF in RGB")
    if bits != 8:
        raise InputError(f"a Photoshop file of {bits} bits; save it as TIFF")
    (channels,) = struct.unpack_from(">H", head, 12)
    if channels > PHOTOSHOP[mode]:  # of which Pillow makes another picture
        raise InputError(f"a Photoshop file of {channels} channels; flatten it, or save it as TIFF")


def _refuse_unmerged(picture: Any) -> None:
    for number, _, body in picture.resources:
        if number == VERSION_INFO and body[4:5] == b"\0":
            raise InputError(
                "a Photoshop file without a merged picture (Maximize Compatibility); save it as"
                " TIFF"
            )


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


# By Pillow's names of formats: what it passes over in them.
FOLLOWED: dict[str, Callable[[bytes, Samples], None]] = {
    "TGA": _follow_tga,
    "PSD": _follow_photoshop,
    "JPEG2000": _follow_jpeg_2000,
    "AVIF": _follow_avif,
    "BMP": bmp.follow,
}


def _what(head: bytes) -> str:
    lower = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    for place, signature, what in OTHERS:
        if head[place:].startswith(signature) or (
            place == 0 and lower.startswith(signature.lower())
        ):
            return what
    return UNKNOWN
