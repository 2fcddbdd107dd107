"""Measure pictures of any program: how near to the photograph, how near to the painting.

python scripts/measure.py CONTENT STYLE RESULT [RESULT ...]   one pair, one result or more
python scripts/measure.py contents/ styles/ results/          folders, paired by name
python scripts/measure.py --pairs pairs.csv                   columns content,style,result
python scripts/measure.py RUN [RUN ...]                       runs of ours, as their summary.json

Prints a table. --out writes every digit as .csv, or the table as .md or .tex.
What each number means, and what it must not be used for: docs/reference/measures.md.
"""

import argparse
import os
import sys
from pathlib import Path

from stn import command_line, files, runs
from stn.errors import InputError
from stn.study import tables


def command() -> None:
    """The console command `stn-measure`, which is scripts/measure.py."""
    command_line.run_command(main)


def main() -> None:
    """Do what sys.argv says."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    own = command_line.program("measure")
    parser = argparse.ArgumentParser(
        prog=own,
        description=(__doc__ or "").replace("python scripts/measure.py", own),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH")
    parser.add_argument("--pairs", type=Path, metavar="CSV", help="which result is of which pair")
    parser.add_argument("--network", default="vgg19_q8", help="vgg19_q8, vgg19, vgg16 or a .mat")
    parser.add_argument("--size", metavar="N", help="long side of the results, or 256x256")
    parser.add_argument("--all", action="store_true", help="also the measures of single layers")
    parser.add_argument("--out", type=Path, help="a file .csv, .md or .tex")
    arguments = parser.parse_args()
    if arguments.out and arguments.out.suffix not in tables.FORMATS:
        raise InputError(f"--out {arguments.out}: end the name in {', '.join(tables.FORMATS)}")
    if bool(arguments.paths) == bool(arguments.pairs):
        raise InputError("give CONTENT STYLE RESULT, or --pairs CSV, or directories of runs")
    found = _measured(arguments)
    columns = list(dict.fromkeys(key for each in found.values() for key in each))
    shown = [key for key in columns if arguments.all or key.count("/") == 1 or "published" in key]
    digits = [
        [name, *(tables.three_digits(each[key]) if key in each else "" for key in shown)]
        for name, each in found.items()
    ]
    table = [["result", *shown], *digits]
    # Few pictures have more measures than results: then rows and columns are exchanged.
    upright = list(zip(*table, strict=True)) if len(digits) < len(shown) else table
    print(tables.markdown(upright), end="")
    if arguments.out:
        files.write_text(arguments.out, _written(arguments.out.suffix, found, columns, table))
        print(arguments.out, file=sys.stderr)


def _measured(arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    size = arguments.size
    of_runs = [(path / runs.PROVENANCE).is_file() for path in arguments.paths]
    if any(of_runs) and not all(of_runs):
        raise InputError(f"{arguments.paths[of_runs.index(False)]}: is no run, and others are")
    if any(of_runs) and size:
        raise InputError(f"--size {size}: a run is measured at the size it had; leave it out")
    if not any(of_runs) and not arguments.pairs and len(arguments.paths) < 3:
        raise InputError("CONTENT STYLE RESULT: three pictures or folders are needed")
    from stn.commands import pairs  # TensorFlow takes seconds to import
    from stn.transfer import measuring

    if any(of_runs):
        return {str(path): measuring.measure_run(path) for path in arguments.paths}
    chosen = pairs.parse_size(size) if size else None
    if arguments.pairs:
        jobs = pairs.read_pairs(arguments.pairs)
    else:
        content, style, *results = arguments.paths
        jobs = pairs.jobs(content, style, results)
    found = {}
    for number, job in enumerate(jobs, start=1):
        if sys.stderr.isatty():
            print(f"[{number}/{len(jobs)}] {job.result}", file=sys.stderr)
        found[str(job.result)] = measuring.measure_job(job, arguments.network, chosen)
    return found


def _written(
    suffix: str, found: dict[str, dict[str, float]], columns: list[str], table: list[list[str]]
) -> str:
    if suffix != ".csv":
        return tables.text(suffix, table)
    rows = ({"result": name, **each} for name, each in found.items())
    return tables.csv_text(["result", *columns], rows)
