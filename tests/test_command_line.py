"""What a command prints, whatever the terminal knows."""

import errno
import io
import sys

import pytest

from stn import command_line


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            FileExistsError(errno.EEXIST, "File exists", "a"),
            "a: File exists; a file is in the way;",
        ),
        (PermissionError(errno.EACCES, "Denied", "a"), "a: Denied; give a place that you may"),
        (FileNotFoundError(errno.ENOENT, "None", "a/b"), "a/b: None; its folder is not there;"),
        (OSError(errno.ENOSPC, "Full", "a"), "a: Full; make room, and the same command resumes"),
        (OSError(errno.EIO, "Broken", "a"), "a: Broken"),
    ],
)
def test_what_the_system_refuses_is_one_line_with_what_to_do(
    error: OSError, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit, match="2"):
        command_line.run_command(main)
    assert capsys.readouterr().err.startswith(f"error: {told}")


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
