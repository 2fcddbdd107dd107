"""Tables that programs write into documents, each between two comments.

`<!-- KIND: WORDS -->` opens the place of a table, and `<!-- end -->` closes it. WORDS say which
table it is; the only table of a kind needs none."""

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from stn import files
from stn.errors import InputError


def filled(page: str, kind: str, table: Callable[[str], str]) -> str:
    """The text of a page with the tables of a kind written anew; `table` gives each, as whole lines
    of Markdown, by the words of its mark.

    Raises InputError where no end follows a mark before the next comment."""
    mark = rf"<!-- {kind}(?:: (.*))? -->\n"
    place = re.compile(rf"({mark})(?:(?!<!--)[\s\S])*(<!-- end -->)")
    if len(place.findall(page)) != len(re.findall(mark, page)):
        raise InputError(f"<!-- {kind} … -->: one has no <!-- end --> after its table; add it")
    return place.sub(lambda found: f"{found[1]}{table(found[2] or '')}{found[3]}", page)


def write(
    pages: Iterable[Path], kind: str, table: Callable[[str], str], check: bool = False
) -> None:
    """Write the tables of a kind into pages; with `check` say, by exit code 1 and a line, which
    page is not what would be written. Raises InputError as `filled`, and `table`."""
    for page in pages:
        text = page.read_text(encoding="utf-8")
        written = filled(text, kind, table)
        if check and written != text:
            sys.exit(f"{page}: its tables are old; the same command without --check writes them")
        if written != text:
            files.write_text(page, written)
