"""The pictures of a run: where they are, their size and colors at each level, and how the result is
shown.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stn import config, files, images
from stn.assets import inputs, store
from stn.config import lists
from stn.images import color, masks, resizing

ARRAY = "array"  # what stands in the settings in place of a path
# `rgb` [h, w, 3], 0-255, and its opacity [h, w], 0-1, if it has one.
Picture = tuple[np.ndarray, np.ndarray | None]


@dataclass(frozen=True)
class Painting:
    """A painting, `rgb` [h, w, 3], 0-255, with its weight; masks [h, w], 0-1, on it and
    `result_mask` the picture, or None."""

    rgb: np.ndarray
    weight: float = 1.0
    scale: float = 1.0
    mask: np.ndarray | None = None
    result_mask: np.ndarray | None = None
    layers: tuple[str, ...] | None = None  # at which it counts; None: at all
    as_it_is: bool = False  # of the size at which it is used, whatever the size rule says


@dataclass(frozen=True)
class LevelPictures:
    """The pictures at a level, as the network is to see them; the result has `shape` [height,
    width].

    `photograph` is the content with its own colors, `opacity` [h, w] its alpha channel, 0-1, None
    if it has none."""

    content: np.ndarray | None
    styles: tuple[Painting, ...]
    initial: np.ndarray | None  # the picture of init=file
    shape: tuple[int, int]
    color: config.Color
    photograph: np.ndarray | None = None
    paint_only: np.ndarray | None = None
    opacity: np.ndarray | None = None

    def shown(self, rgb: np.ndarray, preview: bool = False) -> np.ndarray:
        """The result, `rgb` [h, w, 3], 0-255, as it is saved: colors, what was not to be painted,
        transparency.

        Has a fourth channel, 0-255, where the photograph has one. For a `preview` what takes
        seconds is left out, the averaging of color=local_affine.
        """
        mode = color.MODES[self.color.name]
        recolor = mode.preview if preview and mode.preview else mode.result
        if recolor:
            rgb = recolor(rgb, self.photograph, self.styles[0].rgb, self.color)
        if self.paint_only is not None and self.photograph is not None:
            rgb = self.photograph + self.paint_only[..., None] * (rgb - self.photograph)
        return rgb if self.opacity is None else np.dstack([rgb, 255 * self.opacity])

    @property
    def recolored(self) -> bool:
        """Whether `shown` changes the colors that were optimized."""
        return color.MODES[self.color.name].result is not None


@dataclass(frozen=True)
class Pictures:
    """The pictures of a run as they were read, `rgb` [h, w, 3]; by key, the files or `arrays` that
    they come from.
    """

    content: np.ndarray | None
    styles: tuple[Painting, ...]
    initial: np.ndarray | None  # the picture of init=file
    paths: dict[str, Path]
    image: config.Image
    style_size: str
    color: config.Color = dataclasses.field(default_factory=config.Color)
    paint_only: np.ndarray | None = None
    opacity: np.ndarray | None = None
    arrays: Mapping[str, Picture] = dataclasses.field(default_factory=dict)

    def checksums(self) -> dict[str, str]:
        """SHA-256 of each file, or of an array's shape and numbers, by the key that names it."""
        found = {
            key: files.sha256(path) for key, path in self.paths.items() if key not in self.arrays
        }
        return found | {key: _checksum(picture) for key, picture in self.arrays.items()}

    def shape_at(self, scale: float) -> tuple[int, int]:
        """Height and width of the result at a level of the pyramid; 1.0 is full size."""
        if self.image.shape is not None:
            height, width = self.image.shape
        else:
            height, width = shape_of(
                self.styles[0].rgb if self.content is None else self.content, self.image
            )
        return _scaled((height, width), scale)

    def shapes_at(self, scale: float) -> dict[str, tuple[int, int]]:
        """Height and width that the size rules give content and styles, by key, at a level of the
        pyramid.
        """
        shapes = {} if self.content is None else {"content": self.shape_at(scale)}
        return shapes | {
            lists.key_of(number): self._style_shape(style, scale)
            for number, style in enumerate(self.styles)
        }

    def at(self, scale: float) -> LevelPictures:
        """The pictures at the size and with the colors they have at a level of the pyramid."""
        shape, shapes = self.shape_at(scale), self.shapes_at(scale)
        photograph = None if self.content is None else self._resize(self.content, shape)
        content, initial = photograph, self.initial
        if change := color.MODES[self.color.name].photograph:
            both = (content, initial)
            content, initial = (None if rgb is None else change(rgb) for rgb in both)
        sizes = [size for key, size in shapes.items() if key != "content"]
        return LevelPictures(
            content,
            tuple(
                self._sized(style, size, photograph, shape)
                for style, size in zip(self.styles, sizes, strict=True)
            ),
            initial,
            shape,
            self.color,
            photograph,
            _resized(self.paint_only, shape),
            _resized(self.opacity, shape),
        )

    def _resize(self, rgb: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        return resizing.resize(rgb, *shape, self.image.filter)

    def _style_shape(self, style: Painting, scale: float) -> tuple[int, int]:
        if style.as_it_is:
            return _scaled((style.rgb.shape[0], style.rgb.shape[1]), scale)
        return style_shape(
            style.rgb, style.scale, self.style_size, self.image, lambda: self.shape_at(scale), scale
        )

    def _sized(
        self,
        style: Painting,
        size: tuple[int, int],
        photograph: np.ndarray | None,
        shape: tuple[int, int],
    ) -> Painting:
        rgb = self._resize(style.rgb, size)
        if change := color.MODES[self.color.name].painting:
            rgb = change(rgb, photograph, self.color)
        return dataclasses.replace(
            style,
            rgb=rgb,
            mask=_resized(style.mask, size),
            result_mask=_resized(style.result_mask, shape),
        )


def read(settings: config.Config, arrays: Mapping[str, Picture] | None = None) -> Pictures:
    """The pictures that the settings name; InputError if one is missing or cannot be read.

    `arrays` take the place of files, by the keys of `inputs.pictures`; in the settings ARRAY stands
    for them."""
    given = dict(arrays or {})
    paths = {
        key: Path(ARRAY) if key in given else store.locate_image(path)
        for key, path in inputs.pictures(settings).items()
    }

    def picture(key: str) -> Picture:
        return given[key] if key in given else images.read_with_opacity(paths[key])

    def mask(key: str, path: str | None) -> np.ndarray | None:
        if path is None:
            return None
        if masks.is_drawn(path):
            return masks.drawn(path, key)
        rgb, opacity = picture(key)
        return masks.from_picture(rgb, f"{key}={path}", opacity)

    if "mix.fine" in paths:
        picture("mix.fine")  # a run of its own reads it, which starts when this one has begun
    content, opacity = picture("content") if "content" in paths else (None, None)
    styles = tuple(
        Painting(
            images.over_white(*picture(key)),
            style.weight,
            style.scale,
            mask(f"{key}.mask", style.mask),
            mask(f"{key}.result_mask", style.result_mask),
            tuple(style.layers) if style.layers else None,
        )
        for key, style in config.styles(settings).items()
    )
    return Pictures(
        content,
        styles,
        images.over_white(*picture("init")) if "init" in paths else None,
        paths,
        settings.image,
        settings.style.size,
        settings.color,
        mask("paint_only", settings.paint_only),
        opacity,
        given,
    )


def shape_of(rgb: np.ndarray, image: config.Image, scale: float = 1.0) -> tuple[int, int]:
    """Height and width in pixels that the size rule of the settings gives a picture [h, w, 3],
    times `scale`.
    """
    return resizing.target_shape(
        rgb, image.size_px, image.side, image.aspect, image.rounding, scale
    )


def style_shape(
    rgb: np.ndarray,
    times: float,
    size: str,
    image: config.Image,
    result: Callable[[], tuple[int, ...]],
    scale: float = 1.0,
) -> tuple[int, int]:
    """Height and width in pixels of a style picture [h, w, 3] by `style.scale` and
    `style.size`; `result` gives those of the picture made.

    `scale` is that of a level of the pyramid, at which the result has its size already.
    """
    if size == "content":
        height, width = result()
        return _scaled((height, width), times)
    if size == "content_width":
        across = result()[1] * times
        down = across * rgb.shape[0] / rgb.shape[1]
        return resizing.whole(down, image.rounding), resizing.whole(across, image.rounding)
    shape = _scaled(shape_of(rgb, image, times), scale)
    if size == "own_at_most" and max(shape) > max(rgb.shape[:2]):
        return rgb.shape[0], rgb.shape[1]
    return shape


def _checksum(picture: Picture) -> str:
    parts = [part for part in picture if part is not None]
    return hashlib.sha256(
        b"".join(str(part.shape).encode() + part.tobytes() for part in parts)
    ).hexdigest()


def _resized(mask: np.ndarray | None, shape: tuple[int, int]) -> np.ndarray | None:
    return None if mask is None else np.clip(masks.resize(mask, *shape), 0, 1)


def _scaled(shape: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))
