"""Measure the sentences that people read: python scripts/sentences.py [FILE ...]

Pages (README and docs), every text in a program's code (docstrings, help, errors, captions) and
the report page have under 20 words a sentence on average and never over 35. Prints a line a file
that breaks this, and its long sentences; exits with 1 if there is one. Code, tables and headings
are no sentences.
"""

import argparse
import ast
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from stn import command_line

ROOT = Path(__file__).resolve().parents[1]
# Not CHANGELOG, a list to look things up in.
READ = ("README.md", "CONTRIBUTING.md", "ARTIFACT.md", "docs/**/*.md")
PROGRAM = ("stn/**/*.py", "scripts/*.py", "experiments/*.py", "stn/report/web/*.*")
MEAN, MOST = 20, 35  # what we hold ourselves to; other programs' documents have 9 to 15 on average
FEWEST = 4  # words of a sentence: in code a shorter text is a name, a title or a part of a line
# What is no sentence: blocks of code, comments, tables, headings, pictures, directives.
NO_SENTENCE = re.compile(
    r"^ *```.*?^ *```$|<!--.*?-->|^ *\|.*?$|^#.*?$|!\[[^]]*\]\([^)]*\)|^:::.*?$|^\?\?\?.*?$",
    re.MULTILINE | re.DOTALL,
)
COLUMNS = re.compile(r"^.*\S {2,}\S.*$", re.MULTILINE)  # a table in a docstring or a help text
LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
# A blank line ends a sentence. So does the next item of a list, unless a semicolon or comma leads
# over to it.
BLOCK = re.compile(r"\n\s*\n|(?<![;,])\n\s*(?=(?:[-*>]|\d+\.) )")
# So does a stop before something that begins: a capital, a digit, code, a bold word, a layer.
STOP = re.compile(r"(?<=[.!?])[)\"*”]*\s+(?=[A-Z0-9`*(\[α-ω‖√Σ]|conv\d|relu\d)")
ABBREVIATION = re.compile(r"\b(eqs?|figs?|vs|e\.g|i\.e|et al|cf|no)\.(?=\s)")
QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`')  # JavaScript's
VALUE = "it"  # what stands for a value that a text has when it is shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="default: all that people read")
    given = parser.parse_args().files
    found = given or [path for pattern in (*READ, *PROGRAM) for path in ROOT.glob(pattern)]
    sys.exit(1 if [line for path in sorted(found) for line in shown(complaints(path))] else 0)


def shown(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        print(line)
        yield line


def complaints(path: Path) -> Iterator[str]:
    """What is too long in a file, a line each."""
    fewest = 1 if path.suffix == ".md" else FEWEST
    found = [(each, len(words(each))) for text in texts(path) for each in sentences(text)]
    lengths = [length for _, length in found if length >= fewest]
    if lengths and statistics.mean(lengths) >= MEAN:
        yield f"{path}: {statistics.mean(lengths):.1f} words a sentence, not under {MEAN}"
    for sentence, length in found:
        if length > MOST:
            yield f"{path}: {length} words: {sentence}"


def texts(path: Path) -> Iterator[str]:
    """What a person reads of a file: a page whole, of a program what its strings say."""
    whole = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield whole
    elif path.suffix == ".py":
        yield from (COLUMNS.sub("\n\n", text) for text in strings(ast.parse(whole)))
    elif path.suffix == ".js":
        for quoted in QUOTED.finditer(whole):
            yield re.sub(r"\$\{[^}]*\}", VALUE, quoted[1] or quoted[2] or "")
    elif path.suffix == ".html":
        yield re.sub(r"<[^>]*>", "\n\n", whole)


def strings(node: ast.AST) -> Iterator[str]:
    """Every string below a node; its parts are put together, and values stand in its places."""
    if _is_text(node):
        yield _text(node)
    else:
        for child in ast.iter_child_nodes(node):
            yield from strings(child)


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    if isinstance(node, ast.BinOp) and _is_text(node):
        return _text(node.left) + _text(node.right)
    return VALUE


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text, each on one line."""
    text = LINK.sub(r"\1", NO_SENTENCE.sub("\n\n", text))
    for block in BLOCK.split(text):
        line = ABBREVIATION.sub(r"\1", " ".join(block.split()))
        yield from (each for each in STOP.split(line) if words(each))


def words(sentence: str) -> list[str]:
    """A piece of code or a formula's sign is a word as it is read: signs alone are none."""
    code_is_one = re.sub(r"`[^`]*`", "code", sentence)
    return [word for word in code_is_one.split() if re.search(r"\w", word)]


if __name__ == "__main__":
    command_line.run_command(main)
