"""The live page beside a run: started with it in a process of its own, in a browser if there is one, until Ctrl-C."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

started: list[subprocess.Popen[bytes]] = []


def start(directory: Path) -> None:
    """Start the page over the runs in `directory`; its process ends with this one, however this one ends."""
    command = [sys.executable, "-m", "stn.live", str(directory)]
    # In a session of its own Ctrl-C, which is for the run first, does not reach it.
    started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True))


@contextlib.contextmanager
def kept_up() -> Iterator[None]:
    """Around a command: after its end, failed cells of a sweep included, a page that it started stays until Ctrl-C."""
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
