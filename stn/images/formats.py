"""Pictures: read anything a user has, write; RGB 0-255 and the network's space; sample images."""

import io
import warnings
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import tifffile
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, TiffImagePlugin

from stn import files
from stn.errors import InputError

# A pixel takes 24 bytes, while it is decoded up to 80; ours, below the 179 megapixels where Pillow
# itself stops.
MAX_PIXELS = 100 * 10**6
JPEG_QUALITY = 95  # above it, Pillow's documentation says, files grow with hardly any gain
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
# Bytes 24-35 of a profile are the time it was made (ICC.1:2022, 7.2.1): without it, the same
# picture is the same file.
SRGB_BYTES = SRGB.tobytes()[:24] + bytes(12) + SRGB.tobytes()[36:]
PLANAR, BITS_PER_SAMPLE = 284, 258  # TIFF tags
tifffile.logger().setLevel("CRITICAL")  # what is wrong with a file is said once, by `read`
# of the range from black to white: a filter overshoots less, numbers that are no colors more
BEYOND = 0.25
FORMATS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")


def read(path: str | Path) -> np.ndarray:
    """Read a picture as `rgb` [h, w, 3], float64, 0-255, sRGB, upright.

    Grey and palette pictures become RGB, CMYK is converted, transparency is composited over white,
    16-bit and float grey keep their precision (Pillow reads 16-bit color as 8), an embedded ICC
    profile is converted to sRGB. Float samples are 0-1 unless one is above 2, else 0-255: a filter
    or a highlight goes a little beyond one, and what 0-255 would call black to the eye ends at two.
    Raises InputError naming the file, also above MAX_PIXELS."""
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
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"{path}: no such picture; give the path of a PNG, JPEG, WebP or TIFF file"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rgb, opacity = _decode(path)
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path}: more than {MAX_PIXELS // 10**6} megapixels; make it smaller first"
        ) from error
    except Exception as error:  # decoders raise whatever the bytes lead them to
        raise InputError(
            f"{path}: cannot be read as a picture; save it again as PNG or JPEG"
        ) from error
    _refuse_small(path, rgb.shape)
    return rgb, _unless_opaque(opacity)


def from_memory(name: str, picture: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """A NumPy array or a Pillow image as `read_with_opacity` gives a file.

    An array is [h, w], [h, w, 1], [h, w, 3] or, with its opacity, [h, w, 4]; of uint8, of uint16 or
    of floats, which are 0-1 unless one is above 2. Raises InputError, which begins with `name`."""
    if isinstance(picture, Image.Image):
        _refuse_bomb(name, picture.width, picture.height)
        rgb, opacity = _from_pillow(name, picture)
        _refuse_small(name, rgb.shape)
    else:
        pixels = np.asarray(picture)
        _refuse_shape(name, pixels.shape)
        _refuse_small(name, pixels.shape)
        _refuse_samples(name, pixels)
        rgb, opacity = _from_array(name, pixels)
    return rgb, _unless_opaque(opacity)


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


def _decode(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    try:
        picture: Image.Image = Image.open(path)
    except Image.UnidentifiedImageError:
        if path.suffix.lower() not in (".tif", ".tiff"):
            raise
        return _decode_tiff(path)  # float and 32-bit RGB TIFF, which Pillow leaves out
    with picture:
        _refuse_bomb(path, picture.width, picture.height)
        tags = picture.tag_v2 if isinstance(picture, TiffImagePlugin.TiffImageFile) else {}
        if tags.get(PLANAR) == 2 and max(tags.get(BITS_PER_SAMPLE, (1,))) > 8:
            return _decode_tiff(path)  # Pillow mixes these planes up
        return _from_pillow(path, picture)


def _from_pillow(path: str | Path, picture: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    profile = picture.info.get("icc_profile")
    grey = picture.mode in ("1", "L", "LA")
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith(("I", "F")):
        return _from_array(path, np.asarray(picture))
    if picture.mode == "P" or picture.mode in ("LA", "PA", "La") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    alpha = picture.getchannel("A") if picture.mode in ("RGBA", "RGBa") else None
    colors = picture.convert("RGB") if picture.mode in ("RGBA", "RGBa", "1", "L") else picture
    if profile:
        colors = _to_srgb(colors, profile, grey)
    rgb = np.asarray(colors.convert("RGB"), dtype=np.float64)
    return rgb, None if alpha is None else np.asarray(alpha, dtype=np.float64) / 255


def _decode_tiff(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    with tifffile.TiffFile(path) as tiff:
        page: Any = tiff.pages[0]
        planar = page.axes == "SYX"
        _refuse_shape(
            path, (*page.shape[1:], page.shape[0]) if planar else page.shape
        )  # before anything is decoded
        return _from_array(path, np.moveaxis(page.asarray(), 0, -1) if planar else page.asarray())


def _to_srgb(picture: Image.Image, profile: bytes, grey: bool) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if grey and source.profile.xcolor_space == "GRAY":
            picture = picture.convert("L")
        converted = ImageCms.profileToProfile(picture, source, SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, ValueError, OSError):
        return picture  # a damaged profile, or one for another mode: the pixels still are a picture
    return converted if converted is not None else picture


def _from_array(path: str | Path, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Grey, RGB or RGBA samples of any depth -> `rgb` and its opacity."""
    _refuse_shape(path, pixels.shape)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if np.issubdtype(pixels.dtype, np.integer):
        # Pillow's mode I holds 16-bit samples in 32 bits.
        if pixels.dtype == np.int32 and (pixels.min() < 0 or pixels.max() > 65535):
            raise InputError(
                f"{path}: holds samples outside 0-65535; save it again with 8 or 16 bits"
            )
        highest = 65535 if pixels.dtype == np.int32 else np.iinfo(pixels.dtype).max
        scaled = pixels * (255.0 / highest)
    else:
        scaled = pixels.astype(np.float64) * (255.0 if pixels.max() <= 2 else 1.0)
    if not np.isfinite(scaled).all():
        raise InputError(f"{path}: holds NaN or infinite samples; save it again as PNG")
    opacity = None
    if scaled.shape[2] == 4:
        scaled, opacity = scaled[..., :3], np.clip(scaled[..., 3] / 255, 0, 1)
    return np.clip(np.broadcast_to(scaled, (*scaled.shape[:2], 3)), 0, 255).copy(), opacity


def _refuse_shape(path: str | Path, shape: tuple[int, ...]) -> None:
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3, 4)):
        raise InputError(f"{path}: samples of shape {shape} are not a grey, RGB or RGBA picture")
    _refuse_bomb(path, shape[1], shape[0])


def _refuse_bomb(path: str | Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{path}: more than {MAX_PIXELS // 10**6} megapixels ({width} × {height}); make it"
            " smaller first"
        )


def _refuse_small(path: str | Path, shape: tuple[int, ...]) -> None:
    if min(shape[:2]) < 2:
        raise InputError(
            f"{path}: {shape[1]} × {shape[0]} pixels are too few to have a style or a content"
        )


def _refuse_samples(name: str, pixels: np.ndarray) -> None:
    """Refuse numbers that are no colors: a file's are what a camera or a program wrote, an array's
    may be anything.
    """
    floats = np.issubdtype(pixels.dtype, np.floating)
    if not floats and pixels.dtype not in (np.uint8, np.uint16, np.bool_):
        raise InputError(
            f"{name}: an array of {pixels.dtype}; give uint8, or floats in 0-1 or in 0-255"
        )
    low, high = float(pixels.min()), float(pixels.max())
    white = 1 if high <= 2 else 255
    if floats and not -BEYOND * white <= low <= high <= max(
        2, (1 + BEYOND) * white
    ):  # false of NaN too
        raise InputError(
            f"{name}: holds numbers from {low:g} to {high:g}; give floats in 0-1 or in 0-255"
        )


def _unless_opaque(opacity: np.ndarray | None) -> np.ndarray | None:
    return None if opacity is None or opacity.min() == 1 else opacity
