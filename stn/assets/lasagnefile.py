"""Lasagne's weight files, such as vgg19_normalized.pkl: pickles of Python 2, read without trusting
them.

Lasagne/Recipes, examples/styletransfer/Art Style Transfer.ipynb: a dict whose "param values" are a
kernel [out, in, h, w] and a bias [out] for each convolution, in order."""

import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from stn.assets import pickled
from stn.errors import InputError

KEY = "param values"
# What NumPy's pickles call the function that makes an array, before version 2 and since.
ARRAY = {"numpy.core.multiarray", "numpy._core.multiarray"}


def load(path: Path) -> list[np.ndarray]:
    """The arrays of a saved network in their order, each kernel [out, in, h, w] before its bias
    [out], float32; InputError if the bytes are something else, or ask for something else.
    """
    try:
        with path.open("rb") as file:
            contents = _Unpickler(file, encoding="latin-1").load()
        return [each.array() for each in contents[KEY]]
    except InputError:
        raise
    except Exception as error:  # a damaged pickle raises whatever its bytes lead to
        raise InputError(
            f"is not a whole pickle of Lasagne, a dict with {KEY!r}; fetch it again"
        ) from error


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


class _Unpickler(pickled.Unpickler):
    """Admits the three names that arrays need."""

    NAMES: ClassVar = {
        **{(module, "_reconstruct"): _State for module in ARRAY},
        ("numpy", "dtype"): _State,
        ("numpy", "ndarray"): "ndarray",  # the class that `_reconstruct` is given
    }
    WHAT = "array"
