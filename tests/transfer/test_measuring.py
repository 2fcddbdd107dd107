"""Anybody's pictures on our yardstick, and the numbers that papers print."""

import json
from pathlib import Path

import numpy as np
import pytest
from synthetic import vgg as random_vgg
from synthetic import write as write_weights

from stn import images
from stn.errors import InputError
from stn.transfer import measuring


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


def measured(
    result: np.ndarray,
    content: np.ndarray,
    style: np.ndarray,
    network: Path,
    size: tuple[int, int] | None = None,
) -> dict[str, float]:
    sized = measuring.of_one_size(result, content, style, size)
    return measuring.numbers(sized, *measuring.networks(network))


def test_identity_is_zero_and_one(network: Path, pictures: dict[str, np.ndarray]) -> None:
    content = pictures["content"]
    found = measured(content, content, content, network)
    assert found["published/stytr2/content"] == found["published/stytr2/style"] == 0
    assert found["measures/features"] == found["measures/patches_to_style"] == 0
    assert found["published/ssim/gray"] == pytest.approx(1)
    assert found["published/ssim/rgb"] == found["measures/ssim_to_content"] == pytest.approx(1)


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
    found = measured(*map(images.read, paths), network=inputs["vgg19"])
    expected = {key: value for key, value in summary.items() if key.startswith("measures/")}
    assert {key: value for key, value in found.items() if key in expected} == expected


def test_another_aspect_is_refused_and_a_size_of_both_sides_stretches(network, pictures) -> None:
    square = pictures["result"][:, :48]
    with pytest.raises(InputError, match=r"48 × 48 .* 64 × 48.* WIDTHxHEIGHT"):
        measured(square, pictures["content"], pictures["style"], network)
    found = measured(square, pictures["content"], pictures["style"], network, (32, 32))
    assert np.isfinite(list(found.values())).all()
