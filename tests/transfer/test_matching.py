"""Equal content: the search for a key's value, and the run that has it."""

import math

import pytest

from stn import runs
from stn.errors import InputError
from stn.transfer import matching


def search(measure, target, start=1.0, slope=None):
    """The trials of a search, to its end."""
    trials = []
    while len(trials) < matching.MOST_TRIALS:
        value = matching.following(trials, target, start, slope)
        trials.append((value, measure(value)))
        if matching.hit(trials[-1], target):
            break
    return trials


@pytest.mark.parametrize("start", [1.0, 10.0, 30.0, 300.0])
@pytest.mark.parametrize("target", [0.4, 0.6, 0.8])
def test_a_saturating_measure_is_met_in_six_trials(start, target):
    """From photograph to painting over four decades, rising with the key or falling."""
    for sign in (1, -1):

        def measure(value, sign=sign):
            return 0.05 + 0.85 / (1 + math.exp(-sign * math.log(value / 20) / 1.3))

        trials = search(measure, target, start)
        assert matching.hit(trials[-1], target)
        assert len({value for value, _ in trials}) == len(trials)


def test_a_known_slope_saves_a_trial():
    def measure(value):
        return 0.2 + 0.1 * math.log(value)

    slope = matching.typical_slope([[(1.0, 0.2), (math.e, 0.3)]])
    assert slope == pytest.approx(0.1)
    assert len(search(measure, 0.6, 5.0, slope)) == 2
    assert len(search(measure, 0.6, 5.0)) == 3


def test_a_run_has_the_measure_and_is_the_plain_run_with_that_key(run, tmp_path):
    plain = run(tmp_path / "far", "objective.style_weight=1e4")
    near = run(tmp_path / "near", "objective.style_weight=1e3")
    target = (plain.summary["measures/features"] + near.summary["measures/features"]) / 2
    wanted = ("match.measure=features", f"match.value={target!r}", "objective.style_weight=1e4")
    found = run(tmp_path / "matched", *wanted)
    assert found.summary["measures/features"] == pytest.approx(target, rel=matching.TOLERANCE)
    weight = runs.Run(tmp_path / "matched").settings["objective"]["style_weight"]
    again = run(tmp_path / "typed", f"objective.style_weight={weight!r}")
    assert (again.pixels == found.pixels).all()
    assert [each.path.name for each in runs.below(tmp_path / "matched")] == ["matched"]
    # Seconds are in them: no evaluation of the last trial was made a second time.
    trial = tmp_path / "matched" / runs.TRIALS / f"{weight:g}"
    assert (trial / runs.METRICS).read_bytes() == (tmp_path / "matched" / runs.METRICS).read_bytes()
    assert not [*(tmp_path / "matched").rglob("checkpoint.npz")]
    made = (tmp_path / "matched" / "image.png").stat().st_mtime_ns
    run(tmp_path / "matched", *wanted)  # finished before
    assert (tmp_path / "matched" / "image.png").stat().st_mtime_ns == made


def test_what_cannot_be_reached_is_one_line(run, tmp_path):
    with pytest.raises(InputError, match=r"match\.value=50: 6 runs with objective\.style_weight"):
        run(tmp_path, "match.measure=features", "match.value=50", "optimizer.max_evaluations=1")
    assert not (tmp_path / runs.SUMMARY).exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("match.measure=features",), "match.value"),
        (("match.measure=featurs", "match.value=1"), "did you mean features"),
        (("match.measure=gram", "match.value=1", "match.key=seed"), "match.key=seed"),
        (("match.measure=gram", "match.value=1", "match.key=style_weight"), "no such key"),
    ],
)
def test_wrong_input_is_refused_before_any_run(composed, words, said):
    with pytest.raises(InputError, match=said):
        composed(*words)
