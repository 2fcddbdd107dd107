"""Weights of other programs: each file's network has the features that its own program computes.

The files are written by PyTorch, by h5py in Keras' layout, and by hand."""

import dataclasses
import io
import json
import math
import pickle
import pickletools
import re
import runpy
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import synthetic
import tensorflow as tf
from test_wheels import torch_file

from stn import config, transfer
from stn.assets import foreign, inputs, matconvnet
from stn.assets.weights import IMAGENET_MEAN, Weights
from stn.errors import InputError
from stn.layers import VGG16, of_kind
from stn.network import vgg

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "convert_weights.py"
# torchvision.models.vgg19().features: where its convolutions are; 16 has three in blocks 3 to 5.
PLACES = {
    19: (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34),
    16: (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
}


def state_dict(network: Weights) -> dict[str, np.ndarray]:
    """`features.N.weight` [out, in, h, w] and `bias`, then a head, in torchvision's order."""
    found = {}
    for place, layer in zip(PLACES[network.depth], network.layers, strict=True):
        kernel = layer.kernel.transpose(3, 2, 0, 1)
        found[f"features.{place}.weight"] = np.ascontiguousarray(kernel)
        found[f"features.{place}.bias"] = layer.bias
    found["classifier.0.weight"] = np.ones((4, 2), np.float32)
    return found


def picture() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (40, 48, 3))


def assert_same_features(found: Weights, original: Weights, seen: np.ndarray) -> None:
    """Our picture less the mean pixel through `found` is `seen` through the original's kernels."""
    image = (picture() - found.mean_pixel)[None].astype(np.float32)
    layers = ["relu1_1", "relu3_2", "conv5_3"]
    ours = vgg.features(image, found, layers)
    theirs = vgg.features(seen[None].astype(np.float32), original, layers)
    for layer in layers:
        largest = np.abs(theirs[layer]).max()
        assert largest > 0
        np.testing.assert_allclose(ours[layer], theirs[layer], atol=1e-4 * largest)


@pytest.mark.parametrize("depth", [16, 19])
def test_torchvisions_weights_see_normalized_pixels(depth: int, tmp_path: Path) -> None:
    network = synthetic.vgg(depth)
    path = tmp_path / "vgg.pth"
    path.write_bytes(torch_file(state_dict(network)))
    found = foreign.read(path, "torchvision")
    seen = (picture() / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    assert_same_features(found, network, seen)
    np.testing.assert_allclose(found.mean_pixel, (123.675, 116.28, 103.53), rtol=1e-6)


@pytest.mark.parametrize("depth", [16, 19])
def test_caffes_weights_see_blue_first(depth: int, tmp_path: Path) -> None:
    network = synthetic.vgg(depth)
    path = tmp_path / "vgg.pth"
    path.write_bytes(torch_file(state_dict(network)))
    seen = picture()[..., ::-1] - IMAGENET_MEAN[::-1]
    assert_same_features(foreign.read(path, "caffe"), network, seen)


def test_a_file_is_known_by_the_first_digits_of_its_checksum(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "vgg.pth"
    path.write_bytes(torch_file(state_dict(synthetic.vgg(16))))
    with pytest.raises(InputError, match="--convention torchvision or --convention caffe"):
        foreign.read(path)
    known = foreign.read(path, "caffe")
    monkeypatch.setitem(foreign.TORCH_FILES, known.sha256[:8], "caffe")
    for ours, theirs in zip(foreign.read(path).layers, known.layers, strict=True):
        np.testing.assert_array_equal(ours.kernel, theirs.kernel)


def test_a_file_of_pytorch_itself_in_both_its_formats(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    network = synthetic.vgg(19)
    tensors = {name: torch.from_numpy(array) for name, array in state_dict(network).items()}
    for new in (False, True):
        path = tmp_path / f"{new}.pth"
        torch.save(tensors, path, _use_new_zipfile_serialization=new)
        found = foreign.read(path, "caffe")
        for ours, theirs in zip(found.layers[1:], network.layers[1:], strict=True):
            np.testing.assert_array_equal(ours.kernel, theirs.kernel)
            np.testing.assert_array_equal(ours.bias, theirs.bias)


def as_zip(content: bytes, arrays: Iterable[np.ndarray]) -> bytes:
    """The newer format: an archive of the older one's index and of each storage by its key."""
    file, stream = io.BytesIO(content), io.BytesIO()
    for _ in range(3):  # magic number, protocol, sizes of C types
        pickle.load(file)
    rest = file.read()
    end = next(place for code, _, place in pickletools.genops(rest) if code.name == "STOP")
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", rest[: end + 1])
        for number, array in enumerate(arrays):
            archive.writestr(f"archive/data/{number}", array.tobytes())
    return stream.getvalue()


def assert_read(path: Path, network: Weights) -> None:
    found = foreign.read(path, "caffe")
    for ours, theirs in zip(found.layers[1:], network.layers[1:], strict=True):
        np.testing.assert_array_equal(ours.kernel, theirs.kernel)
        np.testing.assert_array_equal(ours.bias, theirs.bias)


def test_the_newer_format_by_hand(tmp_path: Path) -> None:
    network, path = synthetic.vgg(16), tmp_path / "vgg.pth"
    tensors = state_dict(network)
    path.write_bytes(as_zip(torch_file(tensors), tensors.values()))
    assert_read(path, network)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_parameters_of_a_training_checkpoint_beside_an_optimizers_buffers(
    key: str, zipped: bool, tmp_path: Path
) -> None:
    """As PyTorch's ImageNet example saves them: DataParallel is of `features` alone."""
    network, path = synthetic.vgg(16), tmp_path / "vgg.pth"
    tensors = {
        name.replace("features.", "features.module."): array
        for name, array in state_dict(network).items()
    }
    buffers = (np.ones((2, 3), np.float64), np.arange(5))
    content = torch_file(tensors, key=key, buffers=buffers)
    path.write_bytes(as_zip(content, [*buffers, *tensors.values()]) if zipped else content)
    assert_read(path, network)


@pytest.mark.parametrize("kind", ["float16", "float64"])
def test_tensors_of_several_gpus_and_of_other_precisions(kind: str, tmp_path: Path) -> None:
    """`nn.DataParallel` puts `module.` before all names."""
    network, path = synthetic.vgg(16), tmp_path / "vgg.pth"
    tensors = {f"module.{name}": array.astype(kind) for name, array in state_dict(network).items()}
    path.write_bytes(torch_file(tensors))
    found = foreign.read(path, "caffe")
    for ours, theirs in zip(found.layers[1:], network.layers[1:], strict=True):
        np.testing.assert_array_equal(ours.kernel, theirs.kernel.astype(kind))
        assert ours.kernel.dtype == np.float32


@pytest.mark.parametrize("prefix", ["", "features.", "net.vgg.features.", "_orig_mod.features."])
def test_a_trunk_is_found_alone_and_in_another_network(prefix: str, tmp_path: Path) -> None:
    network, path = synthetic.vgg(16), tmp_path / "vgg.pth"
    tensors = {
        name.replace("features.", prefix): array for name, array in state_dict(network).items()
    }
    path.write_bytes(torch_file(tensors))
    assert_read(path, network)


def channels_last(array: np.ndarray) -> np.ndarray:
    """A kernel [out, in, h, w] that lies as [out, h, w, in]; another array as it is."""
    if array.ndim != 4:
        return array
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def upper_half(array: np.ndarray) -> np.ndarray:
    """Of each number's bits, which is bfloat16."""
    return (array.astype("<f4").view("<u4") >> 16).astype("<u2")


@pytest.mark.parametrize("as_before", [False, True])
@pytest.mark.parametrize("form", [np.ascontiguousarray, channels_last, upper_half])
def test_tensors_of_any_memory_format_and_version(as_before, form, tmp_path: Path) -> None:
    """`as_before` PyTorch 0.4, as torchvision's vgg16-397923af.pth is (tinygrad, pull 13253)."""
    network, path = synthetic.vgg(16), tmp_path / "vgg.pth"
    tensors = {name: form(array) for name, array in state_dict(network).items()}
    path.write_bytes(torch_file(tensors, as_before=as_before))
    found = foreign.read(path, "caffe")
    for ours, theirs in zip(found.layers[1:], network.layers[1:], strict=True):
        for one, other in ((ours.kernel, theirs.kernel), (ours.bias, theirs.bias)):
            if form is upper_half:
                np.testing.assert_array_equal(upper_half(one), upper_half(other))
                assert not (one.view("<u4") & 0xFFFF).any()
            else:
                np.testing.assert_array_equal(one, other)


def keras_file(path: Path, network: Weights, *others: str, top: str = "", **config: object) -> None:
    """Keras' .h5 of a VGG, with other layers; `config` is of its first convolution."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for layer in network.layers:
            name = f"block{layer.name[4]}_conv{layer.name[6]}"
            group = file.create_group(f"{top}{name}/{name}")
            group["kernel:0"], group["bias:0"] = layer.kernel, layer.bias
        for name in others:
            file[name if name.startswith("/") else top + name] = np.ones(2, np.float32)
        first = {"name": "block1_conv1", "padding": "same", "strides": [1, 1]} | config
        layers = [{"class_name": "Conv2D", "config": first}]
        file.attrs["model_config"] = json.dumps({"config": {"layers": layers}})


def test_a_whole_keras_model_is_read_with_its_head_and_its_optimizer_left_out(
    tmp_path: Path,
) -> None:
    network, path = synthetic.vgg(16), tmp_path / "vgg.h5"
    keras_file(path, network, "fc1/kernel:0", "/optimizer_weights/m", top="model_weights/")
    for ours, theirs in zip(foreign.read(path).layers[1:], network.layers[1:], strict=True):
        np.testing.assert_array_equal(ours.kernel, theirs.kernel)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"padding": "valid"}, "'block1_conv1' has padding valid"),
        ({"strides": [2, 2]}, "'block1_conv1' has strides"),
        ({"activation": "linear"}, "'block1_conv1' has activation linear"),
        ({"dilation_rate": [2, 2]}, "'block1_conv1' has dilation_rate"),
        ("batch_normalization/gamma:0", "'batch_normalization' is none of Keras' VGG"),
        ("block1_bn1/gamma:0", "'block1_bn1' is none of"),
        ("block5_conv5/extra/kernel:0", "not a VGG's, each a kernel and a bias"),
    ],
)
def test_another_network_of_keras_is_refused_by_its_layer(
    spoil: dict | str, said: str, tmp_path: Path
) -> None:
    path, network = tmp_path / "vgg.h5", synthetic.vgg(16)
    if isinstance(spoil, str):
        keras_file(path, network, spoil)
    else:
        keras_file(path, network, **spoil)
    with pytest.raises(InputError, match=rf"vgg\.h5: .*{re.escape(said)}"):
        foreign.read(path)


def in_keras_order(path: Path, *layers: str, config: object = None) -> None:
    """Say the order of a whole model's layers, and its config."""
    with pytest.importorskip("h5py").File(path, "r+") as file:
        file["model_weights"].attrs["layer_names"] = [name.encode() for name in layers]
        if config is not None:
            file.attrs["model_config"] = json.dumps({"config": config})


BLOCKS = [f"block{layer.name[4]}_conv{layer.name[6]}" for layer in synthetic.vgg(16).layers]
TUNED = ("flatten", "batch_normalization", "dense", "dropout", "dense_1")


@pytest.mark.parametrize("nested", [False, True])
def test_a_fine_tuned_head_of_keras_is_left_out(nested: bool, tmp_path: Path) -> None:
    network, path = synthetic.vgg(16), tmp_path / "vgg.h5"
    head = [f"/model_weights/{name}/model/{name}/gamma" for name in TUNED]
    keras_file(path, network, *head, top="model_weights/vgg16/" if nested else "model_weights/")
    in_keras_order(path, *(["vgg16"] if nested else BLOCKS), *TUNED)
    assert_read(path, network)
    in_keras_order(path, *TUNED[:2], *(["vgg16"] if nested else BLOCKS), *TUNED[2:])
    with pytest.raises(InputError, match="'batch_normalization' is none of"):
        foreign.read(path, "caffe")


@pytest.mark.parametrize("where", ["vgg16/extra", "conv2d"])
def test_a_layer_in_a_nested_trunk_or_a_convolution_behind_it_is_refused(
    where: str, tmp_path: Path
) -> None:
    path = tmp_path / "vgg.h5"
    keras_file(path, synthetic.vgg(16), top="model_weights/vgg16/")
    in_keras_order(path, "vgg16", "conv2d")
    with pytest.importorskip("h5py").File(path, "r+") as file:
        shape = (3, 3, 2, 2) if where == "conv2d" else (2,)
        file[f"model_weights/{where}/kernel"] = np.ones(shape, np.float32)
    with pytest.raises(InputError, match=f"'{where.removeprefix('vgg16/')}' is none of"):
        foreign.read(path)


@pytest.mark.parametrize("form", ["list", "list in a list", "model in a model"])
def test_a_config_that_is_a_list_or_in_another_is_checked_too(form: str, tmp_path: Path) -> None:
    """Sequential's config was the list of its layers before Keras 2.2.3."""
    network, path = synthetic.vgg(16), tmp_path / "vgg.h5"
    keras_file(path, network, top="model_weights/")
    for padding in ("same", "valid"):
        config: object = {"name": "block1_conv1", "padding": padding}
        layers: list = [{"class_name": "Conv2D", "config": config}]
        forms: dict[str, object] = {
            "list": layers,
            "list in a list": [{"class_name": "Sequential", "config": layers}],
            "model in a model": {"layers": [{"class_name": "Model", "config": {"layers": layers}}]},
        }
        in_keras_order(path, *BLOCKS, config=forms[form])
        if padding == "same":
            assert_read(path, network)
    with pytest.raises(InputError, match="'block1_conv1' has padding valid"):
        foreign.read(path)


def test_files_that_claim_gigabytes_are_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "vgg.h5", "w") as file:
        shape = (3, 3, 10**6, 10**7)
        file.create_dataset("block1_conv1/kernel:0", shape, "f4", chunks=(1, 1, 1000, 1000))
    with zipfile.ZipFile(tmp_path / "vgg.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(2**20))
    for name, said in (("vgg.h5", r"block1_conv1 has a kernel"), ("vgg.pth", "compressed")):
        with pytest.raises(InputError, match=said):
            foreign.read(tmp_path / name, "caffe")


def test_keras_weights_see_blue_first(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    network = synthetic.vgg(19)
    path = tmp_path / "vgg19.h5"
    with h5py.File(path, "w") as file:
        for layer in network.layers:
            name = f"block{layer.name[4]}_conv{layer.name[6]}"
            group = file.create_group(name)
            group[f"{name}_W_1:0"], group[f"{name}_b_1:0"] = layer.kernel, layer.bias
        file.create_group("fc1")["fc1_W_1:0"] = np.ones((3, 4))
    seen = tf.keras.applications.vgg19.preprocess_input(picture().copy())
    assert_same_features(foreign.read(path), network, seen)


def test_a_file_of_keras_itself(tmp_path: Path) -> None:
    """Its HDF5 format, of a model whose layers have the names of keras.applications'."""
    pytest.importorskip("h5py")
    network = synthetic.vgg(16)
    names = [f"block{layer.name[4]}_conv{layer.name[6]}" for layer in network.layers]
    convolutions = [
        tf.keras.layers.Conv2D(layer.bias.size, 3, padding="same", activation="relu", name=name)
        for name, layer in zip(names, network.layers, strict=True)
    ]
    model = tf.keras.Sequential([tf.keras.Input((None, None, 3)), *convolutions])
    for each, layer in zip(convolutions, network.layers, strict=True):
        each.set_weights([layer.kernel, layer.bias])
    path = tmp_path / "vgg16.h5"
    model.save(path)
    seen = tf.keras.applications.vgg16.preprocess_input(picture().copy())
    assert_same_features(foreign.read(path), network, seen)


def python2_pickle(arrays: list[np.ndarray], key: bytes = b"param values") -> bytes:
    """What Python 2 and NumPy write of {"param values": arrays} in protocol 2, by hand."""

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    def text(value: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(value)) + value

    def state(*parts: bytes) -> bytes:
        return b"(" + b"".join(parts) + b"t"

    kind = b"cnumpy\ndtype\n" + state(text(b"f4"), number(0), number(1)) + b"R"
    none = [b"N"] * 3 + [number(-1), number(-1), number(0)]
    kind += state(number(3), text(b"<"), *none) + b"b"
    content = b"\x80\x02}" + text(key) + b"]"
    for array in arrays:
        empty = state(b"cnumpy\nndarray\n", state(number(0)), text(b"b"))
        shape = state(*map(number, array.shape))
        content += b"cnumpy.core.multiarray\n_reconstruct\n" + empty + b"R"
        content += (
            state(number(1), shape, kind, b"\x89", text(array.astype("<f4").tobytes())) + b"ba"
        )
    return content + b"s."


def lasagnes(network: Weights) -> list[np.ndarray]:
    """Kernels [out, in, h, w] and biases by turns."""
    pairs = [(layer.kernel.transpose(3, 2, 0, 1), layer.bias) for layer in network.layers]
    return [array for pair in pairs for array in pair]


def test_lasagnes_weights_see_blue_first_less_a_whole_mean(tmp_path: Path) -> None:
    network = synthetic.vgg(19)
    path = tmp_path / "vgg19_normalized.pkl"
    path.write_bytes(python2_pickle(lasagnes(network)))
    assert_same_features(foreign.read(path), network, picture()[..., ::-1] - (104, 117, 123))


def naive_features(network: Weights, seen: np.ndarray) -> dict[str, np.ndarray]:
    """The first ReLU of each of three blocks in float64; zeros beyond the border."""
    x, found = seen, {}
    for layer in network.layers[: 7 if network.depth == 19 else 5]:
        if layer.name in ("conv2_1", "conv3_1"):
            height, width, N = x.shape
            x = x.reshape(height // 2, 2, width // 2, 2, N).max((1, 3))
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))
        kernel = layer.kernel.astype(np.float64)
        x = np.maximum(np.einsum("hwcij,ijco->hwo", windows, kernel) + layer.bias, 0)
        found[layer.name.replace("conv", "relu")] = x
    return {layer: found[layer] for layer in ("relu1_1", "relu2_1", "relu3_1")}


def in_layout(network: Weights, layout: str, path: Path) -> None:
    """A file in which the numbers are those of `network`, which sees red first in 0-255."""
    first, *others = network.layers
    blue = dataclasses.replace(first, kernel=first.kernel[:, :, ::-1])
    deviation = 255 * np.array((0.229, 0.224, 0.225))[:, None]
    unit = dataclasses.replace(first, kernel=(first.kernel * deviation).astype(np.float32))
    file = dataclasses.replace(network, layers=(unit if layout == "torchvision" else blue, *others))
    if layout == "keras":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as group:
            for layer in file.layers:
                name = f"block{layer.name[4]}_conv{layer.name[6]}"
                group[f"{name}/{name}_W_1:0"] = layer.kernel
                group[f"{name}/{name}_b_1:0"] = layer.bias
    elif layout == "lasagne":
        path.write_bytes(python2_pickle(lasagnes(file)))
    else:
        path.write_bytes(torch_file(state_dict(file)))


@pytest.mark.parametrize(
    ("layout", "mean"),
    {
        "torchvision": (123.675, 116.28, 103.53),
        "caffe": IMAGENET_MEAN,
        "keras": IMAGENET_MEAN,
        "lasagne": (123.0, 117.0, 104.0),
    }.items(),
)
def test_a_run_on_any_layout_has_the_features_of_one_network(
    layout: str, mean: tuple[float, ...], tmp_path: Path
) -> None:
    """To 1e-6 of the largest, from the file to what a run computes; only the mean pixel differs."""
    network = synthetic.vgg(19, channels=6)
    in_layout(network, layout, tmp_path / "source")
    found = foreign.read(tmp_path / "source", layout if layout in foreign.CONVENTIONS else None)
    matconvnet.write(tmp_path / "vgg.mat", found)
    ran = transfer.network_of(config.compose(f"network.weights={tmp_path / 'vgg.mat'}"))
    ours = vgg.features(ran.image(picture()), ran.kernels, ["relu1_1", "relu2_1", "relu3_1"])
    for layer, expected in naive_features(network, picture() - mean).items():
        np.testing.assert_allclose(ours[layer][0], expected, atol=1e-6 * expected.max())


@pytest.mark.parametrize("spoil", ["cut", "hostile", "key", "odd", "thirteen"])
def test_a_pickle_that_is_no_vgg_of_lasagne_is_refused_by_name(
    spoil: str, tmp_path: Path, capsys
) -> None:
    path, arrays = tmp_path / "vgg19.pkl", lasagnes(synthetic.vgg(19))
    content = {
        "cut": python2_pickle(arrays)[:-400],
        "hostile": pickle.dumps({"param values": [_Runs()]}, protocol=2),
        "key": python2_pickle(arrays, b"values"),
        "odd": python2_pickle(arrays[:-1]),
        "thirteen": python2_pickle(arrays[:20]),
    }[spoil]
    path.write_bytes(content)
    said = {"hostile": "refused", "thirteen": "10 convolutions"}.get(spoil, "")
    with pytest.raises(InputError, match=rf"vgg19\.pkl: .*{said}"):
        foreign.read(path)
    assert capsys.readouterr().out == ""


def test_random_weights_are_hes() -> None:
    network = foreign.random(19, 1)
    assert network.depth == 19 and network.layer("conv4_1").kernel.shape == (3, 3, 256, 512)
    for layer in network.layers:
        inputs = layer.kernel.shape[2]
        assert layer.kernel.var() == pytest.approx(2 / (9 * inputs), rel=0.06)
        assert not layer.bias.any()
    first, again, other = (foreign.random(19, seed, [4] * 5).layers[3].kernel for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


class _Runs:
    """What a hostile file asks for."""

    def __reduce__(self) -> object:
        return print, ("ran",)


def test_random_weights_are_drawn_into_the_cache_once(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("STN_CACHE", str(tmp_path))
    settings = config.compose("network=vgg16", "network.weights=random")
    path = inputs.weights(settings)
    drawn, time = matconvnet.load(path), path.stat().st_mtime_ns
    assert [layer.name for layer in drawn.layers] == of_kind("conv", VGG16)
    for layer in drawn.layers:
        inputs_of_one = math.prod(layer.kernel.shape[:3])
        assert layer.kernel.std() == pytest.approx(math.sqrt(2 / inputs_of_one), rel=0.03)
        assert not layer.bias.any()
    assert inputs.weights(settings) == path and path.stat().st_mtime_ns == time


@pytest.mark.parametrize("zipped", [False, True])
def test_a_file_that_asks_for_more_than_tensors_runs_nothing(
    zipped: bool, tmp_path: Path, capsys
) -> None:
    path = tmp_path / "bad.pth"
    hostile = pickle.dumps({"features.0.weight": _Runs()})
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", hostile)
    else:
        path.write_bytes(hostile)
    with pytest.raises(InputError, match=r"bad\.pth.*refused"):
        foreign.read(path, "caffe")
    assert capsys.readouterr().out == ""


SPOILED = {
    "missing": "no such file",
    "text": "not a whole file of torch.save",
    "cut": "not a whole file of torch.save",
    "batch normalization": "with batch normalization",
    "normalization without a scale": "with batch normalization",
    "two networks": "has 2 networks .a.features., b.features.. of torchvision's VGG",
    "another's names": "has none of torchvision's VGG",
    "a number beside": "holds more than a network's tensors",
    "other kernel": "a kernel of shape",
    "NumPy": r"a NumPy archive \(.npz\); give a .pth",
    "MATLAB": "a MATLAB file, which needs no conversion",
    "Lua": r"Lua's Torch \(.t7\)",
    "tar": "from before 2017",
}


@pytest.mark.parametrize("spoil", SPOILED)
def test_what_is_no_vgg_is_refused_by_name(spoil: str, tmp_path: Path) -> None:
    path, tensors = tmp_path / "vgg.pth", state_dict(synthetic.vgg(16))
    if spoil == "batch normalization":
        tensors["features.1.weight"] = tensors["features.1.bias"] = np.ones(2, np.float32)
        tensors["features.1.num_batches_tracked"] = np.array(7, np.int64)
    if spoil == "normalization without a scale":
        tensors["features.1.running_mean"] = np.ones(2, np.float32)
    if spoil == "other kernel":
        tensors["features.5.weight"] = np.ones((2, 2, 5, 5), np.float32)
    if spoil == "two networks":
        tensors = {f"{net}.{name}": each for net in "ab" for name, each in tensors.items()}
    if spoil == "another's names":
        tensors = {f"backbone.{name[9:]}": each for name, each in tensors.items()}
    content = torch_file(tensors)
    if spoil == "a number beside":
        content = content.replace(b"}(X", b"}(X\1\0\0\0nK\7X", 1)
    archive = io.BytesIO()
    np.savez(archive, a=np.ones(3))
    content = {
        "text": b"not weights",
        "cut": content[:-9],
        "NumPy": archive.getvalue(),
        "MATLAB": b"MATLAB 5.0 MAT-file" + bytes(600),
        "Lua": struct.pack("<4i", 4, 1, 3, 0) + bytes(600),
        "tar": b"sys_info".ljust(257, b"\0") + b"ustar" + bytes(600),
    }.get(spoil, content)
    if spoil != "missing":
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"vgg\.pth: .*{SPOILED[spoil]}"):
        foreign.read(path, None if spoil == "NumPy" else "torchvision")


def test_the_script_writes_what_network_weights_takes(tmp_path: Path, monkeypatch, capsys) -> None:
    source, out = tmp_path / "vgg.pth", tmp_path / "vgg.mat"
    source.write_bytes(torch_file(state_dict(synthetic.vgg(16))))
    words = [SCRIPT, source, out, "--convention", "caffe"]
    monkeypatch.setattr(sys, "argv", [*map(str, words)])
    runpy.run_path(str(SCRIPT))["main"]()
    assert f"network.weights={out}" in capsys.readouterr().out
    read, expected = matconvnet.read(out), foreign.read(source, "caffe")
    np.testing.assert_array_equal(read.mean_pixel, expected.mean_pixel)
    for ours, theirs in zip(read.layers, expected.layers, strict=True):
        np.testing.assert_array_equal(ours.kernel, theirs.kernel)
        np.testing.assert_array_equal(ours.bias, theirs.bias)
    again = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert again.returncode == 2 and again.stderr.count("\n") == 1 and "exists" in again.stderr
