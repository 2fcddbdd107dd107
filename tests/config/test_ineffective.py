"""What a user types is read, refused, or named in a warning; what a group or a preset lists is no
one's typing.
"""

import warnings

import pytest

from stn import config

SILENT = [
    ("optimizer=adam",),
    ("preset=neural_style",),  # lists Adam's learning rate beside L-BFGS
    ("optimizer=adam", "optimizer.learning_rate=5", "optimizer.decay_rate=0.5"),
    ("optimizer=adam", "optimizer.restart_every=null", "optimizer.ftol=0"),  # what is off
    ("optimizer=lbfgs", "optimizer.history=5", "optimizer.restart_every=50"),
    ("init=noise", "init.amplitude=5"),
    ("init=blend", "init.noise_ratio=0.5", "init.distribution=normal"),
    ("init=file", "init.path=a.png"),
    ("objective=johnson", "objective.total_variation.weight=3"),
    ("objective.total_variation.form=squared", "objective.total_variation.weight=1"),
    (
        "objective.total_variation.form=squared",
        "objective.total_variation.weight=0",
    ),  # the first cell of a sweep over weights
    ("objective=johnson", "objective.total_variation.form=none"),
    ("objective.total_variation={form: squared, weight: 1}",),
    (
        "objective.directions=8",
        "objective.more_statistics=[{statistic:sliced_wasserstein,layers:[relu3_1]}]",
    ),
]
GUIDED = ("style.result_mask=polygon:0 0 1 0 1 .5 0 .5",)
# What is typed, and the two keys that the line names.
IDLE = {
    ("objective=gatys", "objective.total_variation.weight=10"): (
        "objective.total_variation.weight=10",
        "objective.total_variation.form=none",
    ),
    ("objective.total_variation.form=none", "objective.total_variation.weight=10"): (
        *("objective.total_variation.weight=10", "objective.total_variation.form=none"),
    ),
    ("objective=gatys", "objective.total_variation.form=squared"): (
        "objective.total_variation.form=squared",
        "objective.total_variation.weight=0",
    ),
    ("preset=gatys2015_texture", "strength=2"): ("strength=2", "objective.content_layers=[]"),
    ("init.path=a.png",): ("init.path=a.png", "init.name=content"),
    ("init.amplitude=5",): ("init.amplitude=5", "init.name=content"),
    ("init=noise", "init.noise_ratio=0.5"): ("init.noise_ratio=0.5", "init.name=noise"),
    ("optimizer=adam", "optimizer.history=10"): ("optimizer.history=10", "optimizer.name=adam"),
    ("optimizer.learning_rate=1",): (
        *("optimizer.learning_rate=1", "optimizer.name=spectral_lbfgs"),
    ),
    ("optimizer=spectral_lbfgs", "optimizer.restart_every=9"): (
        *("optimizer.restart_every=9", "optimizer.name=spectral_lbfgs"),
    ),
    ("optimizer={name: adam, history: 5}",): ("optimizer.history=5", "optimizer.name=adam"),
    ("image.size_px=null", "image.side=short"): ("image.side=short", "image.size_px=null"),
    ("objective.content_layers=[]", "objective.content_weight=3"): (
        *("objective.content_weight=3", "objective.content_layers=[]"),
    ),
    ("preset=kolkin2019", *GUIDED, "guidance.propagation=inside"): (
        *("guidance.propagation=inside", "objective.style_statistic=relaxed_emd"),
    ),
    ("preset=kolkin2019", *GUIDED, "guidance.margin=-1"): (
        *("guidance.margin=-1", "objective.style_statistic=relaxed_emd"),
    ),
    ("preset=gatys2017_guided_sums", "guidance.global_weight=2"): (
        "guidance.global_weight=2",
        "guidance.name=sums",
    ),
}


@pytest.mark.parametrize("typed", SILENT, ids=" ".join)
def test_what_has_its_effect_is_not_warned_of(typed: tuple[str, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config.compose(*typed)


@pytest.mark.parametrize("typed", IDLE, ids=" ".join)
def test_what_has_no_effect_is_named_in_one_line(typed: tuple[str, ...]) -> None:
    with pytest.warns(UserWarning) as caught:
        config.compose(*typed)
    [line] = (str(warning.message) for warning in caught)
    key, other = IDLE[typed]
    assert line.startswith(f"{key} has no effect with {other}; ") and "\n" not in line


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (("guidance=sums",), "guidance=sums has no effect without style.mask or style.result_mask"),
        (
            ("preset=gatys2017_guided", "style=the_scream"),
            "style=the_scream: style.mask, style.result_mask and more_styles",
        ),
        (
            ("preset=tf_tutorial", "optimizer=adam"),
            "optimizer.learning_rate=10: a step is 2550 levels of 255",
        ),
    ],
)
def test_what_leads_astray_is_said_in_one_line(typed: tuple[str, ...], says: str) -> None:
    with pytest.warns(UserWarning) as caught:
        config.compose(*typed)
    [line] = (str(warning.message) for warning in caught)
    assert line.startswith(says) and "\n" not in line


def test_a_named_loss_has_its_own_statistic() -> None:
    for preset in ("novak2016", "mmd2017"):
        objective = config.compose(f"preset={preset}", "objective=gatys_printed").objective
        assert (objective.style_statistic, objective.activation_shift) == ("gram", 0.0)


def test_the_command_warns_and_runs(stylize) -> None:
    ended = stylize("optimizer=adam", "optimizer.history=5", "optimizer.max_evaluations=1")
    assert ended.code == 0
    warned = [line for line in ended.err.splitlines() if line.startswith("warning: ")]
    assert warned == [
        "warning: optimizer.history=5 has no effect with optimizer.name=adam; "
        "it belongs to lbfgs, torch_lbfgs, spectral_lbfgs"
    ]
