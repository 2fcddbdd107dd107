"""Pictures of the page: small JPEGs, and their embedding."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from stn import files, images
from stn.errors import InputError
from stn.images import resizing


class EmbeddedPictures:
    """JPEGs inside the page, no side above `max_px`; equal files are stored once."""

    def __init__(self, max_px: int) -> None:
        self.pictures: dict[str, str] = {}
        self._max_px = max_px

    def keep(self, path: Path) -> str | None:
        """Embed a file, by its checksum."""
        try:
            key = files.sha256(path)[:16]
            return key if key in self.pictures else self.add(key, images.read(path))
        except (OSError, InputError):
            return None

    def add(self, key: str, rgb: np.ndarray) -> str:
        """Embed `rgb` [h, w, 3] 0-255 and give its key."""
        self.pictures[key] = (
            "data:image/jpeg;base64," + base64.b64encode(jpeg(rgb, self._max_px)).decode()
        )
        return key


def jpeg(rgb: np.ndarray, max_px: int) -> bytes:
    """`rgb` [h, w, 3] 0-255 as the page has it: a JPEG, no side above `max_px`."""
    scale = min(1.0, max_px / max(rgb.shape[:2]))
    if scale < 1:
        rgb = resizing.resize(rgb, *(max(1, round(side * scale)) for side in rgb.shape[:2]))
    data = io.BytesIO()
    Image.fromarray(images.to_bytes(rgb)).save(data, "JPEG", quality=92, subsampling=0)
    return data.getvalue()
