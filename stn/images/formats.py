"""Pictures: read anything a user has, write."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin

from stn import files
from stn.errors import InputError
from stn.images import decoding, pillow, samples
from stn.images.samples import Samples

JPEG_QUALITY = 95  # above it, Pillow's documentation says, files grow with hardly any gain
# Bytes 24-35 of a profile are the time it was made (ICC.1:2022, 7.2.1): without it, the same
# picture is the same file.
SRGB_BYTES = samples.SRGB[:24] + bytes(12) + samples.SRGB[36:]
PLANAR, BITS_PER_SAMPLE, PHOTOMETRIC = 284, 258, 262  # TIFF tags
FORMATS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")


def read(path: str | Path) -> np.ndarray:
    """Read a picture as `rgb` [h, w, 3], float64, 0-255, sRGB, upright.

    Samples keep their depth, up to 32 bits and floats. Gray, palette and CMYK pictures become RGB.
    An embedded ICC profile is converted to sRGB, transparency is composited over white. Float
    samples are 0-1 unless one is above 2, else 0-255. Warns in one line where something is lost.
    Raises InputError naming the file and what it is, also above `pillow.MAX_PIXELS`."""
    return over_white(*read_with_opacity(path))


def over_white(rgb: np.ndarray, opacity: np.ndarray | None) -> np.ndarray:
    """`rgb` [h, w, 3], 0-255, seen before white where its opacity [h, w], 0-1, is below one."""
    # In this form no rounding leaves 0-255.
    return rgb if opacity is None else 255 - (255 - rgb) * opacity[..., None]


def read_with_opacity(path: str | Path) -> tuple[np.ndarray, np.ndarray | None]:
    """A picture as `read` gives it, but with its colors below what is transparent, and its opacity
    [h, w], 0-1.

    The opacity of a picture with nothing transparent is None.
    """
    reason = files.why_unreadable(path)
    if reason:
        raise InputError(f"{path}: {reason}")
    with Path(path).open("rb") as file:
        return _to_rgb(str(path), lambda: decoding.from_file(file))


def from_memory(name: str, picture: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """A NumPy array or a Pillow image as `read_with_opacity` gives a file.

    An array is [h, w], [h, w, 1], [h, w, 3] or, with its opacity, [h, w, 4]; of uint8, of uint16 or
    of floats, which are 0-1 unless one is above 2. Raises InputError, which begins with `name`."""
    decode = _decode_pillow if isinstance(picture, Image.Image) else _decode_array
    return _to_rgb(name, lambda: decode(picture))


def _to_rgb(name: str, decode: Callable[[], Samples]) -> tuple[np.ndarray, np.ndarray | None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of decoders: what is lost stands in the samples
            found = decode()
        height, width = found.values.shape[:2]
        if min(height, width) < 2:
            raise InputError(f"{width} × {height} pixels are too few to have a style or a content")
        rgb, opacity, notes = samples.to_rgb(found)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error.__cause__
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{name}: more than {pillow.MAX_PIXELS // 10**6} megapixels; make it smaller first"
        ) from error
    except MemoryError as error:
        raise InputError(f"{name}: too large for the memory; make it smaller first") from error
    except Exception as error:  # decoders raise whatever the bytes lead them to
        raise InputError(f"{name}: {pillow.DAMAGED}") from error
    for note in notes:
        warnings.warn(f"{name}: {note}", stacklevel=4)
    return rgb, opacity


def write(path: Path, rgb: np.ndarray, settings: str = "") -> None:
    """Write `rgb` [h, w, 3], 0-255, in the format of the name: 8 bits, sRGB, `settings` in the
    metadata.

    A fourth channel is opacity, 0-255; JPEG has none, and gets the picture over white.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"{path}: unknown picture format; end the name in one of {', '.join(FORMATS)}"
        )
    if rgb.shape[2] == 4 and path.suffix.lower() in (".jpg", ".jpeg"):
        rgb = 255 - (255 - rgb[..., :3]) * rgb[..., 3:] / 255
    pixels = to_bytes(rgb)
    options: dict[str, Any] = {"icc_profile": SRGB_BYTES}
    if path.suffix.lower() == ".png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("stn", settings)
    elif path.suffix.lower() in (".jpg", ".jpeg", ".webp"):
        exif = Image.Exif()
        exif[0x010E] = settings  # ImageDescription
        options |= {"quality": JPEG_QUALITY, "exif": exif.tobytes()}
        if path.suffix.lower() != ".webp":
            options["subsampling"] = 0
    else:
        options["description"] = settings
    with files.atomic_write(path) as partial:
        iio.imwrite(partial, pixels, plugin="pillow", **options)


def to_bytes(rgb: np.ndarray) -> np.ndarray:
    """`rgb` [h, w, 3], 0-255 -> the 8 bits that a file holds, rounded and clipped."""
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def _decode_pillow(picture: Image.Image) -> Samples:
    """A Pillow image; one that is still to be decoded by the reader of files, which loses less."""
    pillow.refuse_bomb(picture.width, picture.height)
    file: Any = getattr(picture, "fp", None)
    is_undecoded = file is not None and getattr(picture, "tile", None) and picture.tell() == 0
    if is_undecoded and picture.format in ("TIFF", "PNG"):
        place = file.tell()
        try:
            file.seek(0)
            return decoding.from_file(file)
        finally:
            file.seek(place)
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        _refuse_mixed_up(picture)
    return pillow.from_pillow(picture)


def _refuse_mixed_up(picture: TiffImagePlugin.TiffImageFile) -> None:
    tags = picture.tag_v2
    bits = max(tags.get(BITS_PER_SAMPLE, (1,)))
    planar, inverted = tags.get(PLANAR) == 2, tags.get(PHOTOMETRIC) == 0
    if bits > 8 and (planar or inverted or bits not in (16, 32)):
        raise InputError("Pillow decodes this kind of TIFF wrongly; give the path of the file")


def _decode_array(picture: Any) -> Samples:
    """An array, which may be anything, where a file's samples are what a program wrote."""
    pixels = np.asarray(picture)
    shape, kind = pixels.shape, pixels.dtype
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3, 4)):
        raise InputError(f"samples of shape {shape} are not a gray, RGB or RGBA picture")
    pillow.refuse_bomb(shape[1], shape[0])
    if not np.issubdtype(kind, np.floating) and kind not in (np.uint8, np.uint16, np.bool_):
        raise InputError(f"an array of {kind}; give uint8, or floats in 0-1 or in 0-255")
    return pillow.from_array(pixels)
