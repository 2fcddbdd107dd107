"""The pictures of a run: where they are, what they were made of, and the size they have at each level of a pyramid."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stn import assets, config, files, images, resizing


@dataclass(frozen=True)
class Pictures:
    """Content, style and, for init=file, the first image, `rgb` [h, w, 3]; the files they were read from, by role."""

    content: np.ndarray
    style: np.ndarray
    first: np.ndarray | None
    paths: dict[str, Path]
    image: config.Image
    style_size: str

    def checksums(self) -> dict[str, str]:
        """SHA-256 of each file, by role."""
        return {role: files.sha256(path) for role, path in self.paths.items()}

    def shapes_at(self, scale: float) -> dict[str, tuple[int, int]]:
        """Height and width that the size rules give content and style at a level of the pyramid; 1.0 is full size."""
        content, style = (_scaled(shape_of(rgb, self.image), scale) for rgb in (self.content, self.style))
        if self.style_size == "content":
            style = content
        elif self.style_size == "content_width":
            side = "long" if self.style.shape[1] >= self.style.shape[0] else "short"
            style = resizing.target_shape(self.style, content[1], side, rounding=self.image.rounding)
        return {"content": content, "style": style}

    def at(self, scale: float) -> "Pictures":
        """Content and style at the size they have at a level of the pyramid."""
        shapes = self.shapes_at(scale)
        content = resizing.resize(self.content, *shapes["content"], self.image.filter)
        style = resizing.resize(self.style, *shapes["style"], self.image.filter)
        return dataclasses.replace(self, content=content, style=style)


def read(settings: config.Config) -> Pictures:
    """The pictures that the settings name; InputError if one is missing or cannot be read."""
    paths = {"content": settings.content.path, "style": settings.style.path}
    if settings.init.name == "file" and settings.init.path:
        paths["init"] = settings.init.path
    located = {role: assets.locate_image(path) for role, path in paths.items()}
    rgb = {role: images.read(path) for role, path in located.items()}
    return Pictures(rgb["content"], rgb["style"], rgb.get("init"), located, settings.image, settings.style.size)


def shape_of(rgb: np.ndarray, image: config.Image) -> tuple[int, int]:
    """Height and width that the size rule of the settings gives a picture."""
    return resizing.target_shape(rgb, image.size_px, image.side, image.aspect, image.rounding)


def _scaled(shape: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))
