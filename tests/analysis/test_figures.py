"""Montages and curves: what is drawn, and where."""

import math
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from made_runs import make_run
from matplotlib import colors
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from stn import images, runs
from stn.analysis import figures, grouping, inference

RED, GREEN, BLUE, YELLOW = (230, 20, 20), (20, 160, 20), (20, 20, 230), (230, 220, 20)
COLUMNS = "evaluation,iteration,seconds,loss/total,loss/content,loss/style,loss/total_variation"
# Matplotlib's default colors in the order the terms are drawn.
TERMS = dict(
    zip(("total", "content", "style", "total_variation"), ("C0", "C1", "C2", "C3"), strict=True)
)


@pytest.fixture(autouse=True)
def no_open_figures() -> None:
    """What other tests drew and left open is not what these count."""
    plt.close("all")


def where(path: Path, color: tuple[int, ...]) -> np.ndarray:
    """Rows and columns of the pixels of one color, within what smoothing changes."""
    with Image.open(path) as picture:
        rgb = np.asarray(picture.convert("RGB")).astype(int)
    return np.argwhere((np.abs(rgb - color) <= 6).all(axis=-1))


def plain(color: tuple[int, ...], height: int = 20, width: int = 30) -> np.ndarray:
    return np.broadcast_to(np.array(color, float), (height, width, 3))


def drawn(path: Path) -> set[str]:
    """The terms that have a curve in a figure of losses."""
    values = {
        term: tuple(round(255 * part) for part in colors.to_rgb(name))
        for term, name in TERMS.items()
    }
    return {term for term, color in values.items() if len(where(path, color)) > 20}


def test_panels_keep_rows_columns_and_proportions(tmp_path: Path) -> None:
    path = tmp_path / "panels.png"
    upper = [figures.Panel(plain(RED), "one", "a"), figures.Panel(plain(GREEN), "two")]
    lower = [figures.Panel(plain(BLUE), label="b"), figures.Panel(plain(YELLOW))]
    figures.save(figures.panels([upper, lower]), path)
    places = {color: where(path, color) for color in (RED, GREEN, BLUE, YELLOW)}
    centers = {color: place.mean(axis=0) for color, place in places.items()}
    assert (
        centers[RED][0] == pytest.approx(centers[GREEN][0], abs=2)
        and centers[RED][1] < centers[GREEN][1]
    )
    assert (
        centers[RED][1] == pytest.approx(centers[BLUE][1], abs=2)
        and centers[RED][0] < centers[BLUE][0]
    )
    assert centers[YELLOW][0] > centers[GREEN][0] and centers[YELLOW][1] > centers[BLUE][1]
    for place in places.values():
        height, width = np.ptp(place, axis=0) + 1
        assert width / height == pytest.approx(30 / 20, rel=0.03)
    assert [file.name for file in tmp_path.iterdir()] == ["panels.png"]
    assert not plt.get_fignums()


def test_titles_and_labels_of_two_lines_stay_off_the_pictures() -> None:
    row = [figures.Panel(plain(RED), "one\ntwo", "a\nb")]
    figure = figures.panels([row, row])
    renderer = FigureCanvasAgg(figure).get_renderer()
    upper, lower = figure.axes
    title, label = (text.get_window_extent(renderer) for text in (lower.title, lower.texts[0]))
    assert title.y1 <= upper.get_window_extent(renderer).y0
    assert label.x0 >= 0 and label.x1 <= lower.get_window_extent(renderer).x0


def test_a_comparison_is_content_style_result(tmp_path: Path) -> None:
    path = figures.side_by_side(tmp_path, plain(RED), plain(GREEN, 40, 10), plain(BLUE))
    assert path == tmp_path / "comparison.png"
    across = [where(path, color).mean(axis=0)[1] for color in (RED, GREEN, BLUE)]
    assert across == sorted(across)


@pytest.mark.parametrize(
    ("rows", "terms"),
    [
        (
            ["0,0,1,100,60,40,0", "1,1,2,50,30,20,0", "2,2,3,20,15,5,0"],
            {"total", "content", "style"},
        ),
        (
            ["0,0,1,110,60,40,10", "1,1,2,58,30,20,8", "2,2,3,24,15,5,4"],
            {"total", "content", "style", "total_variation"},
        ),
        # The content itself has no content loss, and a step too far may have no finite loss.
        (
            ["0,0,1,100,0,100,0", "1,1,2,nan,nan,nan,0", "2,2,3,30,10,20,0", "3,3,3,15,5,10,0"],
            {"total", "content", "style"},
        ),
    ],
)
def test_loss_curves_show_the_terms_that_there_are(
    tmp_path: Path, rows: list[str], terms: set[str]
) -> None:
    (tmp_path / "metrics.csv").write_text("\n".join([COLUMNS, *rows]) + "\n")
    path = figures.loss_curves(tmp_path)
    assert path == tmp_path / "losses.png"
    assert drawn(path) == terms
    assert not plt.get_fignums()


def test_loss_curves_start_where_no_term_is_rounding_and_mark_the_levels(tmp_path: Path) -> None:
    rows = ["0,0,1,100,1e-8,100,0,0"]
    rows += [f"{i},{i},{i},{100 / i},{5 * i},{100 / i},0,{i // 4}" for i in range(1, 10)]
    (tmp_path / "metrics.csv").write_text("\n".join([f"{COLUMNS},level", *rows]) + "\n")
    metrics = runs.read_metrics(tmp_path / "metrics.csv")
    assert figures.first_step(metrics) == 1
    figures.loss_curves(tmp_path)
    gray = where(tmp_path / "losses.png", (153, 153, 153))  # matplotlib's 0.6
    columns = np.flatnonzero(np.bincount(gray[:, 1]) > 100)
    # Levels begin at evaluations 4 and 8, inside an axis that begins at 1 and not at 0.
    assert len(columns[np.diff(columns, prepend=-9) > 1]) == 2


@pytest.mark.parametrize("finished", [False, True])
def test_the_command_draws_the_figures_of_a_run_also_of_one_that_was_finished(
    command, finished: bool
) -> None:
    if finished:
        assert command().code == 0
    ended = command("figures=true")
    assert ended.code == 0, ended.err
    assert {"comparison.png", "losses.png"} <= {file.name for file in ended.run_dir.iterdir()}
    assert {"total", "style"} <= drawn(ended.run_dir / "losses.png")


def test_a_trade_off_has_means_deviations_and_says_what_is_too_short(tmp_path: Path) -> None:
    for pooling, weights in (("avg", (1, 10, 1000)), ("max", (1, 10))):
        for weight in weights:
            for seed in (0, 2):
                overrides = (
                    f"network.pooling={pooling}",
                    f"objective.style_weight={weight}",
                    f"seed={seed}",
                )
                measures = {"measures/content": weight + 0.0, "measures/style": 5.0 + seed}
                make_run(
                    tmp_path / f"{pooling}-{weight}-{seed}", 1.0, *overrides, rows=1, **measures
                )
    groups = grouping.over_seeds(runs.below(tmp_path))
    lines = grouping.connected(groups, grouping.swept(groups))
    figure = figures.tradeoff_curves(
        lines, "measures/content", "measures/style", ["No comparison."]
    )
    [axis] = figure.axes
    points = [container.lines[0].get_xydata().tolist() for container in axis.containers]
    assert points == [[[1, 6], [10, 6], [1000, 6]], [[1, 6], [10, 6]]]
    [upright] = [
        line for line in axis.containers[0].lines[2] if np.ptp(line.get_segments()[0][:, 1]) > 0
    ]
    assert upright.get_segments()[0][:, 1] == pytest.approx([6 - 2**0.5, 6 + 2**0.5])
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "linear")
    assert [container.lines[0].get_linestyle() for container in axis.containers] == ["-", ":"]
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["pooling=avg", "pooling=max"]
    assert (
        "No comparison." in legend.get_title().get_text()
        and "Dotted: fewer than" in legend.get_title().get_text()
    )
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("measures/content ↓", "measures/style ↓")


NOTEBOOK = """
import sys
from pathlib import Path
import matplotlib
matplotlib.use("svg")  # as a notebook chooses one that shows figures
import numpy as np
from stn.analysis import figures
figures.save(figures.panels([[figures.Panel(np.full((4, 6, 3), 99.0))]]), Path(sys.argv[1]))
print(matplotlib.get_backend())
"""


def test_a_notebook_keeps_its_backend(tmp_path: Path) -> None:
    command = [sys.executable, "-c", NOTEBOOK, str(tmp_path / "a.png")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "svg\n"
    assert (images.read(tmp_path / "a.png") == 99).any()


def factors(*values: float) -> inference.Effect:
    """The effect of three pairs that has this factor and its ends."""
    mean, low, high = map(math.log, values)
    return inference.Effect(mean, low, high, 3, math.nan)


def test_intervals_are_drawn_in_percent_row_by_row() -> None:
    figure, axis = plt.subplots()
    figures.intervals(axis, [factors(1.5, 1.25, 2), None, factors(0.5, 0.4, 0.75)])
    drawn = [(line.get_xdata(), line.get_ydata()) for line in axis.lines]
    assert [list(x) for x, _ in drawn[:4]] == [
        pytest.approx([25, 100]),
        pytest.approx([50]),
        pytest.approx([-60, -25]),
        pytest.approx([-50]),
    ]
    assert [y[0] for _, y in drawn[:4]] == [0, 0, 2, 2]
    assert axis.get_ylim() == (2.5, -0.5)  # the first on top
    plt.close(figure)
