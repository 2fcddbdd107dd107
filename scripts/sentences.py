"""Measure the sentences of README and docs: python scripts/sentences.py [FILE ...]

A page's sentences have under 20 words on average and never over 35. Prints a line a page that
breaks this, and its long sentences; exits with 1 if there is one. Code, tables and headings are
no sentences.
"""

import argparse
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from stn import command_line

ROOT = Path(__file__).resolve().parents[1]
TOP = ("README", "CONTRIBUTING", "ARTIFACT")  # not CHANGELOG, a list to look things up in
MEAN, MOST = 20, 35  # what we hold ourselves to; other programs' documents have 9 to 15 on average
# What is no sentence: blocks of code, comments, tables, headings, pictures, directives.
NO_SENTENCE = re.compile(
    r"^ *```.*?^ *```$|<!--.*?-->|^ *\|.*?$|^#.*?$|!\[[^]]*\]\([^)]*\)|^:::.*?$|^\?\?\?.*?$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
# A blank line ends a sentence, and so does the next item of a list.
BLOCK = re.compile(r"\n\s*\n|\n\s*(?=(?:[-*>]|\d+\.) )")
# So does a stop before something that begins: a capital, a digit, code, a bold word, a layer.
STOP = re.compile(r"(?<=[.!?])[)\"*”]*\s+(?=[A-Z0-9`*(\[α-ω‖√Σ]|conv\d|relu\d)")
ABBREVIATION = re.compile(r"\b(eqs?|figs?|vs|e\.g|i\.e|et al|cf|no)\.(?=\s)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="default: README and all of docs")
    given = parser.parse_args().files
    pages = given or [*(ROOT / f"{name}.md" for name in TOP), *ROOT.glob("docs/**/*.md")]
    sys.exit(1 if [line for page in sorted(pages) for line in shown(complaints(page))] else 0)


def shown(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        print(line)
        yield line


def complaints(page: Path) -> Iterator[str]:
    """What is too long in a page, a line each."""
    found = list(sentences(page.read_text(encoding="utf-8")))
    lengths = [len(words(each)) for each in found]
    if lengths and statistics.mean(lengths) >= MEAN:
        yield f"{page}: {statistics.mean(lengths):.1f} words a sentence, not under {MEAN}"
    for sentence, length in zip(found, lengths, strict=True):
        if length > MOST:
            yield f"{page}: {length} words: {sentence}"


def sentences(markdown: str) -> Iterator[str]:
    """The sentences of a page, each on one line; a list's items end where the next begins."""
    text = LINK.sub(r"\1", NO_SENTENCE.sub("\n\n", markdown))
    for block in BLOCK.split(text):
        line = ABBREVIATION.sub(r"\1", " ".join(block.split()))
        yield from (each for each in STOP.split(line) if words(each))


def words(sentence: str) -> list[str]:
    """A piece of code or a formula's sign is a word as it is read: signs alone are none."""
    code_is_one = re.sub(r"`[^`]*`", "code", sentence)
    return [word for word in code_is_one.split() if re.search(r"\w", word)]


if __name__ == "__main__":
    command_line.run_command(main)
