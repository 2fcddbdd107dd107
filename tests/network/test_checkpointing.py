"""Features in bands of rows, computed again for the gradient: equal to those of the whole picture,
in less memory.
"""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import synthetic

from stn import runs
from stn.assets.pictures import LevelPictures, Painting
from stn.config.schema import Color
from stn.loss.statistics import STATISTICS
from stn.metrics import measures
from stn.network import checkpointing, vgg
from stn.network.network import of_weights
from stn.network.vgg import Options
from stn.objective import objective, references
from stn.objective.specification import Formula, Specification, Term
from stn.objective.targets import StyleTarget
from stn.quantities import Terms

H, W = 21, 18  # odd at one block or another, so that pooling and the last band meet a border
LAYERS = ("relu1_1", "conv2_2", "pool2", "relu3_1")
FORMULA = Formula(total_variation="squared")


class Case(NamedTuple):
    formula: Formula = FORMULA
    options: Options = Options("avg")
    content_layer: str = "relu3_1"
    style_layers: tuple[str, ...] = LAYERS


CASES = {
    "maximum pooling, sides rounded down, shifted": Case(
        FORMULA._replace(activation_shift=-0.5), Options("max", ceil_mode=False)
    ),
    "polynomial, beyond the border its own pixels": Case(
        FORMULA._replace(statistic=STATISTICS["polynomial"]), Options("avg", border="replicate")
    ),
    "Wasserstein, beyond the border of the first convolution its own pixels": Case(
        FORMULA._replace(statistic=STATISTICS["wasserstein2"]),
        Options("max", border="replicate_first"),
    ),
    "covariance, mirrored, content in a large block": Case(
        FORMULA._replace(statistic=STATISTICS["covariance"]),
        Options("avg", border="reflect"),
        "relu1_2",
    ),
    "shifted Gram matrices": Case(
        FORMULA._replace(statistic=STATISTICS["shifted_gram"], shifts=(1, 4))
    ),
    "a chain": Case(FORMULA._replace(statistic=STATISTICS["chain"])),
    "Gram matrices that go on at the other side, to the end of a large block": Case(
        FORMULA, Options("avg", border="wrap"), "relu2_1", ("relu1_1", "conv2_2")
    ),
}
NETWORK = synthetic.vgg(19, channels=3, last="conv3_1")


@pytest.fixture(autouse=True)
def many_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks 1 and 2 are large, and a band has four rows of its own: five bands, of which three are
    a loop, and two.
    """
    monkeypatch.setattr(checkpointing, "BLOCK_BYTES", 2000)
    monkeypatch.setattr(checkpointing, "ROWS_OVER_MARGIN", 2)


def picture(kind: int, height: int = H, width: int = W) -> np.ndarray:
    y, x, c = np.mgrid[0:height, 0:width, 0:3].astype(np.float32)
    waves = (
        60 * np.sin(0.9 * x + 0.4 * y + c),
        90 * np.sin(0.05 * x * y / (1 + c)),
        50 * np.cos(x - 0.8 * c * y),
    )
    return waves[kind][None]


def value_and_grad(
    case: Case, by_rows: bool, guide: np.ndarray | None = None
) -> tuple[Terms, np.ndarray]:
    network = of_weights(NETWORK, options=case.options._replace(gradient_checkpointing=by_rows))
    weights = dict.fromkeys(case.style_layers, 0.25)
    specification = Specification(case.formula, {case.content_layer: 1.0}, weights, 1.0, 1e3, 1e-3)
    P = references.content_features(specification, network, picture(0))
    statistic, T = case.formula.statistic, None
    [A] = references.statistics(specification, network, picture(1, 17, 24), [(statistic, None)])
    if guide is not None:
        found = vgg.features(picture(0), network.kernels, LAYERS, Options(case.options.pooling))
        drawn = {layer: np.resize(guide, F.shape[1:3]) for layer, F in found.items()}
        T = {layer: each / np.linalg.norm(each) for layer, each in drawn.items()}
    target = StyleTarget(statistic, A, dict.fromkeys(case.style_layers, 1.0), T)
    loss = objective.Objective(specification, network, P, lambda _: objective.Drawn([target]))
    return loss.value_and_grad(picture(2))


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_are_those_of_the_whole_picture(name: str) -> None:
    assert_equal(CASES[name])


def test_guided_matrices_are_those_of_the_whole_picture() -> None:
    assert_equal(Case(), np.random.default_rng(0).uniform(0.1, 1, 1000))


def test_a_layer_that_a_second_statistic_sorts_is_whole_and_the_others_are_not() -> None:
    """The histogram of conv2_2 next to the Gram matrices of four layers."""
    term = Term("histogram", STATISTICS["histogram"], {"conv2_2": 2.0})
    found = []
    for by_rows in (False, True):
        options = Options("avg", gradient_checkpointing=by_rows)
        network = of_weights(NETWORK, options=options)
        weights = dict.fromkeys(LAYERS, 0.25)
        chosen = Specification(FORMULA, {}, weights, 1.0, 1e3, 1e-3, more_terms=(term,))
        style = Painting(picture(1)[0] + 128)
        sized = LevelPictures(None, (style,), None, picture(2).shape[1:3], Color())
        found.append(objective.build(chosen, network, sized).value_and_grad(picture(2)))
    (expected, slope), (terms, gradient) = found
    assert terms.per_layer.keys() >= {"histogram/conv2_2", *(f"style/{layer}" for layer in LAYERS)}
    assert terms.per_layer == pytest.approx(dict(expected.per_layer), rel=1e-5)
    gram = sum(0.25 * terms.per_layer[f"style/{layer}"] for layer in LAYERS)
    total = 1e3 * (gram + 2 * terms.per_layer["histogram/conv2_2"])
    assert terms.style == pytest.approx(total, rel=1e-6)
    assert np.linalg.norm(gradient - slope) < 1e-5 * np.linalg.norm(slope)


def test_hypercolumns_are_those_of_the_whole_picture_and_no_layer_is_whole() -> None:
    """Samples of a row at the border of a band, between it and the next, add up."""
    layers = dict.fromkeys(("rgb", *LAYERS), 0.2)
    formula = FORMULA._replace(
        statistic=STATISTICS["relaxed_emd"], content_reduction="self_similarity"
    )
    more = (
        Term("moments", STATISTICS["moments"], layers),
        Term("gram", STATISTICS["gram"], {"conv2_2": 1.0}),
    )
    chosen = Specification(formula, layers, layers, 1.0, 1.0, 1e-3, more_terms=more)
    sized = LevelPictures(
        picture(0)[0] + 128, (Painting(picture(1)[0] + 128),), None, (H, W), Color()
    )
    assert_rows_agree(chosen, sized, 1e-5)


def test_hypercolumns_of_a_grid_and_sorted_layers_are_those_of_the_whole_picture() -> None:
    layers = dict.fromkeys(("relu1_2", "conv2_2"), 0.5)
    formula = FORMULA._replace(statistic=STATISTICS["nearest_hypercolumns"])
    more = (Term("sliced_wasserstein", STATISTICS["sliced_wasserstein"], {"conv2_2": 1.0}),)
    chosen = Specification(formula, {}, layers, more_terms=more)
    content, style = (picture(kind)[0] + 128 for kind in (0, 1))
    sized = LevelPictures(content, (Painting(style),), None, (H, W), Color())
    assert_rows_agree(chosen, sized, 1e-4)


def assert_rows_agree(chosen: Specification, sized: LevelPictures, tolerance: float) -> None:
    """Losses and gradient by rows are those of the whole picture; `tolerance` is of the gradient's
    norm.
    """
    found = []
    for by_rows in (False, True):
        network = of_weights(NETWORK, options=Options("max", gradient_checkpointing=by_rows))
        found.append(objective.build(chosen, network, sized).value_and_grad(picture(2)))
    (expected, slope), (terms, gradient) = found
    assert terms.per_layer == pytest.approx(dict(expected.per_layer), rel=1e-5)
    assert np.linalg.norm(gradient - slope) < tolerance * np.linalg.norm(slope)


def assert_equal(case: Case, guide: np.ndarray | None = None) -> None:
    (expected, slope), (found, gradient) = (
        value_and_grad(case, by_rows, guide) for by_rows in (False, True)
    )
    assert found.per_layer == pytest.approx(dict(expected.per_layer), rel=1e-5)
    assert np.linalg.norm(gradient - slope) < 1e-5 * np.linalg.norm(slope)
    assert np.abs(gradient - slope).max() < 1e-4 * np.abs(slope).max()


def test_small_blocks_are_computed_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpointing, "BLOCK_BYTES", 2**20)
    case = Case(FORMULA._replace(content_reduction="sum"))  # none that was compiled by rows
    (expected, slope), (found, gradient) = (
        value_and_grad(case, by_rows) for by_rows in (False, True)
    )
    assert found == expected
    np.testing.assert_array_equal(gradient, slope)


def test_measures_are_those_of_the_whole_picture() -> None:
    three = [picture(kind)[0] + 128 for kind in range(3)]
    found = []
    for gradient_checkpointing in (False, True):
        options = Options(gradient_checkpointing=gradient_checkpointing)
        network = of_weights(NETWORK, options=options)
        found.append(measures.measure(*three, network))
    assert found[1] == pytest.approx(found[0], rel=1e-4)


def test_a_run_in_bands_says_so(run, tmp_path) -> None:
    layers = (
        "objective.content_layers=[relu2_1]",
        "objective.style_layers=[relu1_1]",
        "optimizer.max_evaluations=2",
    )
    found = [
        run(tmp_path / name, f"network.gradient_checkpointing={name}", *layers)
        for name in ("true", "false")
    ]
    machines = [runs.Run(tmp_path / name).provenance["machine"] for name in ("true", "false")]
    assert [each["gradient_checkpointing"] for each in machines] == [True, False]
    assert {each["convolution"] for each in machines} == {"winograd"}
    assert found[0].terms.total == pytest.approx(found[1].terms.total, rel=1e-3)


PEAK = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import synthetic
from stn.network import checkpointing as bands
from stn.network.network import of_weights
from stn.network.vgg import Options
from stn.objective import objective, references
from stn.objective.specification import Formula, Specification
from stn.objective.targets import StyleTarget
from stn.runs import provenance
bands.BLOCK_BYTES = 2**20
weights = synthetic.vgg(19, channels=32, last="conv2_1")
image = np.random.default_rng(0).normal(0, 50, (1, 1000, 300, 3)).astype(np.float32)
small = image[:, :64, :64]
chosen = Specification(Formula(), {}, {"relu1_1": 0.5, "relu2_1": 0.5})
def peak(image, gradient_checkpointing):
    options = Options("avg", gradient_checkpointing=gradient_checkpointing)
    network = of_weights(weights, options=options)
    [A] = references.statistics(chosen, network, small, [(chosen.formula.statistic, None)])
    target = StyleTarget(chosen.formula.statistic, A, {"relu1_1": 1.0, "relu2_1": 1.0})
    loss = objective.Objective(chosen, network, {}, lambda _: objective.Drawn([target]))
    loss.value_and_grad(image)
    return provenance.peak_memory_mb()
peak(small, False)  # TensorFlow is loaded, and has run
before = provenance.peak_memory_mb()
print(before, peak(image, True), peak(image, False))
"""


def test_the_peak_is_that_of_a_few_bands() -> None:
    """Of 0.3 million pixels and 32 channels one layer is 38 MB: whole, value and gradient take
    several of them.
    """
    command = [sys.executable, "-c", PEAK, str(Path(__file__).parents[1])]
    before, in_bands, whole = map(float, subprocess.check_output(command, text=True).split())
    assert whole - before > 75 and in_bands - before < 0.6 * (whole - before)
