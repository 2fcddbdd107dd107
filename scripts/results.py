"""Numbers of the documents as rows of results/*.csv, and their tables.

python scripts/results.py collect FOLDER FILE   finished runs below FOLDER become rows of FILE
python scripts/results.py small                 the five small runs again, into results/small.csv
python scripts/results.py drift                 the same five, held against results/small.csv: 1 %
python scripts/results.py render [--check]      the tables of README.md and docs/ from results/

Between `<!-- results: FILE COLUMN … -->` and `<!-- end -->` stands a table of results/FILE.csv, or
that nobody has computed it yet. After `<!-- measured: FILE COLUMN=VALUE … -->` stand the rows of
results/tables/FILE.csv that have those values. The tables of the study, of spoiled pictures and of
the benchmark are rendered from their own files.
"""

import functools
import json
import shlex
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import stn
from stn import command_line, runs
from stn.analysis import doc_tables, results, tables
from stn.errors import InputError
from stn.study import manipulations, pages, trials

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
SMALL = RESULTS / "small.csv"
MAY_DRIFT = 0.01  # of a loss or a measure, between machines
# What reads most of the program in five runs: presets of other losses, networks and optimizers.
# One thread, and few evaluations: chaos has not yet made of a last digit another picture.
PRESETS = {
    "default": "vgg19_q8",
    "gatys_released": "vgg19_q8",
    "gatys2016": "vgg19_q8",
    "johnson2016": "vgg16",
    "d2l": "vgg19_q8",
}
PICTURES = ("skimage:coffee.png", "sklearn:flower.jpg")  # what packages ship


def main() -> None:
    parser = command_line.parser(__doc__)
    what = parser.add_subparsers(dest="what", required=True, metavar="collect|small|drift|render")
    collect = what.add_parser("collect", help="finished runs become rows")
    collect.add_argument("folder", type=Path)
    collect.add_argument("file", type=Path)
    what.add_parser("small", help="the five small runs again")
    what.add_parser("drift", help="the five small runs held against their rows")
    render = what.add_parser("render", help="tables of the documents")
    render.add_argument("--check", action="store_true", help="only say whether they are right")
    arguments = parser.parse_args()
    if arguments.what == "collect":
        found = [run for run in runs.below(arguments.folder) if run.state == "finished"]
        if not found:
            raise InputError(f"{arguments.folder}: no finished run is in it")
        results.add(arguments.file, found)
        print(f"{arguments.file}: {len(results.read(arguments.file))} rows")
    elif arguments.what == "small":
        with tempfile.TemporaryDirectory() as folder:
            results.add(SMALL, small(Path(folder)))
        print(SMALL)
    elif arguments.what == "drift":
        check_drift()
    else:
        pages = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
        for kind, of_words in KINDS.items():
            doc_tables.write(pages, kind, of_words, arguments.check)


def small(folder: Path) -> Iterator[runs.Run]:
    """The five small runs, made now."""
    content, style = PICTURES
    for preset, network in PRESETS.items():
        stn.stylize(
            content,
            style,
            preset,
            network=network,
            directory=folder / preset,
            image__size_px=48,
            optimizer__max_evaluations=5,
            threads=1,
        )
        yield runs.Run(folder / preset)


def check_drift() -> None:
    """Say how far each small run is from its row; InputError if one is further than MAY_DRIFT."""
    recorded = results.read(SMALL)
    with tempfile.TemporaryDirectory() as folder:
        for run in small(Path(folder)):
            row = results.of_run(run)
            there = [other for other in recorded if results.same(row, other)]
            if not there:
                raise InputError(f"{SMALL.name}: {row['preset']} is not in it; run `make results`")
            far = results.drift(row, there[0])
            print(f"{row['preset']}: {far:.2e}")
            if far > MAY_DRIFT:
                raise InputError(
                    f"{row['preset']}: {100 * far:.2g} % from {SMALL.name}, where 1 % is allowed"
                )


@functools.cache
def _rows(name: str) -> list[results.Row]:
    return results.read(RESULTS / f"{name}.csv")


def table(words: str) -> str:
    """The table of a mark's words: a file of results/, and columns of it."""
    name, *columns = words.split()
    if not (RESULTS / f"{name}.csv").exists():
        return f"Not computed yet: `make results` writes `results/{name}.csv` and this table.\n"
    return results.table(_rows(name), columns)


def measured_table(words: str) -> str:
    """The table of a mark's words: a file of results/tables/, and values of its columns."""
    name, *values = shlex.split(words) or [""]
    if not name or any("=" not in value for value in values):
        raise InputError(f"<!-- measured: {words} -->: type a file of results/tables, COLUMN=VALUE")
    chosen = dict(value.split("=", 1) for value in values)
    return doc_tables.table(doc_tables.read(RESULTS / "tables" / f"{name}.csv"), chosen)


@functools.cache
def _parts(study: str) -> dict[str, str]:
    page = pages.PAGES[study]
    return pages.parts(page, trials.read(page.results), page.others)


def study_table(study: str, name: str) -> str:
    """One of a study's tables, docs/experiments/ablations.md, style_statistics.md or changes.md."""
    return _parts(study)[name]


def manipulations_table(_: str) -> str:
    """What measures say of spoiled pictures, docs/reference/measures.md."""
    return tables.markdown(manipulations.table(RESULTS / "manipulations.csv"))


def benchmark_tables(_: str) -> str:
    """What the last benchmark measured, docs/science/benchmark.md."""
    import benchmark_report  # its folder is this script's

    found = ROOT / "docs" / "science" / "benchmark.json"
    return benchmark_report.text(json.loads(found.read_text(encoding="utf-8")))


KINDS: dict[str, Callable[[str], str]] = {  # of marks
    "results": table,
    "measured": measured_table,
    **{
        page.study.name: functools.partial(study_table, study)
        for study, page in pages.PAGES.items()
    },
    "manipulations": manipulations_table,
    "benchmark": benchmark_tables,
}


if __name__ == "__main__":
    command_line.run_command(main)
