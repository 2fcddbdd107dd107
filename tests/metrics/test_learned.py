"""LPIPS and ArtFID: the formulas, and one line where packages, networks or pictures lack.

What needs PyTorch is skipped without the extra `metrics`, which tests do not install. Weights are
random, under the names of the real files.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg

import stn
from stn import config, images
from stn.assets import catalog, store
from stn.backend import tf
from stn.errors import InputError
from stn.metrics import learned

ROOT = config.CONFIG_DIR.parent
there = all(importlib.util.find_spec(name) for name in learned.PACKAGES)
with_torch = pytest.mark.skipif(not there, reason="the extra `metrics` is not installed")
without_torch = pytest.mark.skipif(there, reason="the extra `metrics` is installed")
# features.N of torchvision's AlexNet: side of the kernel, channels in, channels out.
ALEXNET = {0: (11, 3, 64), 3: (5, 64, 192), 6: (3, 192, 384), 8: (3, 384, 256), 10: (3, 256, 256)}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and sources that nobody serves."""
    monkeypatch.setenv("STN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    for name, asset in catalog.METRICS.items():
        nowhere = (f"http://127.0.0.1:9/{asset.file}",)
        gone = catalog.Asset(asset.file, nowhere, asset.checksums, asset.size, asset.license)
        monkeypatch.setitem(catalog.METRICS, name, gone)
    return tmp_path / "cache"


def pictures(seed: int, height: int = 80, width: int = 96) -> np.ndarray:
    """Smooth and a little noisy, whole numbers."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 10
    waves = [128 + 90 * np.sin(rng.normal() * x + rng.normal() * y) for _ in range(3)]
    return (np.stack(waves, -1) + rng.normal(0, 8, (height, width, 3))).clip(0, 255).round()


@pytest.mark.parametrize("counts", [(5, 7), (40, 12)])
def test_frechet_distance_is_the_formula(counts: tuple[int, int]) -> None:
    """Covariances and the root of their product by NumPy and SciPy, above and below full rank."""
    rng = np.random.default_rng(0)
    X, Y = (rng.normal(size=(n, 9)) @ rng.normal(size=(9, 9)) + rng.normal(size=9) for n in counts)
    S, T = np.cov(X, rowvar=False), np.cov(Y, rowvar=False)
    root = np.real(scipy.linalg.sqrtm(S @ T + 1e-13 * np.eye(9)))
    expected = ((X.mean(0) - Y.mean(0)) ** 2).sum() + np.trace(S + T - 2 * root)
    assert learned.frechet_distance(X, Y) == pytest.approx(expected, rel=1e-5)
    assert learned.frechet_distance(X, X) == pytest.approx(0, abs=1e-9)
    with pytest.raises(InputError, match="artfid: is of sets; give two results or more"):
        learned.frechet_distance(X[:1], Y)


def test_artfid_is_a_product_of_its_parts() -> None:
    """Two sets of one direction: means 1 apart, the same deviation; the product by hand."""
    found = learned.artfid([np.zeros(3), np.ones(3)], [np.ones(3), 2 * np.ones(3)], [0.25, 0.75])
    assert found == pytest.approx({"lpips": 0.5, "fid": 3, "artfid": 6})


@without_torch
def test_without_the_extra_a_line_says_what_to_type() -> None:
    with pytest.raises(InputError, match=r"lpips, torch.* not installed; type: pip install .*metr"):
        stn.measure(pictures(0), pictures(1), pictures(2), metrics=["lpips"])


def test_a_wrong_metric_is_one_line_and_leaves_nothing(cache: Path, tmp_path: Path) -> None:
    """The command itself, in its own process: one line, exit code 2."""
    for name in ("content", "style", "result"):
        images.write(tmp_path / f"{name}.png", pictures(0))
    words = ["content.png", "style.png", "result.png", "--out", "table.csv"]
    ended = subprocess.run(
        [sys.executable, ROOT / "scripts" / "measure.py", *words, "--metrics", "lpisp,artfid"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1
    assert "metrics=lpisp: no such metric; did you mean lpips?" in ended.stderr
    assert not (tmp_path / "table.csv").exists() and not list(cache.iterdir())


def test_a_set_metric_of_one_picture_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "PACKAGES", ())
    with pytest.raises(InputError, match=r"artfid: is of sets of pictures.*--metrics artfid"):
        stn.measure(pictures(0), pictures(1), pictures(2), metrics=["artfid"])


def test_a_network_that_cannot_be_had_is_one_line(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(learned, "PACKAGES", ())  # nothing is computed
    with pytest.raises(InputError) as told:
        learned.prepare(["artfid"])
    for word in ("alexnet-owt-7be5be79.pth", "cannot be reached", str(cache), "--mirror of `"):
        assert word in str(told.value)
    said = "lpips: its network is fetched once, 244 MB, from http://127.0.0.1:9/alexnet"
    assert said in capsys.readouterr().err
    assert not list(cache.iterdir())


def test_a_network_comes_from_a_mirror_and_another_file_is_refused(
    cache: Path, tmp_path: Path
) -> None:
    """AlexNet's checksum is known. Of ArtFID's network none was published."""
    for asset in catalog.METRICS.values():
        (tmp_path / asset.file).write_bytes(b"something")
    with pytest.raises(InputError, match=r"9 bytes of 244408911: truncated"):
        store.fetch("lpips", (str(tmp_path),), progress=False)
    assert store.fetch("artfid", (str(tmp_path),), progress=False) == [store.weights_path("artfid")]


def test_small_pictures_are_refused() -> None:
    with pytest.raises(InputError, match=r"lpips: the picture has 40 × 30 pixels.* need 31"):
        learned.lpips(pictures(0, 30, 40), pictures(1, 30, 40))


def by_torch(code: str, folder: Path) -> dict[str, np.ndarray]:
    """What code puts into `found`, in a process of its own: PyTorch and TensorFlow in one crash."""
    before = "import sys, numpy as np, torch\nfrom pathlib import Path\nfound = {}\n"
    script = folder / "script.py"
    script.write_text(f"{before}{code}\nnp.savez('found.npz', **found)\n")
    ended = subprocess.run(
        [sys.executable, script], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    return dict(np.load(folder / "found.npz"))


@pytest.fixture
def alexnet(cache: Path, tmp_path: Path) -> dict[str, np.ndarray]:
    """Random kernels [out, in, h, w] and biases, in a file such as torchvision's; and the package's
    own weights of channels, `lin0` and on.
    """
    rng = np.random.default_rng(1)
    made: dict[str, np.ndarray] = {}
    for n, (side, into, out) in ALEXNET.items():
        kernel = rng.normal(size=(out, into, side, side)) / np.sqrt(side * side * into)
        made[f"features.{n}.weight"] = kernel.astype("f4")
        made[f"features.{n}.bias"] = (0.1 * rng.normal(size=out)).astype("f4")
    np.savez(tmp_path / "made.npz", **made)
    code = f"""
import lpips
state = {{name: torch.from_numpy(value) for name, value in np.load("made.npz").items()}}
torch.save(state, {str(store.weights_path("lpips"))!r})
path = Path(lpips.__file__).parent / "weights" / "v0.1" / "alex.pth"
for name, value in torch.load(path, map_location="cpu", weights_only=True).items():
    found[name.partition(".")[0]] = value.numpy().ravel()
"""
    return made | by_torch(code, tmp_path)


@with_torch
def test_lpips_is_its_formula(alexnet: dict[str, np.ndarray]) -> None:
    """Equation (1) by NumPy, on features of TensorFlow."""

    def features(rgb: np.ndarray) -> list[np.ndarray]:
        # What torchvision's normalization is for values between −1 and 1.
        x = (rgb / 127.5 - 1 - [-0.030, -0.088, -0.188]) / [0.458, 0.448, 0.450]
        x, found = tf.constant(x[None], tf.float32), []
        for n in ALEXNET:
            kernel, bias = (alexnet[f"features.{n}.{kind}"] for kind in ("weight", "bias"))
            pad = {0: 2, 3: 2}.get(n, 1)
            if n in (3, 6):
                x = tf.nn.max_pool2d(x, 3, 2, "VALID")
            x = tf.pad(x, [[0, 0], [pad, pad], [pad, pad], [0, 0]])
            x = tf.nn.conv2d(x, kernel.transpose(2, 3, 1, 0), 4 if n == 0 else 1, "VALID")
            x = tf.nn.relu(x + bias)
            found.append(x[0].numpy())
        return [each / np.sqrt((each**2).sum(-1, keepdims=True)) for each in found]

    result, content = pictures(3), pictures(4)
    expected = sum(
        ((F - P) ** 2 @ alexnet[f"lin{i}"]).mean()
        for i, (F, P) in enumerate(zip(features(result), features(content), strict=True))
    )
    assert learned.lpips(result, content) == pytest.approx(expected, rel=1e-4)
    assert learned.lpips(content, content) == 0


@with_torch
def test_python_and_the_command_give_lpips(
    alexnet: object, inputs: dict[str, Path], tmp_path: Path, monkeypatch, capsys
) -> None:
    import runpy

    paths = {name: tmp_path / f"{name}.png" for name in ("content", "style", "result")}
    for seed, path in enumerate(paths.values()):
        images.write(path, pictures(seed))
    found = stn.measure(*paths.values(), network=inputs["vgg19"], metrics="lpips")
    assert found["published/lpips"] == learned.lpips(pictures(2), pictures(0))
    words = ["measure.py", *map(str, paths.values()), "--network", str(inputs["vgg19"])]
    monkeypatch.setattr("sys.argv", [*words, "--metrics", "lpips"])
    runpy.run_path(str(ROOT / "scripts" / "measure.py"))["main"]()
    assert f"| published/lpips | {found['published/lpips']:.3g}" in capsys.readouterr().out


@with_torch
def test_a_damaged_network_is_one_line(cache: Path) -> None:
    store.weights_path("lpips").write_bytes(b"<html>")
    with pytest.raises(InputError, match=r"lpips: .*7be5be79\.pth: is damaged.*remove it"):
        learned.lpips(pictures(0), pictures(1))


@pytest.fixture
def inception(cache: Path, tmp_path: Path) -> None:
    """Random weights under torchvision's names, with the heads of ArtFID's."""
    code = f"""
import torchvision
torch.manual_seed(0)
state = torchvision.models.inception_v3(aux_logits=False, init_weights=False).state_dict()
for name, value in state.items():
    if name.endswith("running_mean"):
        value.normal_(0, 0.1)
    elif name.endswith(("running_var", "bn.weight")):
        value.uniform_(0.5, 1.5)
state |= {{"fc1.weight": torch.zeros(2, 2048), "AuxLogits1.fc.weight": torch.zeros(2, 768)}}
torch.save(state, {str(store.weights_path("artfid"))!r})
"""
    by_torch(code, tmp_path)


@with_torch
def test_activations_are_those_of_the_authors_network(inception: None, tmp_path: Path) -> None:
    """art-fid's own class, where that package is; it asks for NumPy below 2, so no extra has it."""
    if importlib.util.find_spec("art_fid") is None:
        pytest.skip("art-fid is not installed")
    rgb = pictures(5)
    np.save(tmp_path / "rgb.npy", rgb)
    code = f"""
import importlib.util
folder = importlib.util.find_spec("art_fid").submodule_search_locations[0]
spec = importlib.util.spec_from_file_location("inception", folder + "/inception.py")
authors = importlib.util.module_from_spec(spec)
spec.loader.exec_module(authors)
network = authors.Inception3(init_weights=False)
state = torch.load({str(store.weights_path("artfid"))!r}, weights_only=True)
state = {{name: value for name, value in state.items() if not name.startswith(("fc", "Aux"))}}
network.load_state_dict(state, strict=False)
network.eval()
image = torch.from_numpy((np.load("rgb.npy") / 255).transpose(2, 0, 1)[None].copy()).float()
with torch.inference_mode():
    found["expected"] = network(image, return_features=True)[0].numpy()
"""
    expected = by_torch(code, tmp_path)["expected"]
    assert expected.shape == (2048,) and expected.std() > 0
    np.testing.assert_allclose(learned.activations(rgb), expected, rtol=1e-5, atol=1e-6)


@with_torch
def test_the_command_gives_artfid_of_a_set_and_says_that_it_is_small(
    alexnet: object, inception: None, inputs: dict[str, Path], tmp_path: Path, monkeypatch
) -> None:
    import csv
    import runpy

    lines = ["content,style,result"]
    for seed in range(3):
        names = [f"{role}{seed}.png" for role in ("content", "style", "result")]
        for number, name in enumerate(names):
            images.write(tmp_path / name, pictures(10 * seed + number))
        lines.append(",".join(names))
    (tmp_path / "pairs.csv").write_text("\n".join(lines) + "\n")
    out = tmp_path / "table.csv"
    words = ["measure.py", "--pairs", str(tmp_path / "pairs.csv"), "--metrics", "lpips,artfid"]
    monkeypatch.setattr("sys.argv", [*words, "--network", str(inputs["vgg19"]), "--out", str(out)])
    with pytest.warns(UserWarning, match=r"ArtFID of 3 pictures: .* starts at 5000"):
        runpy.run_path(str(ROOT / "scripts" / "measure.py"))["main"]()
    *each, of_set = csv.DictReader(out.open())
    assert of_set["result"] == "all 3" and len(each) == 3
    sets = [
        np.stack([learned.activations(pictures(10 * seed + number)) for seed in range(3)])
        for number in (2, 1)
    ]
    fid = learned.frechet_distance(*sets)
    distance = np.mean([float(row["published/lpips"]) for row in each])
    assert float(of_set["published/fid"]) == pytest.approx(fid)
    assert float(of_set["published/artfid"]) == pytest.approx((1 + distance) * (1 + fid))
