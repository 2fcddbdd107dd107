"""What W&B gets is what the run directory holds, read back from its own files; when it fails, the run goes on."""

import hashlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import wandb_file
from conftest import Ended, listing, metrics, start
from PIL import Image

from stn import tracking
from stn.errors import InputError

# All that a run of fifty evaluations without a progress picture leaves.
LOCAL_FILES = {"image.png", "metrics.csv", "summary.json", "provenance.json"}


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def local_files(run_dir: Path) -> set[str]:
    return {name for name in listing(run_dir) if not name.startswith("wandb")}


def test_a_users_wandb_mode_does_not_turn_an_offline_run_online(offline: Ended) -> None:
    [folder] = (path for path in (offline.run_dir / "wandb").iterdir() if path.is_dir() and not path.is_symlink())
    assert folder.name.startswith("offline-run-")


def test_the_run_is_named_tagged_and_has_the_full_configuration(offline: Ended) -> None:
    [run] = wandb_file.of_kind(offline.run_dir, "run")
    assert (run.project, run.display_name, run.run_group, list(run.tags)) == ("stn", "run", "", ["default"])
    assert wandb_file.config(offline.run_dir) == offline.json("provenance.json")["config"]


def test_every_row_of_metrics_is_logged_under_the_same_names(offline: Ended) -> None:
    rows, logged = metrics(offline.run_dir), wandb_file.history(offline.run_dir)
    for index in range(len(rows["evaluation"])):
        for name, values in rows.items():
            # metrics.csv rounds its seconds to milliseconds.
            assert logged[index][name] == (
                pytest.approx(values[index], abs=6e-4) if name == "seconds" else values[index]
            )
        own = {name for name in logged[index] if not name.startswith(("_", "progress."))}
        assert own == set(rows)


def test_the_pictures_are_logged(offline: Ended) -> None:
    [files] = (offline.run_dir / "wandb").glob("offline-run-*/files")
    logged = wandb_file.history(offline.run_dir)
    for step, key, name in (
        (2, "progress", "progress/000002.png"),
        (4, "progress", "progress/000004.png"),
        (6, "image", "image.png"),
    ):
        picture = files / logged[step][f"{key}.path"]
        assert hashlib.sha256(picture.read_bytes()).hexdigest() == logged[step][f"{key}.sha256"]
        np.testing.assert_array_equal(pixels(picture), pixels(offline.run_dir / name))


def test_the_summary_is_that_of_the_run_directory(offline: Ended) -> None:
    expected, found = offline.json("summary.json"), wandb_file.summary(offline.run_dir)
    assert {name: found[name] for name in expected} == expected
    assert {"picture/loss/total", "picture/style/relu1_1", "picture/clipped_share"} <= expected.keys()
    [end] = wandb_file.of_kind(offline.run_dir, "exit")
    assert end.exit_code == 0


def test_the_runs_of_a_sweep_are_one_group(sweep: Ended) -> None:
    runs = {name: wandb_file.of_kind(sweep.run_dir / name, "run")[0] for name in ("0", "1")}
    assert {run.run_group for run in runs.values()} == {"noise"}  # the sweep's directory
    assert [run.display_name for run in runs.values()] == ["0", "1"]
    assert len({run.run_id for run in runs.values()}) == 2
    assert [wandb_file.config(sweep.run_dir / name)["seed"] for name in runs] == [0, 1]


def test_wandb_killed_in_the_middle_costs_a_warning_and_nothing_else(small: tuple[str, ...], tmp_path: Path) -> None:
    overrides = ("tracking=offline", "optimizer.max_evaluations=400", "tracking.progress_every=0", "hydra.run.dir=run")
    with start(tmp_path, *small, *overrides) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        # The run stands still until its service is gone.
        process.send_signal(signal.SIGSTOP)
        # By its command: a service whose start is not over may still have the name of this process.
        children = psutil.Process(process.pid).children(True)
        services = [child for child in children if "wandb" in " ".join([child.name(), *child.cmdline()])]
        for service in services:
            service.kill()
            # A process that stands still does not reap its children: dead is enough.
            while service.is_running() and service.status() != psutil.STATUS_ZOMBIE:
                pass
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate()
    assert first.startswith("evaluation 1/400") and services
    ended_well(Ended(process.returncode, out, err, tmp_path / "run"), evaluations=400)


def test_wandb_that_cannot_start_costs_a_warning_and_nothing_else(stylize: Callable[..., Ended], run, tmp_path) -> None:
    run(tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()  # as if it had been killed
    (tmp_path / "run" / "wandb").write_text("in the way of W&B's directory")
    ended_well(stylize("tracking=offline"), evaluations=6)


def ended_well(ended: Ended, evaluations: int) -> None:
    """One warning that names W&B, and all that a run without W&B leaves."""
    assert ended.code == 0
    assert ended.out.endswith("run/image.png\n")
    shown = ("evaluation ", "the picture's own loss is ", "to see it: ")
    [warning] = (line for line in ended.err.splitlines() if not line.startswith(shown))
    assert warning.startswith("warning: W&B could not ")
    assert local_files(ended.run_dir) == LOCAL_FILES
    assert len(metrics(ended.run_dir)["evaluation"]) == ended.json("summary.json")["evaluations"] == evaluations


def test_tracking_off_leaves_nothing_of_wandb(run, tmp_path: Path) -> None:
    run(tmp_path, "tracking=off")
    assert listing(tmp_path) == LOCAL_FILES


@pytest.mark.parametrize(
    ("environment", "netrc", "found"),
    [
        ({}, "", False),
        ({"WANDB_API_KEY": "0123456789"}, "", True),
        ({"WANDB_API_KEY": ""}, "", False),
        ({}, "machine api.wandb.ai login user password 0123456789", True),
        ({}, "machine example.org login user password 0123456789", False),
        ({"WANDB_BASE_URL": "https://example.org"}, "machine example.org login user password 0123456789", True),
        ({}, "machine", False),
    ],
)
def test_online_needs_a_key_that_wandb_would_find(environment, netrc, found, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text(netrc)
    (tmp_path / "netrc").chmod(0o600)
    for name, value in {"NETRC": str(tmp_path / "netrc"), **environment}.items():
        monkeypatch.setitem(os.environ, name, value)
    tracking.check_credentials("offline")
    if found:
        tracking.check_credentials("online")
    else:
        with pytest.raises(InputError, match="wandb login"):
            tracking.check_credentials("online")
