"""Choices at equal content: effects of runs whose measures are known, and what is shared between
experiments.
"""

import dataclasses
import json
import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from stn import runs
from stn.experiment import ablations
from stn.experiment.ablations import CONTENT, STYLE
from stn.study import inference, tables

FEATURES, SSIM, _ = CONTENT
GRAM, *_ = STYLE


def sweep(folder: Path, x: list[float], y: list[float], key: str = "gram") -> list[runs.Run]:
    """Runs with these measures."""
    found = []
    for number, (content, style) in enumerate(zip(x, y, strict=True)):
        path = folder / f"{len(list(folder.glob('*')))}-{number}"
        path.mkdir(parents=True)
        (path / "summary.json").write_text(
            json.dumps({"measures/features": content, f"measures/{key}": style})
        )
        found.append(runs.Run(path))
    return found


def test_an_effect_is_the_factor_at_equal_content_of_each_pair(tmp_path: Path) -> None:
    def curve(x: list[float], factor: float) -> list[runs.Run]:
        return sweep(tmp_path, x, [factor * np.exp(-2 * value) for value in x])

    baseline = {pair: {"0": curve([0.1, 0.4, 0.6, 0.9], 1)} for pair in "abc"}
    choice = {
        pair: {"0": curve([0.3, 0.5, 0.8], factor)}
        for pair, factor in zip("abc", (0.5, 0.7, 0.8), strict=True)
    }
    found = ablations.effect(choice, baseline, FEATURES, GRAM)
    assert np.exp(found.mean) == pytest.approx((0.5 * 0.7 * 0.8) ** (1 / 3))
    assert np.exp(found.low) < 0.5 < 0.8 < np.exp(found.high) < 1 and found.pairs == 3
    text = ablations.shown(found, True, 3)
    assert text.startswith("−34.6 % (−") and not isinstance(text, tables.Bold)  # of three pairs
    many = dataclasses.replace(found, pairs=6)
    assert isinstance(ablations.shown(many, True, 6), tables.Bold)
    # Three seeds against a baseline that has but one; a pair that has no content in common says
    # nothing.
    choice = {
        "a": {
            str(seed): curve([0.3, 0.5, 0.8], factor) for seed, factor in enumerate((1.1, 1.2, 1.3))
        },
        "b": {"0": curve([0.91, 0.95, 0.99], 3)},
    }
    found = ablations.effect(choice, baseline, FEATURES, GRAM)
    assert np.exp(found.mean) == pytest.approx((1.1 * 1.2 * 1.3) ** (1 / 3)) and found.pairs == 1
    assert ablations.shown(found, True, 3).endswith(", 1 of 3 pairs")
    assert ablations.effect({"b": choice["b"]}, baseline, FEATURES, GRAM) is None
    assert (
        ablations.effect({"b": choice["b"]}, baseline, SSIM, GRAM) is None
    )  # which nobody measured


def test_what_is_no_factor_is_a_difference(tmp_path: Path) -> None:
    x = [0.1, 0.5, 0.9]
    baseline, choice = (
        {"a": {"0": sweep(tmp_path / name, x, [0.2 + shift, 0.4 + shift, 0.5 + shift], SSIM.key)}}
        for name, shift in (("baseline", 0.0), ("choice", 0.05))
    )
    found = ablations.effect(choice, baseline, FEATURES, SSIM)
    assert found.mean == pytest.approx(0.05)
    assert ablations.shown(found, False, 1) == "+0.050"


def factors(*values: float) -> inference.Effect:
    """The effect of three pairs that has this factor and its ends."""
    mean, low, high = map(math.log, values)
    return inference.Effect(mean, low, high, 3, math.nan)


def test_an_effect_within_the_noise_is_not_bold() -> None:
    found = factors(1.02, 0.9, 1.1)
    assert ablations.shown(found, True, 3) == "+2.0 % (−10.0 … +10.0)"
    assert ablations.shown(None, True, 3) == "nothing in common"


def test_pictures_of_equal_content_are_one_a_sweep(tmp_path: Path) -> None:
    several = [
        sweep(tmp_path / name, x, x)
        for name, x in (("a", [0.1, 0.5, 0.9]), ("b", [0.2, 0.48, 0.6]))
    ]
    assert ablations.matched(several, FEATURES) == [several[0][1], several[1][1]]


def test_intervals_are_drawn_in_percent_row_by_row() -> None:
    figure, axis = plt.subplots()
    ablations.draw_intervals(axis, [factors(1.5, 1.25, 2), None, factors(0.5, 0.4, 0.75)])
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


def test_a_run_of_another_size_is_measured_as_if_it_had_the_same(run, tmp_path: Path) -> None:
    small = runs.Run(run(tmp_path / "small", "image.size_px=20").run_dir)
    resized = ablations.at_size(small, 32)
    assert ablations.at_size(small, 20) is small
    assert resized.rgb.shape == resized.picture("content").shape and max(resized.rgb.shape) == 32
    assert max(small.rgb.shape) == 20
    found = {key for key in small.summary if key.startswith("measures/")}
    changed = {key for key in found if resized.summary[key] != small.summary[key]}
    assert {"measures/gram", "measures/features", "measures/ssim_to_content"} <= changed
    assert resized.summary["loss/total"] == small.summary["loss/total"]
    # The photograph itself, resized, keeps most of its edges; a measure of the wrong picture would
    # not say so.
    assert resized.summary["measures/edges_to_content"] > 0.5
