"""Pickles of other programs, read without trusting them."""

import pickle
from collections.abc import Mapping
from typing import Any, ClassVar

from stn.errors import InputError


class Unpickler(pickle._Unpickler):
    """Admits NAMES alone; what stands for them holds values and can do nothing else.

    The pure Python one: its memo is a dict, so that a damaged index cannot ask for gigabytes.
    Raises InputError for another name."""

    NAMES: ClassVar[
        Mapping[tuple[str, str], Any]
    ]  # what stands for a name, by its module and itself
    WHAT: ClassVar[str]  # that a file holds, for the error

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in self.NAMES:
            return self.NAMES[module, name]
        raise InputError(
            f"asks for {f'{module}.{name}'!r}, which no {self.WHAT} needs: refused; do not use"
            " that file"
        )
