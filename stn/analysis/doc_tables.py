"""Tables in documents, each between two comments, which programs write; and those of measured
numbers, each a file of results/tables.

`<!-- KIND: WORDS -->` opens the place of a table, and `<!-- end -->` closes it. WORDS say which
table it is; the only table of a kind needs none. A file of measured numbers has the columns of its
table, whose cells are Markdown, and the columns ORIGIN: where its numbers came from. What was not
noted when they were measured is empty there."""

import csv
import io
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from stn import files
from stn.analysis import tables
from stn.errors import InputError

Row = dict[str, str]

ORIGIN = ("network", "size_px", "processor", "versions", "commit")
LOW, HIGH = " low", " high"  # `COLUMN low` and `COLUMN high` are the ends of COLUMN's range
_MINUS = re.compile(r"(?<![^\s(])-(?=[\d.])")


def filled(page: str, kind: str, table: Callable[[str], str]) -> str:
    """The text of a page with the tables of a kind written anew; `table` gives each, as whole lines
    of Markdown, by the words of its mark.

    Raises InputError where no end follows a mark before the next comment."""
    mark = rf"<!-- {kind}(?:: (.*))? -->\n"
    place = re.compile(rf"({mark})(?:(?!<!--)[\s\S])*(<!-- end -->)")
    if len(place.findall(page)) != len(re.findall(mark, page)):
        raise InputError(f"<!-- {kind} … -->: one has no <!-- end --> after its table; add it")
    return place.sub(lambda found: f"{found[1]}{table(found[2] or '')}{found[3]}", page)


def write(
    pages: Iterable[Path], kind: str, table: Callable[[str], str], check: bool = False
) -> None:
    """Write the tables of a kind into pages; with `check` say, by exit code 1 and a line, which
    page is not what would be written. Raises InputError as `filled`, and `table`."""
    for page in pages:
        text = page.read_text(encoding="utf-8")
        written = filled(text, kind, table)
        if check and written != text:
            sys.exit(f"{page}: its tables are old; the same command without --check writes them")
        if written != text:
            files.write_text(page, written)


def read(path: Path) -> list[Row]:
    """The rows of a file of measured numbers; InputError if it is missing, lacks a column, or has
    an uneven line.
    """
    if why := files.why_unreadable(path):
        raise InputError(f"{path}: {why}; restore it, or remove its mark from the page")
    reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    if missing := [column for column in ORIGIN if column not in (reader.fieldnames or ())]:
        raise InputError(f"{path}: has no column {missing[0]}; add it, empty where nobody knows")
    rows = list(reader)
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise InputError(f"{path}, line {number}: has more or fewer cells than its first line")
    return rows


def table(rows: Sequence[Row], of: Mapping[str, str]) -> str:
    """The rows whose columns have the values `of`, as Markdown, without those columns and ORIGIN.

    A range stands in parentheses behind its number. Raises InputError if no row is left."""
    chosen = [row for row in rows if all(row.get(key) == value for key, value in of.items())]
    if not chosen:
        said = " ".join(f"{key}={value}" for key, value in of.items())
        raise InputError(f"{said}: no row has that; the columns are {', '.join(rows[0])}")
    ends = {f"{column}{end}" for column in chosen[0] for end in (LOW, HIGH)}
    shown = [column for column in chosen[0] if column not in {*of, *ORIGIN, *ends}]
    body = [[tables.Markup(_cell(row, column)) for column in shown] for row in chosen]
    return tables.markdown([[tables.Markup(column) for column in shown], *body])


def _cell(row: Row, column: str) -> str:
    low, high = row.get(f"{column}{LOW}"), row.get(f"{column}{HIGH}")
    return _MINUS.sub("−", f"{row[column]} ({low} … {high})" if low else row[column])
