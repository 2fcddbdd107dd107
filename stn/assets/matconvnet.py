"""MatConvNet's VGG files: every layout in circulation read, with a converted copy for the next
time; one written.
"""

import contextlib
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
# What is raised where a field is missing, or holds something else than it does in MatConvNet.
UNEXPECTED = (AttributeError, IndexError, KeyError, TypeError, ValueError)


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
        while "net" in contents and "layers" not in contents:  # levels down, as vgg_face is saved
            [net] = contents.pop("net").ravel()
            contents |= {name: net[name] for name in net.dtype.names or ()}
        if "layers" not in contents:
            raise InputError("a MATLAB file, but with no `layers`: not a MatConvNet network")
        structs = _structs(contents["layers"])
        layers = tuple(_convolutions(structs, head))
        mean_pixel, classes = _meta(contents)
        weights.check(layers, mean_pixel)
        _check_structure(structs, head)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except UNEXPECTED as error:
        raise InputError(
            f"{path}: its `layers` or `meta` is not as MatConvNet writes it"
        ) from error
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


@contextlib.contextmanager
def _of(struct: Any) -> Iterator[str]:
    """The layer's name as a message has it; what is unexpected inside is said of that layer."""
    name = _text(struct["name"])
    try:
        yield f"its layer {name!r}"
    except UNEXPECTED as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"its layer {name!r} is not as MatConvNet writes it") from error


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
        with _of(struct) as given:
            kind = "conv" if name.startswith("fc") else name.rstrip("0123456789_")
            if _kind(struct) != kind:
                raise InputError(
                    f"{given} is of type {_kind(struct)!r} where VGG-{depth} has {name}: another"
                    " network"
                )
            for field, (missing, allowed) in _FIELDS[kind].items():
                if kind == "conv" and field == "pad" and name.startswith("fc"):
                    allowed = ((0,),)
                found = _values(struct, field) or (missing,)
                if (found[:1] if len(set(found)) == 1 else found) not in allowed:
                    raise InputError(
                        f"{given} has {field} {' '.join(map(str, found))}, as {name} of"
                        f" VGG-{depth} has not: another network"
                    )
            options = [text.lower() for text in _values(struct, "opts") if isinstance(text, str)]
            if not set(_FIELDS[kind]).isdisjoint(options):
                raise InputError(f"{given} has opts {' '.join(options)}: another network")


# Of each type the fields that change what it computes: what MatConvNet takes where one is missing
# or empty (vl_simplenn), and what VGG may have: one value for all sides, or one for each.
_FIELDS: dict[str, dict[str, tuple[Any, tuple[tuple[Any, ...], ...]]]] = {
    "conv": {"pad": (0, ((1,),)), "stride": (1, ((1,),)), "dilate": (1, ((1,),))},
    "relu": {"leak": (0, ((0,),))},
    "pool": {
        "pool": (0, ((2,),)),
        "stride": (1, ((2,),)),
        "pad": (0, ((0,), (0, 1, 0, 1))),
        "method": ("max", (("max",), ("avg",))),
    },
}


def _values(struct: Any, field: str) -> tuple[Any, ...]:
    """The numbers and texts in a field, whole numbers without a point; none if there is none."""
    if field not in struct.dtype.names:
        return ()
    found = [np.asarray(each).ravel() for each in np.asarray(struct[field]).ravel()]
    values = [value for each in found for value in each.tolist()]
    return tuple(int(v) if isinstance(v, float) and v.is_integer() else v for v in values)


def _convolutions(structs: Sequence[Any], head: bool) -> Iterator[Layer]:
    for struct in structs:
        name = _text(struct["name"])
        with _of(struct) as given:
            if _kind(struct) != "conv" or (name.startswith("fc") and not head):
                continue
            if "weights" in struct.dtype.names:
                arrays = struct["weights"].ravel()
            elif "filters" in struct.dtype.names:
                arrays = [struct[field] for field in ("filters", "biases")]
            else:
                raise InputError(f"{given} has no `weights` and no `filters`")
            if len(arrays) != 2:
                raise InputError(f"{given} has {len(arrays)} arrays, not a kernel and a bias")
            kernel, bias = (weights.numbers(array, given) for array in arrays)
            if kernel.ndim == 3:  # MATLAB drops a last dimension of one
                kernel = kernel[..., None]
            if bias.size > max(bias.shape):
                raise InputError(f"{given} has biases of shape {bias.shape}, not a vector")
            yield Layer(name, kernel, bias.ravel())


def _meta(contents: dict[str, Any]) -> tuple[np.ndarray, tuple[str, ...]]:
    meta: Any = contents["meta"].ravel()[0] if "meta" in contents else contents
    names = meta.dtype.names or () if isinstance(meta, np.void) else meta.keys()
    if "normalization" not in names:
        raise InputError("no `normalization`, so the mean pixel is not known")
    normalization = meta["normalization"].ravel()[0]
    if "averageImage" not in normalization.dtype.names:
        raise InputError("no `normalization.averageImage`, so the mean pixel is not known")
    average = np.asarray(normalization["averageImage"])
    is_image = average.ndim == 3 and average.shape[2] == 3
    if average.dtype.kind not in "iuf" or not (is_image or average.size == max(average.shape) == 3):
        raise InputError(
            f"normalization.averageImage is of shape {average.shape}, not an RGB image"
        )
    if set(_values(normalization, "imageStd")) - {1}:
        raise InputError(
            "normalization.imageStd divides the pixels, as no VGG of MatConvNet does: another"
            " network"
        )
    mean_pixel = average.astype(np.float64).reshape(-1, 3).mean(axis=0).astype(np.float32)
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
        weights.check(layers, network.mean_pixel)
        return network
    except Exception:  # a damaged archive raises whatever its bytes lead to; it is made again
        return None
