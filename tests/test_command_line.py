"""What a command prints, whatever the terminal knows."""

import io
import sys

import pytest

from stn import command_line


@pytest.mark.parametrize(
    ("encoding", "written"), [("utf-8", b"\xe9 \xc3\xa9\n"), ("ascii", b"\\udce9 \\xe9\n")]
)
def test_a_name_of_any_bytes_is_printed(
    encoding: str, written: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    terminal = io.TextIOWrapper(raw, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    command_line.run_command(lambda: print("\udce9 é"))  # Python's name for a lone byte 0xe9
    terminal.flush()
    assert raw.getvalue() == written
