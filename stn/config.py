"""The typed configuration and its checks; the only module that knows Hydra and OmegaConf."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from stn.errors import InputError, one_line
from stn.weights import VGG16, VGG19

CONFIG_DIR = Path(__file__).resolve().parent.parent / "configs"

# What each named choice may be. The formula of a loss choice stands in losses.py under the same name.
CHOICES: dict[str, tuple[str, ...]] = {
    "network.name": ("vgg19", "vgg19_q8", "vgg16"),
    "network.pooling": ("avg", "max"),
    "network.convolution": ("winograd", "direct"),
    "objective.content_reduction": ("half_sum", "sum", "mean", "half_sum_over_sqrt_nm"),
    "objective.gram_divisor": ("one", "m", "nm"),
    "objective.style_reduction": ("sum", "mean", "sum_over_4n2", "sum_over_36s2"),
    "objective.smoothness.form": ("none", "absolute", "squared", "mean_absolute", "mean_squared", "power"),
    "image.side": ("long", "long_at_most", "short"),
    "style.size": ("own", "content", "content_width"),
    "init.name": ("content", "style", "noise", "blend", "file"),
    "init.distribution": ("uniform", "normal"),
    "optimizer.name": ("lbfgs", "torch_lbfgs", "spectral_lbfgs", "adam"),
    "tracking.mode": ("offline", "online", "off"),
}

# What names a run or shows it, but changes no pixel of its picture.
INERT_KEYS = ("name", "tracking", "output", "figures", "force", "threads")


@dataclass
class Network:
    name: str = MISSING
    weights: str | None = None  # path of a .mat; null: where scripts/fetch.py puts it
    pooling: str = "max"
    convolution: str = "winograd"  # equal up to rounding (README, Speed); direct: the plain sum
    rescale: str | None = None  # mean activations: a file, or `default` for scikit-image's photographs; null: plain


@dataclass
class LayerWeight:
    layer: str = MISSING
    weight: float = 1.0


@dataclass
class Smoothness:
    form: str = "none"
    weight: float = 0.0
    counted: bool = True  # false: its gradient counts, its value is left out of the total, as in Torch's neural-style


@dataclass
class Objective:
    """Layers are lists of {layer, weight}, or of bare names, which share a weight of one (w_l = 1/n, eq. 5)."""

    content_weight: float = MISSING  # alpha
    style_weight: float = MISSING  # beta
    content_layers: list[Any] = MISSING
    style_layers: list[Any] = MISSING
    content_reduction: str = "half_sum"
    gram_divisor: str = "m"
    style_reduction: str = "sum_over_4n2"
    smoothness: Smoothness = field(default_factory=Smoothness)


@dataclass
class Content:
    path: str = MISSING


@dataclass
class Style:
    path: str = MISSING
    size: str = "own"  # own: by the content's rule; content: stretched to its size; content_width: to its width


@dataclass
class Image:
    size_px: int | None = 512
    side: str = "long"  # the side that size_px sets; long_at_most never enlarges
    aspect: float | None = None  # width / height to stretch to; null keeps the picture's own
    unit: list[float] = field(default_factory=lambda: [1.0, 1.0, 1.0])  # one unit of the source's pixels, in 0-255


@dataclass
class Init:
    name: str = MISSING
    path: str | None = None
    distribution: str = "uniform"
    amplitude: float = 20.0  # half the width of the uniform, or the deviation of the normal, in 0-255 steps
    noise_ratio: float = 1.0  # of a blend: noise_ratio * noise + (1 - noise_ratio) * content


@dataclass
class Optimizer:
    name: str = MISSING
    max_evaluations: int = 500
    history: int = 10
    ftol: float = 0.0  # relative; 0 switches the test off; both are of SciPy's L-BFGS
    gtol: float = 0.0
    bounds: bool = False  # keep pixels in 0-255: SciPy's L-BFGS-B by its bounds, the others by clipping each step
    restart_every: int | None = None  # evaluations after which L-BFGS forgets its curvature pairs
    learning_rate: float = 1.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    decay_rate: float = 1.0
    decay_every: int = 1


@dataclass
class Level:
    """A coarse level: run at `scale` of the picture's sides, before the next starts from its enlarged result."""

    scale: float = MISSING
    max_evaluations: int = MISSING


@dataclass
class Pyramid:
    levels: list[Level] = field(default_factory=list)  # those before the full size, which optimizer.* describes


@dataclass
class Tracking:
    mode: str = "offline"
    project: str = "stn"
    progress_every: int = 100  # evaluations between intermediate pictures; 0: none
    checkpoint_seconds: float = 30.0  # between checkpoints; SciPy's L-BFGS writes one where it restarts


@dataclass
class Config:
    name: str = "custom"  # the preset's
    network: Network = field(default_factory=Network)
    objective: Objective = field(default_factory=Objective)
    content: Content = field(default_factory=Content)
    style: Style = field(default_factory=Style)
    image: Image = field(default_factory=Image)
    init: Init = field(default_factory=Init)
    optimizer: Optimizer = field(default_factory=Optimizer)
    pyramid: Pyramid = field(default_factory=Pyramid)
    tracking: Tracking = field(default_factory=Tracking)
    seed: int = 0
    threads: int | None = None  # of TensorFlow within an operation; null: one a core
    output: str | None = None  # a copy of the result; PNG, JPEG, WebP or TIFF by its name
    force: bool = False  # start a run directory anew that was made with other settings
    figures: bool = False  # also draw comparison.png and losses.png


ConfigStore.instance().store(name="schema", node=Config)


def compose(*overrides: str) -> Config:
    """The configuration that `scripts/stylize.py` would run with these overrides, for use from Python."""
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return parse(hydra_compose("config", list(overrides)))


def parse(config: DictConfig) -> Config:
    """Turn Hydra's configuration into a checked `Config`; InputError names the key, the value and what is allowed."""
    try:
        parsed = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise InputError(one_line(error)) from error
    if not isinstance(parsed, Config):
        raise InputError("the configuration lacks the schema; keep `- schema` first in the defaults of config.yaml")
    objective = parsed.objective
    objective.content_layers = _layer_weights("objective.content_layers", objective.content_layers, parsed)
    objective.style_layers = _layer_weights("objective.style_layers", objective.style_layers, parsed)
    for key, allowed in CHOICES.items():
        value = _get(parsed, key)
        if value not in allowed:
            raise InputError(f"{key}={value}: must be one of {', '.join(allowed)}")
    _check_numbers(parsed)
    if not objective.content_layers and not objective.style_layers:
        raise InputError("objective.content_layers and objective.style_layers are both empty: nothing to optimize")
    content = objective.content_weight * sum(layer.weight for layer in objective.content_layers)
    style = objective.style_weight * sum(layer.weight for layer in objective.style_layers)
    if not (content or style):
        raise InputError("objective.content_weight and objective.style_weight: nothing weighs more than zero")
    if parsed.init.name == "file" and not parsed.init.path:
        raise InputError("init.path is missing: init=file needs the picture to start from, init.path=FILE")
    return parsed


def to_dict(config: Config) -> dict[str, Any]:
    """The configuration as plain dictionaries and lists, for JSON and W&B."""
    plain = OmegaConf.to_container(OmegaConf.structured(config))
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _get(config: Config, key: str) -> Any:
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name)
    return value


def _layer_weights(key: str, items: list[Any], config: Config) -> list[LayerWeight]:
    known = VGG19 if config.network.name.startswith("vgg19") else VGG16
    layers: list[LayerWeight] = []
    for item in items:
        if isinstance(item, str):
            layers.append(LayerWeight(item, 1.0 / len(items)))
        elif isinstance(item, dict) and set(item) == {"layer", "weight"}:
            if isinstance(item["weight"], bool) or not isinstance(item["weight"], int | float):
                raise InputError(f"{key}: the weight of {item['layer']} is {item['weight']!r}, not a number")
            layers.append(LayerWeight(str(item["layer"]), float(item["weight"])))
        else:
            raise InputError(f"{key}: {item!r} is neither a layer name nor {{layer: NAME, weight: NUMBER}}")
    for layer in layers:
        if layer.layer not in known:
            raise InputError(
                f"{key}: {config.network.name} has no layer {layer.layer!r}; layers are conv1_1 … conv5_"
                f"{4 if known is VGG19 else 3}, relu likewise, and pool1 … pool5"
            )
        if not (math.isfinite(layer.weight) and layer.weight >= 0):
            raise InputError(f"{key}: the weight of {layer.layer} is {layer.weight}; it must be zero or more")
        if sum(other.layer == layer.layer for other in layers) > 1:
            raise InputError(f"{key}: {layer.layer} is listed twice; give each layer once")
    return layers


def _check_numbers(config: Config) -> None:
    # key: (lowest value, whether the lowest itself is allowed)
    lowest: dict[str, tuple[float, bool]] = {
        "objective.content_weight": (0, True),
        "objective.style_weight": (0, True),
        "objective.smoothness.weight": (0, True),
        "image.size_px": (0, False),
        "image.aspect": (0, False),
        "init.amplitude": (0, True),
        "init.noise_ratio": (0, True),
        "optimizer.max_evaluations": (0, False),
        "optimizer.history": (0, False),
        "optimizer.ftol": (0, True),
        "optimizer.gtol": (0, True),
        "optimizer.restart_every": (1, False),
        "optimizer.learning_rate": (0, False),
        "optimizer.beta1": (0, True),
        "optimizer.beta2": (0, True),
        "optimizer.epsilon": (0, True),
        "optimizer.decay_rate": (0, False),
        "optimizer.decay_every": (0, False),
        "tracking.progress_every": (0, True),
        "tracking.checkpoint_seconds": (0, True),
        "seed": (0, True),
        "threads": (0, False),
    }
    for key, (low, allowed) in lowest.items():
        value = _get(config, key)
        if value is None:
            continue
        if not math.isfinite(value) or value < low or (value == low and not allowed):
            raise InputError(f"{key}={value}: must be a number {'of at least' if allowed else 'above'} {low}")
    for key in ("init.noise_ratio", "optimizer.beta1", "optimizer.beta2"):
        if _get(config, key) > 1:
            raise InputError(f"{key}={_get(config, key)}: must be at most 1")
    for level in config.pyramid.levels:
        if not 0 < level.scale < 1:
            raise InputError(f"pyramid.levels: a scale of {level.scale}; it must lie between 0 and 1")
        if level.max_evaluations < 1:
            raise InputError(f"pyramid.levels: max_evaluations of {level.max_evaluations}; it must be at least 1")
    unit = config.image.unit
    if len(unit) != 3 or not all(math.isfinite(value) and value > 0 for value in unit):
        raise InputError(f"image.unit={unit}: must be three numbers above 0, one a color channel")
