"""The live page beside a run: started with it in a process of its own, in a browser if there is one, until Ctrl-C."""

import contextlib
import os
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path

started: list[subprocess.Popen[bytes]] = []


def start(directory: Path) -> None:
    """Start the page over the runs in `directory`; its process ends with this one, however this one ends."""
    command = [sys.executable, "-m", "stn.beside", str(directory)]
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


def _main(directory: Path) -> None:
    """In that process: the page, until the other one closes the pipe between them."""
    from stn import live

    with live.Server(directory) as server:
        print(f"live: {server.address}", file=sys.stderr, flush=True)
        threading.Thread(target=server.run, daemon=True).start()
        # Without a screen Python would open one that draws in the terminal, where there is such.
        if sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))):
            threading.Thread(target=webbrowser.open, args=[server.address], daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    from stn import errors

    errors.run_command(lambda: _main(Path(sys.argv[1])))
