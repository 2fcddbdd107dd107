"""What each measure says of a stylized picture that is spoiled in a known way: which to believe."""

import csv
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import scipy.ndimage

from stn import files, quantities
from stn.analysis import tables
from stn.images import resizing
from stn.metrics import measures
from stn.study import crossing, trials

STEP = 0.02  # of itself: a smaller change is none; another seed moves `patches_to_style` as much
# Strong enough to be seen at once, in levels of 255 and pixels. Ours.
BLUR, NOISE, CHECKERS = 1.0, 16.0, 12.0
COLUMNS = ("photograph", "painting", "manipulation", *quantities.MEASURES)


def manipulated(
    rgb: np.ndarray, photograph: np.ndarray, painting: np.ndarray
) -> dict[str, np.ndarray]:
    """The manipulations of a picture by name, `rgb` [h, w, 3], 0-255.

    They are four flaws, and the ends of the scales."""
    noise = np.random.default_rng(0).normal(0, NOISE, rgb.shape)
    y, x = np.mgrid[: rgb.shape[0], : rgb.shape[1]]
    found = {
        "blurred": scipy.ndimage.gaussian_filter(rgb, (BLUR, BLUR, 0)),
        "noise": rgb + noise,
        "checkers": rgb + CHECKERS * ((-1.0) ** (x + y))[..., None],
        "colors exchanged": rgb[..., [2, 0, 1]],
        "the painting": resizing.resize(painting, *rgb.shape[:2]),
        "the photograph": photograph,
    }
    return {name: np.rint(np.clip(picture, 0, 255)) for name, picture in found.items()}


def said(
    bench: crossing.Bench, photograph: str, painting: str, style_weight: float
) -> Iterator[dict[str, str]]:
    """A row a manipulation of the baseline's picture: 1 where a measure says worse, -1 better, 0
    where it hardly changes, by name.
    """
    rgb, _ = bench.made(photograph, painting, bench.study.baseline, style_weight)
    inputs = bench.inputs_of(photograph, painting)
    plain = bench.trained.plain()
    before = measures.measure(rgb, *inputs, plain)
    for name, picture in manipulated(rgb, *inputs).items():
        after = measures.measure(picture, *inputs, plain)
        row = {"photograph": photograph, "painting": painting, "manipulation": name}
        for key, quantity in quantities.MEASURES.items():
            one, other = before[f"measures/{key}"], after[f"measures/{key}"]
            change = (other - one) * (1 if quantity.better == quantities.LOWER else -1)
            row[key] = str(0 if abs(change) <= STEP * abs(one) else int(np.sign(change)))
        yield row


def write(path: Path, bench: crossing.Bench, rows: Sequence[trials.Row]) -> None:
    """Write what is said of every baseline picture among the first photographs' `rows`, as CSV."""
    found = (
        said(bench, row["photograph"], row["painting"], row["style_weight"])
        for row in rows
        if row["choice"] == bench.study.baseline and row["matched"]
    )
    files.write_text(path, tables.csv_text(COLUMNS, itertools.chain.from_iterable(found)))


def table(path: Path) -> list[list[str]]:
    """The cells of a table: a row a measure, a column a manipulation, how many of the pictures it
    calls worse / the same / better.
    """
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = list(dict.fromkeys(row["manipulation"] for row in rows))
    found = [["measure", *names]]
    for key in quantities.MEASURES:
        cells = []
        for name in names:
            signs = [int(row[key]) for row in rows if row["manipulation"] == name]
            cells.append(" / ".join(str(signs.count(sign)) for sign in (1, 0, -1)))
        found.append([key, *cells])
    return found
