"""MatConvNet's VGG files: every layout in circulation read, with a converted copy for the next
time; one written.
"""

import contextlib
import hashlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import scipy.io

from stn import files
from stn.assets import matfile, weights
from stn.assets.weights import Layer, Weights
from stn.errors import InputError
from stn.layers import FULLY_CONNECTED

CONVERTED_VERSION = 1


def load(path: Path, head: bool = False) -> Weights:
    """Read a MatConvNet VGG file; a converted copy of the convolutions makes the second time fast.

    The copy is kept in the cache directory. `head` keeps the fully connected layers and the class
    names, and reads the whole file. Raises InputError if the file is missing, damaged or not a VGG.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; give network.weights the path of a MatConvNet VGG .mat file"
        )
    if head:
        return read(path, head=True)
    stamp = np.array([CONVERTED_VERSION, path.stat().st_size, path.stat().st_mtime_ns])
    place = _converted(path)
    found = _read_converted(place, stamp)
    if found is not None:
        return found
    # Two processes: one converts, the other waits and reads what it wrote.
    with contextlib.suppress(
        OSError, NotImplementedError
    ):  # filelock's word for a file system without locks
        place.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{place}.lock") as lock:
            try:
                found = _read_converted(place, stamp)
                if found is None:
                    found = read(path)
                    _write_converted(place, stamp, found)
                return found
            finally:
                Path(lock.lock_file).unlink(missing_ok=True)
    warnings.warn(
        f"{path}: its converted copy could not be written, so every run reads the whole file",
        stacklevel=2,
    )
    return found or read(path)


def read(path: Path, head: bool = False) -> Weights:
    """Read any MatConvNet layout (METHODS.md §1), fields by name, never by position.

    Layouts: `weights` = {kernel, bias} with the mean in `normalization` or `meta.normalization`,
    and the older `filters` and `biases`. Kernels need no transpose: they are [h, w, in, out]
    already. Raises InputError naming the file and what is wrong with it."""
    try:
        contents = matfile.load(path, ("layers", "meta", "normalization", "classes"))
    except NotImplementedError as error:
        raise InputError(f"{path}: a MATLAB v7.3 (HDF5) file; save it again with -v7") from error
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); fetch it again"
        ) from error
    except MemoryError:
        raise
    except (
        Exception
    ) as error:  # SciPy's reader raises whatever the bytes lead it to, in words that help nobody
        raise InputError(
            f"{path}: not a whole MATLAB file; fetch it again with scripts/fetch.py"
        ) from error
    try:
        if "layers" not in contents:
            raise InputError(
                f"{path}: a MATLAB file, but with no `layers`: not a MatConvNet network"
            )
        layers = tuple(_convolutions(contents["layers"], head))
        mean_pixel, classes = _meta(contents)
    except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise InputError(error if str(path) in str(error) else f"{path}: {error}") from None
        raise InputError(
            f"{path}: its `layers` or `meta` is not as MatConvNet writes it"
        ) from error
    weights.check(path, layers, mean_pixel)
    return Weights(layers, mean_pixel, classes if head else (), files.sha256(path))


def write(path: Path, network: Weights, origin: str = "") -> None:
    """Write the current MatConvNet layout: `layers` (1, n) and `meta`, biases (N, 1), mean [1, 1,
    3].

    `origin` says where the weights come from and stands in `meta.origin`.
    """
    convs = {layer.name: layer for layer in network.layers}
    structs: list[dict[str, Any]] = []
    for name in network.layer_names:
        if name.startswith("conv"):
            structs.append(_conv_struct(convs[name], pad=1))
        elif name.startswith("relu"):
            structs.append(
                {"name": name, "type": "relu", "leak": 0.0, "weights": _cell([]), "precious": False}
            )
        else:
            window = {
                "method": "max",
                "pool": [[2.0, 2.0]],
                "stride": [[2.0, 2.0]],
                "pad": [[0.0, 1.0, 0.0, 1.0]],
            }
            structs.append(
                {"name": name, "type": "pool", **window, "weights": _cell([]), "precious": False}
            )
    for name in FULLY_CONNECTED:
        if name in convs:
            structs.append(_conv_struct(convs[name], pad=0))
            last = {"name": name.replace("fc", "relu"), "type": "relu", "leak": 0.0}
            structs.append({"name": "prob", "type": "softmax"} if name == "fc8" else last)
    meta: dict[str, Any] = {
        "normalization": {
            "imageSize": [[224.0, 224.0, 3.0]],
            "averageImage": network.mean_pixel.reshape(1, 1, 3),
        }
    }
    if network.classes:
        meta["classes"] = {"name": _cell(network.classes), "description": _cell(network.classes)}
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


def _converted(path: Path) -> Path:
    """Where the converted copy of a weight file is: in the cache directory, by the file's name and
    its whole path.
    """
    key = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    return files.cache_dir() / f"{path.name}-{key}.convs.npz"


def _write_converted(place: Path, stamp: np.ndarray, network: Weights) -> None:
    # The names also stand in an array, which a checksum covers: not so the archive's own list of
    # contents.
    arrays: dict[str, Any] = {"names": np.array([layer.name for layer in network.layers])}
    arrays |= {f"{layer.name}/kernel": layer.kernel for layer in network.layers}
    arrays |= {f"{layer.name}/bias": layer.bias for layer in network.layers}
    with files.atomic_write(place) as partial:
        np.savez(
            partial,
            stamp=stamp,
            mean_pixel=network.mean_pixel,
            sha256=np.array(network.sha256),
            **arrays,
        )


def _read_converted(place: Path, stamp: np.ndarray) -> Weights | None:
    try:
        with np.load(place, allow_pickle=False) as cache:
            if not np.array_equal(cache["stamp"], stamp):
                return None
            names = cache["names"].tolist()
            layers = tuple(
                Layer(name, cache[f"{name}/kernel"], cache[f"{name}/bias"]) for name in names
            )
            network = Weights(layers, cache["mean_pixel"], (), str(cache["sha256"]))
        weights.check(place, layers, network.mean_pixel)
        return network
    except Exception:  # a damaged archive raises whatever its bytes lead to; it is made again
        return None
