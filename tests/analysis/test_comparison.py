"""Two runs side by side: what is named as different, and what the picture of the difference
shows.
"""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from made_runs import CHROMIUM, drawn, make_run, page_of

from stn import config, images, runs
from stn.analysis import comparison
from stn.report import document


@pytest.fixture
def pair(tmp_path: Path) -> tuple[runs.Run, runs.Run]:
    """Two runs that differ in pooling, an input, a version and a result; 8 in red at one pixel in
    four.
    """
    for name, pooling, offset in (("a", "avg", 0), ("b", "max", 8)):
        make_run(
            tmp_path / name,
            10.0 + offset,
            f"network.pooling={pooling}",
            "tracking.project=of-" + name,
        )
        provenance = json.loads((tmp_path / name / "provenance.json").read_text())
        provenance |= {
            "inputs_sha256": {"style": "s", "content": name},
            "versions": {"numpy": "2", "scipy": name},
        }
        (tmp_path / name / "provenance.json").write_text(json.dumps(provenance | {"commit": "c"}))
        rgb = np.full((20, 30, 3), 100.0)
        rgb[::2, ::2, 0] += offset
        images.write(tmp_path / name / "image.png", rgb)
    return runs.Run(tmp_path / "a"), runs.Run(tmp_path / "b")


def test_what_differs_is_named_and_nothing_else(pair) -> None:
    rows = comparison.rows(*pair)
    assert rows[:4] == [
        ("setting", "network.pooling", "avg", "max"),
        ("input", "content", "a", "b"),
        ("version", "scipy", "a", "b"),
        ("name or display", "tracking.project", "of-a", "of-b"),
    ]
    assert {kind for kind, *_ in rows[4:]} == {"result"}
    assert ("result", "loss/total", 10.0, 18.0) in rows and "seconds" not in {
        key for _, key, *_ in rows
    }
    assert comparison.rows(pair[0], pair[0]) == []


def test_two_files_of_one_name_are_shown_with_their_folders(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_run(tmp_path / name, 1.0, f"style.path={name}/waves.jpg")
    found = comparison.rows(runs.Run(tmp_path / "a"), runs.Run(tmp_path / "b"))
    assert found == [("setting", "style.path", "a/waves.jpg", "b/waves.jpg")]


def test_the_difference_is_absolute_and_made_bright(pair) -> None:
    rgb, note = comparison.difference(*pair)
    assert rgb is not None
    np.testing.assert_array_equal(
        np.unique(rgb[..., 0]), [0, 16 * 8]
    )  # 16: the largest power of two up to 255 / 8
    assert not rgb[..., 1:].any() and not rgb[1::2].any()
    assert (
        "0.667 of 255 on average and 8 at most" in note and "16 times as bright" in note
    )  # 8 / 4 / 3
    np.testing.assert_array_equal(rgb, comparison.difference(*pair[::-1])[0])


def test_where_there_is_no_difference_it_says_why(pair) -> None:
    first, second = pair
    rgb, note = comparison.difference(first, first)
    assert rgb is None and "the same in every pixel" in note
    images.write(second.path / "image.png", np.zeros((20, 31, 3)))
    rgb, note = comparison.difference(first, second)
    assert rgb is None and "different sizes, 30 × 20 and 31 × 20 pixels" in note
    (second.path / "image.png").unlink()
    rgb, note = comparison.difference(first, second)
    assert rgb is None and str(second.path / "image.png") in note


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")
def test_a_browser_shows_both_pictures_their_difference_and_both_curves(
    pair, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    script = config.CONFIG_DIR.parent / "scripts" / "report.py"
    monkeypatch.setattr(sys, "argv", [str(script), "a", "b"])
    runpy.run_path(str(script))["main"]()
    dom = drawn(tmp_path / "comparison.html")
    grid = dom.split('<table id="grid"')[1].split("</table>")[0]
    assert grid.count("<img") == 3 and "their difference" in grid
    assert "16 times as bright" in dom
    changes = dom.split('<table id="changes">')[1].split("</table>")[0]
    assert (
        "<td>network.pooling</td>" in changes
        and ">avg</td>" in changes
        and ">× 1.80</td>" in changes
    )
    curves = dom.split('<svg id="curves"')[1].split("</svg>")[0]
    assert curves.count('<path d="M') == 2
    assert '<section id="seeds" hidden' in dom and '<section id="tradeoffs" hidden' in dom


def test_a_pair_of_which_one_is_damaged_is_shown_as_far_as_it_goes(pair, tmp_path: Path) -> None:
    first, second = pair
    for name in ("provenance.json", "summary.json", "metrics.csv", "image.png"):
        (second.path / name).write_text("{")
    document.write_comparison(runs.Run(first.path), runs.Run(second.path), tmp_path / "page.html")
    page = page_of(tmp_path / "page.html")
    assert page["comparison"]["picture"] is None and [run["state"] for run in page["runs"]] == [
        "finished",
        "unfinished",
    ]
