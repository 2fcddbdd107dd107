"""What a run shows on the terminal."""

import fcntl
import os
import pty
import select
import struct
import sys
import termios

import pytest

from stn.optimize import Evaluation
from stn.quantities import Terms
from stn.transfer import tracking


@pytest.mark.parametrize(("columns", "shown"), [(0, "evaluation 1/4: total 3"), (100, "25%|")])
def test_a_terminal_without_columns_gets_plain_lines(monkeypatch, columns, shown):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(theirs, "w", buffering=1) as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        progress = tracking.Progress(4)
        progress.show(Evaluation(0, 0, Terms(3, 1, 2, 0, {}), 0.5))
        progress.close()
        terminal.flush()
        said = b""
        while shown.encode() not in said and select.select([ours], [], [], 5)[0]:
            said += os.read(ours, 4096)
    assert shown in said.decode()
    os.close(ours)
