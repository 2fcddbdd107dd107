"""The normalized network: means become one, outputs stay proportional, no weak filter owns its
layer's Gram matrix.
"""

import json
import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import synthetic

from stn import assets, files, images
from stn.assets import matconvnet
from stn.assets.weights import IMAGENET_MEAN, Layer, Weights
from stn.config import schema
from stn.errors import InputError
from stn.images import resizing
from stn.network import network, rescale, vgg

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "mean_activations.py"
POOLINGS = ("avg", "max")
GATYS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


@pytest.fixture(scope="module")
def narrow() -> Weights:
    """conv1_1 … conv3_1, narrow; filter 2 of conv2_1 is so weak that its mean is raised to the
    floor.
    """
    generator = np.random.default_rng(0)
    layers, channels = [], 3
    for name, width in (
        ("conv1_1", 5),
        ("conv1_2", 6),
        ("conv2_1", 7),
        ("conv2_2", 7),
        ("conv3_1", 8),
    ):
        kernel = generator.normal(0, (2 / (9 * channels)) ** 0.5, (3, 3, channels, width)).astype(
            np.float32
        )
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
    return [
        resizing.resize(images.read(assets.sample_path("skimage", name)), 45, 62) for name in names
    ]


@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_means_are_those_over_all_positions_of_all_photographs(
    narrow, photographs, pooling
) -> None:
    means = rescale.mean_activations(narrow, photographs, pooling)
    for relu in ("relu1_1", "relu2_2", "relu3_1"):
        found = []
        for rgb in photographs:
            small = resizing.resize(rgb, *resizing.target_shape(rgb, rescale.SIZE_PX))
            F = vgg.features(
                (small - narrow.mean_pixel)[None], narrow, [relu], vgg.Options(pooling)
            )[relu].numpy()
            found.append(F.reshape(-1, F.shape[-1]))
        expected = np.concatenate(found).mean(axis=0, dtype=np.float64)
        np.testing.assert_allclose(means[relu.replace("relu", "conv")], expected, rtol=1e-5)
        squares = np.square(np.concatenate(found), dtype=np.float64).mean(axis=0)
        roots = rescale.mean_activations(narrow, photographs, pooling, power=2)
        np.testing.assert_allclose(roots[relu.replace("relu", "conv")], squares**0.5, rtol=1e-5)


@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_every_layer_is_the_plain_one_times_a_constant_a_filter(
    narrow, photographs, pooling
) -> None:
    means = rescale.mean_activations(narrow, photographs, pooling)
    normalized = rescale.rescaled(narrow, means)
    image = (photographs[0] - narrow.mean_pixel)[None]
    plain = vgg.features(image, narrow, narrow.layer_names, vgg.Options(pooling))
    scaled = vgg.features(image, normalized, narrow.layer_names, vgg.Options(pooling))
    factor = np.ones(3)
    for name in narrow.layer_names:
        factor = (
            1 / np.maximum(means[name], means[name].mean() / 5)
            if name.startswith("conv")
            else factor
        )
        largest = np.abs(scaled[name]).max()
        np.testing.assert_allclose(
            scaled[name], plain[name] * factor, rtol=1e-4, atol=1e-5 * largest
        )


def test_means_of_the_normalized_network_are_one_but_for_weak_filters(narrow, photographs) -> None:
    means = rescale.mean_activations(narrow, photographs, "avg")
    after = rescale.mean_activations(rescale.rescaled(narrow, means), photographs, "avg")
    for name, mean in means.items():
        weak = mean < mean.mean() / 5
        assert not weak.all() and (name != "conv2_1" or weak[2])
        np.testing.assert_allclose(after[name][~weak], 1, rtol=1e-4)
        assert (after[name][weak] < 1).all()  # 1 at the floor, in proportion below it
        np.testing.assert_allclose(after[name][weak], mean[weak] * 5 / mean.mean(), rtol=1e-3)


def test_a_weak_filter_is_divided_by_a_fifth_of_its_layers_mean() -> None:
    """By hand: means 10, 10, 10 and 0.1 have the mean 7.525, a fifth of which is 1.505; 2 stands
    above it as it is.
    """
    kernel = np.arange(1.0, 109).reshape(3, 3, 3, 4).astype(np.float32)
    one = Weights(
        (Layer("conv1_1", kernel, np.array([4, 3, 2, 1], np.float32)),), np.zeros(3, np.float32)
    )
    for means, scale in (
        ((10, 10, 10, 0.1), (0.1, 0.1, 0.1, 1 / 1.505)),
        ((10, 10, 10, 2), (0.1, 0.1, 0.1, 0.5)),
    ):
        (found,) = rescale.rescaled(one, {"conv1_1": np.array(means)}).layers
        np.testing.assert_allclose(found.bias, np.array([4, 3, 2, 1]) * scale, rtol=1e-6)
        np.testing.assert_allclose(found.kernel, kernel * np.array(scale), rtol=1e-6)


def test_networks_photographs_and_poolings_do_not_share_means(
    narrow, tmp_path, monkeypatch
) -> None:
    """Files of one name: what was kept of the first is not taken for the others."""
    monkeypatch.setenv("STN_CACHE", str(tmp_path))
    path, wide = tmp_path / "small.mat", synthetic.vgg(19, channels=8, last="conv2_1")
    of_file = {}
    for weights, photographs, pooling in (
        (narrow, ("skimage:coffee.png",), "avg"),
        (wide, ("skimage:coffee.png",), "avg"),
        (narrow, ("skimage:coffee.png",), "max"),
        (narrow, ("skimage:rocket.jpg",), "avg"),
    ):
        matconvnet.write(path, weights)
        monkeypatch.setattr(rescale, "PHOTOGRAPHS", photographs)
        found = rescale.default_means(matconvnet.load(path), path, pooling)["conv2_1"]
        of_file[found.tobytes()] = pooling
    assert len(of_file) == 4


def test_default_means_are_computed_once_and_kept_in_the_cache(
    narrow, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(rescale, "PHOTOGRAPHS", rescale.PHOTOGRAPHS[1:3])
    monkeypatch.setenv("STN_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "small.mat"
    matconvnet.write(path, narrow)
    first = rescale.default_means(narrow, path, "avg")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["cache", "small.mat"]
    kept = list((tmp_path / "cache").glob("small.mat.avg-*.means.npz"))
    assert len(kept) == 1
    changed = {name: mean * 2 for name, mean in first.items()}
    files.write_arrays(kept[0], changed)
    np.testing.assert_array_equal(
        rescale.default_means(narrow, path, "avg")["conv1_1"], changed["conv1_1"]
    )
    kept[0].write_bytes(kept[0].read_bytes()[:100])  # damaged: made again
    np.testing.assert_array_equal(
        rescale.default_means(narrow, path, "avg")["conv1_1"], first["conv1_1"]
    )


def test_shipped_means_are_what_the_photographs_give(vgg19_q8: Path) -> None:
    """To 1e-4: processors sum in other orders, which moves the last digits alone. A changed way of
    reading one photograph moves a filter of conv5_4 by 3e-3 of its layer's mean.
    """
    made = json.loads(rescale.SHIPPED.with_suffix(".json").read_text())
    assert files.sha256(rescale.SHIPPED) == made["sha256"]
    paths = {name: assets.locate_image(name) for name in rescale.PHOTOGRAPHS}
    if made["photographs"] != {name: files.sha256(path) for name, path in paths.items()}:
        pytest.skip("the packages here have other photographs")
    weights = matconvnet.load(vgg19_q8)
    found = rescale.default_means(weights, vgg19_q8, "avg")
    expected = rescale.mean_activations(weights, map(images.read, paths.values()), "avg")
    assert found.keys() == expected.keys()
    for layer, mean in expected.items():
        np.testing.assert_allclose(found[layer], mean, rtol=1e-4, atol=1e-4 * mean.mean())


def test_known_weights_need_no_photographs(vgg19_q8: Path, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(rescale, "PHOTOGRAPHS", ("skimage:no_such_file.png",))
    monkeypatch.setenv("STN_CACHE", str(tmp_path / "cache"))
    weights = matconvnet.load(vgg19_q8)
    found = {pooling: rescale.default_means(weights, vgg19_q8, pooling) for pooling in POOLINGS}
    assert found["avg"]["conv5_1"].shape == (512,)
    # Before the first pooling there is nothing to tell them apart, after it there is.
    np.testing.assert_array_equal(found["avg"]["conv1_2"], found["max"]["conv1_2"])
    assert (found["avg"]["conv2_1"] != found["max"]["conv2_1"]).all()
    assert not list((tmp_path / "cache").glob("*.means.npz"))
    with pytest.raises(InputError, match="no_such_file"):
        first, *others = weights.layers
        kernel = first.kernel.copy()
        kernel[0, 0, 0, 0] += 1e-6  # weights that nobody knows
        unknown = Weights((Layer(first.name, kernel, first.bias), *others), weights.mean_pixel)
        rescale.default_means(unknown, vgg19_q8, "avg")


def test_other_bytes_than_those_shipped_are_refused(vgg19_q8: Path, tmp_path, monkeypatch) -> None:
    for kind in (".npz", ".json"):
        shutil.copy(rescale.SHIPPED.with_suffix(kind), tmp_path / f"means{kind}")
    monkeypatch.setattr(rescale, "SHIPPED", tmp_path / "means.npz")
    means = rescale.read_means(rescale.SHIPPED)
    files.write_arrays(rescale.SHIPPED, means | {"vgg16/avg/conv1_1": np.ones(64, np.float32)})
    with pytest.raises(InputError, match=r"means\.npz: damaged"):
        rescale.default_means(matconvnet.load(vgg19_q8), vgg19_q8, "avg")


@pytest.mark.parametrize(
    "spoil", ["missing", "other network", "nan", "negative", "all zero", "no file", "damaged"]
)
def test_unusable_means_are_refused(narrow, tmp_path, spoil) -> None:
    means = {layer.name: np.ones(layer.bias.size) for layer in narrow.layers}
    if spoil == "missing":
        del means["conv2_1"]
    elif spoil == "other network":
        means["conv2_1"] = np.ones(3)
    elif spoil == "all zero":
        means["conv2_1"] *= 0
    elif spoil in ("nan", "negative"):
        means["conv2_1"][1] = np.nan if spoil == "nan" else -1
    elif spoil == "damaged":
        (tmp_path / "means.npz").write_bytes(b"not an archive")
    with pytest.raises(InputError, match=r"network\.rescale"):
        if spoil in ("no file", "damaged"):
            rescale.read_means(tmp_path / "means.npz")
        else:
            rescale.rescaled(narrow, means)


@pytest.mark.parametrize("name", ["means.npz", "means"])
def test_the_script_averages_a_folder(
    narrow, photographs, tmp_path, name, monkeypatch, capsys
) -> None:
    matconvnet.write(tmp_path / "small.mat", narrow)
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, rgb in enumerate(photographs):
        images.write(folder / f"{i}.png", rgb)
    (folder / "notes.txt").write_text("not a picture")
    words = [SCRIPT, folder, "--weights", tmp_path / "small.mat", "--out", tmp_path / name]
    monkeypatch.setattr(sys, "argv", [*map(str, words)])
    runpy.run_path(str(SCRIPT))["main"]()
    out = capsys.readouterr().out
    assert "2 pictures" in out and f"network.rescale={tmp_path / name}" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["small.mat", "photos", name])
    expected = rescale.mean_activations(narrow, [np.rint(rgb) for rgb in photographs], "avg")
    for layer, mean in rescale.read_means(tmp_path / name).items():
        np.testing.assert_allclose(mean, expected[layer], rtol=1e-4)


# The real network: what the floor and the photographs are for


@pytest.fixture(scope="module")
def rescaled_vgg19(vgg19_q8: Path) -> network.Network:
    """VGG-19 with 8-bit kernels, rescaled by the packaged photographs."""
    return network.load(vgg19_q8, schema.Network(rescale="default", pooling="avg"))


def grams(image: np.ndarray, rescaled: network.Network) -> dict[str, np.ndarray]:
    """G/M at each layer."""
    found = {}
    for layer, F in vgg.features(image, rescaled.kernels, GATYS, vgg.Options("avg")).items():
        flat = F.numpy().reshape(-1, F.shape[-1]).astype(np.float64)
        found[layer] = flat.T @ flat / len(flat)
    return found


def painting(name: str, size_px: int, rescaled: network.Network) -> np.ndarray:
    """A painting at that √(height · width), as the network takes it."""
    try:
        rgb = images.read(assets.locate_image(f"asset:{name}"))
    except InputError as error:
        pytest.skip(str(error))
    shape = resizing.target_shape(rgb, size_px, "area", rounding="up")
    return rescaled.image(resizing.resize(rgb, *shape, "pyramid_reduce"))


@pytest.mark.parametrize("name", ["starry_night_google.jpg", "the_scream.jpg", "kandinsky.jpg"])
def test_on_paintings_no_filter_owns_its_layers_gram_matrix(rescaled_vgg19, name) -> None:
    """Over dull photographs and without a floor, one filter of conv1_1 held 99 % of it: gray and
    yellow patches.
    """
    for layer, A in grams(painting(name, 256, rescaled_vgg19), rescaled_vgg19).items():
        assert np.diag(A).max() < 0.2 * np.trace(A), layer


def test_starry_nights_terms_against_noise(rescaled_vgg19) -> None:
    """MSE of G/M against N(0, 1), measured here, within a factor of two (docs/METHODS.md, §2.4)."""
    image = painting("starry_night_google.jpg", 512, rescaled_vgg19)
    A = grams(image, rescaled_vgg19)
    G = grams(np.random.default_rng(0).normal(0, 1, image.shape).astype(np.float32), rescaled_vgg19)
    for layer, expected in zip(GATYS, (5.8, 1.4, 1.5, 1.5, 2.3), strict=True):
        assert expected / 2 < np.mean((G[layer] - A[layer]) ** 2) < 2 * expected, layer
