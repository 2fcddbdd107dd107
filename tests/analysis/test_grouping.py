"""Groups over seeds, noise, and what a curve connects: against numbers worked out by hand."""

import json
import math
from pathlib import Path

import pytest
from made_runs import make_run

from stn import runs
from stn.analysis import grouping
from stn.analysis.grouping import Estimate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two poolings, three style weights, two seeds; measures/style is 10 · weight + seed, plus 100
    for max pooling.
    """
    folder = tmp_path_factory.mktemp("sweep")
    for pooling in ("avg", "max"):
        for weight in (100, 9, 20):
            for seed in (0, 2):
                overrides = (
                    f"network.pooling={pooling}",
                    f"objective.style_weight={weight}",
                    f"seed={seed}",
                )
                measures = {
                    "measures/style": 10 * weight + seed + 100 * (pooling == "max"),
                    "measures/content": 1 / weight,
                }
                make_run(folder / f"{pooling}-{weight}-{seed}", 1.0, *overrides, rows=1, **measures)
    return folder


def test_an_estimate_has_the_sample_deviation() -> None:
    assert Estimate.of([2.0, 4.0, 6.0]) == Estimate(4.0, 2.0, 3)  # Σ (x − 4)² = 8, over 3 − 1
    alone = Estimate.of([5.0])
    assert (alone.mean, alone.seeds) == (5.0, 1) and math.isnan(alone.deviation)


@pytest.mark.parametrize(
    ("one", "other", "noise"),
    [
        (Estimate(10, 2, 3), Estimate(12, 2, 3), True),
        (Estimate(12.01, 2, 3), Estimate(10, 2, 3), False),
        # √((1 · 3² + 3 · 1²) / 4) = √3
        (Estimate(0, 3, 2), Estimate(1.73, 1, 4), True),
        (Estimate(0, 3, 2), Estimate(1.74, 1, 4), False),
        (
            Estimate(0, math.nan, 1),
            Estimate(1.5, 2, 3),
            True,
        ),  # one seed tells nothing: the other's deviation counts
        (Estimate(0, math.nan, 1), Estimate(2.5, 2, 3), False),
        (Estimate(0, math.nan, 1), Estimate(0, math.nan, 1), False),  # unknown
        (Estimate(1, 0, 3), Estimate(1, 0, 3), True),
    ],
)
def test_within_noise_is_a_difference_of_at_most_the_pooled_deviation(
    one, other, noise: bool
) -> None:
    assert grouping.within_noise(one, other) is noise is grouping.within_noise(other, one)


def test_runs_are_grouped_over_seeds(folder: Path) -> None:
    groups = grouping.over_seeds(runs.below(folder))
    assert [len(group.runs) for group in groups] == [2] * 6
    assert [group.parameters for group in groups][:2] == [
        {"network.pooling": "avg", "objective.style_weight": weight} for weight in (9.0, 20.0)
    ]
    assert groups[0].estimate("measures/style") == Estimate(91, math.sqrt(2), 2)
    assert groups[0].estimate("objective.style_weight") == Estimate(9, 0, 2)
    assert groups[0].estimate("stop_reason") is groups[0].estimate("network.name") is None


def test_what_is_no_repetition_is_not_counted_as_one(tmp_path: Path) -> None:
    for name in ("a", "again", "other", "unfinished", "damaged", "cheaper"):
        total = None if name == "unfinished" else 1.0
        make_run(
            tmp_path / name,
            total,
            "seed=1" if name == "unfinished" else "seed=0",
            **{"measures/style": 3.0},
        )
    for name, inputs in (("a", "1"), ("again", "1"), ("other", "2"), ("cheaper", "1")):
        provenance = json.loads((tmp_path / name / "provenance.json").read_text())
        provenance["config"]["threads"] = len(name)  # changes no pixel
        provenance["inputs_sha256"] = {"content": inputs}
        if name == "cheaper":
            provenance["config"]["optimizer"]["max_evaluations"] = 3
        (tmp_path / name / "provenance.json").write_text(json.dumps(provenance))
    (tmp_path / "damaged" / "provenance.json").write_text("{")
    groups = grouping.over_seeds(runs.below(tmp_path))
    assert [[run.path.name for run in group.runs] for group in groups] == [
        ["a"],
        ["cheaper"],
        ["other"],
    ]


def test_a_result_that_is_not_a_number_is_not_averaged(tmp_path: Path) -> None:
    for seed, value in enumerate((None, 4.0, float("nan"), 6.0)):
        make_run(tmp_path / str(seed), 1.0, f"seed={seed}", **{"measures/style": value})
    [group] = grouping.over_seeds(runs.below(tmp_path))
    assert len(group.runs) == 4 and group.estimate("measures/style") == Estimate(5, math.sqrt(2), 2)


def test_curves_connect_what_differs_in_one_setting_in_its_order(folder: Path) -> None:
    groups = grouping.over_seeds(runs.below(folder))
    assert grouping.swept(groups) == "objective.style_weight"
    curves = grouping.connected(groups, "objective.style_weight")
    assert list(curves) == ["pooling=avg", "pooling=max"]
    means = [
        [group.estimate("measures/style").mean for group in curve] for curve in curves.values()
    ]
    assert means == [[91, 201, 1001], [191, 301, 1101]]
    assert [len(curve) for curve in grouping.connected(groups, "network.pooling").values()] == [
        2,
        2,
        2,
    ]
    alone = grouping.connected(groups, None)
    assert [len(curve) for curve in alone.values()] == [
        1
    ] * 6 and "pooling=max, style_weight=100" in alone


def test_without_a_number_that_varies_there_is_nothing_to_connect_by(tmp_path: Path) -> None:
    for pooling in ("avg", "max"):
        make_run(tmp_path / pooling, 1.0, f"network.pooling={pooling}")
    assert grouping.swept(grouping.over_seeds(runs.below(tmp_path))) is None


def test_curves_of_pictures_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        make_run(tmp_path / folder, 1.0, f"style.path={folder}/waves.jpg")
    groups = grouping.over_seeds(runs.below(tmp_path))
    labels = ["style=one/waves.jpg", "style=other/waves.jpg"]
    assert list(grouping.connected(groups, "seed")) == labels


def test_a_curve_does_not_connect_runs_of_a_photograph_that_was_exchanged_under_its_name(
    tmp_path: Path,
) -> None:
    for name, weight, style, checksums in (
        ("a", 1, "waves", {"content": "1", "style": "2"}),
        ("b", 2, "waves", {"content": "1", "style": "2"}),
        ("c", 3, "waves", {"content": "exchanged", "style": "2"}),
        ("d", 3, "dunes", {"content": "exchanged", "style": "4"}),
    ):
        make_run(
            tmp_path / name, 1.0, f"objective.style_weight={weight}", f"style.path={style}.jpg"
        )
        provenance = json.loads((tmp_path / name / "provenance.json").read_text())
        (tmp_path / name / "provenance.json").write_text(
            json.dumps(provenance | {"inputs_sha256": checksums})
        )
    groups = grouping.over_seeds(runs.below(tmp_path))

    def names(along: str) -> list[list[str]]:
        return [
            [group.runs[0].path.name for group in curve]
            for curve in grouping.connected(groups, along).values()
        ]

    assert names("objective.style_weight") == [["a", "b"], ["c"], ["d"]]
    assert names("style.path") == [
        ["a"],
        ["b"],
        ["d", "c"],
    ]  # another painting has another checksum


def test_measures_of_results_of_other_shapes_do_not_compare(tmp_path: Path) -> None:
    for name, shape in (("a", "null"), ("b", "[30,40]"), ("c", "[40,30]")):
        make_run(tmp_path / name, 1.0, "image.size_px=128", f"image.shape={shape}")
    assert len({grouping.yardstick(run) for run in runs.below(tmp_path)}) == 3
    [sizes] = grouping.not_comparable(runs.below(tmp_path))
    assert "long 128 px, result 40 × 30 px" in sizes


def test_runs_of_several_networks_or_sizes_are_said_not_to_compare(tmp_path: Path) -> None:
    make_run(tmp_path / "a", 1.0, "network=vgg19_q8", "image.size_px=128")
    make_run(tmp_path / "b", 1.0, "network=vgg19_q8", "image.size_px=128", "seed=1")
    assert grouping.not_comparable(runs.below(tmp_path)) == []
    make_run(tmp_path / "c", 1.0, "network=vgg16", "image.size_px=128")
    make_run(tmp_path / "d", 1.0, "network=vgg16", "image.size_px=256")
    networks, sizes = grouping.not_comparable(runs.below(tmp_path))
    assert "different networks (vgg16; vgg19_q8)" in networks and "do not compare" in networks
    assert "different sizes" in sizes and "128 px" in sizes and "256 px" in sizes
