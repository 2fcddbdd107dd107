"""Choices at equal content: effects of runs whose measures are known, and what is shared between
experiments.
"""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from stn import runs
from stn.analysis import inference, tables
from stn.experiment import ablations
from stn.experiment.ablations import CONTENT, STYLE

_, SSIM, _ = CONTENT
GRAM, *_ = STYLE


def made(folder: Path, **measures: float) -> runs.Run:
    """A run with these measures."""
    path = folder / str(len(list(folder.glob("*"))))
    path.mkdir(parents=True)
    found = {f"measures/{key}": value for key, value in measures.items()}
    (path / "summary.json").write_text(json.dumps(found))
    return runs.Run(path)


def test_an_effect_is_the_mean_factor_over_pairs_at_equal_content(tmp_path: Path) -> None:
    baseline = {pair: {0: made(tmp_path, gram=0.3)} for pair in "abc"}
    choice = {
        pair: {0: made(tmp_path, gram=0.3 * factor)}
        for pair, factor in zip("abc", (0.5, 0.7, 0.8), strict=True)
    }
    found = ablations.effect(choice, baseline, GRAM.of)
    assert np.exp(found.mean) == pytest.approx((0.5 * 0.7 * 0.8) ** (1 / 3))
    assert np.exp(found.low) < 0.5 < 0.8 < np.exp(found.high) < 1 and found.pairs == 3
    text = ablations.shown(found, True, 3)
    assert text.startswith("−34.6 % (−") and not isinstance(text, tables.Bold)  # of three pairs
    many = dataclasses.replace(found, pairs=6)
    assert isinstance(ablations.shown(many, True, 6), tables.Bold)
    # Three seeds against a baseline that has but one; a pair that has no measure says nothing.
    choice = {
        "a": {seed: made(tmp_path, gram=0.3 * (1.1 + 0.1 * seed)) for seed in range(3)},
        "b": {0: made(tmp_path)},
    }
    found = ablations.effect(choice, baseline, GRAM.of)
    assert np.exp(found.mean) == pytest.approx((1.1 * 1.2 * 1.3) ** (1 / 3)) and found.pairs == 1
    assert ablations.shown(found, True, 3).endswith(", 1 of 3 pairs")
    assert ablations.effect({"b": choice["b"]}, baseline, GRAM.of) is None


def test_what_is_no_factor_is_a_difference(tmp_path: Path) -> None:
    baseline, choice = ({"a": {0: made(tmp_path, ssim_to_content=value)}} for value in (0.4, 0.45))
    found = ablations.effect(choice, baseline, SSIM.of, SSIM.factor)
    assert found.mean == pytest.approx(0.05)
    assert ablations.shown(found, False, 1) == "+0.05"


def test_runs_are_sorted_by_choice_pair_and_seed(tmp_path: Path) -> None:
    one, other = made(tmp_path), made(tmp_path)
    key = ("johnson", "chelsea", "the_scream")
    found = ablations.by_choice({(*key, 0): one, (*key, 1): other})
    assert found == {"johnson": {"chelsea, the_scream": {0: one, 1: other}}}


def factors(*values: float) -> inference.Effect:
    """The effect of three pairs that has this factor and its ends."""
    mean, low, high = map(math.log, values)
    return inference.Effect(mean, low, high, 3, math.nan)


def test_an_effect_within_the_noise_is_not_bold() -> None:
    found = factors(1.02, 0.9, 1.1)
    assert ablations.shown(found, True, 3) == "+2.0 % (−10.0 % … +10.0 %)"
    assert ablations.shown(None, True, 3) == "not measured"
