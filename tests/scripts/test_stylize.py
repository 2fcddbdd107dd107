"""The command from end to end, as a user types it: what it prints, what it exits with and what it
leaves.
"""

import errno
import fcntl
import json
import os
import pty
import re
import resource
import shlex
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import wandb_file
from conftest import SCRIPT, Ended, at_evaluation, listing, metrics, start
from PIL import Image

from stn import config, images
from stn.assets import weights
from stn.commands import stylize

PLAIN_LINE = r"evaluation \d+/6: total \S+, content \S+, style \S+ \(\d+ s\)"


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(float)


def test_a_run_prints_where_its_picture_is_and_plain_lines_of_progress(offline: Ended) -> None:
    assert offline.code == 0
    assert offline.out == f"{offline.run_dir / 'image.png'}\n"
    ignored, *lines, sync, last = offline.err.splitlines()
    assert ignored.startswith("warning: WANDB_MODE=online is ignored")
    assert len(lines) == 6
    assert [
        line for line in lines if not re.fullmatch(PLAIN_LINE, line)
    ] == []  # no bar, no chatter of libraries
    [sent] = offline.run_dir.glob("wandb/offline-run-*")
    assert sync == f"to send it to W&B: wandb sync {sent}"
    see, report = re.fullmatch(r"to see it: (.*); before, after and curves: (.*)", last).groups()
    assert shlex.split(see)[1:] == [str(offline.run_dir / "image.png")]
    assert shlex.split(report) == ["python", "scripts/report.py", str(offline.run_dir)]


def test_a_run_leaves_its_directory_and_the_copy_that_was_asked_for(offline: Ended) -> None:
    found = {name for name in listing(offline.run_dir.parent) if not name.startswith("run/wandb/")}
    files = ("image.png", "metrics.csv", "summary.json", "provenance.json", "progress", "wandb")
    pictures = {"run/progress/000002.png", "run/progress/000004.png"}
    assert found == {
        "run",
        "copies",
        "copies/copy.jpg",
        *pictures,
        *(f"run/{name}" for name in files),
    }
    with Image.open(offline.run_dir.parent / "copies" / "copy.jpg") as copy:
        assert copy.format == "JPEG"
        carried = json.loads(copy.getexif()[0x010E])
        difference = np.asarray(copy).astype(float) - pixels(offline.run_dir / "image.png")
    assert np.abs(difference).mean() < 3  # of 255: a JPEG of quality 95
    assert carried["seed"] == 0 and carried["optimizer"]["name"] == "lbfgs"


def test_a_copy_is_transparent_where_the_picture_is(
    command: Callable[..., Ended], inputs, tmp_path: Path
) -> None:
    photograph = Image.open(inputs["content"]).convert("RGBA")
    photograph.putalpha(Image.linear_gradient("L").resize(photograph.size))
    photograph.save(tmp_path / "transparent.png")
    ended = command(
        f"content.path={tmp_path / 'transparent.png'}", f"output={tmp_path / 'copy.png'}"
    )
    assert ended.code == 0 and Image.open(tmp_path / "copy.png").mode == "RGBA"
    assert (tmp_path / "copy.png").read_bytes() == (ended.run_dir / "image.png").read_bytes()


def test_a_sweep_over_seeds_is_a_directory_a_run(sweep: Ended) -> None:
    assert sweep.code == 0
    paths = [sweep.run_dir / name / "image.png" for name in ("seed=0", "seed=1")]
    assert sweep.out.splitlines() == [str(path) for path in paths]
    assert {path.name for path in sweep.run_dir.iterdir()} <= {"seed=0", "seed=1", "multirun.yaml"}
    seeds = [json.loads((path.parent / "provenance.json").read_text())["seed"] for path in paths]
    assert seeds == [0, 1]
    assert paths[0].read_bytes() != paths[1].read_bytes()
    assert np.abs(pixels(paths[0]) - pixels(paths[1])).mean() > 10  # other noise, not another name


def test_the_same_seed_gives_the_same_bytes_in_another_process(
    sweep: Ended, run, inputs, tmp_path: Path
) -> None:
    run(tmp_path, "network=vgg16", f"network.weights={inputs['vgg16']}", "init=noise", "seed=1")
    assert (tmp_path / "image.png").read_bytes() == (
        sweep.run_dir / "seed=1" / "image.png"
    ).read_bytes()


def test_another_seed_changes_nothing_where_nothing_is_random(
    command: Callable[..., Ended], tmp_path: Path
) -> None:
    found = []
    for seed in (0, 1):
        run_dir = tmp_path / str(seed)
        assert command(f"seed={seed}", f"hydra.run.dir={run_dir}").code == 0
        found.append(pixels(run_dir / "image.png"))
    np.testing.assert_array_equal(*found)


# One evaluation leaves the first image itself.
@pytest.mark.parametrize("name", ["content", "style", "noise", "blend", "file"])
def test_the_run_starts_from_the_initial_image_asked_for(
    name: str, command: Callable[..., Ended], inputs: dict[str, Path], tmp_path: Path
) -> None:
    content = pixels(inputs["content"])
    flipped, painting = tmp_path / "flipped.png", tmp_path / "painting.png"
    images.write(flipped, content[:, ::-1])
    images.write(painting, content[..., ::-1])
    overrides = {
        "noise": ["init.amplitude=8", "seed=3"],
        "blend": ["init.amplitude=40", "init.noise_ratio=0.25"],
        "file": [f"init.path={flipped}"],
    }
    once = ["image.size_px=null", "optimizer.max_evaluations=1", f"style.path={painting}"]
    ended = command(f"init={name}", *once, *overrides.get(name, []))
    assert ended.code == 0, ended.err
    found = pixels(ended.run_dir / "image.png")
    expected = {"content": content, "style": content[..., ::-1], "file": content[:, ::-1]}
    if name in expected:
        np.testing.assert_array_equal(found, expected[name])
        return
    # noise: normal around the mean pixel, deviation 8; blend: a quarter of the way from the content
    # to the pixel ± 40.
    mean_pixel, ratio, amplitude = (
        np.array(weights.IMAGENET_MEAN),
        *{"noise": (1, 8), "blend": (0.25, 40)}[name],
    )
    noise = found - (1 - ratio) * content - ratio * mean_pixel
    inside = (found > 0) & (found < 255)
    if name == "noise":
        assert noise[inside].std() == pytest.approx(amplitude, rel=0.1)
        assert np.abs(noise[inside]).max() > 2.5 * amplitude  # further out than a uniform's
        return
    assert np.abs(noise[inside]).max() <= ratio * amplitude + 0.5
    assert noise[inside].std() == pytest.approx(
        ratio * amplitude / 3**0.5, rel=0.1
    )  # a uniform's deviation


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_both_optimizers_lower_the_loss(optimizer: str, command: Callable[..., Ended]) -> None:
    ended = command(f"optimizer={optimizer}", "optimizer.max_evaluations=12")
    assert ended.code == 0, ended.err
    total = metrics(ended.run_dir)["loss/total"]
    assert len(total) == 12
    assert ended.json("summary.json")["loss/total"] == total.min() < 0.5 * total[0]


def test_average_and_maximum_pooling_give_different_pictures(
    command: Callable[..., Ended], tmp_path: Path
) -> None:
    found = {}
    for pooling in ("avg", "max"):
        ended = command(
            f"network.pooling={pooling}", "optimizer=adam", f"hydra.run.dir={tmp_path / pooling}"
        )
        assert ended.code == 0, ended.err
        found[pooling] = pixels(tmp_path / pooling / "image.png")
    assert np.abs(found["avg"] - found["max"]).max() > 1


def test_a_finished_run_typed_again_says_where_its_picture_is(
    command: Callable[..., Ended],
) -> None:
    first, again = command(), command()
    assert (first.code, again.code) == (0, 0)
    assert again.out == f"{first.run_dir / 'image.png'}\n"
    before, see = again.err.splitlines()
    assert before == f"{first.run_dir}: finished before" and see.startswith("to see it: ")


def test_two_commands_in_one_second_have_a_directory_each(
    small: tuple[str, ...], tmp_path: Path
) -> None:
    processes = [start(tmp_path, *small, "init=noise", f"seed={seed}") for seed in (0, 1)]
    ended = [(process.communicate(), process.returncode) for process in processes]
    assert [code for _, code in ended] == [0, 0], ended
    pictures = [Path(out.strip()) for (out, _), _ in ended]
    assert len(set(pictures)) == 2
    for seed, path in enumerate(pictures):
        relative = (
            path.relative_to(tmp_path / "outputs")
            if path.is_absolute()
            else path.relative_to("outputs")
        )
        assert re.fullmatch(r"\d{4}-\d\d-\d\d/\d\d-\d\d-\d\d-\d{6}/image\.png", str(relative))
        assert json.loads((tmp_path / path.parent / "provenance.json").read_text())["seed"] == seed


def test_a_mistyped_key_ends_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    ended = start(tmp_path, "image.sise_px=32")
    out, err = ended.communicate()
    assert (ended.returncode, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1
    assert "image.sise_px" in err and "size_px" in err
    assert listing(tmp_path) == set()


def test_a_bad_cell_of_a_sweep_is_named_and_does_not_sink_the_others(
    command: Callable[..., Ended], tmp_path: Path
) -> None:
    ended = command("-m", "seed=-1,0", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert ended.code == 2
    assert ended.out == f"{tmp_path / 'sweep' / 'seed=0' / 'image.png'}\n"
    assert "seed=-1" in ended.err and f"hydra.sweep.dir={tmp_path / 'sweep'}" in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "sweep" / "seed=-1" / "provenance.json").exists()


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_is_one_screen_before_anything_slow_is_imported(flag: str, tmp_path: Path) -> None:
    program = f"""
import runpy, sys
sys.argv = ["stylize.py", "seed=1", "{flag}"]
try:
    runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
except SystemExit as end:
    print(end.code, {{"hydra", "numpy"}} & {{*sys.modules}}, file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr == "0 set()\n"
    lines = done.stdout.splitlines()
    assert (
        len(lines) <= 24 and max(map(len, lines)) <= 120
    )  # a terminal's, and the project's, lines and columns
    assert (
        "usage: python scripts/stylize.py" in done.stdout
        and "docs/reference/configuration.md" in done.stdout
    )
    assert listing(tmp_path) == set()


def test_what_help_tells_to_type_can_be_typed() -> None:
    page = str(stylize.__doc__)
    typed = re.findall(r"^  ([a-z_.]+=\S+)", page, re.MULTILINE)
    assert len(typed) == 11  # ten, and the page that shows it run
    settings = config.compose(*(text for text in typed if not text.startswith("hydra.")))
    assert (settings.network.name, settings.init.name, settings.image.size_px) == (
        "vgg16",
        "noise",
        512,
    )
    assert all(
        (config.CONFIG_DIR.parent / name).is_file()
        for name in re.findall(r"docs/[\w/-]+\.md", page)
    )


def test_the_tab_key_completes_keys_and_values(tmp_path: Path) -> None:
    line = "python stylize.py preset=johnson"
    given = os.environ | {"COMP_LINE": line, "COMP_POINT": str(len(line))}
    ended = start(tmp_path, "--shell-completion", "query=bash", env=given)
    assert ended.communicate()[0].split() == ["preset=johnson2016"]


@pytest.mark.parametrize(
    ("number", "code", "period", "again"),
    [
        (signal.SIGINT, 130, 100, "resumes at evaluation 3"),
        (signal.SIGTERM, 143, 2, "resumes at evaluation 3"),
        (signal.SIGHUP, 129, 100, "resumes at evaluation 3"),  # a terminal that is closed
    ],
)
def test_a_signal_ends_a_run_with_its_best_image(
    number: int, code: int, period: int, again: str, command: Callable[..., Ended]
) -> None:
    settings = f"optimizer.restart_every={period}"
    ignored = signal.getsignal(number) == signal.SIG_IGN
    if ignored:  # these tests run under nohup, which a run obeys
        signal.signal(number, signal.SIG_DFL)
    try:
        with at_evaluation(3, lambda: os.kill(os.getpid(), number)):
            ended = command(settings)
    finally:
        if ignored:
            signal.signal(number, signal.SIG_IGN)
    assert ended.code == code and again in ended.err
    last = ended.err.splitlines()[-1]
    assert str(ended.run_dir / "image.png") in last and f"hydra.run.dir={ended.run_dir}" in last
    assert {"image.png", "metrics.csv", "provenance.json"} <= listing(ended.run_dir)
    assert not {"summary.json", ".lock"} & listing(ended.run_dir)
    assert (
        len(metrics(ended.run_dir)["loss/total"]) == 3
    )  # the evaluation under way was finished, no more begun
    assert command(settings).code == 0  # and the same command comes to the end
    assert len(metrics(ended.run_dir)["loss/total"]) == 6


def test_control_c_on_a_terminal_with_a_bar(small: tuple[str, ...], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))  # rows, columns
    overrides = (*small, "optimizer.max_evaluations=3000", "tracking=offline", "hydra.run.dir=run")
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), *overrides],
        cwd=tmp_path,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(
            0, termios.TIOCSCTTY, 0
        ),  # so that Control-C reaches the whole group
    )
    os.close(theirs)
    shown, pressed = b"", False
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # what Linux says once the other side is closed
            break
        if not pressed and re.search(rb"[2-9]\d*/3000", shown):
            os.write(ours, b"\x03")
            pressed = True
    os.close(ours)
    out, _ = process.communicate()
    assert (process.returncode, out) == (130, b"")
    assert b"\r" in shown and b"%|" in shown and b"evaluation 1/" not in shown
    last = shown.decode().splitlines()[-1]
    assert f"hydra.run.dir={tmp_path / 'run'}" in last and "Traceback" not in shown.decode()
    rows = metrics(tmp_path / "run")["loss/total"]
    assert 2 <= len(rows) < 3000
    assert (tmp_path / "run" / "image.png").is_file() and not (
        tmp_path / "run" / "summary.json"
    ).exists()
    # Control-C went to W&B's service too: its file is whole all the same, and says that the run did
    # not end well.
    assert len(wandb_file.history(tmp_path / "run")) == len(rows)
    [end] = wandb_file.of_kind(tmp_path / "run", "exit")
    assert end.exit_code == 1


def test_a_disk_that_fills_during_a_run_is_one_line(command, monkeypatch) -> None:
    def full(_: int) -> None:
        raise OSError(
            errno.ENOSPC, os.strerror(errno.ENOSPC)
        )  # as the system says it: of which file, it does not

    with monkeypatch.context() as patch, at_evaluation(3, lambda: patch.setattr(os, "fsync", full)):
        ended = command()
    assert ended.code == 2 and "Traceback" not in ended.err
    last = ended.err.splitlines()[-1]
    assert (
        last
        == f"error: {ended.run_dir / 'metrics.csv'}: No space left on device; make room, and the"
        " same command resumes"
    )
    assert not list(ended.run_dir.rglob(".partial-*"))
    assert command().code == 0


def test_too_few_addresses_for_tensorflow_are_one_line(stylize) -> None:
    """`ulimit -v` below what its libraries take."""
    most = 10**9
    ended = stylize(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most)))
    assert ended.code == 2 and "Traceback" not in ended.err
    last = ended.err.splitlines()[-1]
    assert last.startswith("error: TensorFlow cannot be loaded (") and "allows 1.0 GB" in last
