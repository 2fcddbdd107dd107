"""Locks: one process at a time in a run's directory."""

import contextlib
import errno
import fcntl
import sys
from collections.abc import Iterator
from pathlib import Path

import filelock

# in a run's directory: held by the process that runs, and removed at its end unless that is kill -9
LOCK = ".lock"


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock `path`, a file that is made, for the time of the block; wait for the process
    that holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        print("another call does the same at this moment: waiting for its end", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def held(path: Path) -> bool:
    """Whether a process holds the lock `path`; no file is made, and others who look see no lock in
    that.
    """
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # until it is closed
    except FileNotFoundError:
        return False
    except OSError as error:
        # On a file system without flock the file itself is filelock's lock.
        if error.errno not in (errno.EWOULDBLOCK, errno.ENOSYS):
            raise
        return True
    return False
