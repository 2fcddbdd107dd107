"""Files that torch.save wrote, before PyTorch 1.6 and since, read without PyTorch and without
trusting their pickles.
"""

import collections
import io
import math
import zipfile
from typing import Any, ClassVar

import numpy as np

from stn.assets import pickled
from stn.errors import InputError

# What such a file opens with: torch.serialization's MAGIC_NUMBER and PROTOCOL_VERSION.
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
STORAGES: dict[str, np.dtype[Any]] = {
    "ByteStorage": np.dtype("u1"),
    "FloatStorage": np.dtype("<f4"),
}


def load(content: bytes) -> dict[str, np.ndarray]:
    """The tensors of a saved dict, by name; InputError if the bytes are something else, or ask for
    something else.
    """
    try:
        return _arrays(*(_zipped(content) if content.startswith(b"PK") else _pickled(content)))
    except InputError:
        raise
    except Exception as error:  # a damaged pickle raises whatever its bytes lead to
        raise InputError("is not a whole file of torch.save; fetch it again") from error


def _described(storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> tuple[Any, ...]:
    return storage, offset, size, stride


class _Unpickler(pickled.Unpickler):
    """Admits the four names that tensors need."""

    NAMES: ClassVar = {
        **{("torch", storage): storage for storage in STORAGES},
        ("torch._utils", "_rebuild_tensor_v2"): _described,
        ("collections", "OrderedDict"): collections.OrderedDict,
    }
    WHAT = "tensor"

    def persistent_load(self, pid: Any) -> Any:
        return pid  # ("storage", type, key, device, length, view)


# Tensors, (storage, offset, size, stride), by their names, and storages by theirs.
Saved = tuple[dict[str, Any], dict[str, np.ndarray]]


def _zipped(content: bytes) -> Saved:
    """PyTorch 1.6 and later: a zip archive of one pickle and the storages."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        [index] = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        folder = index.removesuffix("data.pkl")
        tensors = _Unpickler(io.BytesIO(archive.read(index))).load()
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
    magic, protocol, _, tensors, keys = (_Unpickler(file).load() for _ in range(5))
    if (magic, protocol) != (MAGIC, PROTOCOL):
        raise ValueError("another format")
    types = {storage[2]: STORAGES[storage[1]] for storage, *_ in tensors.values()}
    storages: dict[str, np.ndarray] = {}
    for key in keys:
        length = int.from_bytes(file.read(8), "little")
        storages[key] = np.frombuffer(content, types[key], length, offset=file.tell())
        file.seek(storages[key].nbytes, io.SEEK_CUR)
    if file.tell() != len(content):
        raise ValueError("bytes after the last storage")
    return tensors, storages


def _arrays(tensors: dict[str, Any], storages: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parts of the storages that the tensors are."""
    found: dict[str, np.ndarray] = {}
    for name, (storage, offset, size, stride) in tensors.items():
        array = storages[storage[2]][offset : offset + math.prod(size)].reshape(size)
        if tuple(step // array.itemsize for step in array.strides) != tuple(stride):
            raise ValueError("a tensor that is not contiguous")
        found[name] = array
    return found
