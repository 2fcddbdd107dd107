"""The hand-built graph computes what Keras computes at every layer, upright, in RGB, and no deeper
than asked.
"""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic import LAYOUTS, vgg, write

from stn.assets import matconvnet, weights
from stn.assets.weights import Layer, Weights
from stn.backend import tf
from stn.layers import VGG16, VGG19
from stn.network.vgg import Options, features, kernels, up_to


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A mean-subtracted image that is neither square, nor symmetric, nor noise alone, each channel
    different.
    """
    rows, columns = np.mgrid[:height, :width]
    planes = [
        3.0 * rows - 40,
        80 * np.sin(columns / 5 + rows / 9),
        2.0 * columns * rows / height - 30,
    ]
    noise = np.random.default_rng(seed).normal(0, 10, (height, width, 3))
    return (np.stack(planes, axis=-1) + noise).astype(np.float32)[None]


def single(kernel: np.ndarray, bias: np.ndarray) -> Weights:
    """A network of conv1_1 only."""
    layer = Layer("conv1_1", kernel.astype(np.float32), bias.astype(np.float32))
    return Weights((layer,), np.array(weights.IMAGENET_MEAN, dtype=np.float32))


def convolve(image: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Cross-correlation with zero borders, from its definition: row y + i - 1, column x + j - 1,
    channel c.
    """
    height, width, channels = image.shape
    out = np.tile(bias.astype(float), (height, width, 1))
    for y, x, i, j in np.ndindex(height, width, 3, 3):
        if 0 <= y + i - 1 < height and 0 <= x + j - 1 < width:
            for c in range(channels):
                out[y, x] += float(image[y + i - 1, x + j - 1, c]) * kernel[i, j, c].astype(float)
    return out


def pool(x: np.ndarray, reduce: np.ufunc, ceil_mode: bool) -> np.ndarray:
    """2 × 2 windows with stride 2, ceil(n / 2) over the real pixels only or floor(n / 2), from
    their definition.
    """
    height, width, channels = x.shape
    rows, columns = (-(-height // 2), -(-width // 2)) if ceil_mode else (height // 2, width // 2)
    out = np.empty((rows, columns, channels))
    for y, x_ in np.ndindex(*out.shape[:2]):
        out[y, x_] = reduce(x[2 * y : 2 * y + 2, 2 * x_ : 2 * x_ + 2].reshape(-1, channels), axis=0)
    return out


@pytest.fixture(scope="module", params=[19, 16])
def keras_network(request, tmp_path_factory):
    """Keras's VGG, random and with biases that are not zero, and its weights after a journey
    through a .mat file.
    """
    make = {19: tf.keras.applications.VGG19, 16: tf.keras.applications.VGG16}[request.param]
    tf.keras.utils.set_random_seed(request.param)
    model = make(weights=None, include_top=False, input_shape=(None, None, 3))
    rng = np.random.default_rng(request.param)
    layers = []
    for layer in model.layers:
        if layer.weights:
            layer.bias.assign(rng.uniform(-0.5, 1, layer.bias.shape))
            block, name = layer.name.split("_")
            layers.append(Layer(name.replace("conv", f"conv{block[-1]}_"), *layer.get_weights()))
    path = tmp_path_factory.mktemp("keras") / "vgg.mat"
    matconvnet.write(
        path, Weights(tuple(layers), np.array(weights.IMAGENET_MEAN, dtype=np.float32))
    )
    network = matconvnet.read(path)
    path.unlink()  # 80 MB
    return model, network


def keras_features(model, image: np.ndarray) -> dict[str, np.ndarray]:
    """Every layer of Keras's VGG, convolutions without their rectifier too; padded so that pooling
    keeps borders.
    """
    found = {}
    x = tf.constant(image)
    for layer in model.layers[1:]:
        block, kind = layer.name.removeprefix("block").split("_")
        if kind == "pool":
            padding = [[0, 0], [0, x.shape[1] % 2], [0, x.shape[2] % 2], [0, 0]]
            x = found[f"pool{block}"] = layer(tf.pad(x, padding, constant_values=-np.inf))
        else:
            rectifier, layer.activation = layer.activation, tf.keras.activations.linear
            found[f"conv{block}_{kind[-1]}"] = layer(x)
            layer.activation = rectifier
            x = found[f"relu{block}_{kind[-1]}"] = layer(x)
    return found


@pytest.mark.parametrize("size", [(37, 50), (64, 32)], ids=str)
def test_every_layer_equals_keras(keras_network, size):
    model, network = keras_network
    image = picture(*size)
    expected = keras_features(model, image)
    trunk = VGG19 if len(model.weights) == 32 else VGG16
    assert tuple(expected) == trunk == network.layer_names
    found = features(image, network, trunk)
    for name in trunk:
        assert found[name].dtype == tf.float32
        scale = float(np.abs(expected[name]).max())
        assert scale > 0.01
        np.testing.assert_allclose(
            found[name], expected[name], rtol=1e-5, atol=1e-5 * scale, err_msg=name
        )
    assert np.asarray(found["conv3_1"]).min() < 0 <= np.asarray(found["relu3_1"]).min()


def test_the_last_layer_equals_keras_own_forward_pass(keras_network):
    model, network = keras_network
    image = picture(64, 96)  # multiples of 32: no border to agree on
    np.testing.assert_allclose(
        features(image, network, ["pool5"])["pool5"], model(image), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_kernels_are_height_width_in_out_and_channels_are_rgb(tmp_path, layout):
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 4)).astype(np.float32)
    bias = np.arange(4, dtype=np.float32)
    image = picture(5, 7)
    path = write(tmp_path / "vgg.mat", single(kernel, bias), layout)
    found = features(image, matconvnet.read(path), ["conv1_1", "relu1_1"])
    expected = convolve(image[0], kernel, bias)
    np.testing.assert_allclose(found["conv1_1"][0], expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(found["relu1_1"][0], np.maximum(expected, 0), rtol=1e-5, atol=1e-4)
    turns = {
        "transposed": kernel.transpose(1, 0, 2, 3),
        "mirrored": kernel[:, ::-1],
        "flipped": kernel[::-1],
    }
    for turned in (
        *turns.values(),
        kernel[::-1, ::-1],
        kernel[:, :, ::-1],
    ):  # the image can tell every one of them
        assert np.abs(convolve(image[0], turned, bias) - expected).max() > 10


def test_a_kernel_of_one_number_moves_one_color_one_pixel(tmp_path):
    kernel = np.zeros((3, 3, 3, 1), dtype=np.float32)
    kernel[0, 2, 0, 0] = 1  # row above, column to the right, red
    image = picture(4, 6)
    path = write(tmp_path / "vgg.mat", single(kernel, np.zeros(1)), "beta16")
    moved = np.zeros((4, 6), dtype=np.float32)
    moved[1:, :-1] = image[0, :-1, 1:, 0]
    np.testing.assert_array_equal(
        features(image, matconvnet.read(path), ["conv1_1"])["conv1_1"][0, :, :, 0], moved
    )


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("avg", [[3, 5, 6.5], [13, 15, 16.5], [20.5, 22.5, 24]]),  # METHODS.md §5
        ("max", [[6, 8, 9], [16, 18, 19], [21, 23, 24]]),
    ],
)
def test_pooling_of_an_odd_size_takes_real_pixels_only(pooling, expected):
    red, same = np.zeros((3, 3, 3, 1), dtype=np.float32), np.zeros((3, 3, 1, 1), dtype=np.float32)
    red[1, 1, 0] = same[1, 1] = 1
    through = {
        name: (kernel, np.zeros(1, np.float32))
        for name, kernel in (("conv1_1", red), ("conv1_2", same))
    }
    image = np.zeros((1, 5, 5, 3), dtype=np.float32)
    image[0, :, :, 0] = np.arange(25).reshape(5, 5)
    np.testing.assert_array_equal(
        features(image, through, ["pool1"], Options(pooling))["pool1"][0, :, :, 0], expected
    )


@pytest.mark.parametrize(
    ("ceil_mode", "sizes"),
    [
        (True, [(24, 28), (12, 14), (6, 7), (3, 4), (2, 2)]),
        (False, [(23, 27), (11, 13), (5, 6), (2, 3), (1, 1)]),
    ],
)
@pytest.mark.parametrize(("pooling", "reduce"), [("avg", np.mean), ("max", np.max)])
def test_every_pooling_layer_against_its_definition(pooling, reduce, ceil_mode, sizes):
    network = vgg(19, channels=3)
    found = features(picture(47, 55), network, VGG19, Options(pooling, ceil_mode))
    for block, last in enumerate((2, 2, 4, 4, 4), start=1):
        expected = pool(np.asarray(found[f"relu{block}_{last}"][0], dtype=float), reduce, ceil_mode)
        np.testing.assert_allclose(found[f"pool{block}"][0], expected, rtol=1e-5, atol=1e-5)
    assert [found[f"pool{block}"].shape[1:3] for block in range(1, 6)] == sizes


def test_ceil_leaves_a_pixel_of_the_smallest_picture():
    for pooling in ("avg", "max"):
        assert features(picture(1, 1), vgg(19), ["pool5"], Options(pooling))["pool5"].shape == (
            1,
            1,
            1,
            2,
        )


def test_nothing_is_computed_above_the_deepest_layer_asked_for():
    network = vgg(last="conv2_1")
    assert list(features(picture(9, 8), network, ["relu1_2"])) == ["relu1_2"]
    assert features(picture(9, 8), network, ["relu2_1", "conv2_1"])["relu2_1"].shape == (1, 5, 4, 2)
    broken = dict(kernels(network)) | {
        "conv2_1": (np.zeros((3, 3, 99, 2), np.float32), np.zeros(2, np.float32))
    }
    assert features(picture(9, 8), broken, ["pool1"])["pool1"].shape == (1, 5, 4, 2)
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError)):
        features(picture(9, 8), broken, ["conv2_1"])


@pytest.mark.parametrize(
    "beyond", ["conv2_2", "pool2", "relu5_1", "conv1_3", "fc6", "block1_conv1", ""]
)
def test_a_layer_these_weights_do_not_reach_is_a_key_error_that_names_it(beyond):
    with pytest.raises(KeyError, match=f"do not reach {beyond}"):
        features(picture(9, 8), vgg(last="conv2_1"), ["relu1_1", beyond])


def test_vgg16_has_no_fourth_convolution():
    with pytest.raises(KeyError, match="do not reach relu3_4"):
        features(picture(9, 8), vgg(16), ["relu3_4", "relu5_1"])


def test_each_layer_is_the_same_however_it_is_asked_for():
    network, image = vgg(), picture(21, 16)
    everything = features(image, network, VGG16, Options("avg"))
    for layers in (["relu1_1"], ["pool3", "conv1_2", "pool3"], iter(("relu4_3", "relu2_2"))):
        for name, found in features(image, network, layers, Options("avg")).items():
            np.testing.assert_array_equal(found, everything[name])
    assert features(image, network, []) == {}


def test_the_head_plays_no_part_in_the_features():
    network = vgg(19, head=True)
    assert all(name.startswith("conv") for name in kernels(network))
    without = replace(network, layers=network.layers[:-3])
    for name, found in features(picture(16, 20), network, ["relu5_4"]).items():
        np.testing.assert_array_equal(found, features(picture(16, 20), without, ["relu5_4"])[name])


def test_kernels_above_the_deepest_layer_are_not_made():
    network = vgg(last="conv2_1")
    *lower, last = network.layers
    broken = replace(network, layers=(*lower, replace(last, kernel=np.array([[object()]]))))
    convolutions = kernels(broken)
    assert list(convolutions) == ["conv1_1", "conv1_2", "conv2_1"]
    used = up_to(convolutions, ["relu1_2", "relu1_1"])
    assert list(used) == ["conv1_1", "conv1_2"]
    for name, (kernel, _) in used.items():
        np.testing.assert_array_equal(kernel, network.layer(name).kernel)
        assert convolutions[name][0] is kernel  # made once
    with pytest.raises(ValueError):
        up_to(convolutions, ["pool1", "conv2_1"])


def test_a_compiled_function_takes_weights_as_an_input():
    traces = []

    @tf.function
    def compiled(image, convolutions):
        traces.append(1)
        return features(image, convolutions, ["relu2_1", "pool2"], Options("avg"))

    for seed in (0, 1):
        network = vgg(19, seed=seed)
        expected = features(picture(13, 18), network, ["relu2_1", "pool2"], Options("avg"))
        found = compiled(tf.constant(picture(13, 18)), dict(kernels(network)))
        for name in expected:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-5)
    assert len(traces) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_features(tmp_path: Path, layout):
    network = vgg(19)
    read = matconvnet.read(write(tmp_path / "vgg.mat", network, layout, shuffle=1))
    found, expected = (
        features(picture(18, 25), source, VGG19, Options("avg")) for source in (read, network)
    )
    for name in VGG19:
        np.testing.assert_array_equal(found[name], expected[name])


def test_tensorflow_comes_without_keras_which_is_there_when_asked_for() -> None:
    program = """
import sys
from stn import transfer
from stn.backend import tf
slow = {"keras", "keras.src.optimizers", "sklearn", "scipy.stats", "matplotlib.pyplot"}
print(slow & {*sys.modules})
print(tf.keras.optimizers.Adam.__name__, tf.keras.layers.Dense(3).units)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["set()", "Adam", "3"]
