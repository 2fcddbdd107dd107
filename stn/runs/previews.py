"""Previews on request, and the live page that is started with a run.

The page leaves a time-stamped request in the cache directory. A run that sees a recent one writes a
small JPEG next to its results. Nothing of the run depends on it."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from stn import files, images

VIEW = "view.jpg"  # the preview in the run's directory
LASTING = 15.0  # seconds for which a request holds; an open page repeats it earlier
SHARE = 0.01  # of a run's time that its previews may take
LONG_PX = 512  # the long side of a preview, as in the report
JPEG_QUALITY = 85  # smaller files than those that are kept: each preview is sent anew


def ask(directory: Path) -> None:
    """Request previews of the runs in `directory` and below it.

    Where there is no cache directory, nothing happens."""
    with contextlib.suppress(OSError):
        request = _requests() / files.digest(str(directory.resolve()))
        request.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(request, str(directory.resolve()))


def asked(run_dir: Path) -> bool:
    """Whether previews of this run were requested in the last LASTING seconds."""
    path, now = run_dir.resolve(), time.time()
    with contextlib.suppress(OSError, ValueError):
        return any(
            abs(now - request.stat().st_mtime) < LASTING
            and path.is_relative_to(request.read_text(encoding="utf-8"))
            for request in _requests().iterdir()
        )
    return False


class Preview:
    """A small JPEG of a run's present image at `path`, at most every `seconds`, while requested."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._path, self._seconds = path, seconds
        self._due = 0.0

    def show(self, make: Callable[[], np.ndarray | None]) -> None:
        """Write what `make` gives, `rgb` [h, w, 3 or 4] 0-255, if one is due.

        The time that this takes stays below SHARE of the run's."""
        start = time.monotonic()
        if not self._seconds or start < self._due:
            return
        # A full disk, say, is not to end a run for the sake of a page.
        with contextlib.suppress(OSError):
            rgb = make() if asked(self._path.parent) else None
            if rgb is not None:
                self._write(rgb)
        self._due = start + max(self._seconds, (time.monotonic() - start) / SHARE)

    def end(self) -> None:
        """The run has its result: its last picture for the page goes."""
        self._path.unlink(missing_ok=True)

    def _write(self, rgb: np.ndarray) -> None:
        small = Image.fromarray(images.to_bytes(rgb[..., :3]))
        small.thumbnail((LONG_PX, LONG_PX))
        with files.atomic_write(self._path) as partial:
            small.save(partial, "JPEG", quality=JPEG_QUALITY)


def _requests() -> Path:
    return files.cache_dir() / "previews"


Page = subprocess.Popen[bytes]  # a live page


def start(directory: Path) -> Page:
    """Start the live page over the runs in `directory`; its process ends with this one."""
    command = [sys.executable, "-m", "stn.report.live_server", str(directory)]
    # In a session of its own Ctrl-C, which is for the run first, does not reach it.
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
    )


@contextlib.contextmanager
def kept_up(pages: list[Page]) -> Iterator[None]:
    """Around a command: the live pages that it starts stay after its end, until Ctrl-C; then the
    list is empty.
    """
    try:
        yield
    except SystemExit as end:
        if end.code == 2:
            _wait(pages)
        raise
    else:
        _wait(pages)
    finally:
        for process in pages:
            process.terminate()
            process.wait()
        pages.clear()


def _wait(pages: list[Page]) -> None:
    if any(process.poll() is None for process in pages):
        print("the page stays until Ctrl-C", file=sys.stderr)
    with contextlib.suppress(KeyboardInterrupt):
        for process in pages:
            process.wait()
