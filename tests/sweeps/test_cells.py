"""A cell's directory is called by what varies; old numbers count; what is missing or there twice is
known.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from stn import config, errors, runs
from stn.sweeps import cells

SUBDIR = "${stn.cell:${hydra.overrides.task},${hydra.job.config.override_dirname.exclude_keys}}"


def of_hydra(*given: str, subdir: str = SUBDIR, **sweeper: Any) -> Any:
    """Hydra's section of a multirun's configuration, as far as it counts here."""
    sweeper = {
        "_target_": "hydra._internal.core_plugins.basic_sweeper.BasicSweeper",
        "params": None,
    } | sweeper
    return OmegaConf.create(
        {"sweeper": sweeper, "sweep": {"subdir": subdir}, "overrides": {"task": list(given)}}
    )


def test_a_cell_is_called_by_what_varies_in_order_of_the_keys() -> None:
    given = ["style=starry_night,the_scream", "seed=range(0,2)", "image.size_px=32", "+init=noise"]
    planned = cells.planned(of_hydra(*given))
    assert planned is not None
    assert list(planned) == [
        f"seed={seed},style={style}" for style in ("starry_night", "the_scream") for seed in (0, 1)
    ]
    assert planned["seed=1,style=the_scream"] == [
        "style=the_scream",
        "seed=1",
        "image.size_px=32",
        "+init=noise",
    ]
    assert list(cells.planned(of_hydra("seed=3"))) == ["seed=3"]  # nothing varies: by all of it
    assert list(cells.planned(of_hydra("a=1", params={"seed": "1,2"}))) == ["seed=1", "seed=2"]


def test_an_interval_has_no_cells_but_for_a_sweeper_that_seeks() -> None:
    given = of_hydra("strength=interval(1,10)")
    with pytest.raises(errors.InputError, match=r"strength=interval\(1,10\): .*optuna"):
        cells.planned(given)
    given.sweeper._target_ = "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper"
    assert cells.planned(given) is None


@pytest.mark.parametrize(
    ("value", "begins"),
    [
        ("/home/me/a photo.jpg", "a-photo.jpg-"),
        ("C:\\photo.jpg", "C-photo.jpg-"),
        ("'ümläut.png'", "ml-ut.png-"),
        ("[relu1_1,relu2_1]", "relu1_1-relu2_1-"),
        ("asset:starry.jpg", "asset-starry.jpg-"),
        ("../..", ""),
        ("", ""),
        ("x" * 300, "x" * 40 + "-"),
    ],
)
def test_values_that_a_file_system_or_wandb_would_not_take_are_shortened(
    value: str, begins: str
) -> None:
    name = cells.name([f"content.path={value}"])
    assert re.fullmatch(rf"content\.path={re.escape(begins)}[0-9a-f]{{6}}", name)
    assert (
        name
        != cells.name([f"content.path=other/{value}"])
        != cells.name([f"content.path=another/{value}"])
    )


def test_a_name_is_never_too_long_and_never_another_cells() -> None:
    names = {
        cells.name([*(f"objective.key{i}={i}" for i in range(30)), f"seed={seed}"])
        for seed in range(50)
    }
    assert len(names) == 50 and all(len(name.encode()) <= 120 for name in names)


def test_two_cells_in_one_directory_are_refused() -> None:
    with pytest.raises(errors.InputError, match=r"two cells are seed=0, .*give each value once"):
        cells.planned(of_hydra("seed=0,1,0"))


def test_other_sweepers_and_directories_of_the_users_own_are_left_alone() -> None:
    assert cells.planned(of_hydra("seed=0,1", _target_="optuna.Sweeper")) is None
    assert cells.planned(of_hydra("seed=0,1", subdir="${seed}")) is None


def make(run_dir: Path, *overrides: str) -> Path:
    run_dir.mkdir(parents=True)
    settings = config.to_dict(config.compose(*overrides))
    (run_dir / "provenance.json").write_text(
        json.dumps({"config": settings, "inputs_sha256": {"content": "1"}})
    )
    return run_dir


def test_cells_are_found_by_name_and_under_other_names_by_their_settings(tmp_path: Path) -> None:
    (tmp_path / "multirun.yaml").write_text(
        OmegaConf.to_yaml(OmegaConf.create({"hydra": of_hydra("seed=0,1,2,3")}))
    )
    make(tmp_path / "seed=0", "seed=0")
    make(tmp_path / "1", "seed=1")  # as directories were called once
    (tmp_path / "seed=2").mkdir()
    (tmp_path / "seed=2" / runs.FAILED).write_text('{"error": "no"}')
    planned = cells.last_command(tmp_path)
    found = cells.found(tmp_path, planned)
    assert {name: run and run.path.name for name, run in found.items()} == {
        **{"seed=0": "seed=0", "seed=1": "1", "seed=2": "seed=2", "seed=3": None}
    }
    assert cells.missing(tmp_path) == {"seed=3": ["seed=3"]}
    for seed, name in ((0, "seed=0"), (1, "1"), (3, "seed=3")):
        settings = config.to_dict(
            config.compose(f"seed={seed}", "tracking=off")
        )  # which changes no pixel
        assert cells.place(tmp_path / f"seed={seed}", tmp_path, settings) == tmp_path / name


def test_of_a_numbered_sweep_it_is_known_what_is_missing(tmp_path: Path) -> None:
    hydra = of_hydra("seed=0,1,2", subdir="${hydra.job.num}")
    (tmp_path / "multirun.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create({"hydra": hydra})))
    for seed in (0, 2):
        make(tmp_path / str(seed), f"seed={seed}")
    assert cells.missing(tmp_path) == {"1": ["seed=1"]}
    (tmp_path / "multirun.yaml").write_text("{")
    assert cells.missing(tmp_path) == {}


def test_a_cell_whose_name_another_sweeps_cell_has_gets_a_name_of_its_own(tmp_path: Path) -> None:
    make(tmp_path / "seed=0", "seed=0", "style.scale=1")
    settings = config.to_dict(config.compose("seed=0", "style.scale=2"))
    beside = cells.place(tmp_path / "seed=0", tmp_path, settings)
    assert re.fullmatch(r"seed=0-[0-9a-f]{6}", beside.name) and beside.parent == tmp_path
    make(tmp_path / beside.name, "seed=0", "style.scale=2")
    assert cells.place(tmp_path / "seed=0", tmp_path, settings) == beside
    for scale, path in ((1, tmp_path / "seed=0"), (2, beside)):
        planned = {"seed=0": ["seed=0", f"style.scale={scale}"]}
        found = cells.found(tmp_path, planned)["seed=0"]
        assert found is not None and found.path == path
    more = config.to_dict(
        config.compose("seed=0", "style.scale=1", "optimizer.max_evaluations=900")
    )
    assert cells.place(tmp_path / "seed=0", tmp_path, more).name == "seed=0"  # which goes on
    forced = config.to_dict(config.compose("seed=0", "style.scale=3", "force=true"))
    assert cells.place(tmp_path / "seed=0", tmp_path, forced).name == "seed=0"


def test_nothing_that_a_tree_names_is_resolved(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    typed = {"params": {"seed": "${oc.env:SECRET},1"}}
    hydra = of_hydra("style.scale=${oc.env:SECRET},2", **typed)
    (tmp_path / "multirun.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create({"hydra": hydra})))
    make(tmp_path / "0", "seed=1")
    assert "hunter2" not in str(cells.missing(tmp_path))
    assert "hunter2" not in str(cells.last_command(tmp_path))


def test_a_multirun_yaml_of_aliases_ends(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    (tmp_path / "multirun.yaml").write_text("\n".join(lines))
    assert cells.last_command(tmp_path) == {}
    (tmp_path / "multirun.yaml").unlink()
    os.mkfifo(tmp_path / "multirun.yaml")
    assert cells.last_command(tmp_path) == {}


def test_what_is_there_twice_is_known(tmp_path: Path) -> None:
    paths = [make(tmp_path / name, f"seed={seed}") for name, seed in (("0", 0), ("1", 1))]
    paths.append(make(tmp_path / "seed=1", "seed=1", "tracking.progress_every=3"))
    (tmp_path / "damaged").mkdir()
    several = [runs.Run(path) for path in (*paths, tmp_path / "damaged", tmp_path / "damaged")]
    assert cells.twice(several) == {paths[2]: paths[1]}
