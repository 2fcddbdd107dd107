"""From what a file holds to `rgb`: one value for the samples of every format, the same steps for
all.
"""

from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from PIL import ImageCms

from stn.errors import InputError

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# sRGB's primaries and white (IEC 61966-2-1) without its curve, for what must not be rounded.
LINEAR_SRGB: bytes = imagecodecs.cms_profile(
    "rgb",
    whitepoint=(0.3127, 0.329, 1),
    primaries=[0.64, 0.33, 1, 0.3, 0.6, 1, 0.15, 0.06, 1],
    gamma=1.0,
)
# Ours: from one of 256 levels to the next; gammas from 1.7 to 2.8 have at most 2, linear light 13.
GAP = 2.5
# of the range from black to white: a filter overshoots less, numbers that are no colors more
BEYOND = 0.25
DARK = 4  # of 255: nothing is seen; what 10 bits in a file of 16 amount to
DARK_FLOATS = 64  # the same of floats above 2, which may be linear light in place of 0-255
# The color spaces of ICC profiles (ICC.1:2022, table 19) that can be converted here.
SPACES = {b"GRAY": "gray", b"RGB ": "rgb", b"CMYK": "cmyk"}
CHANNELS = {"gray": 1, "rgb": 3, "cmyk": 4}
# Primaries and curves (ITU-T H.273, tables 2 and 3) of sRGB and of plain video, or none said.
CICP_PRIMARIES, CICP_CURVES = (1, 2), (1, 2, 6, 13)


@dataclass
class Samples:
    """The samples of a picture, `values` [h, w, channels] of any type, and what its file says of
    them.

    The channels are those of `color` ("gray", "rgb" or "cmyk", ink 0 is none), then opacity if
    there is one. `white`: the number that means full; None for floats, which are 0-1 unless one is
    above 2. `inverted`: gray whose zero is white. `premultiplied`: colors were multiplied by the
    opacity. `orientation` is EXIF's, 1-8; another number is upright."""

    values: np.ndarray
    color: str
    white: float | None = None
    inverted: bool = False
    profile: bytes | None = None
    premultiplied: bool = False
    orientation: int = 1
    notes: tuple[str, ...] = ()


def of_cicp(primaries: int, curve: int, has_profile: bool = False) -> tuple[str, ...]:
    """The note for colors by these numbers, which are not followed, whereas a profile beside them
    is; none if they are sRGB's.
    """
    if primaries in CICP_PRIMARIES and curve in CICP_CURVES:
        return ()
    instead = "ignored for its color profile" if has_profile else "read as sRGB"
    return (f"its cICP colors (wide gamut or HDR) were {instead}",)


def to_rgb(samples: Samples) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """`rgb` [h, w, 3], float64, 0-255, sRGB, upright; its opacity [h, w], 0-1, or None; notes of
    what is lost.

    Raises InputError, which says what the samples are, where they are no picture.
    """
    notes = list(samples.notes)
    levels, opacity = _levels(samples)
    if samples.inverted:
        levels = 255 - levels
    if opacity is not None and not opacity.any():
        notes.append("its opacity is zero everywhere and was left out")
        opacity = None
    elif opacity is not None and samples.premultiplied:
        levels = levels / np.where(opacity == 0, 1, opacity)[..., None]
    rgb = _converted(np.clip(levels, 0, 255), samples, notes)
    dark = DARK_FLOATS if samples.white is None and samples.values.max() > 2 else DARK
    if rgb.max() <= dark:
        notes.append(f"nothing in it is brighter than {dark} of 255")
    rgb = _upright(rgb, samples.orientation)
    if opacity is not None:
        opacity = None if opacity.min() == 1 else _upright(opacity, samples.orientation)
    return rgb, opacity, notes


def _levels(samples: Samples) -> tuple[np.ndarray, np.ndarray | None]:
    """Colors [h, w, channels], float64, 0-255, and opacity [h, w], 0-1."""
    values, white, channels = samples.values, samples.white, CHANNELS[samples.color]
    if white is None:
        low, high = float(values.min()), float(values.max())
        if not np.isfinite([low, high]).all():
            raise InputError("holds NaN or infinite samples; give floats in 0-1 or in 0-255")
        colors = values[..., :channels].astype(np.float64)
        # What 0-255 would call black to the eye ends at two.
        white, opaque = 1.0 if colors.max() <= 2 else 255.0, 1.0 if high <= 2 else 255.0
        white = max(white, opaque)
        low, high = float(colors.min()), float(colors.max())
        if low < -BEYOND * white or high > max(2, (1 + BEYOND) * white):
            raise InputError(
                f"holds numbers from {low:g} to {high:g}; give floats in 0-1 or in 0-255"
            )
        # An opacity of 0-1 next to colors of 0-255 is what some programs write.
        if values.shape[2] > channels and values[..., channels].max() <= 1:
            opaque = 1.0
    else:
        colors, opaque = values[..., :channels].astype(np.float64), white
    levels = colors * (255.0 / white)
    if values.shape[2] == channels:
        return levels, None
    return levels, np.clip(values[..., channels].astype(np.float64) / opaque, 0, 1)


def _converted(levels: np.ndarray, samples: Samples, notes: list[str]) -> np.ndarray:
    """Gray, RGB or CMYK of a profile, [h, w, channels], 0-255 -> sRGB [h, w, 3], 0-255."""
    if samples.profile:
        try:
            return _by_profile(levels, samples.color, samples.profile, samples.white != 255)
        except (InputError, RuntimeError, ValueError) as error:
            reason = str(error) if isinstance(error, InputError) else "damaged"
            notes.append(f"its color profile is {reason} and was left out")
    if samples.color == "cmyk":
        return 255 * (1 - levels[..., :3] / 255) * (1 - levels[..., 3:] / 255)
    return np.broadcast_to(levels, (*levels.shape[:2], 3)).copy()


def _by_profile(levels: np.ndarray, color: str, profile: bytes, deep: bool) -> np.ndarray:
    """By Little CMS; InputError if the profile is one for other samples, RuntimeError if it is
    damaged.
    """
    space = SPACES.get(profile[16:20])
    if space == "rgb" and color == "gray":
        levels, color = np.repeat(levels, 3, axis=2), "rgb"
    elif space == "gray" and color == "rgb" and not np.ptp(levels, axis=2).any():
        levels, color = levels[..., :1], "gray"  # of WebP, which has no gray
    if space is not None and space != color:
        raise InputError(f"for {space} samples")
    if color == "rgb" and _is_srgb(profile):
        return levels
    if color == "gray" or (color == "rgb" and (deep or _has_gaps(profile))):
        return _in_floats(levels, color, profile)
    # As Pillow and most programs do it: the same file of 8 bits has the same numbers.
    eight_bit = np.ascontiguousarray(np.rint(levels), dtype=np.uint8)
    converted: Any = imagecodecs.cms_transform(
        eight_bit, profile, SRGB, colorspace=color, outcolorspace="rgb"
    )
    return converted.astype(np.float64)


def _in_floats(levels: np.ndarray, color: str, profile: bytes) -> np.ndarray:
    samples = np.ascontiguousarray(levels / 255, dtype=np.float32)
    if color == "gray":
        samples = samples[..., 0]
    # Through linear light: the inverse of sRGB's curve makes anything of what lies outside 0-1.
    converted: Any = imagecodecs.cms_transform(
        samples, profile, LINEAR_SRGB, colorspace=color, outcolorspace="rgb", outdtype="float32"
    )
    linear = np.clip(converted.astype(np.float64), 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _is_srgb(profile: bytes) -> bool:
    """Whether converting changes no color by half a level."""
    ramp = np.linspace(0, 255, 18)
    colors = np.stack(np.meshgrid(ramp, ramp, ramp), axis=-1).reshape(18, -1, 3)
    return bool(np.abs(_in_floats(colors, "rgb", profile) - colors).max() < 0.5)


def _has_gaps(profile: bytes) -> bool:
    """Whether 256 levels are too few for the profile: its gray ramp leaves out levels of sRGB."""
    ramp = np.repeat(np.arange(256.0)[None, :, None], 3, axis=2)
    return bool(np.diff(_in_floats(ramp, "rgb", profile), axis=1).max() > GAP)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turned and mirrored as EXIF's orientation says (CIPA DC-008, 4.6.5)."""
    if orientation in (5, 6, 7, 8):  # the first row is a column
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
