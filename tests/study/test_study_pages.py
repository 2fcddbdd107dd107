"""The study's page: tables from rows, and pictures chosen by rule."""

import csv

import numpy as np
import pytest

from stn import quantities
from stn.errors import InputError
from stn.study import effects, pages, trials

LAYERS = pages.PAGES["layers"]
STUDY = LAYERS.study
PAGE = "".join(
    f"before\n<!-- study: {name} -->\nold\n<!-- end -->\nafter\n"
    for name in (
        *("primary", "all", "budgets", "primary of budgets", "networks", "primary of networks"),
        *("sizes", "primary of sizes"),
        *("choices", "noise", "correlations"),
    )
)


@pytest.fixture(scope="module")
def rows():
    """A study in which Johnson's pictures are 30 % nearer and nothing else differs by more than
    chance; one cell was not reached.
    """
    rng = np.random.default_rng(4)
    found = []
    for photograph, painting, choice in list(STUDY.cells())[:264]:
        values = rng.uniform(0.5, 0.55, len(quantities.MEASURES))
        row = dict(zip(quantities.MEASURES, values, strict=True))
        row["patches_to_style"] *= 0.7 if choice == "johnson" else 1
        names = dict(zip(trials.KEYS, (photograph, painting, choice), strict=True))
        found.append(
            {
                **names,
                **row,
                "network": "vgg19_q8",
                "size_px": 64.0,
                "evaluations": 30.0,
                "matched": 1.0,
                "style_weight": 2.0,
                "features": 0.6,
            }
        )
    found[-1] |= {"matched": 0.0, "features": 0.3}
    return found


def test_the_tables_say_what_the_rows_hold(rows):
    page = pages.with_parts(PAGE, LAYERS, rows, dict.fromkeys(LAYERS.repeated, rows))
    assert page.count("before") == page.count("after") == 11 and "\nold\n" not in page
    [line] = [line for line in page.splitlines() if line.startswith("| Johnson | patches")][:1]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    ratio = np.mean(
        [
            np.log(ours["patches_to_style"] / theirs["patches_to_style"])
            for ours, theirs in zip(rows[1:120:2], rows[0:120:2], strict=True)
        ]
    )
    assert cells[2] == f"**{100 * np.expm1(ratio):+.1f} %**".replace("-", "−") and cells[4] == "60"
    assert pages.with_parts(page, LAYERS, rows, dict.fromkeys(LAYERS.repeated, rows)) == page
    with pytest.raises(InputError, match="study: all"):
        pages.with_parts(
            PAGE.replace("study: all", "x"), LAYERS, rows, dict.fromkeys(LAYERS.repeated, rows)
        )


def test_what_was_not_reached_is_counted(rows):
    table = {row[0]: row for row in pages.of_choices(STUDY, rows)}
    assert table["Johnson"][1:3] == ["60", "0"]
    assert table["Johnson, random weights"][1] == "17"


def test_a_larger_budget_is_compared_on_the_pairs_that_it_has(rows):
    first = [row for row in rows if row["photograph"] == "astronaut"]
    longer = [{**row, "evaluations": 100.0} for row in first]
    for row in longer:
        row["patches_to_style"] *= 2 if row["choice"] == "johnson" else 1
    table = pages.beside(STUDY, rows, longer, "{evaluations:g} evaluations")
    assert table[0] == ["outcome", "30 evaluations", "100 evaluations", "pairs"]
    value = {(row["painting"], row["choice"]): row["patches_to_style"] for row in first}
    ratio = np.mean([np.log(value[p, "johnson"] / value[p, "gatys"]) for p in STUDY.paintings])
    shown = [f"{100 * np.expm1(ratio + np.log(times)):+.1f} %" for times in (1, 2)]
    found = [cell.partition(" (")[0] for cell in table[1][1:3]]
    assert found == [text.replace("-", "−") for text in shown] and table[1][3] == "6"


def test_noise_is_the_deviation_between_two_seeds(rows):
    table = {row[0]: row for row in pages.of_noise(STUDY, rows)}
    value = {(row["photograph"], row["painting"], row["choice"]): row["gram"] for row in rows}
    pairs = [key[:2] for key in value if key[2] == "seed"]
    spread = [np.std(np.log([value[*p, "gatys"], value[*p, "seed"]]), ddof=1) for p in pairs]
    assert table["gram"][1:] == [f"{100 * np.sqrt(np.mean(np.square(spread))):.1f} %", "18"]


def test_a_witness_is_named_once(rows):
    again = [{**row, "style": row["gram"] * 2} for row in rows]
    table = pages.of_correlations(STUDY, again)
    [style] = [row for row in table if row[0] == "style"]
    assert style[2] == "1.00" and style[3] != "1.00"


def test_examples_are_never_of_what_may_not_be_shown(rows, monkeypatch):
    asked = []

    class Bench:
        def inputs_of(self, photograph, painting):
            asked.append(painting)
            return np.zeros((8, 8, 3)), np.zeros((8, 8, 3))

        def made(self, photograph, painting, choice, style_weight):
            return np.zeros((8, 8, 3)), {"patches_to_style": 0.5}

    every, _ = effects.changes(rows, STUDY.contrasts[0], "patches_to_style")
    least = min(every, key=every.get)
    monkeypatch.setattr(pages, "NOT_SHOWN", (least[1],))
    assert len(pages.examples(LAYERS, rows, Bench()).axes) == 12
    assert len(asked) == 3 and least[1] not in asked


@pytest.mark.parametrize("page", pages.PAGES.values(), ids=list(pages.PAGES))
def test_the_committed_results_give_the_committed_page(page):
    rows, text = trials.read(page.results), page.path.read_text(encoding="utf-8")
    assert pages.with_parts(text, page, rows, page.others) == text
    with page.results.open() as file:
        assert len(list(csv.DictReader(file))) == len(rows)
