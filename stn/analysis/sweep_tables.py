"""Tables of a sweep: every run in full as CSV, groups over seeds as Markdown and LaTeX."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stn import config, files, quantities, runs
from stn.analysis import grouping, inference, tables
from stn.analysis.grouping import Estimate, Group
from stn.analysis.tables import Bold
from stn.errors import InputError
from stn.quantities import HIGHER, LOWER

LEGEND = (
    f"Mean ± standard deviation over seeds; {tables.NOISE}: differs from the baseline by no more"
    f" than that deviation. {LOWER} lower is better, {HIGHER} higher is better; bold: the best"
    " mean, which is no test."
)
EFFECTS = (
    "Changes at equal other settings, over pairs of a photograph and a painting; seeds are"
    " repetitions. The test is Student's t, or Clark's min F′ where photographs and paintings are"
    " crossed. Its p is adjusted by Holm for {}, the primary result, and by Benjamini and Hochberg"
    " for the rest."
    " Bold: adjusted p below 0.05."
)


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
    tables.check_format(path)
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
    files.write_text(path, tables.text(path.suffix, rows, notes))


def write_effects(
    path: Path, several: Sequence[runs.Run], axis: str, columns: Sequence[str] = ()
) -> None:
    """Write the table `of_effects` as `.md` or `.tex`; raises InputError as `write`, and for an
    axis in which no runs with equal other settings differ.
    """
    groups = grouping.over_seeds(several)
    if not groups:
        raise InputError("--effects: no finished run has readable settings")
    key = setting_of(axis, groups)
    every = [column for column in main_results(several) if column != "seconds"]
    chosen = [column_of(name, groups) for name in columns] or every
    rows, notes = of_effects(groups, key, chosen)
    if len(rows) == 1:
        raise InputError(f"--effects {axis}: no two runs differ in it alone")
    files.write_text(path, tables.text(path.suffix, rows, notes))


def name_of(run: runs.Run, root: Path) -> str:
    """What a run is called in a report over `root`: its path below it."""
    return str(run.path.relative_to(root)) if run.path != root else run.path.resolve().name


def of_runs(named: Mapping[str, runs.Run], root: Path) -> str:
    """CSV, a row a run: its name, the axes and settings that differ, the summary, all settings.

    Where not every run finished there are also its state and why it failed. Text is quoted, so that
    line breaks in it are no new rows. `directory` is as seen from `root`."""
    found = list(named.values())
    flat = [run.flat for run in found]
    parameters = runs.parameters(found)
    states = [] if all(run.state == "finished" for run in found) else ["state", "error"]
    axes = [key for each in parameters for key in each]
    differing = config.differing([run.settings for run in found if run.settings])
    results = [key for run in found for key in picture_first(run.summary)]
    rest = [key for settings in flat for key in settings]
    columns = list(dict.fromkeys(["run", *states, *axes, *differing, *results, *rest, "directory"]))
    rows = []
    for name, run, own, settings in zip(named, found, parameters, flat, strict=True):
        error = run.failure.get("error", "") if run.state == "failed" else ""
        state = {"state": run.state, "error": error} if states else {}
        place = {"run": name, "directory": os.path.relpath(run.path, root)}
        row = own | settings | dict(run.summary) | state | place
        rows.append({key: json.dumps(v) if isinstance(v, list) else v for key, v in row.items()})
    return tables.csv_text(columns, rows, quoted=True)


def picture_first(summary: Mapping[str, Any]) -> list[str]:
    """The keys of a summary, what was measured of the picture itself before what the optimizer
    saw.
    """
    return sorted(summary, key=lambda key: not key.startswith("picture/"))


def of_groups(groups: Sequence[Group], columns: Sequence[str], baseline: Group) -> list[list[str]]:
    """The cells of a table, headings first: what the groups differ in, number of seeds, each
    column's estimate.

    NOISE marks an estimate within noise of the baseline's. The best of a column is `Bold`."""
    keys = list(dict.fromkeys(key for group in groups for key in group.parameters))
    rows = [[*map(tables.heading, keys), "seeds", *map(tables.titled, columns)]]
    best = {column: best_of(groups, column) for column in columns}
    for index, group in enumerate(groups):
        cells = [
            Bold(cell) if index in best[column] else cell
            for column in columns
            for cell in [_cell(group, column, baseline)]
        ]
        settings = [grouping.written(group.parameters.get(key, "")) for key in keys]
        rows.append([*settings, str(len(group.runs)), *cells])
    return rows


def best_of(groups: Sequence[Group], column: str) -> list[int]:
    """The numbers of the groups with the best mean in a column.

    None where no way is better, where all are equal, or where the groups do not compare: measures
    of other networks or sizes, losses of other objectives."""
    better = quantities.about(column).better
    found = [
        (index, known.mean)
        for index, group in enumerate(groups)
        if (known := group.estimate(column))
    ]
    means = {mean for _, mean in found}
    same = {group.objective if "loss/" in column else group.yardstick for group in groups}
    comparable = len(same) == 1 or not column.startswith(("measures/", "loss/", "picture/loss/"))
    if not better or len(means) < 2 or not comparable:
        return []
    best = min(means) if better == LOWER else max(means)
    return [index for index, mean in found if mean == best]


def of_effects(
    groups: Sequence[Group], axis: str, columns: Sequence[str]
) -> tuple[list[list[str]], list[str]]:
    """The cells of a table of what an axis changes, headings first, and notes on it.

    Each value is compared with the first. The first column is the primary outcome. What stands out
    after adjusting its p is `Bold`."""
    values = list(dict.fromkeys(group.parameters.get(axis) for group in groups))
    baseline = next((value for value in values if value is not None), None)
    found = [
        (column, value, effect, factor)
        for column in columns
        for value, (effect, factor) in grouping.effects(
            groups, axis, column, baseline, quantities.about(column).factor
        ).items()
    ]
    adjusted = inference.adjust(
        [effect for *_, effect, _ in found], [column == columns[0] for column, *_ in found]
    )
    rows = [["result", axis, f"change from {baseline}", *tables.EFFECT]]
    for (column, value, _, factor), effect in zip(found, adjusted, strict=True):
        cells = tables.effect(effect, factor)
        rows.append([tables.titled(column), grouping.written(value), *cells])
    few = any(effect.pairs < inference.FEWEST_PAIRS for effect in adjusted)
    return rows, [EFFECTS.format(tables.heading(columns[0])), *([inference.FEW] if few else [])]


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
    keys = dict.fromkeys(key for run in every for key in (*run.summary, *run.flat))
    return _only(
        name,
        [key for key in keys if any(grouping.number(run, key) is not None for run in every)],
        "column",
    )


def setting_of(name: str, groups: Sequence[Group]) -> str:
    """The parameter of this name, or of this ending as `column_of`, in which groups differ;
    InputError without one.
    """
    keys = dict.fromkeys(key for group in groups for key in group.parameters)
    return _only(name, list(keys), "setting in which the runs differ")


def estimated(estimate: Estimate | None) -> str:
    """An estimate as a table shows it, 0.432 ± 0.011 or (1.23 ± 0.40)e7; without a deviation if
    there is one seed.
    """
    if estimate is None:
        return ""
    mean, _, power = tables.three_digits(estimate.mean).partition("e")
    if estimate.seeds == 1:
        return tables.three_digits(estimate.mean)
    pair = f"{mean} ± {tables.three_digits(estimate.deviation / 10 ** int(power or 0), 2)}"
    return f"({pair})e{power}" if power else pair


def _cell(group: Group, column: str, baseline: Group) -> str:
    own, other = group.estimate(column), baseline.estimate(column)
    compares = own and other and group is not baseline and group.yardstick == baseline.yardstick
    marked = compares and own and other and grouping.within_noise(own, other)
    return estimated(own) + (f" {tables.NOISE}" if marked else "")


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
        listed = f"{', '.join(shown[:8]) or 'none'}{', …' * (len(shown) > 8)}"
        raise InputError(
            f"{name}: {f'ends more than one {what}' if found else f'no {what}'}; there is {listed}"
        )
    return found[0]
