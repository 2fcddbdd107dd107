"""Sweeps that seek: what a run returns, and a real study of Optuna's."""

import json
import re

import pytest
import yaml

from stn import runs, sweeps
from stn.errors import InputError

SEEK = ("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_jobs=1", "hydra.sweeper.sampler.seed=1")


def test_optuna_minimizes_a_measure_over_an_interval(stylize, tmp_path):
    pytest.importorskip("optuna")
    place = tmp_path / "study"
    told = (
        *(*SEEK, "hydra.sweeper.n_trials=3", f"hydra.sweep.dir={place}"),
        *("sweep.metric=features", "strength=interval(1,1000)"),
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


def test_a_metric_changes_no_run(run, tmp_path):
    run(tmp_path / "one", "optimizer.max_evaluations=1")
    before = (tmp_path / "one" / runs.SUMMARY).read_bytes()
    run(tmp_path / "one", "optimizer.max_evaluations=1", "sweep.metric=gram")  # finished before
    assert (tmp_path / "one" / runs.SUMMARY).read_bytes() == before
    assert json.loads(before)["picture/loss/total"] > 0
