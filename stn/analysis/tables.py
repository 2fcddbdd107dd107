"""Tables as text: cells in rows, the headings first, as Markdown, LaTeX or CSV."""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stn import quantities
from stn.analysis import inference
from stn.errors import InputError
from stn.quantities import HIGHER, LOWER

NOISE = "≈"
FORMATS = (".csv", ".md", ".tex")
# What has a meaning of its own in the text of a LaTeX table.
LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    # After \\\\ they would be its arguments.
    **{character: f"{{{character}}}" for character in "[]*"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "×": r"$\times$",
    "±": r"$\pm$",
    NOISE: r"$\approx$",
    LOWER: r"$\downarrow$",
    HIGHER: r"$\uparrow$",
}
# In Markdown; `_` inside a word has none.
MARKDOWN = re.compile(r"[\\`*|~\[\]<>#$&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


class Bold(str):
    """A cell that stands out."""


class Markup(str):
    """A cell that is Markdown already."""


def check_format(path: Path) -> None:
    """Raise InputError for a name that ends in none of FORMATS."""
    if path.suffix not in FORMATS:
        raise InputError(f"--table {path}: must end in {', '.join(FORMATS)}")


def change(value: float, factor: bool) -> str:
    """A change of the logarithm in percent, or a difference, as a table shows it."""
    percent = 100 * math.expm1(value)
    return (f"{percent:+.1f} %" if factor else f"{value:+.3g}").replace("-", "−")


def interval(found: inference.Effect, factor: bool) -> str:
    """A change and the ends of its interval, if those are known: `−12.3 % (−20.1 % … −5.0 %)`."""
    mean, low, high = (change(value, factor) for value in (found.mean, found.low, found.high))
    return mean if math.isnan(found.low) else f"{mean} ({low} … {high})"


# The headings next to a change, of the cells that `effect` gives.
EFFECT = ("95 % interval", "pairs", "p", "adjusted p")


def effect(found: inference.Effect, factor: bool, note: str = "") -> list[str]:
    """The cells of an effect: the change, bold if it stands out, then those of EFFECT; a note goes
    after the adjusted p.
    """
    shown = change(found.mean, factor)
    cells = [Bold(shown) if found.found else shown, "", str(found.pairs), "", ""]
    if not math.isnan(found.p):
        cells[1] = f"{change(found.low, factor)} … {change(found.high, factor)}"
        cells[3:] = [f"{found.p:.3f}", f"{found.adjusted:.3f}{note}"]
    return cells


def text(suffix: str, rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """Cells in the format of a name that ends in .md or .tex."""
    return {".md": markdown, ".tex": latex}[suffix](rows, notes)


def markdown(rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """A Markdown table of cells, the headings first, with notes below it.

    Columns of numbers stand right; signs with a meaning in Markdown are escaped."""
    head, *body = [list(map(_markdown, row)) for row in rows]
    alignment = ["---:" if _is_numeric(column[1:]) else "---" for column in zip(*rows, strict=True)]
    lines = [f"| {' | '.join(row)} |" for row in (head, alignment, *body)]
    return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"


def latex(rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """A LaTeX `tabular` with the rules of the package booktabs, notes as comments; `rows` as of
    `of_groups`.
    """
    head, *body = [" & ".join(map(_latex, row)) + r" \\" for row in rows]
    alignment = "".join(
        "r" if _is_numeric(column[1:]) else "l" for column in zip(*rows, strict=True)
    )
    comments = [r"% \usepackage{booktabs}", *(f"% {' '.join(note.split())}" for note in notes)]
    lines = [
        *comments,
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        head,
        r"\midrule",
        *body,
        r"\bottomrule",
    ]
    return "\n".join([*lines, r"\end{tabular}"]) + "\n"


def csv_text(
    columns: Sequence[str], rows: Iterable[Mapping[str, Any]], quoted: bool = False
) -> str:
    """Rows as CSV below their headings, empty where a row lacks a column; text in quotes if
    `quoted`, so that every reader knows numbers.
    """
    text = io.StringIO()
    quoting: Any = csv.QUOTE_NONNUMERIC if quoted else csv.QUOTE_MINIMAL
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n", quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def csv_lines(rows: Iterable[Iterable[Any]]) -> str:
    """Rows of cells as CSV, the headings first."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def heading(column: str) -> str:
    """A column's name, with its unit."""
    return quantities.about(column).heading or column


def titled(column: str) -> str:
    """A column's heading with an arrow to what is better."""
    return f"{heading(column)} {quantities.about(column).better}".rstrip()


def three_digits(value: float, digits: int = 3) -> str:
    """A number with three significant digits, 0.0120, 12300 or 1.23e5; whole ones below 1e5 with
    all of theirs.
    """
    if not math.isfinite(value) or (value == int(value) and abs(value) < 1e5):
        return str(int(value)) if math.isfinite(value) else str(value)
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    power = int(exponent)
    if -4 <= power < 5:
        return f"{float(f'{mantissa}e{exponent}'):.{max(0, digits - 1 - power)}f}"
    return f"{mantissa}e{power}"


_NUMBER = re.compile(rf"\(?-?[\d.]+(e-?\d+)?( ± [\d.]+(e-?\d+)?)?(\)e-?\d+)?( {NOISE})?|")


def _is_numeric(column: Sequence[str]) -> bool:
    return all(map(_NUMBER.fullmatch, column))


def _markdown(cell: str) -> str:
    """A cell on one line, its signs escaped unless it is Markdown."""
    if isinstance(cell, Markup):
        return cell.replace("|", r"\|")
    text = MARKDOWN.sub(lambda sign: f"\\{sign[0]}", " ".join(cell.split()))
    return f"**{text}**" if isinstance(cell, Bold) and text else text


def _latex(cell: str) -> str:
    bold = isinstance(cell, Bold)
    if cell and _NUMBER.fullmatch(cell):
        powers = re.sub(r"e(-?\d+)", r" \\times 10^{\1}", cell)
        text = powers.replace("±", r"\pm").replace(NOISE, r"\approx")
        return f"$\\mathbf{{{text}}}$" if bold else f"${text}$"
    text = "".join(LATEX.get(character, character) for character in " ".join(cell.split()))
    return f"\\textbf{{{text}}}" if bold else text
