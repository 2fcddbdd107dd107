"""Every preset against a float64 oracle written from METHODS.md's formulas; nothing of it comes from stn's losses.

The oracle is a table of what each system computes, and a network of its own: TensorFlow operations in float64.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from stn import config, images, matconvnet, rescale, resizing, transfer, vgg, weights

PRESETS = sorted(path.stem for path in (config.CONFIG_DIR / "preset").glob("*.yaml"))
GATYS = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
JOHNSON = ["relu1_2", "relu2_2", "relu3_3", "relu4_3"]
SECOND = ["relu1_2", "relu2_2", "relu3_2", "relu4_2", "relu5_2"]
SMALL, LARGE = (48, 64), (97, 131)  # 97 × 131: odd at every pooling


def mse(x: Any, y: Any) -> Any:
    return tf.reduce_mean((x - y) ** 2)


def squares(x: Any, y: Any) -> Any:
    return tf.reduce_sum((x - y) ** 2)


def raw_gram(F: Any) -> Any:
    return tf.einsum("bhwi,bhwj->ij", F, F)


def size(F: Any) -> tuple[float, float]:
    """N and M of features."""
    return float(F.shape[3]), float(F.shape[1] * F.shape[2])


def gatys_style(F: Any, S: Any) -> Any:
    """Σ(G/M − A/M)² / (4N²), which is eq. 4 with each Gram over its own M."""
    (N, M), (_, M_style) = size(F), size(S)
    return squares(raw_gram(F) / M, raw_gram(S) / M_style) / (4 * N**2)


def mean_style(F: Any, S: Any) -> Any:
    """MSE(G/(NM) − A/(NM))."""
    (N, M), (_, M_style) = size(F), size(S)
    return mse(raw_gram(F) / (N * M), raw_gram(S) / (N * M_style))


def tutorial_style(F: Any, S: Any) -> Any:
    """MSE(G/M − A/M)."""
    return mse(raw_gram(F) / size(F)[1], raw_gram(S) / size(S)[1])


def released_style(F: Any, S: Any) -> Any:
    """1e3/N² · MSE(G/M − A/M)."""
    return 1e3 / size(F)[0] ** 2 * tutorial_style(F, S)


def johnson_style(F: Any, S: Any) -> Any:
    """Σ(G/(NM) − A/(NM))²."""
    (N, M), (_, M_style) = size(F), size(S)
    return squares(raw_gram(F) / (N * M), raw_gram(S) / (N * M_style))


def differences(x: Any) -> tuple[Any, Any]:
    return x[:, 1:] - x[:, :-1], x[:, :, 1:] - x[:, :, :-1]


def absolute(x: Any) -> Any:
    return sum(tf.reduce_sum(tf.abs(d)) for d in differences(x))


def squared(x: Any) -> Any:
    return sum(tf.reduce_sum(d**2) for d in differences(x))


def mean_squared(x: Any) -> Any:
    return sum(tf.reduce_mean(d**2) for d in differences(x))


def half_mean_absolute(x: Any) -> Any:
    return sum(tf.reduce_mean(tf.abs(d)) for d in differences(x)) / 2


def power(x: Any) -> Any:
    dy, dx = x[:, 1:, :-1] - x[:, :-1, :-1], x[:, :-1, 1:] - x[:, :-1, :-1]
    return tf.reduce_sum((dx**2 + dy**2) ** 1.25)


IMAGENET_STD = np.array([0.229, 0.224, 0.225])


class System:
    """What one system minimizes: Σ content_weight · content + Σ style_weights · style + smoothness(image)."""

    def __init__(
        self,
        content_layer: str,
        content: Callable[[Any, Any], Any],
        style_layers: list[str],
        style: Callable[..., Any],
        style_weights: list[float],
        pooling: str,
        smoothness: Callable[[Any], Any] = lambda x: 0.0,
        depth: int = 19,
        uncounted: Callable[[Any], Any] = lambda x: 0.0,
    ) -> None:
        self.content_layer, self.content, self.style_layers, self.style = content_layer, content, style_layers, style
        self.style_weights, self.pooling, self.smoothness, self.depth = style_weights, pooling, smoothness, depth
        self.uncounted = uncounted


def paper_content(F: Any, P: Any) -> Any:
    return squares(F, P) / 2


# METHODS.md §2.2, row by row.
SYSTEMS = {
    "gatys2015": System("relu4_2", paper_content, GATYS, gatys_style, [1e3 / 5] * 5, "avg"),
    "gatys2016": System("relu4_2", paper_content, GATYS, gatys_style, [1e3 / 5] * 5, "avg"),
    "gatys_released": System("relu4_2", mse, GATYS, released_style, [1.0] * 5, "max"),
    "johnson2016": System(
        "relu2_2", mse, JOHNSON, johnson_style, [5.0] * 4, "max", lambda x: 1e-6 * squared(x), depth=16
    ),
    "neural_style": System(
        "relu4_2",
        lambda F, P: 5 * mse(F, P),
        GATYS,
        mean_style,
        [100.0] * 5,
        "max",
        uncounted=lambda x: 1e-3 / 2 * squared(x),
    ),
    "neural_style_pt": System(
        "relu4_2", lambda F, P: 5 * mse(F, P), GATYS, mean_style, [100.0] * 5, "max", lambda x: 1e-3 * absolute(x)
    ),
    "neural_style_tf": System(
        "conv4_2",
        lambda F, P: 5 * squares(F, P) / (2 * size(F)[0] ** 0.5 * size(F)[1] ** 0.5),
        GATYS,
        gatys_style,
        [1e4 * 0.2 / 5] * 5,
        "avg",
        lambda x: 1e-3 * absolute(x),
    ),
    "neural_style_anish": System(
        "relu4_2", lambda F, P: 5 * mse(F, P), GATYS, mean_style, [500 / 5] * 5, "max", lambda x: 100 * mean_squared(x)
    ),
    "tf_tutorial": System(
        "relu5_2",
        lambda F, P: 1e4 * mse(F, P),
        GATYS,
        tutorial_style,
        [1e-2 / 5] * 5,
        "max",
        lambda x: 30 * absolute(x / 255),
    ),
    "tf_tutorial_course": System(
        "relu5_2",
        lambda F, P: 1e4 * mse(F, P),
        SECOND,
        tutorial_style,
        [1e-2 / 5] * 5,
        "max",
        lambda x: 1e8 * mean_squared(x / 255),
    ),
    "d2l": System(
        "relu4_4",
        mse,
        GATYS,
        mean_style,
        [1e3 * 10] * 5,
        "max",
        lambda x: 10 * half_mean_absolute(x / (255 * IMAGENET_STD)),
    ),
    "tf1_walkthrough": System(
        "relu5_2",
        lambda F, P: 5 * squares(F, P) / 2,
        GATYS,
        gatys_style,
        [100 * w for w in (0.5, 1.0, 1.5, 3.0, 4.0)],
        "avg",
    ),
    "vgg16_lbfgs_walkthrough": System(
        "relu2_2",
        lambda F, P: 0.025 * squares(F, P),
        [*JOHNSON, "relu5_3"],
        lambda F, S, S2: squares(raw_gram(F), raw_gram(S)) / (4 * 3**2 * S2**2),
        [1.0] * 5,
        "max",
        power,
        depth=16,
    ),
    "demo": System(
        "relu3_3", paper_content, JOHNSON, gatys_style, [1e6 / 4] * 4, "avg", lambda x: 10 * squared(x), depth=16
    ),
}
FORCED_TO_CONTENT = ("neural_style_tf", "d2l", "tf1_walkthrough", "vgg16_lbfgs_walkthrough")  # style's size


def network(depth: int, path: Path) -> weights.Weights:
    """A narrow VGG with He-scaled random kernels and small positive biases, from a .mat on disk."""
    generator = np.random.default_rng(depth)
    layers, channels = [], 3
    for block, (convs, width) in enumerate(zip(weights.CONVS_PER_BLOCK[depth], (8, 12, 16, 24, 24), strict=True), 1):
        for i in range(1, convs + 1):
            kernel = generator.normal(0, (2 / (9 * channels)) ** 0.5, (3, 3, channels, width)).astype(np.float32)
            bias = generator.uniform(0, 0.3, width).astype(np.float32)
            layers.append(weights.Layer(f"conv{block}_{i}", kernel, bias))
            channels = width
    matconvnet.write(path, weights.Weights(tuple(layers), np.array(weights.IMAGENET_MEAN, dtype=np.float32)))
    return matconvnet.load(path)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("networks")
    for depth in (16, 19):
        network(depth, folder / f"{depth}.mat")
    return {depth: folder / f"{depth}.mat" for depth in (16, 19)}


def pictures(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Content, style and a third picture, each a photograph of its own.

    None has flat areas: there maxima tie, and float32 and float64 pass the gradient to different pixels.
    """
    names = ("chelsea.png", "coffee.png", "motorcycle_left.png")
    photographs = [images.read(images.sample_path("skimage", name)) for name in names]
    return tuple(resizing.resize(rgb[20:, 30:], height, width) for rgb in photographs)  # type: ignore[return-value]


def oracle_features(image: Any, net: weights.Weights, pooling: str) -> dict[str, Any]:
    """Every conv and relu layer in float64; 2 × 2 pooling that leaves what lies beyond the border out."""
    found, x, block = {}, image, 1
    for layer in net.layers:
        if layer.name[4] != str(block):
            block += 1
            pool = tf.nn.avg_pool2d if pooling == "avg" else tf.nn.max_pool2d
            x = pool(x, 2, 2, "SAME")
        x = tf.nn.conv2d(x, layer.kernel.astype(np.float64), 1, "SAME") + layer.bias.astype(np.float64)
        found[layer.name] = x
        x = tf.maximum(x, 0.0)
        found[layer.name.replace("conv", "relu")] = x
    return found


def oracle(system: System, net: weights.Weights, rgb: tuple[np.ndarray, ...]) -> tuple[float, np.ndarray]:
    content, style, third = (tf.constant((p - net.mean_pixel.astype(np.float64))[None]) for p in rgb)
    P, S = (oracle_features(image, net, system.pooling) for image in (content, style))
    with tf.GradientTape() as tape:
        tape.watch(third)
        F = oracle_features(third, net, system.pooling)
        total = system.content(F[system.content_layer], P[system.content_layer])
        positions = (float(third.shape[1] * third.shape[2]),) if system is SYSTEMS["vgg16_lbfgs_walkthrough"] else ()
        for layer, weight in zip(system.style_layers, system.style_weights, strict=True):
            total += weight * system.style(F[layer], S[layer], *positions)
        total += system.smoothness(third)
        descended = total + system.uncounted(third)
    return float(total), tape.gradient(descended, third).numpy()


def test_every_preset_has_an_expected_entry() -> None:
    assert set(PRESETS) == set(SYSTEMS)


@pytest.mark.parametrize(
    ("shape", "convolution"),
    [(SMALL, "direct"), (LARGE, "direct"), (LARGE, "winograd")],
    ids=["48x64", "97x131", "97x131-winograd"],
)
@pytest.mark.parametrize("name", PRESETS)
def test_loss_and_gradient_are_those_of_the_source(
    name: str, shape: tuple[int, int], convolution: str, networks: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = SYSTEMS[name]
    settings = config.compose(f"preset={name}", f"network.weights={networks[system.depth]}")
    net = transfer.network_of(settings)
    content, style, third = pictures(*shape)
    if name not in FORCED_TO_CONTENT:
        style = style[:-11, :-6]  # another size than the content's
    assert settings.style.size == ("content" if name in FORCED_TO_CONTENT else settings.style.size)
    total, gradient = oracle(system, net, (content, style, third))

    # These networks are narrow: the same layers take Winograd's algorithm as in the real one, from the third block on.
    monkeypatch.setattr(vgg, "WINOGRAD_CHANNELS", net.layer("conv3_1").bias.size)
    kernels = vgg.kernels(net, convolution)
    assert len(kernels["conv3_2"][0].shape) == {"direct": 4, "winograd": 3}[convolution]
    loss = transfer.objective_of(settings, kernels, net.mean_pixel, content, style)
    terms, ours = loss.value_and_grad(images.to_network(third, net.mean_pixel))

    assert terms.total == pytest.approx(total, rel=1e-5)
    assert np.linalg.norm(ours) == pytest.approx(np.linalg.norm(gradient), rel=1e-4)
    assert np.linalg.norm(ours - gradient) <= 1e-4 * np.linalg.norm(gradient)


def test_printed_and_released_gatys_differ_by_printed_constants_only(networks: dict) -> None:
    """METHODS.md §2.2: with m = MSE(G/(NM) − A/(NM)), E_l = N²/4 · m, the released term is 1e3 · m; content 2/(NM)."""
    content, style, third = pictures(*SMALL)
    terms = {}
    for name in ("gatys2016", "gatys_released"):
        # The released code runs the plain network with max pooling: the same network for both shows the constants.
        settings = config.compose(
            f"preset={name}", f"network.weights={networks[19]}", "network.pooling=avg", "network.rescale=null"
        )
        net = transfer.network_of(settings)
        loss = transfer.objective_of(settings, vgg.kernels(net), net.mean_pixel, content, style)
        terms[name] = loss.value_and_grad(images.to_network(third, net.mean_pixel))[0]
    F = oracle_features(tf.constant(third[None]), net, "avg")
    for layer in GATYS:
        N = size(F[layer])[0]
        printed, released = (terms[name].per_layer[f"style/{layer}"] for name in ("gatys2016", "gatys_released"))
        assert printed == pytest.approx(N**2 / 4 * released, rel=1e-5)
    assert terms["gatys_released"].style == pytest.approx(
        1e3 * sum(terms["gatys_released"].per_layer[f"style/{layer}"] for layer in GATYS)
    )
    N, M = size(F["relu4_2"])
    assert terms["gatys_released"].content == pytest.approx(2 / (N * M) * terms["gatys2016"].content, rel=1e-5)


def test_the_printed_presets_rescale_the_network(networks: dict) -> None:
    assert config.compose("preset=gatys2015").network.rescale == "default"
    net = transfer.network_of(config.compose("preset=gatys2016", f"network.weights={networks[19]}"))
    photographs = [images.read(images.sample_path("skimage", photograph)) for photograph in rescale.PHOTOGRAPHS]
    plain = matconvnet.load(networks[19])
    means = rescale.mean_activations(net, photographs, "avg")
    before = rescale.mean_activations(plain, photographs, "avg")
    for layer, mean in means.items():
        alive = before[layer] > rescale.NEAR_DEAD * max(np.median(before[layer]), before[layer].mean())
        np.testing.assert_allclose(mean[alive], 1, rtol=1e-3)


def test_any_part_can_be_overridden_after_a_preset() -> None:
    settings = config.compose(
        "preset=gatys2016",
        "network=vgg16",
        "layers=johnson",
        "network.pooling=max",
        "init=content",
        "optimizer=adam",
        "optimizer.max_evaluations=7",
    )
    assert (settings.network.name, settings.network.pooling) == ("vgg16", "max")
    assert [layer.layer for layer in settings.objective.style_layers] == JOHNSON
    assert (settings.init.name, settings.optimizer.name, settings.optimizer.max_evaluations) == ("content", "adam", 7)
    assert settings.objective.gram_divisor == "m"
