"""Decoders: the samples of any file that a user has, with what the file says of them.

Pillow decodes 8 bits, so that those numbers are its own; libpng what Pillow would round in PNG;
tifffile every TIFF."""

import io
import itertools
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import tifffile
from PIL import BmpImagePlugin, Image

from stn.errors import InputError
from stn.images.samples import CHANNELS, Samples

# A pixel takes 24 bytes, while it is decoded up to 80; ours, below the 179 megapixels where Pillow
# itself stops.
MAX_PIXELS = 100 * 10**6
ORIENTATION = 274  # of EXIF and TIFF
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
PNG_TEXT = (b"tEXt", b"zTXt", b"iTXt")
# Texts of a PNG that can hold its orientation, and how long one may be.
PNG_METADATA, TEXT_MAX = (b"Raw profile type", b"XML:com.adobe.xmp"), 2**20
PROFILE_MAX = 2**26  # bytes; profiles with tables for printers have up to some 10 MB
# gAMA is 1/gamma in 1/100000: of sRGB 45455 (PNG, 11.3.2.2). Ours: how far from it is not seen.
GAMMA, GAMMA_SLACK = 45455, 0.02
CICP_SRGB = ((1, 13), (1, 1))  # primaries and curve (ITU-T H.273) of sRGB and of plain video
tifffile.logger().setLevel("CRITICAL")  # what is wrong with a file is said once, by `formats.read`
GRAY_AND_COLOR = {0: "gray", 1: "gray", 2: "rgb", 3: "rgb", 5: "cmyk", 6: "rgb"}  # of PHOTOMETRIC
WHITE_IS_ZERO, PALETTE, YCBCR, CFA, LINEAR_RAW = 0, 3, 6, 32803, 34892
PREMULTIPLIED, STRAIGHT = 1, 2  # of ExtraSamples
REDUCED, MASK = 1, 4  # bits of NewSubfileType
INK_SET, OLD_SUBFILE_TYPE, DNG_VERSION = 332, 255, 50706  # tags
PAGES_MAX = 64  # looked at for one that is no thumbnail
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
DAMAGED = "damaged or cut off; get it again, or save it again as PNG or JPEG"
UNKNOWN = "not in a format that is read here; save it as PNG, JPEG, WebP or TIFF"
RAW = "a camera's raw file, whose pictures inside are thumbnails; develop it to TIFF or JPEG"


def from_file(file: BinaryIO) -> Samples:
    """The samples in an open file; InputError, without its name, if they are not understood."""
    head = file.read(160)
    file.seek(0)
    if not head:
        raise InputError("an empty file")
    if head.startswith(PNG_SIGNATURE):
        return _png(file.read())
    if head.startswith(TIFF_SIGNATURES):
        if head[8:10] == b"CR":
            raise InputError(RAW)
        return _tiff(file)
    if head.startswith(b"8BPS") and head[22:24] not in (b"\0\x01", b"\0\x08"):
        raise InputError(f"a Photoshop file of {head[23]} bits; save it as TIFF")
    try:
        picture = Image.open(file)
    except Image.UnidentifiedImageError:
        raise InputError(_what(head)) from None
    with picture:
        refuse_bomb(picture.width, picture.height)
        opacity = _fourth_of_bmp(picture, file)
        samples = from_pillow(picture)
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


def refuse_bomb(width: int, height: int) -> None:
    """Raise InputError if that many pixels are more than MAX_PIXELS."""
    if width * height > MAX_PIXELS:
        raise InputError(
            f"more than {MAX_PIXELS // 10**6} megapixels ({width} × {height}); make it smaller"
            " first"
        )


def from_pillow(picture: Image.Image) -> Samples:
    """The samples of a Pillow image of any mode."""
    notes, profile = _frames(picture), picture.info.get("icc_profile")
    picture.load()
    orientation = _orientation(picture)
    transparent = "transparency" in picture.info and picture.mode in ("1", "L", "P", "RGB")
    color, white, mode = "rgb", 255.0, picture.mode
    if mode == "1":
        mode, color = "LA" if transparent else "L", "gray"
    elif mode in ("L", "LA", "La"):
        mode, color = "LA" if transparent else mode, "gray"
    elif mode == "CMYK":
        color = "cmyk"
    elif mode.startswith("I"):
        color, white = "gray", 65535.0  # Pillow's mode I holds 16-bit samples in 32 bits.
    elif mode == "F":
        color = "gray"
    elif mode == "LAB":
        raise InputError("holds CIELab colors; save it again as RGB")
    elif mode == "PA" or transparent:
        mode = "RGBA"
    elif mode not in ("RGBA", "RGBa"):
        mode = "RGB"
    if transparent and color == "gray":
        picture = picture.convert("RGBA").convert("LA")
    values = np.asarray(picture if picture.mode == mode else picture.convert(mode))
    if mode.startswith("I") and (values.min() < 0 or values.max() > white):
        raise InputError("holds samples outside 0-65535; save it again with 8 or 16 bits")
    return Samples(
        values if values.ndim == 3 else values[..., None],
        color,
        None if mode == "F" else white,
        profile=profile,
        premultiplied=mode in ("La", "RGBa"),
        orientation=orientation,
        notes=notes,
    )


def from_array(pixels: np.ndarray) -> Samples:
    """Gray, RGB or RGBA samples [h, w] or [h, w, channels] that use the range of their type."""
    values = pixels if pixels.ndim == 3 else pixels[..., None]
    color = "gray" if values.shape[2] < 3 else "rgb"
    return Samples(values, color, white_of(values, 8 * values.dtype.itemsize))


def white_of(values: np.ndarray, bits: int) -> float | None:
    """The number that means full in samples of `bits`, None for floats; InputError if they are
    none.
    """
    kind = values.dtype.kind
    if kind not in "biuf":
        raise InputError(f"samples of type {values.dtype} are not read here; save it again")
    if kind == "i" and values.min() < 0:
        raise InputError("holds samples below zero; save it again with 8 or 16 bits")
    if kind == "i":  # Pillow's mode I holds 16-bit samples in 32 bits
        return 65535.0 if bits == 32 and values.max() <= 65535 else 2.0 ** (bits - 1) - 1
    return {"b": 1.0, "u": 2.0**bits - 1, "f": None}[kind]


def _frames(picture: Image.Image) -> tuple[str, ...]:
    if picture.format == "PSD":  # Pillow counts its layers, and reads what they make together
        return ()
    try:
        number, shown = getattr(picture, "n_frames", 1), picture.tell()
    except (AttributeError, EOFError, OSError, SyntaxError, ValueError):
        return ()  # cut off somewhere after the first
    return _one_of(number, "frames", shown) if number > 1 else ()


def _one_of(number: int, what: str, shown: int = 0) -> tuple[str, ...]:
    which = "the first" if shown == 0 else f"number {shown + 1}"
    return (f"has {number} {what}, of which {which} was read",)


def _orientation(picture: Image.Image) -> int:
    try:
        found = picture.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF raises whatever its bytes lead to; the pixels may be sound
        return 1
    return found if found in range(1, 9) else 1


def _what(head: bytes) -> str:
    lower = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    for place, signature, what in OTHERS:
        if head[place:].startswith(signature) or (
            place == 0 and lower.startswith(signature.lower())
        ):
            return what
    return UNKNOWN


def _png(data: bytes) -> Samples:
    """A PNG, without the texts that Pillow takes for bombs; what Pillow would round, by libpng."""
    chunks = list(_chunks(data))
    bodies = {kind: data[start + 8 : end - 4] for kind, start, end in reversed(chunks[:-1])}
    if len(bodies.get(b"IHDR", b"")) != 13:
        raise InputError(DAMAGED)
    width, height, depth, color = struct.unpack_from(">IIBB", bodies[b"IHDR"])
    refuse_bomb(width, height)
    kept = [
        data[start:end]
        for kind, start, end in chunks
        if kind != b"iCCP"
        and (kind not in PNG_TEXT or _is_metadata(kind, data[start + 8 : end - 4]))
    ]
    with Image.open(io.BytesIO(PNG_SIGNATURE + b"".join(kept))) as picture:
        if depth == 16 or (depth < 8 and color == 0 and b"tRNS" in bodies):
            pixels = [part for part in kept if part[4:8] in PNG_PIXELS]
            values: Any = imagecodecs.png_decode(PNG_SIGNATURE + b"".join(pixels))
            samples = from_array(values)
            samples.orientation, samples.notes = _orientation(picture), _frames(picture)
        else:
            samples = from_pillow(picture)
    try:
        samples.profile = _png_profile(bodies)
    except (ValueError, zlib.error):
        samples.notes += ("its color profile is damaged and was left out",)
    if not samples.profile:
        samples.notes += _png_curve(bodies)
    return samples


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
    if not body.startswith(PNG_METADATA) or len(body) > TEXT_MAX:
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


def _png_profile(found: dict[bytes, bytes]) -> bytes | None:
    if b"iCCP" not in found:
        return None
    body = found[b"iCCP"]
    return _inflated(body[body.index(b"\0") + 2 :], PROFILE_MAX)


def _png_curve(found: dict[bytes, bytes]) -> tuple[str, ...]:
    """What a PNG without a profile says of its colors, and is not followed."""
    cicp = found.get(b"cICP", b"")
    if len(cicp) == 4:
        known = (cicp[0], cicp[1]) in CICP_SRGB
        return () if known else ("its cICP colors (wide gamut or HDR) were read as sRGB",)
    if b"sRGB" in found or len(found.get(b"gAMA", b"")) != 4:
        return ()
    (gamma,) = struct.unpack(">I", found[b"gAMA"])
    if abs(gamma / GAMMA - 1) < GAMMA_SLACK:
        return ()
    return (f"its gAMA of {gamma / 100000:g} was ignored, and its colors read as sRGB",)


def _tiff(file: BinaryIO) -> Samples:
    with tifffile.TiffFile(file) as tiff:
        page, notes = _page(tiff)
        photometric, bits = int(page.photometric), page.bitspersample
        if photometric not in GRAY_AND_COLOR:
            raise InputError(f"holds {_name(page.photometric)} samples; save it again as RGB")
        if not isinstance(bits, int):
            raise InputError("its channels have different depths; save it again with 8 bits")
        refuse_bomb(page.imagewidth, page.imagelength)
        if page.imagedepth != 1:
            raise InputError("a volume of several slices; save one of them as PNG or TIFF")
        _refuse_cut_off(page, file)
        color = GRAY_AND_COLOR[photometric]
        if photometric == YCBCR:  # libtiff knows its subsampling and its old kind of JPEG
            values = _by_libtiff(file, page.index)
            extras: tuple[int, ...] = ()
            white: float | None = 255.0
        else:
            values, white = _tiff_values(page)
            extras = tuple(int(kind) for kind in page.extrasamples)
            if photometric == PALETTE:
                values, white = _from_palette(values, page.colormap), 255.0
        values, alpha, more = _channels(values, color, extras, page.tags.valueof(INK_SET, 1))
        return Samples(
            values,
            color,
            white,
            inverted=photometric == WHITE_IS_ZERO,
            profile=page.iccprofile,
            premultiplied=alpha == PREMULTIPLIED,
            orientation=_tiff_orientation(page),
            notes=(*notes, *more),
        )


def _page(tiff: tifffile.TiffFile) -> tuple[Any, tuple[str, ...]]:
    """The page that is the picture, not its thumbnail or its mask, and what is said of the
    others.
    """
    pages: list[Any] = list(itertools.islice(tiff.pages, PAGES_MAX))
    below = [page for parent in pages for page in parent.pages or ()]  # in SubIFDs
    if any(
        DNG_VERSION in page.tags or int(page.photometric) in (CFA, LINEAR_RAW)
        for page in (*pages, *below)
    ):
        raise InputError(RAW)
    full = [page for page in pages if _is_full(page)]
    chosen = (full or [page for page in below if _is_full(page)] or pages)[0]
    notes: tuple[str, ...] = ()
    if not _is_full(chosen):
        notes = ("it is marked as the thumbnail of another picture",)
    elif chosen is not pages[0]:
        notes = ("its first page is a thumbnail and was passed over",)
    number = len(full) + max(0, len(tiff.pages) - PAGES_MAX)
    return chosen, (*notes, *(_one_of(number, "pages") if number > 1 else ()))


def _is_full(page: Any) -> bool:
    return not (page.subfiletype & (REDUCED | MASK) or page.tags.valueof(OLD_SUBFILE_TYPE) == 2)


def _refuse_cut_off(page: Any, file: BinaryIO) -> None:
    """tifffile fills what is missing with zeros."""
    end = file.seek(0, io.SEEK_END)
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    if not parts or any(offset + count > end for offset, count in parts):
        raise InputError(DAMAGED)


def _tiff_values(page: Any) -> tuple[np.ndarray, float | None]:
    """Samples [h, w, channels] and the number that means full, None for floats."""
    if page.dtype is None:
        raise InputError(f"samples of {page.bitspersample} bits are not read here; save it again")
    # Their encoders write other samples than they were given: which were meant nobody knows.
    jpeg2000 = "JPEG2000" in _name(page.compression) and page.bitspersample > 16
    if jpeg2000 or ("LERC" in _name(page.compression) and page.predictor != 1):
        raise InputError(
            f"{_name(page.compression)} of {page.bitspersample} bits is not read; save it again"
        )
    try:
        values = page.asarray()
    except (ValueError, NotImplementedError, RuntimeError) as error:
        if "requires" in str(error) or "not supported" in str(error):
            raise InputError(
                f"its compression ({_name(page.compression)}) is not read here; save it again"
            ) from error
        raise
    values = values.reshape(page.shape)
    if values.ndim == 3 and page.axes.startswith("S"):
        values = np.moveaxis(values, 0, -1)
    values = values if values.ndim == 3 else values[..., None]
    return values, white_of(values, page.bitspersample)


def _from_palette(indices: np.ndarray, colormap: np.ndarray) -> np.ndarray:
    colors = np.asarray(colormap).T  # [2^bits, 3], 16 bits; old programs wrote 8
    colors = colors if colors.max() < 256 else colors // 256
    return np.dstack([colors[indices[..., 0].astype(int)], indices[..., 1:]])


def _channels(
    values: np.ndarray, color: str, extras: tuple[int, ...], ink_set: int
) -> tuple[np.ndarray, int | None, tuple[str, ...]]:
    """The channels of the color and of opacity, the kind of that, and what is said of others."""
    colors, found = CHANNELS[color], values.shape[2]
    if found < colors or (color == "cmyk" and ink_set != 1):
        raise InputError(f"{found} channels are not a picture of known inks or colors")
    if found == colors + 1 and not extras:
        extras = (STRAIGHT,)  # as Pillow and libtiff take it
    opacity = next((i for i, kind in enumerate(extras) if kind in (PREMULTIPLIED, STRAIGHT)), None)
    if found > colors and opacity is None and color == "gray":
        raise InputError(f"{found} channels without names are not a gray, RGB or RGBA picture")
    kept = [*range(colors), *([] if opacity is None else [colors + opacity])]
    unused = found - len(kept)
    notes = (f"{unused} channel{'s' * (unused > 1)} beside its colors were left out",)
    alpha = None if opacity is None else extras[opacity]
    return values[..., kept], alpha, notes * bool(unused)


def _by_libtiff(file: BinaryIO, page: int) -> np.ndarray:
    file.seek(0)
    with Image.open(file) as picture:
        picture.seek(page)
        return np.asarray(picture.convert("RGB"))


def _tiff_orientation(page: Any) -> int:
    found = page.tags.valueof(ORIENTATION, 1)
    return int(found) if found in range(1, 9) else 1


def _name(value: Any) -> str:
    return str(getattr(value, "name", value))
