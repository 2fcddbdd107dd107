"""A study's runs: choices at equal content, over photographs crossed with paintings.

A `design.Design` says what is computed. A cell is a choice on a pair of pictures: trials seek the
style weight at which its picture has the content measure. Nothing but the rows of `trials` is kept:
pictures are made again from their row."""

from __future__ import annotations

import copy
import functools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stn import config, layers, optimize, quantities
from stn.assets import foreign, inputs, matconvnet, pictures
from stn.metrics import measures
from stn.objective import objective
from stn.study import design, trials
from stn.transfer import initialize, matching, story

if TYPE_CHECKING:
    from stn.network.network import Network

UNTRAINED_SEED = 0


class Bench:
    """One network, size and budget, on which choices are tried; what they share is made once."""

    def __init__(
        self,
        network: str,
        size_px: int,
        evaluations: int,
        overrides: Sequence[str] = (),
        study: design.Design = design.LAYERS,
    ) -> None:
        self.network, self.study = network, study
        self.base = (
            *study.base,
            f"network={network}",
            f"image.size_px={size_px}",
            f"optimizer.max_evaluations={evaluations}",
            *overrides,
        )
        plain = config.compose(*self.base)
        inputs.prepare([(plain, list(self.base))])
        self.trained, self._plain = story.network_of(plain), plain.network
        self._settings = functools.cache(self._settings_of)
        self._sized = functools.lru_cache(maxsize=len(study.paintings))(self._sized_of)
        self._network = functools.cache(self._network_of)

    def made(
        self, photograph: str, painting: str, choice: str, style_weight: float
    ) -> tuple[np.ndarray, dict[str, float]]:
        """The picture, `rgb` [h, w, 3] as 8 bits hold it, and its measures, loss and seconds.

        The measures are those of the trained network, whatever weights the choice has."""
        began = time.perf_counter()
        settings = copy.deepcopy(self._settings(choice))
        settings.objective.style_weight = style_weight
        network, sized = self._network(choice), self._sized(photograph, painting)
        loss = objective.build(story.objective_of(settings), network, sized)
        unit = np.array(config.pixel_unit(settings))
        outcome = optimize.minimize(
            optimize.Problem(loss.value_and_grad, network.limits, unit),
            optimize.State(initialize.initial_image(settings.init, sized, network, settings.seed)),
            settings.optimizer,
        )
        rgb = np.rint(network.rgb(outcome.image))
        found = measures.measure(rgb, sized.photograph, sized.styles[0].rgb, self.trained.plain())
        kept = {name: found.get(f"measures/{name}", math.nan) for name in quantities.MEASURES}
        seconds = time.perf_counter() - began
        return rgb, kept | {"total": outcome.best.terms.total, "seconds": seconds}

    def inputs_of(self, photograph: str, painting: str) -> tuple[np.ndarray, np.ndarray]:
        """Photograph and painting at the sizes they have here, `rgb` [h, w, 3]."""
        sized = self._sized(photograph, painting)
        assert sized.photograph is not None
        return sized.photograph, sized.styles[0].rgb

    def _network_of(self, choice: str) -> Network:
        settings = self._settings(choice)
        if self.study.choices[choice].weights == design.UNTRAINED:
            return untrained(inputs.weights(settings), self.trained)
        return self.trained if settings.network == self._plain else story.network_of(settings)

    def _settings_of(self, choice: str) -> config.Config:
        chosen = self.study.choices[choice]
        style = chosen.style or layers.of_kind("relu", layers.trunk_of(self.network))
        return config.compose(
            *self.base,
            f"objective.content_layers=[{chosen.content}]",
            f"objective.style_layers=[{','.join(style)}]",
            f"seed={chosen.seed}",
            *chosen.overrides,
        )

    def _sized_of(self, photograph: str, painting: str) -> pictures.LevelPictures:
        settings = copy.deepcopy(self._settings(self.study.baseline))
        settings.content.path, settings.style.path = (
            self.study.photographs[photograph],
            self.study.paintings[painting],
        )
        return pictures.read(settings).at(1.0)


def untrained(path: Path, like: Network) -> Network:
    """A network of the same layers with random kernels, as `foreign.randomized` draws them: they
    keep the size of activations from layer to layer.
    """
    from stn.network import network

    weights = foreign.randomized(matconvnet.load(path), UNTRAINED_SEED)
    return network.of_weights(weights, like.convolution, like.options, like.operation)


def run(path: Path, bench: Bench, marks: Mapping[str, Any]) -> Iterator[trials.Row]:
    """Compute every trial that the file lacks, append its row, and give it."""
    rows, study = trials.read(path), bench.study
    for cell in study.cells():
        tried = trials.trials_of(rows, cell)
        while not trials.done(tried):
            weight = matching.following(
                tried,
                design.VALUE,
                trials.start_of(study, rows, cell),
                trials.slope_of(rows, cell[2]),
            )
            weight = float(f"{weight:.6g}")
            _, found = bench.made(*cell, weight)
            tried.append((weight, found[design.MEASURE]))
            row = {
                **marks,
                **dict(zip(trials.KEYS, cell, strict=True)),
                "seed": study.choices[cell[2]].seed,
                "trial": len(tried),
                "style_weight": weight,
                "matched": int(matching.hit(tried[-1], design.VALUE)),
                **{key: float(f"{value:.6g}") for key, value in found.items()},
            }
            trials.append(path, row)
            rows.append(row)
            yield row
