"""The trials of a study as rows of a CSV, each written when it ends, so that a study that was
stopped goes on from there; and what they say of the next.
"""

import csv
import importlib.metadata
import io
import math
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stn import machine, quantities
from stn.analysis import tables
from stn.errors import InputError
from stn.runs import provenance
from stn.study import design
from stn.transfer import matching

Row = dict[str, Any]
KEYS = ("photograph", "painting", "choice")
COLUMNS = (
    *("network", "size_px", "evaluations", *KEYS, "seed", "trial", "style_weight", "matched"),
    *quantities.MEASURES,
    *("total", "seconds", "commit", "tensorflow", "processor"),
)


def read(path: Path) -> list[Row]:
    """The rows of a results file, numbers as numbers; none if there is no file.

    A last line that a killed process left unfinished is not taken. Raises InputError for a file
    with other columns."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    found = list(csv.DictReader(io.StringIO(whole)))
    if found and tuple(found[0]) != COLUMNS:
        raise InputError(f"{path}: has other columns than this study; give another file")
    return [{key: _number(value) for key, value in row.items()} for row in found]


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def append(path: Path, row: Row) -> None:
    """Write a row at the end of the file, after its headings if it is new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = path.read_bytes() if path.is_file() else b""
    headings, line = tables.csv_text(COLUMNS, [row]).splitlines(keepends=True)
    with path.open("ab") as file:
        file.truncate(kept.rfind(b"\n") + 1)  # of a line that was left unfinished
        file.write((line if kept else headings + line).encode())
        file.flush()
        os.fsync(file.fileno())


def check(path: Path, rows: Sequence[Row], marks: Row) -> None:
    """Raise InputError where the file holds another network, size or budget than `marks`."""
    for key in ("network", "size_px", "evaluations"):
        others = {row[key] for row in rows} - {marks[key]}
        if others:
            other = next(iter(others))
            shown = other if isinstance(other, str) else f"{other:g}"
            raise InputError(f"{path}: holds rows with {key}={shown}; give --results FILE")


def trials_of(rows: Sequence[Row], cell: tuple[str, str, str]) -> list[matching.Trial]:
    """The trials of a cell so far."""
    return [(row["style_weight"], row[design.MEASURE]) for row in rows if _cell(row) == cell]


def done(trials: Sequence[matching.Trial]) -> bool:
    """Whether a cell's search is over: it hit, or it may try no more."""
    return len(trials) >= matching.MOST_TRIALS or any(
        matching.hit(trial, design.VALUE) for trial in trials
    )


def start_of(study: design.Design, rows: Sequence[Row], cell: tuple[str, str, str]) -> float:
    """The style weight to begin with: the baseline's on this pair, times what the choice took over
    it on other pairs; before there are any, what the choice says.
    """
    photograph, painting, choice = cell
    found = {_cell(row): math.log(row["style_weight"]) for row in rows if row["matched"]}
    own = {each[:2]: value for each, value in found.items() if each[2] == choice}
    base = {each[:2]: value for each, value in found.items() if each[2] == study.baseline}
    if choice != study.baseline and (photograph, painting) in base:
        over = [value - base[pair] for pair, value in own.items() if pair in base]
        if not over:
            over = [math.log(study.choices[choice].start / study.choices[study.baseline].start)]
        return math.exp(base[photograph, painting] + statistics.median(over))
    near = [value for pair, value in own.items() if painting in pair or photograph in pair]
    every = near or list(own.values())
    return math.exp(statistics.median(every)) if every else study.choices[choice].start


def slope_of(rows: Sequence[Row], choice: str) -> float | None:
    """How steep the measure is over log β, by the searches of this choice so far."""
    several: dict[tuple[str, str, str], list[matching.Trial]] = {}
    for row in rows:
        if row["choice"] == choice:
            several.setdefault(_cell(row), []).append((row["style_weight"], row[design.MEASURE]))
    return matching.typical_slope(list(several.values()))


def _cell(row: Row) -> tuple[str, str, str]:
    return row["photograph"], row["painting"], row["choice"]


def marks_of(network: str, size_px: int, evaluations: int) -> Row:
    """What every row of a study says of where it came from."""
    return {
        "network": network,
        "size_px": size_px,
        "evaluations": evaluations,
        "commit": provenance.git_commit(),
        "tensorflow": importlib.metadata.version("tensorflow"),
        "processor": machine.processor(),
    }
