"""Measures of spoiled pictures: the ends of the scales, what is blind to checkers, and the page."""

from pathlib import Path

import numpy as np
import pytest

from stn import assets, config, quantities
from stn.analysis import tables
from stn.errors import InputError
from stn.study import crossing, manipulations

ROOT = config.CONFIG_DIR.parent
RESULTS = ROOT / "results" / "manipulations.csv"
PAGE = ROOT / "docs" / "reference" / "measures.md"


@pytest.fixture(scope="module")
def said(vgg19_q8: Path):
    try:
        for name in ("tubingen.jpg", "starry_night_google.jpg"):
            assets.locate_image(f"asset:{name}")
    except InputError as error:
        pytest.skip(f"the pictures are not at hand: {error}")
    bench = crossing.Bench("vgg19_q8", 64, 10)
    rows = manipulations.said(bench, "coffee", "strokes", 5.0)
    return {row["manipulation"]: {key: row[key] for key in quantities.MEASURES} for row in rows}


def test_the_painting_and_the_photograph_are_the_ends_of_the_scales(said):
    for key in ("patches_to_style", "gram", "style", "histogram_to_style"):
        assert (said["the painting"][key], said["the photograph"][key]) == ("-1", "1"), key
    for key in ("features", "content", "ssim_to_content", "edges_to_content"):
        assert (said["the painting"][key], said["the photograph"][key]) == ("1", "-1"), key


def test_only_what_looks_for_checkers_sees_them(said):
    for key in ("gram", "style", "features", "content", "edges_to_content"):
        assert said["checkers"][key] == "0", key
    assert said["checkers"]["checkerboard"] == said["checkers"]["isolated_pixels"] == "1"
    assert said["noise"]["checkerboard"] == "1"
    assert said["blurred"]["checkerboard"] == "-1"  # so it is no measure of quality


def test_manipulations_are_what_they_are_called():
    rng = np.random.default_rng(1)
    rgb, photograph, painting = rng.uniform(60, 190, (3, 20, 24, 3))
    found = manipulations.manipulated(rgb, photograph, painting)
    assert found["noise"].std() == pytest.approx(np.hypot(rgb.std(), 16), rel=0.1)
    checkers = np.round(found["checkers"] - rgb)
    assert set(np.unique(checkers)) == {-12, 12} and (checkers[0, 1:] == -checkers[0, :-1]).all()
    assert found["blurred"].std() < 0.5 * rgb.std()
    np.testing.assert_array_equal(found["the photograph"], np.rint(photograph))


def test_the_page_has_the_table_of_the_results():
    page = PAGE.read_text(encoding="utf-8")
    shown = page.split("<!-- manipulations -->")[1].split("<!-- end -->")[0]
    assert shown.strip() == tables.markdown(manipulations.table(RESULTS)).strip()
