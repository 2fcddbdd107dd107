"""The scripts that hold the documents: sentences.py and preset_pages.py."""

import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from stn import config

SCRIPTS = config.CONFIG_DIR.parent / "scripts"
SHORT = "A short one."


@pytest.fixture
def said(tmp_path: Path) -> Any:
    """What sentences.py says of a page, without the page's name."""
    complaints = runpy.run_path(str(SCRIPTS / "sentences.py"))["complaints"]
    page = tmp_path / "page.md"

    def about(text: str) -> list[str]:
        page.write_text(text, encoding="utf-8")
        return [line.removeprefix(f"{page}: ") for line in complaints(page)]

    about.complaints = complaints  # type: ignore[attr-defined]
    return about


def long(words: int) -> str:
    return " ".join(["word"] * (words - 1)) + " end."


def test_a_sentence_of_36_words_is_too_long_and_35_are_not(said: Any) -> None:
    few = f" {SHORT}" * 9  # so that the mean is no matter
    assert said(long(35) + few) == []
    assert said(long(36) + few) == [f"36 words: {long(36)}"]


def test_twenty_words_on_average_are_too_many(said: Any) -> None:
    assert said(f"{long(19)}\n\n{long(20)}") == []
    assert said(f"{long(20)}\n\n{long(20)}") == ["20.0 words a sentence, not under 20"]


@pytest.mark.parametrize(
    "text",
    [
        f"```sh\n{long(40)}\n```\n\n{SHORT}",
        f"| a | {long(40)} |\n\n{SHORT}",
        f"# {long(40)}\n\n{SHORT}",
        f"<!-- {long(40)} -->\n{SHORT}",
        f"![{long(40)}](a.jpg)\n\n{SHORT}",
        f"- {long(19)}\n- {long(19)}\n- {long(19)}",  # a list's items
        f"Eq. (4) of et al. says so: `{long(40)}` is one word.",
    ],
)
def test_what_is_no_sentence_does_not_count(said: Any, text: str) -> None:
    assert said(text) == []


def test_a_list_whose_items_lead_over_to_the_next_is_one_sentence(said: Any) -> None:
    few = f"\n\n{SHORT}" * 9
    item = f"- {long(13)[:-1]}"
    assert said(f"{item};\n{item};\n{item}.{few}") == [f"39 words: {item}; {item}; {item}."]
    assert said(f"{item}.\n{item}.\n{item}.{few}") == []


@pytest.mark.parametrize(
    ("suffix", "code"),
    [
        (".py", 'def f():\n    """{}"""\n'),
        (".py", 'raise InputError(\n    f"{{name}} {}"\n)\n'),
        (".py", 'parser.add_argument("--size", help="{}")\n'),
        (".js", 'const text = "{}";\n'),
        (".html", "<p>{}</p>\n"),
    ],
)
def test_what_a_program_says_is_read_as_a_page_is(
    said: Any, tmp_path: Path, suffix: str, code: str
) -> None:
    def of(words: int) -> list[str]:
        (tmp_path / f"program{suffix}").write_text(code.format(long(words)), encoding="utf-8")
        return [
            line for line in said.complaints(tmp_path / f"program{suffix}") if " words: " in line
        ]

    assert of(34) == [] and len(of(36)) == 1


def test_a_text_in_code_is_put_together_and_columns_are_no_sentences(
    said: Any, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    half = " ".join(["word"] * 18)
    program.write_text(f'print(\n    "{half} "\n    f"{half}" + " end."\n)\n')
    assert any("37 words: " in line for line in said.complaints(program))
    program.write_text('"""Usage.\n\n' + "key=1    what it is and does\n" * 9 + '"""\n')
    assert list(said.complaints(program)) == []


def test_an_abbreviation_ends_no_sentence(said: Any) -> None:
    half = " ".join(["word"] * 17)
    assert len(said(f"{half} eq. 4 {half} end." + f" {SHORT}" * 9)) == 1


def test_a_page_of_a_preset_has_every_setting_with_its_value_and_source() -> None:
    page_of = runpy.run_path(str(SCRIPTS / "preset_pages.py"))["page_of"]
    path = config.CONFIG_DIR / "preset" / "johnson2016.yaml"
    page = page_of(path)

    def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in tree.items():
            if isinstance(value, dict):
                found |= flat(value, f"{prefix}{key}.")
            else:
                found[prefix + key] = value
        return found

    rows = {
        cells[1].strip(" `"): yaml.safe_load(cells[2].strip(" `"))
        for cells in (line.split("|") for line in page.splitlines() if line.startswith("| `"))
    }
    expected = flat(yaml.safe_load(path.read_text(encoding="utf-8")))
    del expected["name"]
    assert rows == expected
    assert "| `image.size_px` | `512` | 256, 512 and 1024 in figure 5 |" in page
    for number in (2, 6, 9, 22):  # docs/presets/index.md
        assert f"**[{number}](deviations.md).**" in page


def test_the_minutes_of_the_readme_and_the_pages_hold_what_was_measured() -> None:
    """108 s for 75 evaluations of the default, and 0.59 s an evaluation in the benchmark."""
    pages = runpy.run_path(str(SCRIPTS / "preset_pages.py"))
    row = "| `{}` | what it is | {} |"
    written = pages["readme_of"](f"{row.format('default', 9)}\n| `layers` | no preset | as it is |")
    assert written.splitlines() == [
        row.format("default", "1 to 2"),
        "| `layers` | no preset | as it is |",
    ]
    readme = (SCRIPTS.parent / "README.md").read_text(encoding="utf-8")
    assert pages["readme_of"](readme) == readme
    assert len(pages["README_ROW"].findall(readme)) == 6
