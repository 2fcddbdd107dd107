"""Who watches a run while it goes: the live page asks for its picture in the cache directory, so
nothing of a run.

The live page beside a run: started with it in a process of its own, in a browser if there is one,
until Ctrl-C."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from stn import files, images

VIEW = "view.jpg"  # the picture in the run's directory
LASTING = 15.0  # seconds that an asking holds; a page that is open asks again before
SHARE = 0.01  # of a run's time that its picture for the page may cost
LONG_PX = 512  # of that picture, as in the report
JPEG_QUALITY = 85  # smaller than what is kept, since it is sent anew with every change


def ask(directory: Path) -> None:
    """Ask the runs in `directory` and below it for a picture now and then; without a cache
    directory none forms.
    """
    with contextlib.suppress(OSError):
        asking = _askings() / files.digest(str(directory.resolve()))
        asking.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(asking, str(directory.resolve()))


def asked(run_dir: Path) -> bool:
    """Whether someone asked for pictures of this run in the last seconds."""
    path, now = run_dir.resolve(), time.time()
    with contextlib.suppress(OSError, ValueError):
        return any(
            abs(now - asking.stat().st_mtime) < LASTING
            and path.is_relative_to(asking.read_text(encoding="utf-8"))
            for asking in _askings().iterdir()
        )
    return False


class Forming:
    """The picture of a run as it forms: a small JPEG at `path`, at most every `seconds`, only while
    someone asks.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self._path, self._seconds = path, seconds
        self._due = 0.0

    def show(self, make: Callable[[], np.ndarray | None]) -> None:
        """Write what `make` gives, `rgb` [h, w, 3 or 4] 0-255, if it is time; what this costs stays
        under SHARE.
        """
        start = time.monotonic()
        if not self._seconds or start < self._due:
            return
        with contextlib.suppress(
            OSError
        ):  # a full disk, say, which is not to end a run for the sake of a page
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


def _askings() -> Path:
    return files.cache_dir() / "viewers"


started: list[subprocess.Popen[bytes]] = []


def start(directory: Path) -> None:
    """Start the page over the runs in `directory`; its process ends with this one, however this one
    ends.
    """
    command = [sys.executable, "-m", "stn.report.live_server", str(directory)]
    # In a session of its own Ctrl-C, which is for the run first, does not reach it.
    started.append(
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )
    )


@contextlib.contextmanager
def kept_up() -> Iterator[None]:
    """Around a command: after its end, failed cells of a sweep included, a page that it started
    stays until Ctrl-C.
    """
    try:
        yield
    except SystemExit as end:
        if end.code == 2:
            _wait()
        raise
    else:
        _wait()
    finally:
        for process in started:
            process.terminate()
            process.wait()
        started.clear()


def _wait() -> None:
    if any(process.poll() is None for process in started):
        print("the page stays until Ctrl-C", file=sys.stderr)
    with contextlib.suppress(KeyboardInterrupt):
        for process in started:
            process.wait()
