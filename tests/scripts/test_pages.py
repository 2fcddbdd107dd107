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
