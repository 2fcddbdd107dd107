"""Gatys' layers against Johnson's, style statistics, or one thing changed: the studies of
docs/experiments.

usage: python scripts/study.py [layers | statistics | changes] [--network NAME] [--size PX]
                               [--evaluations N] [--results FILE]
       python scripts/study.py [layers | statistics | changes] --page
                                                 the page's tables and figures, from the results
       python scripts/study.py --manipulations   what each measure says of spoiled pictures

Computes what the results file lacks, a row a trial, and says how long the rest will take. It may be
stopped at any time: the same command resumes there."""

import sys
import time
from pathlib import Path

from stn import backend, command_line
from stn.analysis import doc_tables, tables

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "docs" / "figures"
MEASURES = ROOT / "docs" / "reference" / "measures.md"
SIZE, EVALUATIONS = 64, 30  # docs/experiments/protocol.md says why


def main() -> None:
    parser = command_line.parser(__doc__)
    studies = ("layers", "statistics", "changes")
    parser.add_argument("study", nargs="?", default="layers", choices=studies)
    parser.add_argument("--network", default="vgg19_q8", help="or vgg16, vgg19")
    parser.add_argument("--size", type=command_line.whole, default=SIZE, help="the long side")
    parser.add_argument("--evaluations", type=command_line.whole, default=EVALUATIONS)
    parser.add_argument("--results", type=Path, help="default: results/NAME_NETWORK_SIZE.csv")
    parser.add_argument("--threads", type=command_line.whole, default=1)
    parser.add_argument("--page", action="store_true", help="write the page's tables")
    parser.add_argument("--manipulations", action="store_true", help="write their table")
    arguments = parser.parse_args()
    backend.use_threads(arguments.threads)
    # TensorFlow takes seconds to import
    from stn.study import crossing, manipulations, pages, trials
    from stn.transfer import matching

    page = pages.PAGES[arguments.study]
    study, chosen = page.study, (arguments.network, arguments.size, arguments.evaluations)
    path = arguments.results or ROOT / "results" / f"{study.name}_{chosen[0]}_{chosen[1]}.csv"
    origin = trials.marks_of(*chosen)
    earlier = trials.read(path)
    trials.check(path, earlier, origin)
    bench = crossing.Bench(*chosen, study=study)
    if arguments.page:
        pages.write(page, path, FIGURES, bench)
        print(page.path)
        return
    if arguments.manipulations:
        several = [row for row in earlier if row["photograph"] in list(study.photographs)[:3]]
        written = path.parent / "manipulations.csv"
        manipulations.write(written, bench, several)
        table = tables.markdown(manipulations.table(written))
        doc_tables.write([MEASURES], "manipulations", lambda _: table)
        print(written)
        return
    cells, began = list(study.cells()), time.monotonic()
    left = sum(not trials.done(trials.trials_of(earlier, cell)) for cell in cells)
    print(f"{path}: {len(cells) - left} of {len(cells)} cells are there", file=sys.stderr)
    ended = 0
    for row in crossing.run(path, bench, origin):
        ended += bool(row["matched"] or row["trial"] == matching.MOST_TRIALS)
        if ended:
            rest = (left - ended) * (time.monotonic() - began) / ended / 60
            print(
                f"[{ended}/{left}] {row['photograph']}, {row['painting']}, {row['choice']}:"
                f" {row['features']:.3f} at {row['style_weight']:.3g} ({rest:.0f} min left)",
                file=sys.stderr,
                flush=True,
            )
    print(path)


if __name__ == "__main__":
    command_line.run_command(main)
