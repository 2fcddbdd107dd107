"""The normalized network: means become one, outputs stay proportional, near-dead filters stay as they are."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stn import images, matconvnet, rescale, resizing, vgg
from stn.errors import InputError
from stn.weights import IMAGENET_MEAN, Layer, Weights

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def network() -> Weights:
    """conv1_1 … conv3_1, narrow; filter 2 of conv2_1 is dead but for rare activations."""
    generator = np.random.default_rng(0)
    layers, channels = [], 3
    for name, width in (("conv1_1", 5), ("conv1_2", 6), ("conv2_1", 7), ("conv2_2", 7), ("conv3_1", 8)):
        kernel = generator.normal(0, (2 / (9 * channels)) ** 0.5, (3, 3, channels, width)).astype(np.float32)
        bias = generator.uniform(0, 0.5, width).astype(np.float32)
        if name == "conv2_1":
            kernel[..., 2] *= 1e-6
            bias[2] = 1e-6
        layers.append(Layer(name, kernel, bias))
        channels = width
    return Weights(tuple(layers), np.array(IMAGENET_MEAN, dtype=np.float32))


@pytest.fixture(scope="module")
def photographs() -> list[np.ndarray]:
    names = ("chelsea.png", "coffee.png")
    return [resizing.resize(images.read(images.sample_path("skimage", name)), 45, 62) for name in names]


@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_means_are_those_over_all_positions_of_all_photographs(network, photographs, pooling) -> None:
    means = rescale.mean_activations(network, photographs, pooling)
    for relu in ("relu1_1", "relu2_2", "relu3_1"):
        found = []
        for rgb in photographs:
            small = resizing.resize(rgb, *resizing.target_shape(rgb, rescale.SIZE_PX))
            F = vgg.features(images.to_network(small, network.mean_pixel), network, [relu], pooling)[relu].numpy()
            found.append(F.reshape(-1, F.shape[-1]))
        expected = np.concatenate(found).mean(axis=0, dtype=np.float64)
        np.testing.assert_allclose(means[relu.replace("relu", "conv")], expected, rtol=1e-5)


@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_every_layer_is_the_plain_one_times_a_constant_a_filter(network, photographs, pooling) -> None:
    means = rescale.mean_activations(network, photographs, pooling)
    normalized = rescale.rescaled(network, means)
    image = images.to_network(photographs[0], network.mean_pixel)
    plain = vgg.features(image, network, network.layer_names, pooling)
    scaled = vgg.features(image, normalized, network.layer_names, pooling)
    convs = {layer.name: i for i, layer in enumerate(network.layers)}
    last = None
    for name in network.layer_names:
        last = name.replace("relu", "conv") if not name.startswith("pool") else last
        mean = means[network.layers[convs[last]].name]
        expected = np.where(
            mean > rescale.NEAR_DEAD * max(np.median(mean), mean.mean()), 1 / np.maximum(mean, 1e-30), 1
        )
        largest = np.abs(scaled[name]).max()
        np.testing.assert_allclose(scaled[name], plain[name] * expected, rtol=1e-4, atol=1e-5 * largest)


def test_means_of_the_normalized_network_are_one_but_for_the_near_dead_filter(network, photographs) -> None:
    means = rescale.mean_activations(network, photographs, "avg")
    normalized = rescale.rescaled(network, means)
    after = rescale.mean_activations(normalized, photographs, "avg")
    assert after["conv2_1"][2] == pytest.approx(means["conv2_1"][2], rel=1e-3)  # left alone
    for name, mean in means.items():
        alive = mean > rescale.NEAR_DEAD * max(np.median(mean), mean.mean())
        assert alive.sum() > mean.size / 2
        np.testing.assert_allclose(after[name][alive], 1, rtol=1e-4)
        np.testing.assert_allclose(after[name][~alive], mean[~alive], rtol=1e-3)


def test_default_means_are_computed_once_and_kept_in_the_cache(network, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("STN_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "small.mat"
    matconvnet.write(path, network)
    first = rescale.default_means(network, path, "avg")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["cache", "small.mat"]
    kept = list((tmp_path / "cache").glob("small.mat.avg-*.means.npz"))
    assert len(kept) == 1
    changed = {name: mean * 2 for name, mean in first.items()}
    rescale.write_means(kept[0], changed)
    np.testing.assert_array_equal(rescale.default_means(network, path, "avg")["conv1_1"], changed["conv1_1"])
    kept[0].write_bytes(kept[0].read_bytes()[:100])  # damaged: made again
    np.testing.assert_array_equal(rescale.default_means(network, path, "avg")["conv1_1"], first["conv1_1"])


@pytest.mark.parametrize("spoil", ["missing", "other network", "nan", "negative", "no file", "damaged"])
def test_unusable_means_are_refused(network, tmp_path, spoil) -> None:
    means = {layer.name: np.ones(layer.bias.size) for layer in network.layers}
    if spoil == "missing":
        del means["conv2_1"]
    elif spoil == "other network":
        means["conv2_1"] = np.ones(3)
    elif spoil in ("nan", "negative"):
        means["conv2_1"][1] = np.nan if spoil == "nan" else -1
    elif spoil == "damaged":
        (tmp_path / "means.npz").write_bytes(b"not an archive")
    with pytest.raises(InputError, match=r"network\.rescale"):
        if spoil in ("no file", "damaged"):
            rescale.read_means(tmp_path / "means.npz")
        else:
            rescale.rescaled(network, means)


@pytest.mark.parametrize("name", ["means.npz", "means"])
def test_the_script_averages_a_folder(network, photographs, tmp_path, name) -> None:
    matconvnet.write(tmp_path / "small.mat", network)
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, rgb in enumerate(photographs):
        images.write(folder / f"{i}.png", rgb)
    (folder / "notes.txt").write_text("not a picture")
    command = [sys.executable, ROOT / "scripts/mean_activations.py", folder, "--weights", tmp_path / "small.mat"]
    done = subprocess.run([*command, "--out", tmp_path / name], capture_output=True, text=True, check=True)
    assert "2 pictures" in done.stdout and f"network.rescale={tmp_path / name}" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["small.mat", "photos", name])
    expected = rescale.mean_activations(network, [np.rint(rgb) for rgb in photographs], "avg")
    for layer, mean in rescale.read_means(tmp_path / name).items():
        np.testing.assert_allclose(mean, expected[layer], rtol=1e-4)
