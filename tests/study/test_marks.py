"""Tables between marks in documents."""

from pathlib import Path

import pytest

from stn.errors import InputError
from stn.study import marks

PAGE = """\
# Title
<!-- kind: one two -->
old
<!-- end -->
between
<!-- kind -->
<!-- end -->
<!-- other: one two -->
stays
<!-- end -->
"""


def test_tables_of_a_kind_are_written_and_all_else_stays() -> None:
    written = marks.filled(PAGE, "kind", lambda words: f"({words})\n")
    assert written == PAGE.replace("old\n", "(one two)\n").replace(
        "<!-- kind -->\n", "<!-- kind -->\n()\n"
    )
    assert marks.filled(written, "kind", lambda words: f"({words})\n") == written


def test_a_table_without_an_end_takes_nothing_of_the_page() -> None:
    page = PAGE.replace("old\n<!-- end -->\n", "old\n")
    with pytest.raises(InputError, match=r"kind .* no <!-- end -->"):
        marks.filled(page, "kind", lambda words: "")


def test_a_check_writes_nothing_and_names_the_page(tmp_path: Path) -> None:
    right, wrong = tmp_path / "right.md", tmp_path / "wrong.md"
    right.write_text("no tables\n")
    wrong.write_text(PAGE)
    with pytest.raises(SystemExit, match=r"wrong\.md"):
        marks.write([right, wrong], "kind", lambda words: "new\n", check=True)
    assert wrong.read_text() == PAGE
    marks.write([right, wrong], "kind", lambda words: "new\n")
    assert wrong.read_text().count("new\n") == 2
    marks.write([right, wrong], "kind", lambda words: "new\n", check=True)
