"""MAT-5 files through SciPy, checked first: on damaged type codes, sizes and dimensions its reader
crashes.
"""

import itertools
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

# The codes of the format ("MAT-File Format", The MathWorks, tables 1-1 and 1-3).
MI_NUMBERS_AND_TEXT = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 16, 17, 18}
MI_MATRIX, MI_COMPRESSED = 14, 15
MX_CELL, MX_STRUCT, MX_CHAR, MX_NUMBERS = 1, 2, 4, range(6, 16)
MOST_INFLATED = 2**31  # bytes; VGG-19 in double precision is 1.15e9


def load(path: Path, variables: Sequence[str]) -> dict[str, Any]:
    """The named variables of a MAT-5 file, as `scipy.io.loadmat` gives them.

    Raises NotImplementedError for the HDF5 format of MATLAB 7.3, OSError, and for whatever else is
    not a whole and plain file the exception that its bytes lead to."""
    _check_elements(path, {name.encode() for name in variables})
    return scipy.io.loadmat(path, variable_names=list(variables))


def _check_elements(path: Path, variables: set[bytes]) -> None:
    """Raise if one of the variables is damaged, or an object, a function or a sparse matrix."""
    data = np.memmap(path, mode="r").data
    if b"\x89HDF" in (data[:4], data[512:516]):
        raise NotImplementedError("HDF5")
    order = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}[bytes(data[124:128])]
    if 0 in data[:4]:
        raise ValueError("SciPy would take it for MAT-4")
    for code, body in _elements(data[128:], order):
        if code == MI_COMPRESSED:
            [(code, body)] = _elements(_inflated(body), order)
        header = {bytes(part) for _, part in itertools.islice(_elements(body, order), 3)}
        if header & variables:
            _check_matrix(code, body, order)


def _inflated(data: memoryview) -> memoryview:
    stream, inflated = zlib.decompressobj(), bytearray()
    for start in range(0, len(data), 2**16):
        inflated += stream.decompress(data[start : start + 2**16])
        if len(inflated) > MOST_INFLATED:
            raise ValueError("inflates without end")
    return memoryview(inflated)


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
    (_, flags), (_, dims), _, *parts = _elements(data, order)
    flag_bits, _ = struct.unpack(f"{order}II", flags)
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
        raise ValueError("an object, a function or a sparse matrix")
    if len(parts) != expected:
        raise ValueError("fewer or more parts than its size says")
