"""Every experiment composes with as many cells as its caption has pictures; one runs, is repeated
and is changed.
"""

import csv
import dataclasses
import functools
import importlib.util
import itertools
import json
import re
import runpy
import shutil
import subprocess
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.io
import yaml
from conftest import at_evaluation
from forks import Forked
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from stn import assets, config, errors, runs
from stn.analysis import figures
from stn.assets import inputs as stn_inputs
from stn.experiment import computing, frame
from stn.sweeps import hooks
from stn.transfer import matching

FOLDER = config.CONFIG_DIR.parent / "experiments"
SIDE = {
    "adversarial",
    "class_image",
    "filter_image",
    "human_ratings",
    "linear_classifier",
}  # nothing is stylized, or by another objective: tests/classify and test_human_ratings.py
FILES = sorted({path.stem for path in FOLDER.glob("*.py")} - SIDE)
# METHODS.md §3: pictures that are optimized in each figure.
CELLS = {
    "reconstructions": 5 + 5,  # conv1_2 … conv5_2; one to five style layers
    "artworks": 5,  # B … F
    "tradeoff": 5 * 4,  # rows of layers, columns of α/β
    "ratio": 4,
    "content_layer": 2,
    "initialization": 1 + 1 + 4,  # content, style, four noise seeds
    "photorealism": 2,  # without and with a matting Laplacian
    "objective_curve": 2 * 3 * 16,  # from noise and the photograph itself, sizes, photographs
    "gatys_vs_johnson": 6 * 3,  # choices of layers, pairs
    "convolution": 2,
    "pooling": 2,
    "painters": 5,
    "mean_twice": 2,  # readings of a listing
    "printed_ratio": 2 * 4,  # readings of eq. (1), α/β
    "authors_curve": 2,  # the programs that printed their losses
    "edges": 3,  # without total variation, with the tutorial's, with a thousand times it
    "color": 4,  # plain, match, luminance, swap
    "spatial": 4,  # no masks, one painting, the other's ground, the other's sky
    "scale": 3 + 2,  # sizes of the strokes; mixed, naive
    "blend": 5,  # weights
    "textures": 3 * 5,  # sources, layers up to each pool
    "texture_numbers": 2 * 5,  # sources, models
    "tiles": 2,  # zeros beyond the border, the opposite side
    "borders": 3 * 4,  # pairs, borders
    "loss_variants": 8,  # what is compared
    "controls": 4,  # color, scale, styles, space
    "default_crowson": 4 * 3,  # pairs, programs and budgets
    "seeds": 12 * 11 + 16 * 2,  # drawn by lot, ten seeds; the others, one; direct convolutions
    "gallery": len(list((config.CONFIG_DIR / "preset").glob("*.yaml")))
    + 6,  # presets, and six others
}


def load(name: str) -> frame.Experiment:
    return runpy.run_path(str(FOLDER / f"{name}.py"))["EXPERIMENT"]


@functools.cache
def composed(name: str) -> dict[frame.Cell, config.Config]:
    return frame.compose(load(name))


def alpha_over_beta(settings: config.Config) -> float:
    return settings.objective.content_weight / settings.objective.style_weight


def test_there_is_a_file_for_every_figure() -> None:
    assert set(FILES) == set(CELLS)


@pytest.mark.parametrize("name", FILES)
def test_every_experiment_composes_with_the_cells_of_its_caption(name: str) -> None:
    experiment = load(name)
    assert experiment.name == name
    cells = composed(name)
    assert len(cells) == CELLS[name]
    assert len({repr(settings) for settings in cells.values()}) == len(cells), (
        "two cells are the same"
    )


def test_overrides_reach_every_cell() -> None:
    small = frame.compose(
        load("initialization"), ["network=vgg16", "optimizer.max_evaluations=7", "seed=9"]
    )
    assert {settings.network.name for settings in small.values()} == {"vgg16"}
    assert {settings.optimizer.max_evaluations for settings in small.values()} == {7}
    assert [settings.seed for settings in small.values()] == [
        9,
        9,
        0,
        1,
        2,
        3,
    ]  # what a cell sets itself wins


def test_a_budget_of_the_gallery_holds_unless_another_is_typed() -> None:
    usual = {cell.key[0]: settings for cell, settings in composed("gallery").items()}
    budgets = {name: usual[name].optimizer.max_evaluations for name in ("default", "li_wand2016")}
    own = {name: config.compose(f"preset={name}") for name in budgets}
    assert budgets == {name: each.optimizer.max_evaluations for name, each in own.items()}
    assert usual["heitz2021"].optimizer.max_evaluations == 195
    assert usual["gatys_released"].optimizer.max_evaluations == 120
    assert (usual["kolkin2022"].image.size_px, usual["d2l"].image.size_px) == (256, 384)
    typed = frame.compose(load("gallery"), ["optimizer.max_evaluations=7", "image.size_px=99"])
    assert {settings.optimizer.max_evaluations for settings in typed.values()} == {7}
    assert {settings.image.size_px for settings in typed.values()} == {99}


def test_the_command_below_a_picture_of_a_preset_is_that_of_its_cell() -> None:
    painted = runpy.run_path(str(FOLDER / "gallery.py"))["painted"]
    cells = {cell.key[0]: settings for cell, settings in composed("gallery").items()}
    for name in ("default", "crowson_w2", "luan2017", "gatys2017_scale", "berger2017"):
        settings = config.compose("tracking.keep_checkpoint=false", *painted(name))
        assert settings == cells[name]


def test_the_printed_ratios_are_those_of_the_cells() -> None:
    """METHODS.md §3, in the order of the figures."""
    ratios = {
        "tradeoff": [1e-5, 1e-4, 1e-3, 1e-2] * 5,
        "ratio": [1e-4, 1e-3, 1e-2, 1e-1],
        "artworks": [1e-3, 8e-4, 5e-3, 5e-4, 5e-4],
        "content_layer": [1e-3] * 2,
        "initialization": [1e-3] * 6,
        "photorealism": [1e-2] * 2,
    }
    for name, expected in ratios.items():
        found = [alpha_over_beta(settings) for settings in composed(name).values()]
        assert found == pytest.approx(expected), name
    for name in ("artworks", "content_layer", "initialization", "photorealism"):
        sixfold = frame.compose(load(name), ["objective.style_weight=1.66667e8"])
        assert [alpha_over_beta(cell) for cell in sixfold.values()] == pytest.approx(
            [6 * ratio for ratio in ratios[name]], rel=1e-4
        )


def test_from_noise_every_choice_of_layers_has_three_seeds() -> None:
    experiment = load("gatys_vs_johnson")
    cells = experiment.cells(config.compose(*experiment.base, "init=noise"))
    assert len(cells) == 6 * 3 * 3
    assert {cell.overrides[-2] for cell in cells} == {"seed=0", "seed=1", "seed=2"}


def test_tradeoffs_rows_are_growing_subsets() -> None:
    cells = list(composed("tradeoff").values())
    for row in range(5):
        for settings in cells[4 * row : 4 * row + 4]:
            layers = settings.objective.style_layers
            assert [layer.layer for layer in layers] == [f"relu{i}_1" for i in range(1, row + 2)]
            assert [layer.weight for layer in layers] == pytest.approx([1 / (row + 1)] * (row + 1))


def test_reconstructions_minimize_one_term_from_noise() -> None:
    cells = list(composed("reconstructions").values())
    assert all(settings.init.name == "noise" for settings in cells)
    for i, settings in enumerate(cells[:5], start=1):
        assert [layer.layer for layer in settings.objective.content_layers] == [f"relu{i}_2"]
        assert settings.objective.style_layers == []
    for settings in cells[5:]:
        assert settings.objective.content_layers == []


def cell_files(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file()
        and not {"figures", ".cells"} & set(path.relative_to(folder).parts)
        and path.parent != folder
    }


def here(made: list[str]) -> Callable[..., None]:
    """In place of a multirun: cells are computed in this process, and their directories added to
    `made`.
    """
    from stn import transfer  # TensorFlow takes seconds to import

    def multirun(folder: Path, directories: Sequence[str], hydras: Sequence[str]) -> None:
        for name in directories:
            made.append(name)
            cell = (folder / ".cells" / "cell" / f"{name}.yaml").read_text()
            transfer.run(
                config.parse(OmegaConf.merge(config.Config, yaml.safe_load(cell))), folder / name
            )

    return multirun


def test_an_experiment_computes_what_is_missing_and_nothing_else(
    small, tmp_path: Path, monkeypatch, capfd
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        assets.locate_image("asset:starry_night_google.jpg")
    except errors.InputError as error:
        pytest.skip(f"the pictures are not at hand: {error}")
    experiment = load("pooling")
    overrides = [*small, "network.rescale=null"]
    folder = frame.run(experiment, overrides)
    assert folder == tmp_path / "outputs" / "experiments" / "pooling"
    assert {"figure.png", "figure.pdf", "runs.csv", "losses.png", "caption.txt"} <= {
        p.name for p in folder.iterdir()
    }
    assert skimage.io.imread(folder / "figure.png").std() > 10
    with (folder / "runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["network.pooling"] for row in rows] == ["avg", "max"]
    for row in rows:
        summary = json.loads((folder / row["directory"] / "summary.json").read_text())
        assert list(row).index("picture/loss/total") < list(row).index("loss/total")
        for key in (
            "picture/loss/total",
            "loss/total",
            "measures/style",
            "measures/ssim_to_content",
        ):
            assert float(row[key]) == summary[key]
    before = cell_files(folder)

    monkeypatch.setattr(computing, "_multirun", None)  # a second call needs none
    frame.run(experiment, [*overrides, "tracking.project=other"])  # changes no pixel
    assert cell_files(folder) == before
    drawn: list[Path] = []  # nor does another experiment that has such a cell
    other = dataclasses.replace(
        experiment,
        name="other",
        cells=lambda base: [frame.Cell(("a",), ("network.pooling=max",))],
        draw=lambda finished: drawn.append(finished["a",].path) or Figure(),
    )
    frame.run(other, overrides)
    assert drawn == [folder / rows[1]["directory"]]
    assert "other: 1 of 1 runs are there, 1 from other experiments" in capfd.readouterr().err
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)

    lost, kept = (folder / row["directory"] for row in rows)
    picture = (lost / "image.png").read_bytes()
    shutil.rmtree(lost)  # as if it had been interrupted
    made: list[str] = []
    monkeypatch.setattr(computing, "_multirun", here(made))
    frame.run(experiment, overrides)
    assert made == [lost.name]
    assert (lost / "image.png").read_bytes() == picture
    after = cell_files(folder)
    assert all(after[name] == time for name, time in before.items() if name.startswith(kept.name))

    (kept / "metrics.csv").write_text("evaluation\nx\n")
    with pytest.raises(
        errors.InputError, match=r"metrics\.csv: damaged .* remove that run's directory"
    ):
        frame.run(experiment, overrides)

    monkeypatch.setattr(
        computing, "_multirun", lambda folder, directories, hydras: missing.extend(directories)
    )
    missing: list[str] = []
    with pytest.raises(
        errors.InputError, match=r"provenance\.json"
    ):  # nothing was computed: there is nothing to draw
        frame.run(experiment, [*overrides, "seed=1"])
    assert len(missing) == 2 and not {lost.name, kept.name} & set(missing)


def test_a_cell_is_another_when_its_picture_is(small, inputs, tmp_path: Path) -> None:
    copy = tmp_path / "content.png"
    shutil.copy(inputs["content"], copy)
    settings = config.compose(*small, f"content.path={copy}")
    first = frame._digest(settings)
    assert frame._digest(settings) == first
    shutil.copy(inputs["style"], copy)
    frame._checksum.cache_clear()
    assert frame._digest(settings) != first


# The keys that have no default, of a cell whose files are three words.
WORDS = {
    "network": {"name": "vgg19", "weights": "weights"},
    "objective": {
        **{"content_weight": 1.0, "content_layers": [{"layer": "relu4_2", "weight": 1.0}]},
        **{
            "style_weight": 1e3,
            "style_layers": [{"layer": f"relu{i}_1", "weight": 0.5} for i in (1, 2)],
        },
    },
    **{"content": {"path": "content"}, "style": {"path": "style"}},
    **{"init": {"name": "content"}, "optimizer": {"name": "lbfgs"}},
}


def test_the_files_that_feed_a_run_are_named_by_their_keys(small, inputs, tmp_path: Path) -> None:
    fed = {
        "content.path": inputs["content"],
        "style.path": inputs["style"],
        "network.weights": inputs["vgg19"],
    }
    idle = config.compose(*small, "network.rescale=null", "init=content", "init.path=nowhere.png")
    assert stn_inputs.every(idle) == fed  # init.path counts where the run starts from it
    means = tmp_path / "means.npz"
    means.write_bytes(b"means")
    more = (
        "init=file",
        f"init.path={inputs['style']}",
        f"network.rescale={means}",
        f"paint_only={inputs['content']}",
    )
    own = {"init.path": inputs["style"], "network.rescale": means, "paint_only": inputs["content"]}
    assert stn_inputs.every(config.compose(*small, *more)) == fed | own


def test_what_an_experiment_refuses(small, tmp_path: Path) -> None:
    experiment = load("pooling")
    with pytest.raises(errors.InputError, match="seed=0,1"):
        frame.run(experiment, [*small, "seed=0,1"], tmp_path)
    # All that is missing of all cells is said at once, each file once.
    missing = [f"{key}=nowhere.png" for key in ("content.path", "network.rescale")]
    with pytest.raises(errors.InputError) as refused:
        frame.run(experiment, [*small, *missing], tmp_path)
    assert str(refused.value) == "\n".join(
        f"{each}: no such file in {Path.cwd()}" for each in missing
    )
    two = dataclasses.replace(
        experiment,
        cells=lambda base: [frame.Cell((name,), (f"style.path={name}",)) for name in ("a", "b")],
    )
    with pytest.raises(
        errors.InputError, match=r"(?s)style\.path=a: no such .*style\.path=b: no such"
    ):
        frame.run(two, small, tmp_path)
    for word in (
        "hydra.sweep.dir=x",
        "hydra.sweep.subdir=x",
        "hydra.run.dir=x",
        "hydra.sweep={dir: x}",
        "output=x.png",
    ):
        with pytest.raises(
            errors.InputError, match=f"{word}: an experiment's runs have directories"
        ):
            frame.run(experiment, [*small, word], tmp_path)
    with pytest.raises(
        errors.InputError, match=r"view=true: leave it out; .* --live shows the runs"
    ):
        frame.run(experiment, [*small, "view=true"], tmp_path)
    for name, needs in (("spatial", "two guided parts"), ("scale", "mixes two paintings")):
        with pytest.raises(errors.InputError, match=f"{name}: takes a preset .*{needs}"):
            frame.run(load(name), ["preset=gatys2016", *small], tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(errors.InputError, match="2 of 2 runs did not finish"):
        frame.run(experiment, [*small, "hydra/launcher=abacus"], tmp_path)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The directories of the cells, in the order in which they were computed: in this process, an
    evaluation each.
    """
    made: list[str] = []
    monkeypatch.setattr(computing, "_multirun", here(made))
    return made


def test_a_second_call_is_refused_for_what_the_first_computes(
    small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is made while the first is at an evaluation, and takes nothing from it."""
    settings = {
        "max": config.compose(*small, "network.rescale=null", "optimizer.max_evaluations=2")
    }
    multirun, made = computing._multirun, list[str]()

    def call(how: Callable[..., None]) -> None:
        monkeypatch.setattr(computing, "_multirun", how)
        computing.compute("pooling", tmp_path, settings, [], [])

    def call_again() -> None:
        with pytest.raises(errors.InputError, match=r"1 of 1 runs did not finish .* resumes there"):
            call(multirun)

    with (tmp_path / "said").open("wb") as said:
        popen = functools.partial(Forked, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        monkeypatch.setattr(computing, "subprocess", types.SimpleNamespace(Popen=popen))
        with at_evaluation(2, call_again):
            call(here(made))
    lines = (tmp_path / "said").read_text().splitlines()
    refused = "error: max: .*/max: another process is running in it; wait for it"
    assert any(re.match(refused, line) for line in lines), lines
    assert runs.Run(tmp_path / "max").check().summary["evaluations"] == 2 and made == ["max"]
    assert not (tmp_path / "max" / runs.FAILED).exists()


def test_other_settings_leave_the_earlier_figure_and_tables(
    small, computed, tmp_path: Path, capsys
) -> None:
    experiment, overrides = (
        load("pooling"),
        [*small, "network.rescale=null", "optimizer.max_evaluations=1"],
    )
    folder = frame.run(experiment, [*overrides, "image.size_px=32"], tmp_path)
    [first] = (folder / "figures").iterdir()
    assert capsys.readouterr().out.splitlines()[-1] == str(first / "figure.png")
    kept = {path.name: path.read_bytes() for path in first.iterdir()}
    assert {"figure.png", "figure.pdf", "runs.csv", "losses.png", "caption.txt"} == set(kept)
    assert {name: (folder / name).read_bytes() for name in kept} == kept

    frame.run(experiment, [*overrides, "image.size_px=40"], tmp_path)
    [second] = set((folder / "figures").iterdir()) - {first}
    assert {path.name: path.read_bytes() for path in first.iterdir()} == kept
    for path in second.iterdir():  # the last one is what lies above them
        assert (folder / path.name).read_bytes() == path.read_bytes()
    assert (second / "figure.png").read_bytes() != kept["figure.png"]

    frame.run(experiment, [*overrides, "image.size_px=32"], tmp_path)
    assert {name: (folder / name).read_bytes() for name in kept} == kept and len(computed) == 4


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_a_launcher_that_is_not_installed_is_a_line_that_says_what_to_type(
    small, tmp_path: Path, monkeypatch, capfd
) -> None:
    """Of the experiment's multirun too, a process of its own, without a traceback."""
    words = [*small, "network.rescale=null", "hydra/launcher=ray_cluster"]
    monkeypatch.setattr(sys, "argv", ["borders.py", *words])
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)  # of a run in this process
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        frame.main(load("borders"))
    said = capfd.readouterr().err
    assert end.value.code == 2 and "Traceback" not in said
    line = "hydra/launcher/ray: its package is not installed; type: pip install -e '.[ray]'"
    assert f"error: {line}" in said.splitlines()


def test_panels_keep_the_width_of_a_page() -> None:
    rgb = np.full((20, 30, 3), 200.0)
    figure = figures.panels(
        [
            [figures.Panel(rgb, "a", "row"), None],
            [figures.Panel(rgb), figures.Panel(rgb, inset=rgb)],
        ]
    )
    assert figure.get_size_inches()[0] == pytest.approx(6.875)  # CVPR's text
    assert len(figure.axes) == 3  # the empty place has none


def typed(monkeypatch, *words: str) -> int:
    """The exit code of experiments/pooling.py with these words behind it."""
    monkeypatch.setattr("sys.argv", ["pooling.py", *words])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(FOLDER / "pooling.py"), run_name="__main__")
        raise SystemExit(0)
    return end.value.code


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_says_what_an_experiment_takes(word: str, monkeypatch, capsys) -> None:
    assert typed(monkeypatch, word, "image.size_px=64") == 0
    out, err = capsys.readouterr()
    assert err == "" and out.startswith("usage: python experiments/pooling.py [KEY=VALUE ...]")
    assert (
        frame.filled(load("pooling").caption) in out
        and "outputs/experiments/pooling/figure.png" in out
        and "in about 2 min on two cores:\n  python experiments/pooling.py image.size_px=384" in out
    )


# Calls each program with --help, and ends at the first that said no usage or loaded too much.
HELP_OF_ALL = """
import contextlib, io, runpy, sys
heavy = {"tensorflow", "matplotlib", "sklearn", "scipy.interpolate"}
for path in sys.argv[1:]:
    sys.argv, said = [path, "--help"], io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        runpy.run_path(path, run_name="__main__")
    loaded = sorted(heavy & set(sys.modules))
    if loaded or not said.getvalue().startswith("usage: "):
        sys.exit(f"{path}: {loaded} {said.getvalue()[:40]!r}")
"""


def test_help_loads_nothing_that_takes_seconds() -> None:
    """Of every program, in one process: what one of them loads stays there for the next."""
    paths = [str(FOLDER / f"{name}.py") for name in sorted({*FILES, *SIDE})]
    said = subprocess.run(
        [sys.executable, "-c", HELP_OF_ALL, *paths], capture_output=True, text=True, timeout=120
    )
    assert (said.returncode, said.stderr) == (0, "")


def test_the_command_of_every_committed_figure_stands_in_the_documents() -> None:
    """So that what --help says of a figure is what the page says that was typed."""
    pages = "".join(page.read_text() for page in FOLDER.parent.glob("docs/**/*.md"))
    for name in FILES:
        assert f"python experiments/{name}.py {load(name).committed}".strip() in pages


def test_the_default_montage_has_a_row_for_each_label(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(level: float) -> Any:
        return types.SimpleNamespace(
            rgb=np.full((4, 6, 3), level), picture=lambda role: np.full((4, 6, 3), len(role))
        )

    shown = {
        frame.Cell((label, title), (), "", label, ("content",) if title == "a" else ()): run(level)
        for label, title, level in (
            *(("one", "a", 10), ("one", "b", 20), ("one", "c", 30)),
            *(("two", "a", 40), ("two", "b", 50)),
        )
    }
    axes = frame.montage(shown, 3).axes
    levels = [axis.images[0].get_array()[0, 0, 0] for axis in axes]
    assert levels == [7, 10, 20, 30, 7, 40, 50]  # the photograph first; a row holds three
    tops = [axis.get_position().y1 for axis in axes]
    assert [len(list(row)) for _, row in itertools.groupby(tops)] == [3, 1, 3]
    assert [axis.get_title() for axis in axes] == [
        "content",
        "a",
        "b",
        "c",
        "content",
        "a",
        "b",
    ]
    assert [text.get_text() for axis in axes for text in axis.texts] == ["one", "two"]
    repeated = {frame.Cell((row, "x"), (), label=row): run(1) for row in ("one", "two")}
    assert [axis.get_title() for axis in frame.montage(repeated, 3).axes] == ["x", ""]


@pytest.mark.parametrize("option", ["-m", "--multirun", "--cfg"])
def test_an_experiment_takes_no_options(option: str, monkeypatch, capsys) -> None:
    assert typed(monkeypatch, option, "image.size_px=64") == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {option}: ") and "sweeps for itself" in line


def test_choices_are_tabled_and_drawn_at_equal_content(tmp_path: Path) -> None:
    """Of made runs: every choice has half the baseline's distances, and a tenth more edges."""
    experiment, cells = load("gatys_vs_johnson"), composed("gatys_vs_johnson")
    assert {(each.match.measure, each.match.value) for each in cells.values()} == {
        ("features", 0.7)
    }
    keys = ("gram", "patches_to_style", "histogram_to_style", "style")

    def run(cell: frame.Cell) -> Any:
        scale = 1.0 if cell.key[0] == "gatys" else 0.5
        summary = {f"measures/{key}": 0.4 * scale for key in keys}
        kept = 0.8 - 0.2 * scale
        summary |= {"measures/ssim_to_content": kept, "measures/edges_to_content": kept}
        return types.SimpleNamespace(
            summary={**summary, "seconds": 2.0},
            metrics={"loss/total": np.array([9.0, 4.0, 2.0])},
            settings={"network": {"name": "vgg19_q8"}},
            rgb=np.full((4, 6, 3), 9.0),
            picture=lambda role: np.full((4, 6, 3), 5.0),
        )

    finished = {cell.key: run(cell) for cell in cells}
    assert experiment.draw is not None and experiment.write is not None
    assert len(experiment.draw(finished).axes) > 18
    experiment.write(tmp_path, finished)
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (tmp_path / "table.md").read_text().splitlines()[2:]
    ]
    labels = ["Johnson", "J content, G style", "G content, J style"]
    assert [row[0] for row in rows[:3]] == labels
    assert len(rows) == len({key[0] for key in finished}) - 1
    for row in rows:
        assert row[1].startswith("−50.0 %") and row[5].startswith("+0.1 (")

    first, *_ = cells  # of the baseline, which did not reach its content
    del finished[first.key]
    assert len(experiment.draw(finished).axes) > 18
    experiment.write(tmp_path, finished)
    rows = (tmp_path / "table.md").read_text().splitlines()[2:]
    assert all("−50.0 %" in row and "2 of 3 pairs" in row for row in rows)


def test_a_figure_is_drawn_without_the_cells_that_do_not_reach_their_content(
    small, computed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feature distance of 50 is beyond all pictures; the failure is written as a sweep does."""
    made: list[str] = []
    compute = here(made)

    def multirun(folder: Path, directories: Sequence[str], hydras: Sequence[str]) -> None:
        for name in directories:
            try:
                compute(folder, [name], hydras)
            except errors.InputError as error:
                hooks.fail(error, folder / name, [], {}, local=False)

    monkeypatch.setattr(computing, "_multirun", multirun)
    monkeypatch.setattr(matching, "MOST_TRIALS", 2)
    seeking = ("match.measure=features", "match.value=50")
    experiment = dataclasses.replace(
        load("pooling"),
        cells=lambda base: [frame.Cell(("near",), ()), frame.Cell(("far",), seeking)],
    )
    own = [*small, "optimizer.max_evaluations=1"]
    with pytest.raises(
        errors.NotReached, match=r"drawn without 1 of 2 runs \(far: match\.value=50"
    ):
        frame.run(experiment, own, tmp_path)
    assert [name.split("-")[0] for name in made] == ["near", "far"]
    folder = tmp_path / "pooling"
    assert "Drawn without 1 of 2 runs (far: " in (folder / "caption.txt").read_text()
    with (folder / "runs.csv").open(newline="") as file:
        assert [row["directory"].split("-")[0] for row in csv.DictReader(file)] == ["near"]
    alone = dataclasses.replace(experiment, cells=lambda base: [frame.Cell(("far",), seeking)])
    with pytest.raises(errors.NotReached, match="pooling: no run reached its content"):
        frame.run(alone, own, tmp_path)
    assert len(made) == 2  # nothing is tried again


def test_a_seam_is_what_the_sides_that_meet_differ_by() -> None:
    seam = runpy.run_path(str(FOLDER / "tiles.py"))["seam"]
    slope = np.broadcast_to(3.0 * np.arange(5)[:, None, None], (5, 4, 3))
    assert seam(slope) == (12, 3, 0, 0)
    assert seam(slope.transpose(1, 0, 2)) == (0, 0, 12, 3)


def test_painters_finds_what_is_flat_and_what_is_fine_there() -> None:
    """A picture half gray and half rough; checkers of ± 10 are fine, a slope is not."""
    module = types.SimpleNamespace(**runpy.run_path(str(FOLDER / "painters.py")))
    rough = np.full((80, 120, 3), 100.0)
    rough[:, 60:] += np.random.default_rng(0).normal(0, 30, (80, 60, 1))
    where = module.flat(rough)
    assert where.mean() >= 0.25
    assert where[:, :50].all() and not where[:, 60:].any()

    rows, columns = np.mgrid[:80, :120]
    checkers = 10.0 * np.where((rows + columns) % 2, 1, -1)[..., None]
    detail, share = module.fine(np.full((80, 120, 3), 100.0) + checkers, where)
    assert detail == pytest.approx(10, rel=0.01) and share == pytest.approx(1, rel=0.02)
    slope = np.broadcast_to(columns[..., None], (80, 120, 3)).astype(float)
    detail, share = module.fine(slope, where & (columns > 10))
    assert detail < 1e-3 and share < 1e-6  # away from the border a Gaussian keeps a slope
    assert module.fine(np.full((80, 120, 3), 7.0)) == pytest.approx((0, 0))
