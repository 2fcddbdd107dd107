"""The objective against an independent float64 network in NumPy, its gradient against that
network's differences.
"""

import dataclasses
import gc
import itertools
import weakref
from dataclasses import dataclass

import numpy as np
import pytest

from stn import backend, config
from stn.assets.pictures import LevelPictures, Painting
from stn.assets.weights import Layer, Weights
from stn.loss import losses, strotss
from stn.loss.statistics import STATISTICS
from stn.network import vgg
from stn.network.network import of_weights
from stn.network.vgg import Options
from stn.objective import objective, targets
from stn.objective.specification import Formula, Specification
from stn.quantities import Terms

H, W = 5, 7  # odd, so that pooling meets a border


def picture(kind: int, height: int, width: int) -> np.ndarray:
    """A smooth picture, mean-subtracted, [1, h, w, 3]; each `kind` is another one and none is
    noise.
    """
    y, x, c = np.mgrid[0:height, 0:width, 0:3].astype(np.float64)
    waves = (
        40 + 60 * np.sin(0.9 * x + 0.4 * y + c) + 8 * y,
        90 * np.sin(0.5 * x * y / (1 + c) + 1.3 * y) - 20 * c,
        15 * x - 11 * y + 30 * np.cos(1.7 * x + 0.8 * c * y) - 25,
    )
    return waves[kind][None].astype(np.float32).astype(np.float64)


CONTENT, STYLE, IMAGE = picture(0, H, W), picture(1, 8, 5), picture(2, H, W)


def network(seed: int = 0) -> Weights:
    """Three convolutions, with kernels that are neither square in channels nor symmetric."""
    rng = np.random.default_rng(seed)
    layers = []
    for name, inputs, outputs in (("conv1_1", 3, 4), ("conv1_2", 4, 3), ("conv2_1", 3, 5)):
        kernel = rng.normal(0, (2 / (9 * inputs)) ** 0.5, (3, 3, inputs, outputs)).astype(
            np.float32
        )
        layers.append(Layer(name, kernel, rng.normal(0, 5, outputs).astype(np.float32)))
    return Weights(tuple(layers), np.zeros(3))


NETWORK = network()


@dataclass(frozen=True)
class Form:
    """The named choices of a case, as the oracle and the program take them."""

    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]
    pooling: str
    content_reduction: str
    gram_divisor: str
    style_reduction: str
    total_variation: str
    total_variation_counted: bool = True
    ceil_mode: bool = True


@dataclass(frozen=True)
class Scale:
    """The numbers of a case; `content` and `style` are the layers' weights."""

    alpha: float
    beta: float
    content: tuple[float, ...]
    style: tuple[float, ...]
    total_variation: float = 0.0
    unit: tuple[float, float, float] = (1.0, 1.0, 1.0)


# The oracle: plain loops in float64, written from METHODS.md §2 and not from the code under test.


def convolve(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    _, h, w, _ = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    out = np.zeros((1, h, w, kernel.shape[3])) + bias
    for dy, dx in itertools.product(range(3), range(3)):
        out += padded[:, dy : dy + h, dx : dx + w] @ kernel[dy, dx].astype(np.float64)
    return out


def pool(x: np.ndarray, pooling: str, ceil_mode: bool) -> np.ndarray:
    _, h, w, n = x.shape
    out = np.zeros((1, -(-h // 2), -(-w // 2), n) if ceil_mode else (1, h // 2, w // 2, n))
    for y, x_ in itertools.product(range(out.shape[1]), range(out.shape[2])):
        window = x[
            0, 2 * y : 2 * y + 2, 2 * x_ : 2 * x_ + 2
        ]  # cut off at the border: real pixels only
        out[0, y, x_] = window.mean((0, 1)) if pooling == "avg" else window.max((0, 1))
    return out


def features(
    image: np.ndarray, pooling: str, ceil_mode: bool, weights: Weights = NETWORK
) -> dict[str, np.ndarray]:
    found = {"conv1_1": convolve(image, weights.layers[0].kernel, weights.layers[0].bias)}
    found["relu1_1"] = np.maximum(found["conv1_1"], 0)
    found["conv1_2"] = convolve(found["relu1_1"], weights.layers[1].kernel, weights.layers[1].bias)
    found["relu1_2"] = np.maximum(found["conv1_2"], 0)
    found["pool1"] = pool(found["relu1_2"], pooling, ceil_mode)
    found["conv2_1"] = convolve(found["pool1"], weights.layers[2].kernel, weights.layers[2].bias)
    found["relu2_1"] = np.maximum(found["conv2_1"], 0)
    return found


def gram(F: np.ndarray, divisor: str) -> np.ndarray:
    n, m = F.shape[3], F.shape[1] * F.shape[2]
    flat = F.reshape(m, n)
    return flat.T @ flat / {"one": 1, "m": m, "nm": n * m}[divisor]


def content_loss(F: np.ndarray, P: np.ndarray, reduction: str) -> float:
    squares = np.sum((F - P) ** 2)
    n, m = F.shape[3], F.shape[1] * F.shape[2]
    factors = {
        "half_sum": 1 / 2,
        "sum": 1,
        "mean": 1 / (n * m),
        "half_sum_over_sqrt_nm": 1 / (2 * np.sqrt(n * m)),
    }
    return squares * factors[reduction]


def style_loss(F: np.ndarray, S: np.ndarray, form: Form, positions: int) -> float:
    squares = np.sum((gram(F, form.gram_divisor) - gram(S, form.gram_divisor)) ** 2)
    n = F.shape[3]
    divisors = {
        "sum": 1,
        "mean": n**2,
        "sum_over_4n2": 4 * n**2,
        "sum_over_36s2": 4 * 3**2 * positions**2,
    }
    return squares / divisors[form.style_reduction]


def total_variation_loss(image: np.ndarray, form: str) -> float:
    dy, dx = np.diff(image, axis=1), np.diff(image, axis=2)
    rim = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), "edge")
    if form == "power":
        return np.sum((dy[:, :, :-1] ** 2 + dx[:, :-1] ** 2) ** 1.25)
    return {
        "none": 0.0,
        "absolute": np.abs(dy).sum() + np.abs(dx).sum(),
        "squared": (dy**2).sum() + (dx**2).sum(),
        "mean_squared": (dy**2).mean() + (dx**2).mean(),
        "mean_absolute": (np.abs(dy).mean() + np.abs(dx).mean()) / 2,
        "nine_point": 2 / 3 * ((dy**2).sum() + (dx**2).sum()) / image.size
        + (np.mean((rim[:, 1:, 1:] - rim[:, :-1, :-1]) ** 2) / 6)
        + (np.mean((rim[:, 1:, :-1] - rim[:, :-1, 1:]) ** 2) / 6),
    }[form]


def oracle(
    image: np.ndarray, form: Form, scale: Scale, content=CONTENT, style=STYLE, weights=NETWORK
) -> dict:
    """Every number of `Terms`, by its name."""
    F, P, S = (features(x, form.pooling, form.ceil_mode, weights) for x in (image, content, style))
    positions = image.shape[1] * image.shape[2]
    C = {
        layer: content_loss(F[layer], P[layer], form.content_reduction)
        for layer in form.content_layers
    }
    E = {layer: style_loss(F[layer], S[layer], form, positions) for layer in form.style_layers}
    terms = {
        "content": scale.alpha
        * sum(c * value for c, value in zip(scale.content, C.values(), strict=True)),
        "style": scale.beta
        * sum(w * value for w, value in zip(scale.style, E.values(), strict=True)),
        "total_variation": scale.total_variation
        * total_variation_loss(image / np.array(scale.unit), form.total_variation),
    }
    layers = {f"content/{k}": v for k, v in C.items()} | {f"style/{k}": v for k, v in E.items()}
    return {"total": sum(terms.values()), **terms, **layers}


def differences(function, image: np.ndarray, step: float = 1e-4) -> np.ndarray:
    """Central differences of a float64 function, pixel by pixel."""
    gradient = np.zeros_like(image)
    for place in np.ndindex(image.shape):
        nudge = np.zeros_like(image)
        nudge[place] = step
        gradient[place] = (function(image + nudge) - function(image - nudge)) / (2 * step)
    return gradient


def build(
    form: Form, scale: Scale, content=CONTENT, style=STYLE, weights=NETWORK
) -> objective.Objective:
    formula = Formula(
        form.content_reduction,
        gram_divisor=form.gram_divisor,
        style_reduction=form.style_reduction,
        total_variation=form.total_variation,
    )
    specification = Specification(
        formula,
        dict(zip(form.content_layers, scale.content, strict=True)),
        dict(zip(form.style_layers, scale.style, strict=True)),
        scale.alpha,
        scale.beta,
        scale.total_variation,
        form.total_variation_counted,
        scale.unit,
    )
    network = of_weights(weights, options=Options(form.pooling, form.ceil_mode))
    painting, shape = Painting(style[0]), content.shape[1:3]
    sized = LevelPictures(content[0], (painting,), None, shape, config.Color())
    return objective.build(specification, network, sized)


def flat(terms: Terms) -> dict[str, float]:
    numbers = {
        name: getattr(terms, name) for name in ("total", "content", "style", "total_variation")
    }
    return numbers | dict(terms.per_layer)


PAPER = Form(("relu2_1",), ("relu1_1", "relu2_1"), "avg", "half_sum", "m", "sum_over_4n2", "none")
PAPER_SCALE = Scale(1.0, 1e-3, (1.0,), (0.5, 0.5))
CASES = {
    "paper": (PAPER, PAPER_SCALE),
    "neural-style": (
        Form(("relu2_1",), ("relu1_1", "relu1_2"), "max", "mean", "nm", "mean", "absolute"),
        Scale(5.0, 100.0, (1.0,), (1.0, 0.7), 1e-3),
    ),
    "neural-style-tf": (
        Form(
            ("conv2_1", "conv1_2"),
            ("relu1_1", "pool1"),
            "avg",
            "half_sum_over_sqrt_nm",
            "m",
            "sum_over_4n2",
            "none",
        ),
        Scale(5.0, 1e-2, (0.3, 0.7), (0.2, 0.04)),
    ),
    "johnson": (
        Form(("relu1_2",), ("relu1_2", "relu2_1"), "max", "mean", "nm", "sum", "squared"),
        Scale(1.0, 5.0, (1.0,), (0.25, 0.75), 1e-2),
    ),
    "keras": (
        Form(("relu1_2",), ("relu2_1",), "max", "sum", "one", "sum_over_36s2", "power"),
        Scale(0.025, 1e-2, (1.0,), (1.0,), 0.1),
    ),
    "floor, avg": (dataclasses.replace(PAPER, ceil_mode=False), PAPER_SCALE),
    "floor, max": (
        Form(("pool1",), ("relu2_1",), "max", "mean", "m", "mean", "none", ceil_mode=False),
        Scale(1.0, 1e-3, (1.0,), (1.0,)),
    ),
    "[0,1] pixels": (
        Form(("relu2_1",), ("relu1_1",), "avg", "mean", "m", "mean", "mean_squared"),
        Scale(1.0, 1e-4, (1.0,), (1.0,), 1e4, (255.0, 255.0, 255.0)),
    ),
    "normalized pixels": (  # ImageNet's deviations, as Dive into Deep Learning's pixels have
        Form(("relu1_1",), ("relu2_1",), "max", "half_sum", "one", "mean", "mean_absolute"),
        Scale(1.0, 1e-6, (2.0,), (0.5,), 1e3, (58.395, 57.12, 57.375)),
    ),
    "eight neighbors": (
        Form(("relu2_1",), ("relu1_1",), "max", "mean", "nm", "mean", "nine_point"),
        Scale(1.0, 1.0, (1.0,), (1.0,), 2.0, (255.0, 255.0, 255.0)),
    ),
    "content only": (dataclasses.replace(PAPER, style_layers=()), Scale(2.0, 1e3, (1.0,), ())),
    "style only": (dataclasses.replace(PAPER, content_layers=()), Scale(2.0, 1e-3, (), (0.2, 0.8))),
}


def test_the_pictures_can_tell_right_from_wrong():
    for a, b in itertools.combinations((picture(kind, H, W) for kind in range(3)), 2):
        assert np.abs(a - b).mean() > 20
    for choice in ("content_reduction", "gram_divisor", "style_reduction"):
        known = {*config.choices(f"objective.{choice}")} - strotss.CONTENT_REDUCTIONS.keys()
        assert {getattr(form, choice) for form, _ in CASES.values()} == known
    assert {form.total_variation for form, _ in CASES.values()} == set(
        config.choices("objective.total_variation.form")
    )


@pytest.mark.parametrize("name", CASES)
def test_terms_and_gradient_equal_the_float64_network(name):
    form, scale = CASES[name]
    terms, gradient = build(form, scale).value_and_grad(IMAGE)
    expected = oracle(IMAGE, form, scale)
    assert flat(terms) == pytest.approx(expected, rel=2e-5)
    assert all(value > 0 for key, value in expected.items() if key in ("total", *terms.per_layer))
    slopes = differences(lambda image: oracle(image, form, scale)["total"], IMAGE)
    assert gradient.dtype == np.float64
    np.testing.assert_allclose(gradient, slopes, atol=1e-4 * np.abs(slopes).max(), rtol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_total_is_the_sum_of_the_weighted_terms_and_layers_are_raw(name):
    form, scale = CASES[name]
    terms, _ = build(form, scale).value_and_grad(IMAGE)
    assert terms.total == pytest.approx(
        terms.content + terms.style + terms.total_variation, rel=1e-12
    )
    layers = [f"content/{layer}" for layer in form.content_layers] + [
        f"style/{layer}" for layer in form.style_layers
    ]
    assert list(terms.per_layer) == layers
    ones = Scale(1.0, 1.0, (1.0,) * len(form.content_layers), (1.0,) * len(form.style_layers))
    raw, _ = build(form, ones).value_and_grad(IMAGE)
    assert raw.per_layer == terms.per_layer
    assert raw.content + raw.style == pytest.approx(sum(terms.per_layer.values()))


def test_a_term_is_zero_at_its_own_target():
    content_only, scale = CASES["content only"]
    elsewhere, slope = build(content_only, scale).value_and_grad(IMAGE)
    terms, gradient = build(content_only, scale).value_and_grad(CONTENT)
    assert terms.total == pytest.approx(0, abs=1e-6 * elsewhere.total)
    np.testing.assert_allclose(gradient, 0, atol=1e-5 * np.abs(slope).max())
    style_only, scale = CASES["style only"]
    terms, _ = build(style_only, scale, style=picture(1, H, W)).value_and_grad(picture(1, H, W))
    assert terms.total == pytest.approx(
        0, abs=1e-6 * build(style_only, scale).value_and_grad(IMAGE)[0].total
    )


def test_a_reconstruction_does_not_depend_on_the_other_picture():
    for name, same in (
        ("content only", {"style": picture(2, 6, 6)}),
        ("style only", {"content": picture(1, H, W)}),
    ):
        form, scale = CASES[name]
        first, second = (build(form, scale, **other).value_and_grad(IMAGE) for other in ({}, same))
        assert first[0] == second[0]
        np.testing.assert_array_equal(first[1], second[1])


def test_total_variation_may_count_in_the_gradient_only():
    """As in Torch's neural-style, where it is outside the objective (METHODS.md §2.2)."""
    form, scale = CASES["johnson"]
    counted, gradient = build(form, scale).value_and_grad(IMAGE)
    terms, same = build(
        dataclasses.replace(form, total_variation_counted=False), scale
    ).value_and_grad(IMAGE)
    assert terms.total_variation == 0
    assert terms.total == pytest.approx(counted.total - counted.total_variation, rel=1e-12)
    assert counted.total_variation > 1e-3 * counted.total
    np.testing.assert_allclose(same, gradient, rtol=1e-6, atol=1e-9)


def test_one_trace_serves_every_target_weight_and_network_of_the_same_shape(monkeypatch):
    traces = []
    total_variation = losses.total_variation  # TensorFlow calls it where it traces, and only there
    monkeypatch.setattr(
        losses, "total_variation", lambda *given: traces.append(given) or total_variation(*given)
    )
    # Layers that no other test asks for together, so that the count starts at zero.
    form = Form(("conv1_1",), ("conv2_1", "relu1_2"), "max", "mean", "m", "sum", "squared")
    sweep = [
        (Scale(1.0, 1.0, (1.0,), (0.5, 0.5), 2.0), CONTENT, STYLE, NETWORK),
        (Scale(3.0, 1e-2, (0.5,), (0.1, 2.0), 4.0, (255.0, 1.0, 2.0)), CONTENT, STYLE, NETWORK),
        (Scale(1.0, 1.0, (1.0,), (0.5, 0.5), 1.0), picture(1, H, W), picture(0, 12, 10), NETWORK),
        (Scale(1.0, 0.0, (1.0,), (0.5, 0.5), 0.5), CONTENT, STYLE, network(seed=1)),
    ]
    for scale, content, style, weights in sweep:
        terms, _ = build(form, scale, content, style, weights).value_and_grad(IMAGE)
        assert flat(terms) == pytest.approx(
            oracle(IMAGE, form, scale, content, style, weights), rel=2e-5
        )
    assert len(traces) == 1
    build(form, sweep[0][0], picture(0, 6, 6)).value_and_grad(picture(2, 6, 6))
    assert len(traces) == 2


def test_what_was_compiled_for_earlier_shapes_is_given_up_without_a_warning(monkeypatch, caplog):
    form = Form(("relu1_1",), ("relu1_2",), "max", "mean", "m", "sum", "none")
    scale = Scale(1.0, 1.0, (1.0,), (1.0,))
    monkeypatch.setattr(backend, "TRACES_KEPT", 3)
    gradients = len(backend.custom_gradients())
    graphs = weakref.WeakSet()
    features = vgg.features
    monkeypatch.setattr(vgg, "features", lambda x, *rest: graphs.add(x.graph) or features(x, *rest))
    for height in range(4, 12):
        build(form, scale, picture(0, height, 6), picture(1, height, 5)).value_and_grad(
            picture(2, height, 6)
        )
    gc.collect()
    assert len(graphs) == 3
    assert len(backend.custom_gradients()) == gradients
    assert not caplog.records


def test_same_inputs_give_the_same_bytes():
    form, scale = CASES["neural-style"]
    (first, first_gradient), (second, second_gradient) = (
        build(form, scale).value_and_grad(IMAGE) for _ in range(2)
    )
    assert first == second
    assert first_gradient.tobytes() == second_gradient.tobytes()


def test_three_styles_have_their_weighted_mean_as_target() -> None:
    """Of two the shares add up to one at once; of three they do not until the last."""
    shares, matrices = (0.2, 0.3, 0.5), np.random.default_rng(0).normal(size=(3, 4, 4))
    [mean] = targets.averaged(
        [
            targets.StyleTarget(STATISTICS["gram"], {"relu1_1": A}, {"relu1_1": share})
            for A, share in zip(matrices, shares, strict=True)
        ]
    )
    np.testing.assert_allclose(
        mean.A["relu1_1"], np.average(matrices, axis=0, weights=shares), rtol=1e-12
    )
    assert mean.shares["relu1_1"] == pytest.approx(1)
