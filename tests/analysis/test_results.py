"""Results as data: rows of runs, their digests, tables of the documents, drift."""

import csv
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import make_run

from stn import runs
from stn.analysis import results
from stn.errors import InputError

SCRIPT = Path(__file__).parents[2] / "scripts" / "results.py"


def run_of(folder: Path, total: float = 2.0, *overrides: str) -> runs.Run:
    make_run(folder, total, *overrides)
    return runs.Run(folder)


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *words], capture_output=True, text=True, timeout=200
    )


def test_a_run_is_a_row_that_replaces_one_of_the_same_settings(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    results.add(file, [run_of(tmp_path / "a", 2.0, "seed=1"), run_of(tmp_path / "b", 3.0)])
    results.add(file, [run_of(tmp_path / "c", 5.0, "seed=1")])
    rows = results.read(file)
    assert [(row["seed"], row["total_loss"], row["picture_loss"]) for row in rows] == [
        ("0", "3", "6"),
        ("1", "5", "10"),
    ]
    assert rows[0]["preset"] == "default" and "seed=1" in rows[1]["command"]


@pytest.mark.parametrize("edit", ["number", "cut", "columns"])
def test_a_file_edited_by_hand_is_refused_by_its_line(tmp_path: Path, edit: str) -> None:
    file = tmp_path / "rows.csv"
    results.add(file, [run_of(tmp_path / "a"), run_of(tmp_path / "b", 2.0, "seed=1")])
    lines = file.read_text().splitlines()
    if edit == "number":
        lines[2] = re.sub(r",2,", ",1.9,", lines[2], count=1)
    elif edit == "cut":
        lines[2] = lines[2].rpartition(",")[0]
    else:
        lines[0] = lines[0].replace("seconds", "minutes")
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match="other columns" if edit == "columns" else "line 3: was"):
        results.read(file)
    with pytest.raises(InputError):  # and nothing is written over it
        results.add(file, [run_of(tmp_path / "c")])
    assert file.read_text().splitlines() == lines


def test_a_table_has_the_columns_that_were_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    results.add(file, [run_of(tmp_path / "a", 1234.56)])
    shown = results.table(results.read(file), ["preset", "total_loss"]).splitlines()
    assert shown[0].split("|")[1:3] == [" preset ", " total loss "]
    assert shown[2].split("|")[1:3] == [" default ", " 1230 "]
    with pytest.raises(InputError, match=r"minutes: no column .*seconds"):
        results.table([], ["minutes"])


def test_the_presets_table_of_the_gallery_is_rendered_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its very mark; without the file the page says what computes it."""
    page = (SCRIPT.parents[1] / "docs" / "presets" / "gallery.md").read_text(encoding="utf-8")
    (words,) = re.findall(r"<!-- results: (presets .*) -->", page)
    table = runpy.run_path(str(SCRIPT))["table"]
    monkeypatch.setitem(table.__globals__, "RESULTS", tmp_path)
    assert table(words).count("\n") == 1 and "`make results`" in table(words)
    pictures = ("content.path=asset:tubingen.jpg", "style.path=skimage:a.b/coffee.png")
    seeds = (f"seed={seed}" for seed in (1, 2))
    made = [run_of(tmp_path / seed, 1234.56, *pictures, seed) for seed in seeds]
    results.add(tmp_path / "presets.csv", made)
    shown = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table(words).splitlines()]
    rows = [dict(zip(shown[0], line, strict=True)) for line in shown[2:]]
    assert len(rows) == 2
    for row in rows:
        assert (row["preset"], row["content"], row["style"]) == ("default", "tubingen", "coffee")
        assert (row["total loss"], row["picture loss"]) == ("1230", "2470")
        assert (row["size px"], row["evaluations"], row["gram"]) == ("512", "7", "")


def test_drift_is_the_largest_relative_difference(tmp_path: Path) -> None:
    one, other = (results.of_run(run_of(tmp_path / name, value)) for name, value in TWO.items())
    assert results.same(one, other)
    assert results.drift(other, one) == pytest.approx(0.05)
    assert results.drift({**one, "gram": ""}, {**one, "gram": "1"}) == float("inf")


TWO = {"first": 2.0, "second": 2.1}


@pytest.mark.filterwarnings("ignore:threads=1")  # where TensorFlow runs already with two
def test_the_small_runs_are_what_the_rows_say(capsys: pytest.CaptureFixture[str]) -> None:
    """Five presets of other losses, networks and optimizers, within 1 % on any processor."""
    runpy.run_path(str(SCRIPT))["check_drift"]()
    assert len(re.findall(r": \d\.\d\de", capsys.readouterr().out)) == 5


def test_runs_are_collected_and_a_folder_without_any_is_refused(tmp_path: Path) -> None:
    run_of(tmp_path / "runs" / "a")
    done = command("collect", tmp_path / "runs", tmp_path / "rows.csv")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "rows.csv").open() as file:
        assert [row["preset"] for row in csv.DictReader(file)] == ["default"]
    (tmp_path / "none").mkdir()
    refused = command("collect", tmp_path / "none", tmp_path / "none.csv")
    assert refused.returncode == 2 and "none: no finished run" in refused.stderr
    assert not (tmp_path / "none.csv").exists()
