"""Samples of Pillow's images and of arrays.

Pillow decodes 8 bits, so that those numbers are its own."""

import numpy as np
from PIL import Image

from stn.errors import InputError
from stn.images.samples import Samples

# A pixel takes 24 bytes, while it is decoded up to 80; ours, below the 179 megapixels where Pillow
# itself stops.
MAX_PIXELS = 100 * 10**6
ORIENTATION = 274  # of EXIF and TIFF
DAMAGED = "damaged or cut off; get it again, or save it again as PNG or JPEG"


def refuse_bomb(width: int, height: int) -> None:
    """Raise InputError if that many pixels are more than MAX_PIXELS."""
    if width * height > MAX_PIXELS:
        raise InputError(
            f"more than {MAX_PIXELS // 10**6} megapixels ({width} × {height}); make it smaller"
            " first"
        )


def from_pillow(picture: Image.Image) -> Samples:
    """The samples of a Pillow image of any mode."""
    notes, profile = frames(picture), picture.info.get("icc_profile")
    picture.load()
    orientation = orientation_of(picture)
    transparent = "transparency" in picture.info and picture.mode in ("1", "L", "P", "RGB")
    color, white, mode = "rgb", 255.0, picture.mode
    if mode == "1":
        mode, color = "LA" if transparent else "L", "gray"
    elif mode in ("L", "LA", "La"):
        mode, color = "LA" if transparent else mode, "gray"
    elif mode == "CMYK":
        color = "cmyk"
        if picture.format == "JPEG" and "adobe" not in picture.info:
            notes += (
                "its inks were taken as inverted, as Adobe writes them, which it does not say",
            )
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
    """The number that means full in samples [h, w, channels] of `bits`, None for floats; InputError
    if they are none.
    """
    kind = values.dtype.kind
    if kind not in "biuf":
        raise InputError(f"samples of type {values.dtype} are not read here; save it again")
    if kind == "i" and values.min() < 0:
        raise InputError("holds samples below zero; save it again with 8 or 16 bits")
    if kind == "i":  # Pillow's mode I holds 16-bit samples in 32 bits
        return 65535.0 if bits == 32 and values.max() <= 65535 else 2.0 ** (bits - 1) - 1
    return {"b": 1.0, "u": 2.0**bits - 1, "f": None}[kind]


def frames(picture: Image.Image) -> tuple[str, ...]:
    """A note where it has more than one frame."""
    if picture.format == "PSD":  # Pillow counts its layers, and reads what they make together
        return ()
    try:
        number, shown = getattr(picture, "n_frames", 1), picture.tell()
    except (AttributeError, EOFError, OSError, SyntaxError, ValueError):
        return ()  # cut off somewhere after the first
    return one_of(number, "frames", shown) if number > 1 else ()


def one_of(number: int, what: str, shown: int = 0) -> tuple[str, ...]:
    """The note that one of several was read."""
    which = "the first" if shown == 0 else f"number {shown + 1}"
    return (f"has {number} {what}, of which {which} was read",)


def orientation_of(picture: Image.Image) -> int:
    """EXIF's orientation; 1, upright, where there is none."""
    try:
        found: int = picture.getexif().get(ORIENTATION, 1)
        return found
    except Exception:  # damaged EXIF raises whatever its bytes lead to; the pixels may be sound
        return 1
