"""Sweeps: a failed cell is one line and sinks nothing; the same command again runs only what is
missing.
"""

import contextlib
import errno
import itertools
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import psutil
import pytest
import wandb_file
from conftest import listing, metrics, start
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from stn import config, devices, errors, images, runs, sweeps
from stn.report import wandb_table
from stn.runs import run_directory
from stn.sweeps import hooks

AXES = ("seed=0,1", "image.size_px=32,2,36")  # 2 px are too few


def mtimes(sweep_dir: Path) -> dict[Path, float]:
    return {path.parent: path.stat().st_mtime for path in sweep_dir.glob("*/summary.json")}


def end_of_joblibs_processes() -> None:
    """They wait for more work, which here would be another test's."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


@pytest.mark.parametrize("launcher", ["basic", "joblib_local"])
def test_a_failed_cell_is_reported_and_sinks_nothing_and_the_rest_is_run_by_the_same_command(
    launcher: str, command, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch
) -> None:
    if launcher != "basic":
        pytest.importorskip(
            "hydra_plugins.hydra_joblib_launcher", reason="needs pip install -e '.[joblib]'"
        )
        request.addfinalizer(end_of_joblibs_processes)
    monkeypatch.chdir(tmp_path)
    sweep_dir = Path("sweep")
    typed = ("-m", *AXES, f"hydra/launcher={launcher}", f"hydra.sweep.dir={sweep_dir}")
    code, _, err, _ = command(*typed)
    assert code == 2, err
    begun = re.findall(r"^\[(\d)/6\] image", err, re.MULTILINE)
    assert sorted(begun) == ["1", "2", "3", "4", "5", "6"]
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert [line.split(": content.path")[0] for line in lines] == [
        "error: image.size_px=2,seed=0",
        "error: image.size_px=2,seed=1",
    ]
    assert all("too few for relu3_1" in line for line in lines) and "Traceback" not in err
    assert (
        err.splitlines()[-1]
        == f"2 cells failed; the same command with hydra.sweep.dir={sweep_dir} runs what is missing"
    )
    failed_cells = {f"image.size_px=2,seed={seed}" for seed in (0, 1)}
    assert {
        path.name for path in sweep_dir.glob("*") if (path / "failed.json").exists()
    } == failed_cells
    kept = {f"image.size_px={size},seed={seed}" for size in (32, 36) for seed in (0, 1)}
    assert {path.name for path in mtimes(sweep_dir)} == kept
    failed = json.loads((sweep_dir / "image.size_px=2,seed=0" / "failed.json").read_text())
    assert "seed=0" in failed["overrides"] and "InputError" in failed["traceback"]

    (
        sweep_dir / "image.size_px=32,seed=0" / "summary.json"
    ).unlink()  # as if it had been killed at its end
    before = mtimes(sweep_dir)
    code, _, err, _ = command(*(override.replace("32,2,36", "32,34,36") for override in typed))
    assert code == 0, err
    assert len(mtimes(sweep_dir)) == 6 and before.items() < mtimes(sweep_dir).items()
    assert {
        path.parent.name for path in sweep_dir.rglob("failed.json")
    } == failed_cells  # not this command's


def test_an_interrupt_ends_the_whole_sweep_and_the_same_command_goes_on(
    small: tuple[str, ...], tmp_path: Path
) -> None:
    settings = ("init=noise", "optimizer=adam", "optimizer.max_evaluations=100000")
    command = ("-m", *small, *settings, "seed=0,1", "hydra.sweep.dir=sweep")
    process = start(tmp_path, *command)
    assert process.stderr is not None
    assert process.stderr.readline() == "[1/2] seed=0\n"
    assert process.stderr.readline().startswith("evaluation 1/")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "the same command with hydra.sweep.dir=sweep resumes" in err
    assert not (tmp_path / "sweep" / "seed=1").exists()
    assert not (tmp_path / "sweep" / "seed=0" / "failed.json").exists()
    assert len(metrics(tmp_path / "sweep" / "seed=0")["evaluation"]) < 100_000


def test_a_value_more_on_an_axis_is_one_cell_more_and_numbered_cells_go_on(
    command, tmp_path: Path
) -> None:
    """The directories of a sweep that an earlier version numbered hold what they held."""
    shared = (
        "-m",
        "init=noise",
        "optimizer.max_evaluations=1",
        f"hydra.sweep.dir={tmp_path / 'sweep'}",
    )
    assert command(*shared, "seed=0,2", "hydra.sweep.subdir=${hydra.job.num}").code == 0
    before = mtimes(tmp_path / "sweep")
    assert {path.name for path in before} == {"0", "1"}
    (tmp_path / "sweep" / "1" / "summary.json").unlink()  # as if it had been killed at its end
    ended = command(*shared, "seed=0,1,2")
    assert ended.code == 0, ended.err
    after = mtimes(tmp_path / "sweep")
    assert {path.name for path in after} == {"0", "1", "seed=1"}
    assert after[tmp_path / "sweep" / "0"] == before[tmp_path / "sweep" / "0"]
    seeds = {
        path.name: json.loads((path / "provenance.json").read_text())["seed"] for path in after
    }
    assert seeds == {"0": 0, "1": 2, "seed=1": 1}
    ended = command(
        *shared, "seed=1", "image.size_px=32,34"
    )  # another axis: what was made at 32 px counts
    assert ended.code == 0, ended.err
    assert mtimes(tmp_path / "sweep").keys() - after.keys() == {
        tmp_path / "sweep" / "image.size_px=34"
    }


def test_a_second_sweep_with_another_fixed_key_leaves_the_first_alone(
    command, tmp_path: Path
) -> None:
    sweep_dir = tmp_path / "sweep"
    shared = ("-m", "init=noise", "optimizer.max_evaluations=1", f"hydra.sweep.dir={sweep_dir}")
    assert command(*shared, "seed=0,1").code == 0
    before = mtimes(sweep_dir)
    ended = command(*shared, "seed=0,1", "style.scale=0.5")
    assert ended.code == 0, ended.err
    after = mtimes(sweep_dir)
    assert {path: after[path] for path in before} == before
    assert sorted(path.name[:7] for path in after.keys() - before.keys()) == ["seed=0-", "seed=1-"]


def test_cells_and_pictures_are_where_they_were_typed_if_hydra_changes_the_directory(
    command, inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(inputs["content"], "photo.png")
    shared = ("-m", "init=noise", "optimizer.max_evaluations=1", "hydra.job.chdir=true")
    shared += ("content.path=photo.png",)
    numbered = "hydra.sweep.subdir=${hydra.job.num}"
    assert command(*shared, "hydra.sweep.dir=sweep", "seed=0,1", numbered).code == 0
    before = mtimes(tmp_path / "sweep")
    assert command(*shared, "hydra.sweep.dir=sweep", "seed=0,1").code == 0
    assert mtimes(tmp_path / "sweep") == before and len(before) == 2


def test_another_sweeper_is_refused_before_the_first_cell(command, tmp_path: Path) -> None:
    ended = command(
        "-m",
        "seed=0,1",
        "hydra.sweeper._target_=optuna.Sweeper",
        f"hydra.sweep.dir={tmp_path / 'sweep'}",
    )
    assert ended.code == 2
    assert "error: hydra.sweeper._target_=optuna.Sweeper: only Hydra's own sweeper" in ended.err
    assert "Traceback" not in ended.err and not mtimes(tmp_path / "sweep")


def test_a_failure_after_the_end_is_said_and_the_run_is_finished(
    command, tmp_path: Path, monkeypatch
) -> None:
    write, copy = run_directory.write_picture, tmp_path / "copy.png"

    def no_copy(path: Path, *given: Any) -> Path:
        if path == copy:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(copy))
        return write(path, *given)

    typed = (
        "-m",
        "seed=0",
        f"output={copy}",
        "optimizer.max_evaluations=1",
        f"hydra.sweep.dir={tmp_path / 'sweep'}",
    )
    with monkeypatch.context() as patch:
        patch.setattr(run_directory, "write_picture", no_copy)
        ended = command(*typed)
    assert ended.code == 2 and f"{copy}: No space left on device" in ended.err.splitlines()[-2]
    [cell] = runs.below(tmp_path / "sweep")
    assert cell.state == "finished" and not cell.failure
    assert command(*typed).code == 0 and copy.exists()


def test_only_a_commands_own_cells_are_its_errors(command, tmp_path: Path) -> None:
    sweep_dir = tmp_path / "sweep"
    shared = ("-m", "init=noise", "optimizer.max_evaluations=1", f"hydra.sweep.dir={sweep_dir}")
    assert command(*shared, "seed=-1,0").code == 2
    ended = command(*shared, "seed=0,1")
    assert ended.code == 0 and "error" not in ended.err
    assert (sweep_dir / "seed=-1" / "failed.json").exists()  # the report has it


def test_a_cell_that_another_process_computes_is_not_marked_as_failed(
    command, tmp_path: Path
) -> None:
    run_dir = tmp_path / "sweep" / "seed=0"
    run_dir.mkdir(parents=True)
    with filelock.FileLock(run_dir / ".lock"):
        ended = command("-m", "init=noise", "seed=0,1", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert ended.code == 2 and "another process is running in it" in ended.err
    assert "error: seed=0 " in ended.err and not (run_dir / "failed.json").exists()
    assert (tmp_path / "sweep" / "seed=1" / "summary.json").exists()


@pytest.mark.parametrize(
    "asked", ["SIGTERM to the command, while cells run", "Ctrl-C, while their processes start"]
)
def test_a_signal_reaches_the_processes_of_a_sweep_and_none_is_left(
    asked: str, small, tmp_path: Path
) -> None:
    pytest.importorskip(
        "hydra_plugins.hydra_joblib_launcher", reason="needs pip install -e '.[joblib]'"
    )
    settings = ("init=noise", "optimizer=adam", "optimizer.max_evaluations=100000", "seed=0,1,2,3")
    command = ("-m", *small, *settings, "hydra/launcher=joblib_local", "hydra.sweep.dir=sweep")
    process, below = start(tmp_path, *command, start_new_session=True), []

    def running() -> list[Path]:
        return sorted(path.parent for path in (tmp_path / "sweep").glob("*/metrics.csv"))

    try:
        while process.poll() is None and len(running() if "cells run" in asked else below) < 2:
            time.sleep(0.05)
            found = psutil.Process(process.pid).children(recursive=True)
            with contextlib.suppress(psutil.NoSuchProcess):  # a child that ended since: look again
                below = [each for each in found if "popen_loky" in str(each.cmdline())]
        cells = running()
        if "Ctrl-C" in asked:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        else:
            process.terminate()
        _, err = process.communicate(timeout=60)
        assert process.returncode == (130 if "Ctrl-C" in asked else 143), err
        shown = ("evaluation ", "[")  # progress: evaluations, and which cell begins
        assert [line for line in err.splitlines() if not line.startswith(shown)] == [
            "interrupted: the best images so far are in sweep; the same command with"
            " hydra.sweep.dir=sweep resumes"
        ]
        assert running() == cells  # nothing more was started
        for cell in cells:
            assert {"image.png", "checkpoint.npz"} < listing(cell) and not {
                "failed.json",
                ".lock",
            } & listing(cell)
            with np.load(cell / "checkpoint.npz") as saved:  # of its last evaluation
                assert saved["evaluations"] == len(metrics(cell)["evaluation"])
        assert not psutil.wait_procs(below, timeout=30)[1]
    finally:
        for each in (process, *below):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


def test_a_killed_sweep_takes_its_processes_with_it_and_can_be_resumed(
    small, tmp_path: Path
) -> None:
    pytest.importorskip(
        "hydra_plugins.hydra_joblib_launcher", reason="needs pip install -e '.[joblib]'"
    )
    settings = ("init=noise", "optimizer=adam", "optimizer.max_evaluations=100000", "seed=0,1,2,3")
    command = ("-m", *small, *settings, "hydra/launcher=joblib_local", "hydra.sweep.dir=sweep")
    process = start(tmp_path, *command, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None and len(begun := list(tmp_path.glob("*/*/metrics.csv"))) < 2:
            time.sleep(0.05)
        below = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        assert not psutil.wait_procs(below, timeout=60)[1]
    finally:
        for each in (process, *below):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
    assert {path.parent for path in tmp_path.glob("*/*/metrics.csv")} == {
        path.parent for path in begun
    }
    for cell in (path.parent for path in begun):
        with np.load(cell / "checkpoint.npz") as saved:
            assert saved["evaluations"] == len(metrics(cell)["evaluation"])


def test_a_wrong_key_ends_a_sweep_before_its_first_cell_in_one_line(
    small: tuple[str, ...], tmp_path: Path
) -> None:
    process = start(tmp_path, "-m", *small, "optimizer.learningrate=1,2", "hydra.sweep.dir=sweep")
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert len(err.splitlines()) == 1 and err.startswith("error: ") and "learningrate" in err


@pytest.mark.parametrize(
    ("environment", "count"),
    [({}, None), ({"OMP_NUM_THREADS": "3"}, 3), ({"SLURM_CPUS_PER_TASK": "2"}, 2)],
)
def test_the_threads_are_those_that_the_launcher_gives(environment, count, monkeypatch) -> None:
    for name in ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert sweeps.threads() == count


def test_joblib_divides_the_cores(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib", reason="needs pip install -e '.[joblib]'")
    if "OMP_NUM_THREADS" in os.environ:
        pytest.skip("OMP_NUM_THREADS is set here, and joblib keeps it")
    counts = joblib.Parallel(n_jobs=2, backend="loky")(
        joblib.delayed(sweeps.threads)() for _ in range(2)
    )
    assert counts == [max(1, joblib.cpu_count() // 2)] * 2


def gpu_of_a_cell(number: int, folder: Path) -> tuple[int, str | None]:
    """In a worker of joblib's, twice, as of two cells one after the other."""
    sweeps.take_gpu()
    (folder / str(number)).touch()
    until = time.monotonic() + 60
    while len(list(folder.iterdir())) < 2 and time.monotonic() < until:
        time.sleep(0.01)  # the other worker takes the other cell
    sweeps.take_gpu()
    return os.getpid(), os.environ.get("CUDA_VISIBLE_DEVICES")


def test_workers_of_joblib_share_the_gpus(tmp_path, monkeypatch) -> None:
    joblib = pytest.importorskip("joblib", reason="needs pip install -e '.[joblib]'")
    end_of_joblibs_processes()  # which have the environment of another test
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    found = joblib.Parallel(n_jobs=2, backend="loky")(
        joblib.delayed(gpu_of_a_cell)(number, tmp_path) for number in range(2)
    )
    end_of_joblibs_processes()
    assert len(dict(found)) == 2 and {name for _, name in found} == {"4", "7"}


def test_the_gpus_are_counted_without_tensorflow(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices.visible() == []
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA A100'\necho 'GPU 1: NVIDIA A100'\n")
    program.chmod(0o755)
    assert devices.visible() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-8f,3,-1,5")
    assert devices.visible() == ["GPU-8f", "3"]


def test_a_cell_that_should_see_a_gpu_and_sees_none_says_so(run, tmp_path) -> None:
    with pytest.raises(errors.InputError, match=r"^gpus_per_cell=1: TensorFlow sees no GPU on"):
        run(tmp_path / "run", "gpus_per_cell=1")


@pytest.mark.parametrize(
    "launcher, plugin, key",
    [
        ("slurm", "hydra_submitit_launcher", "gres"),
        ("ray_cluster", "hydra_ray_launcher", "ray.remote.num_gpus"),
    ],
)
@pytest.mark.parametrize("gpus", [0, 1])
def test_a_cluster_is_asked_for_the_gpus_of_a_cell(launcher, plugin, key, gpus) -> None:
    pytest.importorskip(f"hydra_plugins.{plugin}", reason="needs the launcher's extra")
    with initialize_config_dir(str(config.CONFIG_DIR), version_base="1.3"):
        words = [f"hydra/launcher={launcher}", f"gpus_per_cell={gpus}"]
        composed = compose("config", words, return_hydra_config=True)
    asked = OmegaConf.select(composed, f"hydra.launcher.{key}")
    assert asked == ({0: None, 1: "gpu:1"}[gpus] if key == "gres" else gpus)


def test_an_unforeseen_error_of_a_launcher_is_one_line(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(hooks.here, "sweep", hooks.Sweep(tmp_path, None))
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "provenance.json").write_text("{}")
    with pytest.raises(
        hooks.errors.InputError, match=r"ended early \(RuntimeError: a node died\)"
    ) as caught:
        sweeps.end(RuntimeError("a node died\nand much more"))
    assert f"hydra.sweep.dir={tmp_path} runs what is missing" in str(caught.value)
    assert capsys.readouterr().err.startswith("error: 3 did not finish")


def test_a_sweep_names_every_cell_that_is_not_whole(tmp_path: Path, monkeypatch, capsys) -> None:
    files = {
        "1": {"provenance.json": "{}", "summary.json": '{"loss/total": 1}'},  # finished
        "2": {"provenance.json": "{}", "summary.json": "{"},  # a damaged summary
        "10": {"failed.json": '{"cell": "seed=3", "error": "no such file"}'},
        "3": {"failed.json": '{"cell'},
        "4": {
            "summary.json": '{"loss/total": 1}',
            "failed.json": '{"error": "no room for output="}',
        },
        "wandb": {"provenance.json": "{}"},
    }
    for name, texts in files.items():
        (tmp_path / name).mkdir()
        for file, text in texts.items():
            (tmp_path / name / file).write_text(text)
    monkeypatch.setattr(hooks.here, "sweep", hooks.Sweep(tmp_path, None))
    with pytest.raises(SystemExit, match="2"):
        sweeps.end()
    unfinished = "did not finish: its process ended, or is still running"
    assert capsys.readouterr().err.splitlines() == [
        f"error: 2 {unfinished}",
        f"error: 3 {unfinished}",
        "error: 4: no room for output=",
        "error: 10 (seed=3): no such file",
        f"4 cells failed; the same command with hydra.sweep.dir={tmp_path} runs what is missing",
    ]


def test_a_tracked_sweep_has_its_axes_in_each_configuration(sweep) -> None:
    assert [wandb_file.config(sweep.run_dir / cell)["sweep"] for cell in ("seed=0", "seed=1")] == [
        {"seed": "0"},
        {"seed": "1"},
    ]


def test_the_report_gives_wandb_a_table_with_the_pictures(sweep, tmp_path: Path) -> None:
    folder = shutil.copytree(sweep.run_dir, tmp_path / "noise", symlinks=True)
    script = config.CONFIG_DIR.parent / "scripts" / "report.py"
    done = subprocess.run(
        [sys.executable, str(script), str(folder), "--wandb"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{folder / 'report.html'}\n", "")
    [run] = wandb_file.of_kind(folder, "run")
    assert (run.run_group, run.job_type, run.display_name) == ("noise", "table", "noise table")
    [path] = (folder / "wandb").glob("offline-run-*/files/media/table/cells*.json")
    table = json.loads(path.read_text())
    assert (
        table["columns"][:3] == ["cell", "seed", "picture/loss/total"]
        and table["columns"][-1] == "image"
    )
    summaries = [
        json.loads((folder / name / "summary.json").read_text()) for name in ("seed=0", "seed=1")
    ]
    for seed, row, summary in zip((0, 1), table["data"], summaries, strict=True):
        assert row[:3] == [f"seed={seed}", seed, summary["picture/loss/total"]]
        for key in ("loss/total", "measures/content"):
            assert row[table["columns"].index(key)] == summary[key]
    assert wandb_file.config(folder) == {"sweep": {"seed": [0, 1]}}
    found = wandb_file.summary(folder)
    for key in ("picture/loss/total", "measures/content"):
        low, high = sorted(summary[key] for summary in summaries)
        assert found[key] == {"min": low, "max": high} and low < high
    staged = [file.read_bytes() for file in (folder / "wandb" / "artifacts" / "staging").iterdir()]
    assert all(
        (folder / name / "image.png").read_bytes() in staged for name in ("seed=0", "seed=1")
    )


def test_wandb_has_the_figures_of_a_sweep_once_however_often_it_is_told(
    sweep, tmp_path: Path
) -> None:
    folder = shutil.copytree(sweep.run_dir, tmp_path / "noise", symlinks=True)
    wandb_table.log(folder)
    [first], [before] = wandb_file.of_kind(folder, "run"), wandb_file.history(folder).values()
    (folder / "seed=1" / "metrics.csv").write_text("damaged")
    wandb_table.log(folder)
    [second], [logged] = wandb_file.of_kind(folder, "run"), wandb_file.history(folder).values()
    assert second.run_id == first.run_id
    assert logged["figures/losses.sha256"] != before["figures/losses.sha256"]  # a curve less
    [files] = (folder / "wandb").glob("offline-run-*/files")
    for name in ("losses", "tradeoff"):
        drawn = images.read(files / logged[f"figures/{name}.path"])
        assert drawn.shape[:2] == (
            logged[f"figures/{name}.height"],
            logged[f"figures/{name}.width"],
        )
        assert drawn.std() > 1  # something is drawn on it
    with pytest.raises(errors.InputError, match="is one run"):
        wandb_table.log(folder / "seed=0")


def test_the_table_for_wandb_has_what_is_left_of_damaged_cells(
    sweep, tmp_path: Path, monkeypatch, capfd
) -> None:
    folder = shutil.copytree(sweep.run_dir, tmp_path / "noise", symlinks=True)
    for name in ("seed=2", "seed=3"):
        shutil.copytree(folder / "seed=1", folder / name)
    spoiled = folder / "seed=0" / "image.png"
    spoiled.write_bytes(spoiled.read_bytes()[:200])
    (folder / "seed=2" / "provenance.json").write_text("{")
    (folder / "seed=3" / "summary.json").write_text("{")
    monkeypatch.setattr(sys, "argv", ["report.py", str(folder), "--wandb"])
    runpy.run_path(str(config.CONFIG_DIR.parent / "scripts" / "report.py"))["main"]()
    assert capfd.readouterr() == (f"{folder / 'report.html'}\n", "")
    [path] = (folder / "wandb").glob("offline-run-*/files/media/table/cells*.json")
    rows = [(row[0], row[1], row[-1] is None) for row in json.loads(path.read_text())["data"]]
    assert rows == [("seed=0", 0, True), ("seed=1", 1, False), ("seed=2", None, False)]


def test_the_agents_commands_of_the_wandb_sweep_compose(monkeypatch: pytest.MonkeyPatch) -> None:
    """Built by the functions that W&B's agent builds them with."""
    from wandb.sdk.launch.sweeps import utils

    described = utils.load_sweep_config(str(config.CONFIG_DIR / "wandb_sweep.yaml"))
    assert described is not None
    monkeypatch.setenv("WANDB_RUN_ID", "abc123")
    command = utils.create_sweep_command(list(described["command"]))
    assert command[:3] == ["${env}", "python", "${program}"] and command[-1] == "${args_no_hyphens}"
    names = list(described["parameters"])
    cells = list(itertools.product(*(described["parameters"][name]["values"] for name in names)))
    assert len(cells) == 12
    typed = []
    for values in cells:
        args = utils.create_sweep_command_args(
            {"args": {n: {"value": v} for n, v in zip(names, values, strict=True)}}
        )
        typed.append(
            [text for text in command[3:-1] if not text.startswith("hydra.")]
            + args["args_no_hyphens"]
        )
    for values, words in zip(cells, typed, strict=True):
        settings = config.compose(*words)
        assert (settings.network.name, settings.tracking.mode) == ("vgg16", "online")
        assert settings.objective.style_weight == values[names.index("objective.style_weight")]


def test_wandb_seeks_a_number_that_every_run_has_between_values_that_compose(
    monkeypatch: pytest.MonkeyPatch, run, tmp_path: Path
) -> None:
    """Without W&B's server: its command takes the file, and its functions build the commands."""
    from wandb.cli.cli import sweep
    from wandb.sdk.launch.sweeps import utils

    file = str(config.CONFIG_DIR / "wandb_seek.yaml")
    assert sweep.make_context("sweep", [file]).params["config_yaml_or_sweep_id"] == file
    described = utils.load_sweep_config(file)
    assert described is not None
    assert described["metric"]["name"] in run(tmp_path / "one").summary
    monkeypatch.setenv("WANDB_RUN_ID", "abc123")
    command = utils.create_sweep_command(list(described["command"]))
    weight = described["parameters"]["objective.style_weight"]
    for beta, layers in itertools.product((weight["min"], weight["max"]), ("gatys", "johnson")):
        chosen = {"layers": {"value": layers}, "objective.style_weight": {"value": beta}}
        words = utils.create_sweep_command_args({"args": chosen})["args_no_hyphens"]
        settings = config.compose(*(each for each in command[3:-1] if "hydra." not in each), *words)
        assert settings.objective.style_weight == beta and settings.name == "gatys_released"
        assert len(settings.objective.style_layers) == {"gatys": 5, "johnson": 4}[layers]


@pytest.mark.parametrize("swept", ["color=glob(zzz*)", "seed=glob(*)"])
def test_a_sweep_without_a_cell_is_refused(command, tmp_path: Path, swept: str) -> None:
    ended = command("-m", swept, f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert (ended.code, ended.out) == (2, "") and not (tmp_path / "sweep").exists()
    [line] = ended.err.splitlines()
    assert line.startswith(f"error: {swept}: no {swept.partition('=')[0]} has such a name")


@pytest.mark.parametrize("output", ["copy.png", "a.png,a.png", "a.png,b.png"])
def test_one_output_for_several_cells_is_refused_before_the_first(
    command, tmp_path: Path, output: str
) -> None:
    shared = ",".join(str(tmp_path / name) for name in output.split(","))
    ended = command(
        "-m", "init=noise", "seed=0,1", f"output={shared}", f"hydra.sweep.dir={tmp_path / 'sweep'}"
    )
    assert (ended.code, ended.out) == (2, "")
    [line] = ended.err.splitlines()
    assert line.startswith(
        f"error: output={shared}: {4 if ',' in output else 2} cells would write it"
    )
    assert not (tmp_path / "sweep").exists()


@pytest.mark.filterwarnings("error:Callback Begin")  # what Hydra makes of an error in it
def test_an_output_that_names_its_cell_is_a_copy_each(command, tmp_path: Path) -> None:
    output = f"output={tmp_path}/copies/${{hydra:sweep.subdir}}.png"  # as the refusal advises
    ended = command("-m", "init=noise", "seed=0,1", output, f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert ended.code == 0, ended.err
    for name in ("seed=0", "seed=1"):
        copy = (tmp_path / "copies" / f"{name}.png").read_bytes()
        assert copy == (tmp_path / "sweep" / name / "image.png").read_bytes()


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        (("seed=0,1",), "content"),
        (("seed=range(0,2)", "init=style"), "style"),
        (("seed=0,1", "init=noise,content"), "content"),
        (("seed=0,1", "init.name=noise"), None),
        (("seed=0,1", "preset=johnson2016"), None),
        (("seed=0,1", "init=noise", "init.name=style_mean"), None),
        (("seed=0,1", "objective.style_statistic=sliced_wasserstein"), None),
        (("seed=0,1", "objective.style_statistic=gram,sliced_wasserstein"), "content"),
        (
            (
                "seed=0,1",
                "objective.more_statistics=[{statistic: sliced_wasserstein, layers: [relu1_1]}]",
            ),
            None,
        ),
        (("seed=0,1", "preset=johnson2016,demo"), "content"),
        (("seed=0", "image.size_px=32,34"), None),
        (("seed=0,1", "preset=no_such"), None),  # the cells say it
    ],
)
def test_a_sweep_over_seeds_where_nothing_is_random_is_told_so_once(
    typed: tuple[str, ...], named: str | None
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with initialize_config_dir(str(config.CONFIG_DIR), version_base="1.3"):
            sweeps.check(typed)
    lines = [str(warning.message) for warning in caught]
    assert len(lines) == (named is not None)
    for line in lines:
        assert line.startswith("seed=0,1: ") and f"init={named}, " in line and "init=noise" in line


def test_the_command_warns_of_equal_seeds_before_its_first_cell(
    command, tmp_path: Path, monkeypatch
) -> None:
    def shown(*told: Any) -> None:  # as without pytest, which keeps warnings for itself
        sys.stderr.write(warnings.formatwarning(*told[:4]))

    monkeypatch.setattr(warnings, "showwarning", shown)
    code, _, err, _ = command(
        "-m", "seed=0,1", "optimizer.max_evaluations=1", f"hydra.sweep.dir={tmp_path / 'sweep'}"
    )
    assert code == 0, err
    assert err.splitlines()[0].startswith("warning: seed=0,1: nothing is random with init=content")
    assert err.count("warning: ") == 1


def test_a_forced_sweep_goes_on_without_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stylize.py", "-m", "seed=0,1"])
    assert hooks._again(Path("here")) == "the same command with hydra.sweep.dir=here"
    monkeypatch.setattr(sys, "argv", ["stylize.py", "-m", "seed=0,1", "force=True"])
    assert (
        hooks._again(Path("here"))
        == "the same command without force=true, with hydra.sweep.dir=here"
    )
