"""Tables of measured numbers: which rows and columns a document shows, and what is refused."""

import csv
import runpy
from pathlib import Path

import pytest

from stn.errors import InputError
from stn.study import measured

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
    assert measured.table(measured.read(file), {"from": "noise"}).splitlines() == [
        "| layers | gain, % | note |",
        "| --- | --- | --- |",
        r"| johnson | −5.7 (−9.9 … +1.9) | `a=-1` \| 2 of 3 |",
        "| gatys | +1e-3 |  |",
    ]
    with pytest.raises(InputError, match=r"from=painting: no row has that; .*layers"):
        measured.table(measured.read(file), {"from": "painting"})


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
        measured.read(file)
    marked = runpy.run_path(str(ROOT / "scripts" / "results.py"))["measured_table"]
    for words in ("", "gains noise"):
        with pytest.raises(InputError, match="type a file of results/tables"):
            marked(words)
    with pytest.raises(InputError, match=r"none\.csv: "):
        measured.read(tmp_path / "none.csv")


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
