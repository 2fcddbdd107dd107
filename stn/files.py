"""A file appears whole or not at all: written next to its place, then renamed into it; where the
cache is.
"""

import contextlib
import difflib
import hashlib
import json
import math
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pooch

NO_FILES = (
    (stat.S_ISDIR, "a directory; give the path of a file in it"),
    (stat.S_ISFIFO, "a pipe; save what it gives to a file first"),
    (stat.S_ISSOCK, "a socket, not a file"),
    (stat.S_ISCHR, "a device, not a file"),
    (stat.S_ISBLK, "a device, not a file"),
)


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path next to `path` to write to; rename it to `path` if the block ends well.

    The temporary name keeps the suffix of `path`, since writers choose the format by it. A killed
    process can leave only a hidden `.partial-*` file behind. A full disk is an OSError that names
    `path`."""
    partial: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=".partial-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        partial = Path(name)
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.chmod(0o666 & ~_umask())
        partial.replace(path)
    except OSError as error:
        if type(error) is not OSError and ".partial-" not in str(error.filename):
            raise
        # Without a file's name, or with the hidden one's; Pillow's error of a full disk has no
        # number either.
        raise type(error)(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a small text file, whole or not at all."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write plain values as JSON, which knows no NaN and no infinity: those become null."""
    write_text(path, json.dumps(_without_infinities(value), indent=2, allow_nan=False) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write named arrays as an .npz archive, whatever its name, in a folder that is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Into an open file, since to a name without .npz NumPy adds it.
    with atomic_write(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays that `write_arrays` wrote; None if the file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as saved:
            return dict(saved)
    except Exception:  # a damaged archive raises whatever its bytes lead to
        return None


def expanded(path: str) -> Path:
    """The path with the home directory for a ~ at its beginning."""
    return Path.home() / path[2:] if path.startswith("~/") else Path(path)


def why_unreadable(path: str | Path) -> str | None:
    """What lies at `path` if it is no file that can be read, as words after its name; None if it
    is one.

    Nothing is opened: a pipe or a device could wait for ever."""
    text, path = str(path), Path(path)
    if not text.strip():
        return "an empty path; give the path of a file"
    if re.match(r"[a-z][a-z0-9+.-]+:/", text, re.IGNORECASE):
        return "an address; download the file and give its path"
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            return f"a link to {path.readlink()}, which does not exist"
        if drive := re.match(r"([a-z]):\\", text, re.IGNORECASE):
            rest = text[3:].replace("\\", "/")
            return f"a path of Windows; in WSL it is /mnt/{drive[1].lower()}/{rest}"
        near, folder = nearest(path), "" if path.is_absolute() else f" in {Path.cwd()}"
        return f"no such file{folder}" + (f"; did you mean {near}?" if near else "")
    except OSError as error:
        return f"cannot be looked at ({error.strerror})"
    except ValueError:
        return "not a path"
    for is_kind, what in NO_FILES:
        if is_kind(found.st_mode):
            return what
    if found.st_size == 0:
        return "an empty file"
    return None if os.access(path, os.R_OK) else "may not be read (permission denied)"


def nearest(path: Path) -> Path | None:
    """The file that lies where `path` was to be and whose name is most like its; None if none is
    like it.
    """
    try:
        names = [each.name for each in path.parent.iterdir() if each.is_file()]
    except (OSError, ValueError):
        return None
    found = difflib.get_close_matches(path.name, names, 1)
    return path.with_name(found[0]) if found else None


def read_text(path: Path, most: int) -> str:
    """The text of a regular file of at most `most` bytes; OSError, or ValueError for another kind
    of file, a longer one, and what is not UTF-8.

    What has no size is empty: a pipe, or a file of the kernel's, could give text for ever."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("not a regular file")
    if found.st_size > most:
        raise ValueError(f"{found.st_size} bytes, more than {most}")
    return path.read_bytes().decode() if found.st_size else ""


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Ten letters that change with any of the plain values in `value`."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]


def _without_infinities(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_infinities(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinities(below) for below in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def cache_dir() -> Path:
    """The directory named by STN_CACHE, else the user's cache directory (on Linux ~/.cache/stn).

    In it: fetched weights, converted copies of large weight files (.convs.npz), mean activations,
    heads of classifiers (.head.npz), requests for previews (`previews/`), and `images/`."""
    return Path(os.environ.get("STN_CACHE") or pooch.os_cache("stn"))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
