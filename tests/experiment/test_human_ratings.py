"""Measures against ratings by people: read, correlated, drawn; a made-up set of a few pictures."""

import csv
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import synthetic
from PIL import Image

from stn import config, errors

SCRIPT = config.CONFIG_DIR.parent / "experiments" / "human_ratings.py"


@pytest.fixture(scope="module")
def program() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(SCRIPT)))


def ranks(values: np.ndarray) -> np.ndarray:
    """1 for the smallest, ties share their mean."""
    return np.array([(values < v).sum() + ((values == v).sum() + 1) / 2 for v in values])


def rated_and_measured() -> tuple[list[tuple[str, str, str, float]], dict[str, dict[str, float]]]:
    rng = np.random.default_rng(5)
    rated, measured = [], {}
    for photograph in range(12):
        for painting in range(4):
            name, rating = f"{photograph}-{painting}.png", float(rng.integers(1, 11))
            rated.append((f"{photograph}.jpg", f"{painting}.jpg", name, rating))
            measured[name] = {
                "knows": -(rating**3),
                "half": rating + rng.normal(0, 3),
                "noise": rng.normal(),
                "constant": 1.0,
            }
    del measured["0-0.png"]["constant"]
    return rated, measured


def test_the_correlation_is_of_ranks_and_its_interval_over_photographs(program) -> None:
    rated, measured = rated_and_measured()
    found = program.correlations(measured, rated)
    assert found.keys() == {"knows", "half", "noise"}
    assert found["knows"] == pytest.approx((-1, -1, -1))
    ratings = np.array([rating for *_, rating in rated])
    half = np.array([measured[name]["half"] for _, _, name, _ in rated])
    expected = np.corrcoef(ranks(half), ranks(ratings))[0, 1]
    middle, low, high = found["half"]
    assert middle == pytest.approx(expected) and 0.3 < low < middle < high < 1
    assert found["noise"][1] < 0 < found["noise"][2]


def test_pictures_of_one_photograph_count_as_one_witness(program) -> None:
    """Copies of each picture leave the interval as wide, where more photographs would not."""
    rated, measured = rated_and_measured()
    copies = [
        (content, style, f"{copy} {name}", mean)
        for content, style, name, mean in rated
        for copy in range(5)
    ]
    of_copies = {name: measured[name.split()[1]] for _, _, name, _ in copies}
    few, many = program.correlations(measured, rated), program.correlations(of_copies, copies)
    assert many["noise"] == pytest.approx(few["noise"], abs=0.03)


def folder_of_pictures(folder: Path, photographs: int) -> Path:
    rng = np.random.default_rng(0)
    lines = [("content", "style", "result", "rating_1", "rating_2")]
    Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / "painting.png")
    for number in range(photographs):
        for name in (f"photo{number}.png", f"made{number}.png"):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / name)
        lines.append((f"photo{number}.png", "painting.png", f"made{number}.png", str(number), "5"))
    with (folder / "ratings.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return folder


def test_the_command_measures_once_and_leaves_a_table_and_a_figure(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    weights = tmp_path / "narrow.mat"
    synthetic.write(weights, synthetic.vgg(channels=4))
    (tmp_path / "rated").mkdir()
    folder = folder_of_pictures(tmp_path / "rated", 6)
    monkeypatch.setattr("sys.argv", ["x", str(folder), "--network", str(weights)])
    program.main()
    out = tmp_path / "outputs" / "experiments" / "human_ratings" / "rated"
    with (out / "correlations.csv").open() as file:
        rows = {row["measure"]: row for row in csv.DictReader(file)}
    assert {"measures/gram", "published/ssim_gray"} & rows.keys()
    assert all(-1 <= float(row["from"]) <= float(row["to"]) <= 1 for row in rows.values())
    assert (out / "figure.png").stat().st_size > 1000
    for picture in folder.glob("*.png"):
        picture.unlink()  # what is measured is not read again
    program.main()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("content,style,result\na,b,c\n", "needs the columns"),
        ("content,style,result,rating\na,b,c,good\n", "line 2: a rating is no number"),
        ("content,style,result,rating\na,,c,1\n", "line 2: a path is empty"),
        ("content,style,result,rating\na,b,c,1\n", "has 1 photographs; intervals .* need 6"),
        (None, "needs? the columns"),
    ],
)
def test_ratings_that_cannot_be_used_are_refused(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "ratings.csv").write_text(text)
    monkeypatch.setattr("sys.argv", ["x", str(tmp_path)])
    with pytest.raises(errors.InputError, match=said):
        program.main()
    assert not (tmp_path / "outputs").exists()
