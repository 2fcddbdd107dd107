"""Choices of layers at equal content, over photographs crossed with paintings: the study's runs.

docs/experiments/protocol.md was written before the first of them. A cell is a choice on a pair of
pictures: trials seek the style weight at which its picture has the content measure. Every trial is
a row of a CSV, written when it ends, so that a study that was stopped goes on from there.
Nothing else is kept: pictures are made again from their row."""

from __future__ import annotations

import copy
import csv
import functools
import importlib.metadata
import io
import math
import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stn import config, optimize, quantities
from stn.assets import foreign, inputs, matconvnet, pictures
from stn.errors import InputError
from stn.experiment import ablations
from stn.layers import GATYS, JOHNSON
from stn.objective import graph, objective, targets
from stn.runs import provenance
from stn.study.crossed import Contrast
from stn.transfer import initialize, matching, measures, story

if TYPE_CHECKING:
    from stn.network.network import Network

TRAINED, UNTRAINED = "trained", "random"
UNTRAINED_SEED = 0


@dataclass(frozen=True)
class Choice:
    """What is compared: its label, content layer, style layers (none: every ReLU), the style weight
    that its first search begins with, the seed of its initial image, and its weights.
    """

    label: str
    content: str
    style: tuple[str, ...]
    start: float
    seed: int = 0
    weights: str = TRAINED


BASELINE = "gatys"
# Start weights are from one pair that is not in the study, tubingen under the_scream.
CHOICES = {
    BASELINE: Choice("Gatys", "relu4_2", GATYS, 3.8),
    "johnson": Choice("Johnson", "relu2_2", JOHNSON, 0.62),
    "relu1_1": Choice("content relu1_1", "relu1_1", GATYS, 0.005),
    "seed": Choice("Gatys, another seed", "relu4_2", GATYS, 3.8, seed=1),
    "johnson_content": Choice("J content, G style", "relu2_2", GATYS, 0.43),
    "johnson_style": Choice("G content, J style", "relu4_2", JOHNSON, 4.0),
    "johnson_released": Choice("Johnson released", "relu3_3", JOHNSON, 1.25),
    "all_relus": Choice("G content, all style", "relu4_2", (), 1.8),
    "random_gatys": Choice("Gatys, random weights", "relu4_2", GATYS, 1.5, weights=UNTRAINED),
    "random_johnson": Choice("Johnson, random weights", "relu2_2", JOHNSON, 4.5, weights=UNTRAINED),
}
# Dark and bright, faces, buildings, things, nature; in color and in gray. All inside packages.
PHOTOGRAPHS = {
    "astronaut": "skimage:astronaut.png",
    "china": "sklearn:china.jpg",
    "coffee": "skimage:coffee.png",
    "camera": "skimage:camera.png",
    "flower": "sklearn:flower.jpg",
    "rocket": "skimage:rocket.jpg",
    "chelsea": "skimage:chelsea.png",
    "motorcycle": "skimage:motorcycle_left.png",
    "hopper": "matplotlib:grace_hopper.jpg",
    "coins": "skimage:coins.png",
}
PAINTINGS = {  # `scripts/fetch.py images` gets five; the sixth is drawn by stn/assets/painting.py
    "starry_night": "asset:starry_night_google.jpg",
    "the_scream": "asset:the_scream.jpg",
    "composition_vii": "asset:kandinsky.jpg",
    "shipwreck": "asset:shipwreck.jpg",
    "femme_nue_assise": "asset:seated-nude.jpg",
    "strokes": "drawn:strokes",
}
# Choices and how many of the photographs, in the order in which they are computed.
STAGES = (
    ((BASELINE, "johnson"), 10),
    (("relu1_1", "seed"), 3),
    (("johnson_content", "johnson_style", "johnson_released", "all_relus"), 3),
    (("random_gatys", "random_johnson"), 3),
    (("johnson_content", "johnson_style", "johnson_released", "all_relus", "relu1_1", "seed"), 10),
)
MEASURE, VALUE = "features", 0.6  # the content measure that all cells have
BASE = (
    "preset=gatys_released",
    "init=blend",
    "init.noise_ratio=0.1",  # so that a seed matters: noise of at most 2 levels of 255
    "image.side=long",
    "optimizer=spectral_lbfgs",
    "tracking=off",
    "content=tubingen",  # of each cell another takes its place
    "style=starry_night",
)
KEYS = ("photograph", "painting", "choice")
COLUMNS = (
    *("network", "size_px", "evaluations", *KEYS, "seed", "trial", "style_weight", "matched"),
    *quantities.MEASURES,
    *("total", "seconds", "commit", "tensorflow", "processor"),
)
CONTRASTS = (
    *(
        Contrast(name, BASELINE, CHOICES[name].label, primary=True)
        for name in (
            *("johnson", "johnson_content", "johnson_style", "johnson_released"),
            "all_relus",
        )
    ),
    Contrast("relu1_1", BASELINE, "positive control: content relu1_1"),
    Contrast("seed", BASELINE, "negative control: another seed"),
    Contrast("random_johnson", "random_gatys", "Johnson, both with random weights"),
)
# The first is the primary outcome.
OUTCOMES = (
    *("patches_to_style", "gram", "histogram_to_style", "style"),
    *("ssim_to_content", "edges_to_content", "histogram_to_content"),
    *("checkerboard", "isolated_pixels"),
)
Row = dict[str, Any]


def cells() -> Iterator[tuple[str, str, str]]:
    """(photograph, painting, choice) of every cell once, as they are computed."""
    every = (
        (photograph, painting, choice)
        for choices, photographs in STAGES
        for photograph in list(PHOTOGRAPHS)[:photographs]
        for painting in PAINTINGS
        for choice in choices
    )
    return iter(dict.fromkeys(every))


def read(path: Path) -> list[Row]:
    """The rows of a results file, numbers as numbers; none if there is no file.

    A last line that a killed process left unfinished is not taken. Raises InputError for a file
    with other columns."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    found = list(csv.DictReader(io.StringIO(whole)))
    if found and tuple(found[0]) != COLUMNS:
        raise InputError(f"{path}: has other columns than this study; give another file")
    return [{key: _number(value) for key, value in row.items()} for row in found]


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def append(path: Path, row: Row) -> None:
    """Write a row at the end of the file, after its headings if it is new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    kept = path.read_bytes() if path.is_file() else b""
    if not kept:
        writer.writeheader()
    writer.writerow(row)
    with path.open("ab") as file:
        file.truncate(kept.rfind(b"\n") + 1)  # of a line that was left unfinished
        file.write(text.getvalue().encode())
        file.flush()
        os.fsync(file.fileno())


def check(path: Path, rows: Sequence[Row], marks: Row) -> None:
    """Raise InputError where the file holds another network, size or budget than `marks`."""
    for key in ("network", "size_px", "evaluations"):
        others = {row[key] for row in rows} - {marks[key]}
        if others:
            other = next(iter(others))
            shown = other if isinstance(other, str) else f"{other:g}"
            raise InputError(f"{path}: holds rows with {key}={shown}; give --results FILE")


def trials_of(rows: Sequence[Row], cell: tuple[str, str, str]) -> list[matching.Trial]:
    """The trials of a cell so far."""
    return [(row["style_weight"], row[MEASURE]) for row in rows if _cell(row) == cell]


def done(trials: Sequence[matching.Trial]) -> bool:
    """Whether a cell's search is over: it hit, or it may try no more."""
    return len(trials) >= matching.MOST_TRIALS or any(
        matching.hit(trial, VALUE) for trial in trials
    )


def start_of(rows: Sequence[Row], cell: tuple[str, str, str]) -> float:
    """The style weight to begin with: the baseline's on this pair, times what the choice took over
    it on other pairs; before there are any, what the choice says.
    """
    photograph, painting, choice = cell
    found = {_cell(row): math.log(row["style_weight"]) for row in rows if row["matched"]}
    own = {each[:2]: value for each, value in found.items() if each[2] == choice}
    base = {each[:2]: value for each, value in found.items() if each[2] == BASELINE}
    if choice != BASELINE and (photograph, painting) in base:
        over = [value - base[pair] for pair, value in own.items() if pair in base]
        if not over:
            over = [math.log(CHOICES[choice].start / CHOICES[BASELINE].start)]
        return math.exp(base[photograph, painting] + statistics.median(over))
    near = [value for pair, value in own.items() if painting in pair or photograph in pair]
    every = near or list(own.values())
    return math.exp(statistics.median(every)) if every else CHOICES[choice].start


def slope_of(rows: Sequence[Row], choice: str) -> float | None:
    """How steep the measure is over log β, by the searches of this choice so far."""
    several: dict[tuple[str, str, str], list[matching.Trial]] = {}
    for row in rows:
        if row["choice"] == choice:
            several.setdefault(_cell(row), []).append((row["style_weight"], row[MEASURE]))
    return matching.typical_slope(list(several.values()))


def _cell(row: Row) -> tuple[str, str, str]:
    return row["photograph"], row["painting"], row["choice"]


class Bench:
    """One network, size and budget, on which choices are tried; what they share is made once."""

    def __init__(
        self, network: str, size_px: int, evaluations: int, overrides: Sequence[str] = ()
    ) -> None:
        self.network = network
        self.base = (
            *BASE,
            f"network={network}",
            f"image.size_px={size_px}",
            f"optimizer.max_evaluations={evaluations}",
            *overrides,
        )
        plain = config.compose(*self.base)
        inputs.prepare([(plain, list(self.base))])
        self.trained = story.network_of(plain)
        self._settings = functools.cache(self._settings_of)
        self._sized = functools.lru_cache(maxsize=len(PAINTINGS))(self._sized_of)
        self._targets = functools.cache(self._targets_of)
        self._untrained = functools.cache(lambda: untrained(inputs.weights(plain), self.trained))

    def made(
        self, photograph: str, painting: str, choice: str, style_weight: float
    ) -> tuple[np.ndarray, dict[str, float]]:
        """The picture, `rgb` as 8 bits hold it, and its measures, loss and seconds.

        The measures are those of the trained network, whatever weights the choice has."""
        began = time.perf_counter()
        settings = copy.deepcopy(self._settings(choice))
        settings.objective.style_weight = style_weight
        network, sized = self._network(choice), self._sized(photograph, painting)
        specification = story.objective_of(settings)
        assert sized.content is not None
        content = graph.content_features(specification, network, network.image(sized.content))
        style = self._targets(painting, choice)
        loss = objective.Objective(specification, network, content, style)
        outcome = optimize.minimize(
            loss.value_and_grad,
            optimize.State(initialize.initial_image(settings.init, sized, network, settings.seed)),
            settings.optimizer,
            on_evaluation=lambda evaluation, image: None,
            limits=network.limits,
            unit=np.array(config.pixel_unit(settings)),
        )
        rgb = np.rint(network.rgb(outcome.image))
        found = measures.measure(rgb, sized.photograph, sized.styles[0].rgb, self.trained.plain())
        kept = {name: found.get(f"measures/{name}", math.nan) for name in quantities.MEASURES}
        seconds = time.perf_counter() - began
        return rgb, kept | {"total": outcome.best.terms.total, "seconds": seconds}

    def inputs_of(self, photograph: str, painting: str) -> tuple[np.ndarray, np.ndarray]:
        """Photograph and painting at the sizes they have here, `rgb`."""
        sized = self._sized(photograph, painting)
        assert sized.photograph is not None
        return sized.photograph, sized.styles[0].rgb

    def _network(self, choice: str) -> Network:
        return self._untrained() if CHOICES[choice].weights == UNTRAINED else self.trained

    def _settings_of(self, choice: str) -> config.Config:
        chosen = CHOICES[choice]
        style = chosen.style or ablations.relus(self.network)
        return config.compose(
            *self.base,
            f"objective.content_layers=[{chosen.content}]",
            f"objective.style_layers=[{','.join(style)}]",
            f"seed={chosen.seed}",
        )

    def _sized_of(self, photograph: str, painting: str) -> pictures.LevelPictures:
        settings = copy.deepcopy(self._settings(BASELINE))
        settings.content.path, settings.style.path = PHOTOGRAPHS[photograph], PAINTINGS[painting]
        return pictures.read(settings).at(1.0)

    def _targets_of(self, painting: str, choice: str) -> Sequence[targets.StyleTarget]:
        specification = story.objective_of(self._settings(choice))
        network = self._network(choice)
        # The painting's size follows from its own sides, whatever the photograph.
        sized = self._sized(next(iter(PHOTOGRAPHS)), painting)
        return targets.build(
            specification,
            network,
            sized,
            lambda rgb, asked: graph.statistics(specification, network, network.image(rgb), asked),
        )


def untrained(path: Path, like: Network) -> Network:
    """A network of the same layers with random kernels, as `foreign.randomized` draws them: they
    keep the size of activations from layer to layer.
    """
    from stn.network import network

    weights = foreign.randomized(matconvnet.load(path), UNTRAINED_SEED)
    return network.of_weights(weights, like.convolution, like.options, like.operation)


def run(path: Path, bench: Bench, marks: Mapping[str, Any]) -> Iterator[Row]:
    """Compute every trial that the file lacks, append its row, and give it."""
    rows = read(path)
    for cell in cells():
        trials = trials_of(rows, cell)
        while not done(trials):
            weight = matching.following(
                trials, VALUE, start_of(rows, cell), slope_of(rows, cell[2])
            )
            weight = float(f"{weight:.6g}")
            _, found = bench.made(*cell, weight)
            trials.append((weight, found[MEASURE]))
            row = {
                **marks,
                **dict(zip(KEYS, cell, strict=True)),
                "seed": CHOICES[cell[2]].seed,
                "trial": len(trials),
                "style_weight": weight,
                "matched": int(matching.hit(trials[-1], VALUE)),
                **{key: float(f"{value:.6g}") for key, value in found.items()},
            }
            append(path, row)
            rows.append(row)
            yield row


def marks_of(network: str, size_px: int, evaluations: int) -> Row:
    """What every row of a study says of where it came from."""
    return {
        "network": network,
        "size_px": size_px,
        "evaluations": evaluations,
        "commit": provenance.git_commit(),
        "tensorflow": importlib.metadata.version("tensorflow"),
        "processor": provenance.processor(),
    }
