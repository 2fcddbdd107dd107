"""File names as people have them reach the program whole; what Hydra reads stays Hydra's; else the
quotes are shown.
"""

import os
import shlex
from pathlib import Path

import pytest
from conftest import start
from hydra.core.override_parser.overrides_parser import OverridesParser

from stn import assets, config, errors
from stn.config import overrides

NAMES = (
    *(
        "ümläut.png",
        "a&b.png",
        "par(en).png",
        "my photo.jpg",
        "x=y.png",
        "[1].png",
        "{a}.png",
        "it's.png",
        'q"q.png',
    ),
    *("a\\b.png", "a\\'b.png", "a$b.png", "#1.png", "a;b!.png", "50%.png", "写真.png"),
)
# Hydra reads them as something else: meant are they only where there is such a file.
READ_OTHERWISE = (" first.png", "a,b.png", "end\\\\", "${x}.png", "1e3", "true", "glob(*)", "'a'")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user is, and at home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_hydra_cannot_read_is_quoted(name: str, home: Path) -> None:
    words = overrides.quoted([f"content.path={name}"])
    [override] = OverridesParser.create().parse_overrides(words)
    assert override.value() == name and overrides.quoted(words) == words


def test_the_name_of_a_file_that_is_there_arrives_as_it_was_typed(home: Path) -> None:
    names = [*NAMES, *READ_OTHERWISE]
    for name in names:
        (home / name).touch()
    for three in [names[i : i + 3] for i in range(0, len(names), 3)]:
        keys = ("content.path", "style.path", "network.weights")
        settings = config.compose(*(f"{key}={name}" for key, name in zip(keys, three, strict=True)))
        assert [settings.content.path, settings.style.path, settings.network.weights] == three


def test_a_tilde_is_the_home_directory(home: Path) -> None:
    words = ["content.path=~/my photo.jpg", "hydra.run.dir=~/out", "style.path=~painting.jpg"]
    photo, out, painting = overrides.quoted(words)
    assert (photo, out) == (f"content.path={home}/my photo.jpg", f"hydra.run.dir={home}/out")
    assert config.compose(painting).style.path == "~painting.jpg"
    assert (
        assets.locate_image("~/photo.jpg") == home / "photo.jpg"
    )  # from Python, or a configuration's file


@pytest.mark.parametrize(
    "word",
    [
        *(
            "seed=0,1",
            "style=choice(strokes,the_scream)",
            "style=glob(*)",
            "objective.style_layers=[relu1_1,relu2_1]",
            "--cfg",
            "-m",
        ),
        *(
            "content.path=a.png,b.png",
            "content.path='a&b.png'",
            "content.path=null",
            "content.path=${style.path}",
        ),
        *(
            "hydra.sweep.dir=multirun/${now:%Y}",
            "output=copies/${hydra:sweep.subdir}.png",
            "~pyramid",
            "+seed=1",
        ),
    ],
)
def test_what_hydra_reads_is_left_to_it(word: str, home: Path) -> None:
    assert overrides.quoted(["-m", word])[1] == word


def test_a_sweep_over_files_is_one_name_by_name(home: Path) -> None:
    [_, word] = overrides.quoted(["-m", "content.path=a&b.png,plain.png,~/ü.png"])
    assert word == f"content.path='a&b.png',plain.png,'{home}/ü.png'"
    (home / "a,b.png").touch()
    assert overrides.quoted(["--multirun", "content.path=a,b.png"])[1] == "content.path='a,b.png'"
    assert (
        overrides.quoted(["-m", "hydra.sweep.dir=seed=0,style=x"])[1]
        == "hydra.sweep.dir='seed=0,style=x'"
    )


@pytest.mark.parametrize(
    "word", ["tracking.project=für mich", "tracking.project=a&b", "tracking.project=it's"]
)
def test_other_text_is_shown_with_the_quotes_to_type(word: str) -> None:
    with pytest.raises(errors.InputError, match="quoted, as in ") as caught:
        overrides.quoted([word])
    [shown] = shlex.split(
        str(caught.value).partition("quoted, as in ")[2]
    )  # as a shell would give it
    assert overrides.quoted([shown]) == [shown]


def test_the_command_takes_such_a_picture_and_such_a_directory(
    small: tuple[str, ...], inputs: dict[str, Path], tmp_path: Path
) -> None:
    name = "~/Bilder für=mich, [1] & 'dich' (2).png"
    path = tmp_path / name[2:]
    path.write_bytes(inputs["content"].read_bytes())
    overrides = (f"content.path={name}", "hydra.run.dir=out=1,2", "optimizer.max_evaluations=1")
    process = start(tmp_path, *small, *overrides, env=os.environ | {"HOME": str(tmp_path)})
    out, err = process.communicate()
    assert (process.returncode, out) == (0, f"{tmp_path}/out=1,2/image.png\n"), err
