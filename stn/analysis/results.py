"""Results as data: finished runs as rows of a CSV file that is kept with the program.

A row has the settings that matter, the numbers, where they came from, and a digest of itself. A
row that was edited by hand no longer has its digest, and is refused by its line.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stn import files, quantities, runs
from stn.analysis import tables
from stn.config import overrides
from stn.errors import InputError

Row = dict[str, str]

SETTINGS = ("preset", "network", "content", "style", "size_px", "seed", "max_evaluations")
ORIGIN = ("commit", "tensorflow", "numpy", "processor", "command")
NUMBERS = {  # column: key of summary.json
    "evaluations": "evaluations",
    "seconds": "seconds",
    **{f"{key}_loss": f"loss/{key}" for key in quantities.TERMS},
    "picture_loss": "picture/loss/total",
    "features": "measures/features",
    "gram": "measures/gram",
    "patches": "measures/patches_to_style",
    "ssim": "measures/ssim_to_content",
    "checkerboard": "measures/checkerboard",
}
DIGEST = "digest"
COLUMNS = (*SETTINGS, *NUMBERS, *ORIGIN, DIGEST)


def of_run(run: runs.Run) -> Row:
    """A finished run as a row, numbers with nine digits; InputError as `runs.Run.check` raises."""
    run.check()
    settings, versions = run.settings, run.part("versions")
    values: dict[str, Any] = {
        "preset": settings["name"],
        "network": settings["network"]["name"],
        "content": settings["content"]["path"],
        "style": settings["style"]["path"],
        "size_px": settings["image"]["size_px"],
        "seed": settings["seed"],
        "max_evaluations": settings["optimizer"]["max_evaluations"],
        **{column: run.summary.get(key) for column, key in NUMBERS.items()},
        "commit": run.provenance.get("commit"),
        **{name: versions.get(name) for name in ("tensorflow", "numpy")},
        "processor": run.part("machine").get("processor"),
        "command": overrides.command(settings),
    }
    return _signed({column: _written(value) for column, value in values.items()})


def read(path: Path) -> list[Row]:
    """The rows of a file that `add` wrote.

    InputError if it is missing, of other columns, or if a row was edited: it names the line.
    """
    if why := files.why_unreadable(path):
        raise InputError(f"{path}: {why}; `make results` writes it")
    reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise InputError(f"{path}: has other columns than results; `make results` writes it")
    rows = []
    for row in reader:
        if None in row or None in row.values() or row != _signed(row):
            raise InputError(
                f"{path}, line {reader.line_num}: was edited by hand; restore it, or remove the"
                " file and run `make results`"
            )
        rows.append(row)
    return rows


def add(path: Path, several: Iterable[runs.Run]) -> None:
    """Write a row for each run, in place of one with the same settings; the others stay.

    Raises InputError as `read` and `of_run`; then the file is as it was.
    """
    rows = {_key(row): row for row in (read(path) if path.exists() else [])}
    rows |= {_key(row): row for row in map(of_run, several)}
    files.write_text(path, tables.csv_text(COLUMNS, (rows[key] for key in sorted(rows))))


def table(rows: Iterable[Row], columns: Sequence[str]) -> str:
    """`columns` of rows as Markdown, numbers with three digits, pictures by their names alone.

    Raises InputError for another column.
    """
    for column in columns:
        if column not in COLUMNS:
            raise InputError(f"{column}: no column of results; there are {', '.join(COLUMNS)}")
    headings = [column.replace("_", " ") for column in columns]
    return tables.markdown(
        [headings, *([_shown(column, row[column]) for column in columns] for row in rows)]
    )


def drift(row: Row, recorded: Row) -> float:
    """The largest relative difference of two rows' losses and measures; 0 where both are empty."""
    compared = [column for column in NUMBERS if column not in ("evaluations", "seconds")]
    if any(bool(row[column]) != bool(recorded[column]) for column in compared):
        return float("inf")  # one of them has a number that the other lacks
    pairs = [(float(row[column]), float(recorded[column])) for column in compared if row[column]]
    return max((abs(now - then) / max(abs(then), 1e-12) for now, then in pairs), default=0.0)


def same(row: Row, other: Row) -> bool:
    """Whether two rows have the same settings."""
    return _key(row) == _key(other)


def _key(row: Row) -> tuple[str, ...]:
    return (*(row[column] for column in SETTINGS), row["command"])


def _signed(row: Row) -> Row:
    kept = {column: row[column] for column in COLUMNS if column != DIGEST}
    return {**kept, DIGEST: files.digest(kept)}


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.9g}"
    return value if isinstance(value, str) else json.dumps(value)


def _shown(column: str, cell: str) -> str:
    if column in NUMBERS and cell:
        return tables.three_digits(float(cell))
    if column in ("content", "style"):
        return Path(cell.rpartition(":")[2]).stem  # asset:tubingen.jpg is in a table tubingen
    return cell
