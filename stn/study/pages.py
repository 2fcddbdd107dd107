"""A study's tables and figures, made from its results file: nothing on the page is typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stn import config
from stn.analysis import doc_tables, figures, inference, tables
from stn.errors import InputError
from stn.study import crossing, design, effects, trials
from stn.study.effects import Finding

DOCUMENTS = config.CONFIG_DIR.parent / "docs" / "experiments"
RESULTS = config.CONFIG_DIR.parent / "results"
DRAWN = ("patches_to_style", "gram", "histogram_to_style")
# Not in the public domain everywhere, so never among the example pictures.
NOT_SHOWN = ("femme_nue_assise",)
COLUMNS = 7  # of the example pictures
ENOUGH = 0.7  # rank correlation from which two measures are one witness; ours


@dataclass(frozen=True)
class StudyPage:
    """Where a study is told, and which choices its example pictures show.

    `repeated` are the study again with one thing changed, by what the page calls them: results, and
    what heads their columns."""

    study: design.Design
    path: Path
    shown: tuple[str, ...]
    repeated: Mapping[str, tuple[Path, str]] = field(default_factory=dict)

    @property
    def results(self) -> Path:
        return RESULTS / f"{self.study.name}_vgg19_q8_64.csv"

    @property
    def others(self) -> dict[str, list[trials.Row]]:
        """The rows of each of `repeated`."""
        return {name: trials.read(path) for name, (path, _) in self.repeated.items()}


PAGES = {
    "layers": StudyPage(
        design.LAYERS,
        DOCUMENTS / "ablations.md",
        ("gatys", "johnson"),
        {
            "budgets": (RESULTS / "study_vgg19_q8_64_100.csv", "{evaluations:g} evaluations"),
            "networks": (RESULTS / "study_vgg16_64.csv", "{network}"),
            "sizes": (RESULTS / "study_vgg19_q8_128.csv", "{size_px:g} px"),
        },
    ),
    "statistics": StudyPage(
        design.STATISTICS,
        DOCUMENTS / "style_statistics.md",
        design.STATISTICS.compared,
    ),
    "changes": StudyPage(
        design.CHANGES,
        DOCUMENTS / "changes.md",
        ("gatys", "average", "rescaled", "three", "adam"),
    ),
}


def findings(study: design.Design, rows: Sequence[trials.Row]) -> list[Finding]:
    """Every effect of the study that its rows allow."""
    return effects.findings(rows, study.contrasts, design.OUTCOMES, list(study.paintings))


def parts(
    page: StudyPage, rows: Sequence[trials.Row], others: Mapping[str, Sequence[trials.Row]]
) -> dict[str, str]:
    """The tables of the page as Markdown, by name; `others` are the rows of what is repeated.

    For each of these there is the first contrast's change next to the study's, and the primary
    outcome by the study's own test."""
    found: dict[str, str] = {}
    study = page.study
    for name, again in others.items():
        found[name] = tables.markdown(beside(study, rows, again, page.repeated[name][1]))
        found[f"primary of {name}"] = _primary(findings(study, again))
    own = findings(study, rows)
    return found | {
        "primary": _primary(own),
        "all": tables.markdown(*effects.table(own)),
        "choices": tables.markdown(of_choices(study, rows)),
        "noise": tables.markdown(of_noise(study, rows)),
        "correlations": tables.markdown(of_correlations(study, rows)),
    }


def _primary(found: Sequence[Finding]) -> str:
    return tables.markdown(
        *effects.table([each for each in found if each.outcome == design.OUTCOMES[0]])
    )


def of_choices(study: design.Design, rows: Sequence[trials.Row]) -> list[list[str]]:
    """A row a choice: cells at equal content, cells that none reached, trials a cell, the median
    style weight, and the mean of the primary outcome.
    """
    found = [["choice", "cells", "not reached", "trials a cell", "median β", design.OUTCOMES[0]]]
    for name, choice in study.choices.items():
        own = [row for row in rows if row["choice"] == name]
        cells = {(row["photograph"], row["painting"], name) for row in own}
        ended = [cell for cell in cells if trials.done(trials.trials_of(own, cell))]
        hits = [row for row in own if row["matched"]]
        if hits:
            found.append(
                [
                    choice.label,
                    str(len(hits)),
                    str(len(ended) - len(hits)),
                    f"{len(own) / len(cells):.1f}",
                    f"{np.median([row['style_weight'] for row in hits]):.3g}",
                    f"{np.mean([row[design.OUTCOMES[0]] for row in hits]):.3f}",
                ]
            )
    return found


def beside(
    study: design.Design,
    rows: Sequence[trials.Row],
    others: Sequence[trials.Row],
    heading: str,
) -> list[list[str]]:
    """A row an outcome: the first contrast's change in either study with its interval, over the
    photographs that are complete in both. `heading` is filled in from a row of each.
    """
    contrast, paintings = study.contrasts[0], list(study.paintings)
    found = [["outcome", *(heading.format_map(each[0]) for each in (rows, others)), "pairs"]]
    for outcome in design.OUTCOMES:
        both = [effects.changes(each, contrast, outcome) for each in (rows, others)]
        [factor, same] = (factor for _, factor in both)
        common = {pair: value for pair, value in both[1][0].items() if pair in both[0][0]}
        pairs = effects.complete(common, paintings)
        if not pairs or factor != same:
            continue
        cells = []
        for changes, _ in both:
            effect = inference.effect({pair: [changes[pair]] for pair in pairs})
            assert effect is not None
            cells.append(tables.interval(effect, factor))
        found.append([outcome.replace("_", " "), *cells, str(len(pairs))])
    return found


def of_noise(study: design.Design, rows: Sequence[trials.Row]) -> list[list[str]]:
    """A row an outcome: its deviation over two seeds of one choice, √(Σ d² / 2n) of n pairs."""
    [contrast] = [each for each in study.contrasts if each.choice == "seed"]
    found = [["outcome", "deviation over seeds", "pairs"]]
    for outcome in design.OUTCOMES:
        changes, factor = effects.changes(rows, contrast, outcome)
        d = np.array(list(changes.values()))
        if d.size:
            deviation = float(np.sqrt(np.mean(d**2) / 2))
            text = f"{100 * deviation:.1f} %" if factor else f"{deviation:.3g}"
            found.append([outcome.replace("_", " "), text, str(d.size)])
    return found


def of_correlations(study: design.Design, rows: Sequence[trials.Row]) -> list[list[str]]:
    """Rank correlations of the changes of every two outcomes; bold from ENOUGH on."""
    r = effects.correlations(rows, study.contrasts, design.OUTCOMES)
    found = [["", *(name.replace("_", " ") for name in design.OUTCOMES)]]
    for i, name in enumerate(design.OUTCOMES):
        cells = ["" if np.isnan(value) else f"{value:.2f}" for value in r[i, :i]]
        marked = [
            tables.Bold(cell) if abs(r[i, j]) >= ENOUGH else cell for j, cell in enumerate(cells)
        ]
        found.append([name.replace("_", " "), *marked, *([""] * (len(r) - i))])
    return found


def with_parts(
    text: str,
    page: StudyPage,
    rows: Sequence[trials.Row],
    others: Mapping[str, Sequence[trials.Row]],
) -> str:
    """The page's text with its tables written anew, as `parts` gives them; InputError if it has no
    place for one.
    """
    found, kind = parts(page, rows, others), page.study.name
    for name in found:
        if f"<!-- {kind}: {name} -->" not in text:
            raise InputError(f"the page has no <!-- {kind}: {name} --> … <!-- end -->")
    return doc_tables.filled(text, kind, found.__getitem__)


def figure(study: design.Design, rows: Sequence[trials.Row]) -> figures.Figure:
    """The effects on three distances from the painting, a row a contrast."""
    return effects.draw(findings(study, rows), DRAWN)


def examples(page: StudyPage, rows: Sequence[trials.Row], bench: crossing.Bench) -> figures.Figure:
    """Photograph, painting and the pictures of the choices shown, for the pair with the median
    primary effect of the first contrast and the two with the extreme ones.
    """
    every, _ = effects.changes(rows, page.study.contrasts[0], design.OUTCOMES[0])
    shown = {pair: value for pair, value in every.items() if pair[1] not in NOT_SHOWN}
    lines: list[list[figures.Panel | None]] = []
    for name, pair in effects.examples(shown).items():
        photograph, painting = bench.inputs_of(*pair)
        label = f"{name}\n{tables.change(shown[pair], factor=True)}"
        panels: list[figures.Panel | None] = [
            figures.Panel(photograph, "photograph", label=label),
            figures.Panel(painting, "painting"),
        ]
        weights = {
            row["choice"]: row["style_weight"]
            for row in rows
            if (row["photograph"], row["painting"]) == pair and row["matched"]
        }
        for choice in page.shown:
            if choice in weights:
                rgb, found = bench.made(*pair, choice, weights[choice])
                title = page.study.choices[choice].label
                panels.append(figures.Panel(rgb, f"{title}\n{found[design.OUTCOMES[0]]:.2f}"))
        lines += [panels[first : first + COLUMNS] for first in range(0, len(panels), COLUMNS)]
    return figures.panels(lines)


def write(page: StudyPage, path: Path, folder: Path, bench: crossing.Bench) -> None:
    """Write the page's tables from the results at `path`, and the figures NAME.jpg and
    NAME_examples.jpg of its study into `folder`.
    """
    rows, name = trials.read(path), page.study.name
    figures.save(figure(page.study, rows), folder / f"{name}.jpg")
    figures.save(examples(page, rows, bench), folder / f"{name}_examples.jpg")
    text = with_parts(page.path.read_text(encoding="utf-8"), page, rows, page.others)
    page.path.write_text(text, encoding="utf-8")
