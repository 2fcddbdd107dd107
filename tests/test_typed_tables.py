"""Tables of numbers in README and docs: rendered from data, or listed here with a reason."""

import re

from stn import config

ROOT = config.CONFIG_DIR.parent
GENERATED = "<!-- written by "  # the whole page, by a script
RENDERED = re.compile(r"<!-- (?!end)[^>]*-->\n[\s\S]*?<!-- end -->")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"^(\|.*\|)\n\|[ :|-]+\|\n((?:\|.*\n)+)", re.MULTILINE)
# What has digits and is no number: code, addresses, layers.
NAMED = re.compile(r"`[^`]*`|\]\([^)]*\)|\b(?:relu|conv|pool)\d(?:_\d)?")
SHARE = 0.5  # of the cells behind the first column; from there on a table is one of numbers

SOURCE = "constants of the sources, each with its place there"
GOLDEN = "golden values, which tests compute"
PRINTED = "what another program printed; ours stand beside it in numbers.md"
DEFINED = "definitions: digits are of formulas, equations and years"
FILES = "sizes and checksums of files, which are checked when a file is read"
REASONS = {  # by page and by how the table's first line begins
    "README.md | `preset=`": "scripts/preset_pages.py writes the minutes",
    "docs/METHODS.md | | beta16": FILES,
    "docs/METHODS.md | program | formula": SOURCE,
    "docs/METHODS.md | system | content, weight": SOURCE,
    "docs/METHODS.md | system | optimizer": SOURCE,
    "docs/METHODS.md | who | amplitude": SOURCE,
    "docs/METHODS.md | | a layer's style loss": SOURCE,
    "docs/METHODS.md | `--mmd-kernel`": SOURCE,
    "docs/METHODS.md | | PyTorch": SOURCE,
    "docs/METHODS.md | | `": SOURCE,  # a column a preset, or a network's file
    "docs/METHODS.md | loss | value |": GOLDEN,
    "docs/METHODS.md | loss of X against P": GOLDEN,
    "docs/METHODS.md | of | value": GOLDEN,
    "docs/METHODS.md | quantity | value": GOLDEN,
    "docs/METHODS.md | evaluation": PRINTED,
    "docs/METHODS.md | iteration": PRINTED,
    "docs/contributing/ten_tasks.md | task": "typed by one reader, once",
    "docs/experiments/protocol.md | stage": "the plan of a study, written before it",
    "docs/experiments/protocol.md | pair": "the same page, which is not changed after the results",
    "docs/experiments/protocol_changes.md | stage": "the plan of a study, written before it",
    "docs/experiments/protocol_statistics.md | stage": "the plan of a study, written before it",
    "docs/experiments/side_topics.md | what | printed": PRINTED,
    "docs/reference/losses.md | statistic": DEFINED,
    "docs/reference/losses.md | key | what is compared": DEFINED,
    "docs/how-to/gpu.md | 512 × 384": "reckoned, not measured: no GPU was there",
    "docs/how-to/resume.md | checkpoint of": "counted from the arrays that are written",
    "docs/notes/tried.md | tried | found": "sentences, of which each says how it was measured",
    "docs/presets/index.md | system": SOURCE,
    "docs/reference/measures.md | key": DEFINED,
    "docs/reproduce/figures.md | | painting": SOURCE,
    "docs/start/install.md | what | size": FILES,
    "docs/start/networks.md | `network=`": FILES,
}


def typed(text: str) -> list[str]:
    """The first lines of the tables of numbers that no mark opens."""
    found = TABLE.findall(FENCED.sub("", RENDERED.sub("", text + "\n")))
    return [head for head, body in found if is_of_numbers(body)]


def is_of_numbers(body: str) -> bool:
    cells = [
        cell for line in body.splitlines() for cell in re.split(r"(?<!\\)\|", line.strip())[2:-1]
    ]
    return sum(bool(re.search(r"\d", NAMED.sub("", cell))) for cell in cells) >= SHARE * len(cells)


def test_a_table_of_numbers_is_rendered_from_data_or_has_a_reason() -> None:
    found = [
        f"{page.relative_to(ROOT).as_posix()} {head}"
        for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
        for text in [page.read_text(encoding="utf-8")]
        if not text.startswith(GENERATED)
        for head in typed(text)
    ]
    unlisted = [table for table in found if not table.startswith(tuple(REASONS))]
    assert unlisted == [], "put it into results/tables (docs/contributing), or list it above"
    gone = [key for key in REASONS if not any(table.startswith(key) for table in found)]
    assert gone == []


def test_what_is_found_is_a_table_of_numbers_outside_of_marks() -> None:
    numbers = "| size | seconds |\n|---|---|\n| 64 | 1.5 |\n"
    words = "| layer | seen |\n|---|---|\n| a | `x=2`, relu4_2, [b](2.md) |\n"
    marked = f"<!-- measured: a size=1 -->\n{numbers}<!-- end -->\n"
    assert typed(f"{marked}\n{words}\n```\n{numbers}```\n") == []
    assert typed(f"{marked}\ntext\n\n{numbers}") == ["| size | seconds |"]
