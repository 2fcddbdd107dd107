"""Tables of a sweep: every digit of every run as CSV, groups over seeds with three digits as
Markdown and LaTeX.
"""

import csv
import io
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stn import config, files, runs
from stn.errors import InputError
from stn.study import grouping
from stn.study.grouping import Estimate, Group

# Where the unit is not a part of the name; losses and measures have none.
HEADINGS = {
    "seconds": "time (s)",
    "peak_memory_mb": "peak memory (MiB)",
    "picture/clipped_share": "clipped values (share)",
    "optimizer.max_evaluations": "max. evaluations",
}
NOISE = "≈"
LEGEND = (
    f"Mean ± standard deviation over seeds; {NOISE}: differs from the baseline by no more than that"
    " deviation."
)
FORMATS = (".csv", ".md", ".tex")
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "×": r"$\times$",
}
LATEX |= {character: f"\\{character}" for character in "&%$#_{}"} | {
    NOISE: r"$\approx$",
    "±": r"$\pm$",
}


def write(
    path: Path,
    several: Sequence[runs.Run],
    root: Path,
    columns: Sequence[str] = (),
    baseline: str = "",
) -> None:
    """Write the table of the runs below `root` in the format that the name of `path` ends in.

    `.csv` has a row a run, `.md` and `.tex` a row a group over seeds, `columns` of it or what
    `main_results` gives, and compare with the group of the run `baseline`. Raises InputError for
    another ending, column or run."""
    check_format(path)
    named = {name_of(run, root): run for run in several}
    if path.suffix == ".csv":
        files.write_text(path, of_runs(named, root))
        return
    groups = grouping.over_seeds(several)
    if not groups:
        raise InputError(
            f"{root}: holds no finished run with readable settings, so there is nothing to tabulate"
        )
    chosen = [column_of(name, groups) for name in columns] or main_results(several)
    rows = of_groups(groups, chosen, _group_of(baseline, groups, root) if baseline else groups[0])
    left_out = [name for name, run in named.items() if run.state != "finished"]
    notes = [LEGEND, *grouping.not_comparable(several)]
    notes += [f"Left out, not finished: {', '.join(left_out)}."] if left_out else []
    files.write_text(path, (markdown if path.suffix == ".md" else latex)(rows, notes))


def check_format(path: Path) -> None:
    """Raise InputError for a name that ends in none of FORMATS."""
    if path.suffix not in FORMATS:
        raise InputError(f"--table {path}: must end in {', '.join(FORMATS)}")


def name_of(run: runs.Run, root: Path) -> str:
    """What a run is called in a report over `root`: its path below it."""
    return str(run.path.relative_to(root)) if run.path != root else run.path.resolve().name


def of_runs(named: Mapping[str, runs.Run], root: Path) -> str:
    """CSV, a row a run: its name, the parameters that differ, the summary (the picture's own
    first), the rest.

    Where not every run finished there is also its state, and why it failed. `directory` is as seen
    from `root`."""
    flat = {name: config.flat(run.settings) for name, run in named.items()}
    differing = config.differing([run.settings for run in named.values() if run.settings])
    states = [] if all(run.state == "finished" for run in named.values()) else ["state", "error"]
    results = [key for run in named.values() for key in picture_first(run.summary)]
    rest = [key for settings in flat.values() for key in settings]
    text = io.StringIO()
    columns = list(dict.fromkeys(["run", *states, *differing, *results, *rest, "directory"]))
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for name, run in named.items():
        settings = {
            key: json.dumps(value) if isinstance(value, list) else value
            for key, value in flat[name].items()
        }
        state = {
            "state": run.state,
            "error": run.failure.get("error", "") if run.state == "failed" else "",
        }
        place = {"run": name, "directory": os.path.relpath(run.path, root)}
        writer.writerow(settings | dict(run.summary) | state | place)
    return text.getvalue()


def picture_first(summary: Mapping[str, Any]) -> list[str]:
    """The keys of a summary, what was measured of the picture itself before what the optimizer
    saw.
    """
    return sorted(summary, key=lambda key: not key.startswith("picture/"))


def of_groups(groups: Sequence[Group], columns: Sequence[str], baseline: Group) -> list[list[str]]:
    """The cells of a table, headings first: what the groups differ in, number of seeds, each
    column's estimate.

    An estimate that is within noise of the baseline's, by the same yardstick, is marked with NOISE.
    """
    keys = list(dict.fromkeys(key for group in groups for key in group.parameters))
    rows = [[*map(heading, keys), "seeds", *map(heading, columns)]]
    for group in groups:
        settings = [grouping.written(group.parameters.get(key, "")) for key in keys]
        rows.append(
            [
                *settings,
                str(len(group.runs)),
                *(_cell(group, column, baseline) for column in columns),
            ]
        )
    return rows


def markdown(rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """A Markdown table with notes below it; `rows` of cells, the headings first. Columns of numbers
    stand right.
    """
    head, *body = [[cell.replace("|", r"\|") for cell in row] for row in rows]
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


def main_results(several: Sequence[runs.Run]) -> list[str]:
    """The columns of a paper's table: the measures, but not those of one layer; else the losses;
    and the time.
    """
    known = grouping.results(several)
    measures = [key for key in known if key.startswith("measures/") and key.count("/") == 1]
    losses = [key for key in known if key.startswith("picture/loss/")] or [
        key for key in known if "loss/" in key
    ]
    return [*(measures or losses), *(key for key in known if key == "seconds")]


def column_of(name: str, groups: Sequence[Group]) -> str:
    """The numeric column of this name, or the only one that ends in it after `/` or `.`; InputError
    without one.
    """
    every = [run for group in groups for run in group.runs]
    keys = dict.fromkeys(key for run in every for key in (*run.summary, *config.flat(run.settings)))
    return _only(
        name,
        [key for key in keys if any(grouping.number(run, key) is not None for run in every)],
        "column",
    )


def setting_of(name: str, groups: Sequence[Group]) -> str:
    """The setting of this name, or of this ending as `column_of`, in which groups differ;
    InputError without one.
    """
    return _only(
        name,
        config.differing([group.settings for group in groups]),
        "setting in which the runs differ",
    )


def heading(column: str) -> str:
    """A column's name, with its unit."""
    return HEADINGS.get(column, column)


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


def estimated(estimate: Estimate | None) -> str:
    """An estimate as a table shows it, 0.432 ± 0.011 or (1.23 ± 0.40)e7; without a deviation if
    there is one seed.
    """
    if estimate is None:
        return ""
    mean, _, power = three_digits(estimate.mean).partition("e")
    if estimate.seeds == 1:
        return three_digits(estimate.mean)
    pair = f"{mean} ± {three_digits(estimate.deviation / 10 ** int(power or 0), 2)}"
    return f"({pair})e{power}" if power else pair


def _cell(group: Group, column: str, baseline: Group) -> str:
    own, other = group.estimate(column), baseline.estimate(column)
    compares = own and other and group is not baseline and group.yardstick == baseline.yardstick
    marked = compares and own and other and grouping.within_noise(own, other)
    return estimated(own) + (f" {NOISE}" if marked else "")


def _group_of(name: str, groups: Sequence[Group], root: Path) -> Group:
    for group in groups:
        if name in (name_of(run, root) for run in group.runs):
            return group
    first = [name_of(group.runs[0], root) for group in groups]
    raise InputError(
        f"--baseline {name}: no finished run of this name; there are"
        f" {', '.join(first[:8])}{' …' * (len(first) > 8)}"
    )


def _only(name: str, known: Sequence[str], what: str) -> str:
    found = [key for key in known if key == name] or [
        key for key in known if re.search(f"[./]{re.escape(name)}$", key)
    ]
    # `style` is also the end of `picture/loss/style`: a measure is what a reader compares.
    found = [key for key in found if key == f"measures/{name}"] or found
    if len(found) != 1:
        shown = found or sorted(known, key=lambda key: not key.startswith("measures/"))
        listed = f"{', '.join(shown[:8])}{', …' * (len(shown) > 8)}"
        raise InputError(
            f"{name}: {f'ends more than one {what}' if found else f'no {what}'}; there is {listed}"
        )
    return found[0]


_NUMBER = re.compile(rf"\(?-?[\d.]+(e-?\d+)?( ± [\d.]+(e-?\d+)?)?(\)e-?\d+)?( {NOISE})?|")


def _is_numeric(column: Sequence[str]) -> bool:
    return all(map(_NUMBER.fullmatch, column))


def _latex(cell: str) -> str:
    if cell and _NUMBER.fullmatch(cell):
        powers = re.sub(r"e(-?\d+)", r" \\times 10^{\1}", cell)
        return "$" + powers.replace("±", r"\pm").replace(NOISE, r"\approx") + "$"
    return "".join(LATEX.get(character, character) for character in cell)
