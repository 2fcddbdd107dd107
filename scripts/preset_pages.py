"""Write a page for each preset, docs/presets/NAME.md: python scripts/preset_pages.py [--check].

It also writes the minutes of the presets that README.md names.

A page puts together what is said of a preset elsewhere: configs/preset/NAME.yaml with its comments,
the tables of docs/presets/index.md and gallery.md, docs/presets/deviations.md, and the numbers of
results/.

With --check nothing is written, and the exit code is 1 if a page is not what would be.
"""

import argparse
import functools
import json
import re
import runpy
import shlex
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from stn import command_line, config
from stn.analysis import doc_tables, results
from stn.errors import InputError
from stn.images import resizing

FOLDER = config.CONFIG_DIR.parent / "docs" / "presets"
PICTURES = FOLDER.parent / "figures" / "presets"
PRESETS = sorted((config.CONFIG_DIR / "preset").glob("*.yaml"))
PHOTOGRAPH = np.zeros((768, 1024, 3))  # Neckarfront's shape, which most presets paint
MACHINE = "two idle cores of an AMD EPYC with AVX-512"
RESULTS = config.CONFIG_DIR.parent / "results"
PAIR = {"asset:tubingen.jpg", "asset:starry_night_google.jpg", ""}  # a texture has no content
COLUMNS = ("total_loss", "features", "gram", "patches", "ssim", "checkerboard")
STYLES = {"skimage:rocket.jpg": "a rocket at dusk", "skimage:brick.png": "bricks"}
GALLERY = config.CONFIG_DIR.parent / "experiments" / "gallery.py"
OF_ALL = ("3", "14")  # deviations that hold for every preset
PRINTED = {  # what a preset's source printed, and ours: a file of results/tables
    "gatys_released": "printed_notebook",
    "neural_style": "printed_neural_style",
    "neural_style_pt": "printed_neural_style_pt",
    "vgg16_lbfgs_walkthrough": "printed_walkthroughs",
}
START_S = 10  # imports, targets and measures; docs/presets/gallery.md, of the default
# A whole `preset=default` took 108 s for 75 evaluations of 512 × 384 on another AMD EPYC than the
# benchmark's (docs/presets/gallery.md): that is the upper end of what a reader may see.
SLOW_PIXEL_S = (108 - START_S) / 75 / (384 * 512)
# Seconds that a whole run took there, where the benchmark's Gram matrices say little of them.
TAKEN_S = {"kolkin2019": 706}
README = config.CONFIG_DIR.parent / "README.md"
README_ROW = re.compile(r"^(\| `(\w+)` \| .* \| )[\d to]+( \|)$", re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether they are right")
    check, wrong = parser.parse_args().check, []
    texts = {FOLDER / f"{path.stem}.md": page_of(path) for path in PRESETS}
    for page, text in {**texts, README: readme_of(README.read_text(encoding="utf-8"))}.items():
        if not check:
            page.write_text(text, encoding="utf-8")
        elif not page.is_file() or page.read_text(encoding="utf-8") != text:
            wrong.append(page.name)
    if wrong:
        sys.exit(f"{', '.join(wrong)}: run python scripts/{Path(__file__).name}")


def readme_of(text: str) -> str:
    """The README with the minutes of each preset in its table."""
    return README_ROW.sub(
        lambda row: f"{row[1]}{minutes(config.compose(f'preset={row[2]}'))}{row[3]}", text
    )


def page_of(path: Path) -> str:
    name, settings = path.stem, config.compose(f"preset={path.stem}")
    system, row = system_of(name)
    seen = table("gallery.md").get(name)
    exact = ["network=vgg19_q8"] if settings.network.name == "vgg19" else []
    command = " ".join(["python scripts/stylize.py", f"preset={name}", *exact])
    parts = [
        "<!-- written by scripts/preset_pages.py -->",
        f"# `{name}`: {system}",
        opening(system),
        *picture(name, settings, seen),
        "At its own size and budget:",
        f"```sh\n{command}\n```",
        *(["Without `network=vgg19_q8` it takes the exact VGG-19 file, 535 MB."] if exact else []),
        duration(name, settings),
        "## The source",
        *source(path, row),
        "## What differs",
        *deviations(row),
        *numbers(name, settings),
        "## Settings",
        "Every number of the preset, and where it comes from.",
        "\n".join(["| setting | value | source |", "|---|---|---|", *settings_of(path)]),
    ]
    return "\n\n".join(parts) + "\n"


def table(page: str) -> dict[str, dict[str, str]]:
    """The rows of a page's table by the presets that they name, each by its columns."""
    found: dict[str, dict[str, str]] = {}
    head: list[str] = []
    for line in (FOLDER / page).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            head = []
        elif not head:
            head = cells
        elif "preset" in head:
            row = dict(zip(head, cells, strict=True))
            found |= dict.fromkeys(re.findall(r"`(\w+)`", row["preset"]), row)
    return found


def system_of(name: str) -> tuple[str, dict[str, str]]:
    """What a preset is called, and its row of docs/presets/index.md."""
    try:
        row = table("index.md")[name]
    except KeyError:
        raise InputError(f"docs/presets/index.md: no row has the preset {name}") from None
    return ("ours" if row["system"] == "—" else row["system"]), row


def opening(system: str) -> str:
    """What the page gives, in a sentence."""
    if system == "ours":
        return "Not a published system: what it is, how to run it, and every setting."
    return "How this system is reproduced: the command, its source, what differs, every setting."


def picture(name: str, settings: config.Config, seen: dict[str, str] | None) -> Iterator[str]:
    if seen:
        yield f"**Typical of its pictures**: {seen['typical']}."
    if (PICTURES / f"{name}.jpg").is_file():
        yield f"![Painted with preset={name}](../figures/presets/{name}.jpg)"
        typed = painted_with()(name)
        yield f"{pictures(settings)}, {budget(settings, config.compose(*typed))}:"
        yield f"```sh\npython scripts/stylize.py {shlex.join(typed)}\n```"


@functools.cache
def painted_with() -> Callable[[str], tuple[str, ...]]:
    """What experiments/gallery.py types for a preset's picture."""
    found: Callable[[str], tuple[str, ...]] = runpy.run_path(str(GALLERY))["painted"]
    return found


def budget(own: config.Config, painted: config.Config) -> str:
    """Size and evaluations of a picture beside the preset's own."""
    size = "own size" if painted.image == own.image else f"{painted.image.size_px} px"
    count, whole = evaluations(painted), evaluations(own)
    part = f"of its {whole}" if count < whole else f"where its own are {whole}"
    share = "own budget" if count == whole else f"{count} evaluations {part}"
    other = painted.optimizer.name != own.optimizer.name
    told = f"{size} and {share}".replace("own size and own budget", "own size and budget")
    return told + f", with `{painted.optimizer.name}`" * other


def evaluations(settings: config.Config) -> int:
    """How many a run has, all levels and its mixed style together."""
    levels = sum(level.max_evaluations for level in settings.pyramid.levels)
    mixed = settings.mix.max_evaluations if settings.mix.fine else 0
    return settings.optimizer.max_evaluations + levels + mixed


def pictures(settings: config.Config) -> str:
    style = STYLES.get(settings.style.path, "The Starry Night")
    if settings.content.path is None:
        return f"{style[0].upper()}{style[1:]}"
    return f"Neckarfront and {style}"


def duration(name: str, settings: config.Config) -> str:
    if name in TAKEN_S:
        return f"It took {TAKEN_S[name] / 60:.0f} minutes at its own size and budget, on {MACHINE}."
    count = minutes(settings)
    several = " to " in count
    estimate = "lower estimate" if several else "estimate"
    upper = ", the upper for a slower CPU" if several else ""
    return (
        f"It takes about {count} minute{'' if count == '1' else 's'} at its own size and budget."
        f"{longer(settings)} The {estimate} is from the [benchmark](../science/benchmark.md), for"
        f" {MACHINE}{upper}."
    )


def minutes(settings: config.Config) -> str:
    """How many minutes a run takes, all levels together: by the benchmark's seconds a megapixel,
    and by those of a slower machine.
    """
    sizes = json.loads((FOLDER.parent / "science" / "benchmark.json").read_text())["sizes"]
    pixel_s = statistics.median(sizes["384x512"]["ours"]["seconds"]) / (384 * 512)
    image = settings.image
    rule = (image.size_px, image.side, image.aspect, image.rounding)
    levels = [(1.0, settings.optimizer.max_evaluations)]
    levels += [(level.scale, level.max_evaluations) for level in settings.pyramid.levels]
    if settings.mix.fine:
        levels.append((1.0, settings.mix.max_evaluations))
    pixels = sum(
        np.prod(resizing.target_shape(PHOTOGRAPH, *rule, scale)) * count for scale, count in levels
    )
    least, most = (
        max(1, round((START_S + pixels * each) / 60)) for each in (pixel_s, SLOW_PIXEL_S)
    )
    return f"{least} to {most}" if most > least else f"{most}"


def longer(settings: config.Config) -> str:
    """What the benchmark, which has Gram matrices, does not know of a preset's time."""
    dear = [each for each in config.compared(settings) if each not in ("gram", "mean")]
    if not dear:
        return ""
    return f" Expect more, since `{dear[0]}` costs more than the Gram matrices that are counted."


def source(path: Path, row: dict[str, str]) -> Iterator[str]:
    """The preset's own first lines, and what is identical."""
    comments = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] == "#"]
    said = " ".join(line.removeprefix("#").strip() for line in comments[2:])
    yield linked(said if said.endswith(".") else f"{said}.")
    if row["source"]:
        yield "\n".join(
            f"| {' | '.join(cells)} |"
            for cells in (
                ("read from", "identical here"),
                ("---", "---"),
                (linked(row["source"]), row["identical"]),
            )
        )


def linked(text: str) -> str:
    text = text.replace("METHODS.md", "METHODS").replace("deviations.md", "deviations")
    text = re.sub(r"\bMETHODS\b", "[METHODS](../METHODS.md)", text)
    return re.sub(r"\barXiv:(\d{4}\.\d{5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", text)


def deviations(row: dict[str, str]) -> Iterator[str]:
    """The numbered paragraphs that hold for a preset."""
    text = (FOLDER / "deviations.md").read_text(encoding="utf-8")
    every = dict(re.findall(r"^(\d+)\. (.*?)(?=^\d+\. |\Z)", text, re.MULTILINE | re.DOTALL))
    for number in re.findall(r"\d+", row["deviations"]):
        if number in OF_ALL:
            continue
        paragraph = " ".join(every[number].split())
        yield f"**[{number}](deviations.md).** {paragraph}"
    yield (
        "[Deviations 3 and 14](deviations.md) hold for every preset: budgets count evaluations,"
        " and wide layers are computed by Winograd's algorithm."
    )


def numbers(name: str, settings: config.Config) -> Iterator[str]:
    """What the preset's run of results/presets.csv has, and what its source printed."""
    rows = [
        row
        for row in results.read(RESULTS / "presets.csv")
        if row["preset"] == name and {row["content"], row["style"]} <= PAIR
    ]
    if rows or name in PRINTED:
        yield "## Numbers"
    if rows:
        row = rows[0]
        yield (
            f"{pictures(settings)} at {row['size_px']} px, {row['evaluations']}"
            f" evaluations on `{row['network']}`, commit {row['commit'][:7]}. The measures are"
            " [those of every run](../reference/measures.md)."
        )
        yield results.table(rows[:1], COLUMNS).rstrip()
    if name in PRINTED:
        yield (
            "What the source printed and what comes out here, as"
            " [Losses that programs printed](../science/numbers.md) says:"
        )
        path = RESULTS / "tables" / f"{PRINTED[name]}.csv"
        yield doc_tables.table(doc_tables.read(path), {}).rstrip()


def settings_of(path: Path) -> Iterator[str]:
    """A row a setting; a comment stands for all that its line sets, or opens."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    named = {  # a value that others take again, as `*name`
        found[1]: found[2] for found in re.finditer(r"&(\w+)(?: #.*)?\s+(\[[^]]*\])", text)
    }

    def as_typed(value: Any) -> str:
        """The value in one line, without comments and names."""
        if isinstance(value, yaml.SequenceNode) and not value.flow_style:
            return f"[{', '.join(map(as_typed, value.value))}]"
        if isinstance(value, yaml.MappingNode) and not value.flow_style:
            parts = (f"{key.value}: {as_typed(each)}" for key, each in value.value)
            return f"{{{', '.join(parts)}}}"
        found = text[value.start_mark.index : value.end_mark.index].strip()
        found = re.sub(r"\s+#.*$", "", found, flags=re.MULTILINE)
        found = re.sub(r"^&\w+\s+", "", found)
        return " ".join(re.sub(r"\*(\w+)", lambda name: named[name[1]], found).split())

    def rows(node: Any, prefix: str, said: str) -> Iterator[str]:
        for key, value in node.value:
            line = lines[key.start_mark.line]
            about = line.partition(" # ")[2] or said
            full = f"{prefix}{key.value}"
            if isinstance(value, yaml.MappingNode):
                yield from rows(value, f"{full}.", about)
            elif full != "name":
                cells = (f"`{full}`", f"`{as_typed(value)}`", linked(about))
                yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    yield from rows(yaml.compose(text), "", "")


if __name__ == "__main__":
    command_line.run_command(main)
