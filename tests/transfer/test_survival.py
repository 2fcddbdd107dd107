"""Runs that are killed, interrupted, starved or repeated end with the bytes of a run that nothing
happened to.
"""

import json
import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import listing, metrics
from forks import PIPES, Forked

from stn import errors, runs
from stn.objective import objective
from stn.runs import record
from stn.transfer import result

KILLS = 200 if os.environ.get("STN_LONG") == "1" else 1  # of each case
MASKS = ("style.mask=polygon:0 0 1 0 1 .5 0 .5", "style.result_mask=polygon:0 .5 1 .5 1 1 0 1")
OPTIMIZERS = {
    "lbfgs": (
        "optimizer=lbfgs",
        "optimizer.max_evaluations=31",
        "tracking.checkpoint_seconds=0",
    ),
    "spectral_lbfgs": (
        "optimizer=spectral_lbfgs",
        "optimizer.history=5",
        "optimizer.max_evaluations=31",
        "tracking.checkpoint_seconds=0",
    ),
    "adam": ("optimizer=adam", "optimizer.max_evaluations=31", "tracking.checkpoint_seconds=0"),
    "pyramid_in_luminance_with_a_laplacian": (
        "color=luminance",
        "objective.matting_weight=100",
        "pyramid.levels=[{scale: 0.5, max_evaluations: 12, times: {matting_weight: 0}}]",
        "optimizer.restart_every=7",
        "optimizer.max_evaluations=20",
        "tracking.checkpoint_seconds=0.01",
    ),
    "kept_and_drawn": (
        "optimizer=adam",
        "objective.style_statistic=sliced_wasserstein",
        "objective.redraw=1",
        *("guidance=tag", *MASKS),
        "optimizer.result=average",
        "optimizer.keep_over_levels=true",
        "pyramid.levels=[{scale: 0.5, max_evaluations: 12}]",
        "optimizer.max_evaluations=20",
        "tracking.checkpoint_seconds=0",
    ),
    "positions_drawn_and_a_pyramid_of_variables": (
        "optimizer=rmsprop",
        "optimizer.result=last",
        "objective.style_statistic=relaxed_emd",
        "objective.content_reduction=self_similarity",
        "objective.hypercolumns=50",
        *MASKS,
        "objective.redraw=1",
        "pyramid.levels=[{scale: 0.5, max_evaluations: 12, detail: true,"
        " times: {content_weight: 3, learning_rate: 2}}]",
        "optimizer.max_evaluations=20",
        "tracking.checkpoint_seconds=0",
    ),
    "targets_found_once_a_level": (
        "optimizer=adam",
        "optimizer.result=last",
        "optimizer.laplacian_levels=2",
        "objective.content_layers=[]",
        "objective.style_statistic=nearest",
        "objective.redraw=1",
        *MASKS,
        "pyramid.levels=[{scale: 0.5, max_evaluations: 6, style_statistic: nearest_hypercolumns},"
        " {scale: 1, max_evaluations: 8, style_statistic: nearest_hypercolumns,"
        " laplacian_levels: 1}]",
        "optimizer.max_evaluations=18",
        "tracking.checkpoint_seconds=0",
    ),
}


def same(one: Path, other: Path) -> None:
    """The same picture to the byte, the same losses to the digit; only the seconds differ."""
    assert (one / "image.png").read_bytes() == (other / "image.png").read_bytes()
    ours, theirs = metrics(one), metrics(other)
    assert ours.keys() == theirs.keys()
    for name in ours.keys() - {"seconds"}:
        np.testing.assert_array_equal(ours[name], theirs[name])
    assert listing(one) == listing(other)


SHARED = ("init=noise", "tracking.progress_every=5")


@pytest.fixture(scope="module", params=OPTIMIZERS)
def case(request, run, tmp_path_factory):
    """The overrides of a run, and that run undisturbed."""
    overrides = (*OPTIMIZERS[request.param], *SHARED)
    undisturbed = tmp_path_factory.mktemp("undisturbed") / "run"
    run(undisturbed, *overrides)
    return overrides, undisturbed


def test_a_run_repeats_to_the_byte(case, run, tmp_path) -> None:
    overrides, undisturbed = case
    run(tmp_path / "run", *overrides)
    same(tmp_path / "run", undisturbed)


@pytest.mark.parametrize("instants", [(3, 4), (1, 15), (2, 8, 9, 16, 20, 23, 30)])
def test_an_interrupted_run_goes_on_to_the_same_bytes(
    case, run, tmp_path, monkeypatch, instants
) -> None:
    """Interrupted at evaluations counted over all tries, by the signal's own handler."""
    overrides, undisturbed = case
    made = 0
    original = objective.Objective.value_and_grad

    def interrupting(self, image):
        nonlocal made
        made += 1
        if made in instants:
            signal_self()
        return original(self, image)

    def signal_self() -> None:
        os.kill(os.getpid(), 15)

    monkeypatch.setattr(objective.Objective, "value_and_grad", interrupting)
    interruptions = 0
    while not (tmp_path / "run" / "summary.json").exists():
        try:
            run(tmp_path / "run", *overrides)
        except errors.Interrupted as end:
            interruptions += 1
            assert end.exit_code == 143
            assert f"hydra.run.dir={tmp_path / 'run'}" in str(end)
            assert (tmp_path / "run" / "image.png").is_file()
            assert not (tmp_path / "run" / "summary.json").exists()
    assert interruptions == len(instants)
    same(tmp_path / "run", undisturbed)


@pytest.fixture(scope="module")
def killed(small, tmp_path_factory):
    """The runs, by their overrides, that were killed now and then until they ended."""
    folder = tmp_path_factory.mktemp("killed")
    places = {(*own, *SHARED): str(folder / name / "run") for name, own in OPTIMIZERS.items()}
    script, given = (
        Path(__file__).parents[1] / "kill_many.py",
        {path: [*small, *own] for own, path in places.items()},
    )
    command = [sys.executable, str(script), str(KILLS)]
    with Forked(command, text=True, stdin=subprocess.PIPE, **PIPES) as process:
        out, err = process.communicate(json.dumps(given))
    assert process.returncode == 0, err
    found = json.loads(out.splitlines()[-1])
    return {overrides: found[path] for overrides, path in places.items()}


def test_a_killed_run_goes_on_to_the_same_bytes(case, killed) -> None:
    """SIGKILL at random instants: a handful here, 200 a case with STN_LONG=1."""
    overrides, undisturbed = case
    for finished in map(Path, killed[overrides]):
        (finished / record.LOCK).unlink(
            missing_ok=True
        )  # there if it was killed after its last file
        same(finished, undisturbed)


@pytest.mark.parametrize("before", [17, 5])
def test_an_extended_run_has_the_bytes_of_one_with_the_whole_budget(
    case, run, tmp_path, monkeypatch, before
) -> None:
    overrides, undisturbed = case
    kept = (*overrides, "tracking.keep_checkpoint=true")
    run(tmp_path / "run", *kept, f"optimizer.max_evaluations={before}")
    ended_at = runs.Run(tmp_path / "run").summary["evaluations"]
    original, made = objective.Objective.value_and_grad, []
    monkeypatch.setattr(
        objective.Objective,
        "value_and_grad",
        lambda self, image: made.append(0) or original(self, image),
    )
    run(tmp_path / "run", *overrides)
    same(tmp_path / "run", undisturbed)
    left = len(metrics(undisturbed)["evaluation"]) - ended_at
    assert len(made) == left + 1  # one for the picture's own loss


def test_a_run_that_kept_no_checkpoint_is_extended_from_its_start(run, tmp_path, capsys) -> None:
    overrides = ("optimizer=adam", "init=noise")
    run(tmp_path / "run", *overrides, "optimizer.max_evaluations=5")
    run(tmp_path / "run", *overrides, "optimizer.max_evaluations=9")
    assert "starts over, since it kept no checkpoint" in capsys.readouterr().err
    run(tmp_path / "whole", *overrides, "optimizer.max_evaluations=9")
    same(tmp_path / "run", tmp_path / "whole")
    assert "checkpoint.npz" not in listing(tmp_path / "run")


def test_a_larger_budget_takes_no_run_further_that_ended_of_itself(run, tmp_path, capsys) -> None:
    run(tmp_path, "optimizer.gtol=1e30")
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    run(tmp_path, "optimizer.gtol=1e30", "optimizer.max_evaluations=99")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == stamps
    assert "finished before" in capsys.readouterr().err


# Each call of `run(directory, *overrides)` is a process of its own, since TensorFlow fixes its
# threads with its first operation.
IN_PROCESSES = """
import json, os, sys
from pathlib import Path
from stn import config, transfer

small, calls = json.loads(sys.argv[1])
for directory, *overrides in calls:
    if os.fork() == 0:
        transfer.run(config.compose(*small, *overrides), Path(directory))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
"""


def test_a_run_is_resumed_with_the_threads_it_began_with(small, tmp_path) -> None:
    """On many processors one thread and two add in another order."""
    kept, short = "tracking.keep_checkpoint=true", "optimizer.max_evaluations=5"
    overrides = [*small, "image.size_px=47", "optimizer.max_evaluations=12", kept]
    calls = [
        ("whole", "threads=1"),
        ("again", "threads=1"),
        ("run", "threads=1", short),
        ("run",),
    ]
    given = json.dumps([overrides, [(str(tmp_path / name), *own) for name, *own in calls]])
    (tmp_path / "runs.py").write_text(IN_PROCESSES)
    command = [sys.executable, str(tmp_path / "runs.py"), given]
    with Forked(command, text=True, stdin=subprocess.DEVNULL, **PIPES) as process:
        err = process.communicate()[1]
    assert process.returncode == 0, err
    same(tmp_path / "whole", tmp_path / "again")
    same(tmp_path / "whole", tmp_path / "run")
    assert runs.Run(tmp_path / "run").provenance["machine"]["threads"] == 1


def test_a_run_is_resumed_with_the_convolutions_it_began_with(run, tmp_path) -> None:
    """Conv2D or its gradient's operation: without AVX-512 they round differently."""
    path = tmp_path / "run" / "provenance.json"
    run(tmp_path / "run", "tracking.keep_checkpoint=true")
    began = json.loads(path.read_text())
    assert began["machine"]["direct_convolution"] == "conv2d"  # in so narrow a network
    began["machine"]["direct_convolution"] = "conv2d_backprop_input"  # as on another machine
    path.write_text(json.dumps(began))
    run(tmp_path / "run", "tracking.keep_checkpoint=true", "optimizer.max_evaluations=8")
    [session] = runs.Run(tmp_path / "run").provenance["continuations"]
    assert session["machine"]["direct_convolution"] == "conv2d_backprop_input"


def test_a_directory_with_other_threads_is_refused(run, tmp_path) -> None:
    run(tmp_path / "run")
    own = runs.Run(tmp_path / "run").provenance["machine"]["threads"]
    run(tmp_path / "run", f"threads={own}")  # finished before
    with pytest.raises(errors.InputError, match=rf"threads: {own} → {own + 1}"):
        run(tmp_path / "run", f"threads={own + 1}")


def test_a_loss_that_is_not_finite_steps_back_and_goes_on(run, tmp_path, monkeypatch) -> None:
    original = objective.Objective.value_and_grad
    made = 0

    def sometimes_nan(self, image):
        nonlocal made
        made += 1
        terms, gradient = original(self, image)
        return terms, gradient * (math.nan if made in (6, 11) else 1)

    monkeypatch.setattr(objective.Objective, "value_and_grad", sometimes_nan)
    run(tmp_path / "run", "optimizer.max_evaluations=20")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["stop_reason"] == "max_evaluations" and summary["evaluations"] == 20
    assert summary["loss/total"] == min(metrics(tmp_path / "run")["loss/total"])


def test_a_loss_that_stays_not_finite_ends_with_the_best_image(run, tmp_path, monkeypatch) -> None:
    original = objective.Objective.value_and_grad
    made = 0

    def nan_from_the_fifth(self, image):
        nonlocal made
        made += 1
        terms, gradient = original(self, image)
        return terms, gradient * (math.nan if made > 4 else 1)

    monkeypatch.setattr(objective.Objective, "value_and_grad", nan_from_the_fifth)
    run(tmp_path / "run", "optimizer.max_evaluations=50")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (
        "not finite" in summary["stop_reason"] and summary["evaluations"] == 8
    )  # four, then four that fail
    assert (tmp_path / "run" / "image.png").is_file()


def test_two_runs_in_one_directory_one_works_and_the_other_is_refused(
    run, tmp_path, monkeypatch
) -> None:
    original = objective.Objective.value_and_grad
    refused = []

    def try_another(self, image):
        if not refused:
            refused.append(None)

            def other() -> None:
                with pytest.raises(errors.InputError, match="another process") as caught:
                    run(tmp_path / "run")
                refused[0] = str(caught.value)

            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
        return original(self, image)

    monkeypatch.setattr(objective.Objective, "value_and_grad", try_another)
    assert isinstance(run(tmp_path / "run"), result.Result)
    assert str(tmp_path / "run") in refused[0]


@pytest.fixture
def tiny_disk(tmp_path):
    """A folder on a file system of its own with 1.6 MB; skipped where this machine lets nobody
    mount one.
    """
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1600k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine does not allow mounting a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_leaves_whole_files_and_the_run_goes_on_later(
    case, run, tiny_disk
) -> None:
    overrides, undisturbed = case
    (tiny_disk / "other").write_bytes(bytes(1_580_000))
    with pytest.raises(OSError, match="No space left"):
        run(tiny_disk / "run", *overrides)
    assert not (tiny_disk / "run" / "summary.json").exists()
    assert not list((tiny_disk / "run").rglob(".partial-*"))
    (tiny_disk / "other").unlink()
    run(tiny_disk / "run", *overrides)
    same(tiny_disk / "run", undisturbed)
