"""Python values as the text of overrides: what `key=` is followed by in Hydra's grammar."""

import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

WORDS = ("null", "true", "false", "nan", "inf")  # which the grammar would not take for text


def text(value: Any) -> str:
    """A value in Hydra's override grammar: None, truth, numbers, text, paths, lists and dictionaries of them."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return "[" + ",".join(text(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str | os.PathLike):
        plain = os.fspath(value)
        known = re.fullmatch(r"[A-Za-z_/][\w./:-]*", plain, re.ASCII) and plain.lower() not in WORDS
        return plain if known else quote(plain)
    return repr(value)


def quote(plain: str) -> str:
    """Text between quotes, as the grammar has them."""
    # A backslash counts as one wherever no quote follows it.
    return "'" + re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + found[2].replace("'", "\\'"), plain) + "'"
