"""MAT-5 files through SciPy, checked first: on damaged type codes, sizes and dimensions its reader
crashes.
"""

import itertools
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from stn.errors import InputError

# The codes of the format ("MAT-File Format", The MathWorks, tables 1-1 and 1-3).
MI_NUMBERS_AND_TEXT = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 16, 17, 18}
ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}  # of bytes, by version and mark
MI_MATRIX, MI_COMPRESSED = 14, 15
MX_CELL, MX_STRUCT, MX_CHAR, MX_NUMBERS = 1, 2, 4, range(6, 16)
MX_OBJECTS, MX_FUNCTION = (3, 17), 16
CONVERT = "scripts/convert_weights.py converts those of a VGG"
HDF5 = b"\x89HDF\r\n\x1a\n"
# What else holds weights, or comes in their place, by what it begins with.
OTHERS = (
    (rb"\x80[\2-\5]", f"a Python pickle, such as older PyTorch files (.pth, .pt); {CONVERT}"),
    (rb"\x93NUMPY", "a NumPy array (.npy)"),
    (rb"\x1f\x8b|BZh\d|\xfd7zXZ|7z\xbc\xaf", "compressed (gzip, bzip2, xz, 7z); unpack it first"),
    (
        rb"(sys_info|pickle|tensors|storages)\0",
        "a PyTorch file from before 2017; there save its state_dict() again with torch.save",
    ),
    (rb".{257}ustar", "a tar archive; unpack it first"),
    (rb"[\3\4]\0{3}\x01\0{3}|[34]\n1\n", "a file of Lua's Torch (.t7)"),
    (rb"\s*<(?i:!doctype|html|\?xml)", "a page of the web, not a MATLAB file"),
    (rb"version https://git-lfs", "a pointer of Git LFS, not a MATLAB file; run `git lfs pull`"),
    (rb".{6}\0\0\{", "a safetensors file"),
    (rb".{4}TFL3", "a TensorFlow Lite file"),
    (rb"\x08[\1-\x20]\x12", "an ONNX file"),
    (rb"\n[\3-\x7f][A-Za-z]\w", "a Caffe model (.caffemodel)"),
    (rb"\s*(name|layers?) *[:{]", "a Caffe network's description (.prototxt), without weights"),
    (rb"# Created by Octave|Octave-1-", "a file of Octave's own; save it again with -v7"),
    # Type, rows, columns, whether it is complex, length of the name ("MAT-File Format", table 1-9)
    (
        rb"([\0-\x34]\0{3}.{8}[\0\1]\0{3}[\2-\x40]\0{3}"
        rb"|\0\0[\3\4].{9}\0{3}[\0\1]\0{3}[\2-\x40])\w",
        "a MATLAB v4 file, which holds no networks; save it again with -v7",
    ),
)
# And by what is in it, if it is a ZIP archive.
ZIPPED = (
    ("data.pkl", f"a PyTorch file (.pth, .pt); {CONVERT}"),
    ("model.weights.h5", "a Keras file (.keras)"),
    (".npy", "a NumPy archive (.npz)"),
)
MOST_INFLATED = 2**31  # bytes; VGG-19 in double precision is 1.15e9
# A variable beyond 64 MiB may inflate to so many times its bytes; kernels of 8 bits in double
# precision inflate to 8 to 12 times theirs, zeros to 1030 times.
MOST_TIMES = 100


def load(path: Path, variables: Sequence[str]) -> dict[str, Any]:
    """The named variables of a MAT-5 file, as `scipy.io.loadmat` gives them.

    Raises InputError, without the file's name, where it is another kind of file or holds objects;
    OSError; and for whatever else is not a whole and plain file the exception that its bytes lead
    to."""
    _check_elements(path, {name.encode() for name in variables})
    return scipy.io.loadmat(path, variable_names=list(variables))


def _check_elements(path: Path, variables: set[bytes]) -> None:
    """Raise if one of the variables is damaged, or an object, a function or a sparse matrix."""
    data = np.memmap(path, mode="r").data
    _refuse_others(path, bytes(data[:516]))
    order = ORDERS[bytes(data[124:128])]
    if 0 in data[:4]:
        raise ValueError("SciPy would take it for MAT-4")
    for code, body in _elements(data[128:], order):
        if code == MI_COMPRESSED:
            [(code, body)] = _elements(_inflated(body, order), order)
        header = {bytes(part) for _, part in itertools.islice(_elements(body, order), 3)}
        if header & variables:
            _check_matrix(code, body, order)


def _refuse_others(path: Path, head: bytes) -> None:
    """Raise InputError for files of weights that other programs write, by what they are."""
    if head[512:] == HDF5[:4]:
        raise InputError("a MATLAB v7.3 (HDF5) file; save it again with -v7")
    if head.startswith(HDF5[:4]):
        raise InputError(
            f"an HDF5 file without MATLAB's header, such as Keras writes (.h5); {CONVERT}"
        )
    if what := other(path, head):
        raise InputError(what)
    if not b"MATLAB".startswith(head[:6]) and head[124:128] not in ORDERS:
        raise InputError("not a MATLAB file")


def other(path: Path, head: bytes) -> str | None:
    """What a file of weights is that another program wrote, by its first 516 bytes, CONVERT in it
    if that can be converted; None if it is not known.
    """
    if head.startswith(b"PK\x03\x04"):
        return _zip_of(path)
    return next((what for start, what in OTHERS if re.match(start, head, re.DOTALL)), None)


def _zip_of(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return "a damaged ZIP archive"
    for ending, what in ZIPPED:
        if any(name.endswith(ending) for name in names):
            return what
    return "a ZIP archive; unpack it first"


def _inflated(data: memoryview, order: str) -> memoryview:
    """A compressed element's one element, refused by the size that it declares."""
    _, size = struct.unpack(f"{order}II", zlib.decompressobj().decompress(data, 8))
    if size > min(MOST_INFLATED, max(2**26, MOST_TIMES * len(data))):
        raise InputError(
            f"a variable of {len(data):,} bytes that inflates to {size:,}, as no network does"
        )
    # More room than needed, so that the checksum behind the last byte is read too.
    return memoryview(zlib.decompressobj().decompress(data, size + 16))


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    while data:
        code, size = struct.unpack_from(f"{order}II", data)
        if code >> 16:  # a small element: size and type in four bytes, the data in the next four
            code, size, body, data = code & 0xFFFF, code >> 16, data[4:8], data[8:]
        else:
            padding = 0 if code == MI_COMPRESSED else -size % 8
            body, data = data[8 : 8 + size], data[8 + size + padding :]
        if len(body) < size:
            raise ValueError("an element reaches past the end")
        yield code, body[:size]


def _check_matrix(code: int, data: memoryview, order: str) -> None:
    if code != MI_MATRIX:
        raise ValueError("not a matrix")
    if not data:
        return
    (_, flags), *rest = _elements(data, order)
    flag_bits, _ = struct.unpack(f"{order}II", flags)
    if flag_bits & 0xFF in (*MX_OBJECTS, MX_FUNCTION):
        raise InputError(
            "holds a MATLAB object (such as a SeriesNetwork), which only MATLAB reads; there save"
            " its `layers` and `meta` as plain structs"
        )
    (_, dims), _, *parts = rest
    shape = struct.unpack(f"{order}{len(dims) // 4}i", dims)
    kind, expected = flag_bits & 0xFF, math.prod(shape)
    if min(shape) < 0 or expected > len(data):
        raise ValueError("more items than bytes")
    if kind == MX_STRUCT:
        (_, width), (_, names), *parts = parts
        expected *= len(names) // struct.unpack(f"{order}i", width)[0]
    if kind in (MX_CELL, MX_STRUCT):
        for part in parts:
            _check_matrix(*part, order)
    elif kind == MX_CHAR or kind in MX_NUMBERS:
        expected = 2 if kind != MX_CHAR and flag_bits >> 11 & 1 else 1  # real and imaginary part
        if not {code for code, _ in parts} <= MI_NUMBERS_AND_TEXT:
            raise ValueError("an unknown type of number")
    else:
        raise ValueError("a sparse matrix or an unknown kind")
    if len(parts) != expected:
        raise ValueError("fewer or more parts than its size says")
