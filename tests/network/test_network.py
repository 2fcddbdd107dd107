"""The network as a value: what its widths say."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stn import files, images
from stn.assets import matconvnet
from stn.backend import tf
from stn.config import schema
from stn.layers import VGG19
from stn.network import network, rescale, vgg
from stn.network.network import Network

WIDTHS = dict(enumerate((64, 128, 256, 512, 512), start=1))  # Simonyan & Zisserman 2015, table 1
NETWORK = Network(
    kernels={},
    mean_pixel=np.zeros(3),
    layer_names=VGG19,
    widths={name: WIDTHS[int(name[4])] for name in VGG19 if name.startswith("conv")},
    depth=19,
    sha256="",
    path=Path(),
    convolution="direct",
    changed=False,
)
DIRECT = schema.Network(convolution="direct")
CONVOLUTIONS_AND_POOLS = [name for name in VGG19 if not name.startswith("relu")]


@pytest.mark.parametrize(
    "last, expected",
    [
        ("conv1_1", 2_080),
        ("pool1", 6_240),
        ("pool2", 31_008),
        ("pool3", 195_488),
        ("pool4", 852_128),
    ],
)
def test_parameters_of_a_texture_up_to_each_layer(
    last, expected
):  # Gatys, Ecker & Bethge 2015 (NIPS), figure 2
    layers = CONVOLUTIONS_AND_POOLS[: CONVOLUTIONS_AND_POOLS.index(last) + 1]
    assert NETWORK.gram_parameters(layers) == expected


@pytest.mark.parametrize("components, expected", [(None, 176_640), (64, 10_400), (20, 1_050)])
def test_parameters_of_five_layers_and_of_their_principal_components(
    components, expected
):  # figure 3
    layers = ["relu1_1", "pool1", "pool2", "pool3", "pool4"]
    assert NETWORK.gram_parameters(layers, components) == expected


@pytest.mark.parametrize("devices, expected", [([], "winograd"), (["GPU:0"], "direct")])
def test_the_convolution_suits_the_device(devices, expected, inputs, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: devices)
    assert network.load(inputs["vgg19"]).convolution == expected
    assert network.load(inputs["vgg19"], DIRECT).convolution == "direct"


@pytest.mark.parametrize("rescaling", [None, "means"])
@pytest.mark.parametrize("mean_pixel", [None, [90.0, 100.0, 130.0]])
def test_white_is_what_the_network_sees(
    rescaling, mean_pixel, inputs: dict[str, Path], tmp_path: Path
) -> None:
    """rgb · 256/255 minus the mean pixel, as neural-style's `preprocess`; the plain network, for
    measures, sees 255.
    """
    file, rgb = inputs["vgg19"], images.read(inputs["content"])
    of_file = matconvnet.load(file)
    if rescaling:
        rescaling = str(tmp_path / "means.npz")
        files.write_arrays(Path(rescaling), rescale.mean_activations(of_file, [rgb], "avg"))
    chosen = dataclasses.replace(DIRECT, pooling="avg", rescale=rescaling, mean_pixel=mean_pixel)
    ours = network.load(file, dataclasses.replace(chosen, input_range=256.0))
    usual = network.load(file, chosen)
    layers = ["relu1_1", "relu3_1"]
    image = ours.image(rgb)
    brighter = usual.image(rgb * 256 / 255)
    for layer, F in vgg.features(image, ours.kernels, layers, vgg.Options("avg")).items():
        expected = vgg.features(brighter, usual.kernels, layers, vgg.Options("avg"))[layer]
        np.testing.assert_allclose(F, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
        assert (
            np.abs(F - vgg.features(image, usual.kernels, layers, vgg.Options("avg"))[layer]).max()
            > 1e-3 * np.abs(F).max()
        )
    np.testing.assert_array_equal(ours.plain().mean_pixel, of_file.mean_pixel)
    np.testing.assert_array_equal(
        ours.plain().kernels["conv1_1"][0], of_file.layer("conv1_1").kernel
    )


def test_bgr_shows_the_network_blue_first(inputs: dict[str, Path]) -> None:
    """Features are those of the picture with red and blue exchanged, each less the mean of its own
    channel; twice it is the identity, and the plain network sees red first.
    """
    file, rgb = inputs["vgg19"], images.read(inputs["content"])
    mean = [103.939, 116.779, 123.68]
    ours = network.load(file, dataclasses.replace(DIRECT, mean_pixel=mean, bgr=True))
    upright = network.load(file, DIRECT)
    np.testing.assert_array_equal(ours.mean_pixel, np.float32(mean))
    layers = ["relu1_1", "relu3_1"]
    seen = (rgb - np.float32(mean))[None, :, :, ::-1].astype(np.float32)
    expected = vgg.features(seen, upright.kernels, layers)
    image = (rgb - ours.mean_pixel)[None].astype(np.float32)
    found = vgg.features(image, ours.kernels, layers)
    twice = vgg.features(image[..., ::-1], ours.kernels, layers)
    plain = vgg.features(image, upright.kernels, layers)
    for layer in layers:
        np.testing.assert_allclose(found[layer], expected[layer], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(twice[layer], plain[layer], rtol=1e-4, atol=1e-4)
        assert np.abs(found[layer] - plain[layer]).max() > 1
    of_file = matconvnet.load(file).layer("conv1_1").kernel
    np.testing.assert_array_equal(ours.plain().kernels["conv1_1"][0], of_file)


def test_transposed_kernels_see_rows_as_columns(inputs: dict[str, Path]) -> None:
    """Features are those of the picture with rows and columns exchanged; the plain network is
    upright.
    """
    file, rgb = inputs["vgg19"], images.read(inputs["content"])
    ours = network.load(file, dataclasses.replace(DIRECT, transposed=True))
    upright = network.load(file, DIRECT)
    image = ours.image(rgb)
    layers = ["relu1_1", "relu3_1"]
    found = vgg.features(image, ours.kernels, layers)
    expected = vgg.features(image.swapaxes(1, 2), upright.kernels, layers)
    for layer in layers:
        np.testing.assert_allclose(
            found[layer], np.swapaxes(expected[layer], 1, 2), rtol=1e-4, atol=1e-4
        )
    of_file = matconvnet.load(file).layer("conv1_1").kernel
    options = vgg.Options("avg", False, "reflect", True)  # none as by default
    assert ours.with_options(**options._asdict()).plain().options == options
    assert not np.array_equal(of_file, of_file.swapaxes(0, 1))
    np.testing.assert_array_equal(ours.plain().kernels["conv1_1"][0], of_file)


def test_features_of_every_layer_are_multiplied_by_one_factor(inputs: dict[str, Path]) -> None:
    file, rgb = inputs["vgg19"], images.read(inputs["content"])
    ours = network.load(file, dataclasses.replace(DIRECT, feature_scale=0.01))
    usual = network.load(file, DIRECT)
    image = ours.image(rgb)
    layers = ["conv1_1", "relu2_1", "pool2", "relu3_1"]
    found = vgg.features(image, ours.kernels, layers)
    for layer, F in vgg.features(image, usual.kernels, layers).items():
        np.testing.assert_allclose(100 * found[layer], F, rtol=1e-4, atol=1e-5 * np.abs(F).max())
    of_file = matconvnet.load(file).layer("conv1_1").kernel
    np.testing.assert_array_equal(ours.plain().kernels["conv1_1"][0], of_file)


def test_the_border_of_the_first_convolution_alone(inputs: dict[str, Path]) -> None:
    """The picture is continued by its own pixels; what reaches the second convolution, by zeros."""
    usual = network.load(inputs["vgg19"], DIRECT)
    image = usual.image(images.read(inputs["content"]))
    found, zero, own = (
        vgg.features(image, usual.kernels, ["relu1_1", "relu1_2"], vgg.Options(border=border))
        for border in ("replicate_first", "zero", "replicate")
    )
    np.testing.assert_array_equal(found["relu1_1"], own["relu1_1"])
    kernel, bias = usual.kernels["conv1_2"]
    second = tf.nn.relu(tf.nn.conv2d(own["relu1_1"], kernel, 1, "SAME") + bias)
    np.testing.assert_allclose(found["relu1_2"], second, rtol=1e-5, atol=1e-4)
    assert np.abs(found["relu1_1"] - zero["relu1_1"]).max() > 1
    assert np.abs(found["relu1_2"] - own["relu1_2"]).max() > 1


MEAN = np.array([123.68, 116.779, 103.939])  # METHODS.md §1


def test_a_picture_enters_less_the_mean_pixel_and_leaves_as_it_was() -> None:
    seen = dataclasses.replace(NETWORK, mean_pixel=MEAN)
    y, x, c = np.mgrid[:21, :34, :3]
    rgb = 127 + 100 * np.sin(x / 5 + y / 7 * (c + 1))
    image = seen.image(rgb)
    assert image.shape == (1, 21, 34, 3) and image.dtype == np.float32
    np.testing.assert_allclose(image[0, 4, 9], rgb[4, 9] - MEAN, atol=1e-5)
    np.testing.assert_allclose(seen.rgb(image), rgb, atol=2e-5)
    black, white = seen.limits
    np.testing.assert_array_equal(
        seen.rgb(np.stack([black, white])[None, None]), [[[0] * 3, [255] * 3]]
    )


def test_pixels_outside_the_range_are_clipped_and_counted() -> None:
    image = np.array([[[[-500.0, 0.0, 500.0]]]])
    np.testing.assert_array_equal(
        dataclasses.replace(NETWORK, mean_pixel=MEAN).rgb(image), [[[0, MEAN[1], 255]]]
    )
    assert NETWORK.clipped_share(np.array([[[[-0.4, 255.6, -0.6]]]])) == 2 / 3


def test_without_eager_execution_a_network_is_refused_in_one_line() -> None:
    program = (
        "import tensorflow as tf; tf.compat.v1.disable_eager_execution()\n"
        "from pathlib import Path; from stn.network import network\n"
        "network.load(Path('none.mat'))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "InputError: TensorFlow's eager execution is off" in ended.stderr
