"""What a run leaves behind: each file, each column and each number of it, and nothing anywhere
else.
"""

import errno
import hashlib
import importlib.metadata
import io
import json
import math
import os
import platform
import shutil
import signal
import subprocess
import sys
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import numpy as np
import pytest
from conftest import at_evaluation, listing, metrics
from PIL import Image

from stn import config, files, images, runs
from stn.assets import matconvnet
from stn.command_line import one_line
from stn.errors import InputError, Interrupted
from stn.metrics import measures
from stn.runs import provenance, record, run_directory

LAYERS = ["content/relu3_1", "style/relu1_1", "style/relu2_1"]
# Adam at a rate so high that the loss goes up again, so that the last evaluation is not the best
# one; α, β and the weights of the layers are all different, and the size is the picture's own, so
# that no resizing is between.
OVERRIDES = (
    "image.size_px=null",
    "optimizer=adam",
    "optimizer.max_evaluations=14",
    "optimizer.learning_rate=60",
    "optimizer.beta1=0.5",
    "objective.content_weight=3",
    "objective.content_layers=[{layer:relu3_1,weight:0.5}]",
    "objective.style_layers=[{layer:relu1_1,weight:0.25},{layer:relu2_1,weight:2}]",
    "objective.total_variation.form=squared",
    "objective.total_variation.weight=0.0001",
    "tracking.progress_every=1",
    "seed=5",
)


class Made(NamedTuple):
    """A finished run, and what lay around it before and after."""

    path: Path
    settings: config.Config
    result: Any
    rows: dict[str, np.ndarray]
    around: list[set[str]]

    def json(self, name: str) -> dict[str, Any]:
        return json.loads((self.path / name).read_text())


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.fixture(scope="module")
def made(run, composed, inputs, tmp_path_factory) -> Made:
    path = tmp_path_factory.mktemp("made") / "run"
    folders = [path.parent, inputs["content"].parent, Path(os.environ["STN_CACHE"])]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)
        before = [listing(folder) for folder in folders]
        result = run(path, *OVERRIDES)
        after = [listing(folder) for folder in folders]
    around = [new - old for new, old in zip(after, before, strict=True)]
    return Made(path, composed(*OVERRIDES), result, metrics(path), around)


def test_the_run_directory_holds_these_files_and_nothing_lies_elsewhere(made: Made) -> None:
    pictures = {f"progress/{index:06d}.png" for index in range(1, 14)}
    files = {
        "image.png",
        "metrics.csv",
        "summary.json",
        "provenance.json",
        "progress",
    } | pictures
    assert listing(made.path) == files  # no lock, nothing hidden or half-written
    assert made.around == [{"run"} | {f"run/{name}" for name in files}, set(), set()]


def test_the_columns_of_metrics(made: Made) -> None:
    terms = ["loss/total", "loss/content", "loss/style", "loss/total_variation"]
    assert list(made.rows) == ["evaluation", "iteration", "seconds", *terms, *LAYERS]
    text = (made.path / "metrics.csv").read_text()
    assert "\r" not in text and text.endswith("\n")


def test_one_row_an_evaluation_and_the_first_is_the_first_image(made: Made, inputs) -> None:
    np.testing.assert_array_equal(made.rows["evaluation"], np.arange(14))
    assert made.rows["iteration"][0] == 0 and (np.diff(made.rows["iteration"]) >= 0).all()
    assert made.rows["seconds"][0] > 0 and (np.diff(made.rows["seconds"]) >= 0).all()
    # The first image is the content: no content loss, and the total variation is that of the
    # picture file.
    assert made.rows["content/relu3_1"][0] == 0 < made.rows["content/relu3_1"][1]
    rgb = pixels(inputs["content"]).astype(float)
    total_variation = 0.0001 * sum((np.diff(rgb, axis=axis) ** 2).sum() for axis in (0, 1))
    assert made.rows["loss/total_variation"][0] == pytest.approx(
        total_variation, rel=1e-5
    )  # float32 in the graph


def test_the_total_is_the_sum_of_the_terms_and_each_term_that_of_its_layers(made: Made) -> None:
    rows = made.rows
    beta = made.settings.objective.style_weight
    total = rows["loss/content"] + rows["loss/style"] + rows["loss/total_variation"]
    np.testing.assert_allclose(rows["loss/total"], total, rtol=1e-12)
    np.testing.assert_allclose(rows["loss/content"], 3 * 0.5 * rows["content/relu3_1"], rtol=1e-12)
    style = beta * (0.25 * rows["style/relu1_1"] + 2 * rows["style/relu2_1"])
    np.testing.assert_allclose(rows["loss/style"], style, rtol=1e-12)
    assert (rows["loss/total_variation"] > 0).all() and (rows["loss/style"] > 0).all()


def test_the_picture_is_the_best_evaluation_not_the_last(made: Made) -> None:
    best = int(made.rows["loss/total"].argmin())
    assert 0 < best < 13
    found = pixels(made.path / "image.png")
    np.testing.assert_array_equal(found, pixels(made.path / f"progress/{best:06d}.png"))
    assert (found != pixels(made.path / "progress/000013.png")).any()
    np.testing.assert_array_equal(found, np.rint(made.result.rgb))
    assert made.result.run_dir == made.path


def test_the_summary(made: Made) -> None:
    summary = made.json("summary.json")
    best = int(made.rows["loss/total"].argmin())
    assert summary["best_evaluation"] == best
    assert summary["best_iteration"] == made.rows["iteration"][best]
    for name in ["loss/total", "loss/content", "loss/style", "loss/total_variation", *LAYERS]:
        assert summary[name] == made.rows[name][best]
    assert (summary["evaluations"], summary["iterations"]) == (14, 14)  # Adam: a step an evaluation
    assert summary["stop_reason"] == "max_evaluations"
    assert summary["seconds"] == pytest.approx(made.rows["seconds"][-1], abs=0.001)
    assert 100 < summary["peak_memory_mb"] < 2**20  # TensorFlow alone takes more than the first


def test_the_provenance(made: Made, inputs) -> None:
    found = made.json("provenance.json")
    assert found["config"] == config.to_dict(made.settings)
    assert found["seed"] == 5
    files = {"weights": inputs["vgg19"], "content": inputs["content"], "style": inputs["style"]}
    digests = {role: hashlib.sha256(path.read_bytes()).hexdigest() for role, path in files.items()}
    assert found["inputs_sha256"] == digests
    for package in ("tensorflow", "numpy", "scipy", "hydra-core", "wandb"):
        assert found["versions"][package] == importlib.metadata.version(package)
    assert found["versions"]["python"] == platform.python_version()
    assert found["command"][0] == Path(sys.argv[0]).name
    assert found["machine"]["cores"] >= 1 and found["machine"]["memory_mb"] > 100
    assert datetime.fromisoformat(found["started"]).tzinfo is not None


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="of Linux")
def test_cores_are_those_that_the_process_may_use(made: Made) -> None:
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(every)})
    try:
        found = provenance.describe(config.to_dict(made.settings), {}, {}, {})
    finally:
        os.sched_setaffinity(0, every)
    assert found["machine"]["cores"] == 1


def test_a_file_of_means_feeds_the_run_and_another_one_is_another_run(
    run, inputs, tmp_path: Path
) -> None:
    weights, means = matconvnet.load(inputs["vgg19"]), tmp_path / "means.npz"
    ones = {layer.name: np.ones(layer.bias.size) for layer in weights.layers}
    files.write_arrays(means, ones)
    overrides = (f"network.rescale={means}", "optimizer.max_evaluations=1")
    run(tmp_path / "run", *overrides)
    found = json.loads((tmp_path / "run" / "provenance.json").read_text())["inputs_sha256"]
    assert found["rescale"] == hashlib.sha256(means.read_bytes()).hexdigest()
    files.write_arrays(means, ones | {"conv1_1": 2 * ones["conv1_1"]})
    with pytest.raises(InputError, match="other settings"):
        run(tmp_path / "run", *overrides)


def test_a_step_of_the_optimizer_is_in_the_units_of_what_the_network_sees(
    run, inputs, tmp_path: Path
) -> None:
    """Adam's first step is its rate for every pixel, here half a unit of a network that sees 51
    for white: 2.5 · unit levels of 255.
    """
    unit = (2.0, 4.0, 6.0)
    run(
        tmp_path / "run",
        *("optimizer=adam", "optimizer.learning_rate=0.5", "optimizer.max_evaluations=2"),
        *("optimizer.epsilon=1e-30", "optimizer.bounds=false", "network.input_range=51"),
        *(f"image.pixel_unit={list(unit)}", "tracking.progress_every=1", "image.size_px=null"),
    )
    before = images.read(inputs["content"])
    after = images.read(tmp_path / "run" / "progress" / "000001.png")
    inside = ((before > 20) & (before < 235)).all(axis=-1)
    moved = np.abs(after - before)[inside]
    assert len(moved) > 50
    np.testing.assert_allclose(moved, np.broadcast_to(2.5 * np.array(unit), moved.shape), atol=1)


def test_the_commit_is_the_checkouts_and_says_whether_files_differ_from_it(made: Made) -> None:
    git = ["git", "-C", str(config.CONFIG_DIR)]
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    commit = made.json("provenance.json")["commit"]
    if head.returncode:
        assert commit is None
    else:
        assert commit.rstrip("+") == head.stdout.strip()


def test_the_picture_carries_the_settings(made: Made) -> None:
    plain = config.to_dict(made.settings)
    with Image.open(made.path / "image.png") as picture:
        carried = json.loads(picture.text["stn"])
    for key in (
        "network",
        "objective",
        "content",
        "style",
        "image",
        "init",
        "optimizer",
        "pyramid",
        "seed",
    ):
        assert carried[key] == plain[key]


def test_what_changes_no_pixel_changes_no_byte(command, made: Made, tmp_path: Path) -> None:
    inert = ("name=other", "tracking.progress_every=0", f"output={tmp_path / 'copy.png'}")
    assert command(*OVERRIDES, *inert).code == 0
    assert (tmp_path / "run" / "image.png").read_bytes() == (made.path / "image.png").read_bytes()
    assert (tmp_path / "copy.png").read_bytes() == (made.path / "image.png").read_bytes()
    assert not (tmp_path / "run" / "progress").exists()


def test_a_pyramid_has_a_level_column_and_counts_on(run, tmp_path: Path) -> None:
    run(tmp_path, "pyramid.levels=[{scale:0.5,max_evaluations:3}]", "tracking.progress_every=1")
    rows = metrics(tmp_path)
    assert list(rows)[-1] == "level"
    np.testing.assert_array_equal(rows["level"], [0] * 3 + [1] * 6)
    np.testing.assert_array_equal(rows["evaluation"], np.arange(9))
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["evaluations"] == 9
    # The best of the full size, since losses of two sizes do not compare.
    assert summary["best_evaluation"] == 3 + rows["loss/total"][3:].argmin()
    sizes = [pixels(tmp_path / f"progress/{index:06d}.png").shape[:2] for index in (2, 3)]
    assert sizes == [(14, 16), (28, 32)]  # 47 × 41 at 32 px is 32 × 28


def test_a_run_that_converges_says_so_and_has_no_rows_to_spare(run, tmp_path: Path) -> None:
    run(tmp_path, "optimizer.gtol=1e30")
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert "converged" in summary["stop_reason"]
    assert summary["evaluations"] == len(metrics(tmp_path)["evaluation"]) < 6


def test_the_first_picture_of_init_file_is_checked_too(run, inputs, tmp_path: Path) -> None:
    first = tmp_path / "first.png"
    first.write_bytes(inputs["style"].read_bytes())
    overrides = ("init=file", f"init.path={first}")
    run(tmp_path / "run", *overrides)
    digest = json.loads((tmp_path / "run" / "provenance.json").read_text())["inputs_sha256"]["init"]
    assert digest == hashlib.sha256(first.read_bytes()).hexdigest()
    first.write_bytes(inputs["content"].read_bytes())
    with pytest.raises(InputError, match="init"):
        run(tmp_path / "run", *overrides)


def test_a_finished_run_is_not_run_again(
    run, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    def stamps() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in made.path.rglob("*")}

    before = stamps()
    again = run(made.path, *OVERRIDES, "name=other", "tracking.progress_every=0")
    assert stamps() == before
    np.testing.assert_array_equal(again.rgb, np.rint(made.result.rgb))
    assert again.terms == made.result.terms and again.run_dir == made.path
    assert capsys.readouterr().err == f"{made.path}: finished before\n"


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("seed=6", "seed: 5 → 6"),
        ("network.pooling=max", "network.pooling: avg → max"),
        ("init=style", "init.name"),
        (
            "optimizer.max_evaluations=13",
            "optimizer.max_evaluations: 14 → 13",
        ),  # more would extend the run
    ],
)
def test_other_settings_are_refused_by_name(run, made: Made, override: str, named: str) -> None:
    before = listing(made.path)
    with pytest.raises(InputError, match=named):
        run(made.path, *OVERRIDES, override)
    assert listing(made.path) == before


def test_another_picture_under_the_same_name_is_refused(run, inputs, tmp_path: Path) -> None:
    painting = tmp_path / "painting.png"
    painting.write_bytes(inputs["style"].read_bytes())
    run(tmp_path / "run", f"style.path={painting}")
    images.write(painting, 255 - images.read(painting))
    with pytest.raises(InputError, match="style"):
        run(tmp_path / "run", f"style.path={painting}")


def test_force_starts_anew_and_leaves_nothing_of_the_run_before(run, tmp_path: Path) -> None:
    run(tmp_path / "forced", "tracking.progress_every=1", "figures=true", "seed=1", "init=noise")
    run(tmp_path / "forced", "tracking.progress_every=3", "force=true", "init=noise")
    run(tmp_path / "fresh", "tracking.progress_every=3", "init=noise")
    assert listing(tmp_path / "forced") == listing(tmp_path / "fresh")
    for name in ("image.png", "progress/000003.png"):
        assert (tmp_path / "forced" / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()


@pytest.mark.parametrize("name", ["image.png", "progress/000001.png"])
def test_force_never_removes_what_feeds_the_run(run, tmp_path: Path, name: str) -> None:
    run(tmp_path, "tracking.progress_every=1")
    before = (tmp_path / name).read_bytes()
    with pytest.raises(InputError, match=r"init=.*force=true would remove it"):
        run(tmp_path, "init=file", f"init.path={tmp_path / name}", "force=true")
    assert (tmp_path / name).read_bytes() == before
    assert (tmp_path / "summary.json").is_file()


def test_force_removes_only_what_a_run_wrote(run, tmp_path: Path) -> None:
    run(tmp_path, "tracking.progress_every=1")
    mine = [tmp_path / "style" / "mine.png", tmp_path / "progress" / "notes.txt"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    run(tmp_path, "seed=1", "force=true")
    assert [path.read_text() for path in mine] == ["mine", "mine"]
    assert [path.name for path in (tmp_path / "progress").iterdir()] == ["notes.txt"]


KEPT = ("optimizer=adam", "tracking.checkpoint_seconds=0", "tracking.keep_checkpoint=true")


def test_a_checkpoint_of_another_run_is_refused(run, tmp_path: Path) -> None:
    shared = ("init=noise", *KEPT, "optimizer.max_evaluations=4")
    for seed in (1, 2):
        run(tmp_path / str(seed), *shared, f"seed={seed}")
    shutil.copy(tmp_path / "1" / "checkpoint.npz", tmp_path / "2" / "checkpoint.npz")
    with pytest.raises(InputError, match=r"checkpoint\.npz: is of a run with other .*seed"):
        run(tmp_path / "2", *shared, "seed=2", "optimizer.max_evaluations=6")


def test_metrics_older_than_the_checkpoint_are_refused(run, tmp_path: Path) -> None:
    shared = (*KEPT, "optimizer.max_evaluations=4")
    run(tmp_path, *shared)
    lines = (tmp_path / "metrics.csv").read_text().splitlines(keepends=True)
    (tmp_path / "metrics.csv").write_text("".join(lines[:3]))
    with pytest.raises(
        InputError, match=r"metrics\.csv: has 2 rows, but checkpoint\.npz .* evaluations"
    ):
        run(tmp_path, *shared, "optimizer.max_evaluations=6")


@pytest.mark.parametrize("optimizer", ["lbfgs", "torch_lbfgs", "spectral_lbfgs"])
def test_a_memory_of_a_billion_pairs_takes_what_the_budget_can_fill(
    run, tmp_path: Path, optimizer: str
) -> None:
    shared = ("tracking.checkpoint_seconds=0", "tracking.keep_checkpoint=true")
    huge = (f"optimizer={optimizer}", "optimizer.history=1000000000", *shared)
    run(tmp_path / "huge", *huge, "optimizer.max_evaluations=4")
    run(tmp_path / "huge", *huge, "optimizer.max_evaluations=8")
    usual = (f"optimizer={optimizer}", "optimizer.history=8", *shared)
    run(tmp_path / "usual", *usual, "optimizer.max_evaluations=4")
    run(tmp_path / "usual", *usual, "optimizer.max_evaluations=8")
    rgb = [images.read(tmp_path / name / "image.png") for name in ("huge", "usual")]
    np.testing.assert_array_equal(*rgb)


def test_an_output_over_the_weights_is_refused(run, inputs, tmp_path: Path) -> None:
    weights = shutil.copy(inputs["vgg19"], tmp_path / "weights.png")
    with pytest.raises(InputError, match=r"output=.*is network\.weights itself"):
        run(tmp_path / "run", f"network.weights={weights}", f"output={weights}")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        npz(image=np.zeros(3))[:100],
        npz(image=np.zeros(3), numbers=np.array("{}")),
    ],
    ids=["empty", "text", "truncated", "of another version"],
)
def test_a_checkpoint_that_cannot_be_read_is_refused_in_one_line(
    run, made: Made, tmp_path: Path, content
) -> None:
    path = shutil.copytree(made.path, tmp_path / "run")
    (path / "summary.json").unlink()
    (path / "checkpoint.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"checkpoint\.npz: .*force=true") as refusal:
        run(path, *OVERRIDES)
    assert "\n" not in one_line(refusal.value)
    assert (path / "checkpoint.npz").read_bytes() == content
    run(path, *OVERRIDES, "force=true")
    assert (path / "image.png").read_bytes() == (made.path / "image.png").read_bytes()


@pytest.mark.parametrize("force", ["false", "true"])
def test_a_directory_of_something_else_is_refused_and_left_alone(
    run, tmp_path: Path, force: str
) -> None:
    (tmp_path / "thesis.txt").write_text("three years")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        run(tmp_path, f"force={force}")
    assert listing(tmp_path) == {"thesis.txt"}
    assert (tmp_path / "thesis.txt").read_text() == "three years"


def test_a_directory_that_another_process_holds_is_refused(run, tmp_path: Path) -> None:
    program = (
        "import filelock, sys; lock = filelock.FileLock(sys.argv[1]); lock.acquire();"
        " print(flush=True); input()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / record.LOCK)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()  # it has the lock
        with pytest.raises(InputError, match=r"another hydra\.run\.dir$"):
            run(tmp_path)
        assert not (tmp_path / "provenance.json").exists()
        other.communicate(b"\n")
    assert run(tmp_path) is not None


@pytest.mark.parametrize("commit", ["0123abc", "4567def"])
def test_a_run_that_goes_on_with_another_program_says_so_and_keeps_both(
    run, tmp_path, monkeypatch, commit
) -> None:
    overrides = ("optimizer=adam", "tracking.checkpoint_seconds=0")
    monkeypatch.setattr(provenance, "git_commit", lambda: "0123abc")
    with at_evaluation(4, lambda: os.kill(os.getpid(), signal.SIGTERM)), pytest.raises(Interrupted):
        run(tmp_path, *overrides)
    first = json.loads((tmp_path / "provenance.json").read_text())
    monkeypatch.setattr(provenance, "git_commit", lambda: commit)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(tmp_path, *overrides)
    found = json.loads((tmp_path / "provenance.json").read_text())
    [session] = found.pop("continuations")
    assert found == first and found["commit"] == "0123abc"
    assert (session["from_evaluation"], session["commit"], session["versions"]) == (
        4,
        commit,
        first["versions"],
    )
    said = [str(warning.message) for warning in caught if "another program" in str(warning.message)]
    assert len(said) == (commit != "0123abc") and all(
        "commit 0123abc → 4567def" in line for line in said
    )


def test_what_a_killed_process_leaves_is_cleared_away(run, tmp_path: Path) -> None:
    run(tmp_path)
    finished = listing(tmp_path)
    (tmp_path / "summary.json").unlink()
    (tmp_path / record.LOCK).touch()
    (tmp_path / ".partial-abc.csv").write_text("evalua")
    assert run(tmp_path) is not None
    assert listing(tmp_path) == finished


def test_the_lock_lets_go_when_a_run_fails(run, tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(InputError):
        run(tmp_path, "seed=1")
    with filelock.FileLock(tmp_path / record.LOCK, timeout=0):
        pass


def test_a_damaged_summary_is_no_end_and_the_run_is_made_again(run, tmp_path: Path) -> None:
    first = run(tmp_path)
    (tmp_path / "summary.json").write_text('{"loss/total": ')
    again = run(tmp_path)
    np.testing.assert_array_equal(again.rgb, first.rgb)
    assert (
        json.loads((tmp_path / "summary.json").read_text())["picture/loss/total"]
        == first.terms.total
    )


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_provenance_is_refused_by_name_and_force_starts_anew(
    run, tmp_path: Path, content: str
) -> None:
    run(tmp_path)
    whole = json.loads((tmp_path / "provenance.json").read_text())
    (tmp_path / "provenance.json").write_text(content)
    with pytest.raises(InputError, match=rf"{tmp_path}.*force=true"):
        run(tmp_path)
    assert run(tmp_path, "force=true") is not None
    assert (
        json.loads((tmp_path / "provenance.json").read_text())["inputs_sha256"]
        == whole["inputs_sha256"]
    )


def test_damaged_metrics_are_not_gone_on_from(run, tmp_path: Path) -> None:
    overrides = ("optimizer=adam", "tracking.checkpoint_seconds=0")
    with at_evaluation(4, lambda: os.kill(os.getpid(), signal.SIGTERM)), pytest.raises(Interrupted):
        run(tmp_path, *overrides)
    (tmp_path / "metrics.csv").write_text("evaluation\nx\n")
    with pytest.raises(InputError, match=r"metrics\.csv: damaged .*force=true"):
        run(tmp_path, *overrides)
    assert run(tmp_path, *overrides, "force=true") is not None


def test_the_pictures_own_loss_is_that_of_the_file_read_back(
    run, made: Made, tmp_path: Path
) -> None:
    again = ("init=file", f"init.path={made.path / 'image.png'}", "optimizer.max_evaluations=1")
    run(tmp_path, *OVERRIDES, *again)
    summary, of_file = made.json("summary.json"), metrics(tmp_path)
    for name in ["loss/total", "loss/content", "loss/style", "loss/total_variation", *LAYERS]:
        assert summary[f"picture/{name}"] == pytest.approx(of_file[name][0], rel=1e-4)
    assert (
        abs(summary["picture/loss/total"] / summary["loss/total"] - 1) > 1e-3
    )  # the optimizer's is another
    assert summary["picture/clipped_share"] > 0.01
    terms = made.result.terms
    assert [
        terms.total,
        terms.content,
        terms.style,
        terms.total_variation,
        *terms.per_layer.values(),
    ] == [
        summary[f"picture/{name}"]
        for name in ["loss/total", "loss/content", "loss/style", "loss/total_variation", *LAYERS]
    ]


@pytest.mark.parametrize(("bounds", "said"), [("false", True), ("true", False)])
def test_a_picture_whose_loss_is_not_the_optimizers_is_told_in_a_line(
    run, tmp_path: Path, capsys: pytest.CaptureFixture[str], bounds: str, said: bool
) -> None:
    run(
        tmp_path,
        "init=noise",
        "optimizer=adam",
        "optimizer.learning_rate=60",
        f"optimizer.bounds={bounds}",
    )
    summary = json.loads((tmp_path / "summary.json").read_text())
    parted = abs(summary["picture/loss/total"] / summary["loss/total"] - 1) > 0.01
    lines = [
        line
        for line in capsys.readouterr().err.splitlines()
        if line.startswith("the picture's own loss is ")
    ]
    assert len(lines) == parted == said
    assert (summary["picture/clipped_share"] > 0) == said


def test_the_summary_is_json_whatever_was_measured(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {
        "measures/style": math.inf,
        "measures/content": math.nan,
        "measures/ssim_to_content": 0.5,
    }
    monkeypatch.setattr(measures, "measure", lambda *_: found)
    result = run(tmp_path)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    summary = json.loads((tmp_path / "summary.json").read_text(), parse_constant=refuse)
    assert [summary[key] for key in found] == [None, None, 0.5]
    assert run(tmp_path).terms == result.terms


def test_a_first_loss_that_is_not_finite_is_an_error_and_no_end(command, tmp_path: Path) -> None:
    for _ in range(2):  # the second is not taken for finished
        ended = command("init=noise", "init.amplitude=1e30")
        assert ended.code == 2
        [line] = (line for line in ended.err.splitlines() if not line.startswith("evaluation "))
        assert line.startswith(
            "error: the loss of the initial image, or its gradient, is not finite (content "
        )
        assert "objective.style_weight" in line and ended.out == ""
        assert not {"summary.json", "image.png", ".lock"} & listing(ended.run_dir)


@pytest.mark.parametrize(
    ("period", "says", "first"),
    [(period, "resumes at evaluation 4", 5) for period in (3, 100)],
)
def test_a_forced_run_that_was_interrupted_goes_on_with_the_same_command(
    run, tmp_path: Path, period: int, says: str, first: int
) -> None:
    again = (f"optimizer.restart_every={period}", "init=noise")
    run(tmp_path / "undisturbed", *again)
    run(tmp_path / "run", "init=noise", "seed=1")  # what is forced out of the way
    with (
        at_evaluation(4, lambda: os.kill(os.getpid(), signal.SIGTERM)),
        pytest.raises(Interrupted, match=says),
    ):
        run(tmp_path / "run", *again, "force=true")
    made: list[int] = []
    with at_evaluation(1, lambda: made.append(1)), at_evaluation(5, lambda: made.append(5)):
        run(tmp_path / "run", *again, "force=true")
    assert made[0] == first
    assert (tmp_path / "run" / "image.png").read_bytes() == (
        tmp_path / "undisturbed" / "image.png"
    ).read_bytes()


@pytest.mark.parametrize(
    "case", ["as it was", "finished", "other settings", "not forced", "damaged"]
)
def test_force_starts_anew_but_where_it_was_interrupted_itself(
    run, tmp_path: Path, case: str
) -> None:
    settings = ("optimizer=adam", "tracking.checkpoint_seconds=0", "init=noise")
    forced = "force=false" if case == "not forced" else "force=true"
    with at_evaluation(5, lambda: os.kill(os.getpid(), signal.SIGTERM)), pytest.raises(Interrupted):
        run(tmp_path, *settings, forced)
    if case == "finished":
        run(tmp_path, *settings)
    if case == "damaged":
        (tmp_path / "checkpoint.npz").write_bytes(b"damaged")
    made: list[str] = []
    with at_evaluation(1, lambda: made.append("the first")):
        run(tmp_path, *settings, "force=true", "seed=1" if case == "other settings" else "seed=0")
    assert bool(made) == (case != "as it was")
    assert runs.Run(tmp_path).state == "finished"


def test_a_finished_run_may_lie_where_nothing_can_be_written(
    run, tmp_path, monkeypatch, capsys
) -> None:
    first = run(tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()}
    (tmp_path / "empty").mkdir()
    opened = os.open

    def read_only(path, flags, *rest, **options):  # chmod would not keep root from writing
        if flags & os.O_CREAT and Path(os.fsdecode(path)).parent in (
            tmp_path / "run",
            tmp_path / "empty",
        ):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", read_only)
    capsys.readouterr()
    again = run(tmp_path / "run")
    assert capsys.readouterr().err == f"{tmp_path / 'run'}: finished before\n"
    np.testing.assert_array_equal(again.rgb, np.rint(first.rgb))
    assert {
        path: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()
    } == before
    for folder, overrides in (("empty", ()), ("run", ("force=true",))):
        with pytest.raises(InputError, match="cannot be written"):
            run(tmp_path / folder, *overrides)


@pytest.mark.parametrize("kept", [False, True])
def test_a_finished_run_keeps_its_checkpoint_where_that_is_asked_for(run, tmp_path, kept) -> None:
    shared = ("tracking.checkpoint_seconds=0", "optimizer.max_evaluations=3")
    run(tmp_path, *shared, f"tracking.keep_checkpoint={str(kept).lower()}")
    assert (tmp_path / "checkpoint.npz").exists() == kept


def test_a_finished_run_is_given_again_with_its_opacity(run, tmp_path: Path) -> None:
    rgba = np.random.default_rng(0).integers(0, 256, (40, 48, 4)).astype(np.uint8)
    Image.fromarray(rgba).save(tmp_path / "clear.png")
    overrides = (f"content.path={tmp_path / 'clear.png'}", "optimizer.max_evaluations=2")
    first, again = (run(tmp_path / "run", *overrides) for _ in range(2))
    assert first.opacity is not None and again.opacity is not None
    np.testing.assert_array_equal(np.rint(255 * first.opacity), np.rint(255 * again.opacity))
    np.testing.assert_array_equal(np.rint(first.rgb), again.rgb)


def test_a_run_resumes_where_another_ended_with_all_but_its_end(tmp_path: Path) -> None:
    """Whole is what the other's style was mixed in; its own summary would say that it is over."""
    other, path = tmp_path / "other", tmp_path / "path"
    left = ("provenance.json", "metrics.csv", "image.png", "checkpoint.npz", "summary.json")
    for name in (*left, "style/provenance.json", "style/summary.json"):
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text(name)
    path.mkdir()
    run_directory.continue_from(other, path)
    found = {str(each.relative_to(path)) for each in path.rglob("*") if each.is_file()}
    assert found == {*left, "style/provenance.json", "style/summary.json"} - {"summary.json"}
    assert all((path / name).read_text() == name for name in found)
    assert not (other / "checkpoint.npz").exists() and (other / "summary.json").exists()
    (other / "checkpoint.npz").write_text("another")
    run_directory.continue_from(other, path)  # a run is there
    assert (path / "checkpoint.npz").read_text() == "checkpoint.npz"
