"""The wheel: built, installed in a fresh environment, and used from another folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from conftest import SMALL

import stn
from stn import config

ROOT = config.CONFIG_DIR.parent
SHIPPED = ("stn", "configs", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment with the wheel in it, and the packages of this
    one behind.
    """
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "tree").mkdir()
    for name in SHIPPED:  # a copy, since building leaves files beside them
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / "tree" / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", folder / "dist", folder / "tree"]
    subprocess.run([*pip, *build], check=True, capture_output=True)
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    [wheel] = (folder / "dist").glob("stn_style_transfer-*.whl")
    install = ["--python", python, "install", "--no-deps", "--no-index", wheel]
    subprocess.run([*pip, *install], check=True, capture_output=True)
    paths = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    site = Path(sysconfig.get_path("purelib", "venv", vars=paths))
    (site / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def called(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    given = [str(word) for word in words]
    return subprocess.run(given, cwd=folder, env=environment, capture_output=True, text=True)


def test_an_installed_package_paints_from_another_folder(
    installed: Path, inputs: dict[str, Path], tmp_path: Path
) -> None:
    files = [f"content.path={inputs['content']}", f"style.path={inputs['style']}"]
    weights = f"network.weights={inputs['vgg19']}"
    done = called(installed / "stn", *files, weights, *SMALL, "hydra.run.dir=mine", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mine" / "image.png").is_file()
    assert f"stn-report {tmp_path / 'mine'}" in done.stderr
    report = called(installed / "stn-report", "mine", folder=tmp_path)
    assert report.stdout.strip() == "mine/report.html" and not report.returncode, report.stderr


def test_the_installed_package_is_the_wheels_own(installed: Path, tmp_path: Path) -> None:
    where = called(
        installed / "python", "-c", "import stn; print(stn.__file__)", folder=tmp_path
    ).stdout
    package = Path(where.strip()).parent
    assert installed.parent in package.parents
    for folder, inside in (("stn", ""), ("configs", "configs")):
        shipped = {
            path.relative_to(ROOT / folder)
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert {path for path in shipped if not (package / inside / path).is_file()} == set()


def test_help_names_what_is_installed(installed: Path, tmp_path: Path) -> None:
    for name in ("stn", "stn-report", "stn-fetch", "stn-measure"):
        page = called(installed / name, "--help", folder=tmp_path)
        assert f"usage: {name} " in page.stdout and "scripts/" not in page.stdout, page.stderr
        assert "docs/" not in page.stdout  # which no wheel has
    wrong = called(installed / "stn", "nosuch.key=1", folder=tmp_path).stderr
    assert "(`stn --cfg job`)" in wrong and "docs/" not in wrong
    presets = called(installed / "stn", "preset=", folder=tmp_path).stderr
    assert "there are berger2017, crowson_w2," in presets
    program = "import stn; stn.stylize('a.jpg', 'b.jpg', size=64)"
    told = called(installed / "python", "-c", program, folder=tmp_path).stderr.splitlines()[-1]
    assert "did you mean image__size_px?" in told and "`stn --cfg job`" in told


def test_the_package_and_its_version_are_commands_too(installed: Path, tmp_path: Path) -> None:
    versions = {
        called(*words, "--version", folder=tmp_path).stdout
        for words in ((installed / "stn",), (installed / "python", "-m", "stn"))
    }
    assert versions == {f"stn {stn.__version__}\n"}
