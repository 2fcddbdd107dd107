"""Write the tables of docs/reference/configuration.md from the schema, stn/config/schema.py.

usage: python scripts/configuration_tables.py [--check]

Between `<!-- keys: image init -->` and `<!-- end -->` stands a table of those groups and keys.
--check: write nothing; exit with 1 if the page is not what would be written.
"""

import argparse
import dataclasses
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from stn import command_line
from stn.analysis import doc_tables
from stn.config import fields
from stn.config.schema import Config
from stn.errors import InputError

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "configuration.md"


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Write the tables of docs/reference/configuration.md."
    )
    parser.add_argument("--check", action="store_true", help="only say whether they are right")
    arguments = parser.parse_args()
    write(PAGE, arguments.check)


def write(page: Path, check: bool) -> None:
    """Write the page's tables, or check them; InputError unless each key is in one of them."""
    rows = dict(rows_of(Config()))
    left = set(rows)

    def table(words: str) -> str:
        chosen = [key for group in words.split() for key in rows if belongs(key, group)]
        for key in chosen:
            if key not in left:
                raise InputError(f"{page.name}: {key} is in two tables")
            left.remove(key)
        lines = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
        return "\n".join([*lines, *(rows[key] for key in chosen)]) + "\n"

    doc_tables.write([page], "keys", table, check)
    if left:
        raise InputError(f"{page.name}: {', '.join(sorted(left))}: in no table")


def belongs(key: str, group: str) -> bool:
    """Whether a key is this one, or one of this group."""
    return f"{key}.".startswith(f"{group}.")


def rows_of(config: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every key and its line of the table."""
    for each in dataclasses.fields(config):
        default, key = getattr(config, each.name), prefix + each.name
        if dataclasses.is_dataclass(default):
            yield from rows_of(default, f"{key}.")
        else:
            shown, about = default_of(default), each.metadata
            cells = (f"`{key}`", shown, allowed(each), about["help"])
            yield key, f"| {' | '.join(cells)} |"


def default_of(value: Any) -> str:
    """What holds where neither a preset nor the user says otherwise."""
    if value == MISSING:
        return "the preset's"
    if isinstance(value, str):
        return "the environment's" if value.startswith("$") else f"`{value}`"
    if isinstance(value, list):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{'null' if value is None else str(value).lower()}`"


def allowed(field: Any) -> str:
    """What a field may be, in words and quoted values, with its unit."""
    kinds = typing.get_args(field.type) if isinstance(field.type, types.UnionType) else [field.type]
    found = [f"`{choice}`" for choice in field.metadata.get("choices", ())]
    found += [field.metadata["values"]] if field.metadata["values"] else []
    if bool in kinds:
        found += ["`true`", "`false`"]
    if "least" in field.metadata:
        bounds = fields.bounds(field.metadata).replace("a finite number", "any number")
        found += [f"whole, {bounds}" if int in kinds else bounds]
    if unit := field.metadata["unit"]:
        found[-1] += f" ({unit})"
    return ", ".join([*found, *["`null`"] * (types.NoneType in kinds)])


if __name__ == "__main__":
    command_line.run_command(main)
