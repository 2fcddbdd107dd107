"""Every command and link in README and docs: cheap commands are run, long ones composed or parsed;
and the tutorial.
"""

import argparse
import dataclasses
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import SMALL
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from stn import assets, config, runs
from stn.assets import catalog
from stn.commands import words as typed_words
from stn.config import names as known
from stn.config.overrides import quoted
from stn.experiment import frame

ROOT = config.CONFIG_DIR.parent
GENERATED = "<!-- written by "  # by a script, which holds them to their sources in make check
PAGES = [
    page
    for page in (
        *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "ARTIFACT")),
        *sorted((ROOT / "docs").rglob("*.md")),
    )
    if not page.read_text().startswith(GENERATED)
]
TYPED = "python (?:scripts|experiments)/|make |pip install |wandb "
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(rf"`((?:{TYPED})[^`]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    return [body for found, body in FENCED.findall(page.read_text()) if found == language]


def commands(page: Path) -> list[str]:
    """The lines of a page's shell blocks, and the commands that its sentences name."""
    lines = [
        line
        for body in blocks(page, "sh")
        for line in body.replace("\\\n", " ").splitlines()
        if line.strip()
    ]
    # In a sentence a command may break at the end of a line.
    return lines + [
        " ".join(found.split()) for found in INLINE.findall(FENCED.sub("", page.read_text()))
    ]


def words_of(command: str) -> list[str]:
    """The command's words, without the comment and the environment before it."""
    words = shlex.split(command, comments=True)
    while "=" in words[0]:
        words.pop(0)
    return words


COMMANDS = sorted({command for page in PAGES for command in commands(page)})


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_stand_where_this_file_finds_them(page: Path) -> None:
    """In blocks that open with ```sh, not in other blocks and not indented."""
    text = page.read_text()
    others = [body for language, body in FENCED.findall(text) if language != "sh"]
    hidden = re.compile(rf"^\s*(?:\$ )?(?:{TYPED}).*", re.MULTILINE)
    assert [found for body in others for found in hidden.findall(body)] == []
    assert re.findall(rf"^ {{4,}}(?:{TYPED}).*", FENCED.sub("", text), re.MULTILINE) == []


def parsed(words: list[str]) -> tuple[list[Override], list[str]]:
    """What Hydra reads in the words that are overrides, and those words that are the
    configuration's own.
    """
    given = [word for word in words if not word.startswith("-")]
    overrides = OverridesParser.create().parse_overrides(quoted(given))
    own = [override for override in overrides if not override.key_or_group.startswith("hydra")]
    return overrides, [str(override.input_line) for override in own]


def check_hydras(overrides: list[Override]) -> None:
    """Overrides of Hydra itself name launchers and keys that are there; most launchers are not
    installed.
    """
    for override in overrides:
        if override.key_or_group == "hydra/launcher":
            assert (config.CONFIG_DIR / "hydra" / "launcher" / f"{override.value()}.yaml").is_file()
        elif override.key_or_group == "hydra/sweeper":
            assert override.value() == "optuna"
        elif override.key_or_group.startswith("hydra"):
            assert override.key_or_group.startswith(
                ("hydra.run.dir", "hydra.sweep.dir", "hydra.launcher.")
            )


def check_stylize(words: list[str]) -> None:
    overrides, own = parsed([word for word in typed_words.understood(words) if word != "job"])
    check_hydras(overrides)
    sweeping = [override for override in overrides if override.is_sweep_override()]
    assert bool(sweeping) == ("-m" in words)
    plain = [line for line in own if line not in {override.input_line for override in sweeping}]
    axes = [
        [f"{each.key_or_group}={each.value().start}"]  # of an interval any value will do
        if each.is_interval_sweep()
        else [f"{each.key_or_group}={value}" for value in each.sweep_string_iterator()]
        for each in sweeping
    ]
    # Each value once, which is fewer than all combinations.
    for number in range(max(map(len, axes), default=1)):
        config.compose(*plain, *(axis[min(number, len(axis) - 1)] for axis in axes))


def check_experiment(script: Path, words: list[str]) -> None:
    overrides, own = parsed(words)
    check_hydras(overrides)
    experiment = runpy.run_path(str(script))["EXPERIMENT"]
    cells = experiment.cells(config.compose(*experiment.base, *own))
    # Two of what may be hundreds, all of which test_experiments.py composes.
    ends = dataclasses.replace(experiment, cells=lambda base: [cells[0], cells[-1]])
    assert frame.compose(ends, own)


class Parsed(Exception):
    """The arguments were understood; the program is to go no further."""


def check_arguments(script: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The script's own parser takes the words; nothing is downloaded or measured."""
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(self: argparse.ArgumentParser, *given: Any) -> argparse.Namespace:
        parse(self, *given)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    with pytest.raises(Parsed):
        run_script(script, words, monkeypatch)


@pytest.fixture
def here(inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the pages speak of, and networks that are small."""
    for name, role in (
        ("photo.jpg", "content"),
        ("painting.jpg", "style"),
        ("photos/1.png", "content"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(inputs[role], tmp_path / name)
    monkeypatch.setenv("STN_CACHE", str(tmp_path / "cache"))
    for network in catalog.NETWORKS:
        path = assets.weights_path(network)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(inputs["vgg16" if "16" in network else "vgg19"], path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_script(script: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(script), *words])
    monkeypatch.syspath_prepend(script.parent)  # where Python looks first
    runpy.run_path(str(script))["main"]()


def check_python(
    words: list[str], here: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    script, given = ROOT / words[0], words[1:]
    if words[0] == "scripts/stylize.py":
        if "--resume" in given:
            run(here / given[given.index("--resume") + 1])
        check_stylize(given)
    elif words[0].startswith("experiments/") and "EXPERIMENT" in runpy.run_path(str(script)):
        check_experiment(script, given)
    # A live page would serve for ever; effects take a sweep, which tests/analysis makes.
    elif words[0] == "scripts/report.py" and not {"--live", "--effects"} & set(given):
        compared = len(given) > 1 and not given[1].startswith("-")
        for run_dir in given[:2] if compared else [f"{given[0]}/0"]:
            run(here / run_dir)
        run_script(script, given, monkeypatch)
        page = here / ("comparison.html" if compared else f"{given[0]}/report.html")
        assert "<html" in page.read_text()
        written = [
            here / word for word in given if Path(word).suffix in (".csv", ".md", ".tex", ".pdf")
        ]
        assert all(path.stat().st_size for path in written)
    # Without a folder the means that the program ships are made again, which takes minutes.
    elif words[0] == "scripts/classify.py" or words[:2] == [
        "scripts/mean_activations.py",
        "photos/",
    ]:
        run_script(script, given, monkeypatch)
    else:
        check_arguments(script, given, monkeypatch)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one(
    command: str, here: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    program, *words = words_of(command)
    if program == "python":
        check_python(words, here, run, monkeypatch)
    elif program == "make":
        subprocess.run(["make", "-n", *words], cwd=ROOT, check=True, capture_output=True)
    elif program == "pip":
        extra = re.fullmatch(r"\.\[(\w+)\]", words[-1])
        assert words[:-1] in (["install"], ["install", "-e"]) and extra
        assert f"\n{extra[1]} =\n" in (ROOT / "setup.cfg").read_text()
    elif program == "source":
        assert words == [".venv/bin/activate"]
        assert "-m venv .venv\n" in (ROOT / "Makefile").read_text()
    elif program == "wandb":
        from wandb.cli.cli import cli  # takes a second

        assert words[0] in cli.commands
        assert words[0] != "sweep" or (ROOT / words[1]).is_file()
    else:
        pytest.fail(f"no rule here for {program}: {command}")


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name_of)
def test_pythons_blocks_run(page: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compose = config.compose
    monkeypatch.setattr(config, "compose", lambda *given: compose(*given, *SMALL))
    for body in blocks(page, "python"):
        names: dict[str, Any] = {}
        exec(compile(body, page.name, "exec"), names)
        assert names["result"].rgb.ndim == 3


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file(page: Path) -> None:
    targets = [
        target.partition("#")[0] for target in LINK.findall(page.read_text()) if "://" not in target
    ]
    missing = [target for target in targets if target and not (page.parent / target).is_file()]
    assert not missing


def test_each_number_of_a_deviation_links_to_its_line_and_a_section_to_its_heading() -> None:
    """In comments, texts and documents: "deviation 21", "deviations.md, 21", "§2.4"; a preset's
    file names those of its row in docs/presets/index.md.
    """
    docs = ROOT / "docs"
    listed = set(re.findall(r"^(\d+)\. ", (docs / "presets/deviations.md").read_text(), re.M))
    headings = set(re.findall(r"^#+ (\d(?:\.\d)?)\.? ", (docs / "METHODS.md").read_text(), re.M))
    rows = [
        re.split(r"(?<!\\)\|", line)
        for line in (docs / "presets/index.md").read_text().splitlines()
        if line.count("|") > 5
    ]
    of_preset = {
        name: {"3", "14", *re.findall(r"\d+", cells[4])}  # those two hold for all
        for cells in rows
        for name in re.findall(r"\[`(\w+)`\]", cells[2])
    }
    assert set().union(*of_preset.values()) == listed
    folders = ("stn", "scripts", "experiments", "configs", "docs")
    texts = [path for name in folders for path in (ROOT / name).rglob("*.*")]
    texts = [path for path in texts if path.suffix in (".py", ".yaml", ".md")]
    for path in (*texts, ROOT / "README.md", ROOT / "CHANGELOG.md"):
        flat = re.sub(r"\s*\n\s*(?:# ?)?", " ", path.read_text())
        named = set(re.findall(r"\bdeviations?(?:\.md,?)? (\d+)\b", flat, re.IGNORECASE))
        assert named <= of_preset.get(path.stem, listed), path
        assert set(re.findall(r"§(\d(?:\.\d+)*)", flat)) <= headings, path


# The ten tasks of docs/contributing/ten_tasks.md: a page that README links, or README itself, and
# what is typed there.
TASKS = {
    "install": ("README.md", "make demo"),
    "own picture": ("README.md", "python scripts/stylize.py photo.jpg painting.jpg"),
    "sweep": ("docs/how-to/sweeps.md", "python scripts/stylize.py -m"),
    "compare": ("docs/how-to/compare_layers.md", "layers=gatys,johnson"),
    "figure": ("docs/reproduce/index.md", "python experiments/"),
    "resume": ("docs/how-to/resume.md", "--resume"),
    "large picture": ("docs/how-to/large_pictures.md", "image.size_px=2048"),
    "mask": ("docs/how-to/controls.md", "result_mask="),
    "measure": ("docs/how-to/measure.md", "python scripts/measure.py"),
    "cite": ("README.md", "@software{stn,"),
}


@pytest.mark.parametrize("task", TASKS)
def test_each_of_ten_tasks_is_at_most_one_link_from_the_readme(task: str) -> None:
    page, typed = TASKS[task]
    readme = (ROOT / "README.md").read_text()
    assert page == "README.md" or page in LINK.findall(readme)
    assert typed in (ROOT / page).read_text()


def test_what_is_folded_is_read_as_markdown_on_the_site_too() -> None:
    """Python-Markdown leaves a block of HTML as it is typed unless the block says otherwise."""
    opened = [tag for page in PAGES for tag in re.findall("<details[^>]*>", page.read_text())]
    assert set(opened) == {'<details markdown="1">'}


def outputs(notebook: Any) -> list[list[str]]:
    """What kinds of outputs each cell has: streams by name, pictures by format, text."""
    found = [cell.get("outputs", []) for cell in notebook.cells]
    return [
        sorted(kind for each in cell for kind in each.get("data", {each.get("name"): None}))
        for cell in found
    ]


def test_the_tutorial_runs_and_has_the_outputs_of_its_cells(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(here / name))
    tutorial = runpy.run_path(str(ROOT / "scripts" / "tutorial.py"))
    (here / "empty").mkdir()
    executed = tutorial["execute"](
        here / "empty", "size_px, evaluations = 32, 3"
    )  # which raises what a cell raises
    bars = [
        each.text
        for cell in executed.cells
        for each in cell.get("outputs", [])
        if each.get("name") == "stderr"
    ]
    assert bars and all(
        re.search(r"100%.* 3/3 .*total ", line)
        for text in bars
        for line in text.splitlines()
        if line
    )
    folder = here / "empty" / "outputs" / "tutorial"
    assert {path.name for path in (here / "empty").iterdir()} == {"outputs"}
    assert [run.state for run in runs.below(folder)] == ["finished"] * 3
    assert "<html" in (folder / "report.html").read_text()
    committed = nbformat.read(tutorial["NOTEBOOK"], as_version=4)
    assert outputs(committed) == outputs(executed)
    assert sum(kind.startswith("image/") for cell in outputs(committed) for kind in cell) == 4
    assert tutorial["NOTEBOOK"].stat().st_size < 10**6
    assert str(ROOT.parent) not in tutorial["NOTEBOOK"].read_text()  # no machine's paths


def test_the_readme_is_a_screen_and_a_half() -> None:
    words = [each for each in (ROOT / "README.md").read_text().split() if re.search(r"\w", each)]
    assert len(words) < 900


def test_the_reference_has_every_key_and_the_systems_every_preset() -> None:
    reference = (ROOT / "docs" / "reference" / "configuration.md").read_text()
    assert [key for key in known.keys() if f"`{key}`" not in reference] == []  # noqa: SIM118
    rows = {line.split("`")[1]: line for line in reference.splitlines() if line.startswith("| `")}
    for group in known.groups().keys() - {"preset", "content", "style"}:  # which name a folder
        choices = known.groups()[group]
        assert [each for each in choices if f"`{each}`" not in rows[f"{group}="]] == [], group
    systems = (
        ROOT / "docs" / "presets" / "index.md"
    ).read_text()  # the README has six of them, as a start
    presets = {path.stem for path in (config.CONFIG_DIR / "preset").glob("*.yaml")}
    assert {name for name in presets if f"`{name}`" not in systems} == set()
