"""TIFF by tifffile: the page that is the picture, and what its channels are."""

import io
import itertools
import struct
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import tifffile

from stn.errors import InputError
from stn.images import pillow
from stn.images.samples import CHANNELS, Samples

tifffile.logger().setLevel("CRITICAL")  # what is wrong with a file is said once, by `formats.read`
SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
GRAY_AND_COLOR = {0: "gray", 1: "gray", 2: "rgb", 3: "rgb", 5: "cmyk", 6: "rgb"}  # of PHOTOMETRIC
WHITE_IS_ZERO, PALETTE, YCBCR, CFA, LINEAR_RAW = 0, 3, 6, 32803, 34892
TRANSFER, PRIMARIES = 301, 319
SRGB_PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)  # IEC 61966-2-1
TRANSFER_SLACK = 10  # of 255, ours: sRGB's own curve is up to 8 from 2.2
PREMULTIPLIED, STRAIGHT = 1, 2  # of ExtraSamples
REDUCED, MASK = 1, 4  # bits of NewSubfileType
PHOTOMETRIC, INK_SET, DOT_RANGE, OLD_SUBFILE_TYPE, DNG_VERSION = 262, 332, 336, 255, 50706  # tags
PAGES_MAX = 64  # looked at for one that is no thumbnail
RAW = "a camera's raw file, whose pictures inside are thumbnails; develop it to TIFF or JPEG"


def read(file: BinaryIO) -> Samples:
    """The samples in an open TIFF; InputError says what is not understood."""
    with tifffile.TiffFile(file) as tiff:
        page, notes = _page(tiff)
        photometric, bits = int(page.photometric), page.bitspersample
        if PHOTOMETRIC not in page.tags:
            raise InputError("does not say what its samples are (PhotometricInterpretation)")
        if photometric not in GRAY_AND_COLOR:
            raise InputError(f"holds {_name(page.photometric)} samples; save it again as RGB")
        if not isinstance(bits, int):
            raise InputError("its channels have different depths; save it again with 8 bits")
        pillow.refuse_bomb(page.imagewidth, page.imagelength)
        if page.imagedepth != 1:
            raise InputError("a volume of several slices; save one of them as PNG or TIFF")
        _refuse_cut_off(page, file)
        color = GRAY_AND_COLOR[photometric]
        if photometric == YCBCR:  # libtiff knows its subsampling and its old kind of JPEG
            values = _by_libtiff(file, page)
            extras: tuple[int, ...] = ()
            white: float | None = 255.0
        else:
            values, white = _values(page)
            extras = tuple(int(kind) for kind in page.extrasamples)
            if photometric == PALETTE:
                values, white = _from_palette(values, page.colormap, white), 255.0
            # The numbers of no ink and of full ink (TIFF 6.0, section 16), the larger last.
            dots = np.atleast_1d(page.tags.valueof(DOT_RANGE, (0, 255)))
            # Of 8 bits also where there are more.
            if color == "cmyk" and (dots[0] or dots[-1] < min(255, 2**bits - 1)):
                raise InputError("inks whose DotRange is not the whole; save it again as RGB")
        values, alpha, more = _channels(values, color, extras, page.tags.valueof(INK_SET, 1))
        return Samples(
            values,
            color,
            white,
            inverted=photometric == WHITE_IS_ZERO,
            profile=page.iccprofile,
            premultiplied=alpha == PREMULTIPLIED,
            orientation=page.tags.valueof(pillow.ORIENTATION, 1),
            notes=(*notes, *more, *(() if page.iccprofile else _unfollowed(page))),
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
    # ImageJ lists the first alone of what has more than 4 GB.
    listed = int((tiff.imagej_metadata or {}).get("images", 1))
    number = max(listed, len(full) + max(0, len(tiff.pages) - PAGES_MAX))
    return chosen, (*notes, *(pillow.one_of(number, "pages") if number > 1 else ()))


def _unfollowed(page: Any) -> tuple[str, ...]:
    """What a page without a profile says of its colors and is not followed."""
    notes: tuple[str, ...] = ()
    curve = np.array(page.tags.valueof(TRANSFER, ()), np.float64).ravel()[: 2**8]
    if page.bitspersample == 8 and curve.size == 2**8:  # linear light by sample, sRGB's is near
        levels = 255 * (curve / 65535) ** (1 / 2.2)
        if np.abs(levels - np.arange(2**8)).max() > TRANSFER_SLACK:
            notes = ("its TransferFunction was ignored, and its colors read as sRGB",)
    given = np.array(page.tags.valueof(PRIMARIES, ()), np.float64).reshape(-1, 2)
    if len(given) == 6 and np.abs(given[:, 0] / given[:, 1] - SRGB_PRIMARIES).max() > 0.005:
        notes += ("its PrimaryChromaticities were ignored, and its colors read as sRGB",)
    return notes


def _is_full(page: Any) -> bool:
    return not (page.subfiletype & (REDUCED | MASK) or page.tags.valueof(OLD_SUBFILE_TYPE) == 2)


def _refuse_cut_off(page: Any, file: BinaryIO) -> None:
    """tifffile fills what is missing with zeros."""
    end = file.seek(0, io.SEEK_END)
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    if not parts or any(offset + count > end for offset, count in parts):
        raise InputError(pillow.DAMAGED)


def _values(page: Any) -> tuple[np.ndarray, float | None]:
    """Samples [h, w, channels] and the number that means full, None for floats."""
    # Nobody says in which order the bytes of 17 to 31 bits lie, and writers differ.
    is_odd = page.sampleformat == 1 and 16 < page.bitspersample < 32
    if page.dtype is None or is_odd:
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
    return values, pillow.white_of(values, page.bitspersample)


def _from_palette(indices: np.ndarray, colormap: np.ndarray, white: float | None) -> np.ndarray:
    """Colors of 8 bits for indices [h, w, channels], and other channels, whose full is `white`."""
    if white is None:
        raise InputError("a palette with floats for indices; save it again as RGB")
    colors = np.asarray(colormap).T  # [2^bits, 3], 16 bits; old programs wrote 8
    colors = colors if colors.max() < 256 else colors // 256
    others = indices[..., 1:] * (255 / white)
    return np.dstack([colors[indices[..., 0].astype(int)], others])


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


def _by_libtiff(file: BinaryIO, page: Any) -> np.ndarray:
    """A page as RGB of 8 bits [h, w, 3], as it is stored."""
    file.seek(0)
    data = bytearray(file.read())
    # Made the first page of the file: libtiff counts none of those below another.
    layout = page.parent.tiff
    struct.pack_into(layout.offsetformat, data, layout.offsetsize, page.offset)
    try:
        rgba: Any = imagecodecs.tiff_decode(bytes(data), asrgb=True)
    except (RuntimeError, IndexError) as error:
        raise InputError(
            f"YCbCr samples ({page.bitspersample} bits, {_name(page.compression)}) that are not"
            " read here; save it again as RGB"
        ) from error
    # libtiff mirrors as the orientation says, and does not turn (tif_getimage.c).
    orientation = page.tags.valueof(pillow.ORIENTATION, 1)
    if orientation in (2, 3, 6, 7):
        rgba = rgba[:, ::-1]
    if orientation in (3, 4, 7, 8):
        rgba = rgba[::-1]
    return np.asarray(rgba[..., :3])


def _name(value: Any) -> str:
    return str(getattr(value, "name", value))
