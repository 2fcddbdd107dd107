"""The design of the study: choices, photographs and paintings, in which order, and what is asked.

docs/experiments/protocol.md was written before the first run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stn.layers import GATYS, JOHNSON
from stn.study.crossed import Contrast

TRAINED, UNTRAINED = "trained", "random"


@dataclass(frozen=True)
class LayerChoice:
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
    BASELINE: LayerChoice("Gatys", "relu4_2", GATYS, 3.8),
    "johnson": LayerChoice("Johnson", "relu2_2", JOHNSON, 0.62),
    "relu1_1": LayerChoice("content relu1_1", "relu1_1", GATYS, 0.005),
    "seed": LayerChoice("Gatys, another seed", "relu4_2", GATYS, 3.8, seed=1),
    "johnson_content": LayerChoice("J content, G style", "relu2_2", GATYS, 0.43),
    "johnson_style": LayerChoice("G content, J style", "relu4_2", JOHNSON, 4.0),
    "johnson_released": LayerChoice("Johnson released", "relu3_3", JOHNSON, 1.25),
    "all_relus": LayerChoice("G content, all style", "relu4_2", (), 1.8),
    "random_gatys": LayerChoice("Gatys, random weights", "relu4_2", GATYS, 1.5, weights=UNTRAINED),
    "random_johnson": LayerChoice(
        "Johnson, random weights", "relu2_2", JOHNSON, 4.5, weights=UNTRAINED
    ),
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
