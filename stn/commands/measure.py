"""Measure pictures of any program: how close to the photograph, how close to the painting.

python scripts/measure.py CONTENT STYLE RESULT [RESULT ...]   one pair, one result or more
python scripts/measure.py contents/ styles/ results/          folders, paired by name
python scripts/measure.py --pairs pairs.csv                   columns content,style,result
python scripts/measure.py RUN [RUN ...]                       runs of ours, as their summary.json

Prints a table. --out writes every digit as .csv, or the table as .md or .tex.
What each number means, and what it must not be used for: docs/reference/measures.md.
"""

import argparse
import functools
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from stn import command_line, files, runs
from stn.analysis import tables
from stn.errors import InputError
from stn.metrics import learned

if TYPE_CHECKING:
    from stn.network.network import Network
    from stn.transfer.measuring import Sized


def command() -> None:
    """The console command `stn-measure`, which is scripts/measure.py."""
    command_line.run_command(main)


def main() -> None:
    """Do what sys.argv says."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = command_line.parser(__doc__, prog=command_line.program("measure"))
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH")
    parser.add_argument("--pairs", type=Path, metavar="CSV", help="which result is of which pair")
    parser.add_argument("--network", default="vgg19_q8", help="vgg19_q8, vgg19, vgg16 or a .mat")
    parser.add_argument("--size", metavar="N", help="long side of the results, or 256x256")
    parser.add_argument("--all", action="store_true", help="also the measures of single layers")
    parser.add_argument(
        "--metrics",
        metavar="NAMES",
        help="lpips, artfid or both with a comma: of the extra, whose networks are fetched once",
    )
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
    metrics = arguments.metrics.split(",") if arguments.metrics else []
    learned.check(metrics)
    read = _readers(arguments, any(of_runs))
    of_set = "artfid" in metrics
    if of_set and len(read) < 2:
        raise InputError("--metrics artfid: is of sets; give two results or more, or leave it out")
    learned.prepare(metrics)
    from stn.transfer import measuring

    found: dict[str, dict[str, float]] = {}
    of_results, of_styles = [], []
    for number, (name, pictures) in enumerate(read.items(), start=1):
        if sys.stderr.isatty():
            print(f"[{number}/{len(read)}] {name}", file=sys.stderr)
        sized, plain, rescaled = pictures()
        try:
            found[name] = measuring.numbers(sized, plain, rescaled, metrics)
            if of_set:
                of_results.append(learned.activations(sized.result))
                of_styles.append(learned.activations(sized.style))
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
    if of_set:
        if len(read) < learned.MEANT_FOR:
            warnings.warn(
                f"ArtFID of {len(read)} pictures: with few it is too high, and its authors' program"
                f" starts at {learned.MEANT_FOR}; compare sets of the same pictures only",
                stacklevel=1,
            )
        distances = [each["published/lpips"] for each in found.values()]
        of_all = learned.artfid(of_results, of_styles, distances)
        found[f"all {len(read)}"] = {f"published/{key}": value for key, value in of_all.items()}
    return found


def _readers(
    arguments: argparse.Namespace, of_runs: bool
) -> dict[str, Callable[[], tuple["Sized", "Network", "Network"]]]:
    """What reads each result, by its name in the table."""
    from stn.commands import pairs  # TensorFlow takes seconds to import
    from stn.transfer import measuring

    if of_runs:
        return {str(path): functools.partial(measuring.of_run, path) for path in arguments.paths}
    size = pairs.parse_size(arguments.size) if arguments.size else None
    if arguments.pairs:
        jobs = pairs.read_pairs(arguments.pairs)
    else:
        content, style, *results = arguments.paths
        jobs = pairs.jobs(content, style, results)
    return {
        str(job.result): functools.partial(measuring.of_job, job, arguments.network, size)
        for job in jobs
    }


def _written(
    suffix: str, found: dict[str, dict[str, float]], columns: list[str], table: list[list[str]]
) -> str:
    if suffix != ".csv":
        return tables.text(suffix, table)
    rows = ({"result": name, **each} for name, each in found.items())
    return tables.csv_text(["result", *columns], rows)
