"""Write one HTML page over the runs below a directory, or of two runs that are to be compared.

python scripts/report.py multirun/2026-01-31/12-00-00   all runs below it: DIRECTORY/report.html
python scripts/report.py mine/seed=0 mine/seed=1        two runs: comparison.html
python scripts/report.py multirun/mine --live           a page that stays current while runs go on
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stn import command_line, runs
from stn.analysis import grouping, sweep_tables, tables
from stn.errors import InputError
from stn.report import document, live_server


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = command_line.parser(__doc__, prog=command_line.program("report"))
    add = parser.add_argument
    several: dict[str, Any] = {"action": "append", "default": []}
    told = "a sweep, or any tree of run directories; or two runs"
    add("paths", type=Path, nargs="+", metavar="DIRECTORY", help=told)
    add("--output", type=Path, metavar="FILE", help="where the page goes")
    told = "long side of the embedded pictures (default 512)"
    add("--max-px", type=int, default=512, help=told)
    told = (
        "also a table: .csv has every run, .md and .tex (booktabs) the groups over seeds; may be"
        " repeated"
    )
    add("--table", type=Path, metavar="FILE", help=told, **several)
    told = "results in .md and .tex tables, by comma; default: the measures"
    add("--columns", default="", help=told)
    told = "what their ≈ compare with; default: the first"
    add("--baseline", default="", metavar="RUN", help=told)
    told = "also a figure of two columns: --tradeoff content style tradeoff.pdf; may be repeated"
    add("--tradeoff", nargs=3, metavar=("X", "Y", "FILE"), help=told, **several)
    told = "what connects its points, such as style_weight; default: what has the most values"
    add("--connect-by", help=told)
    told = (
        "also a table of what an axis changes over pairs of pictures, with p values, as in"
        " --effects layers effects.tex"
    )
    add("--effects", nargs=2, metavar=("AXIS", "FILE"), help=told, **several)
    told = "also log a table with the pictures to the sweep's W&B group"
    add("--wandb", action="store_true", help=told)
    told = "serve the page and keep it current, on this machine only"
    add("--live", action="store_true", help=told)
    told = f"with --live (default {live_server.PORT}, or one that is free)"
    add("--port", type=int, help=told)
    return parser.parse_args(words)


def command() -> None:
    """The console command `stn-report`, which is scripts/report.py."""
    command_line.run_command(main)


def main() -> None:
    given = parse()
    if given.max_px < 1:
        raise InputError(f"--max-px {given.max_px}: must be at least 1")
    refuse_idle(given)
    if given.live:
        watch(given)
    elif given.port is not None:
        raise InputError(f"--port {given.port}: is of the live page; give --live with it")
    elif len(given.paths) == 1:
        one_tree(given.paths[0], given)
    elif len(given.paths) == 2:
        two_runs(given.paths[0], given.paths[1], given)
    else:
        raise InputError(
            f"{len(given.paths)} directories given: one gives a report over all runs below it, two"
            " runs are compared; for more give the directory that holds them"
        )


def refuse_idle(given: argparse.Namespace) -> None:
    """InputError for an option of something that is not asked for, and for a file that cannot be
    written.
    """
    for path in given.table:
        tables.check_format(path)
    for _, name in given.effects:
        if Path(name).suffix not in (".md", ".tex"):
            raise InputError(f"--effects {name}: must end in .md or .tex")
    for *_, name in given.tradeoff:
        if Path(name).suffix not in (".png", ".pdf", ".svg"):
            raise InputError(f"--tradeoff {name}: must end in .png, .pdf or .svg")
    grouped_tables = [path for path in given.table if path.suffix != ".csv"]
    for option, value, others in (
        ("--columns", given.columns, given.effects),
        ("--baseline", given.baseline, []),
    ):
        if value and not grouped_tables + others:
            raise InputError(
                f"{option} {value}: is of a table of groups; give --table FILE.md or FILE.tex"
                " with it"
            )
    if given.connect_by and not given.tradeoff:
        raise InputError(
            f"--connect-by {given.connect_by}: is of a figure of two columns; give --tradeoff X Y"
            " FILE with it"
        )


def watch(given: argparse.Namespace) -> None:
    others = [given.output, *given.table, *given.tradeoff, *given.effects, given.wandb]
    if len(given.paths) > 1 or any(others):
        raise InputError(
            "--live takes one directory, and writes nothing; leave out --output, --table,"
            " --tradeoff, --effects, --wandb"
        )
    live_server.serve(given.paths[0], given.port)


def one_tree(directory: Path, given: argparse.Namespace) -> None:
    """The page, then what else was asked for; a line on standard output for each file."""
    page = given.output or directory / "report.html"
    document.write(directory, page, given.max_px)
    print(page)
    found = document.below(directory)
    columns = [name for name in given.columns.split(",") if name]
    for path in given.table:
        sweep_tables.write(path, found, directory, columns, given.baseline)
        print(path)
    for x, y, name in given.tradeoff:
        draw_tradeoff(Path(name), found, x, y, given.connect_by)
        print(name)
    for axis, name in given.effects:
        sweep_tables.write_effects(Path(name), found, axis, columns)
        print(name)
    unfinished = [sweep_tables.name_of(run, directory) for run in found if run.state != "finished"]
    if unfinished and (given.table or given.tradeoff or given.effects):
        print(f"left out, not finished: {', '.join(unfinished)}", file=sys.stderr)
    if given.wandb:
        from stn.report import wandb_table  # which imports matplotlib, too

        wandb_table.log(directory)


def draw_tradeoff(path: Path, found: Sequence[runs.Run], x: str, y: str, by: str | None) -> None:
    from stn.analysis import figures  # matplotlib takes a second to import

    groups = grouping.over_seeds(found)
    if not groups:
        raise InputError(
            "--tradeoff: no finished run has readable settings, so there is nothing to draw"
        )
    across, up = (sweep_tables.column_of(name, groups) for name in (x, y))
    lines = grouping.connected(
        groups, sweep_tables.setting_of(by, groups) if by else grouping.swept(groups)
    )
    figures.save(figures.tradeoff_curves(lines, across, up, grouping.not_comparable(found)), path)


def two_runs(first: Path, second: Path, given: argparse.Namespace) -> None:
    if given.table or given.tradeoff or given.effects or given.wandb:
        raise InputError(
            "--table, --tradeoff, --effects and --wandb take one directory; give the one that holds"
            " both runs"
        )
    for path in (first, second):
        if not any((path / name).is_file() for name in (runs.PROVENANCE, runs.FAILED)):
            raise InputError(
                f"{path}: not a run directory, and two directories are two runs to compare"
            )
    page = given.output or Path("comparison.html")
    document.write_comparison(runs.Run(first), runs.Run(second), page, given.max_px)
    print(page)
