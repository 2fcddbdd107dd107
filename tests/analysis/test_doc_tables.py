"""Tables in documents: their places, and which measured numbers they show."""

import csv
import runpy
from pathlib import Path

import pytest

from stn.analysis import doc_tables
from stn.errors import InputError

ROOT = Path(__file__).parents[2]
FILE = """\
from,layers,"gain, %","gain, % low","gain, % high",note,network,size_px,processor,versions,commit
noise,johnson,-5.7,-9.9,+1.9,`a=-1` | 2 of 3,vgg16,96,,,
photograph,johnson,-3,,,,vgg16,96,,,
noise,gatys,+1e-3,,,,vgg16,96,,,
"""


def test_a_table_has_the_rows_that_were_asked_for_and_not_where_they_came_from(
    tmp_path: Path,
) -> None:
    file = tmp_path / "gains.csv"
    file.write_text(FILE)
    assert doc_tables.table(doc_tables.read(file), {"from": "noise"}).splitlines() == [
        "| layers | gain, % | note |",
        "| --- | --- | --- |",
        r"| johnson | −5.7 (−9.9 … +1.9) | `a=-1` \| 2 of 3 |",
        "| gatys | +1e-3 |  |",
    ]
    with pytest.raises(InputError, match=r"from=painting: no row has that; .*layers"):
        doc_tables.table(doc_tables.read(file), {"from": "painting"})


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("commit\n", "notes\n", "has no column commit"),
        ("photograph,", "", "line 3: has more or fewer cells"),
    ],
)
def test_a_file_without_an_origin_or_with_an_uneven_line_is_refused(
    tmp_path: Path, was: str, becomes: str, said: str
) -> None:
    file = tmp_path / "gains.csv"
    file.write_text(FILE.replace(was, becomes))
    with pytest.raises(InputError, match=said):
        doc_tables.read(file)
    marked = runpy.run_path(str(ROOT / "scripts" / "results.py"))["measured_table"]
    for words in ("", "gains noise"):
        with pytest.raises(InputError, match="type a file of results/tables"):
            marked(words)
    with pytest.raises(InputError, match=r"none\.csv: "):
        doc_tables.read(tmp_path / "none.csv")


def test_every_measured_table_is_shown_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages hold what is in the files, and every file stands in a page."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    script = runpy.run_path(str(ROOT / "scripts" / "results.py"))
    shown: list[str] = []
    rendered = script["KINDS"]["measured"]

    def noted(words: str) -> str:
        shown.append(words.split()[0])
        return str(rendered(words))

    monkeypatch.setitem(script["KINDS"], "measured", noted)
    monkeypatch.setattr("sys.argv", ["results.py", "render", "--check"])
    script["main"]()
    files = {path.stem for path in (ROOT / "results" / "tables").glob("*.csv")}
    assert set(shown) == files


@pytest.mark.parametrize(
    "name", ["printed_notebook", "printed_neural_style", "printed_neural_image_synthesis"]
)
def test_printed_losses_are_the_sources(name: str) -> None:
    """Each number that a file has as printed stands in METHODS too, which is typed from it."""
    methods = (ROOT / "docs" / "METHODS.md").read_text(encoding="utf-8")
    with (ROOT / "results" / "tables" / f"{name}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    key = next(column for column in rows[0] if column.endswith("printed") and "ours" not in column)
    assert [row[key] for row in rows if row[key] not in methods] == []


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
    written = doc_tables.filled(PAGE, "kind", lambda words: f"({words})\n")
    assert written == PAGE.replace("old\n", "(one two)\n").replace(
        "<!-- kind -->\n", "<!-- kind -->\n()\n"
    )
    assert doc_tables.filled(written, "kind", lambda words: f"({words})\n") == written


def test_a_table_without_an_end_takes_nothing_of_the_page() -> None:
    page = PAGE.replace("old\n<!-- end -->\n", "old\n")
    with pytest.raises(InputError, match=r"kind .* no <!-- end -->"):
        doc_tables.filled(page, "kind", lambda words: "")


def test_a_check_writes_nothing_and_names_the_page(tmp_path: Path) -> None:
    right, wrong = tmp_path / "right.md", tmp_path / "wrong.md"
    right.write_text("no tables\n")
    wrong.write_text(PAGE)
    with pytest.raises(SystemExit, match=r"wrong\.md"):
        doc_tables.write([right, wrong], "kind", lambda words: "new\n", check=True)
    assert wrong.read_text() == PAGE
    doc_tables.write([right, wrong], "kind", lambda words: "new\n")
    assert wrong.read_text().count("new\n") == 2
    doc_tables.write([right, wrong], "kind", lambda words: "new\n", check=True)
