"""The fully connected head: Keras' class probabilities from the same weights, and the command that
names them.
"""

import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import synthetic
import tensorflow as tf

from stn import assets, images
from stn.assets import matconvnet
from stn.assets.weights import IMAGENET_MEAN, Layer, Weights
from stn.classify import classifier
from stn.images import resizing
from stn.layers import CONVS_PER_BLOCK
from stn.network import vgg

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "classify.py"


@pytest.mark.parametrize("depth", [19, 16])
def test_class_probabilities_are_those_of_keras(depth: int, tmp_path: Path) -> None:
    """Keras' own VGG with He-scaled random weights, through our writer, our reader and our
    preprocessing.
    """
    keras_vgg = {19: tf.keras.applications.VGG19, 16: tf.keras.applications.VGG16}[depth]
    preprocess = {19: tf.keras.applications.vgg19, 16: tf.keras.applications.vgg16}[
        depth
    ].preprocess_input
    tf.keras.utils.set_random_seed(depth)
    trunk = keras_vgg(weights=None, include_top=False, input_shape=(224, 224, 3))
    # The head as Keras builds it, but for its width: 411 MB of weights a layer say no more.
    x = tf.keras.layers.Flatten()(trunk.output)
    for name in ("fc1", "fc2"):
        x = tf.keras.layers.Dense(64, activation="relu", name=name)(x)
    x = tf.keras.layers.Dense(50, activation="softmax", name="predictions")(x)
    model = tf.keras.Model(trunk.input, x)
    generator = np.random.default_rng(depth)
    layers = []
    for layer in model.layers:
        if not layer.get_weights():
            continue
        kernel, bias = layer.get_weights()
        # Keras' Glorot weights shrink towards equal classes: scaled to He's, the probabilities
        # differ widely.
        gain = np.sqrt(2 / np.prod(kernel.shape[:-1])) / kernel.std()
        kernel, bias = (
            kernel * np.float32(gain),
            generator.normal(0, 0.05, bias.shape).astype(np.float32),
        )
        layer.set_weights([kernel, bias])
        name = {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}.get(layer.name)
        if name is None:
            block, conv = layer.name.removeprefix("block").split("_conv")
            name = f"conv{block}_{conv}"
        if name == "conv1_1":
            kernel = np.ascontiguousarray(kernel[:, :, ::-1])  # Keras' network takes BGR
        if name.startswith("fc"):
            kernel = kernel.reshape({"fc6": (7, 7, 512, 64)}.get(name, (1, 1, *kernel.shape)))
        layers.append(Layer(name, kernel, bias))
    classes = tuple(f"thing {i}" for i in range(50))
    mean = np.array(IMAGENET_MEAN, dtype=np.float32)
    matconvnet.write(tmp_path / "vgg.mat", Weights(tuple(layers), mean, classes))
    network = matconvnet.load(tmp_path / "vgg.mat", head=True)
    (tmp_path / "vgg.mat").unlink()
    assert network.classes == classes

    rgb = resizing.resize(images.read(assets.sample_path("skimage", "coffee.png")), 224, 224)
    expected = model.predict(preprocess(rgb[None].astype(np.float32).copy()), verbose=0)[0]
    ours = classifier.class_probabilities((rgb - network.mean_pixel)[None], network).numpy()[0]
    assert expected.max() > 3 * np.median(expected)
    # float32 logits of some tens differ by about 1e-4 of themselves, which is a relative error of
    # each probability.
    np.testing.assert_allclose(ours, expected, rtol=1e-2, atol=1e-6)
    np.testing.assert_array_equal(ours.argsort()[::-1][:5], expected.argsort()[::-1][:5])


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A narrow VGG-16 with a head of three classes whose last bias makes `second` win."""
    generator = np.random.default_rng(1)
    layers, channels = [], 3
    sizes = [
        (f"conv{b}_{i + 1}", 3, 4)
        for b, convs in enumerate(CONVS_PER_BLOCK[16], 1)
        for i in range(convs)
    ]
    for name, window, width in [*sizes, ("fc6", 7, 5), ("fc7", 1, 5), ("fc8", 1, 3)]:
        kernel = generator.normal(
            0, (1 / (window**2 * channels)) ** 0.5, (window, window, channels, width)
        )
        layers.append(Layer(name, kernel.astype(np.float32), np.zeros(width, dtype=np.float32)))
        channels = width
    layers[-1] = Layer("fc8", layers[-1].kernel * 0, np.array([0, 2, 1], dtype=np.float32))
    path = tmp_path_factory.mktemp("narrow") / "vgg.mat"
    mean = np.array(IMAGENET_MEAN, dtype=np.float32)
    matconvnet.write(path, Weights(tuple(layers), mean, ("first", "second", "third")))
    return path


@pytest.fixture
def classify(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[str]]:
    """`classify(*words)`: the lines that scripts/classify.py prints, in this process, which has
    TensorFlow already.
    """

    def call(*words: object) -> list[str]:
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, words)])
        runpy.run_path(str(SCRIPT))["main"]()
        return capsys.readouterr().out.splitlines()

    return call


def test_the_command_names_the_classes_and_lists_every_layer(narrow: Path, classify) -> None:
    lines = classify("skimage:coffee.png", "--weights", narrow)
    softmax = np.exp([2, 1, 0]) / np.exp([2, 1, 0]).sum()
    expected = [
        f"{p:8.2%}  {name}" for p, name in zip(softmax, ("second", "third", "first"), strict=True)
    ]
    assert lines[-3:] == expected
    network = matconvnet.load(narrow)
    coffee = images.read(assets.sample_path("skimage", "coffee.png"))
    image = (resizing.resize(coffee, 224, 224) - network.mean_pixel)[None]
    F = vgg.features(image, network, ["relu3_2"])["relu3_2"].numpy()
    row = next(line for line in lines if line.startswith("relu3_2"))
    assert row.split()[1:6] == ["56", "×", "56", "×", "4"]
    gram = np.einsum("bhwi,bhwj->ij", F, F) / (56 * 56)
    np.testing.assert_allclose(
        [float(v) for v in row.split()[6:]],
        [F.min(), F.max(), F.mean(), gram.max(), gram.mean()],
        rtol=1e-3,
    )
    assert [line.split()[0] for line in lines[1:-3]] == list(network.layer_names)


def test_statistics_of_a_preset_are_of_the_picture_that_its_run_sees(
    narrow: Path, classify
) -> None:
    """TensorFlow's tutorial: long side 512 by bilinear, 600 × 400 to 512 × 341, odd sides cut."""
    lines = classify("skimage:coffee.png", "--weights", narrow, "--preset", "tf_tutorial")
    network = matconvnet.load(narrow)
    rgb = images.read(assets.sample_path("skimage", "coffee.png"))
    small = tf.image.resize(rgb, (341, 512), "bilinear")
    features = vgg.features(
        small[None] - network.mean_pixel, network, ["relu2_1"], vgg.Options(ceil_mode=False)
    )
    F = features["relu2_1"].numpy()
    row = next(line for line in lines if line.startswith("relu2_1"))
    assert row.split()[1:6] == ["170", "×", "256", "×", "4"]
    gram = np.einsum("bhwi,bhwj->ij", F, F) / (170 * 256)
    np.testing.assert_allclose(
        [float(v) for v in row.split()[6:]],
        [F.min(), F.max(), F.mean(), gram.max(), gram.mean()],
        rtol=1e-3,
    )


def test_an_unknown_preset_is_refused_in_one_line(narrow: Path) -> None:
    command = [
        *(sys.executable, SCRIPT, "skimage:coffee.png", "--weights", narrow),
        *("--preset", "tf_tutoril"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "tf_tutoril" in done.stderr


def test_a_missing_photograph_is_refused_in_one_line(narrow: Path, tmp_path: Path) -> None:
    command = [sys.executable, SCRIPT, tmp_path / "none.jpg", "--weights", narrow]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "none.jpg" in done.stderr


@pytest.mark.parametrize(("depth", "whole"), [(16, "vgg16_full"), (19, "vgg19")])
def test_without_the_head_it_says_which_file_has_one(
    depth: int, whole: str, tmp_path: Path, classify
) -> None:
    trunk = synthetic.write(tmp_path / "trunk.mat", synthetic.vgg(depth))
    last = classify("skimage:coffee.png", "--weights", trunk)[-1]
    assert (
        "no classes" in last
        and f"`python scripts/fetch.py {whole}`" in last
        and f"--network {whole}" in last
    )
