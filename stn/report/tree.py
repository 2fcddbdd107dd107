"""The data of the live page: a tree of runs, of which only changed files are read again.

Nothing is written to the tree."""

import contextlib
import functools
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from stn import images, runs
from stn.analysis import sweep_tables
from stn.errors import InputError
from stn.report import document, progress
from stn.runs import previews
from stn.sweeps import cells

MAX_PX = 512  # as in the report
READ = (runs.PROVENANCE, runs.SUMMARY, runs.FAILED, runs.METRICS)
PICTURES = (runs.PICTURE, previews.VIEW, "progress")
# The tree is read again after a second, or after so many times what it took, so that the runs keep
# the CPU.
SECOND, TIMES, AT_MOST_SECONDS = 1.0, 10, 10.0
ASK_SECONDS = previews.LASTING / 3


class Snapshot(NamedTuple):
    """A run as it was read, the stamps of its files then, and whether they all lie in the tree."""

    run: runs.Run
    stamp: tuple[Any, ...]
    inside: bool


class Tree:
    """The runs below `root` as the page shows them; safe in several threads.

    It reads files below `root`, links followed, and no others, with one exception: a run's content
    picture, if it has the checksum that the run recorded."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._known: dict[Path, Snapshot] = {}
        self._listed: dict[tuple[str, int], tuple[runs.Run, dict[str, Any]]] = {}
        self._pictures: dict[str, tuple[Path, int]] = {}
        self._reading, self._drawing = threading.Lock(), threading.Lock()
        self._data, self._due, self._asked = b"", 0.0, 0.0

    def data(self) -> bytes:
        """The page's data as JSON, the same bytes for all who ask until it is read again. It also
        asks the runs in progress for previews.
        """
        with self._reading:
            start = time.monotonic()
            if start - self._asked > ASK_SECONDS:
                previews.ask(self.root)
                self._asked = start
            if start >= self._due:
                self._data = json.dumps(self._collect(), allow_nan=False).encode()
                end = time.monotonic()
                self._due = end + min(AT_MOST_SECONDS, max(SECOND, TIMES * (end - start)))
            return self._data

    def picture(self, key: str) -> bytes | None:
        """A picture that `data` named, as JPEG; None if it is not there or cannot be read."""
        path, modified = self._pictures.get(key, (None, 0))
        if path is None or not self._is_inside(path):
            return None
        # One at a time: large ones take memory.
        with self._drawing, contextlib.suppress(OSError, InputError):
            return _jpeg(path, modified)
        return None

    def _collect(self) -> dict[str, Any]:
        known = {
            sweep_tables.name_of(run, self.root): self._as_read(run)
            for run in runs.below(self.root)
        }
        named = {name: each.run for name, each in known.items() if each.inside}
        left_out = [name for name in known if name not in named]
        page = document.collect(self.root.name, named, self._keep, self._list)
        page["notes"] += [
            f"{name}: not read, since a file of it is a link that leads out of it"
            for name in left_out
        ]
        running = {
            name: pace for name, run in named.items() if (pace := progress.pace(run, time.time()))
        }
        for run in page["runs"]:
            run["state"] = "running" if run["name"] in running else run["state"]
        waiting = self._waiting(named.values())
        document.add_cells(page, self.root, list(named.values()), waiting)
        for run in page["runs"][len(named) :] if running else ():
            run["state"] = "waiting"
        page["live"] = {
            "running": [{"name": name, **pace} for name, pace in running.items()],
            "waiting": [*waiting],
        }
        keys = {key for run in page["runs"] for key in (run["before"], run["after"]) if key}
        return page | {
            "pictures": {key: f"picture/{key}.jpg?{self._pictures[key][1]}" for key in sorted(keys)}
        }

    def _waiting(self, found: Iterable[runs.Run]) -> dict[str, list[str]]:
        """The cells of sweeps that left nothing yet, by their names in the tree."""
        places = dict.fromkeys(
            [self.root, *(run.path.parent for run in found if run.path != self.root)]
        )
        sweeps = [place for place in places if self._is_inside(place / cells.SWEEP)]
        return {
            str((place / name).relative_to(self.root)): given
            for place in sweeps
            for name, given in progress.waiting(place).items()
        }

    def _as_read(self, run: runs.Run) -> Snapshot:
        """The last snapshot of a run, or a new one if a file has changed."""
        stamp = tuple(_stamp(run.path / each) for each in (*READ, *PICTURES))
        known = self._known.get(run.path)
        if known is None or known.stamp != stamp:
            inside = all(self._is_inside(run.path / each) for each in READ)
            known = self._known[run.path] = Snapshot(run, stamp, inside)
        return known

    def _list(self, name: str, run: runs.Run, keep: document.Keep, points: int) -> dict[str, Any]:
        known = self._listed.get((name, points))
        if known is None or known[0] is not run:
            known = self._listed[name, points] = run, document.list_run(name, run, keep, points)
        return known[1]

    def _keep(self, path: Path) -> str | None:
        with contextlib.suppress(OSError):
            if path.is_file() and self._is_inside(path):
                key = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
                self._pictures[key] = path, path.stat().st_mtime_ns
                return key
        return None

    def _is_inside(self, path: Path) -> bool:
        """Whether a path below the root stays below it, links followed; True for paths elsewhere,
        which are content pictures.
        """
        return not path.is_relative_to(self.root) or path.resolve().is_relative_to(self.root)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Inode, size and time, which change with a file; None if it is missing."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


@functools.lru_cache(maxsize=500)
def _jpeg(path: Path, modified: int) -> bytes:
    return document.jpeg(images.read(path), MAX_PX)
