"""The typed configuration: its schema, how Hydra composes it, its checks."""

import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_store import ConfigStore
from hydra.types import RunMode
from omegaconf import MISSING, DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from stn import allowed, layer_weights, unused
from stn.allowed import number, one_of
from stn.errors import InputError, one_line

CONFIG_DIR = Path(__file__).resolve().parent.parent / "configs"

# What names a run or shows it, but changes no pixel of its picture.
INERT_KEYS = ("name", "tracking", "output", "figures", "force", "threads")


@dataclass
class Network:
    name: str = one_of(MISSING, "vgg19", "vgg19_q8", "vgg16")
    weights: str | None = None  # path of a .mat; null: where scripts/fetch.py puts it
    pooling: str = one_of("max", "avg", "max")
    odd: str = one_of("ceil", "ceil", "floor")  # what 2 × 2 pooling makes of an odd side n: ceil(n / 2) or floor(n / 2)
    convolution: str = one_of("winograd", "winograd", "direct")  # equal up to rounding; direct is the plain sum
    rescale: str | None = None  # mean activations: a file, or `default` for packaged photographs; null: plain
    mean_pixel: list[float] | None = None  # RGB, 0-255, subtracted from every picture; null: the weight file's


@dataclass
class Smoothness:
    form: str = one_of(
        "none", "none", "absolute", "squared", "mean_absolute", "mean_squared", "power"
    )  # formulas: stn/losses.py
    weight: float = number(0.0, least=0)
    counted: bool = True  # false: its gradient counts, its value is left out of the total, as in Torch's neural-style


@dataclass
class Objective:
    """Layers are lists of {layer, weight}, or of bare names, which share a weight of one (w_l = 1/n, eq. 5).

    The formula of a form stands in losses.py under the same name.
    """

    content_weight: float = number(MISSING, least=0)  # alpha
    style_weight: float = number(MISSING, least=0)  # beta
    content_layers: list[Any] = MISSING
    style_layers: list[Any] = MISSING
    content_reduction: str = one_of("mean", "half_sum", "sum", "mean", "half_sum_over_sqrt_nm")
    gram_divisor: str = one_of("nm", "one", "m", "nm")
    style_reduction: str = one_of("mean", "sum", "mean", "sum_over_4n2", "sum_over_36s2")
    smoothness: Smoothness = field(default_factory=Smoothness)


@dataclass
class Content:
    path: str = MISSING


@dataclass
class Style:
    path: str = MISSING
    # own: by the content's rule; content: stretched to the content's size; content_width: to its width
    size: str = one_of("own", "own", "content", "content_width")


@dataclass
class Image:
    size_px: int | None = number(512, above=0)  # null: the picture's own size
    # The side that size_px sets. area: √(height · width); area and long_at_most never enlarge.
    side: str = one_of("long", "long", "long_at_most", "short", "area")
    rounding: str = one_of("nearest", "nearest", "down", "up")  # of the sides that follow from it
    aspect: float | None = number(None, above=0)  # width / height to stretch to; null keeps the picture's own
    filter: str = one_of(  # how pictures are resized: stn/resizing.py, FILTERS
        "skimage",
        *("skimage", "bilinear", "area", "pyramid_reduce", "pillow_nearest", "pillow_bilinear", "pillow_bicubic"),
    )
    pixel_unit: list[float] = field(default_factory=lambda: [1.0, 1.0, 1.0])  # one of the source's pixels, in 0-255
    unit: list[float] | None = None  # the name of pixel_unit earlier


@dataclass
class Init:
    name: str = one_of(MISSING, "content", "style", "noise", "blend", "file")
    path: str | None = None
    distribution: str = one_of("normal", "normal", "uniform")
    # Of the noise, in 0-255 steps: the normal's deviation, or half the uniform's width. 1: the authors' (METHODS §2.3).
    amplitude: float = number(1.0, least=0)
    noise_ratio: float = number(1.0, least=0, most=1)  # of a blend: noise_ratio · noise + (1 − noise_ratio) · content


@dataclass
class Optimizer:
    name: str = one_of(MISSING, "lbfgs", "torch_lbfgs", "spectral_lbfgs", "adam")
    max_evaluations: int = number(500, above=0)
    history: int = number(10, above=0)
    ftol: float = number(0.0, least=0)  # relative; 0 switches the test off; both are of SciPy's L-BFGS
    gtol: float = number(0.0, least=0)
    bounds: bool = False  # keep pixels in 0-255: SciPy's L-BFGS-B by its bounds, the others by clipping each step
    restart_every: int | None = number(None, above=1)  # evaluations after which SciPy's L-BFGS forgets its pairs
    learning_rate: float = number(1.0, above=0)
    beta1: float = number(0.9, least=0, below=1)
    beta2: float = number(0.999, least=0, below=1)
    epsilon: float = number(1e-8, least=0)
    decay_rate: float = number(1.0, above=0)
    decay_every: int = number(1, above=0)


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
    mode: str = one_of("offline", "offline", "online", "off")
    project: str = "stn"
    progress_every: int = number(100, least=0)  # evaluations between intermediate pictures; 0: none
    checkpoint_seconds: float = number(30.0, least=0)  # between checkpoints; SciPy's L-BFGS: where it restarts


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
    seed: int = number(0, least=0)
    threads: int | None = number(None, above=0)  # of TensorFlow within an operation; null: one a core
    output: str | None = None  # a copy of the result; PNG, JPEG, WebP or TIFF by its name
    force: bool = False  # start a run directory anew that was made with other settings
    figures: bool = False  # also draw comparison.png and losses.png


ConfigStore.instance().store(name="schema", node=Config)
_composing = threading.Lock()  # around what Hydra keeps one of in a process


def compose(*overrides: str) -> Config:
    """The configuration that `scripts/stylize.py` would run with these overrides, for use from Python."""
    # Hydra's own `compose` would take the place of the program around it, if that is Hydra's too, and of other threads.
    with _composing:
        before = version.getbase()
        version.setbase("1.3")
        try:
            loader = ConfigLoaderImpl(create_config_search_path(str(CONFIG_DIR)))
            composed = loader.load_configuration("config", list(overrides), RunMode.RUN, from_shell=False)
        finally:
            version.VersionBase.instance().version_base = before  # which `setbase` would not take, were there none
    with open_dict(composed):
        del composed["hydra"]
    return parse(composed, overrides)


def parse(config: DictConfig, overrides: Sequence[str] = ()) -> Config:
    """Turn Hydra's configuration into a checked `Config`; InputError names the key, the value and what is allowed.

    Of the `overrides` that made it those that change nothing are named in a warning.
    """
    try:
        parsed = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise InputError(one_line(error)) from error
    if not isinstance(parsed, Config):
        raise InputError("the configuration lacks the schema; keep `- schema` first in the defaults of config.yaml")
    check(parsed)
    unused.warn(parsed, overrides)
    return parsed


def check(config: Config) -> None:
    """Raise InputError for a key or value that is not allowed; bare layer names become LayerWeights."""
    allowed.refuse_unknown(config)
    try:
        OmegaConf.structured(config)  # which looks at the types
    except OmegaConfBaseException as error:
        raise InputError(one_line(error)) from error
    if config.image.unit is not None:
        warnings.warn(
            "image.unit is called image.pixel_unit now; the old name goes with the next release", stacklevel=2
        )
        config.image.pixel_unit, config.image.unit = config.image.unit, None
    for key, found, limits in allowed.fields(config):
        allowed.check_value(key, found, limits)
    objective, network = config.objective, config.network.name
    objective.content_layers = layer_weights.parse("objective.content_layers", objective.content_layers, network)
    objective.style_layers = layer_weights.parse("objective.style_layers", objective.style_layers, network)
    if not objective.content_layers and not objective.style_layers:
        raise InputError("objective.content_layers and objective.style_layers are both empty: nothing to optimize")
    weights = (objective.content_weight, objective.content_layers), (objective.style_weight, objective.style_layers)
    if not any(weight * sum(layer.weight for layer in layers) for weight, layers in weights):
        raise InputError("objective.content_weight and objective.style_weight: nothing weighs more than zero")
    if config.init.name == "file" and not config.init.path:
        raise InputError("init.path is missing: init=file needs the picture to start from, init.path=FILE")
    for level in config.pyramid.levels:
        if not 0 < level.scale < 1:
            raise InputError(f"pyramid.levels: a scale of {level.scale}; it must lie between 0 and 1")
        if level.max_evaluations < 1:
            raise InputError(f"pyramid.levels: max_evaluations of {level.max_evaluations}; it must be at least 1")
    allowed.check_color("image.pixel_unit", config.image.pixel_unit)
    if config.network.mean_pixel is not None:
        allowed.check_color("network.mean_pixel", config.network.mean_pixel)


def levels(config: Config) -> list[Level]:
    """The levels of a run, coarse ones first; the last is the full size."""
    return [*config.pyramid.levels, Level(1.0, config.optimizer.max_evaluations)]


def choices(key: str) -> tuple[str, ...]:
    """The names that a key may have, such as `choices("init.name")`."""
    found: tuple[str, ...] = next(limits["choices"] for name, _, limits in allowed.fields(Config()) if name == key)
    return found


def to_dict(config: Config) -> dict[str, Any]:
    """The configuration as plain dictionaries and lists, for JSON and W&B."""
    plain = OmegaConf.to_container(OmegaConf.structured(config))
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}
