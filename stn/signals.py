"""Ctrl-C, SIGTERM and a terminal that is closed: a run remembers them until it can end well, a
sweep passes them on to its processes.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing import resource_tracker
from types import FrameType
from typing import Any

import psutil

SIGNALS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
# Between two looks for processes that were started after the signal.
LOOK_SECONDS = 0.2


class DeferredSignals:
    """As a context: the first signal is kept in `signal`, so that what is going on can finish; a
    second ends at once.

    In a process of a sweep, where SIGTERM is held back (ForwardedSignals), it is let through here.
    One that came waits again after the end, so that `waiting` tells it before the next cell; a
    second does nothing, since the sweep ends its processes itself. Only the main thread may handle
    signals; in another one nothing is remembered."""

    under_way = 0  # in this process

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._handlers: dict[int, Any] = {}
        self._held_back = False

    def __enter__(self) -> "DeferredSignals":
        DeferredSignals.under_way += 1
        if threading.current_thread() is threading.main_thread():
            self._handlers = _handled_by(self._remember)
            self._held_back = signal.SIGTERM in signal.pthread_sigmask(
                signal.SIG_UNBLOCK, [signal.SIGTERM]
            )
        return self

    def __exit__(self, *_: object) -> None:
        DeferredSignals.under_way -= 1
        if self._held_back:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
            if self.signal:
                signal.raise_signal(self.signal)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.signal = self.signal or signal.Signals(number)
        if not self._held_back:
            signal.signal(
                number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            )


def _handled_by(handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """Have a handler called; the ones before it. What is ignored stays so, as SIGHUP by `nohup`."""
    heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in heard}


def end_with_parent() -> None:
    """From here on this process ends when the one that started it is gone, as by `kill -9`: as
    after SIGTERM if a run is under way, which so keeps its checkpoint.
    """
    if any(thread.name == end_with_parent.__name__ for thread in threading.enumerate()):
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        while DeferredSignals.under_way:
            time.sleep(LOOK_SECONDS)
        time.sleep(LOOK_SECONDS)  # for what a run does last, such as to let go of its directory
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, name=end_with_parent.__name__, daemon=True).start()


def waiting() -> signal.Signals | None:
    """The signal that this process holds back, if one came: then it is to start nothing more."""
    return next((number for number in SIGNALS if number in signal.sigpending()), None)


class ForwardedSignals:
    """From here to `close` Ctrl-C and SIGTERM become one SIGTERM for each process that this one
    starts.

    Those processes inherit that both signals are held back, from their first moment: one that is
    told while it loads its modules does not die of it, which joblib would answer by killing all
    others. A Ctrl-C, which a terminal sends to all of them, waits for good there. A second signal
    here kills them."""

    def __init__(self) -> None:
        self._signal: signal.Signals | None = None
        self._asked, self._closed = threading.Event(), False
        self._handlers = _handled_by(self._remember)
        # Started before they are held back, this thread is where signals arrive; the main one runs
        # their handlers.
        threading.Thread(target=self._tell, daemon=True).start()
        # joblib needs it, and its start would end the holding back (Python 3.11)
        resource_tracker.ensure_running()
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    def close(self) -> signal.Signals | None:
        """Let signals do again what they did before; the signal that came, if one did."""
        self._closed = True
        self._asked.set()
        # One that a cell in this very process remembered: joblib starts none for n_jobs=1.
        own = waiting()
        if own:
            signal.sigwait([own])
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        return self._signal or own

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self._signal:
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            os._exit(128 + number)
        self._signal = signal.Signals(number)
        self._asked.set()

    def _tell(self) -> None:
        told: set[int] = set()
        self._asked.wait()
        while not self._closed:
            for process in psutil.Process().children():
                if process.pid not in told:
                    told.add(process.pid)
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.terminate()
            time.sleep(LOOK_SECONDS)
