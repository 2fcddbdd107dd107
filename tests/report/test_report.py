"""The report: what it lists, what it escapes, the commands it gives, and that a browser draws and
sorts it from file://.
"""

import io
import itertools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser
from made_runs import CHROMIUM, drawn, make_run, page_of, settings_of, table
from PIL import Image

from stn import config, errors, runs
from stn.analysis import tables
from stn.config import overrides as commands
from stn.report import document

HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def tree(made: Path, tmp_path: Path) -> Path:
    """A copy of the runs, for the test to spoil."""
    return shutil.copytree(made, tmp_path / made.name)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven finished runs over seeds and pooling, one unfinished, one failed, and a hostile
    one.
    """
    folder = tmp_path_factory.mktemp("runs") / "sweep & <friends>"
    for i in range(11):
        pooling = ("avg", "max")[i % 2]
        make_run(
            folder / str(i),
            100.0 - 7 * i,
            f"network.pooling={pooling}",
            f"seed={i // 2}",
            **{"measures/ssim": i / 10},
        )
    make_run(folder / "11", None, "network.pooling=avg", "seed=9", rows=3)
    (folder / "12").mkdir()
    failure = {
        "error": f"style.path={HOSTILE}: not there",
        "overrides": ["style.path=a b.jpg", "seed=1"],
    }
    (folder / "12" / runs.FAILED).write_text(json.dumps(failure))
    make_run(folder / "13", 50.0, f"content.path='{HOSTILE}.jpg'", "seed=77")
    return folder


@pytest.fixture
def page(tree: Path) -> dict[str, Any]:
    assert document.write(tree, tree / "report.html") == 14
    return page_of(tree / "report.html")


def test_runs_are_listed_in_natural_order_with_their_state(page: dict[str, Any]) -> None:
    assert [run["name"] for run in page["runs"]] == [str(i) for i in range(14)]
    states = {run["name"]: (run["state"], run["reason"]) for run in page["runs"]}
    assert all(states[str(i)] == ("finished", "") for i in (*range(11), 13))
    assert states["11"] == ("unfinished", "3 of 75 evaluations")
    assert states["12"][0] == "failed" and HOSTILE in states["12"][1]


def test_the_columns_are_the_parameters_that_differ_the_losses_and_the_measures(
    page: dict[str, Any],
) -> None:
    assert set(page["parameters"]) == {"network.pooling", "seed", "content.path"}
    losses = ["loss/total", "loss/content", "loss/style"]
    own = [*(f"picture/{key}" for key in losses), "picture/clipped_share"]  # what is compared first
    assert page["results"] == [*own, *losses, "evaluations", "seconds", "measures/ssim"]
    third = page["runs"][3]
    assert third["parameters"] == {"network.pooling": "max", "seed": 1, "content.path": "coffee"}
    assert third["results"]["picture/loss/total"] == 2 * third["results"]["loss/total"] == 158.0
    assert third["results"]["measures/ssim"] == 0.3


def test_nothing_in_the_data_ends_the_script_or_becomes_markup(
    tree: Path, page: dict[str, Any]
) -> None:
    text = (tree / "report.html").read_text()
    assert HOSTILE not in text and "<img src=x" not in text
    assert text.count("</script>") == 2
    assert HOSTILE in json.dumps(page)


def test_the_page_names_no_other_address(tree: Path, page: dict[str, Any]) -> None:
    text = (tree / "report.html").read_text().replace("http://www.w3.org/2000/svg", "")
    text = re.sub(r"data:image/jpeg;base64,[\w+/=]+", "", text)
    assert not re.search(r"\w+:?//[a-z]|@import|url\(", text, re.IGNORECASE)
    assert not re.search(r"href=[\"'](?!#)", text) and "default-src 'none'" in text
    assert page["pictures"] and all(
        uri.startswith("data:image/jpeg;base64,") for uri in page["pictures"].values()
    )


def test_pictures_are_embedded_once_and_the_first_progress_picture_stands_for_the_content(
    page: dict[str, Any],
) -> None:
    before = {run["before"] for run in page["runs"] if run["state"] == "finished"}
    assert (
        len(before) == 1
    )  # the same progress picture, as no content picture has the checksum recorded
    assert len({run["after"] for run in page["runs"] if run["after"]}) == 12
    assert len(page["pictures"]) == 13


def test_the_content_picture_is_embedded_if_it_is_the_one_of_the_run(
    tree: Path, inputs: dict[str, Path]
) -> None:
    from stn import files

    make_run(tree / "14", 1.0, f"content.path={inputs['content']}")
    settings = settings_of(f"content.path={inputs['content']}")
    checksums = {"content": files.sha256(inputs["content"])}
    (tree / "14" / "provenance.json").write_text(
        json.dumps({"config": settings, "inputs_sha256": checksums})
    )
    document.write(tree, tree / "report.html")
    page = page_of(tree / "report.html")
    assert page["runs"][14]["before"] == checksums["content"][:16]


def test_large_pictures_are_made_smaller(tree: Path) -> None:
    document.write(tree, tree / "small.html", max_px=8)
    document.write(tree, tree / "large.html")
    small, large = (
        page_of(tree / "small.html")["pictures"],
        page_of(tree / "large.html")["pictures"],
    )
    assert small.keys() == large.keys()
    assert all(len(small[key]) < len(large[key]) for key in small)


@pytest.mark.parametrize(("height", "width"), [(30, 60), (60, 30), (8, 5)])
def test_no_side_of_a_picture_is_above_max_px(height: int, width: int) -> None:
    data = document.jpeg(np.full((height, width, 3), 90.0), 10)
    shrinks = max(1.0, max(height, width) / 10)
    assert Image.open(io.BytesIO(data)).size == (width / shrinks, height / shrinks)


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("preset=gatys2016", "network.weights=my weights.mat", "seed=3"),
        (
            "preset=d2l",
            "style=the_scream",
            "objective.style_layers=[relu1_1,relu2_1]",
            "init.amplitude=1e-7",
        ),
        (
            "preset=demo",
            "pyramid.levels=[{scale: 0.25, max_evaluations: 3}]",
            "network.rescale=default",
        ),
        (
            "content.path='it\\'s, [a] {b}=$c.jpg'",
            "optimizer=adam",
            "image.size_px=null",
            "optimizer.bounds=true",
        ),
    ],
)
def test_the_overrides_of_a_run_make_its_settings_again(overrides: tuple[str, ...]) -> None:
    settings = settings_of(*overrides)
    assert settings_of(*commands.overrides_of(settings)) == settings


def test_the_commands_are_for_a_shell(page: dict[str, Any]) -> None:
    settings = (
        "content.path=skimage:coffee.png",
        "style.path=drawn:strokes",
        "network.pooling=max",
        "seed=1",
    )
    assert set(page["runs"][3]["command"].split()) == {
        "python",
        "scripts/stylize.py",
        "preset=default",
        *settings,
    }
    assert page["runs"][12]["command"] == "python scripts/stylize.py 'style.path=a b.jpg' seed=1"


def test_damaged_files_do_not_stop_the_report(tree: Path) -> None:
    (tree / "0" / "summary.json").write_text("{")
    (tree / "1" / "metrics.csv").write_text("evaluation,loss/total\n1,x\n")
    (tree / "2" / "image.png").write_bytes(b"\x89PNG")
    (tree / "3" / "provenance.json").write_text("[]")
    (tree / "4" / "summary.json").write_text(json.dumps({"loss/total": float("nan")}))
    document.write(tree, tree / "report.html")
    runs = page_of(tree / "report.html")["runs"]
    assert runs[0]["state"] == "unfinished" and runs[1]["curve"] == {} and runs[2]["after"] is None
    assert runs[3]["command"] == "" and runs[4]["results"]["loss/total"] == "nan"


def test_what_is_left_of_damaged_runs_is_listed(tree: Path) -> None:
    (tree / "0" / "provenance.json").write_text('{"config": [1]}')
    (tree / "1" / "provenance.json").write_text("[" * 100_000)
    (tree / "2" / "metrics.csv").write_bytes(bytes(200_000))
    (tree / "11" / "metrics.csv").unlink()
    (tree / "12" / runs.FAILED).write_text("{")
    assert document.write(tree, tree / "report.html") == 14
    listed = page_of(tree / "report.html")["runs"]
    assert [(run["state"], run["parameters"]) for run in listed[:2]] == [("finished", {})] * 2
    assert (
        listed[0]["results"]["loss/total"] == 100.0 and listed[0]["curve"]["loss/total"][0] == 100.0
    )
    assert listed[2]["curve"] == {} and listed[2]["after"]
    assert listed[11]["reason"] == "0 of 75 evaluations"
    assert listed[12]["state"] == "unfinished"


def test_cells_that_left_nothing_are_listed_and_runs_that_are_there_twice_are_named(
    tmp_path: Path,
) -> None:
    for name, seed in (("seed=0", 0), ("seed=1", 1), ("1", 1)):
        make_run(tmp_path / name, 1.0, f"seed={seed}")
    hydra = {
        "sweeper": {"_target_": "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"},
        "sweep": {"subdir": "${stn.cell:${hydra.overrides.task},[]}"},
        "overrides": {"task": ["content=coffee", "style=strokes", "seed=0,1,2"]},
    }
    (tmp_path / "multirun.yaml").write_text(json.dumps({"hydra": hydra}))
    assert document.write(tmp_path, tmp_path / "report.html") == 3
    listed = page_of(tmp_path / "report.html")["runs"]
    assert {run["name"]: (run["state"], run["reason"]) for run in listed} == {
        "1": ("finished", ""),
        "seed=0": ("finished", ""),
        "seed=1": ("finished", "the same settings as 1"),
        "seed=2": ("missing", "nothing is there yet"),
    }
    assert listed[-1]["command"] == "python scripts/stylize.py content=coffee style=strokes seed=2"


def test_runs_of_several_presets_are_told_apart_by_their_names(tmp_path: Path) -> None:
    for name in ("gatys2016", "johnson2016"):
        make_run(tmp_path / name, 1.0, f"preset={name}", "tracking.project=of-" + name)
    document.write(tmp_path, tmp_path / "report.html")
    page = page_of(tmp_path / "report.html")
    assert page["parameters"][0] == "name" and "tracking.project" not in page["parameters"]
    assert [run["parameters"]["name"] for run in page["runs"]] == ["gatys2016", "johnson2016"]


def test_long_curves_are_thinned_with_both_ends_kept(tmp_path: Path) -> None:
    make_run(tmp_path / "run", 1.0, rows=2000)
    document.write(tmp_path, tmp_path / "report.html")
    curve = page_of(tmp_path / "report.html")["runs"][0]["curve"]
    assert len(curve["evaluation"]) == document.CURVE_POINTS
    assert curve["evaluation"][0] == 0 and curve["evaluation"][-1] == 1999


def test_a_single_run_directory_and_an_empty_one(tmp_path: Path) -> None:
    make_run(tmp_path / "run", 1.0)
    assert document.write(tmp_path / "run", tmp_path / "report.html") == 1
    assert page_of(tmp_path / "report.html")["runs"][0]["name"] == "run"
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.InputError, match="holds no run"):
        document.write(tmp_path / "empty", tmp_path / "report.html")


def test_the_script_says_where_the_page_is_and_does_not_import_tensorflow(tree: Path) -> None:
    code = (
        "import sys, runpy; sys.argv[0] = 'report.py'; runpy.run_path(sys.argv.pop(1),"
        " run_name='__main__'); "
    )
    code += "assert 'tensorflow' not in sys.modules"
    script = config.CONFIG_DIR.parent / "scripts" / "report.py"
    done = subprocess.run(
        [sys.executable, "-c", code, str(script), str(tree)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tree / 'report.html'}\n", "")
    empty = tree / "0" / "progress"
    done = subprocess.run(
        [sys.executable, str(script), str(empty)], capture_output=True, text=True, check=False
    )
    assert (
        done.returncode == 2
        and done.stderr.startswith("error: ")
        and len(done.stderr.splitlines()) == 1
    )


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")
def test_a_browser_draws_sorts_and_filters_the_page_from_a_file(tree: Path) -> None:
    path = tree / "report.html"
    document.write(tree, path)
    plain = drawn(path)
    assert [row[0] for row in table(plain)] == [str(i) for i in range(14)]
    assert "14 of 14 runs shown; 12 finished, 1 unfinished, 1 failed" in plain
    assert HOSTILE in table(plain)[12][2] and "<img src=x" not in plain
    curves = plain.split('<svg id="curves"')[1].split("</svg>")[0]
    assert (
        len(re.findall(r"<path d=\"M", curves)) == 13
    )  # a curve each, but for the one that failed at once
    assert re.findall(r"<h2>(.*?)</h2>", plain)[0] == "Pictures"
    grid = plain.split('<table id="grid"')[1].split("</table>")[0]
    assert grid.count("<img") == 12
    assert '<div class="over" style="clip-path: inset' in plain

    by_loss = table(drawn(path, "#sort=loss/total"))
    totals = [
        float(row[6]) for row in by_loss if row[6]
    ]  # after run, state, reason and three parameters
    assert len(totals) == 12 and totals == sorted(totals)
    assert {row[1] for row in by_loss[12:]} == {
        "unfinished",
        "failed",
    }  # without a loss: last, either way
    downward = [row[0] for row in table(drawn(path, "#sort=loss/total&desc=1"))]
    assert downward[:12] == [row[0] for row in by_loss[:12]][::-1] and set(downward[12:]) == {
        "11",
        "12",
    }

    filtered = table(drawn(path, "#filter=pooling%3Dmax%20loss/total%3C60"))
    assert [row[0] for row in filtered] == ["7", "9"]
    assert [row[0] for row in table(drawn(path, "#filter=FAILED"))] == ["12"]
    linear = drawn(path, "#log=0&best=0&over=seconds&run=3&rows=seed&columns=")
    assert (
        '<tr class="chosen"><td class="" title="3"><button>3<' in linear
        and ">time (s)</text>" in linear
    )
    assert ", running minimum</text>" in plain and ", running minimum</text>" not in drawn(
        path, "#best=0"
    )


@pytest.fixture(scope="module")
def ablation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A curve of three weights for average pooling, of two for max pooling, two seeds each; and a
    run that failed.
    """
    folder = tmp_path_factory.mktemp("ablation")
    for pooling, weights in (("avg", (1, 10, 100)), ("max", (1, 10))):
        for weight, seed in itertools.product(weights, (0, 1)):
            overrides = (
                f"network.pooling={pooling}",
                f"objective.style_weight={weight}",
                f"seed={seed}",
            )
            style = {"measures/style": 10 + 4 * seed + 2 * (pooling == "max") + 50 * (weight > 1)}
            others = {"measures/content": 12345.6 / weight, "measures/style/relu1_1": 1e-5}
            make_run(folder / f"{pooling}-{weight}-{seed}", 1.0, *overrides, **style, **others)
    (folder / "refused").mkdir()
    (folder / "refused" / runs.FAILED).write_text(json.dumps({"error": "no"}))
    return folder


def head_index(dom: str, column: str, name: str = "groups") -> int:
    """Which column of a table this is, by the key that its heading keeps as a title."""
    head = dom.split(f'<table id="{name}">')[1].split("</thead>")[0]
    return re.findall(r'<th title="(.*?)"', head).index(column)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")
def test_a_browser_shows_groups_over_seeds_and_trade_off_curves(
    ablation: Path, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    document.write(ablation, path)
    dom = drawn(path)
    head = dom.split('<table id="groups">')[1].split("</thead>")[0]
    results = ["measures/style ↓", "measures/content ↓", "time (s) ↓"]
    assert re.findall(r"<th [^>]*>(.*?)</th>", head) == [
        "network.pooling",
        "objective.style_weight",
        "seeds",
        *results,
    ]
    assert table(dom, "groups") == [
        ["avg", "1", "2", "12 ± 2.8", "12300 ± 0", "3.50 ± 0"],
        ["avg", "10", "2", "62 ± 2.8", "1230 ± 0", "3.50 ± 0 ≈"],
        ["avg", "100", "2", "62 ± 2.8", "123 ± 0", "3.50 ± 0 ≈"],
        [
            "max",
            "1",
            "2",
            "14 ± 2.8 ≈",
            "12300 ± 0 ≈",
            "3.50 ± 0 ≈",
        ],  # 2 apart, and the deviation is 2 √2
        ["max", "10", "2", "64 ± 2.8", "1230 ± 0", "3.50 ± 0 ≈"],
    ]
    chart = dom.split('<svg id="tradeoff"')[1].split("</svg>")[0]
    assert (
        chart.count("<circle") == 5
        and chart.count('<path d="M') == 2
        and chart.count('stroke-dasharray="3 4"') == 1
    )
    assert "pooling=avg</span>" in dom and "pooling=max (2 points)</span>" in dom
    assert "Dotted: fewer than three points" in dom


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")
def test_a_browser_shows_another_baseline_and_other_axes(ablation: Path, tmp_path: Path) -> None:
    path, layer = tmp_path / "report.html", "measures/style/relu1_1"
    document.write(ablation, path)
    dom = drawn(
        path, f"#baseline=2&every=1&x=objective.style_weight&y={layer}&by=network.pooling&logx=1"
    )
    style = head_index(dom, "measures/style")
    marked = {(row[0], row[1]) for row in table(dom, "groups") if row[style].endswith("≈")}
    assert marked == {("avg", "10"), ("max", "10")}  # 0 and 2 from 62
    chart = dom.split('<svg id="tradeoff"')[1].split("</svg>")[0]
    assert f"{layer} ↓</text>" in chart and chart.count('stroke-dasharray="3 4"') == 3
    for column, values in (("measures/content", (12345.6, 1234.56, 123.456)), (layer, (1e-5,))):
        shown = {row[head_index(dom, column, "runs")] for row in table(dom)}
        assert shown == {
            "",
            *map(tables.three_digits, values),
        }  # the page's own digits are those of tables


def test_a_page_over_several_networks_says_that_measures_do_not_compare(tmp_path: Path) -> None:
    for network in ("vgg16", "vgg19_q8"):
        make_run(
            tmp_path / network,
            1.0,
            f"network={network}",
            "image.size_px=128",
            **{"measures/style": 1.0},
        )
    document.write(tmp_path, tmp_path / "report.html")
    page = page_of(tmp_path / "report.html")
    assert len(page["notes"]) == 1 and "different networks (vgg16; vgg19_q8)" in page["notes"][0]
    assert CHROMIUM is None or f"<li>{page['notes'][0]}</li>" in drawn(tmp_path / "report.html")


def test_curves_are_also_those_of_the_best_image_so_far(tmp_path: Path) -> None:
    make_run(tmp_path / "run", 1.0)
    lines = [
        "evaluation,seconds,loss/total,loss/style,loss/total_variation",
        "0,0,9,1,0",
        "1,1,20,0.5,0",
        "2,2,4,3,0",
    ]
    (tmp_path / "run" / "metrics.csv").write_text("\n".join(lines))
    document.write(tmp_path, tmp_path / "report.html")
    [run] = page_of(tmp_path / "report.html")["runs"]
    assert run["curve"]["loss/style"] == [1, 0.5, 3] and "loss/total_variation" not in run["curve"]
    assert run["best"] == {"loss/total": [9, 9, 4], "loss/style": [1, 1, 3]}


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")
def test_a_browser_shows_the_axes_that_were_typed_and_failed_cells_on_top(tmp_path: Path) -> None:
    for layers in ("gatys", "johnson"):
        for seed in ("0", "1"):
            folder = tmp_path / f"{layers}-{seed}"
            if (layers, seed) == ("johnson", "1"):
                folder.mkdir()
                failure = {
                    "error": "the disk is full",
                    "axes": {"layers": layers, "seed": seed},
                    "overrides": [f"layers={layers}", f"seed={seed}"],
                }
                (folder / runs.FAILED).write_text(json.dumps(failure))
                continue
            make_run(folder, 100.0, f"layers={layers}", f"seed={seed}")
            provenance = json.loads((folder / runs.PROVENANCE).read_text())
            provenance["axes"] = {"layers": layers, "seed": seed}
            (folder / runs.PROVENANCE).write_text(json.dumps(provenance))
    document.write(tmp_path, tmp_path / "report.html")
    dom = drawn(tmp_path / "report.html")
    grid = dom.split('<table id="grid"')[1].split("</table>")[0].replace("<wbr>", "")
    for name in ("layers=gatys", "layers=johnson", "seed=0", "seed=1"):
        assert f"<th>{name}</th>" in grid
    assert "no run" not in grid and "content_layers" not in grid and grid.count("<img") == 3
    failures = dom.split('<section id="failed">')[1].split("</section>")[0]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", failures)
    assert cells == ["johnson-1", "the disk is full", "johnson", "1"]
    assert dom.index('id="failed"') < dom.index('id="pictures"')
    effects = dom.split('<section id="effects">')[1].split("</section>")[0]
    assert "change from gatys" in effects and "fewer than 6 pairs" in effects
    legend = dom.split('<div id="legend"')[1].split("</div>")[0]
    assert "layers=gatys, seed=0" in legend
    mixed = re.findall(r'<p class="soft mixed"( hidden="")?>', dom)
    assert mixed[1] == "" and "their heights do not compare, only their shapes" in dom
    same = drawn(tmp_path / "report.html", "#filter=layers%3Dgatys")
    assert re.findall(r'<p class="soft mixed"( hidden="")?>', same)[1] != ""


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")
def test_ticks_are_told_apart_and_charts_fit_a_narrow_window(tmp_path: Path) -> None:
    make_run(tmp_path / "run", 1.0)
    lines = [
        "evaluation,seconds,loss/total",
        "0,0,1.0444",
        "1,1,1.0402",
        "2,2,1.0351",
        "3,3,1.0303",
    ]
    (tmp_path / "run" / "metrics.csv").write_text("\n".join(lines))
    document.write(tmp_path, tmp_path / "report.html")
    with Browser() as browser:
        for log in "01":
            address = (tmp_path / "report.html").as_uri() + f"#log={log}"
            page = browser.open(address, width=400, height=800)
            page.until("document.querySelectorAll('#curves path').length === 1")
            ticks = page.value(
                "[...document.querySelectorAll('#curves text')].filter(each =>"
                " each.getAttribute('x') < 60).map(each => each.textContent)"
            )
            numbers = list(map(float, ticks[:-1]))  # the last is the axis's name
            assert len(numbers) > 3 and len(set(numbers)) == len(numbers)
            steps = [after - before for before, after in itertools.pairwise(numbers)]
            assert steps == pytest.approx([steps[0]] * len(steps), rel=0.02)  # none is rounded away
        box = "document.getElementById('curves').getBoundingClientRect()"
        assert page.value(f"{box}.right") <= 400 < 2 * page.value(f"{box}.width")
        size = "parseFloat(getComputedStyle(document.querySelector('#curves text')).fontSize)"
        scale = f"{box}.width / document.getElementById('curves').viewBox.baseVal.width"
        assert page.value(f"{size} * {scale}") > 10  # letters are not shrunk with the chart
