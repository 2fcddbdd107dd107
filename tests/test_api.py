"""`stn.stylize`: what it takes, what it gives, what it leaves, and that it is the command."""

import io
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SMALL, Ended, at_evaluation, listing
from hydra.core.override_parser.overrides_parser import OverridesParser
from PIL import Image

import stn
from stn import images
from stn.config import overrides
from stn.images import color

# SMALL, as Python values.
SETTINGS = {
    "objective": "gatys",
    "optimizer": "lbfgs",
    "network__border": "zero",
    "image__size_px": 32,
    "objective__content_layers": ["relu3_1"],
    "objective__style_layers": ["relu1_1", "relu2_1"],
    "objective__style_weight": 0.01,
    "optimizer__max_evaluations": 6,
}
assert [
    f"{key.replace('__', '.')}={overrides.text(value)}" for key, value in SETTINGS.items()
] == list(SMALL[:-1])


@pytest.fixture
def given(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """The arguments of a small run, in an empty working directory, with a directory of its own for
    temporary files.
    """
    for name in ("here", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    files = {"content": inputs["content"], "style": str(inputs["style"]), "preset": "default"}
    return {**files, "network__weights": inputs["vgg19"], **SETTINGS}


def test_it_is_the_command_and_leaves_nothing(
    given: dict[str, Any], command: Callable[..., Ended], tmp_path
) -> None:
    ended = command()
    assert ended.code == 0
    result = stn.stylize(**given)
    np.testing.assert_array_equal(result.pixels, images.read(ended.run_dir / "image.png"))
    assert result.terms.total == ended.json("summary.json")["picture/loss/total"]
    assert result.summary["measures/content"] == ended.json("summary.json")["measures/content"]
    assert result.metrics["loss/total"].shape == (6,)
    assert result.run_dir is None
    assert listing(tmp_path / "here") == listing(tmp_path / "temporary") == set()


@pytest.mark.parametrize(
    "form",
    [
        lambda rgb: rgb.astype(np.uint8),
        lambda rgb: rgb.astype(np.float32),
        lambda rgb: rgb / 255,
        lambda rgb: rgb.astype(np.uint16) * 257,
        lambda rgb: Image.fromarray(rgb.astype(np.uint8)),
        lambda rgb: np.dstack([rgb.astype(np.uint8), np.full(rgb.shape[:2], 255, np.uint8)]),
    ],
    ids=["uint8", "0-255", "0-1", "uint16", "Pillow", "opaque"],
)
def test_a_picture_in_memory_is_what_it_is_in_a_file(
    form: Callable[[np.ndarray], Any], inputs
) -> None:
    rgb = images.read(inputs["content"])
    found, opacity = images.from_memory("content", form(rgb))
    np.testing.assert_allclose(found, rgb, atol=1e-5)
    assert opacity is None


def test_a_palette_is_looked_up(inputs: dict[str, Path]) -> None:
    picture = Image.open(inputs["content"]).quantize(16)
    np.testing.assert_array_equal(
        images.from_memory("content", picture)[0], np.asarray(picture.convert("RGB"))
    )


def test_arrays_make_the_picture_that_files_make(given: dict[str, Any]) -> None:
    expected = stn.stylize(**given)
    arrays = {role: np.asarray(Image.open(given[role])) for role in ("content", "style")}
    result = stn.stylize(**given | arrays)
    np.testing.assert_array_equal(result.rgb, expected.rgb)


def test_every_picture_of_the_settings_may_be_an_array(
    given: dict[str, Any], tmp_path: Path
) -> None:
    """Mask, second style, first image and the painting that is mixed in, each by its key."""
    content = np.asarray(Image.open(given["content"]))
    pictures = {
        "first": content[::-1],
        "second": content[:, ::-1, ::-1],
        "mask": np.eye(*content.shape[:2]) * 255,
    }
    for name, rgb in pictures.items():
        images.write(tmp_path / f"{name}.png", np.broadcast_to(np.atleast_3d(rgb), content.shape))

    def stylized(get: Callable[[str], Any]) -> stn.Result:
        second = {"path": get("second"), "weight": 0.5}
        keys = {
            "init": "file",
            "init__path": get("first"),
            "paint_only": get("mask"),
            "more_styles": [second],
        }
        mix = {"mix__fine": get("second"), "mix__layers": ["relu1_1"], "mix__max_evaluations": 2}
        return stn.stylize(**given | keys | mix)

    made = stylized(lambda name: pictures[name].astype(np.uint8))
    np.testing.assert_array_equal(
        made.rgb, stylized(lambda name: str(tmp_path / f"{name}.png")).rgb
    )
    assert (
        made.settings.more_styles[0].path
        == made.settings.init.path
        == made.settings.mix.fine
        == "array"
    )


def test_on_luminance_the_first_image_is_luma_too(given: dict[str, Any]) -> None:
    first = np.asarray(Image.open(given["content"]))[::-1, :, ::-1].astype(np.float64)
    settings = given | {"color": "luminance", "init": "file"}
    colored, gray = (stn.stylize(**settings, init__path=rgb) for rgb in (first, color.gray(first)))
    np.testing.assert_allclose(colored.rgb, gray.rgb, atol=0.01)
    assert np.ptp(color.gray(first) - first) > 50


def test_a_texture_has_no_content(given: dict[str, Any]) -> None:
    settings = {"objective__content_layers": [], "init": "noise", "image__shape": [32, 48]}
    assert stn.stylize(**given | {"content": None} | settings).pixels.shape == (32, 48, 3)


def test_what_is_transparent_stays_so(given: dict[str, Any], tmp_path: Path) -> None:
    content = np.dstack(
        [np.asarray(Image.open(given["content"])), np.full((41, 47), 255, np.uint8)]
    )
    content[:20, :, 3] = 0
    result = stn.stylize(**given | {"content": content}, directory="mine")
    assert result.pixels.shape == (28, 32, 4) and np.ptp(result.opacity) == 1
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(result._repr_png_()))), result.pixels
    )
    assert result.save("copy.png").read_bytes() == Path("mine/image.png").read_bytes()
    again = stn.stylize(**given | {"content": content}, directory="mine")
    np.testing.assert_array_equal(again.pixels, result.pixels)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((1, 40, 40, 3)), "shape (1, 40, 40, 3)"),
        (np.zeros((3, 40, 40)), "shape (3, 40, 40)"),
        (np.zeros((0, 40, 3)), "40 × 0 pixels"),
        (np.zeros((40, 40, 3), int), "int64"),
        (np.array("photo.jpg", object), "shape ()"),
        (np.full((40, 40, 3), np.nan), "NaN or infinite"),
        (np.linspace(-1, 1, 4800).reshape(40, 40, 3), "-1 to 1"),
        (np.linspace(0, 65535, 4800).reshape(40, 40, 3), "0 to 65535"),
        (None, "shape ()"),
    ],
    ids=[
        "batch",
        "channels first",
        "empty",
        "int64",
        "object",
        "NaN",
        "normalized",
        "16 bits in floats",
        "None",
    ],
)
def test_an_array_that_is_no_picture_is_refused_in_one_line(
    array: Any, said: str, given: dict[str, Any]
) -> None:
    with pytest.raises(stn.InputError, match=rf"^style: .*{re.escape(said)}") as caught:
        stn.stylize(**given | {"style": array})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"preset": "gatys2020"},
        {"optimizer": "sgd"},
        {"image__sise_px": 3},
        {"seed": "many"},
        {"optimizer__max_evaluations": 0},
        {"objective__style_layers": "relu1_1"},
        {"init__path": "x y.png", "init": "file"},
        {"network__weights": "none.mat"},
    ],
    ids=str,
)
def test_an_error_is_the_commands_line(
    wrong: dict[str, Any], given: dict[str, Any], command, capfd
) -> None:
    ended = command(
        *(f"{key.replace('__', '.')}={overrides.text(value)}" for key, value in wrong.items())
    )
    assert ended.code == 2
    with pytest.raises(stn.InputError) as caught:
        stn.stylize(**given | wrong)
    assert f"error: {caught.value}\n".replace("__", ".") == ended.err


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"size_px": 64}, "image__size_px"),
        ({"size": 64}, "did you mean image__size_px?"),
        ({"objective__smoothness__weight": 1}, "is objective__total_variation__weight now"),
        ({"network__pooling": "averag"}, "did you mean avg?"),
        ({"style.path": "painting.jpg"}, "second argument"),
        ({"output": "copy.png"}, "save"),
        ({"figures": True}, "report.py"),
        ({"hydra.run.dir": "mine"}, "directory=FOLDER"),
        ({"tracking": "offline"}, "directory=FOLDER"),
        ({"tracking__progress_every": 2}, "directory=FOLDER"),
    ],
    ids=str,
)
def test_what_has_another_form_here_is_said(
    wrong: dict[str, Any], remedy: str, given: dict[str, Any]
) -> None:
    with pytest.raises(stn.InputError, match=remedy):
        stn.stylize(**given | wrong)


def test_groups_win_over_the_preset_and_keys_over_both(given: dict[str, Any]) -> None:
    chosen = {
        "preset": "johnson2016",
        "network": "vgg19",
        "optimizer": "adam",
        "init": "noise",
        "init__amplitude": 7,
    }
    chosen |= {"layers": "gatys"}
    settings = stn.stylize(**given | chosen, **{"network.pooling": "max"}).settings
    assert (settings.optimizer.name, settings.optimizer.learning_rate) == (
        "adam",
        10,
    )  # configs/optimizer/adam.yaml
    assert (settings.init.name, settings.init.amplitude, settings.network.pooling) == (
        "noise",
        7,
        "max",
    )
    assert settings.name == "johnson2016"


def test_a_directory_holds_the_run_and_is_read_the_second_time(
    given: dict[str, Any], capsys
) -> None:
    array = np.asarray(Image.open(given["content"]))
    first = stn.stylize(**given | {"content": array}, directory="mine")
    assert {"image.png", "metrics.csv", "summary.json", "provenance.json"} == listing(Path("mine"))
    assert first.run_dir == Path("mine")
    capsys.readouterr()
    again = stn.stylize(**given | {"content": array}, directory="mine")
    assert "evaluation" not in capsys.readouterr().err
    np.testing.assert_array_equal(again.pixels, first.pixels)
    assert again.summary == first.summary and again.terms == first.terms
    with pytest.raises(stn.InputError, match="other settings"):
        stn.stylize(**given | {"content": array[::-1]}, directory="mine")
    with pytest.raises(stn.InputError, match="other settings"):  # the same bytes in another shape
        stn.stylize(**given | {"content": array.reshape(array.shape[1], -1, 3)}, directory="mine")


def test_a_stopped_call_leaves_nothing_or_what_a_directory_keeps(
    given: dict[str, Any], tmp_path: Path
) -> None:
    given = given | {"optimizer": "adam"}  # which can be saved after every step
    stop = lambda: os.kill(os.getpid(), signal.SIGINT)  # noqa: E731
    with at_evaluation(3, stop), pytest.raises(stn.Interrupted, match="directory=FOLDER"):
        stn.stylize(**given)
    assert listing(tmp_path / "here") == listing(tmp_path / "temporary") == set()
    with at_evaluation(3, stop), pytest.raises(stn.Interrupted, match="best image so far"):
        stn.stylize(**given, directory="mine")
    assert Path("mine/image.png").is_file()
    stopped = stn.stylize(**given, directory="mine")
    np.testing.assert_array_equal(stopped.rgb, stn.stylize(**given).rgb)


def test_a_result_shows_itself_and_saves_what_a_run_writes(given: dict[str, Any]) -> None:
    result = stn.stylize(**given, directory="mine")
    shown = np.asarray(Image.open(io.BytesIO(result._repr_png_())))
    np.testing.assert_array_equal(shown, result.pixels)
    assert repr(result).startswith(
        "<Result: 32 × 28 px, total loss "
    ) and "after 6 evaluations" in repr(result)
    assert result.save("copies/copy.png").read_bytes() == Path("mine/image.png").read_bytes()
    with pytest.raises(stn.InputError, match="unknown picture format"):
        result.save("copy.gif")


def test_importing_it_imports_nothing_slow() -> None:
    program = (
        "import sys, stn; stn.InputError; print({'tensorflow', 'hydra', 'numpy'} & {*sys.modules});"
        " stn.nothing"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout == "set()\n"
    assert done.stderr.endswith("AttributeError: module 'stn' has no attribute 'nothing'\n")
    assert {"stylize", "Result"} <= set(dir(stn)) and stn.Result.__module__ == "stn.transfer.result"


@pytest.mark.parametrize(
    "value",
    [
        *(
            None,
            True,
            False,
            0,
            -3,
            2.5,
            1e-07,
            1e22,
            "adam",
            "a b",
            "it's",
            "null",
            "1e3",
            "",
            "a,b",
            "[x]",
            "k=v",
        ),
        *(
            "back\\slash",
            "ends\\",
            "ends\\\\",
            "\\'",
            "'\\",
            'say "so"',
            "~/ü&(1).png",
            "{a:b}",
            "#",
            "true",
        ),
        *(
            [],
            ["relu1_1", "relu2_1"],
            [{"layer": "relu1_1", "weight": 0.5}],
            [1.0, None, "x y"],
            {"name": "adam"},
        ),
    ],
    ids=repr,
)
def test_a_value_survives_hydras_grammar(value: Any) -> None:
    [parsed] = OverridesParser.create().parse_overrides([f"key={overrides.text(value)}"])
    assert parsed.value() == value and type(parsed.value()) is type(value)


def test_values_of_numpy_and_paths_are_pythons() -> None:
    assert overrides.text(np.float64(0.1)) == "0.1" and overrides.text(np.int32(3)) == "3"
    assert overrides.text(np.array([1, 2])) == overrides.text((1, 2)) == "[1,2]"
    assert overrides.text(np.bool_(True)) == "true" and overrides.text(Path("a b")) == "'a b'"


def test_python_measures_files_and_arrays_alike(inputs: dict[str, Path]) -> None:
    paths = [inputs[name] for name in ("content", "style", "content")]
    of_files = stn.measure(*paths, network=inputs["vgg19"])
    assert of_files == stn.measure(*map(images.read, paths), network=inputs["vgg19"])
    with pytest.raises(stn.InputError, match=r"nowhere\.png"):
        stn.measure(*paths[:2], "nowhere.png", network=inputs["vgg19"])
