"""The study's runs: a cell is a plain run, and what was stopped goes on."""

import csv
import dataclasses

import numpy as np
import pytest

from stn import assets, config, layers, quantities, transfer
from stn.errors import InputError
from stn.loss import statistics
from stn.study import crossing, design, trials
from stn.transfer import matching

CELL = ("astronaut", "strokes", "johnson")


@pytest.fixture(scope="module")
def bench(inputs):
    try:
        for name in ("tubingen.jpg", "starry_night_google.jpg"):
            assets.locate_image(f"asset:{name}")
    except InputError as error:
        pytest.skip(f"the pictures are not at hand: {error}")
    return crossing.Bench("vgg19", 32, 5, (f"network.weights={inputs['vgg19']}",))


@pytest.fixture
def two_cells(bench, monkeypatch):
    """A study of Gatys and Johnson on one pair, at a value that small runs reach at once."""
    study = dataclasses.replace(
        design.LAYERS,
        photographs={"astronaut": design.PHOTOGRAPHS["astronaut"]},
        paintings={"strokes": design.PAINTINGS["strokes"]},
        stages=((("gatys", "johnson"), 1),),
    )
    monkeypatch.setattr(bench, "study", study)
    monkeypatch.setattr(matching, "MOST_TRIALS", 2)


def test_a_cell_is_the_run_that_the_command_makes(bench, composed, tmp_path, inputs):
    rgb, found = bench.made(*CELL, 3.0)
    settings = composed(
        *(word for word in bench.base if not word.startswith(("content=", "style="))),
        f"content.path={design.PHOTOGRAPHS['astronaut']}",
        f"style.path={design.PAINTINGS['strokes']}",
        "objective.content_layers=[relu2_2]",
        f"objective.style_layers=[{','.join(layers.JOHNSON)}]",
        "objective.style_weight=3",
        "seed=0",
    )
    plain = transfer.run(settings, tmp_path / "run")
    np.testing.assert_array_equal(rgb, plain.pixels)
    for name in quantities.MEASURES:
        assert found[name] == pytest.approx(plain.summary[f"measures/{name}"], rel=1e-6)
    assert found["total"] == plain.summary["loss/total"]


def test_random_weights_are_others_and_judged_by_the_trained_network(bench):
    network = bench._network("random_johnson")
    assert network.layer_names == bench.trained.layer_names
    first = np.asarray(network.kernels["conv1_2"][0])
    assert not np.allclose(first, np.asarray(bench.trained.kernels["conv1_2"][0]))
    rgb, found = bench.made("astronaut", "strokes", "random_johnson", 1.0)
    from stn.metrics import measures

    photograph, painting = bench.inputs_of("astronaut", "strokes")
    again = measures.measure(rgb, photograph, painting, bench.trained.plain())
    assert found["gram"] == pytest.approx(again["measures/gram"])


def test_a_study_that_was_stopped_goes_on_from_its_table(bench, two_cells, tmp_path):
    whole, stopped = tmp_path / "whole.csv", tmp_path / "stopped.csv"
    marks = trials.marks_of("vgg19", 32, 5)
    every = list(crossing.run(whole, bench, marks))
    assert {row["choice"] for row in every} == {"gatys", "johnson"}
    for _ in crossing.run(stopped, bench, marks):
        break  # killed after its first trial, in the middle of the next line
    with stopped.open("a") as file:
        file.write("vgg19,32,5,astro")
    rest = list(crossing.run(stopped, bench, marks))
    assert len(rest) == len(every) - 1
    kept = [trials.read(path) for path in (whole, stopped)]
    for one, other in zip(*kept, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    with whole.open() as file:
        assert tuple(next(csv.reader(file))) == trials.COLUMNS
    before = whole.read_bytes()
    assert not list(crossing.run(whole, bench, marks)) and whole.read_bytes() == before


def test_a_table_of_other_settings_is_refused(tmp_path):
    marks = trials.marks_of("vgg19", 32, 5)
    with pytest.raises(InputError, match="size_px=64"):
        trials.check(tmp_path / "x.csv", [{**marks, "size_px": 64.0}], marks)
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="other columns"):
        trials.read(tmp_path / "x.csv")


def test_a_search_begins_where_other_pairs_ended():
    def row(photograph, choice, weight):
        return {
            "photograph": photograph,
            "painting": "strokes",
            "choice": choice,
            "style_weight": weight,
            "features": 0.6,
            "matched": 1.0,
        }

    rows = [row("a", "gatys", 2.0), row("a", "johnson", 1.0), row("b", "gatys", 6.0)]
    study = design.LAYERS
    assert trials.start_of(study, rows, ("b", "strokes", "johnson")) == pytest.approx(3.0)
    assert trials.start_of(study, rows[:2], ("b", "strokes", "gatys")) == pytest.approx(2.0)
    assert trials.start_of(study, [], CELL) == study.choices["johnson"].start


def test_each_study_is_that_of_its_protocol():
    cells = list(design.LAYERS.cells())
    assert len(cells) == len(set(cells)) == 516 and len(design.LAYERS.photographs) == 10
    assert cells.index(("coins", "strokes", "johnson")) == 119  # the last of stage 1
    others = list(design.STATISTICS.cells())
    assert len(others) == len(set(others)) == 11 * 24 + 2 * 12 + 12
    changes = list(design.CHANGES.cells())
    assert len(changes) == len(set(changes)) == 13 * 24 + 2 * 12
    for study in (design.LAYERS, design.STATISTICS, design.CHANGES):
        for contrast in study.contrasts:
            assert {contrast.choice, contrast.baseline} <= study.choices.keys()


def test_every_statistic_of_the_study_weighs_its_layers_alike():
    """At first, but for the one that says so; none has another statistic than its name's."""
    study = design.STATISTICS
    weighed = {
        name: config.compose(*study.base, "network=vgg19", *choice.overrides).objective
        for name, choice in study.choices.items()
    }
    assert weighed.pop("raw_gram").layer_weighting == "equal"
    for name, objective in weighed.items():
        assert objective.layer_weighting == "first_loss"
        assert objective.style_statistic == (name if name in statistics.STATISTICS else "gram")


def test_every_change_changes_one_thing():
    """One section of the settings, but for the layers before the ReLUs: content and style."""
    study = design.CHANGES

    def sections(choice: design.StudyChoice) -> dict[str, object]:
        layers = [f"objective.content_layers=[{choice.content}]"]
        layers.append(f"objective.style_layers=[{','.join(choice.style)}]")
        words = (*study.base, "network=vgg19", *layers, f"seed={choice.seed}", *choice.overrides)
        return config.to_dict(config.compose(*words))

    baseline = sections(study.choices[study.baseline])
    for name, choice in study.choices.items():
        own = sections(choice)
        changed = [key for key in baseline if own[key] != baseline[key]]
        assert len(changed) == (name != study.baseline), (name, changed)


def test_a_change_of_the_network_is_one_and_is_judged_by_the_unchanged(bench, monkeypatch):
    monkeypatch.setattr(bench, "study", design.CHANGES)
    monkeypatch.setattr(bench, "_settings", bench._settings_of)
    monkeypatch.setattr(bench, "_network", bench._network_of)
    assert bench._network("adam") is bench.trained
    assert bench._network("average").options.pooling == "avg" != bench.trained.options.pooling
    rgb, found = bench.made("astronaut", "strokes", "average", 1.0)
    from stn.metrics import measures

    photograph, painting = bench.inputs_of("astronaut", "strokes")
    again = measures.measure(rgb, photograph, painting, bench.trained.plain())
    assert found["gram"] == pytest.approx(again["measures/gram"])
