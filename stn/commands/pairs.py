"""What is typed for `measure`: which result is of which photograph and painting, and a size."""

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from stn import images
from stn.errors import InputError
from stn.transfer.measuring import Job

COLUMNS = ("content", "style", "result")  # of a CSV of pairs


def jobs(content: Path, style: Path, results: Sequence[Path]) -> list[Job]:
    """What is to be measured: one picture or more of one pair, or folders paired by name.

    In a folder of results a name begins with its content's and ends with its style's, with anything
    between: `tubingen_stylized_the_scream.png`. A content or a style that is a file goes with all
    results. Raises InputError for a name that fits no pair or several, and for files left over.
    """
    files = [each for path in results for each in (_pictures(path) if path.is_dir() else [path])]
    contents = _pictures(content) if content.is_dir() else [content]
    styles = _pictures(style) if style.is_dir() else [style]
    if not content.is_dir() and not style.is_dir():
        return [Job(content, style, each) for each in files]
    found = [
        Job(
            _fitting(each, contents, str.startswith, "content"),
            _fitting(each, styles, str.endswith, "style"),
            each,
        )
        for each in files
    ]
    for role, several in (("content", contents), ("style", styles)):
        used = {getattr(job, role) for job in found}
        if left := [path.name for path in several if path not in used]:
            raise InputError(
                f"{several[0].parent}: no result was made of {', '.join(left[:5])}"
                f"{' …' * (len(left) > 5)}; give a CSV of the pairs, or take these out"
            )
    return found


def read_pairs(path: Path) -> list[Job]:
    """The jobs that a CSV lists, with the columns content, style and result; paths are as seen from
    its folder.

    Raises InputError, which names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from error
    if not rows or not set(COLUMNS) <= rows[0].keys():
        raise InputError(f"{path}: needs a first line content,style,result and a line a result")
    found = []
    for number, row in enumerate(rows, start=2):
        if any(not row[column] for column in COLUMNS):
            raise InputError(f"{path}, line {number}: a column is empty")
        found.append(Job(*(path.parent / str(row[column]) for column in COLUMNS)))
    return found


def _pictures(folder: Path) -> list[Path]:
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in images.FORMATS and path.is_file() and path.name[0] != "."
    )
    if not found:
        raise InputError(f"{folder}: holds no picture ({', '.join(images.FORMATS)})")
    return found


def _fitting(
    result: Path, several: Sequence[Path], fits: Callable[[str, str], bool], role: str
) -> Path:
    """The picture whose name the result's has; of `a` and `a_b` the longer."""
    found = [path for path in several if fits(result.stem, path.stem)]
    longest = max((len(path.stem) for path in found), default=0)
    found = [path for path in found if len(path.stem) == longest]
    if len(several) == 1 and not found:
        return several[0]
    if len(found) != 1:
        where = "begins" if role == "content" else "ends"
        raise InputError(
            f"{result}: its name {where} with that of {'several' if found else 'no'} {role}"
            f"{'s' * bool(found)} in {several[0].parent}; give a CSV of the pairs"
        )
    return found[0]


def parse_size(text: str) -> int | tuple[int, int]:
    """`512`, the long side, or `256x256`, width and height; InputError for anything else."""
    whole = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text)
    if not whole or min(int(each) for each in whole.groups() if each) < 2:
        raise InputError(f"--size {text}: give the long side, 512, or both sides, 256x256")
    return (int(whole[1]), int(whole[2])) if whole[2] else int(whole[1])
