"""Sweeps that seek: what a run returns, and a real study of Optuna's."""

import json
import re

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from stn import runs, sweeps
from stn.errors import InputError
from stn.sweeps import studies

SEEK = ("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_jobs=1", "hydra.sweeper.sampler.seed=1")


def test_optuna_minimizes_a_measure_over_an_interval(stylize, small, tmp_path):
    pytest.importorskip("optuna")
    place = tmp_path / "study"
    told = (
        *(*SEEK, "hydra.sweeper.n_trials=3", f"hydra.sweep.dir={place}"),
        *("sweep.metric=features", "strength=interval(1,1000)"),
        f"hydra.sweeper.storage=sqlite:///{tmp_path}/study.db",
        "hydra.sweeper.study_name=mine",
    )
    ended = stylize(*told)
    assert ended.code == 0, ended.err
    made = [run for run in runs.below(place) if run.state == "finished"]
    best = min(made, key=lambda run: run.summary["measures/features"])
    result = yaml.safe_load((place / "optimization_results.yaml").read_text())
    assert len(made) == 3
    assert result["best_value"] == best.summary["measures/features"]
    strength = result["best_params"]["strength"]
    assert best.path.name == f"strength={strength}"
    assert best.settings["strength"] == strength
    kept = {"storage": f"sqlite:///{tmp_path}/study.db", "study_name": "mine"}
    with pytest.raises(InputError, match=r"over strength with .*sweep\.metric=features"):
        begin("minimize", *small, "sweep.metric=gram", "strength=interval(1,1000)", **kept)


def test_a_metric_is_a_key_of_the_summary_or_a_measure():
    summary = {"measures/gram": 0.5, "picture/loss/total": 7.0, "seconds": 3, "stop_reason": "x"}
    assert sweeps.metric_of(summary, "gram") == 0.5
    assert sweeps.metric_of(summary, "measures/gram") == 0.5
    assert sweeps.metric_of(summary, "picture/loss/total") == 7
    assert sweeps.metric_of(summary, "seconds") == 3
    with pytest.raises(InputError, match="no such key"):
        sweeps.metric_of(summary, "measures/gram/relu9_1")


def test_a_metric_that_no_run_has_is_refused_before_the_first(composed):
    with pytest.raises(InputError, match=re.escape("sweep.metric=grm: did you mean gram?")):
        composed("sweep.metric=grm")


def begin(direction: str = "minimize", *told: str, **kept: str) -> None:
    """What Hydra's hook calls with a sweeper's configuration and what was typed."""
    parsed = OverridesParser.create().parse_overrides(list(told))
    studies.begin(OmegaConf.create({"direction": direction, **kept}), parsed)


INTERVAL = "strength=interval(1,2)"


@pytest.mark.parametrize(
    ("told", "kept", "line"),
    [
        (("sweep.metric=gram", "stength=interval(1,2)"), {}, "did you mean strength"),
        ((INTERVAL, "content.path=gone.png"), {}, "gone.png"),
        (
            (INTERVAL,),
            {"storage": "sqlite:////gone/x.db", "study_name": "x"},
            "sqlite:////gone/x.d",
        ),
    ],
)
def test_what_no_trial_can_do_is_said_before_the_first(small, told, kept, line):
    pytest.importorskip("optuna")
    with pytest.raises(InputError, match=re.escape(line)):
        begin("minimize", *small, *told, **kept)


def test_a_bad_metric_is_one_line_and_no_trial(stylize, tmp_path):
    pytest.importorskip("optuna")
    told = f"hydra.sweep.dir={tmp_path}/study", "sweep.metric=grm", INTERVAL
    ended = stylize(*SEEK, "hydra.sweeper.n_trials=2", *told)
    assert ended.code == 2 and "error: sweep.metric=grm: did you mean gram?" in ended.err
    assert ended.err.count("error") == 1 and not list(runs.below(tmp_path / "study"))


def test_a_study_of_other_settings_is_not_gone_on_with(small, tmp_path):
    """The same in other words, or with another interval, is; whatever else differs is named."""
    optuna = pytest.importorskip("optuna")
    kept = {"storage": f"sqlite:///{tmp_path}/study.db", "study_name": "mine"}
    gram = (*small, "sweep.metric=gram")
    begin("minimize", *gram, INTERVAL, **kept)
    begin("minimize", *gram, "strength=interval(1, 50)", "tracking=off", **kept)
    for direction, told, theirs in (
        (
            "minimize",
            (*small, "sweep.metric=features", INTERVAL),
            "strength with sweep.metric=gram;",
        ),
        ("minimize", (*gram, "objective.content_weight=interval(1,2)"), "over strength;"),
        ("minimize", (*gram, INTERVAL, "image.size_px=33"), "over strength;"),
    ):
        with pytest.raises(InputError, match=f"study_name=mine: its study in .*{theirs}"):
            begin(direction, *told, **kept)
    with pytest.raises(InputError, match="Cannot overwrite study direction"):
        begin("maximize", *gram, INTERVAL, **kept)
    assert not optuna.load_study(study_name="mine", storage=kept["storage"]).trials


def test_a_metric_changes_no_run(run, tmp_path):
    run(tmp_path / "one", "optimizer.max_evaluations=1")
    before = (tmp_path / "one" / runs.SUMMARY).read_bytes()
    run(tmp_path / "one", "optimizer.max_evaluations=1", "sweep.metric=gram")  # finished before
    assert (tmp_path / "one" / runs.SUMMARY).read_bytes() == before
    assert json.loads(before)["picture/loss/total"] > 0
