"""Which measure goes with what people say: ranks of measures against ratings.

usage: python experiments/human_ratings.py FOLDER [--network vgg19_q8] [--size 256] [--threads N]

FOLDER has ratings.csv, a line a picture: `content,style,result`, paths as seen from FOLDER, and a
column `rating…` for each person. Kitov et al. 2024 (arXiv:2412.17139) rated 10,000 pictures of
50 photographs and 50 paintings three times each; bring their table to these columns. It could not
be fetched where this was written, so nothing is claimed of it.

Measures every picture (a second call resumes), then writes correlations.csv, figure.png and
caption.txt to outputs/experiments/human_ratings/NAME-OF-FOLDER."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from stn import backend, command_line, files
from stn.analysis import figures, tables
from stn.command_line import whole
from stn.errors import InputError
from stn.experiment import frame

RATINGS = "ratings.csv"
RATING = "rating"  # how the columns of ratings begin
RESAMPLES = 2000
LEVEL = 0.95
FEWEST = 6  # photographs below which an interval over them says nothing
# Measured pictures between two writes of measures.csv: a stopped call loses no more.
KEPT_EVERY = 10

Rated = tuple[str, str, str, float]  # content, style and result as typed, and the mean rating
Correlation = tuple[float, float, float]  # Spearman's, and the ends of its interval


def read_ratings(path: Path) -> list[Rated]:
    """The rated pictures of a ratings.csv; InputError, which names the line."""
    if why := files.why_unreadable(path):
        raise InputError(f"{path}: {why}; it needs the columns content, style, result, {RATING}…")
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    people = [name for name in (rows[0] if rows else ()) if str(name).startswith(RATING)]
    if not people or not {"content", "style", "result"} <= rows[0].keys():
        raise InputError(f"{path}: needs the columns content, style, result, {RATING}… and lines")
    found = []
    for number, row in enumerate(rows, start=2):
        try:
            mean = float(np.mean([float(row[person]) for person in people]))
        except (TypeError, ValueError):
            raise InputError(f"{path}, line {number}: a rating is no number") from None
        if not all(row[role] for role in ("content", "style", "result")):
            raise InputError(f"{path}, line {number}: a path is empty")
        found.append((row["content"], row["style"], row["result"], mean))
    return found


def correlations(
    measured: Mapping[str, Mapping[str, float]], rated: Sequence[Rated], seed: int = 0
) -> dict[str, Correlation]:
    """Spearman's rank correlation of each measure with the mean rating, and its interval.

    Photographs are the units of the interval: whole ones are drawn with replacement (percentile
    bootstrap, Efron 1979), since pictures of one photograph are rated alike. A measure that a
    picture lacks is left out.
    """
    names = sorted(set.intersection(*(set(measured[result]) for _, _, result, _ in rated)))
    numbers = np.array(
        [[*(measured[result][name] for name in names), mean] for _, _, result, mean in rated]
    )
    contents = [content for content, *_ in rated]
    units = [np.flatnonzero(np.array(contents) == name) for name in sorted(set(contents))]
    rng = np.random.default_rng(seed)
    draws = np.array(
        [
            _spearman(numbers[np.concatenate([units[i] for i in chosen])])
            for chosen in rng.integers(len(units), size=(RESAMPLES, len(units)))
        ]
    )
    ends = np.nanquantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    found = zip(names, zip(_spearman(numbers), *ends, strict=True), strict=True)
    return {
        name: (float(middle), float(low), float(high))
        for name, (middle, low, high) in found
        if np.isfinite(middle)  # ranks of equal numbers say nothing
    }


def _spearman(numbers: np.ndarray) -> np.ndarray:
    """Spearman's correlation of every column but the last with the last; nan for a constant one."""
    from scipy.stats import rankdata  # takes a second to import

    ranks = rankdata(numbers, axis=0)
    ranks -= ranks.mean(axis=0)
    with np.errstate(invalid="ignore"):
        ranks /= np.sqrt((ranks**2).sum(axis=0))
    correlated: np.ndarray = ranks[:, :-1].T @ ranks[:, -1]
    return correlated


def measure(
    folder: Path, rated: Sequence[Rated], kept: Path, network: str, size: int | None
) -> dict[str, dict[str, float]]:
    """Every picture's measures by its path as typed; those in `kept` are not computed again."""
    from stn.transfer import measuring  # TensorFlow takes seconds to import

    found = _read(kept)
    missing = [each for each in rated if each[2] not in found]
    for number, (content, style, result, _) in enumerate(missing, start=1):
        job = measuring.Job(folder / content, folder / style, folder / result)
        found[result] = measuring.numbers(*measuring.of_job(job, network, size))
        if sys.stderr.isatty():
            print(f"[{number}/{len(missing)}] {result}", file=sys.stderr)
        if number % KEPT_EVERY == 0:
            _write(kept, found)
    _write(kept, found)
    return found


def draw(found: Mapping[str, Correlation]) -> figures.Figure:
    """Each measure's correlation and interval, the strongest on top."""
    ordered = sorted(found, key=lambda name: abs(found[name][0]))
    with figures.paper_style():
        figure, axis = figures.subplots(
            1, 1, figsize=(figures.TEXT_WIDTH, 0.6 + 0.22 * len(ordered))
        )
        for place, name in enumerate(ordered):
            middle, low, high = found[name]
            axis.plot([low, high], [place, place], color="0.6")
            axis.plot([middle], [place], "o", color="black", markersize=3)
        axis.axvline(0, color="0.8", zorder=0)
        axis.set_yticks(range(len(ordered)), ordered)
        axis.set(xlabel="rank correlation with the mean rating", xlim=(-1, 1))
    return figure


def main() -> None:
    parser = command_line.parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--network", default="vgg19_q8", help="vgg19_q8, vgg19, vgg16 or a .mat")
    parser.add_argument("--size", type=lambda text: whole(text, least=16), help="long side, pixels")
    parser.add_argument("--threads", type=whole, help="of TensorFlow; default: one a core")
    arguments = parser.parse_args()
    rated = read_ratings(arguments.folder / RATINGS)
    contents = len({content for content, *_ in rated})
    if contents < FEWEST:
        raise InputError(
            f"{arguments.folder / RATINGS}: has {contents} photographs; intervals over photographs"
            f" need {FEWEST}"
        )
    backend.use_threads(arguments.threads)
    setting = f"{arguments.network}-{arguments.size or 'own'}".replace("/", "_")
    above = (frame.OUTPUT / "human_ratings" / arguments.folder.resolve().name).absolute()
    above.mkdir(parents=True, exist_ok=True)
    kept = above / f"measures-{setting}.csv"
    measured = measure(arguments.folder, rated, kept, arguments.network, arguments.size)
    found = correlations(measured, rated)
    strongest = sorted(found, key=lambda name: -abs(found[name][0]))
    lines = [["measure", "rank correlation", "from", "to"]]
    lines += [[name, *(f"{number:.3f}" for number in found[name])] for name in strongest]
    files.write_text(above / "correlations.csv", tables.csv_lines(lines))
    print(tables.markdown(lines[:11]), end="")
    caption = f"""
Spearman's rank correlation of each measure with the mean rating of {len(rated)} pictures, and its
{LEVEL:.0%} interval over {contents} photographs (percentile bootstrap). {len(found)} measures are
shown, without a correction for so many comparisons.

{arguments.network}; long side {arguments.size or "as it is"}."""
    shown = {name: found[name] for name in strongest if name.count("/") <= 1 or "published" in name}
    print(frame.write(above, draw(shown), caption))


def _read(path: Path) -> dict[str, dict[str, float]]:
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {
        str(row.pop("result")): {key: float(value) for key, value in row.items() if value}
        for row in rows
    }


def _write(path: Path, found: Mapping[str, Mapping[str, float]]) -> None:
    columns = list(dict.fromkeys(key for each in found.values() for key in each))
    rows = ({"result": name, **each} for name, each in found.items())
    files.write_text(path, tables.csv_text(["result", *columns], rows))


if __name__ == "__main__":
    command_line.run_command(main)
