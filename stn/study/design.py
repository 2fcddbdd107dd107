"""The designs of the studies: choices, photographs and paintings, in which order, what is asked.

Each has a protocol that was written before its first run: docs/experiments/protocol.md,
protocol_statistics.md and protocol_changes.md."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stn.layers import GATYS, JOHNSON
from stn.study.effects import Contrast

TRAINED, UNTRAINED = "trained", "random"


@dataclass(frozen=True)
class StudyChoice:
    """What is compared: its label, content layer, style layers (none: every ReLU), the style weight
    that its first search begins with, the seed of its initial image, its weights, and what else it
    sets.
    """

    label: str
    content: str
    style: tuple[str, ...]
    start: float
    seed: int = 0
    weights: str = TRAINED
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Design:
    """A study: what is computed and in which order, and what is asked of it.

    The first choice is the baseline. A stage is choices on the first so many photographs, each by
    all paintings."""

    name: str  # of its results, results/NAME_NETWORK_SIZE.csv
    choices: Mapping[str, StudyChoice]
    photographs: Mapping[str, str]
    paintings: Mapping[str, str]
    stages: Sequence[tuple[Sequence[str], int]]
    contrasts: Sequence[Contrast]
    base: tuple[str, ...]

    @property
    def baseline(self) -> str:
        return next(iter(self.choices))

    @property
    def compared(self) -> tuple[str, ...]:
        """The choices that are no controls."""
        return tuple(name for name in self.choices if name not in CONTROLS)

    def cells(self) -> Iterator[tuple[str, str, str]]:
        """(photograph, painting, choice) of every cell once, as they are computed."""
        every = (
            (photograph, painting, choice)
            for choices, photographs in self.stages
            for photograph in list(self.photographs)[:photographs]
            for painting in self.paintings
            for choice in choices
        )
        return iter(dict.fromkeys(every))


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
MEASURE, VALUE = "features", 0.6  # the content measure that all cells have
# The first is the primary outcome.
OUTCOMES = (
    *("patches_to_style", "gram", "histogram_to_style", "style"),
    *("ssim_to_content", "edges_to_content", "histogram_to_content"),
    *("checkerboard", "isolated_pixels"),
)
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

CONTROLS = ("seed", "relu1_1")  # must show nothing, and something
_FURTHER = ("johnson_content", "johnson_style", "johnson_released", "all_relus")
# Start weights are from one pair that is not in the study, tubingen under the_scream.
_LAYERS = {
    "gatys": StudyChoice("Gatys", "relu4_2", GATYS, 3.8),
    "johnson": StudyChoice("Johnson", "relu2_2", JOHNSON, 0.62),
    "relu1_1": StudyChoice("content relu1_1", "relu1_1", GATYS, 0.005),
    "seed": StudyChoice("Gatys, another seed", "relu4_2", GATYS, 3.8, seed=1),
    "johnson_content": StudyChoice("J content, G style", "relu2_2", GATYS, 0.43),
    "johnson_style": StudyChoice("G content, J style", "relu4_2", JOHNSON, 4.0),
    "johnson_released": StudyChoice("Johnson released", "relu3_3", JOHNSON, 1.25),
    "all_relus": StudyChoice("G content, all style", "relu4_2", (), 1.8),
    "random_gatys": StudyChoice("Gatys, random weights", "relu4_2", GATYS, 1.5, weights=UNTRAINED),
    "random_johnson": StudyChoice(
        "Johnson, random weights", "relu2_2", JOHNSON, 4.5, weights=UNTRAINED
    ),
}
LAYERS = Design(
    "study",
    _LAYERS,
    PHOTOGRAPHS,
    PAINTINGS,
    (
        (("gatys", "johnson"), 10),
        (("relu1_1", "seed"), 3),
        (_FURTHER, 3),
        (("random_gatys", "random_johnson"), 3),
        ((*_FURTHER, "relu1_1", "seed"), 10),
    ),
    (
        *(
            Contrast(name, "gatys", _LAYERS[name].label, primary=True)
            for name in ("johnson", *_FURTHER)
        ),
        Contrast("relu1_1", "gatys", "positive control: content relu1_1"),
        Contrast("seed", "gatys", "negative control: another seed"),
        Contrast("random_johnson", "random_gatys", "Johnson, both with random weights"),
    ),
    BASE,
)


# Each with the style weight that its first search begins with, as above.
_COMPARED = {
    "sliced_wasserstein": 5.8e5,
    "covariance": 5.7e5,
    "mean": 5e5,
    "mean_std": 4.2e5,
    "gaussian": 6.4e5,
    "chain": 6e5,
    "histogram": 4.5e5,
    "nearest": 6.9e5,
    "relaxed_emd": 1.6e6,
    "wasserstein2_newton": 5e5,  # ours, not sought: a run takes over a minute
}
_GRAM = StudyChoice("Gram", "relu4_2", GATYS, 4.2e5)
_STATISTICS = {
    "gram": _GRAM,
    **{
        name: dataclasses.replace(
            _GRAM,
            label="sliced" if name == "sliced_wasserstein" else name.replace("_", " "),
            start=start,
            overrides=(f"objective.style_statistic={name}",),
        )
        for name, start in _COMPARED.items()
    },
    "raw_gram": dataclasses.replace(
        _GRAM,
        label="published",
        start=3.8,
        overrides=("objective.layer_weighting=equal",),
    ),
    "seed": dataclasses.replace(_GRAM, label="Gram, another seed", seed=1),
    "relu1_1": dataclasses.replace(
        _GRAM, label="Gram, content relu1_1", content="relu1_1", start=550
    ),
}
_QUICK = tuple(name for name in ("gram", *_COMPARED, "raw_gram") if name != "wasserstein2_newton")
STATISTICS = Design(
    "statistics",
    _STATISTICS,
    {name: PHOTOGRAPHS[name] for name in list(PHOTOGRAPHS)[:6]},
    {name: PAINTINGS[name] for name in list(PAINTINGS)[:4]},
    (
        (_QUICK, 3),
        (CONTROLS, 3),
        (_QUICK, 6),
        (("wasserstein2_newton",), 3),
    ),
    (
        *(Contrast(name, "gram", _STATISTICS[name].label, primary=True) for name in _COMPARED),
        Contrast("raw_gram", "gram", "the published loss: Gram, equal weights"),
        Contrast("relu1_1", "gram", "positive control: content relu1_1"),
        Contrast("seed", "gram", "negative control: another seed"),
    ),
    (*BASE, "objective.layer_weighting=first_loss"),
)


# One thing changed, each with the style weight that its first search begins with, as above. Two
# more are asked by LAYERS: content relu2_2 is johnson_content, all ReLUs are all_relus.
_GATYS = StudyChoice("Gatys", "relu4_2", GATYS, 3.8)
_CHANGES = {
    "gatys": _GATYS,
    **{
        name: dataclasses.replace(_GATYS, label=label, start=start, overrides=overrides)
        for name, label, start, overrides in (
            ("average", "average pooling", 13, ("network.pooling=avg",)),
            ("rescaled", "rescaled network", 2.7e4, ("network.rescale=default",)),
            ("geometric", "geometric weights", 9.2, ("objective.layer_weighting=geometric",)),
            ("noise", "from noise", 1.1, ("init=noise",)),
            ("painting", "from the painting", 0.57, ("init=style",)),
            # as neural-style has it, -tv_weight 1e-3 (configs/preset/neural_style_pt.yaml)
            (
                "smooth",
                "total variation",
                3.8,
                (
                    "objective.total_variation.form=absolute",
                    "objective.total_variation.weight=1e-3",
                ),
            ),
            ("torch", "Torch's L-BFGS", 4.3, ("optimizer=torch_lbfgs",)),
            ("adam", "Adam", 2.0, ("optimizer=adam",)),
            ("border", "reflected border", 2.0, ("network.border=reflect",)),
        )
    },
    "three": dataclasses.replace(_GATYS, label="3 style layers", style=GATYS[:3], start=33),
    "content5": dataclasses.replace(
        _GATYS, label="content relu5_2", content="relu5_2", start=0.022
    ),
    "before": dataclasses.replace(
        _GATYS,
        label="before the ReLUs",
        start=1.5,
        content="conv4_2",
        style=tuple(name.replace("relu", "conv") for name in GATYS),
    ),
    "seed": dataclasses.replace(_GATYS, label="another seed", seed=1),
    "relu1_1": _LAYERS["relu1_1"],
}
_ALTERED = tuple(name for name in _CHANGES if name not in ("gatys", *CONTROLS))
CHANGES = Design(
    "changes",
    _CHANGES,
    STATISTICS.photographs,
    STATISTICS.paintings,
    ((("gatys", *_ALTERED), 3), (CONTROLS, 3), (("gatys", *_ALTERED), 6)),
    (
        *(Contrast(name, "gatys", _CHANGES[name].label, primary=True) for name in _ALTERED),
        Contrast("relu1_1", "gatys", "positive control: content relu1_1"),
        Contrast("seed", "gatys", "negative control: another seed"),
    ),
    BASE,
)
