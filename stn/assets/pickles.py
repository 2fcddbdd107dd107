"""Weights in pickles of PyTorch and of Lasagne, read without those and without trusting them.

Files of torch.save are those before PyTorch 1.6 and since. Lasagne's, such as
vgg19_normalized.pkl, are pickles of Python 2 (Lasagne/Recipes, examples/styletransfer/Art Style
Transfer.ipynb): a dict whose "param values" are a kernel [out, in, h, w] and a bias [out] for each
convolution, in order."""

import collections
import contextlib
import io
import math
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from stn.errors import InputError

# What such a file opens with: torch.serialization's MAGIC_NUMBER and PROTOCOL_VERSION.
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
STORAGES: dict[str, np.dtype[Any]] = {
    f"{name}Storage": np.dtype(kind)
    for name, kind in {
        **{"Bool": "?", "Byte": "u1", "Char": "i1", "Short": "<i2", "Int": "<i4", "Long": "<i8"},
        **{"Half": "<f2", "Float": "<f4", "Double": "<f8"},
        "BFloat16": "<u2",  # the upper half of a float32
    }.items()
}
KEY = "param values"  # of Lasagne's dict
STATES = ("state_dict", "model_state_dict", "model")  # of a training checkpoint's dict


def torch(content: bytes) -> dict[str, np.ndarray]:
    """The tensors of a dict that torch.save wrote, or of the first of STATES in it, by name without
    DataParallel's `module.`; InputError if the bytes are something else, or ask for something else.
    """
    with _whole("file of torch.save"):
        return _arrays(*(_zipped(content) if content.startswith(b"PK") else _pickled(content)))


def lasagne(path: Path) -> list[np.ndarray]:
    """The arrays of a saved network in their order, each kernel [out, in, h, w] before its bias
    [out], float32; InputError as `torch`.
    """
    with _whole(f"pickle of Lasagne, a dict with {KEY!r}"), path.open("rb") as file:
        contents = _Unpickler(file, OF_ARRAYS, "array", encoding="latin-1").load()
        return [each.array() for each in contents[KEY]]


@contextlib.contextmanager
def _whole(what: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a damaged pickle raises whatever its bytes lead to
        raise InputError(f"is not a whole {what}; fetch it again") from error


class _Unpickler(pickle._Unpickler):
    """Admits `names` alone, each a module's name and its own, in a file that holds a `what`; what
    stands for them holds values and can do nothing else.

    The pure Python one: its memo is a dict, so that a damaged index cannot ask for gigabytes.
    Raises InputError for another name."""

    def __init__(
        self, file: BinaryIO, names: Mapping[tuple[str, str], Any], what: str, **options: Any
    ) -> None:
        super().__init__(file, **options)
        self._names, self._what = names, what
        self.storages: dict[str, str] = {}  # the types of all that were met, by key

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in self._names:
            return self._names[module, name]
        raise InputError(
            f"asks for {f'{module}.{name}'!r}, which no {self._what} needs: refused; save a"
            " model's state_dict(), and do not use a file of strangers that needs more"
        )

    def persistent_load(self, pid: Any) -> Any:
        _, kind, key, _, _, *view = pid  # torch's ("storage", type, key, device, length, view)
        if any(view):
            raise ValueError("a part of another storage, as PyTorch 0.3 could save it")
        self.storages[key] = kind
        return pid


def _described(storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> tuple[Any, ...]:
    return storage, offset, size, stride


def _of_parameter(tensor: tuple[Any, ...], *_: Any) -> tuple[Any, ...]:
    return tensor


OF_TENSORS = {
    **{("torch", storage): storage for storage in STORAGES},
    # Before PyTorch 0.4, as in torchvision's vgg16-397923af.pth, and since.
    ("torch._utils", "_rebuild_tensor"): _described,
    ("torch._utils", "_rebuild_tensor_v2"): _described,
    ("torch._utils", "_rebuild_parameter"): _of_parameter,
    ("collections", "OrderedDict"): collections.OrderedDict,
}
# Tensors, (storage, offset, size, stride), by their names, and storages by theirs.
Saved = tuple[dict[str, Any], dict[str, np.ndarray]]


def _zipped(content: bytes) -> Saved:
    """PyTorch 1.6 and later: a zip archive of one pickle and the storages."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if any(member.compress_type for member in archive.infolist()):
            raise InputError("a compressed archive, which torch.save never writes")
        [index] = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        folder = index.removesuffix("data.pkl")
        saved = _Unpickler(io.BytesIO(archive.read(index)), OF_TENSORS, "tensor").load()
        tensors = _tensors(saved)
        types = {storage[2]: STORAGES[storage[1]] for storage, *_ in tensors.values()}
        return tensors, {
            key: np.frombuffer(archive.read(f"{folder}data/{key}"), kind)
            for key, kind in types.items()
        }


def _pickled(content: bytes) -> Saved:
    """Before: five pickles, namely magic number, protocol, sizes of C types, {name: tensor} and
    storage keys in order. Then for each storage its length, int64, and its bytes.
    """
    file = io.BytesIO(content)
    parts = [_Unpickler(file, OF_TENSORS, "tensor") for _ in range(5)]
    magic, protocol, _, saved, keys = (part.load() for part in parts)
    tensors = _tensors(saved)
    if (magic, protocol) != (MAGIC, PROTOCOL):
        raise ValueError("another format")
    # Also of an optimizer's storages, which stand between those of the tensors.
    types = {key: STORAGES[kind] for key, kind in parts[3].storages.items()}
    storages: dict[str, np.ndarray] = {}
    for key in keys:
        length = int.from_bytes(file.read(8), "little")
        storages[key] = np.frombuffer(content, types[key], length, offset=file.tell())
        file.seek(storages[key].nbytes, io.SEEK_CUR)
    if file.tell() != len(content):
        raise ValueError("bytes after the last storage")
    return tensors, storages


def _tensors(saved: dict[str, Any]) -> dict[str, Any]:
    """Those of a dict, or of a training checkpoint's dict in it."""
    found = next((saved[key] for key in STATES if key in saved), saved)
    if not all(isinstance(each, tuple) for each in found.values()):
        raise InputError("holds more than a network's tensors; save its state_dict() alone")
    # DataParallel of the whole network, or of its `features` alone (PyTorch's ImageNet example).
    return {
        ".".join(part for part in name.split(".") if part != "module"): each
        for name, each in found.items()
    }


def _arrays(tensors: dict[str, Any], storages: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parts of the storages that the tensors are."""
    found: dict[str, np.ndarray] = {}
    for name, (storage, offset, size, stride) in tensors.items():
        stored = storages[storage[2]][offset:]
        if storage[1] == "BFloat16Storage":
            stored = (stored.astype("<u4") << 16).view("<f4")
        last = sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if min(stride, default=0) < 0 or max(last + 1, math.prod(size)) > len(stored):
            raise ValueError("a tensor beyond its storage")
        steps = [step * stored.itemsize for step in stride]  # not those of rows in channels_last
        found[name] = np.lib.stride_tricks.as_strided(stored, size, steps, writeable=False)
    return found


class _State:
    """In place of an array or its type: it keeps what the pickle says of it."""

    def __init__(self, *given: Any) -> None:
        self.given = given
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self) -> np.ndarray:
        """The array: its state is version, shape, type, order and bytes, read as latin-1."""
        _, shape, kind, by_columns, text = self.state
        order = kind.state[1]
        if kind.given[0] not in ("f4", "f8") or order not in "<>|=":
            raise ValueError("numbers of another type")
        numbers = np.frombuffer(text.encode("latin-1"), f"{order}{kind.given[0]}")
        if numbers.size != math.prod(shape):
            raise ValueError("an array that is not whole")
        found = numbers.reshape(shape, order="F" if by_columns else "C")
        return np.ascontiguousarray(found, np.float32)


OF_ARRAYS = {
    # What NumPy's pickles call the function that makes an array, before version 2 and since.
    ("numpy.core.multiarray", "_reconstruct"): _State,
    ("numpy._core.multiarray", "_reconstruct"): _State,
    ("numpy", "dtype"): _State,
    ("numpy", "ndarray"): "ndarray",  # the class that `_reconstruct` is given
}
