"""The VGG weights: MatConvNet .mat files, every layout in circulation, read into `Weights`; and the writer of one."""

import contextlib
import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pooch
import scipy.io

from stn import files, matfile
from stn.errors import InputError

# Simonyan & Zisserman 2015 (arXiv:1409.1556), table 1, configurations E and D, named as in the papers' figures.
CONVS_PER_BLOCK = {19: (2, 2, 4, 4, 4), 16: (2, 2, 3, 3, 3)}
FULLY_CONNECTED = ("fc6", "fc7", "fc8")
# Mean RGB of the ImageNet training set, as in the files' normalization.averageImage (METHODS.md §1).
IMAGENET_MEAN = (123.68, 116.779, 103.939)
CACHE_VERSION = 1


def _trunk(depth: int) -> tuple[str, ...]:
    names: list[str] = []
    for block, convs in enumerate(CONVS_PER_BLOCK[depth], start=1):
        for i in range(1, convs + 1):
            names += [f"conv{block}_{i}", f"relu{block}_{i}"]
        names.append(f"pool{block}")
    return tuple(names)


VGG19, VGG16 = _trunk(19), _trunk(16)


@dataclass(frozen=True)
class Layer:
    """One convolution: `kernel` [h, w, in, out] as `tf.nn.conv2d` takes it, `bias` [out]; float32."""

    name: str
    kernel: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class Weights:
    """A VGG network: its convolutions in order, the mean pixel [3] (RGB, 0-255), class names if the file has them."""

    layers: tuple[Layer, ...]
    mean_pixel: np.ndarray
    classes: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def depth(self) -> int:
        """19 if there is a fourth convolution in a block, else 16."""
        return 19 if any(layer.name.endswith("_4") for layer in self.layers) else 16

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Every conv, relu and pool layer that these weights can compute, in order."""
        present = {layer.name for layer in self.layers}
        names: list[str] = []
        for name in VGG19 if self.depth == 19 else VGG16:
            if name.startswith("conv") and name not in present:
                break
            names.append(name)
        return tuple(names)

    def layer(self, name: str) -> Layer:
        """The convolution of that name; KeyError if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)


def cache_dir() -> Path:
    """The user's cache directory for weights and paintings, or the directory named by STN_CACHE."""
    return Path(os.environ.get("STN_CACHE") or pooch.os_cache("stn"))


def load(path: Path, head: bool = False) -> Weights:
    """Read a MatConvNet VGG file; a converted copy of the convolutions makes the second time fast.

    `head` keeps the fully connected layers and the class names, and reads the whole file.
    Raises InputError if the file is missing, damaged or not a VGG.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give network.weights the path of a MatConvNet VGG .mat file")
    if head:
        return read_mat(path, head=True)
    stamp = np.array([CACHE_VERSION, path.stat().st_size, path.stat().st_mtime_ns])
    for place in _cache_places(path):
        cached = _read_cache(place, stamp)
        if cached is not None:
            return cached
    weights = None
    for place in _cache_places(path):
        # Two processes: one converts, the other waits and reads what it wrote.
        with contextlib.suppress(OSError, NotImplementedError):  # filelock's word for a file system without locks
            place.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(f"{place}.lock"):
                cached = _read_cache(place, stamp)
                if cached is not None:
                    return cached
                weights = weights or read_mat(path)
                _write_cache(place, stamp, weights)
                return weights
    warnings.warn(f"{path}: its converted copy could not be written, so every run reads the whole file", stacklevel=2)
    return weights or read_mat(path)


def read_mat(path: Path, head: bool = False) -> Weights:
    """Read any MatConvNet layout (METHODS.md §1), fields by name, never by position.

    Layouts: `weights` = {kernel, bias} with the mean in `normalization` or `meta.normalization`, and the older
    `filters` and `biases`. Kernels need no transpose: they are [h, w, in, out] already.
    Raises InputError naming the file and what is wrong with it.
    """
    try:
        contents = matfile.load(path, ("layers", "meta", "normalization", "classes"))
    except NotImplementedError as error:
        raise InputError(f"{path}: a MATLAB v7.3 (HDF5) file; save it again with -v7") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); fetch it again") from error
    except MemoryError:
        raise
    except Exception as error:  # SciPy's reader raises whatever the bytes lead it to
        raise InputError(f"{path}: not a whole MATLAB file; fetch it again with scripts/fetch.py") from error
    try:
        if "layers" not in contents:
            raise InputError(f"{path}: a MATLAB file, but with no `layers`: not a MatConvNet network")
        layers = tuple(_convolutions(contents["layers"], head))
        mean_pixel, classes = _meta(contents)
    except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise InputError(error if str(path) in str(error) else f"{path}: {error}") from None
        raise InputError(f"{path}: its `layers` or `meta` is not as MatConvNet writes it") from error
    _check(path, layers, mean_pixel)
    return Weights(layers, mean_pixel, classes if head else (), files.sha256(path))


def write_mat(path: Path, weights: Weights, origin: str = "") -> None:
    """Write the current MatConvNet layout: `layers` (1, n) and `meta`, biases (N, 1), mean [1, 1, 3].

    `origin` says where the weights come from and stands in `meta.origin`.
    """
    convs = {layer.name: layer for layer in weights.layers}
    structs: list[dict[str, Any]] = []
    for name in weights.layer_names:
        if name.startswith("conv"):
            structs.append(_conv_struct(convs[name], pad=1))
        elif name.startswith("relu"):
            structs.append({"name": name, "type": "relu", "leak": 0.0, "weights": _cell([]), "precious": False})
        else:
            window = {"method": "max", "pool": [[2.0, 2.0]], "stride": [[2.0, 2.0]], "pad": [[0.0, 1.0, 0.0, 1.0]]}
            structs.append({"name": name, "type": "pool", **window, "weights": _cell([]), "precious": False})
    for name in FULLY_CONNECTED:
        if name in convs:
            structs.append(_conv_struct(convs[name], pad=0))
            last = {"name": name.replace("fc", "relu"), "type": "relu", "leak": 0.0}
            structs.append({"name": "prob", "type": "softmax"} if name == "fc8" else last)
    meta: dict[str, Any] = {
        "normalization": {
            "imageSize": [[224.0, 224.0, 3.0]],
            "averageImage": weights.mean_pixel.reshape(1, 1, 3),
        }
    }
    if weights.classes:
        meta["classes"] = {"name": _cell(weights.classes), "description": _cell(weights.classes)}
    if origin:
        meta["origin"] = origin
    with files.atomic_write(path) as partial:
        scipy.io.savemat(partial, {"layers": _cell(structs), "meta": meta})
        with partial.open("r+b") as file:  # over the date: the same weights, the same bytes
            file.write(b"MATLAB 5.0 MAT-file written by stn".ljust(116))


def _cell(items: Sequence[Any]) -> np.ndarray:
    cell = np.empty((1, len(items)), dtype=object)
    for i, item in enumerate(items):
        cell[0, i] = item
    return cell


def _conv_struct(layer: Layer, pad: int) -> dict[str, Any]:
    return {
        "name": layer.name,
        "type": "conv",
        "weights": _cell([layer.kernel, layer.bias.reshape(-1, 1)]),
        "size": np.array(layer.kernel.shape, dtype=float).reshape(1, -1),
        "pad": np.full((1, 4), float(pad)),
        "stride": np.ones((1, 2)),
        "precious": False,
        "dilate": 1.0,
        "opts": _cell([]),
    }


def _convolutions(cell: np.ndarray, head: bool) -> Iterator[Layer]:
    for item in cell.ravel():
        struct = item.ravel()[0]
        if "type" in struct.dtype.names and _text(struct["type"]) != "conv":
            continue
        name = _text(struct["name"])
        if name.startswith("fc") and not head:
            continue
        if "weights" in struct.dtype.names:
            kernel, bias = struct["weights"].ravel()
        elif "filters" in struct.dtype.names:
            kernel, bias = struct["filters"], struct["biases"]
        else:
            raise InputError(f"{name!r}: no `weights` and no `filters`")
        kernel = np.asarray(kernel, dtype=np.float32)
        if kernel.ndim == 3:  # MATLAB drops a last dimension of one
            kernel = kernel[..., None]
        yield Layer(name, np.ascontiguousarray(kernel), np.asarray(bias, dtype=np.float32).ravel())


def _meta(contents: dict[str, Any]) -> tuple[np.ndarray, tuple[str, ...]]:
    meta: Any = contents["meta"].ravel()[0] if "meta" in contents else contents
    names = meta.dtype.names or () if isinstance(meta, np.void) else meta.keys()
    if "normalization" not in names:
        raise InputError("no `normalization`, so the mean pixel is not known")
    average = np.asarray(meta["normalization"].ravel()[0]["averageImage"], dtype=np.float64)
    if average.size == 0 or average.size % 3:
        raise InputError("normalization.averageImage is not an RGB image")
    mean_pixel = average.reshape(-1, 3).mean(axis=0).astype(np.float32)
    classes: tuple[str, ...] = ()
    if "classes" in names:
        described = meta["classes"].ravel()[0]["description"].ravel()
        classes = tuple(_text(text) for text in described)
    return mean_pixel, classes


def _text(value: np.ndarray) -> str:
    return str(np.asarray(value).ravel()[0])


def _check(path: Path, layers: tuple[Layer, ...], mean_pixel: np.ndarray) -> None:
    """Refuse a file whose convolutions are not VGG's, in VGG's order, with numbers in them."""
    names = [layer.name for layer in layers]
    head = sum(name.startswith("fc") for name in names)
    for trunk in (VGG19, VGG16):
        convs = [name for name in trunk if name.startswith("conv")][: len(names) - head]
        if convs and names == [*convs, *FULLY_CONNECTED[:head]]:
            break
    else:
        raise InputError(f"{path}: its layers ({', '.join(map(repr, names[:6]))} …) are not those of VGG-16 or VGG-19")
    channels = 3
    for layer in layers:
        size = {"fc6": (7, 7), "fc7": (1, 1), "fc8": (1, 1)}.get(layer.name, (3, 3))
        if layer.kernel.ndim != 4 or layer.kernel.shape[:3] != (*size, channels) or 0 in layer.kernel.shape:
            raise InputError(f"{path}: {layer.name} has a kernel of shape {layer.kernel.shape}, not VGG's")
        channels = layer.kernel.shape[3]
        if layer.bias.shape != (channels,):
            raise InputError(f"{path}: {layer.name} has {layer.bias.size} biases for {channels} filters")
        if not (np.isfinite(layer.kernel).all() and np.isfinite(layer.bias).all()):
            raise InputError(f"{path}: {layer.name} holds NaN or infinite numbers; fetch the file again")
    if mean_pixel.shape != (3,) or not (np.isfinite(mean_pixel).all() and (abs(mean_pixel) < 256).all()):
        raise InputError(f"{path}: normalization.averageImage is not a mean RGB pixel in 0-255")


def _cache_places(path: Path) -> tuple[Path, Path]:
    key = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    return path.with_name(f"{path.name}.convs.npz"), cache_dir() / f"{path.name}-{key}.convs.npz"


def _write_cache(place: Path, stamp: np.ndarray, weights: Weights) -> None:
    # The names also stand in an array, which a checksum covers: not so the archive's own list of contents.
    arrays: dict[str, Any] = {"names": np.array([layer.name for layer in weights.layers])}
    arrays |= {f"{layer.name}/kernel": layer.kernel for layer in weights.layers}
    arrays |= {f"{layer.name}/bias": layer.bias for layer in weights.layers}
    with files.atomic_write(place) as partial:
        np.savez(partial, stamp=stamp, mean_pixel=weights.mean_pixel, sha256=np.array(weights.sha256), **arrays)


def _read_cache(place: Path, stamp: np.ndarray) -> Weights | None:
    try:
        with np.load(place, allow_pickle=False) as cache:
            if not np.array_equal(cache["stamp"], stamp):
                return None
            names = cache["names"].tolist()
            layers = tuple(Layer(name, cache[f"{name}/kernel"], cache[f"{name}/bias"]) for name in names)
            weights = Weights(layers, cache["mean_pixel"], (), str(cache["sha256"]))
        _check(place, layers, weights.mean_pixel)
        return weights
    except Exception:  # a damaged archive raises whatever its bytes lead to; it is made again
        return None
