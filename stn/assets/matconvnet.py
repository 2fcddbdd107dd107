"""MatConvNet's VGG files: every layout in circulation read, with a converted copy for the next
time; one written.
"""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from stn import command_line, files
from stn.assets import matfile, weights
from stn.assets.weights import Layer, Weights
from stn.errors import InputError
from stn.layers import FULLY_CONNECTED, LAYERS, TRUNKS, depth_of

CONVERTED_VERSION = 2
# How much larger than its convolutions a file is that gets a converted copy: with fully connected
# layers 7 times; without them reading is as fast as the copy's.
WORTH_CONVERTING = 2


def _advice() -> str:
    return f"give a MatConvNet VGG .mat file, or get one: {command_line.program('fetch')} vgg19"


def load(path: Path, head: bool = False) -> Weights:
    """Read a MatConvNet VGG file; of one with fully connected layers, a converted copy of the
    convolutions makes the second time fast.

    The copy is kept in the cache directory, by the file's SHA-256. `head` keeps the fully connected
    layers and the class names, and reads the whole file. Raises InputError if the file is missing,
    damaged or not a VGG."""
    reason = files.why_unreadable(path)
    if reason:
        raise InputError(f"{path}: {reason}; {_advice()}")
    if head:
        return read(path, head=True)
    sha256 = files.sha256(path)
    place = files.cache_dir() / f"{path.name}-{sha256[:16]}.convs.npz"
    network = _read_converted(place, sha256) or read(path)
    kernels = sum(layer.kernel.nbytes for layer in network.layers)
    if path.stat().st_size > WORTH_CONVERTING * kernels and not place.is_file():
        try:
            _write_converted(place, network)
        except OSError:
            warnings.warn(
                f"{path}: its converted copy could not be written, so every run reads the whole"
                " file",
                stacklevel=2,
            )
    return network


def read(path: Path, head: bool = False) -> Weights:
    """Read any MatConvNet layout (METHODS.md §1), fields by name, never by position.

    Layouts: `weights` = {kernel, bias} with the mean in `normalization` or `meta.normalization`,
    and the older `filters` and `biases`. Kernels need no transpose: they are [h, w, in, out]
    already. Raises InputError naming the file and what is wrong with it."""
    try:
        contents = matfile.load(path, ("layers", "meta", "normalization", "classes", "net"))
    except InputError as error:
        raise InputError(f"{path}: {error}; {_advice()}") from error
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); fetch it again"
        ) from error
    except MemoryError:
        raise
    except Exception:
        # SciPy's reader raises whatever the bytes lead it to, in words that help nobody.
        raise InputError(
            f"{path}: not a whole MATLAB file; fetch it again: {command_line.program('fetch')} NAME"
        ) from None
    try:
        if "net" in contents and "layers" not in contents:  # one level down, as vgg_face is saved
            net: Any = contents["net"].ravel()[0]
            contents = {name: net[name] for name in net.dtype.names or ()}
        if "layers" not in contents:
            raise InputError("a MATLAB file, but with no `layers`: not a MatConvNet network")
        structs = _structs(contents["layers"])
        layers = tuple(_convolutions(structs, head))
        mean_pixel, classes = _meta(contents)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path}: its `layers` or `meta` is not as MatConvNet writes it"
        ) from error
    weights.check(path, layers, mean_pixel)
    try:
        _check_structure(structs, head)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: its `layers` are not as MatConvNet writes them") from error
    return Weights(layers, mean_pixel, classes if head else (), files.sha256(path))


def write(path: Path, network: Weights, origin: str = "") -> None:
    """Write the current MatConvNet layout: `layers` (1, n) and `meta`, biases (N, 1), mean [1, 1,
    3].

    `origin` says where the weights come from and stands in `meta.origin`.
    """
    convs = {layer.name: layer for layer in network.layers}
    structs: list[dict[str, Any]] = []
    for name in network.layer_names:
        if LAYERS[name].kind == "conv":
            structs.append(_conv_struct(convs[name], pad=1))
        elif LAYERS[name].kind == "relu":
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


def _structs(cell: np.ndarray) -> list[Any]:
    if {"inputs", "outputs"} <= set(cell.dtype.names or ()):
        raise InputError(
            "a DagNN network of MatConvNet, whose layers are connected by names; give a SimpleNN"
            " file, such as imagenet-vgg-verydeep-19.mat"
        )
    return [item.ravel()[0] for item in cell.ravel()]


def _kind(struct: Any) -> str:
    return _text(struct["type"]) if "type" in struct.dtype.names else "conv"


def _check_structure(structs: Sequence[Any], head: bool) -> None:
    """Raise InputError, which names the layer, unless these compute what a VGG computes.

    The convolutions' names and kernels are known to be a VGG's. Behind the last pooling the file
    may have anything, unless the `head` is wanted. Pooling may take the mean: the run's
    `network.pooling` says what is done."""
    depth = depth_of(_text(struct["name"]) for struct in structs)
    expected = list(TRUNKS[depth])
    if head:
        expected += [name for fc in FULLY_CONNECTED for name in (fc, fc.replace("fc", "relu"))][:-1]
    left_out = ("dropout", "softmax", "softmaxloss") if head else ()
    structs = [struct for struct in structs if _kind(struct) not in left_out]
    for struct, name in zip(structs, expected, strict=False):  # some files end earlier
        kind = "conv" if name.startswith("fc") else name.rstrip("0123456789_")
        given = f"its layer {_text(struct['name'])!r}"
        if _kind(struct) != kind:
            raise InputError(
                f"{given} is of type {_kind(struct)!r} where VGG-{depth} has {name}: another"
                " network"
            )
        for field, (missing, allowed) in _FIELDS[kind].items():
            if kind == "conv" and field == "pad" and name.startswith("fc"):
                allowed = ({0.0},)
            values = struct[field] if field in struct.dtype.names else np.array(missing)
            numbers = np.asarray(values, dtype=float).ravel()
            if set(numbers.tolist()) not in allowed:
                raise InputError(
                    f"{given} has {field} {' '.join(f'{number:g}' for number in numbers)}, as"
                    f" {name} of VGG-{depth} has not: another network"
                )


# Of each type the fields that change what it computes: what MatConvNet takes where one is missing
# (vl_simplenn), and the sets of numbers that VGG may have.
_FIELDS: dict[str, dict[str, tuple[float, tuple[set[float], ...]]]] = {
    "conv": {"pad": (0, ({1.0},)), "stride": (1, ({1.0},)), "dilate": (1, ({1.0},))},
    "relu": {"leak": (0, ({0.0},))},
    "pool": {"pool": (0, ({2.0},)), "stride": (1, ({2.0},)), "pad": (0, ({0.0}, {0.0, 1.0}))},
}


def _convolutions(structs: Sequence[Any], head: bool) -> Iterator[Layer]:
    for struct in structs:
        if _kind(struct) != "conv":
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
        classes = _classes(meta["classes"])
    return mean_pixel, classes


def _classes(structs: np.ndarray) -> tuple[str, ...]:
    """Their descriptions, or names where there are none; nothing if there are neither."""
    for field in ("description", "name"):
        if structs.size and field in (structs.dtype.names or ()):
            texts = structs.ravel()[0][field].ravel()
            if texts.size:
                return tuple(_text(text) for text in texts)
    return ()


def _text(value: np.ndarray) -> str:
    return str(np.asarray(value).ravel()[0])


def _write_converted(place: Path, network: Weights) -> None:
    # The names also stand in an array, which a checksum covers: not so the archive's own list of
    # contents.
    arrays: dict[str, Any] = {"names": np.array([layer.name for layer in network.layers])}
    arrays |= {f"{layer.name}/kernel": layer.kernel for layer in network.layers}
    arrays |= {f"{layer.name}/bias": layer.bias for layer in network.layers}
    arrays["version"], arrays["sha256"] = np.array(CONVERTED_VERSION), np.array(network.sha256)
    files.write_arrays(place, arrays | {"mean_pixel": network.mean_pixel})


def _read_converted(place: Path, sha256: str) -> Weights | None:
    try:
        with np.load(place, allow_pickle=False) as cache:
            if cache["version"] != CONVERTED_VERSION or cache["sha256"] != sha256:
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
