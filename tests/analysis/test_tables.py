"""Tables: digits, units, marks of noise, and files that another program reads."""

import csv
import re
import runpy
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from made_runs import make_run

from stn import config, errors, quantities, runs
from stn.analysis import grouping, sweep_tables, tables
from stn.analysis.grouping import Estimate

SCRIPT = config.CONFIG_DIR.parent / "scripts" / "report.py"
# of average pooling, of max pooling with a deviation of 2 and a difference of 1.5, of another
# difference
STYLE = {
    "avg": (10.0, 12.0, 14.0),
    "max": (11.5, 13.5, 15.5),
    "file_&_50%": (40.0, 42.0, 44.0),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three groups of three seeds, a run that did not finish and one that failed at once."""
    folder = tmp_path_factory.mktemp("tables") / "sweep"
    for name, values in STYLE.items():
        for seed, value in enumerate(values):
            overrides = (
                [f"network.pooling={name}"]
                if name in ("avg", "max")
                else [f"style.path='/a/{name}.png'"]
            )
            measures = {
                "measures/style": value,
                "measures/style/relu1_1": 1e7 * value / 3,
                "measures/content": 1 / 3,
            }
            make_run(
                folder / f"{name[:4]}-{seed}",
                0.123456789,
                *overrides,
                f"seed={seed}",
                rows=1,
                **measures,
            )
    make_run(folder / "killed", None, "seed=7")
    (folder / "refused").mkdir()
    (folder / "refused" / runs.FAILED).write_text(
        '{"error": "no, \\"really\\" not", "overrides": ["seed=x"]}'
    )
    return folder


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`report(*words)`: scripts/report.py, in this process."""

    def call(*words: object) -> None:
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, words)])
        runpy.run_path(str(SCRIPT))["main"]()

    return call


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.123"),
        (0.43, "0.430"),
        (0.00123456, "0.00123"),
        (0.0000123456, "1.23e-5"),
        (9.999, "10.0"),
        (99.96, "100"),
        (12345.6, "12300"),
        (123456.0, "1.23e5"),
        (-2.5e7, "-2.50e7"),
        (500, "500"),
        (1234.0, "1234"),
        (0, "0"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert tables.three_digits(value) == text


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.4321, 0.01149, 3), "0.432 ± 0.011"),
        (Estimate(4.321e7, 1.149e6, 3), "(4.32 ± 0.11)e7"),
        (Estimate(-4.321e-7, 1.149e-8, 2), "(-4.32 ± 0.11)e-7"),
        (Estimate(12.0, 0.0, 2), "12 ± 0"),
        (Estimate(0.4321, float("nan"), 1), "0.432"),
        (None, ""),
    ],
)
def test_a_deviation_has_two_digits_and_the_power_of_its_mean(
    estimate: Estimate | None, text: str
) -> None:
    assert sweep_tables.estimated(estimate) == text


def test_units_are_named() -> None:
    assert [tables.heading(key) for key in ("seconds", "peak_memory_mb", "measures/style")] == [
        "time (s)",
        "peak memory (MiB)",
        "measures/style",
    ]


def test_runs_csv_has_every_run_and_every_digit(
    folder: Path, report, tmp_path: Path, capsys
) -> None:
    path = tmp_path / "runs.csv"
    report(folder, "--table", path, "--output", tmp_path / "page.html")
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'page.html'}\n{path}\n"
    assert err == "left out, not finished: killed, refused\n"
    with path.open(newline="") as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    assert len(rows) == 11 and list(next(iter(rows.values())))[:3] == ["run", "state", "error"]
    assert float(rows["avg-2"]["measures/content"]) == 1 / 3
    assert (rows["max-1"]["network.pooling"], rows["max-1"]["seed"]) == ("max", "1")
    assert [rows[name]["state"] for name in ("avg-0", "killed", "refused")] == [
        "finished",
        "unfinished",
        "failed",
    ]
    assert rows["refused"]["error"] == 'no, "really" not' and rows["killed"]["measures/style"] == ""


def test_a_markdown_table_has_groups_and_marks_what_is_noise(
    folder: Path, report, tmp_path: Path
) -> None:
    path = tmp_path / "table.md"
    report(folder, "--table", path, "--output", tmp_path / "page.html")
    head, rule, *rows = [
        line.strip("| ").split(" | ")
        for line in path.read_text().splitlines()
        if line.startswith("|")
    ]
    assert head[-4:] == [
        "seeds",
        "measures/style ↓",
        "measures/content ↓",
        "time (s) ↓",
    ]  # no layer's own measure
    assert rule[-1] == "---:" and rule[0] == "---"
    style = {
        row[head.index("style.path")] + row[head.index("network.pooling")]: row[-3] for row in rows
    }
    assert style == {
        "strokesavg": "**12 ± 2**",
        "strokesmax": "13.5 ± 2 ≈",
        "file\\_\\&\\_50%avg": "42 ± 2",
    }
    text = path.read_text()
    assert "Left out, not finished: killed, refused." in text and "deviation over seeds" in text


def test_what_is_noise_depends_on_the_baseline(folder: Path, report, tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    page = ("--output", tmp_path / "page.html")
    report(folder, "--table", path, "--columns", "style", "--baseline", "file-1", *page)
    assert "≈ |" not in path.read_text() and "| 42 ± 2 |" in path.read_text()
    report(folder, "--table", path, "--columns", "style", "--baseline", "max-0", *page)
    assert "| **12 ± 2 ≈** |" in path.read_text()


def test_a_markdown_table_without_notes_ends_with_its_last_row() -> None:
    rows = [["change", "share"], ["a | b", "1.50 ± 0.02"], ["c", ""]]
    expected = ["| change | share |", "| --- | ---: |", r"| a \| b | 1.50 ± 0.02 |", "| c |  |"]
    assert tables.markdown(rows) == "\n".join(expected) + "\n"


def test_groups_of_another_size_are_not_marked(tmp_path: Path) -> None:
    for size in (64, 128):
        for seed in (0, 1):
            overrides = (f"image.size_px={size}", f"seed={seed}")
            make_run(tmp_path / f"{size}-{seed}", 1.0, *overrides, **{"measures/style": 1.0 + seed})
    groups = grouping.over_seeds(runs.below(tmp_path))
    cells = [row[-1] for row in sweep_tables.of_groups(groups, ["measures/style"], groups[0])[1:]]
    assert cells == ["1.50 ± 0.71", "1.50 ± 0.71"]


def test_a_latex_table_has_booktabs_rules_and_escapes_its_text(
    folder: Path, report, tmp_path: Path
) -> None:
    path = tmp_path / "table.tex"
    report(
        folder,
        "--table",
        path,
        "--columns",
        "style,style/relu1_1",
        "--output",
        tmp_path / "page.html",
    )
    lines = [line for line in path.read_text().splitlines() if not line.startswith("%")]
    assert lines[0] == r"\begin{tabular}{llrrr}" and lines[-1] == r"\end{tabular}"
    assert [lines[1], lines[3], lines[-2]] == [r"\toprule", r"\midrule", r"\bottomrule"]
    body = [line.removesuffix(r" \\").split(" & ") for line in lines[4:-2]]
    assert {len(row) for row in body} == {5} == {lines[2].count(" & ") + 1}
    assert r"file\_\&\_50\%" in {cell for row in body for cell in row}
    noisy = next(row for row in body if row[-2].endswith(r"\approx$"))
    assert noisy[2:] == ["$3$", r"$13.5 \pm 2 \approx$", r"$(4.50 \pm 0.67) \times 10^{7} \approx$"]


def test_where_no_run_differs_there_is_no_setting_to_name() -> None:
    with pytest.raises(errors.InputError, match=r"style: no setting .*; there is none$"):
        sweep_tables.setting_of("style", [])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--table", "table.xls"], r"--table table\.xls: must end in \.csv, \.md, \.tex"),
        (["--table", "t.md", "--columns", "speed"], "speed: no column; there is measures/"),
        (["--table", "t.md", "--columns", "loss/style"], None),
        (
            ["--table", "t.md", "--columns", "total"],
            "total: ends more than one column; there is .*picture/loss/total",
        ),
        (
            ["--table", "t.md", "--baseline", "nope"],
            "--baseline nope: no finished run of this name; there are avg-0, ",
        ),
        (
            ["--tradeoff", "style", "content", "tradeoff.doc"],
            r"--tradeoff tradeoff\.doc: must end in \.png, \.pdf or \.svg",
        ),
        (
            ["--tradeoff", "style", "content", "f.png", "--connect-by", "seed"],
            "seed: no setting in which the runs differ",
        ),
        (["--max-px", "0"], "--max-px 0: must be at least 1"),
        (["--columns", "style"], r"--columns style: .* give --table FILE\.md or FILE\.tex"),
        (
            ["--baseline", "avg-0", "--table", "runs.csv"],
            r"--baseline avg-0: .* give --table FILE\.md or FILE\.tex",
        ),
        (
            ["--baseline", "avg-0", "--live"],
            r"--baseline avg-0: .* give --table FILE\.md or FILE\.tex",
        ),
        (
            ["--connect-by", "seed", "--table", "t.md"],
            "--connect-by seed: .* give --tradeoff X Y FILE",
        ),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    folder: Path, report, tmp_path: Path, monkeypatch, words, complaint
) -> None:
    monkeypatch.chdir(tmp_path)
    if complaint is None:
        report(folder, "--output", "page.html", *words)
        return
    with pytest.raises(errors.InputError, match=complaint) as caught:
        report(folder, "--output", "page.html", *words)
    assert "\n" not in str(caught.value)


def test_more_paths_than_two_or_a_pair_that_are_no_runs_are_explained(
    folder: Path, report, tmp_path: Path
) -> None:
    with pytest.raises(
        errors.InputError, match=r"3 directories given: one gives .* two runs are compared"
    ):
        report(folder, folder, folder)
    with pytest.raises(errors.InputError, match=f"{folder}: not a run directory"):
        report(folder / "avg-0", folder)
    with pytest.raises(errors.InputError, match="take one directory"):
        report(folder / "avg-0", folder / "avg-1", "--table", "x.csv")
    with pytest.raises(errors.InputError, match="--connect-by seed"):
        report(folder / "avg-0", folder / "avg-1", "--connect-by", "seed")


def test_a_sweep_without_a_finished_run_has_no_table(tmp_path: Path, report) -> None:
    make_run(tmp_path / "0", None)
    for words in (
        ["--table", tmp_path / "t.md"],
        ["--tradeoff", "style", "content", tmp_path / "f.png"],
    ):
        with pytest.raises(errors.InputError, match="no finished run"):
            report(tmp_path, *words)


HOSTILE = [
    "a\nb",
    "c\r\nd",
    "back\\slash",
    "#1",
    "2 * 3 *x*",
    "p|q",
    "$5 and $6",
    "_x_",
    "[1]",
    "~<&>%^{}",
]


def test_names_survive_csv(tmp_path: Path) -> None:
    for name in HOSTILE:
        make_run(tmp_path / str(HOSTILE.index(name)), 1.0)
    named = dict(zip(HOSTILE, runs.below(tmp_path), strict=True))
    (tmp_path / "t.csv").write_text(sweep_tables.of_runs(named, tmp_path), newline="")
    with (tmp_path / "t.csv").open(newline="") as file:
        assert [row["run"] for row in csv.DictReader(file)] == HOSTILE
    pandas = pytest.importorskip("pandas")
    assert pandas.read_csv(tmp_path / "t.csv")["run"].tolist() == HOSTILE


def test_names_survive_markdown() -> None:
    """Read back by another program's Markdown."""
    markdown_it = pytest.importorskip("markdown_it")
    rows = [["name", "x"], *([name, "1.5"] for name in HOSTILE), [tables.Bold("*best*"), "2"]]
    html = markdown_it.MarkdownIt("commonmark").enable("table").render(tables.markdown(rows))
    cells = [unescape(cell) for cell in re.findall(r"<td>(.*?)</td>", html, re.DOTALL)]
    assert cells == [*(" ".join(name.split()) for name in HOSTILE), "<strong>*best*</strong>"]


def test_names_survive_latex() -> None:
    """Each sign as LaTeX prints it, and no cell that begins as an argument of the row before."""
    text = tables.latex([["name", "x"], *([name, "1.5"] for name in HOSTILE)])
    rows = text.split("\\midrule\n")[1].split("\\bottomrule")[0].splitlines()
    assert len(rows) == len(HOSTILE)
    printed = {
        r"\textbackslash{}": "\\",
        r"\textasciitilde{}": "~",
        r"\textasciicircum{}": "^",
        r"\textless{}": "<",
        r"\textgreater{}": ">",
        r"\textbar{}": "|",
        **{f"\\{sign}": sign for sign in "&%$#_{}"},
        **{f"{{{sign}}}": sign for sign in "[]*"},
    }
    pattern = "|".join(map(re.escape, printed))
    for name, row in zip(HOSTILE, rows, strict=True):
        cell, number = row.removesuffix(r" \\").rsplit(" & ", 1)
        assert re.sub(pattern, lambda found: printed[found[0]], cell) == " ".join(name.split())
        assert not re.search(r"[#$%&_^~\\{}]", re.sub(pattern, "", cell))  # none is left bare
        assert cell[0] not in "[*" and number == "$1.5$"


def test_arrows_say_what_is_better_and_the_best_is_bold(tmp_path: Path) -> None:
    for pooling, style, ssim in (("avg", 3.0, 0.2), ("max", 1.0, 0.1)):
        measured = {"measures/style": style, "measures/ssim_to_content": ssim}
        make_run(tmp_path / pooling, 1.0, f"network.pooling={pooling}", **measured)
    groups = grouping.over_seeds(runs.below(tmp_path))
    keys = ["measures/style", "measures/ssim_to_content", "picture/loss/total"]
    head, *rows = sweep_tables.of_groups(groups, keys, groups[0])
    assert head[-3:] == ["measures/style ↓", "measures/ssim_to_content ↑", "picture/loss/total ↓"]
    # The losses are of two objectives, so none is the better.
    assert [[isinstance(cell, tables.Bold) for cell in row[-3:]] for row in rows] == [
        [False, True, False],
        [True, False, False],
    ]
    assert r"$\mathbf{1}$" in tables.latex([head, *rows])


def test_every_measure_has_a_direction(made_measures: set[str]) -> None:
    assert {key for key in made_measures if not quantities.about(key).better} == set()


@pytest.fixture
def made_measures() -> set[str]:
    """The keys of the measures that docs/reference/measures.md lists."""
    text = (config.CONFIG_DIR.parent / "docs" / "reference" / "measures.md").read_text()
    return set(re.findall(r"^\| `(measures/\w+)", text, re.MULTILINE))


@pytest.fixture
def crossing(tmp_path: Path) -> Path:
    """Two poolings on three photographs crossed with three paintings, two seeds each."""
    rng = np.random.default_rng(2)
    for content in "abc":
        for style in "xyz":
            common = rng.normal()
            for pooling, factor in (("avg", 1.0), ("max", 0.8)):
                for seed in (0, 1):
                    overrides = (
                        f"network.pooling={pooling}",
                        f"content.path={content}.jpg",
                        f"style.path={style}.jpg",
                        f"seed={seed}",
                    )
                    value = factor * float(np.exp(common + 0.02 * rng.normal()))
                    name = f"{pooling}-{content}-{style}-{seed}"
                    measured = {"measures/style": value, "measures/gram": float(rng.normal())}
                    make_run(tmp_path / name, 1.0, *overrides, rows=1, **measured)
    return tmp_path


def test_effects_are_those_of_plain_formulas(crossing: Path, report, tmp_path: Path) -> None:
    """Re-analyzed from summary.json alone: ratios of means over seeds, min F' over the grid."""
    path = tmp_path / "effects.md"
    report(crossing, "--effects", "pooling", path, "--output", tmp_path / "page.html")
    head, _, first, second = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in path.read_text().splitlines()
        if line.startswith("|")
    ]
    assert head[:3] == ["result", "network.pooling", "change from avg"]
    assert head[3:] == ["95 % interval", "pairs", "p", "adjusted p"]

    def mean(pooling: str, content: str, style: str) -> float:
        names = [crossing / f"{pooling}-{content}-{style}-{seed}" for seed in (0, 1)]
        return np.mean([runs.read_json(name / "summary.json")["measures/style"] for name in names])

    d = np.array([[np.log(mean("max", c, s) / mean("avg", c, s)) for s in "xyz"] for c in "abc"])
    f1, f2 = (scipy.stats.ttest_1samp(d.mean(axis=i), 0).statistic ** 2 for i in (0, 1))
    p = scipy.stats.f.sf(f1 * f2 / (f1 + f2), 1, (f1 + f2) ** 2 / (f1**2 / 2 + f2**2 / 2))
    assert first[0] == "measures/style ↓" and first[1] == "max" and first[4] == "9"
    change = f"{100 * (np.exp(d.mean()) - 1):+.1f} %".replace("-", "−")
    assert first[2] == f"**{change}**" and first[5] == first[6] == f"{p:.3f}"  # a family of one
    low, high = (float(end.replace("−", "-").strip(" %")) for end in first[3].split("…"))
    assert low < 100 * (np.exp(d.mean()) - 1) < high < 0
    assert second[0] == "measures/gram ↓" and "%" not in second[2]  # not all above zero
    assert "Clark" in path.read_text() and "fewer than" not in path.read_text()


def test_with_few_pairs_no_effect_is_bold_and_the_table_says_why(
    crossing: Path, tmp_path: Path
) -> None:
    several = [run for run in runs.below(crossing) if not {"c", "z"} & {*run.path.name.split("-")}]
    sweep_tables.write_effects(tmp_path / "t.tex", several, "pooling")
    text = (tmp_path / "t.tex").read_text()
    assert "textbf" not in text and "mathbf" not in text and "fewer than 6 pairs" in text
    with pytest.raises(errors.InputError, match="seed: no setting in which the runs differ"):
        sweep_tables.write_effects(tmp_path / "t.tex", several, "seed")
