"""Labeled pictures: scikit-learn's digits, crops of packaged photographs, or the user's folder."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stn import assets, images
from stn.errors import InputError
from stn.images import resizing

# A class each. All of them are inside packages, and their subjects differ.
PHOTOGRAPHS = {
    "cat": "skimage:chelsea.png",
    "coffee": "skimage:coffee.png",
    "rocket": "skimage:rocket.jpg",
    "motorcycle": "skimage:motorcycle_left.png",
    "galaxies": "skimage:hubble_deep_field.jpg",
    "retina": "skimage:retina.jpg",
    "temple": "sklearn:china.jpg",
    "flower": "sklearn:flower.jpg",
    "bricks": "skimage:brick.png",
    "grass": "skimage:grass.png",
}
FILTER = "pillow_bicubic"  # quick, and smooths where it shrinks
# The long side of a photograph in sides of a crop, so that a crop is still recognizable; ours.
LONG_SIDE = 2.5


@dataclass(frozen=True)
class Labeled:
    """Pictures, `rgb` [n, side, side, 3] 0-255, the class of each, [n], and the classes' names."""

    rgb: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Checksum of pictures, classes and names."""
        parts = (self.rgb.tobytes(), self.labels.tobytes(), "\n".join(self.names).encode())
        return hashlib.sha256(b"".join(parts)).hexdigest()

    def take(self, chosen: np.ndarray) -> "Labeled":
        """The pictures of the indices `chosen` [m], in that order."""
        return Labeled(self.rgb[chosen], self.labels[chosen], self.names)


def read(source: str, side: int, count: int, seed: int) -> Labeled:
    """At most `count` pictures of each class, chosen by `seed`.

    `source` is `digits`, `photographs`, or a folder with a folder of pictures for each class.
    Raises InputError if there is no such folder, if it has a single class, or if a class has fewer
    than two pictures."""
    if source == "digits":
        return _digits(side, count, seed)
    if source == "photographs":
        return _photographs(side, count, seed)
    return _folder(Path(source), side, count, seed)


def _digits(side: int, count: int, seed: int) -> Labeled:
    """UCI's handwritten digits, 8 × 8 with levels 0-16, enlarged to `side`."""
    from sklearn.datasets import load_digits  # scikit-learn takes a second to import

    found = load_digits()
    generator = np.random.default_rng(seed)
    chosen = np.concatenate(
        [generator.permutation(np.flatnonzero(found.target == c))[:count] for c in range(10)]
    )
    rgb = np.repeat(found.images[chosen][..., None] * (255 / 16), 3, axis=-1)
    return _stacked(
        [resizing.resize(each, side, side, FILTER) for each in rgb],
        found.target[chosen],
        map(str, range(10)),
    )


def _photographs(side: int, count: int, seed: int) -> Labeled:
    """Random crops of PHOTOGRAPHS, half of them mirrored; those of one photograph overlap."""
    generator = np.random.default_rng(seed)
    crops, labels = [], []
    for label, path in enumerate(PHOTOGRAPHS.values()):
        rgb = images.read(assets.locate_image(path))
        rgb = resizing.resize(rgb, *resizing.target_shape(rgb, round(LONG_SIDE * side)), FILTER)
        for _ in range(count):
            y, x = (generator.integers(0, max(1, length - side + 1)) for length in rgb.shape[:2])
            crop = resizing.resize(rgb[y : y + side, x : x + side], side, side, FILTER)
            crops.append(crop[:, ::-1] if generator.random() < 0.5 else crop)
            labels.append(label)
    return _stacked(crops, np.array(labels), PHOTOGRAPHS)


def _folder(folder: Path, side: int, count: int, seed: int) -> Labeled:
    """The pictures of every folder in `folder`, stretched to `side` × `side`."""
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; give digits, photographs, or a folder with one folder a"
            " class"
        )
    classes = {
        each.name: sorted(path for path in each.iterdir() if path.suffix.lower() in images.FORMATS)
        for each in sorted(folder.iterdir())
        if each.is_dir() and not each.name.startswith(".")
    }
    if len(classes) < 2:
        raise InputError(
            f"{folder}: holds {len(classes)} folders; give one with a folder of pictures for each"
            " class"
        )
    generator = np.random.default_rng(seed)
    pictures, labels = [], []
    for label, (name, paths) in enumerate(classes.items()):
        if len(paths) < 2:
            raise InputError(
                f"{folder / name}: holds {len(paths)} pictures; a class needs at least two"
            )
        for i in generator.permutation(len(paths))[:count]:
            pictures.append(resizing.resize(images.read(paths[i]), side, side, FILTER))
            labels.append(label)
    return _stacked(pictures, np.array(labels), classes)


def _stacked(pictures: list[np.ndarray], labels: np.ndarray, names: Iterable[str]) -> Labeled:
    return Labeled(np.stack(pictures).astype(np.float32), labels.astype(np.int64), tuple(names))
