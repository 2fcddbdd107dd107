"""Anybody's pictures on our yardstick, and the numbers that papers print."""

import json
from pathlib import Path

import numpy as np
import pytest
from synthetic import vgg as random_vgg
from synthetic import write as write_weights

from stn import images
from stn.errors import InputError
from stn.network import vgg
from stn.network.network import load
from stn.transfer import measuring, published


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "narrow.mat"
    write_weights(path, random_vgg(19, channels=4))
    return path


@pytest.fixture(scope="module")
def pictures() -> dict[str, np.ndarray]:
    """Content and result 48 × 64, style 40 × 80."""
    y, x = np.mgrid[:48, :64].astype(float)
    content = np.stack([4 * x, 5 * y, 255 - 3 * x], axis=-1).clip(0, 255).round()
    result = np.stack([3 * x + y, 200 - 2 * y, 128 + 90 * np.sin(x / 3)], axis=-1)
    y, x = np.mgrid[:40, :80].astype(float)
    style = np.stack([128 + 100 * np.sin(x / 2), 100 - 80 * np.cos(y), 3 * x], axis=-1)
    return {
        "content": content,
        "result": result.clip(0, 255).round(),
        "style": style.clip(0, 255).round(),
    }


def test_stytr2_is_its_definition(network: Path, pictures: dict[str, np.ndarray]) -> None:
    """Means and deviations by NumPy, divided by M − 1, on features of the graph."""
    loaded = load(network)

    def features(rgb: np.ndarray) -> dict[str, np.ndarray]:
        layers = published.STYLE_LAYERS
        image = (rgb - loaded.mean_pixel)[None].astype(np.float32)
        found = vgg.features(image, loaded.kernels, layers, vgg.Options("max", border="reflect"))
        return {name: F.numpy().reshape(-1, F.shape[-1]).astype(float) for name, F in found.items()}

    F, P, S = (features(pictures[name]) for name in ("result", "content", "style"))
    content = style = 0.0
    for name in F:
        mine, its = (
            (each.mean(0), np.sqrt(each.var(0, ddof=1) + 1e-5)) for each in (F[name], S[name])
        )
        style += ((mine[0] - its[0]) ** 2).mean() + ((mine[1] - its[1]) ** 2).mean()
        if name in ("relu4_1", "relu5_1"):
            photograph = P[name].mean(0), np.sqrt(P[name].var(0, ddof=1) + 1e-5)
            difference = (F[name] - mine[0]) / mine[1] - (P[name] - photograph[0]) / photograph[1]
            content += (difference**2).mean()
    found = published.stytr2(pictures["result"], pictures["content"], pictures["style"], loaded)
    assert found == pytest.approx({"stytr2/content": content, "stytr2/style": style}, rel=1e-4)


def test_identity_is_zero_and_one(network: Path, pictures: dict[str, np.ndarray]) -> None:
    content = pictures["content"]
    found = measuring.measure(content, content, content, network)
    assert found["published/stytr2/content"] == found["published/stytr2/style"] == 0
    assert found["measures/features"] == found["measures/patches_to_style"] == 0
    assert found["published/ssim/gray"] == pytest.approx(1)
    assert found["published/ssim/rgb"] == found["measures/ssim_to_content"] == pytest.approx(1)


def test_gray_and_color_ssim_differ_where_only_color_changes(pictures) -> None:
    content = pictures["content"]
    shifted = content.copy()
    # Red rises by 0.114 and blue falls by 0.299 of the same pattern: luma stays.
    pattern = 60 * np.sin(np.arange(64) / 2)
    shifted[..., 0] += 0.114 * pattern
    shifted[..., 2] -= 0.299 * pattern
    found = published.ssim(shifted, content)
    assert found["ssim/gray"] == pytest.approx(1, abs=1e-6) and found["ssim/rgb"] < 0.99


def test_a_finished_run_has_the_digits_of_its_summary(run, tmp_path: Path) -> None:
    run(tmp_path / "run", "color=match")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    expected = {key: value for key, value in summary.items() if key.startswith("measures/")}
    found = measuring.numbers(*measuring.of_run(tmp_path / "run"))
    assert {key: value for key, value in found.items() if key in expected} == expected


def test_files_of_a_run_measured_as_anybodys_have_the_same_digits(
    run, inputs: dict[str, Path], tmp_path: Path
) -> None:
    """By default the content has the result's size, and the style its long side."""
    run(tmp_path / "run", "image.filter=skimage")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    paths = tmp_path / "run" / "image.png", inputs["content"], inputs["style"]
    found = measuring.measure(*map(images.read, paths), network=inputs["vgg19"])
    expected = {key: value for key, value in summary.items() if key.startswith("measures/")}
    assert {key: value for key, value in found.items() if key in expected} == expected


def test_another_aspect_is_refused_and_a_size_of_both_sides_stretches(network, pictures) -> None:
    square = pictures["result"][:, :48]
    with pytest.raises(InputError, match=r"48 × 48 .* 64 × 48.* WIDTHxHEIGHT"):
        measuring.measure(square, pictures["content"], pictures["style"], network)
    found = measuring.measure(square, pictures["content"], pictures["style"], network, (32, 32))
    assert np.isfinite(list(found.values())).all()
