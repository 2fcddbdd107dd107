"""Reading runs: what is left of a damaged one, which are found and in what order, and in what they
differ.
"""

import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from stn import config, errors, files, images, runs
from stn.runs import provenance

SETTINGS = {
    "name": "a",
    "seed": 0,
    "tracking": {"mode": "off"},
    "objective": {"layers": [{"layer": "relu1_1"}]},
}


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A finished run, in a folder of its own."""
    path = tmp_path / "runs" / "whole"
    path.mkdir(parents=True)
    (path / "provenance.json").write_text(json.dumps({"config": SETTINGS, "inputs_sha256": {}}))
    (path / "summary.json").write_text(json.dumps({"loss/total": 2.5}))
    (path / "metrics.csv").write_text("evaluation,loss/total\n0,4\n1,2.5\n")
    images.write(path / "image.png", np.full((3, 4, 3), 7.0))
    return path


def test_a_whole_run_is_read(whole: Path) -> None:
    run = runs.Run(whole).check()
    assert (run.state, run.settings, run.summary, run.failure) == (
        "finished",
        SETTINGS,
        {"loss/total": 2.5},
        {},
    )
    assert {name: column.tolist() for name, column in run.metrics.items()} == {
        "evaluation": [0, 1],
        "loss/total": [4, 2.5],
    }
    assert run.rgb.shape == (3, 4, 3) and (run.rgb == 7).all()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((name, b"{") for name in ("provenance.json", "summary.json")),
        *((name, b"[]") for name in ("provenance.json", "summary.json")),
        *(
            (name, b"\xff\x00")
            for name in ("provenance.json", "summary.json", "metrics.csv", "image.png")
        ),
        *((name, b"") for name in ("provenance.json", "summary.json", "metrics.csv", "image.png")),
        ("summary.json", b"[" * 100_000),  # deeper than Python's stack
        ("provenance.json", b'{"config": [1]}'),
        ("metrics.csv", b"evaluation,loss/total\n0,4\n1,x\n"),
        ("metrics.csv", b"evaluation,loss/total\n0,4\n1\n"),
        ("metrics.csv", b"evaluation,loss/total\n0,4,1,2\n1,2,3,4\n"),
        ("metrics.csv", bytes(200_000)),  # what some file systems leave after a power cut
    ],
)
def test_a_damaged_file_is_empty_to_those_who_ask_and_refused_by_name(
    whole: Path, name: str, content: bytes
) -> None:
    (whole / name).write_bytes(content)
    run = runs.Run(whole)
    assert [run.settings, run.summary, dict(run.metrics)].count({}) == (name != "image.png")
    assert run.state == ("unfinished" if name == "summary.json" else "finished")
    with pytest.raises(errors.InputError) as caught:
        run.check()
    assert str(caught.value).startswith(f"{whole / name}: ")


@pytest.mark.parametrize("name", ["provenance.json", "summary.json", "metrics.csv", "image.png"])
def test_a_missing_file_is_refused_by_name(whole: Path, name: str) -> None:
    (whole / name).unlink()
    with pytest.raises(errors.InputError, match=name):
        runs.Run(whole).check()


def test_the_state_of_a_run(whole: Path) -> None:
    (whole / "failed.json").write_text('{"error": "no space"}')
    assert runs.Run(whole).state == "finished"  # its picture is there; what failed came after it
    (whole / "summary.json").unlink()
    assert runs.Run(whole).state == "failed"
    (whole / "failed.json").write_text('{"err')
    assert runs.Run(whole).state == "unfinished"


def test_runs_are_found_at_any_depth_in_natural_order_but_not_in_what_wandb_keeps(
    whole: Path,
) -> None:
    folder = whole.parent
    for name in (
        "10",
        "9",
        "seed-10",
        "seed-9",
        "deep/1/b",
        "deep/1/a",
        "²",
        "x/wandb/files",
        "wandb/run",
    ):
        shutil.copytree(whole, folder / name)
    (folder / "refused").mkdir()
    (folder / "refused" / "failed.json").write_text("{}")
    (folder / "no-run").mkdir()
    found = [str(run.path.relative_to(folder)) for run in runs.below(folder)]
    assert found == [
        "9",
        "10",
        "deep/1/a",
        "deep/1/b",
        "refused",
        "seed-9",
        "seed-10",
        "whole",
        "²",
    ]
    assert [run.path for run in runs.below(whole)] == [whole]
    assert [run.path.name for run in runs.below(folder / "wandb")] == ["run"]  # asked for by name
    assert runs.below(folder / "nowhere") == []


def test_what_differs_is_named_by_its_key_and_what_changes_no_pixel_is_left_out() -> None:
    first = {
        "name": "a",
        "tracking": {"mode": "off"},
        "seed": 0,
        "style": {"path": "x"},
        "objective": {"layers": [1]},
    }
    other = {
        "name": "b",
        "tracking": {"mode": "on"},
        "seed": 0,
        "style": {"path": "y"},
        "objective": {"layers": [2]},
    }
    assert config.differing([first, other, first]) == ["style.path", "objective.layers"]
    assert config.differing(
        [first, {**first, "seed": None}, {**first, "init": {"name": "noise"}}]
    ) == [
        "seed",
        "init.name",
    ]
    assert (
        config.differing([first, json.loads(json.dumps(first))])
        == config.differing([first])
        == config.differing([])
        == []
    )


def test_settings_are_named_by_dotted_keys_and_lists_stay_whole() -> None:
    assert config.flat(SETTINGS) == {
        "name": "a",
        "seed": 0,
        "tracking.mode": "off",
        "objective.layers": [{"layer": "relu1_1"}],
    }


def test_metrics_without_an_evaluation(whole: Path) -> None:
    (whole / "metrics.csv").write_text("")  # an interrupt before the first
    assert runs.read_metrics(whole / "metrics.csv") == {}
    (whole / "metrics.csv").write_text("evaluation,loss/total\n")
    assert {
        name: len(column) for name, column in runs.read_metrics(whole / "metrics.csv").items()
    } == {
        "evaluation": 0,
        "loss/total": 0,
    }


def test_the_best_so_far_is_of_its_level_and_is_no_number_that_is_none() -> None:
    total = np.array([np.nan, 5, 7, 3, np.nan, 4, 9, 8, 8.5])
    metrics = {"loss/total": total, "level": np.array([0, 0, 0, 0, 0, 0, 1, 1, 1])}
    assert runs.best_so_far(metrics).tolist() == [0, 1, 1, 3, 3, 3, 6, 7, 7]
    assert runs.best_so_far({"loss/total": total}).tolist() == [0, 1, 1, 3, 3, 3, 3, 3, 3]
    assert runs.best_so_far({"loss/total": total[:0]}).tolist() == []


def test_the_peak_of_memory_is_of_what_came_after_it_was_forgotten() -> None:
    np.ones(200_000_000, np.uint8).sum()
    before = provenance.peak_memory_mb()
    provenance.forget_peak_memory()
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("this system keeps the peak")
    assert provenance.peak_memory_mb() < before - 100


def test_what_cannot_be_written_is_named_as_the_user_named_it(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"nowhere/table\.csv"):
        files.write_text(tmp_path / "nowhere" / "table.csv", "a")


@pytest.mark.parametrize("name", ["metrics.csv", "summary.json", "provenance.json", "failed.json"])
def test_a_pipe_in_a_run_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    read: list[object] = []
    run = runs.Run(tmp_path)
    look = threading.Thread(
        target=lambda: read.append((run.metrics, run.summary, run.provenance, run.failure)),
        daemon=True,
    )
    look.start()
    look.join(20)
    assert read == [({}, {}, {}, {})]


def test_a_record_too_long_to_be_a_runs_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "summary.json").open("wb") as file:
        file.truncate(2**40)  # a sparse file: it takes no room
    assert runs.Run(tmp_path).summary == {}
    with pytest.raises(errors.InputError, match="more than"):
        runs.read_json(tmp_path / "summary.json")
