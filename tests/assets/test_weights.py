"""Every MatConvNet layout gives the same weights, the converted copy is never stale, no damaged
file gets through.
"""

import bz2
import gzip
import hashlib
import io
import os
import random
import re
import resource
import struct
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from PIL import Image
from synthetic import CLASSES, LAYOUTS, assert_same, cell, contents, vgg, write

from stn.assets import matconvnet
from stn.assets.weights import Layer
from stn.errors import InputError
from stn.layers import VGG16, VGG19

LONG = os.environ.get("STN_LONG") == "1"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def mat(tmp_path: Path) -> Path:
    """A VGG-16 in a folder of its own, much larger than its convolutions."""
    (tmp_path / "data").mkdir()
    return write_large(tmp_path / "data" / "vgg.mat")


def write_large(path: Path, **network: int) -> Path:
    made = vgg(**network)
    kernels = sum(layer.kernel.nbytes for layer in made.layers)
    scipy.io.savemat(path, {**contents(made), "more": np.zeros(kernels, np.uint8)})
    return path


# Layouts


@pytest.mark.parametrize(
    "options", [{}, {"shuffle": 1}, {"shuffle": 2, "do_compression": True}], ids=str
)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("depth", [16, 19])
def test_every_layout_gives_the_same_weights(tmp_path, depth, layout, options):
    network = vgg(depth)
    found = matconvnet.load(write(tmp_path / "vgg.mat", network, layout, **options))
    assert_same(found, network)
    assert found.depth == depth


@pytest.mark.parametrize("layout", LAYOUTS)
def test_head_keeps_fully_connected_layers_and_class_names(tmp_path, layout):
    network = vgg(19, head=True)
    path = write(tmp_path / "vgg.mat", network, layout, shuffle=3)
    assert_same(matconvnet.load(path, head=True), network)
    without = replace(network, layers=network.layers[:-3], classes=())
    for _ in ("read", "from the converted copy"):
        assert_same(matconvnet.load(path), without)
    assert_same(matconvnet.load(path, head=True), network)


def test_the_writer_makes_the_current_layout(tmp_path):
    network = vgg(19, head=True)
    matconvnet.write(tmp_path / "vgg.mat", network)
    assert_same(matconvnet.read(tmp_path / "vgg.mat", head=True), network)
    found = scipy.io.loadmat(tmp_path / "vgg.mat", struct_as_record=True)
    layers = [item[0, 0] for item in found["layers"][0]]
    assert found["layers"].shape == (1, 43)
    assert [str(layer["type"][0]) for layer in layers].count("conv") == 19
    names = [str(layer["name"][0]) for layer in layers]
    assert names == [*VGG19, "fc6", "relu6", "fc7", "relu7", "fc8", "prob"]
    assert (
        b"20" not in (tmp_path / "vgg.mat").read_bytes()[:116]
    )  # no date: the same weights, the same bytes
    fields = ("name", "type", "weights", "size", "pad", "stride", "precious", "dilate", "opts")
    assert layers[0].dtype.names == fields
    assert layers[0]["weights"][0, 1].shape == (2, 1)
    assert found["meta"]["normalization"][0, 0]["averageImage"][0, 0].shape == (1, 1, 3)


def test_a_single_filter_whose_last_dimension_matlab_dropped(tmp_path):
    network = vgg(channels=1)
    flat = tuple(replace(layer, kernel=layer.kernel[..., 0]) for layer in network.layers)
    assert_same(
        matconvnet.load(write(tmp_path / "vgg.mat", replace(network, layers=flat))), network
    )


def test_mean_pixel_is_the_mean_of_an_uneven_average_image(tmp_path):
    variables = contents(vgg(), "beta16")
    rng = np.random.default_rng(0)
    average = rng.uniform(0, 255, (224, 200, 3)) * [1, 0.5, 0.1]
    variables["normalization"]["averageImage"] = average
    scipy.io.savemat(tmp_path / "vgg.mat", variables)
    expected = [average[:, :, channel].sum() / (224 * 200) for channel in range(3)]
    np.testing.assert_allclose(
        matconvnet.load(tmp_path / "vgg.mat").mean_pixel, expected, rtol=1e-6
    )


def test_unrelated_variables_in_the_file_are_passed_over(tmp_path):
    others = {"a": scipy.sparse.eye_array(3).tocsc(), "z": "note"}
    scipy.io.savemat(tmp_path / "vgg.mat", {"a": others["a"], **contents(vgg()), "z": others["z"]})
    assert_same(matconvnet.load(tmp_path / "vgg.mat"), vgg())


def test_a_network_some_levels_down_is_read(tmp_path):
    net = contents(vgg(head=True))
    meta = net.pop("meta")
    for variables in ({"net": {**net, "meta": meta}}, {"net": {"net": net}, "meta": meta}):
        scipy.io.savemat(tmp_path / "vgg.mat", variables)
        assert_same(matconvnet.read(tmp_path / "vgg.mat", head=True), vgg(head=True))


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_bytes_of_either_order_are_read(tmp_path, order, compress):
    content = matlab_bytes(contents(vgg(19)), order, compress)
    (tmp_path / "vgg.mat").write_bytes(content)
    assert_same(matconvnet.read(tmp_path / "vgg.mat"), vgg(19))


def test_one_array_of_structs_leaves_fields_empty_and_is_read(tmp_path):
    """MATLAB's array of structs has every field in every layer."""
    layers = [dict(layer) for layer in contents(vgg())["layers"].ravel()]
    fields = list(dict.fromkeys(name for layer in layers for name in layer))
    array = np.empty((1, len(layers)), dtype=[(name, object) for name in fields])
    for i, layer in enumerate(layers):
        array[0, i] = tuple(layer.get(name, np.zeros((0, 0))) for name in fields)
    scipy.io.savemat(tmp_path / "vgg.mat", {**contents(vgg()), "layers": array})
    assert_same(matconvnet.read(tmp_path / "vgg.mat"), vgg())


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ({"name": cell("n01", "n02")}, ("n01", "n02")),
        ({"name": cell("n01", "n02"), "description": cell()}, ("n01", "n02")),
        ({"name": cell(), "description": cell()}, ()),
        ({}, ()),
        (np.zeros((0, 0)), ()),
    ],
)
def test_a_network_without_descriptions_of_its_classes_is_read(tmp_path, classes, expected):
    variables = contents(vgg(head=True))
    variables["meta"]["classes"] = classes
    scipy.io.savemat(tmp_path / "vgg.mat", variables)
    assert matconvnet.read(tmp_path / "vgg.mat", head=True).classes == expected
    assert_same(matconvnet.load(tmp_path / "vgg.mat"), vgg())


def test_mean_pooling_and_dropout_are_a_vggs_too(tmp_path):
    variables = contents(vgg(head=True))
    structs: list[dict] = []
    for layer in variables["layers"].ravel():
        pool = {"method": "avg", "pad": 0.0} if layer["type"] == "pool" else {}
        dropout = [{"name": "drop", "type": "dropout", "rate": 0.5}]
        structs += [{**layer, **pool}, *(dropout if layer["name"] in ("relu6", "relu7") else [])]
    scipy.io.savemat(tmp_path / "vgg.mat", {**variables, "layers": cell(*structs)})
    assert_same(matconvnet.read(tmp_path / "vgg.mat", head=True), vgg(head=True))


def test_layer_names_end_with_the_last_convolution():
    network = vgg(last="conv2_1")
    assert network.layer_names == (
        "conv1_1",
        "relu1_1",
        "conv1_2",
        "relu1_2",
        "pool1",
        "conv2_1",
        "relu2_1",
    )
    assert network.layer("conv2_1") is network.layers[2]
    with pytest.raises(KeyError):
        network.layer("conv2_2")
    assert vgg(19).layer_names == VGG19 and len(VGG19) == 16 + 16 + 5
    assert vgg(16).layer_names == VGG16 and len(VGG16) == 13 + 13 + 5


# The converted copy


def test_the_second_load_reads_the_copy(mat, cache):
    first = matconvnet.load(mat)
    assert_same(first, vgg())
    assert first.sha256 == hashlib.sha256(mat.read_bytes()).hexdigest()
    assert [path.name for path in mat.parent.iterdir()] == ["vgg.mat"]  # the user's is left alone
    [copy] = cache.iterdir()
    with np.load(copy) as arrays:
        marked = {**arrays, "mean_pixel": np.float32([1, 2, 3])}
    np.savez(copy, **marked)
    second = matconvnet.load(mat)
    assert second.mean_pixel.tolist() == [1, 2, 3] and second.sha256 == first.sha256


def test_a_file_of_convolutions_alone_lies_once_on_the_disk(tmp_path, cache):
    network = vgg(channels=48)
    assert_same(matconvnet.load(write(tmp_path / "vgg.mat", network)), network)
    assert not cache.exists()


@pytest.mark.parametrize("writer", [write_large, lambda path, **kw: write(path, vgg(**kw))])
def test_a_file_of_the_same_size_and_time_is_another_file(tmp_path, writer):
    path = tmp_path / "vgg.mat"
    for seed in (0, 1, 0):
        os.utime(writer(path, seed=seed), ns=(10**18, 10**18))
        network = matconvnet.load(path)
        assert_same(network, vgg(seed=seed))
        assert network.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_damaged_copy_is_never_trusted_and_made_again(mat, cache):
    matconvnet.load(mat)
    [copy] = cache.glob("*.npz")
    whole = copy.read_bytes()
    rng = random.Random(0)
    for _ in range(2000 if LONG else 60):
        copy.write_bytes(mutated(whole, rng))
        assert_same(matconvnet.load(mat), vgg())
    before, name, after = whole.rpartition(b"conv5_3/kernel")  # in the archive's list of contents
    for damage in (
        b"",
        b"\x93NUMPY\x01\x00",
        whole[: len(whole) // 2],
        b"\x80\x04.",
        before + name[::-1] + after,
    ):
        copy.write_bytes(damage)
        assert_same(matconvnet.load(mat), vgg())


def test_files_of_one_name_do_not_share_a_copy_in_the_cache(tmp_path, cache):
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        write_large(folder / "vgg.mat", seed=seed)
        assert_same(matconvnet.load(folder / "vgg.mat"), vgg(seed=seed))
    assert len(list(cache.glob("*.npz"))) == 2
    assert_same(matconvnet.load(tmp_path / "1" / "vgg.mat"), vgg(seed=1))


def test_where_no_copy_can_be_written_the_file_is_read_with_a_warning(mat, cache):
    cache.write_text("a file where the directory should be")
    with pytest.warns(UserWarning, match="converted copy could not be written"):
        assert_same(matconvnet.load(mat), vgg())


LOAD = """
import hashlib, sys
from pathlib import Path
from stn.assets import matconvnet
print("ready", flush=True)
sys.stdin.readline()
network = matconvnet.load(Path(sys.argv[1]))
numbers = (layer.kernel.tobytes() + layer.bias.tobytes() for layer in network.layers)
print(hashlib.sha256(b"".join(numbers)).hexdigest())
"""


def test_two_processes_at_once_get_the_same_whole_weights(tmp_path, cache):
    network = vgg(channels=48)
    path = write_large(tmp_path / "vgg.mat", channels=48)
    command = [sys.executable, "-c", LOAD, str(path)]
    loaders = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [loader.stdout.readline() for loader in loaders] == ["ready\n"] * 2
    for loader in loaders:
        loader.stdin.write("\n")
        loader.stdin.flush()
    arrays = b"".join(layer.kernel.tobytes() + layer.bias.tobytes() for layer in network.layers)
    assert [loader.communicate()[0].strip() for loader in loaders] == [
        hashlib.sha256(arrays).hexdigest()
    ] * 2
    assert sorted(item.name for item in tmp_path.iterdir()) == ["cache", "vgg.mat"]
    assert [item.suffix for item in cache.iterdir()] == [".npz"]


# Refusals


def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)).save(
        buffer, "PNG"
    )
    return buffer.getvalue()


def hdf5(path: Path, header: bool) -> None:
    with h5py.File(path, "w", userblock_size=512 if header else 0) as file:
        file["layers"] = np.zeros(3)
    if header:
        with path.open("r+b") as file:
            file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def saved(variables: dict) -> Callable[[Path], object]:
    return lambda path: scipy.io.savemat(path, variables)


def with_layers(
    change: Callable[[list[Layer]], list[Layer]], layout: str = "current"
) -> Callable[[Path], object]:
    network = vgg()
    return lambda path: write(
        path, replace(network, layers=tuple(change(list(network.layers)))), layout
    )


def with_layer(name: str, layout: str = "current", **change: Callable) -> Callable[[Path], object]:
    def changed(layer: Layer) -> Layer:
        return replace(layer, **{field: f(getattr(layer, field)) for field, f in change.items()})

    return with_layers(
        lambda layers: [changed(layer) if layer.name == name else layer for layer in layers], layout
    )


def with_average(average: object) -> Callable[[Path], object]:
    variables = contents(vgg())
    variables["meta"]["normalization"]["averageImage"] = average
    return saved(variables)


def with_normalization(**fields: object) -> dict:
    variables = contents(vgg())
    variables["meta"]["normalization"] |= fields
    return variables


def with_struct(name: str, change: Callable[[dict], list[dict]]) -> Callable[[Path], object]:
    """The layer of that name, as the file's struct, exchanged for others."""
    variables = contents(vgg())
    structs: list[dict] = []
    for layer in variables["layers"].ravel():
        structs += change(layer) if layer["name"] == name else [layer]
    return saved({**variables, "layers": cell(*structs)})


def dag(*names: str) -> np.ndarray:
    """Layers as MatConvNet's DagNN saves them: one array of structs."""
    fields = ("name", "type", "inputs", "outputs", "params", "block")
    array = np.empty((1, len(names)), dtype=[(field, object) for field in fields])
    for i, name in enumerate(names):
        array[0, i] = (name, "dagnn.Conv", cell("a"), cell("b"), cell("c"), {})
    return array


def zipped(path: Path, name: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"weights")


def element(code: int, data: bytes = b"", order: str = "<") -> bytes:
    """A MAT-5 data element: tag, data, padding."""
    return struct.pack(f"{order}II", code, len(data)) + data + bytes(-len(data) % 8)


def matlab_bytes(variables: dict, order: str, compress: bool) -> bytes:
    """A MAT-5 file of structs, cells, texts and doubles, in an order of bytes."""

    def item(value: object, name: str = "") -> bytes:
        parts: list[bytes] = []
        if isinstance(value, dict):
            names = b"".join(key.encode().ljust(32, b"\0") for key in value)
            parts = [element(5, struct.pack(f"{order}i", 32), order), element(1, names, order)]
            parts += map(item, value.values())
            kind, shape = 2, (1, 1)
        elif isinstance(value, str):
            kind, shape = 4, (1, len(value))
            parts = [element(4, value.encode(f"utf-16-{'lb'[order == '>']}e"), order)]
        else:
            array = np.atleast_2d(np.asarray(value))
            kind, shape = (1 if array.dtype == object else 6), array.shape
            in_columns = array.ravel(order="F")
            parts = (
                [item(each) for each in in_columns]
                if kind == 1
                else [element(9, in_columns.astype(f"{order}f8").tobytes(), order)]
            )
        head = element(6, struct.pack(f"{order}II", kind, 0), order)
        head += element(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
        return element(14, head + element(1, name.encode(), order) + b"".join(parts), order)

    found = [item(value, name) for name, value in variables.items()]
    if compress:
        packed = [zlib.compress(each) for each in found]
        found = [struct.pack(f"{order}II", 15, len(each)) + each for each in packed]
    mark = {"<": b"\x00\x01IM", ">": b"\x01\x00MI"}[order]
    return b"MATLAB 5.0 MAT-file".ljust(124) + mark + b"".join(found)


def opaque(name: str) -> bytes:
    """A MAT-5 file with an object of MATLAB's class system (mxOPAQUE_CLASS), as it begins."""
    parts = element(6, struct.pack("<2I", 17, 0))
    parts += b"".join(element(1, text.encode()) for text in (name, "MCOS", "SeriesNetwork"))
    parts += element(14, element(6, struct.pack("<2I", 13, 0)))
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + element(14, parts)


def setting(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def set_last(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array.flat[-1] = value
        return array

    return set_last


NOT_MAT = "not a whole MATLAB file"
NOT_VGG = "not those of VGG-16 or VGG-19"
NOT_MATCONVNET = "not as MatConvNet writes it"
REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "no such file"),
    "a directory": (lambda path: path.mkdir(), "a directory"),
    "a pipe": (os.mkfifo, "a pipe"),
    "empty": (lambda path: path.write_bytes(b""), "an empty file"),
    "a web page": (
        lambda path: path.write_text("\n<!DOCTYPE html><title>404 Not Found</title>\n" * 20),
        "a page of the web",
    ),
    "one line of text": (lambda path: path.write_text("moved\n"), "not a MATLAB file"),
    "a picture": (lambda path: path.write_bytes(png()), "not a MATLAB file"),
    "zeros": (lambda path: path.write_bytes(bytes(5000)), "not a MATLAB file"),
    "safetensors": (
        lambda path: path.write_bytes(struct.pack("<Q", 64) + b'{"features.0.weight":'.ljust(900)),
        "a safetensors file",
    ),
    "ONNX": (
        lambda path: path.write_bytes(b"\x08\x08\x12\x07pytorch" + bytes(900)),
        "an ONNX file",
    ),
    "Caffe": (
        lambda path: path.write_bytes(b"\n\x14VGG_ILSVRC_19_layers\x12\x04data" + bytes(900)),
        "a Caffe model",
    ),
    "Caffe's text": (
        lambda path: path.write_text('name: "VGG_ILSVRC_19_layers"\nlayers {\n' * 40),
        "(.prototxt)",
    ),
    "TensorFlow Lite": (lambda path: path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(900)), "Lite"),
    "Octave": (lambda path: path.write_text("# Created by Octave 8.4\n" * 40), "Octave's own"),
    "bzip2": (lambda path: path.write_bytes(bz2.compress(b"MATLAB" * 900)), "bzip2"),
    "tar": (lambda path: path.write_bytes(tarfile.TarInfo("a.mat").tobuf()), "a tar archive"),
    "MATLAB v4, its order turned": (
        lambda path: path.write_bytes(struct.pack(">5i", 1000, 9, 9, 0, 7) + b"layers\0" * 99),
        "v4",
    ),
    "MATLAB v7.3": (lambda path: hdf5(path, header=True), "v7.3 (HDF5)"),
    "Keras' HDF5": (lambda path: hdf5(path, header=False), "such as Keras writes (.h5)"),
    "PyTorch": (lambda path: zipped(path, "archive/data.pkl"), "a PyTorch file"),
    "older PyTorch": (lambda path: path.write_bytes(b"\x80\x02\x8a\nl"), "older PyTorch files"),
    "Keras": (lambda path: zipped(path, "model.weights.h5"), "a Keras file"),
    "NumPy archive": (lambda path: np.savez(path.open("wb"), a=np.ones(3)), "archive (.npz)"),
    "NumPy array": (lambda path: np.save(path.open("wb"), np.ones(3)), "a NumPy array"),
    "gzip": (lambda path: path.write_bytes(gzip.compress(b"MATLAB")), "gzip"),
    "DagNN": (
        saved({**contents(vgg()), "layers": dag("conv1_1", "relu1_1")}),
        "a DagNN network",
    ),
    "an object": (lambda path: path.write_bytes(opaque("layers")), "a MATLAB object"),
    "an object one level down": (lambda path: path.write_bytes(opaque("net")), "a MATLAB object"),
    "batch normalization": (
        with_struct("relu1_1", lambda it: [{"name": "bn1_1", "type": "bnorm"}, it]),
        "'bn1_1' is of type 'bnorm' where VGG-16 has relu1_1",
    ),
    "a ReLU missing": (with_struct("relu3_2", lambda it: []), "'conv3_3' is of type 'conv' where"),
    "a leaky ReLU": (with_struct("relu2_1", lambda it: [{**it, "leak": 0.1}]), "leak 0.1"),
    "a sigmoid": (
        with_struct("relu2_1", lambda it: [{**it, "type": "sigmoid"}]),
        "'relu2_1' is of type 'sigmoid'",
    ),
    "stride 2": (
        with_struct("conv3_1", lambda it: [{**it, "stride": np.full((1, 2), 2.0)}]),
        "'conv3_1' has stride 2 2",
    ),
    "stride 2 across": (
        with_struct("conv3_1", lambda it: [{**it, "stride": np.array([[1.0, 2.0]])}]),
        "'conv3_1' has stride 1 2",
    ),
    "no padding": (
        with_struct("conv4_1", lambda it: [{**it, "pad": 0.0}]),
        "'conv4_1' has pad 0",
    ),
    "padding not said": (
        with_struct("conv4_1", lambda it: [{k: v for k, v in it.items() if k != "pad"}]),
        "'conv4_1' has pad 0",
    ),
    "dilated": (
        with_struct("conv5_1", lambda it: [{**it, "dilate": 2.0}]),
        "'conv5_1' has dilate 2",
    ),
    "a pooling missing": (with_struct("pool2", lambda it: []), "'conv3_1' is of type 'conv' where"),
    "a pooling of 3 × 3": (
        with_struct("pool2", lambda it: [{**it, "pool": np.full((1, 2), 3.0)}]),
        "'pool2' has pool 3 3",
    ),
    "a pooling of stride 1": (
        with_struct("pool2", lambda it: [{**it, "stride": 1.0}]),
        "'pool2' has stride 1",
    ),
    "MATLAB v4": (
        lambda path: scipy.io.savemat(path, {"layers": np.ones((9, 9))}, format="4"),
        "a MATLAB v4 file",
    ),
    "no layers": (saved({"x": 1}), "no `layers`"),
    "layers of numbers": (saved({**contents(vgg()), "layers": np.ones((1, 5))}), NOT_MATCONVNET),
    "layers of text": (saved({**contents(vgg()), "layers": "conv1_1"}), NOT_MATCONVNET),
    "no layer at all": (saved({**contents(vgg()), "layers": cell()}), NOT_VGG),
    "a sparse kernel": (
        saved({**contents(vgg()), "layers": scipy.sparse.eye_array(3).tocsc()}),
        NOT_MAT,
    ),
    "nameless layers": (
        saved({**contents(vgg()), "layers": cell({"type": "conv"})}),
        NOT_MATCONVNET,
    ),
    "no kernel": (
        saved({**contents(vgg()), "layers": cell({"name": "conv1_1"})}),
        "no `weights` and no `filters`",
    ),
    "no bias": (
        with_struct("conv3_2", lambda it: [{**it, "weights": cell(it["weights"][0, 0])}]),
        "'conv3_2' has 1 arrays, not a kernel and a bias",
    ),
    "another network": (
        with_layers(lambda x: [replace(y, name=f"block_{y.name}") for y in x]),
        NOT_VGG,
    ),
    "a newline in a name": (
        with_layers(lambda x: [replace(x[0], name="conv\n1_1"), *x[1:]]),
        NOT_VGG,
    ),
    "a layer missing": (with_layers(lambda x: [*x[:5], *x[6:]]), NOT_VGG),
    "the first layer missing": (with_layers(lambda x: x[1:]), NOT_VGG),
    "a layer twice": (with_layers(lambda x: [*x[:5], x[4], *x[5:]]), NOT_VGG),
    "two layers swapped": (with_layers(lambda x: [x[1], x[0], *x[2:]], "filters"), NOT_VGG),
    "a layer too many": (with_layers(lambda x: [*x, replace(x[-1], name="conv6_1")]), NOT_VGG),
    "NaN kernel": (with_layer("conv3_2", kernel=setting(np.nan)), "conv3_2 holds NaN"),
    "infinite bias": (with_layer("conv5_3", bias=setting(np.inf)), "conv5_3 holds NaN or inf"),
    "overflowing kernel": (
        with_layer("conv1_1", kernel=lambda x: x.astype(float) * 1e300),
        "conv1_1 holds NaN",
    ),
    "a bias too many": (
        with_layer("conv2_1", bias=lambda x: np.append(x, x[0])),
        "3 biases for 2 filters",
    ),
    "no biases": (with_layer("conv2_1", "filters", bias=lambda x: x[:0]), "0 biases for 2 filters"),
    "a 5 × 5 kernel": (
        with_layer("conv1_2", kernel=lambda x: np.pad(x, ((1, 1), (1, 1), (0, 0), (0, 0)))),
        "(5, 5, 2,",
    ),
    "too many inputs": (
        with_layer("conv4_1", kernel=lambda x: x.repeat(2, axis=2)),
        "(3, 3, 4, 2)",
    ),
    "one input": (with_layer("conv1_1", "beta16", kernel=lambda x: x[:, :, :1]), "(3, 3, 1, 2)"),
    "Caffe's order": (
        with_layer("conv1_1", kernel=lambda x: x.transpose(3, 2, 0, 1)),
        "(2, 3, 3, 3)",
    ),
    "a flat kernel": (
        with_layer("conv1_1", kernel=lambda x: x.reshape(1, -1)),
        "conv1_1 has a kernel of shape (1, 54)",
    ),
    "an empty kernel": (
        with_layer("conv1_1", kernel=lambda x: x[..., :0]),
        "conv1_1 has a kernel of shape",
    ),
    "no normalization": (saved({"layers": contents(vgg())["layers"]}), "no `normalization`"),
    "no normalization in meta": (
        saved({**contents(vgg()), "meta": {"x": 1}}),
        "no `normalization`",
    ),
    "no average image": (
        saved({**contents(vgg()), "meta": {"normalization": {"x": 1}}}),
        "no `normalization.averageImage`",
    ),
    "meta of text": (saved({**contents(vgg()), "meta": "none"}), NOT_MATCONVNET),
    "a gray average image": (with_average(np.full((224, 224), 120.0)), "not an RGB image"),
    "an empty average image": (with_average(np.zeros((0, 0))), "not an RGB image"),
    "a NaN average image": (with_average(np.full((1, 1, 3), np.nan)), "not a mean RGB pixel"),
    "a huge average image": (with_average(np.full((1, 1, 3), 1e4)), "not a mean RGB pixel"),
    "an average image of text": (with_average("abc"), "not an RGB image"),
    "an average image of planes": (with_average(np.full((3, 6, 6), 99.0)), "(3, 6, 6), not an RGB"),
    "a gray average image of 36 pixels": (with_average(np.full((6, 6), 99.0)), "not an RGB image"),
    "an average image of blue first": (
        with_average(np.tile([103.9, 116.8, 123.7], (4, 4, 1))),
        "has blue first",
    ),
    "a mean in 0-1": (with_average(np.array([[0.485, 0.456, 0.406]])), "is in 0-1"),
    "a negative mean": (with_average(np.array([[-124.0, -117.0, -104.0]])), "not a mean RGB pixel"),
    "pixels divided by a deviation": (
        saved(with_normalization(imageStd=np.array([[58.0, 57.0, 57.0]]))),
        "imageStd divides",
    ),
    "a pooling padded on top": (
        with_struct("pool2", lambda it: [{**it, "pad": np.array([[1.0, 0.0, 1.0, 0.0]])}]),
        "'pool2' has pad 1 0 1 0",
    ),
    "a pooling that sums": (
        with_struct("pool2", lambda it: [{**it, "method": "sum"}]),
        "'pool2' has method sum",
    ),
    "padding in words": (
        with_struct("conv3_1", lambda it: [{**it, "pad": "same"}]),
        "'conv3_1' has pad same",
    ),
    "dilated by an option": (
        with_struct("conv5_1", lambda it: [{**it, "opts": cell("Dilate", 2.0)}]),
        "'conv5_1' has opts dilate",
    ),
    "complex kernels": (
        with_layer("conv3_2", kernel=lambda x: x + 1j * x),
        "'conv3_2' holds complex numbers",
    ),
    "kernels of text": (
        with_struct("conv3_2", lambda it: [{**it, "weights": cell("a", "b")}]),
        "'conv3_2' holds text",
    ),
    "kernels in a struct": (
        with_struct("conv3_2", lambda it: [{**it, "weights": cell({"w": 1.0}, 1.0)}]),
        "'conv3_2' holds no numbers",
    ),
    "a type of numbers": (
        with_struct("relu3_2", lambda it: [{**it, "type": np.zeros((0, 0))}]),
        "'relu3_2' is not as MatConvNet writes it",
    ),
    "biases in two rows": (
        with_struct(
            "conv3_2", lambda it: [{**it, "weights": cell(it["weights"][0, 0], np.ones((2, 2)))}]
        ),
        "'conv3_2' has biases of shape (2, 2), not a vector",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line_that_names_the_file(tmp_path, cache, case):
    make, fragment = REFUSED[case]
    path = tmp_path / "some vgg.mat"
    make(path)
    for head in (False, True):
        with pytest.raises(InputError) as refusal:
            matconvnet.load(path, head)
        message = str(refusal.value)
        assert message.startswith(f"{path}: ") and fragment in message
        assert message.isprintable()
    assert not list(cache.glob("*")) and not list(tmp_path.glob("*.npz"))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kept", [1, 19, 20, 127, 128, 132, 136, 200, 0.1, 0.5, 0.9, -8, -1])
def test_a_truncated_file_is_refused(tmp_path, kept, compressed):
    path = write(tmp_path / "vgg.mat", vgg(), "beta16", do_compression=compressed)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(InputError, match=rf"vgg\.mat: ({NOT_MAT}|.*no `)"):
        matconvnet.load(path)


@pytest.mark.parametrize(
    ("names", "refused"),
    [
        (("fc6", "fc7", "fc8"), False),
        (("fc6",), False),
        (("fc7", "fc6", "fc8"), True),
        (("fc6", "fc6", "fc8"), True),
        (("fc\n6",), True),
    ],
)
def test_fully_connected_layers_are_checked_too(tmp_path, names, refused):
    network = vgg(head=True)
    head = [
        replace(layer, name=name) for layer, name in zip(network.layers[-3:], names, strict=False)
    ]
    path = write(tmp_path / "vgg.mat", replace(network, layers=(*network.layers[:-3], *head)))
    if refused:
        with pytest.raises(InputError, match=NOT_VGG):
            matconvnet.read(path, head=True)
    else:
        assert [
            layer.name for layer in matconvnet.read(path, head=True).layers[-len(names) :]
        ] == list(names)


# Damaged files: SciPy's reader alone crashes on about one in forty of these


def mutated(data: bytes, rng: random.Random) -> bytes:
    """`data` with a few bytes changed, cut off, zeroed, a number made large, or a block put
    elsewhere.
    """
    data = bytearray(data)
    at, n = rng.randrange(len(data)), rng.randint(1, 200)
    match rng.randrange(6):
        case 0:
            for _ in range(rng.randint(1, 8)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        case 1:
            del data[at:]
        case 2:
            data[at : at + n] = bytes(len(data[at : at + n]))
        case 3 | 4:
            numbers = (
                0,
                1,
                8,
                14,
                19,
                20,
                99,
                2**16 - 1,
                2**24,
                2**30,
                2**31 - 1,
                2**32 - 1,
                rng.randrange(2**32),
            )
            struct.pack_into(
                "<I", data, at // 4 * 4 if at // 4 * 4 + 4 <= len(data) else 0, rng.choice(numbers)
            )
        case 5:
            data[at : at + n] = data[(start := rng.randrange(len(data))) : start + n]
    return bytes(data)


def compressed(data: bytes, original: bytes) -> bytes:
    """The variables of `data`, which lie where they lie in `original`, compressed: only the inside
    is damaged.
    """
    parts, at = [data[:128]], 128
    while at < len(original):
        end = at + 8 + struct.unpack_from("<II", original, at)[1]
        body = zlib.compress(data[at:end])
        parts += [struct.pack("<II", 15, len(body)), body]
        at = end
    return b"".join(parts)


def read_damaged_files(folder: Path, seeds: range) -> None:
    """Read the files made by hand, then one a seed, saying which; what is neither refused nor a
    network raises.
    """
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
    for path in sorted(folder.glob("made *.mat")):
        print(path.name, flush=True)
        with pytest.raises(InputError, match=f"{NOT_MAT}|a MATLAB object"):
            matconvnet.read(path)
    bases = [path.read_bytes() for path in sorted(folder.glob("base-*.mat"))]
    path, refused = folder / "mutated.mat", 0
    for seed in seeds:
        print(seed, flush=True)
        rng = random.Random(seed)
        base = bases[seed % len(bases)]
        data = mutated(base, rng)
        path.write_bytes(compressed(data, base) if rng.random() < 0.3 and base[128] != 15 else data)
        try:
            network = matconvnet.read(path, head=seed % 2 == 0)
        except InputError as error:
            assert str(error).startswith(f"{path}: ") and str(error).isprintable(), repr(str(error))
            refused += 1
            continue
        inputs = 3
        for layer in network.layers:
            assert layer.kernel.shape[2] == inputs and layer.bias.shape == layer.kernel.shape[3:]
            assert np.isfinite(layer.kernel).all() and np.isfinite(layer.bias).all()
            inputs = layer.kernel.shape[3]
        assert network.mean_pixel.shape == (3,) and np.isfinite(network.mean_pixel).all()
    # Not ru_maxrss, which starts with what the parent had: pytest, with all that earlier tests
    # loaded.
    peak_kb = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]
    print(refused, int(peak_kb) // 1024, sep="\n")


def run_child(folder: Path, count: int) -> list[str]:
    """What `read_damaged_files` printed, in a process of its own: a crash there is a failure
    here.
    """
    command = [sys.executable, "-W", "ignore", __file__, str(folder), str(count)]
    beside = str(Path(__file__).parents[1])  # where `synthetic` is
    paths = os.pathsep.join(filter(None, [beside, os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": paths}
    child = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    lines = child.stdout.splitlines()
    assert child.returncode == 0, (
        f"file {lines[-1:]}: exit {child.returncode}\n{child.stderr[-2000:]}"
    )
    return lines


def test_a_damaged_file_is_refused_or_read_but_never_crashes(tmp_path):
    network = vgg(head=True)
    network = replace(network, layers=network.layers[:-3], classes=CLASSES)
    for name, layout, options in (
        ("a", "current", {}),
        ("b", "beta16", {}),
        ("c", "filters", {}),
        ("d", "current", {"do_compression": True}),
    ):
        scipy.io.savemat(
            tmp_path / f"base-{name}.mat", contents(network, layout, side=4), **options
        )
    count = 8000 if LONG else 400
    *seeds, refused, peak_mb = run_child(tmp_path, count)
    assert len(seeds) == count
    assert count / 2 < int(refused) < count  # neither everything nor nothing gets through
    assert int(peak_mb) < 1000


def matrix(kind: int, shape: tuple[int, ...], *parts: bytes, name: bytes = b"") -> bytes:
    """A MAT-5 matrix element of class `kind`."""
    dimensions = element(5, struct.pack(f"<{len(shape)}i", *shape))
    return element(
        14,
        b"".join([element(6, struct.pack("<II", kind, 0)), dimensions, element(1, name), *parts]),
    )


def nested(depth: int) -> bytes:
    """Cells in cells, each with one item: 48 bytes a level."""
    levels = (
        struct.pack("<12I", 14, 48 * level, 6, 8, 1, 0, 5, 8, 1, 1, 1, 0)
        for level in range(depth, 0, -1)
    )
    return b"".join(levels) + element(14)


CELL, STRUCT, TEXT, SPARSE, DOUBLE, FUNCTION = 1, 2, 4, 5, 6, 16
UNKNOWN = element(8, bytes(8))
MADE_BY_HAND: dict[str, tuple] = {
    "number of an unknown type": (DOUBLE, (1, 1), UNKNOWN),
    "number of a type past the table": (DOUBLE, (1, 1), element(60_000, bytes(8))),
    "text of an unknown type": (TEXT, (1, 8), UNKNOWN),
    "sparse matrix of an unknown type": (SPARSE, (1, 1), UNKNOWN, UNKNOWN, UNKNOWN),
    "sparse scalar": (SPARSE, (1, 1), UNKNOWN),
    "function of an unknown type": (FUNCTION, (1, 1), matrix(DOUBLE, (1, 1), UNKNOWN)),
    "endless text of no bytes": (TEXT, (1, 2**31 - 1), element(1)),
    "text of a length that wraps around to 2**33": (TEXT, (-(2**31), 4, 2**31 - 1), element(1)),
    "endless cells": (CELL, (2**20, 2**11)),
    "endless structs of no fields": (
        STRUCT,
        (2**31 - 1, 2),
        element(5, struct.pack("<i", 8)),
        element(1),
    ),
    "negative number of cells": (CELL, (-1, -1), matrix(DOUBLE, (1, 1), element(9, bytes(8)))),
    "endless nesting": (CELL, (1, 1), nested(20_000)),
}


def test_files_made_by_hand_to_lead_the_reader_astray_are_refused(tmp_path):
    whole = write(tmp_path / "whole.mat", vgg()).read_bytes()
    files = {
        name: whole[:128] + matrix(*made, name=b"layers") for name, made in MADE_BY_HAND.items()
    }
    files["MATLAB v4 by its first bytes"] = bytes(4) + whole[4:]
    for name, data in files.items():
        (tmp_path / f"made {name}.mat").write_bytes(data)
    assert len(run_child(tmp_path, 0)) == len(files) + 2


@pytest.mark.parametrize("size", [3 * 2**30, 2**27])
def test_a_small_file_that_would_fill_the_memory_is_refused_before(tmp_path, size):
    """By the size that its compressed variable declares."""
    whole = write(tmp_path / "whole.mat", vgg()).read_bytes()
    zeros = zlib.compress(struct.pack("<II", 14, size) + bytes(2**20))
    (tmp_path / "bomb.mat").write_bytes(whole[:128] + struct.pack("<II", 15, len(zeros)) + zeros)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=rf"inflates to {size:,}"):
            matconvnet.load(tmp_path / "bomb.mat")
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


if __name__ == "__main__":
    read_damaged_files(Path(sys.argv[1]), range(int(sys.argv[2])))
