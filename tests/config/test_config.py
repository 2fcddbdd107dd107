"""Every option on disk composes, overrides win, and a wrong value ends in one line that says what
is allowed.
"""

import functools
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from stn import command_line, config
from stn.config import composition, optimizers, overrides
from stn.config.lists import LayerWeight
from stn.errors import InputError

# hydra/ holds launchers' settings, which the typed schema does not know; wandb_*.yaml are read
# by W&B's agent.
FILES = sorted(
    p
    for p in config.CONFIG_DIR.rglob("*.yaml")
    if "hydra" not in p.parts and not p.stem.startswith("wandb_")
)
PRESETS = [path.stem for path in FILES if path.parent.name == "preset"]


def choice(path: Path) -> str:
    return f"{path.parent.name}={path.stem}"


def leaves(values: dict[str, Any], key: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{key}{name}.")
        else:
            yield f"{key}{name}", value


def flat(settings: config.Config) -> dict[str, Any]:
    return dict(leaves(config.to_dict(settings)))


@pytest.fixture
def complaint(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """`complaint(*overrides)`: the one line that a script prints about them, exiting with 2."""

    def call(*overrides: str) -> str:
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        with pytest.raises(SystemExit) as end:
            command_line.run_command(lambda: config.compose(*overrides))
        out, err = capsys.readouterr()
        assert (end.value.code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("error: ")
        return err

    return call


@pytest.mark.parametrize("path", FILES, ids=choice)
def test_the_command_that_a_file_opens_with_composes_and_the_values_of_the_file_arrive(
    path: Path,
) -> None:
    text = path.read_text()
    commands = [
        line.split()
        for line in re.findall(r"python scripts/stylize\.py (.*)", "\n".join(text.split("\n")[:3]))
    ]
    assert any(choice(path) in command for command in commands) or path.name == "config.yaml"
    found = flat(config.compose(*commands[0]))
    group = path.parent.name
    if group == "preset":
        assert found["name"] == path.stem
    elif group != "configs":
        for key, value in owned(path).items():
            assert found[key] == value, key


@functools.cache
def owned(path: Path) -> dict[str, Any]:
    """What a file of a group sets, by key; bare layer names as the weights they share."""
    package = re.match(r"# @package (\w+)", path.read_text())
    values = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    assert isinstance(values, dict)
    found = dict(leaves(values, f"{package[1] if package else path.parent.name}."))
    for key in ("objective.content_layers", "objective.style_layers"):
        if key in found:
            found[key] = [{"layer": layer, "weight": 1 / len(found[key])} for layer in found[key]]
    if "pyramid.levels" in found:
        more = {"times": {}, "detail": False, "style_statistic": None, "laplacian_levels": None}
        found["pyramid.levels"] = [{**level, **more} for level in found["pyramid.levels"]]
    return found


@pytest.mark.parametrize("preset", PRESETS)
def test_a_group_named_beside_a_preset_wins_and_leaves_the_rest_to_it(preset: str) -> None:
    """Every preset with every choice of every group, one choice of each group at a time; every
    sixth in either order.

    Of the pictures, which are a path each, a preset has as many as that takes, and each has
    presets."""
    alone = flat(config.compose(f"preset={preset}"))
    groups: dict[str, list[Path]] = {}
    for path in FILES:
        if path.parent.name not in ("preset", "configs"):
            groups.setdefault(path.parent.name, []).append(path)
    count = max(len(groups[group]) for group in groups.keys() - {"content", "style"})
    first = count * PRESETS.index(preset)
    for number in range(first, first + count):
        chosen = [paths[number % len(paths)] for paths in groups.values()]
        typed = [choice(path) for path in chosen]
        expected = dict(alone)
        for path in chosen:
            if path.parent.name == "optimizer":  # the keys of another one go
                for key in [key for key in expected if key.startswith("optimizer.")]:
                    del expected[key]
                expected["optimizer.max_evaluations"] = alone["optimizer.max_evaluations"]
            expected |= owned(path)
        if "init=file" in typed:
            typed.append("init.path=first.png")
            expected["init.path"] = "first.png"
        if "guidance=tag" in typed:  # masks are tags of one statistic alone
            typed += ["style.mask=null", "style.result_mask=null", "more_styles=[]"]
            expected |= {"style.mask": None, "style.result_mask": None, "more_styles": []}
        assert flat(config.compose(f"preset={preset}", *typed)) == expected, typed
        if number % 6 == 0:
            assert flat(config.compose(*reversed(typed), f"preset={preset}")) == expected, typed


def test_a_group_lists_the_same_keys_in_every_file() -> None:
    """Else a choice would leave something of the preset's in a group that it owns."""
    for group in (
        "network",
        "objective",
        "layers",
        "content",
        "style",
        "pyramid",
        "tracking",
    ):
        keys = [set(owned(path)) for path in FILES if path.parent.name == group]
        assert all(each == keys[0] for each in keys), group


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_an_optimizer_has_its_own_keys_and_its_file_lists_them(name: str) -> None:
    """All but the budget, which stays the preset's."""
    keys = {f"optimizer.{key}" for key in optimizers.keys(name)}
    listed = owned(config.CONFIG_DIR / "optimizer" / f"{name}.yaml").keys()
    assert listed == keys - {"optimizer.max_evaluations"}
    for typed in (f"optimizer={name}", f"optimizer.name={name}"):
        settings = config.compose(typed)
        assert {key for key in flat(settings) if key.startswith("optimizer.")} == keys
        assert type(settings.optimizer) is optimizers.OPTIMIZERS[name].settings


def test_what_a_preset_says_of_an_optimizer_that_is_not_its_own_counts_if_that_one_is_named() -> (
    None
):
    assert not hasattr(config.compose("preset=neural_style_pt").optimizer, "learning_rate")
    named = config.compose("preset=tf_tutorial", "optimizer.name=torch_lbfgs").optimizer
    alone = config.compose("preset=tf_tutorial").optimizer
    budget, bounds = alone.max_evaluations, alone.bounds
    assert named == optimizers.TorchLBFGS(max_evaluations=budget, bounds=bounds)
    rate = config.compose("preset=neural_style", "optimizer.name=adam").optimizer
    assert isinstance(rate, optimizers.Adam) and rate.learning_rate == 10


def test_keys_of_another_optimizer_are_no_difference_between_runs() -> None:
    adam, ours, longer = (
        config.to_dict(config.compose(*typed))
        for typed in (
            ["optimizer=adam"],
            ["optimizer=lbfgs"],
            ["optimizer=lbfgs", "optimizer.history=3"],
        )
    )
    assert config.differing([adam, ours]) == ["optimizer.name"]
    assert config.differing([adam, ours, longer]) == ["optimizer.name", "optimizer.history"]
    assert config.difference(adam, ours) == "optimizer.name: adam → lbfgs"


@pytest.mark.parametrize(
    "typed",
    [
        ("preset=johnson2016", "optimizer=adam", "optimizer.beta1=0.5"),
        ("preset=neural_style", "optimizer.name=adam"),
        ("preset=tf_tutorial", "optimizer=lbfgs", "optimizer.restart_every=50"),
        ("preset=gatys2016",),
    ],
    ids=" ".join,
)
def test_the_overrides_of_settings_make_them_again(typed: tuple[str, ...]) -> None:
    settings = config.to_dict(config.compose(*typed))
    assert config.to_dict(config.compose(*overrides.overrides_of(settings))) == settings


@pytest.mark.parametrize(
    "typed", [(), ("tracking=off",), ("tracking=offline",), ("tracking=online",)]
)
def test_wandbs_own_variable_names_the_project_unless_the_key_does(
    typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert config.compose(*typed).tracking.project == "stn"
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    assert config.compose(*typed).tracking.project == "mine"
    assert config.compose(*typed, "tracking.project=typed").tracking.project == "typed"


def test_noise_is_the_same_by_the_groups_name_and_by_the_keys() -> None:
    assert flat(config.compose("init=noise")) == flat(config.compose("init.name=noise"))


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (
            "content.path=photo.jpg style.path=painting.jpg",
            {"content.path": "photo.jpg", "style.path": "painting.jpg"},
        ),
        (
            "preset=gatys2016 network.weights=my.mat",
            {"name": "gatys2016", "network.weights": "my.mat"},
        ),
        ("network.pooling=avg image.size_px=300", {"network.pooling": "avg", "image.size_px": 300}),
        (
            "network.pooling=max image.size_px=null",
            {"network.pooling": "max", "image.size_px": None},
        ),
        (
            "network=vgg19 objective=gatys_printed",
            {"network.name": "vgg19", "objective.gram_divisor": "m"},
        ),
        (
            "network=vgg16 objective=johnson",
            {"network.name": "vgg16", "objective.gram_divisor": "nm"},
        ),
        (
            "network=vgg19_q8 init=file init.path=a.png",
            {"network.name": "vgg19_q8", "init.path": "a.png"},
        ),
        (
            "content=coffee init=content",
            {"content.path": "skimage:coffee.png", "init.name": "content"},
        ),
        (
            "style=starry_night init=style",
            {"style.path": "asset:starry_night_google.jpg", "init.name": "style"},
        ),
        ("optimizer=lbfgs init=noise", {"optimizer.name": "lbfgs", "init.name": "noise"}),
        ("optimizer=adam init=blend", {"optimizer.name": "adam", "init.name": "blend"}),
        (
            "optimizer.max_evaluations=7 tracking=offline",
            {"optimizer.max_evaluations": 7, "tracking.mode": "offline"},
        ),
        ("tracking=online seed=3", {"tracking.mode": "online", "seed": 3}),
        ("tracking=off output=copy.jpg", {"tracking.mode": "off", "output": "copy.jpg"}),
    ],
)
def test_keys_that_users_type(typed: str, found: dict[str, Any]) -> None:
    settings = flat(config.compose(*typed.split()))
    assert {key: settings[key] for key in found} == found


def test_layers_come_with_weights_or_as_bare_names_that_share_one() -> None:
    objective = config.compose(
        "objective.content_layers=[{layer:conv4_2,weight:0.5},{layer:pool1,weight:2}]",
        "objective.style_layers=[relu1_1,relu2_1,relu3_1]",
    ).objective
    assert objective.content_layers == [LayerWeight("conv4_2", 0.5), LayerWeight("pool1", 2.0)]
    assert [layer.layer for layer in objective.style_layers] == ["relu1_1", "relu2_1", "relu3_1"]
    assert [layer.weight for layer in objective.style_layers] == [1 / 3] * 3


@pytest.mark.parametrize("role", ["content", "style"])
def test_one_of_the_layer_lists_may_be_empty(role: str) -> None:
    objective = config.compose(f"objective.{role}_layers=[]").objective
    assert getattr(objective, f"{role}_layers") == []


# Values that no preset has, so that a preset that won would be seen.
TYPED = {
    "network.weights=my.mat": ("network.weights", "my.mat"),
    "image.size_px=77": ("image.size_px", 77),
    "objective.content_weight=0.125": ("objective.content_weight", 0.125),
    "objective.style_layers=[{layer:relu3_2,weight:2},{layer:relu1_1,weight:3}]": (
        "objective.style_layers",
        [{"layer": "relu3_2", "weight": 2.0}, {"layer": "relu1_1", "weight": 3.0}],
    ),
    "optimizer.max_evaluations=13": ("optimizer.max_evaluations", 13),
    "init.amplitude=5.5": ("init.amplitude", 5.5),
    "seed=17": ("seed", 17),
    "content=rocket": ("content.path", "skimage:rocket.jpg"),
    "init=blend": ("init.name", "blend"),
}


@pytest.mark.parametrize("name", PRESETS)
def test_the_command_line_wins_over_the_preset(name: str) -> None:
    # Layers of hypercolumns have no weights of their own.
    other = ["objective.style_statistic=gram", "pyramid.levels=[]"] if "kolkin" in name else []
    found = flat(config.compose(*TYPED, f"preset={name}", *other))
    assert {key: found[key] for key, _ in TYPED.values()} == dict(TYPED.values())


def test_the_order_of_arguments_does_not_matter() -> None:
    assert config.compose(*TYPED, "preset=demo") == config.compose("preset=demo", *reversed(TYPED))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ("image.siz=3", ["image.siz", "size_px", "side", "aspect", "pixel_unit"]),
        ("nonsense=1", ["nonsense", "network", "objective", "optimizer"]),
        ("optimizer=sgd", ["optimizer", "sgd", "adam", "lbfgs"]),
        ("preset=gatys2061", ["preset", "gatys2061", "gatys2016"]),
        ("tracking=maybe", ["tracking", "maybe", "offline", "online"]),
        ("network.pooling=mean", ["network.pooling=mean", "avg", "max"]),
        (
            "objective.total_variation.form=tv",
            ["objective.total_variation.form=tv", "squared", "absolute"],
        ),
        ("image.size_px=big", ["image.size_px=big: must be a whole number"]),
        ("image.size_px=0", ["image.size_px=0", "above 0"]),
        ("objective.style_weight=much", ["objective.style_weight=much: must be a number"]),
        ("objective.style_weight=-1", ["objective.style_weight=-1", "at least 0"]),
        ("objective.content_weight=nan", ["objective.content_weight=nan", "at least 0"]),
        ("optimizer.bounds=maybe", ["optimizer.bounds=maybe: must be true or false"]),
        ("optimizer.max_evaluations=0", ["optimizer.max_evaluations=0", "above 0"]),
        ("optimizer.beta1=1", ["optimizer.beta1=1.0", "below 1"]),
        ("init.noise_ratio=2", ["init.noise_ratio=2", "at most 1"]),
        ("seed=null", ["seed=null: must have a value"]),
        ("init=file", ["init.path", "init.path=FILE"]),
        ("image.pixel_unit=[1,1]", ["image.pixel_unit=[1.0, 1.0]", "three numbers"]),
        ("network.mean_pixel=[-1,0,0]", ["network.mean_pixel=[-1.0, 0.0, 0.0]", "at least 0"]),
        ("network.mean_pixel=[1,1]", ["network.mean_pixel=[1.0, 1.0]", "three numbers"]),
        ("image.filter=lanczos", ["image.filter=lanczos", "skimage", "area", "pillow_bicubic"]),
        ("network.ceil_mode=round", ["ceil_mode", "round"]),
        ("image.pixel_unit=[1,0,1]", ["image.pixel_unit=[1.0, 0.0, 1.0]", "above 0"]),
        (
            "objective.content_layers=[relu9_1]",
            ["objective.content_layers", "relu9_1", "conv5_4", "pool5"],
        ),
        (
            "network=vgg16 objective.style_layers=[relu4_4]",
            ["objective.style_layers", "relu4_4", "vgg16", "conv5_3"],
        ),
        (
            "objective.style_layers=[relu1_1,relu1_1]",
            ["objective.style_layers", "relu1_1", "twice"],
        ),
        (
            "objective.style_layers=[{layer:relu1_1,weight:-2}]",
            ["objective.style_layers", "relu1_1", "-2", "zero"],
        ),
        (
            "objective.style_layers=[{layer:relu1_1,weight:nan}]",
            ["objective.style_layers", "relu1_1", "nan", "zero"],
        ),
        (
            "objective.style_layers=[{layer:relu1_1,weight:inf}]",
            ["objective.style_layers", "relu1_1", "inf", "zero"],
        ),
        (
            "objective.style_layers=[{layer:relu1_1,weight:a}]",
            ["objective.style_layers", "relu1_1", "'a'", "number"],
        ),
        (
            "objective.style_layers=[{layer:relu1_1}]",
            ["objective.style_layers", "relu1_1", "{layer: NAME, weight"],
        ),
        ("objective.style_layers=[3]", ["objective.style_layers", "3", "{layer: NAME, weight"]),
        (
            "objective.style_layers=relu1_1",
            ["objective.style_layers=relu1_1: must be a list", "[A,B]"],
        ),
        (
            "objective.content_layers=[] objective.style_layers=[]",
            ["objective.content_layers", "objective.style_layers", "empty"],
        ),
        (
            "pyramid.levels=[{scale:2,max_evaluations:3}]",
            ["pyramid.levels[0].scale=2.0", "at most 1"],
        ),
        (
            "pyramid.levels=[{scale:.5,max_evaluations:0}]",
            ["pyramid.levels", "max_evaluations", "0", "at least 1"],
        ),
        ("pyramid.levels=[{scale:.5}]", ["pyramid.levels", "max_evaluations", "missing"]),
        (
            "pyramid.levels=[{scale:.5,max_evaluations:3,times:{content_wait:2}}]",
            ["pyramid.levels.times.content_wait: did you mean content_weight?"],
        ),
        (
            "pyramid.levels=[{scale:.5,max_evaluations:3,times:{style_weight:0}}]",
            ["pyramid.levels.times.style_weight=0.0: must be a number above 0"],
        ),
        (
            "objective.style_statistic=shifted_gram objective.shifts=[4,0]",
            ["objective.shifts=[4, 0]: must be different whole numbers above 0"],
        ),
        (
            "objective.style_statistic=shifted_gram objective.shifts=[4,3]",
            ["objective.shifts=[4, 3]: none counts at relu2_1 of objective.style_layers"],
        ),
        (
            "objective.spectrum_weight=10 style.mask=left",
            ["objective.spectrum_weight=10: compares with one painting", "leave style.mask"],
        ),
        (
            "objective.matting_weight=10 content.path=null init=noise objective.content_layers=[]"
            " style.size=own",
            ["objective.matting_weight=10: needs a photograph"],
        ),
        (
            "pyramid.levels=[{scale:1,max_evaluations:3,times:{learning_rate:0}}]",
            ["pyramid.levels.times.learning_rate=0.0: must be a number above 0"],
        ),
        (
            "pyramid.levels=[{scale:.5,max_evaluations:3,detail:true}] content.path=null init=noise"
            " objective.content_layers=[] style.size=own",
            ["pyramid.levels.detail=true: needs a photograph"],
        ),
        (
            "objective.layer_weighting=first_loss content.path=null init=noise"
            " objective.content_layers=[] style.size=own",
            ["objective.layer_weighting=first_loss: needs a photograph"],
        ),
        (
            "optimizer=adam optimizer.laplacian_levels=2 optimizer.keep_over_levels=true",
            ["optimizer.keep_over_levels=true", "optimizer.laplacian_levels=0"],
        ),
    ],
    ids=str,
)
def test_a_wrong_value_ends_in_one_line_with_the_key_the_value_and_what_is_allowed(
    overrides: str, words: list[str], complaint: Callable[..., str]
) -> None:
    line = complaint(*overrides.split())
    assert "+" not in line  # Hydra's own advice for an unknown key, `+key=value`, fails too
    assert [word for word in words if word not in line] == []


MEANT = {
    "presett=gatys2016": "did you mean preset?",
    "optimizr=adam": "did you mean optimizer?",
    "preset=gatys": "did you mean gatys2016?",
    "network=vgg19_q": "did you mean vgg19_q8?",
    "content=tubingn": "did you mean tubingen?",
    "style=starrynight": "did you mean starry_night?",
    "layers=jonson": "did you mean johnson?",
    "optimizer.max_evaluation=3": "did you mean optimizer.max_evaluations?",
    "optimizer={name:adam,learningrate:3}": "did you mean optimizer.learning_rate?",
    "style_weight=3": "did you mean objective.style_weight?",
    "size=64": "did you mean image.size_px?",
    "network.pooling=averag": "did you mean avg?",
    "+seeed=1": "did you mean seed?",
    "more_styles=[{path:a,wieght:2}]": "did you mean weight?",
    "network=vgg19,vgg15": "network=vgg15: no such network",
    "network=null": "there are vgg16, vgg19, vgg19_q8",
    "image=3": "holds several keys: image.size_px",
}


@pytest.mark.parametrize("typed", MEANT)
def test_a_wrong_name_is_answered_with_the_nearest_one(
    typed: str, complaint: Callable[..., str]
) -> None:
    line = complaint(typed)
    assert MEANT[typed] in line
    assert "Hydra" not in line and "hydra.cc" not in line and "Could not" not in line


def test_the_known_names_are_keys_and_groups_and_the_page_that_explains_them(
    complaint: Callable[..., str],
) -> None:
    line = complaint("zzz=1")
    listed = (
        line.partition("known are ")[2]
        .replace(" (docs/reference/configuration.md)\n", "")
        .split(", ")
    )
    groups = {path.parent.name for path in FILES} - {"configs"}
    assert set(listed) == groups | {key.partition(".")[0] for key in flat(config.compose())}
    assert len(listed) == len(set(listed)) and {"preset", "layers", "seed"} <= set(listed)


RENAMED = {
    "objective.smoothness.form=squared": "objective.total_variation.form",
    "objective.smoothness={form:squared,weight:1}": "objective.total_variation",
    "objective={smoothness:{weight:1}}": "objective.total_variation",
    "network.odd=ceil": "network.ceil_mode",
    "network.white=256": "network.input_range",
    "network.recompute=true": "network.gradient_checkpointing",
    "style.onto=mask.png": "style.result_mask",
    "tracking.view_seconds=1": "tracking.preview_seconds",
    "image.unit=[1,1,1]": "image.pixel_unit",
    "more_styles=[{path:a.png,onto:b.png}]": "more_styles[0].result_mask",
}


@pytest.mark.parametrize("typed", RENAMED)
def test_an_old_key_is_refused_with_its_new_name(typed: str, complaint: Callable[..., str]) -> None:
    assert re.search(rf": is {re.escape(RENAMED[typed])} now\n", complaint(typed))


def test_choices_of_a_users_own_directory_are_left_to_hydra(tmp_path: Path) -> None:
    words = ["--config-dir", str(tmp_path), "preset=mine", "mine=1"]
    assert overrides.quoted(words) == words


def test_a_configuration_without_the_schema_is_refused() -> None:
    with pytest.raises(InputError, match="schema"):
        config.parse(OmegaConf.create({"seed": 0}))


def test_the_settings_as_plain_values_survive_json() -> None:
    plain = config.to_dict(config.compose("init=noise", "pyramid=quarter"))
    assert json.loads(json.dumps(plain)) == plain
    assert plain["pyramid"]["levels"][0]["scale"] == 0.25
    assert math.isclose(sum(layer["weight"] for layer in plain["objective"]["style_layers"]), 1)


def test_the_checks_need_no_tensorflow() -> None:
    program = """
import sys
from stn import config, errors
config.compose()
try:
    config.compose("network.pooling=mean")
except errors.InputError:
    print(*sorted({"tensorflow", "wandb", "matplotlib"} & sys.modules.keys()))
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == "\n"


# From Python


def test_several_threads_may_compose_at_once() -> None:
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(lambda seed: config.compose(f"seed={seed}").seed, range(16))
        assert list(found) == list(range(16))


HYDRA_PROGRAM = """
import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobRuntime
from stn import config

@hydra.main(version_base="1.2", config_path=None)
def program(own):
    job = JobRuntime.instance()
    around = GlobalHydra.instance().hydra, job.get("name"), hydra.version.getbase()
    print(config.compose("seed=3").seed, own.learning)
    assert around == (GlobalHydra.instance().hydra, job.get("name"), hydra.version.getbase())
    assert HydraConfig.get().job.name == around[1]

program()
"""


def test_a_program_of_hydras_own_may_compose(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HYDRA_PROGRAM, "+learning=7"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3 7\n", "")


@pytest.mark.parametrize(
    "overrides",
    [
        ("objective.style_weight=3", "preset=johnson2016", "optimizer=adam"),  # before the groups
        ("preset=johnson2016", "optimizer=adam", "objective.style_layers=[relu1_1]", "seed=4"),
        ("preset=johnson2016", "optimizer=adam"),
        ("seed=5", "layers=gatys", "objective={style_weight: 7}", "objective.style_weight=8"),
        ("optimizer={name: adam, learning_rate: 2}", "optimizer.learning_rate=3"),
    ],
)
def test_it_is_composed_as_hydra_does(overrides: tuple[str, ...]) -> None:
    with initialize_config_dir(str(config.CONFIG_DIR), version_base="1.3"):
        theirs = compose("config", list(overrides))
    del config.compose(*overrides).optimizer  # a configuration is the caller's to change
    assert config.compose(*overrides) == config.parse(theirs, overrides)


def test_a_file_that_was_edited_meanwhile_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(config.CONFIG_DIR, tmp_path / "configs")
    monkeypatch.setattr(composition, "CONFIG_DIR", tmp_path / "configs")
    path = tmp_path / "configs" / "preset" / "johnson2016.yaml"
    assert config.compose("preset=johnson2016").seed == 0
    path.write_text(path.read_text() + "\nseed: 7\n")
    assert config.compose("preset=johnson2016").seed == 7


def test_a_network_that_takes_pictures_as_they_are_has_a_mean_of_zero() -> None:
    assert config.compose("network.mean_pixel=[0,0,0]").network.mean_pixel == [0, 0, 0]
