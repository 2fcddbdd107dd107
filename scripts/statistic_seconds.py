"""Time an evaluation of every style statistic next to the Gram matrix's: python
scripts/statistic_seconds.py

All objectives are made first and then evaluated in turns within one process, so that what else the
machine does falls on all alike. CPU time counts where it does much. The table of
docs/science/benchmark.md is results/tables/statistic_seconds.csv, which this writes. Rows of
statistics that are not asked for stay, each with the commit it is of."""

import csv
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from stn import command_line, config, devices, files, transfer
from stn.analysis import tables
from stn.assets import pictures
from stn.loss.statistics import STATISTICS
from stn.network.network import Network
from stn.objective import objective
from stn.runs import provenance

NETWORK = "vgg19_q8"
# Gatys et al. 2016, sections 2 and 3: content at relu4_2, style at five layers.
BASE = ("objective=gatys", f"network={NETWORK}", "content=tubingen", "style=starry_night")
LAYERS = "relu1_1,relu2_1,relu3_1,relu4_1,relu5_1"
# Where a statistic is meant for others: Li and Wand 2016, section 3; colors.
OWN_LAYERS = {
    "patches": "relu3_1,relu4_1",
    "patches_dense": "relu3_1,relu4_1",
    "palette": "rgb",
}
REFERENCE = "gram"


class Timed(NamedTuple):
    """CPU and wall seconds of an evaluation."""

    processor: float
    wall: float


def main() -> None:
    parser = command_line.parser(__doc__)
    parser.add_argument(
        "statistics", nargs="*", default=list(STATISTICS), help="some of them, in place of all"
    )
    parser.add_argument("--size", type=command_line.whole, default=512, help="long side, pixels")
    parser.add_argument("--rounds", type=command_line.whole, default=5, help="turns that count")
    parser.add_argument("--out", type=Path, default=Path("results/tables/statistic_seconds.csv"))
    arguments = parser.parse_args()
    for name in arguments.statistics:
        if name not in STATISTICS:
            parser.error(f"{name}: no such statistic; there are {', '.join(STATISTICS)}")
    found, shape = measure([REFERENCE, *arguments.statistics], arguments.size, arguments.rounds)
    earlier: list[dict[str, str]] = []
    if arguments.out.exists():
        earlier = list(csv.DictReader(arguments.out.read_text().splitlines()))
    files.write_text(arguments.out, table(found, shape, earlier))
    print(arguments.out)


def variants(names: list[str]) -> dict[str, tuple[str, ...]]:
    """What is set for each row: a statistic, and those that draw also drawn anew each time."""
    found: dict[str, tuple[str, ...]] = {}
    for name in dict.fromkeys(names):
        layers = OWN_LAYERS.get(name, LAYERS)
        settings = f"objective.style_statistic={name}", f"objective.style_layers=[{layers}]"
        found[f"`{name}`"] = settings
        if STATISTICS[name].draws:
            found[f"`{name}`, drawn anew"] = (*settings, "objective.redraw=1")
    return found


def measure(
    names: list[str], size: int, rounds: int
) -> tuple[dict[str, list[Timed]], tuple[int, int]]:
    """The times of every row, and the height and width."""
    network: Network | None = None
    evaluations: dict[str, Callable[[int], None]] = {}
    shape = 0, 0
    asked = variants(names)
    with tqdm(total=len(asked) * (rounds + 1), unit="evaluation", disable=None) as bar:
        for row, settings in asked.items():
            chosen = config.compose(*BASE, f"image.size_px={size}", "image.side=long", *settings)
            devices.use_precision(chosen.network.precision)
            network = network or transfer.network_of(chosen)
            sized = pictures.read(chosen).at(1.0)
            shape = sized.shape
            evaluations[row] = evaluation(chosen, network, sized)
            evaluations[row](0)  # compiles
            bar.update()
        found: dict[str, list[Timed]] = {row: [] for row in asked}
        for number in range(1, rounds + 1):
            for row, evaluate in evaluations.items():
                processor, wall = time.process_time(), time.perf_counter()
                evaluate(number)
                found[row].append(
                    Timed(time.process_time() - processor, time.perf_counter() - wall)
                )
                bar.update()
    return found, shape


def evaluation(
    chosen: config.Config, network: Network, sized: pictures.LevelPictures
) -> Callable[[int], None]:
    """What evaluates an objective at the photograph with noise, by the evaluation's number."""
    loss = objective.build(transfer.objective_of(chosen), network, sized)
    assert sized.content is not None
    image = network.image(sized.content)
    noise = np.random.default_rng(0).normal(0, 20, image.shape)
    image = (image + noise).astype(np.float32)

    def evaluate(number: int) -> None:
        loss.at_evaluation(number)
        loss.value_and_grad(image)

    return evaluate


def table(
    found: dict[str, list[Timed]],
    shape: tuple[int, int],
    earlier: Iterable[Mapping[str, str]] = (),
) -> str:
    """The medians over the Gram matrix's, as a file of results/tables, and those `earlier` rows of
    the same network and size that are not measured anew.
    """
    of_gram = found[f"`{REFERENCE}`"]
    origin = {
        "network": NETWORK,
        "size_px": f"{shape[1]} × {shape[0]}",
        **provenance.of_table("tensorflow", "numpy"),
    }
    columns = ["statistic", "CPU time", "time", "s", "turns", *origin]
    same = "network", "size_px"
    rows: dict[str, Mapping[str, object]] = {
        row["statistic"]: row for row in earlier if all(row[key] == origin[key] for key in same)
    }
    for row, times in found.items():
        processor, wall = (
            statistics.median(each) / statistics.median(reference)
            for each, reference in zip(
                zip(*times, strict=True), zip(*of_gram, strict=True), strict=True
            )
        )
        seconds = statistics.median(each.wall for each in times)
        rows[row] = {
            "statistic": row,
            "CPU time": f"{processor:.1f}",
            "time": f"{wall:.1f}",
            "s": f"{seconds:.2g}",
            "turns": len(times),
            **origin,
        }
    order = [row for row in variants(list(STATISTICS)) if row in rows]
    return tables.csv_text(columns, [rows[row] for row in order])


if __name__ == "__main__":
    command_line.run_command(main)
