"""Every bad input ends before any work: exit code 2, one line that names the culprit, no traceback,
nothing left.
"""

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import psutil
import pytest
import scipy.io
import synthetic
from conftest import listing

from stn import images
from stn.assets import matconvnet, weights
from stn.config import names


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.fixture(scope="module")
def bad(inputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Spoiled files by name."""
    folder = tmp_path_factory.mktemp("bad")
    whole_mat, whole_png = inputs["vgg19"].read_bytes(), inputs["content"].read_bytes()
    jpeg = folder / "whole.jpg"
    images.write(jpeg, images.read(inputs["style"]))
    contents = {
        "empty.mat": b"",
        "truncated.mat": whole_mat[: len(whole_mat) // 2],
        "text.mat": b"<html>404 Not Found</html>",
        "picture.mat": whole_png,
        "pickle.mat": (
            b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94."
        ),
        "empty.png": b"",
        "truncated.png": whole_png[: len(whole_png) // 2],
        "truncated.jpg": jpeg.read_bytes()[:300],
        "text.jpg": b"not a picture",
        "bomb.png": png_header(60_000, 60_000),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    scipy.io.savemat(folder / "other.mat", {"x": np.arange(3)})
    network = synthetic.vgg(19, channels=4)
    first = network.layers[0]
    spoiled = first.kernel.copy()
    spoiled[0, 0, 0, 0] = np.nan
    nan = weights.Weights(
        (weights.Layer(first.name, spoiled, first.bias), *network.layers[1:]), network.mean_pixel
    )
    matconvnet.write(folder / "nan.mat", nan)
    matconvnet.write(folder / "fewer.mat", weights.Weights(network.layers[:3], network.mean_pixel))
    images.write(folder / "one.png", np.zeros((1, 1, 3)))
    images.write(folder / "line.png", np.zeros((1, 50, 3)))
    images.write(folder / "tall.png", np.full((20_000, 2, 3), 128.0))
    (folder / "again").symlink_to(inputs["content"].parent)
    (folder / "link.png").symlink_to(inputs["style"])
    (folder / "folder.png").mkdir()
    (folder / "foreign").mkdir()
    (folder / "foreign" / "thesis.txt").write_text("three years of work")
    (folder / "file").write_text("not a directory")
    return {path.name: path for path in folder.iterdir()} | inputs


# What is typed, and what the one line must name. {name} is a spoiled file.
CASES = {
    # weights
    "missing weights": (["network.weights=nowhere.mat"], "nowhere.mat"),
    "empty weights": (["network.weights={empty.mat}"], "empty.mat"),
    "truncated weights": (["network.weights={truncated.mat}"], "truncated.mat"),
    "a web page": (["network.weights={text.mat}"], "text.mat"),
    "a picture as weights": (["network.weights={picture.mat}"], "picture.mat"),
    "a pickle as weights": (["network.weights={pickle.mat}"], "pickle.mat"),
    "another .mat": (["network.weights={other.mat}"], "other.mat"),
    "NaN in the weights": (["network.weights={nan.mat}"], "conv1_1"),
    "fewer layers": (["network.weights={fewer.mat}"], "relu3_1"),
    "VGG-16 for VGG-19": (["network.weights={vgg16}"], "VGG-16"),
    "VGG-19 for VGG-16": (["network=vgg16"], "VGG-19"),
    "VGG-16 for VGG-19 to 8 bits": (
        ["network=vgg19_q8", "network.weights={vgg16}"],
        "network=vgg19_q8",
    ),
    "weights are a directory": (["network.weights={foreign}"], "foreign"),
    "weights not fetched": (["network=vgg19", "network.weights=null"], "fetch.py vgg19"),
    "missing means": (["network.rescale=nowhere.npz"], "nowhere.npz"),
    "means that are none": (
        ["network.rescale={text.jpg}"],
        "text.jpg: damaged; make it again with scripts/mean_activations.py",
    ),
    # pictures
    "missing content": (["content.path=nowhere.jpg"], "nowhere.jpg"),
    "missing style": (["style.path=nowhere.jpg"], "nowhere.jpg"),
    "unknown painting": (["style.path=asset:mona_lisa.jpg"], "mona_lisa.jpg"),
    "unknown sample": (["content.path=skimage:mona_lisa.jpg"], "mona_lisa.jpg"),
    "empty picture": (["content.path={empty.png}"], "empty.png"),
    "truncated PNG": (["content.path={truncated.png}"], "truncated.png"),
    "truncated JPEG": (["style.path={truncated.jpg}"], "truncated.jpg"),
    "text as picture": (["style.path={text.jpg}"], "text.jpg"),
    "directory as picture": (["style.path={folder.png}"], "folder.png"),
    "one pixel": (["content.path={one.png}"], "one.png"),
    "one line": (["style.path={line.png}"], "line.png"),
    "decompression bomb": (["content.path={bomb.png}"], "bomb.png"),
    "too small for the layer": (
        ["image.size_px=12", "objective.style_layers=[relu5_1]"],
        "relu5_1",
    ),
    "a result too small for the layer": (
        ["image.shape=[1,1]", "objective.style_layers=[relu5_1]"],
        "image.shape=[1, 1]: 1 × 1 pixels are too few",
    ),
    "one number for two": (["image.shape=64"], "must be a list"),
    "a color's option without the color": (["color.space=lab"], "give color=swap"),
    "a painting to mix in that is none": (["mix.fine={text.jpg}"], "text.jpg"),
    "too large for the memory": (["image.size_px=400000"], "would fit"),
    "a style too large for the memory": (
        [
            "style.path={tall.png}",
            "image.side=short",
            "image.size_px=400",
        ],  # 400 × 4,000,000 beside 459 × 400 pixels
        "tall.png: 400 × 4000000 pixels",
    ),
    "missing first image": (["init=file", "init.path=nowhere.png"], "nowhere.png"),
    "no first image": (["init=file"], "init.path"),
    "unknown format of the copy": (["output=copy.xyz"], "copy.xyz"),
    "the copy is the content": (["output={content}"], "is the content picture"),
    "the copy is the content in other words": (
        ["output={foreign}/../again/content.png"],
        "is the content picture",
    ),
    "the copy is the style by a link": (["output={link.png}"], "is the style picture"),
    "the copy is the first image": (
        ["init=file", "init.path={one.png}", "output={one.png}"],
        "one.png",
    ),
    "the copy is a directory": (["output={folder.png}"], "is a directory"),
    "the copy's folder is missing": (["output=nowhere/at/all/copy.png"], "there is no folder"),
    "the copy's folder is a file": (["output={file}/copy.png"], "there is no folder"),
    "the copy's folder takes no files": (["output=/proc/copy.png"], "cannot be written"),
    # layers and weights of the losses
    "unknown layer": (["objective.content_layers=[relu9_1]"], "relu9_1"),
    "layer of the other network": (
        ["network=vgg16", "objective.content_layers=[relu3_4]"],
        "relu3_4",
    ),
    "duplicate layer": (["objective.style_layers=[relu1_1,relu1_1]"], "relu1_1"),
    "no layer at all": (["objective.style_layers=[]", "objective.content_layers=[]"], "empty"),
    "negative layer weight": (["objective.style_layers=[{layer: relu1_1, weight: -1}]"], "relu1_1"),
    "NaN layer weight": (["objective.style_layers=[{layer: relu1_1, weight: .nan}]"], "relu1_1"),
    "layer weight in words": (["objective.style_layers=[{layer: relu1_1, weight: much}]"], "much"),
    "layer without weight": (
        ["objective.style_layers=[{layer: relu1_1}]"],
        "objective.style_layers",
    ),
    "negative style weight": (["objective.style_weight=-1"], "objective.style_weight"),
    "infinite content weight": (["objective.content_weight=.inf"], "objective.content_weight"),
    "two units": (["image.pixel_unit=[1,1]"], "image.pixel_unit"),
    "no unit": (["optimizer=adam", "image.pixel_unit=[]"], "image.pixel_unit"),
    # numbers and choices
    "zero budget": (["optimizer.max_evaluations=0"], "optimizer.max_evaluations"),
    "budget in words": (["optimizer.max_evaluations=many"], "many"),
    "zero size": (["image.size_px=0"], "image.size_px"),
    "negative seed": (["seed=-1"], "seed"),
    "no seed": (["seed=null"], "seed"),
    "unknown pooling": (["network.pooling=min"], "network.pooling"),
    "unknown network": (["network=resnet"], "resnet"),
    "unknown preset": (
        ["preset=gatys1999"],
        "preset=gatys1999: no such preset; did you mean gatys2016? all"
        f" {len(names.groups()['preset'])} are in docs/presets/index.md",
    ),
    "a preset like no other": (
        ["preset=x"],
        f"preset=x: no such preset; all {len(names.groups()['preset'])} are in",
    ),
    "unknown key": (["optimizer.learningrate=1"], "learningrate"),
    "a key that nothing reads": (["+foo=1"], "foo=1: no such key"),
    "a key of a group that nothing reads": (
        ["+init.foo=1"],
        "init.foo=1: no such key; known in init are name",
    ),
    "unknown group": (["optimiser=adam"], "optimiser"),
    "no weight": (
        ["objective.content_weight=0", "objective.style_weight=0"],
        "objective.content_weight",
    ),
    "override without a key": (["=3"], "int"),
    "syntax": (["objective.style_layers=[relu1_1"], "relu1_1"),
    "level above one": (["pyramid.levels=[{scale: 2, max_evaluations: 5}]"], "pyramid.levels"),
    # places
    "foreign directory": (["hydra.run.dir={foreign}"], "foreign"),
    "directory below a file": (["hydra.run.dir={file}/run"], "file"),
    "W&B without a key": (["tracking=online"], "wandb login"),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_in_one_line(
    name: str, command, bad: dict[str, Path], tmp_path: Path
) -> None:
    overrides, culprit = CASES[name]
    for key, path in bad.items():
        overrides = [override.replace(f"{{{key}}}", str(path)) for override in overrides]
    before = {path: listing(path) for path in bad.values() if path.is_dir()}
    ended = command(*overrides)
    assert ended.code == 2, ended.err
    lines = ended.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), ended.err
    assert culprit in lines[0]
    assert len(lines[0]) < 500  # with the names of all presets
    assert ended.out == ""
    assert not ended.run_dir.exists()
    assert before == {path: listing(path) for path in before}
    assert not list(Path.cwd().glob("nowhere*"))


def test_a_cache_that_takes_no_files_is_one_line(
    command, bad: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "STN_CACHE", str(bad["file"]))
    ended = command("content.path=drawn:strokes")
    assert ended.code == 2 and not ended.run_dir.exists()
    folder = bad["file"] / "images"
    assert ended.err.startswith(f"error: {folder}: Not a directory; a file is in the way;")
    assert ended.err.count("\n") == 1


def test_the_size_that_would_fit_is_named(command) -> None:
    ended = command("image.size_px=400000")
    fits = int(ended.err.split("long side of ")[1].split(" px")[0])
    assert 1000 < fits < 400_000
    free = float(ended.err.split("memory and ")[1].split(" GB")[0])
    assert free == pytest.approx(psutil.virtual_memory().available / 1e9, rel=0.3)


def test_there_are_at_least_forty_cases() -> None:
    assert len(CASES) >= 40


def test_the_traceback_is_there_for_who_asks(command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "HYDRA_FULL_ERROR", "1")
    ended = command("content.path=nowhere.jpg")
    assert (
        ended.code == 2
        and "Traceback" in ended.err
        and ended.err.splitlines()[-1].startswith("error: ")
    )


def test_a_working_directory_that_was_removed_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    script = Path(__file__).parents[2] / "scripts" / "report.py"
    command = f"rmdir {tmp_path / 'gone'} && {sys.executable} {script} somewhere"
    ended = subprocess.run(
        command, shell=True, cwd=tmp_path / "gone", capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr == "error: the working directory was removed; change to another one\n"
