"""Every option on disk composes, overrides win, and a wrong value ends in one line that says what is allowed."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from stn import config, errors
from stn.config import LayerWeight
from stn.errors import InputError

# hydra/ holds launchers' settings, which the typed schema does not know; wandb_sweep.yaml is read by W&B's agent.
FILES = sorted(p for p in config.CONFIG_DIR.rglob("*.yaml") if "hydra" not in p.parts and p.stem != "wandb_sweep")
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
def complaint(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`complaint(*overrides)`: the one line that a script prints about them, exiting with 2."""

    def call(*overrides: str) -> str:
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        with pytest.raises(SystemExit) as end:
            errors.run_command(lambda: config.compose(*overrides))
        out, err = capsys.readouterr()
        assert (end.value.code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("error: ")
        return err

    return call


@pytest.mark.parametrize("path", FILES, ids=choice)
def test_the_command_that_a_file_opens_with_composes_and_the_values_of_the_file_arrive(path: Path) -> None:
    text = path.read_text()
    commands = [
        line.split() for line in re.findall(r"python scripts/stylize\.py (.*)", "\n".join(text.split("\n")[:3]))
    ]
    assert any(choice(path) in command for command in commands) or path.name == "config.yaml"
    found = flat(config.compose(*commands[0]))
    group = path.parent.name
    if group == "preset":
        assert found["name"] == path.stem
    elif group != "configs":
        package = re.match(r"# @package (\w+)", text)
        values = OmegaConf.to_container(OmegaConf.load(path))
        assert isinstance(values, dict)
        for key, value in leaves(values, f"{package[1] if package else group}."):
            assert found[key] == value, key


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("content.path=photo.jpg style.path=painting.jpg", {"content.path": "photo.jpg", "style.path": "painting.jpg"}),
        ("preset=gatys2016 network.weights=my.mat", {"name": "gatys2016", "network.weights": "my.mat"}),
        ("network.pooling=avg image.size_px=300", {"network.pooling": "avg", "image.size_px": 300}),
        ("network.pooling=max image.size_px=null", {"network.pooling": "max", "image.size_px": None}),
        ("network=vgg19 objective=gatys", {"network.name": "vgg19", "objective.gram_divisor": "m"}),
        ("network=vgg16 objective=johnson", {"network.name": "vgg16", "objective.gram_divisor": "nm"}),
        ("network=vgg19_q8 init=file init.path=a.png", {"network.name": "vgg19_q8", "init.path": "a.png"}),
        ("content=coffee init=content", {"content.path": "skimage:coffee.png", "init.name": "content"}),
        ("style=starry_night init=style", {"style.path": "asset:starry_night_google.jpg", "init.name": "style"}),
        ("optimizer=lbfgs init=noise", {"optimizer.name": "lbfgs", "init.name": "noise"}),
        ("optimizer=adam init=blend", {"optimizer.name": "adam", "init.name": "blend"}),
        ("optimizer.max_evaluations=7 tracking=offline", {"optimizer.max_evaluations": 7, "tracking.mode": "offline"}),
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
    "objective.style_layers=[relu3_2]": ("objective.style_layers", [{"layer": "relu3_2", "weight": 1.0}]),
    "optimizer.max_evaluations=13": ("optimizer.max_evaluations", 13),
    "init.amplitude=5.5": ("init.amplitude", 5.5),
    "seed=17": ("seed", 17),
    "content=rocket": ("content.path", "skimage:rocket.jpg"),
    "init=blend": ("init.name", "blend"),
}


@pytest.mark.parametrize("name", PRESETS)
def test_the_command_line_wins_over_the_preset(name: str) -> None:
    found = flat(config.compose(*TYPED, f"preset={name}"))
    assert {key: found[key] for key, _ in TYPED.values()} == dict(TYPED.values())


def test_the_order_of_arguments_does_not_matter() -> None:
    assert config.compose(*TYPED, "preset=demo") == config.compose("preset=demo", *reversed(TYPED))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ("image.siz=3", ["image.siz", "size_px", "side", "aspect", "unit"]),
        ("nonsense=1", ["nonsense", "network", "objective", "optimizer"]),
        ("optimizer=sgd", ["optimizer", "sgd", "adam", "lbfgs"]),
        ("preset=gatys2061", ["preset", "gatys2061", "gatys2016"]),
        ("tracking=maybe", ["tracking", "maybe", "offline", "online"]),
        ("network.pooling=mean", ["network.pooling=mean", "avg", "max"]),
        ("objective.smoothness.form=tv", ["objective.smoothness.form=tv", "squared", "absolute"]),
        ("image.size_px=big", ["image.size_px=big", "Integer"]),
        ("image.size_px=0", ["image.size_px=0", "above 0"]),
        ("objective.style_weight=much", ["objective.style_weight=much", "Float"]),
        ("objective.style_weight=-1", ["objective.style_weight=-1", "at least 0"]),
        ("objective.content_weight=nan", ["objective.content_weight=nan", "at least 0"]),
        ("optimizer.bounds=maybe", ["optimizer.bounds=maybe", "bool"]),
        ("optimizer.max_evaluations=0", ["optimizer.max_evaluations=0", "above 0"]),
        ("optimizer.beta1=1.5", ["optimizer.beta1=1.5", "at most 1"]),
        ("init.noise_ratio=2", ["init.noise_ratio=2", "at most 1"]),
        ("seed=null", ["seed=null", "not Optional"]),
        ("init=file", ["init.path", "init.path=FILE"]),
        ("image.unit=[1,1]", ["image.unit=[1.0, 1.0]", "three numbers"]),
        ("image.unit=[1,0,1]", ["image.unit=[1.0, 0.0, 1.0]", "above 0"]),
        ("objective.content_layers=[relu9_1]", ["objective.content_layers", "relu9_1", "conv5_4", "pool5"]),
        ("network=vgg16 objective.style_layers=[relu4_4]", ["objective.style_layers", "relu4_4", "vgg16", "conv5_3"]),
        ("objective.style_layers=[relu1_1,relu1_1]", ["objective.style_layers", "relu1_1", "twice"]),
        ("objective.style_layers=[{layer:relu1_1,weight:-2}]", ["objective.style_layers", "relu1_1", "-2", "zero"]),
        ("objective.style_layers=[{layer:relu1_1,weight:nan}]", ["objective.style_layers", "relu1_1", "nan", "zero"]),
        ("objective.style_layers=[{layer:relu1_1,weight:inf}]", ["objective.style_layers", "relu1_1", "inf", "zero"]),
        ("objective.style_layers=[{layer:relu1_1,weight:a}]", ["objective.style_layers", "relu1_1", "'a'", "number"]),
        ("objective.style_layers=[{layer:relu1_1}]", ["objective.style_layers", "relu1_1", "{layer: NAME, weight"]),
        ("objective.style_layers=[3]", ["objective.style_layers", "3", "{layer: NAME, weight"]),
        ("objective.style_layers=relu1_1", ["objective.style_layers=relu1_1", "list"]),
        (
            "objective.content_layers=[] objective.style_layers=[]",
            ["objective.content_layers", "objective.style_layers", "empty"],
        ),
        ("pyramid.levels=[{scale:2,max_evaluations:3}]", ["pyramid.levels", "2.0", "between 0 and 1"]),
        ("pyramid.levels=[{scale:.5,max_evaluations:0}]", ["pyramid.levels", "max_evaluations", "0", "at least 1"]),
        ("pyramid.levels=[{scale:.5}]", ["pyramid.levels", "max_evaluations", "missing"]),
    ],
    ids=str,
)
def test_a_wrong_value_ends_in_one_line_with_the_key_the_value_and_what_is_allowed(
    overrides: str, words: list[str], complaint: Callable[..., str]
) -> None:
    line = complaint(*overrides.split())
    assert "+" not in line  # Hydra's own advice for an unknown key, `+key=value`, fails too
    assert [word for word in words if word not in line] == []


def test_a_configuration_without_the_schema_is_refused() -> None:
    with pytest.raises(InputError, match="schema"):
        config.parse(OmegaConf.create({"seed": 0}))


def test_the_settings_as_plain_values_survive_json() -> None:
    plain = config.to_dict(config.compose("init=noise", "pyramid=half"))
    assert json.loads(json.dumps(plain)) == plain
    assert plain["pyramid"]["levels"][0]["scale"] == 0.5
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
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "\n"
