"""In what runs differ: axes by the names that were typed, and the settings that they leave open."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run, settings_of

from stn import runs
from stn.runs import axes

TYPED = "stylize.py -m layers=gatys,johnson seed=0,1 init=noise figures=true hydra.sweep.dir=mine"


def cell(folder: Path, *overrides: str, axes: dict[str, str], typed: str = TYPED) -> None:
    """A run of a sweep, as `make_run`, that recorded its axes and its command."""
    make_run(folder, 1.0, *overrides)
    path = folder / runs.PROVENANCE
    kept: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"axes": axes, "command": typed.split()}))


def sweep(folder: Path) -> None:
    for layers in ("gatys", "johnson"):
        for seed in ("0", "1"):
            words = (f"layers={layers}", f"seed={seed}", "init=noise")
            cell(folder / f"{layers}-{seed}", *words, axes={"layers": layers, "seed": seed})


def test_a_group_is_one_axis_by_its_name_and_seeds_come_last(tmp_path: Path) -> None:
    sweep(tmp_path)
    assert runs.parameters(runs.below(tmp_path)) == [
        {"layers": layers, "seed": seed} for layers in ("gatys", "johnson") for seed in (0, 1)
    ]
    assert [list(each) for each in runs.parameters(runs.below(tmp_path))] == [
        ["layers", "seed"]
    ] * 4


def test_without_recorded_axes_the_settings_that_differ_are_the_parameters(tmp_path: Path) -> None:
    for layers in ("gatys", "johnson"):
        make_run(tmp_path / layers, 1.0, f"layers={layers}")
    [first, _] = runs.parameters(runs.below(tmp_path))
    assert list(first) == ["objective.content_layers", "objective.style_layers"]


def test_a_setting_that_no_axis_changes_stays(tmp_path: Path) -> None:
    """Two sweeps of two sizes: the size does not follow from the layers."""
    for size, choices in ((96, ("gatys", "johnson")), (128, ("johnson_released",))):
        for layers in choices:
            overrides = (f"layers={layers}", f"image.size_px={size}")
            cell(tmp_path / str(size) / layers, *overrides, axes={"layers": layers})
    assert runs.parameters(runs.below(tmp_path)) == [
        {"layers": "gatys", "image.size_px": 96},
        {"layers": "johnson", "image.size_px": 96},
        {"layers": "johnson_released", "image.size_px": 128},
    ]


def test_cells_of_a_sweep_that_got_another_axis_later_are_on_it(tmp_path: Path) -> None:
    sweep(tmp_path)
    cell(tmp_path / "older", "layers=johnson", "seed=2", "init=noise", axes={"seed": "2"})
    assert runs.parameters(runs.below(tmp_path))[-1] == {"layers": "johnson", "seed": 2}


def test_a_numeric_axis_has_its_numbers_and_presets_stand_for_all_they_set(tmp_path: Path) -> None:
    for preset in ("gatys2016", "johnson2016"):
        for weight in ("100", "1000.0"):
            name = f"objective.style_weight={weight}"
            chosen = {"preset": preset, "objective.style_weight": weight}
            cell(tmp_path / f"{preset}-{weight}", f"preset={preset}", name, axes=chosen)
    assert runs.parameters(runs.below(tmp_path)) == [
        {"preset": preset, "objective.style_weight": weight}
        for preset in ("gatys2016", "johnson2016")
        for weight in (100.0, 1000.0)
    ]


def test_a_cell_that_failed_at_once_has_what_was_typed(tmp_path: Path) -> None:
    cell(tmp_path / "a", "layers=gatys", axes={"layers": "gatys", "seed": "0"})
    (tmp_path / "b").mkdir()
    failure = {
        "axes": {"layers": "johnson", "seed": "7"},
        "overrides": ["layers=johnson", "seed=7", "style=a b"],
        "error": "no such file",
    }
    (tmp_path / "b" / runs.FAILED).write_text(json.dumps(failure))
    found = runs.below(tmp_path)
    assert runs.parameters(found) == [
        {"layers": "gatys", "seed": 0},
        {"layers": "johnson", "seed": 7},
    ]
    assert axes.command(found[1]) == ("python scripts/stylize.py layers=johnson seed=7 'style=a b'")


def test_two_files_of_one_name_are_told_apart_though_every_cell_failed(tmp_path: Path) -> None:
    for folder in ("old", "new"):
        typed = f"{folder}/vgg.mat"
        failure = {
            "axes": {"network.weights": typed},
            "overrides": [f"network.weights={typed}", "style=painting.jpg"],
            "error": "not a whole MATLAB file",
        }
        (tmp_path / folder).mkdir()
        (tmp_path / folder / runs.FAILED).write_text(json.dumps(failure))
    assert runs.parameters(runs.below(tmp_path)) == [
        {"network.weights": "new/vgg.mat"},
        {"network.weights": "old/vgg.mat"},
    ]


def test_an_experiments_cells_have_settings_not_names(tmp_path: Path) -> None:
    for seed in ("0", "1"):
        cell(tmp_path / seed, f"seed={seed}", axes={"cell": f"choice-{seed}"})
    assert runs.parameters(runs.below(tmp_path)) == [{"seed": 0}, {"seed": 1}]


@pytest.mark.parametrize("layers", ["gatys", "johnson"])
def test_the_command_of_a_cell_is_what_was_typed_and_makes_its_settings(
    tmp_path: Path, layers: str
) -> None:
    sweep(tmp_path)
    run = runs.Run(tmp_path / f"{layers}-1")
    python, script, *overrides = shlex.split(axes.command(run))
    assert (python, script) == ("python", "scripts/stylize.py")
    assert overrides == [f"layers={layers}", "seed=1", "init=noise"]
    made = settings_of("content=coffee", "style=strokes", *overrides)
    assert made == run.settings
