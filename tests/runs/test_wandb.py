"""What W&B gets is what the run directory holds, read back from its own files; when it fails, the
run goes on.
"""

import hashlib
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import wandb_file
from conftest import Ended, listing, metrics, start
from forks import PIPES, Forked
from PIL import Image

from stn.errors import InputError
from stn.runs import run_directory, wandb_checks, wandb_run

# All that a run of fifty evaluations without a progress picture leaves.
LOCAL_FILES = {"image.png", "metrics.csv", "summary.json", "provenance.json"}


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def local_files(run_dir: Path) -> set[str]:
    return {name for name in listing(run_dir) if not name.startswith("wandb")}


def test_a_users_wandb_mode_does_not_turn_an_offline_run_online(offline: Ended) -> None:
    [folder] = (
        path
        for path in (offline.run_dir / "wandb").iterdir()
        if path.is_dir() and not path.is_symlink()
    )
    assert folder.name.startswith("offline-run-")


def test_the_run_is_named_tagged_and_has_the_full_configuration(offline: Ended) -> None:
    [run] = wandb_file.of_kind(offline.run_dir, "run")
    assert (run.project, run.display_name, run.run_group, list(run.tags)) == (
        "stn",
        "run",
        "",
        ["default"],
    )
    assert wandb_file.config(offline.run_dir) == offline.json("provenance.json")["config"]


def test_every_row_of_metrics_is_logged_under_the_same_names(offline: Ended) -> None:
    rows, logged = metrics(offline.run_dir), wandb_file.history(offline.run_dir)
    for index in range(len(rows["evaluation"])):
        for name, values in rows.items():
            # metrics.csv rounds its seconds to milliseconds.
            assert logged[index][name] == (
                pytest.approx(values[index], abs=6e-4) if name == "seconds" else values[index]
            )
        own = {name for name in logged[index] if not name.startswith(("_", "progress.", "image."))}
        assert own == set(rows)


def test_the_pictures_are_logged(offline: Ended) -> None:
    [files] = (offline.run_dir / "wandb").glob("offline-run-*/files")
    logged = wandb_file.history(offline.run_dir)
    for step, key, name in (
        (2, "progress", "progress/000002.png"),
        (4, "progress", "progress/000004.png"),
        (5, "image", "image.png"),
    ):
        picture = files / logged[step][f"{key}.path"]
        assert hashlib.sha256(picture.read_bytes()).hexdigest() == logged[step][f"{key}.sha256"]
        np.testing.assert_array_equal(pixels(picture), pixels(offline.run_dir / name))


def test_the_summary_is_that_of_the_run_directory(offline: Ended) -> None:
    expected, found = offline.json("summary.json"), wandb_file.summary(offline.run_dir)
    assert {name: found[name] for name in expected} == expected
    assert {
        "picture/loss/total",
        "picture/style/relu1_1",
        "picture/clipped_share",
    } <= expected.keys()
    [end] = wandb_file.of_kind(offline.run_dir, "exit")
    assert end.exit_code == 0


def whole(run_dir: Path) -> None:
    """The one W&B run below `run_dir` has every row, every picture, the summary and a good end."""
    rows, logged = metrics(run_dir), wandb_file.history(run_dir)
    for index, evaluation in enumerate(rows["evaluation"]):
        for name in rows.keys() - {"seconds"}:
            assert logged[evaluation][name] == rows[name][index]
    [files] = (run_dir / "wandb").glob("offline-run-*/files")
    kept = {int(path.stem): path for path in (run_dir / "progress").glob("*.png")}
    assert {step for step, values in logged.items() if "progress.path" in values} == kept.keys()
    for step, path in kept.items():
        np.testing.assert_array_equal(pixels(files / logged[step]["progress.path"]), pixels(path))
    last = logged[max(logged)]
    np.testing.assert_array_equal(pixels(files / last["image.path"]), pixels(run_dir / "image.png"))
    assert wandb_file.summary(run_dir)["picture/loss/total"] > 0
    [end] = wandb_file.of_kind(run_dir, "exit")
    assert end.exit_code == 0


def ids(run_dir: Path) -> list[str]:
    """The ids of the W&B runs that lie in a run directory."""
    return [path.stem.removeprefix("run-") for path in run_dir.glob("wandb/*run-*/run-*.wandb")]


def test_a_run_that_was_killed_and_went_on_is_one_whole_wandb_run(
    small, run, tmp_path: Path
) -> None:
    overrides = (
        *("tracking=offline", "tracking.progress_every=15", "tracking.checkpoint_seconds=0"),
        *("optimizer=adam", "optimizer.max_evaluations=200"),
    )
    with start(tmp_path, *small, *overrides, "hydra.run.dir=run") as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("evaluation 40/"):
            assert process.poll() is None
        process.kill()
    earlier = ids(tmp_path / "run")
    assert len(earlier) == 1 and (tmp_path / "run" / "checkpoint.npz").is_file()
    run(tmp_path / "run", *overrides)
    whole(tmp_path / "run")
    assert ids(tmp_path / "run") == earlier


def test_a_run_that_ends_before_its_summary_has_the_whole_in_wandb(
    run, tmp_path: Path, monkeypatch
) -> None:
    def killed(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(run_directory.RunDirectory, "finish", killed)
    with pytest.raises(RuntimeError):
        run(tmp_path, "tracking=offline", "tracking.progress_every=2")
    whole(tmp_path)


def test_a_finished_run_with_a_larger_budget_is_the_same_wandb_run(run, tmp_path: Path) -> None:
    overrides = ("tracking=offline", "tracking.keep_checkpoint=true", "optimizer=adam")
    run(tmp_path, *overrides, "optimizer.max_evaluations=3")
    earlier = ids(tmp_path)
    run(tmp_path, *overrides, "optimizer.max_evaluations=5")
    whole(tmp_path)
    assert ids(tmp_path) == earlier and max(wandb_file.history(tmp_path)) == 4


def test_a_run_that_is_forced_anew_is_another_wandb_run(run, tmp_path: Path) -> None:
    run(tmp_path, "tracking=offline", "optimizer.max_evaluations=2")
    earlier = ids(tmp_path)
    run(tmp_path, "tracking=offline", "optimizer.max_evaluations=3", "force=true")
    whole(tmp_path)
    assert ids(tmp_path) != earlier and len(earlier) == 1


@pytest.mark.parametrize(
    ("environment", "mode", "expected", "says"),
    [
        ({"WANDB_MODE": "disabled"}, "online", "off", None),
        ({"WANDB_MODE": "offline"}, "online", "offline", None),
        ({"WANDB_MODE": "dryrun"}, "online", "offline", None),
        ({"WANDB_MODE": "online"}, "online", "online", None),
        ({"WANDB_DISABLED": "true"}, "online", "off", None),
        ({"WANDB_DISABLED": "false"}, "online", "online", None),
        ({"WANDB_MODE": "disabled"}, "offline", "off", None),
        ({"WANDB_MODE": "online"}, "offline", "offline", "tracking=online"),
        ({"WANDB_MODE": "online", "WANDB_DISABLED": "1"}, "offline", "off", None),
        ({"WANDB_MODE": "offline"}, "off", "off", "tracking=offline"),
        ({}, "off", "off", None),
    ],
)
def test_the_environment_turns_wandb_down_and_never_up(
    environment, mode, expected, says, monkeypatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert wandb_checks.turned_down(mode) == expected
    assert [says in str(each.message) for each in said] == ([True] if says else [])


def test_a_user_who_turns_wandb_down_needs_no_key(monkeypatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    wandb_checks.check_credentials("online")


def tracked(run_dir: Path, mode: str, group: str | None, environment: dict[str, str]) -> list[str]:
    """What a process says that logs one row to W&B, in an environment of its user's."""
    code = """
import sys
from pathlib import Path
from stn import command_line
from stn.runs import wandb_run
def main():
    mode, group, settings = sys.argv[2], sys.argv[3] or None, {"name": "demo", "seed": 3}
    run = wandb_run.WandB(mode, "stn", Path(sys.argv[1]), settings, group)
    run.log({"evaluation": 0.0, "loss/total": 2.5})
    run.finish({"seconds": 1.5})
command_line.run_command(main)
"""
    run_dir.mkdir(exist_ok=True)
    (script := run_dir.with_name("tracked.py")).write_text(code)
    clean = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    command = [sys.executable, str(script), str(run_dir), mode, group or ""]
    null = subprocess.DEVNULL
    with Forked(command, env=clean | environment, text=True, stdin=null, **PIPES) as process:
        out, err = process.communicate()
    assert (process.returncode, out) == (0, "")
    return err.splitlines()


def test_wandbs_launch_is_imported_and_asked_only_if_someone_has_imported_it(
    tmp_path: Path,
) -> None:
    program = """
import sys
from pathlib import Path
from stn.runs import wandb_run
for name in ("without", "with"):
    run = wandb_run.WandB("offline", "stn", Path(sys.argv[1]), {"name": name}, None)
    run.finish({})
    if name == "without":
        print("wandb.sdk.launch" in sys.modules)
        from wandb.sdk.launch.inputs import internal
        internal.StagedLaunchInputs.apply = lambda staged, run: print(run.config["name"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "with"]


def test_online_without_a_network_goes_on_offline_and_says_so(tmp_path: Path) -> None:
    nowhere = {
        "WANDB_BASE_URL": "http://127.0.0.1:9",
        "WANDB_API_KEY": "0" * 40,
        "WANDB_INIT_TIMEOUT": "1",
    }
    [line] = tracked(tmp_path, "online", None, nowhere)
    [folder] = tmp_path.glob("wandb/*run-*/")
    assert line.startswith("warning: W&B goes on offline") and f"wandb sync {folder}" in line
    assert wandb_file.history(tmp_path)[0]["loss/total"] == 2.5
    assert wandb_file.summary(tmp_path)["seconds"] == 1.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("WANDB_RUN_ID", run_id) for run_id in ("a/b", "", " a", "x" * 129)),
        *(("WANDB_CONSOLE", "loud"), ("WANDB_BASE_URL", "nonsense"), ("WANDB_MODE", "loud")),
    ],
)
def test_a_variable_that_wandb_would_refuse_is_refused_before_the_run(
    run, name: str, value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=f"{name}='{value}': W&B refuses it .*[a-z]") as refusal:
        run(tmp_path / "run", "tracking=offline")
    assert str(refusal.value).isprintable()
    assert listing(tmp_path) == set()


@pytest.mark.parametrize("value", ["s3cret" * 7 + " ", "s3cret\udce9"])
def test_a_key_that_wandb_would_refuse_is_not_shown(
    run, value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", value)
    with pytest.raises(InputError, match="WANDB_API_KEY: ") as refusal:
        run(tmp_path / "run", "tracking=offline")
    assert "s3cret" not in str(refusal.value)
    assert listing(tmp_path) == set()


def test_tags_of_the_environment_and_a_cache_that_takes_no_files_cost_no_record(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    long, cache = "y" * 100, str(tmp_path / "file")
    said = {"WANDB_TAGS": f"a,,{long}, ", "WANDB_CACHE_DIR": cache}
    assert tracked(tmp_path / "run", "offline", None, said) == []
    [found] = wandb_file.of_kind(tmp_path / "run", "run")
    first, *others = found.tags
    assert first == "demo" and others[0] == "a" and others[1].startswith("y" * 57)
    assert len(others) == 2 and len(others[1]) == 64


OF_ONE_RUN = {"WANDB_RUN_ID": "abc123", "WANDB_NAME": "mine", "WANDB_RUN_GROUP": "others"}


def test_a_single_run_has_what_wandbs_variables_say(tmp_path: Path) -> None:
    said = {
        "WANDB_ENTITY": "lab",
        "WANDB_NOTES": "a try",
        "WANDB_TAGS": "one,two",
        "WANDB_DIR": str(tmp_path / "no"),
    }
    assert tracked(tmp_path / "run", "offline", None, OF_ONE_RUN | said) == []
    [run] = wandb_file.of_kind(tmp_path / "run", "run")
    assert (run.run_id, run.display_name, run.run_group) == ("abc123", "mine", "others")
    assert (run.entity, run.notes, set(run.tags)) == ("lab", "a try", {"demo", "one", "two"})
    assert not (tmp_path / "no").exists()


def test_the_cells_of_a_sweep_have_ids_of_their_own_whatever_the_environment_says(
    tmp_path: Path,
) -> None:
    agent = {"WANDB_SWEEP_ID": "xyz"}
    for cell in ("0", "1"):
        [line] = tracked(tmp_path / cell, "offline", "sweep", OF_ONE_RUN | agent)
        assert all(name in line for name in OF_ONE_RUN | agent) and "ignored" in line
    runs = [wandb_file.of_kind(tmp_path / cell, "run")[0] for cell in ("0", "1")]
    assert [(run.display_name, run.run_group, run.sweep_id) for run in runs] == [
        ("0", "sweep", ""),
        ("1", "sweep", ""),
    ]
    assert len({run.run_id for run in runs} | {"abc123"}) == 3


def test_a_run_of_wandbs_agent_is_the_one_that_the_agent_named(tmp_path: Path) -> None:
    chosen = tmp_path / "config-abc123.yaml"
    chosen.write_text("wandb_version: 1\nobjective.style_weight:\n  value: 100.0\n")
    agent = {"WANDB_SWEEP_ID": "xyz", "WANDB_RUN_ID": "abc123", "WANDB_PROJECT": "theirs"}
    agent |= {"WANDB_SWEEP_PARAM_PATH": str(chosen), "WANDB_DIR": str(tmp_path)}
    assert tracked(tmp_path / "run", "offline", None, agent) == []
    [run] = wandb_file.of_kind(tmp_path / "run", "run")
    assert (run.run_id, run.sweep_id, run.project) == ("abc123", "xyz", "theirs")
    assert wandb_file.config(tmp_path / "run") == {
        "name": "demo",
        "seed": 3,
        "objective.style_weight": 100.0,
    }


def test_the_runs_of_a_sweep_are_one_group(sweep: Ended) -> None:
    runs = {
        name: wandb_file.of_kind(sweep.run_dir / name, "run")[0] for name in ("seed=0", "seed=1")
    }
    assert {run.run_group for run in runs.values()} == {"noise"}  # the sweep's directory
    assert [run.display_name for run in runs.values()] == ["seed=0", "seed=1"]
    assert len({run.run_id for run in runs.values()}) == 2
    assert [wandb_file.config(sweep.run_dir / name)["seed"] for name in runs] == [0, 1]


def test_wandb_killed_in_the_middle_costs_a_warning_and_nothing_else(
    small: tuple[str, ...], tmp_path: Path
) -> None:
    overrides = (
        *("tracking=offline", "tracking.progress_every=0", "tracking.keep_checkpoint=false"),
        *("optimizer.max_evaluations=400", "hydra.run.dir=run"),
    )
    with start(tmp_path, *small, *overrides) as process:
        assert process.stderr is not None
        # W&B starts while the first evaluation is computed; the next line comes after it.
        first, later = process.stderr.readline(), process.stderr.readline()
        # The run stands still until its service is gone.
        process.send_signal(signal.SIGSTOP)
        # By its command: a service whose start is not over may still have the name of this process.
        children = psutil.Process(process.pid).children(True)
        services = [
            child for child in children if "wandb" in " ".join([child.name(), *child.cmdline()])
        ]
        for service in services:
            service.kill()
            # A process that stands still does not reap its children: dead is enough.
            while service.is_running() and service.status() != psutil.STATUS_ZOMBIE:
                pass
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate()
    assert first.startswith("evaluation 1/400") and later.startswith("evaluation 40/400")
    assert services
    ended_well(Ended(process.returncode, out, err, tmp_path / "run"), evaluations=400)


def test_wandb_that_cannot_start_costs_a_warning_and_nothing_else(
    stylize: Callable[..., Ended], run, tmp_path
) -> None:
    run(tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()  # as if it had been killed
    (tmp_path / "run" / "wandb").write_text("in the way of W&B's directory")
    ended_well(stylize("tracking=offline"), evaluations=6)


def ended_well(ended: Ended, evaluations: int) -> None:
    """One warning that names W&B, and all that a run without W&B leaves."""
    assert ended.code == 0
    assert ended.out.endswith("run/image.png\n")
    shown = ("evaluation ", "the picture's own loss is ", "to see it: ")
    lines = [line for line in ended.err.splitlines() if not line.startswith(shown)]
    [warning] = (line for line in lines if line.startswith("warning: "))
    assert warning.startswith("warning: W&B could not ")
    assert local_files(ended.run_dir) == LOCAL_FILES
    assert (
        len(metrics(ended.run_dir)["evaluation"])
        == ended.json("summary.json")["evaluations"]
        == evaluations
    )


def test_tracking_off_leaves_nothing_of_wandb(run, tmp_path: Path) -> None:
    run(tmp_path, "tracking=off")
    assert listing(tmp_path) == LOCAL_FILES


@pytest.mark.parametrize(
    ("environment", "netrc", "found"),
    [
        ({}, "", False),
        ({"WANDB_API_KEY": "0123456789"}, "", True),
        ({"WANDB_API_KEY": ""}, "", False),
        ({}, "machine api.forge.coreweave.com login user password 0123456789", True),
        ({}, "machine api.wandb.ai login user password 0123456789", True),
        ({}, "machine example.org login user password 0123456789", False),
        (
            {"WANDB_BASE_URL": "https://example.org"},
            "machine example.org login user password 0123456789",
            True,
        ),
        ({}, "machine", False),
    ],
)
def test_online_needs_a_key_that_wandb_would_find(
    environment, netrc, found, monkeypatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text(netrc)
    (tmp_path / "netrc").chmod(0o600)
    for name, value in {"NETRC": str(tmp_path / "netrc"), **environment}.items():
        monkeypatch.setitem(os.environ, name, value)
    wandb_checks.check_credentials("offline")
    if found:
        wandb_checks.check_credentials("online")
    else:
        with pytest.raises(InputError, match="wandb login"):
            wandb_checks.check_credentials("online")


@pytest.mark.parametrize(
    ("project", "said"),
    [
        ("lab/stn", "tracking.project=lab/stn: .* WANDB_ENTITY"),
        ("a:b?c", "no [?] : in"),
        ("x" * 129, "1 to 128 characters"),
        ("", "1 to 128 characters"),
    ],
)
def test_a_project_that_wandb_would_refuse_is_refused_before_the_run(
    run, project: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        run(tmp_path / "run", "tracking=offline", f"tracking.project='{project}'")
    assert listing(tmp_path) == set()


def test_a_directory_that_is_not_utf8_is_refused_where_wandb_is_to_name_it(
    run, tmp_path: Path
) -> None:
    folder = tmp_path / os.fsdecode(b"ren\xe9")
    with pytest.raises(InputError, match=r"ren.udce9: its name is not UTF-8.*tracking=off"):
        run(folder, "tracking=offline")
    assert not folder.exists()
    run(folder, "tracking=off")
    assert (folder / "image.png").is_file()


def test_what_is_not_utf8_is_refused_where_wandb_is_to_record_it(
    run, inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """W&B's service drops such a record without a word."""
    path = tmp_path / os.fsdecode(b"ren\xe9.png")
    path.write_bytes(inputs["style"].read_bytes())
    with pytest.raises(InputError, match=r"style.path .*ren.udce9.png: its name is not UTF-8"):
        run(tmp_path / "run", "tracking=offline", f"style.path={path}")
    monkeypatch.setenv("WANDB_NOTES", os.fsdecode(b"ren\xe9"))
    with pytest.raises(InputError, match=r"WANDB_NOTES ren.udce9: its name is not UTF-8"):
        run(tmp_path / "run", "tracking=offline")


def test_what_is_too_long_for_wandb_is_shortened_and_stays_distinct(tmp_path: Path) -> None:
    names = ["n" * 150 + end for end in ("1", "2")]
    folders = [tmp_path / end / name for end, name in zip("12", names, strict=True)]
    for folder, name in zip(folders, names, strict=True):
        folder.mkdir(parents=True)
        run = wandb_run.WandB("offline", "stn", folder, {"name": name}, f"group {name}")
        run.finish({})
    found = [wandb_file.of_kind(folder, "run")[0] for folder in folders]
    for kept, longest in (
        ([each.display_name for each in found], 128),
        ([each.run_group for each in found], 128),
        ([each.tags[0] for each in found], 64),
    ):
        assert len(set(kept)) == 2 and [len(text) for text in kept] == [longest, longest]
    assert found[0].display_name.startswith("n" * 121)
