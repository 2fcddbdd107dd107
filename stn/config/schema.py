"""The typed configuration: every key, its default, and beside it what it may be."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from stn.config.fields import number, one_of


@dataclass
class Network:
    name: str = one_of(MISSING, "vgg19", "vgg19_q8", "vgg16")
    weights: str | None = None  # path of a .mat; null: where scripts/fetch.py puts it
    pooling: str = one_of("max", "avg", "max")
    ceil_mode: bool = True  # pooling makes of an odd side n ceil(n / 2); false: floor(n / 2)
    convolution: str = one_of(
        "auto", "auto", "winograd", "direct"
    )  # equal up to rounding; auto: by the device
    rescale: str | None = (
        None  # mean activations: a file, or `default` for packaged photographs; null: plain
    )
    mean_pixel: list[float] | None = (
        None  # RGB, 0-255, subtracted from every picture; null: the weight file's
    )
    transposed: bool = False  # kernels with rows and columns exchanged, as one program loads them
    input_range: float = number(
        255.0, above=0
    )  # what the network sees of white, before the mean pixel is subtracted
    border: str = one_of(
        "zero", "zero", "reflect", "replicate", "wrap"
    )  # what a convolution sees beyond the picture
    # Gradient checkpointing (rematerialization): features in bands of rows, again for the gradient;
    # null: where memory is short
    gradient_checkpointing: bool | None = None


@dataclass
class TotalVariation:
    """Total variation, in the forms of several programs (stn/loss/losses.py)."""

    form: str = one_of(
        "none", "none", "absolute", "squared", "mean_absolute", "mean_squared", "power"
    )  # formulas: stn/loss/losses.py
    weight: float = number(0.0, least=0)
    # false: its gradient counts, its value is left out of the total, as in Torch's neural-style
    counted: bool = True


@dataclass
class Objective:
    """Layers are lists of {layer, weight}, or of bare names, which share a weight of one (w_l =
    1/n, eq. 5).

    The formula of a form stands in losses.py under the same name.
    """

    content_weight: float = number(MISSING, least=0)  # alpha
    style_weight: float = number(MISSING, least=0)  # beta
    content_layers: list[Any] = MISSING
    style_layers: list[Any] = MISSING
    content_reduction: str = one_of("mean", "half_sum", "sum", "mean", "half_sum_over_sqrt_nm")
    gram_divisor: str = one_of("nm", "one", "m", "nm")
    style_reduction: str = one_of("mean", "sum", "mean", "sum_over_4n2", "sum_over_36s2")
    style_statistic: str = one_of(
        "gram", *("gram", "covariance", "polynomial", "mean", "mean_std", "gaussian", "chain")
    )  # what is compared, stn/loss/losses.py
    activation_shift: float = number(0.0)  # added to the features before their Gram matrix
    layer_weighting: str = one_of("equal", "equal", "geometric")  # of layers listed by bare names
    total_variation: TotalVariation = field(default_factory=TotalVariation)  # total variation


@dataclass
class Content:
    path: str | None = MISSING  # null: none, as for a texture


@dataclass
class Style:
    """One painting, or the part of it that counts, and where in the picture it is painted."""

    path: str = MISSING
    # own: by the content's rule; content: stretched to the content's size; content_width: to its
    # width
    size: str = one_of("own", "own", "content", "content_width")
    weight: float = number(1.0, least=0)  # divided by the sum of all styles' weights
    scale: float = number(
        1.0, above=0
    )  # of the painting's sides, relative to what the size rule gives
    mask: str | None = None  # a gray picture: the white part of the painting counts
    result_mask: str | None = None  # a gray picture: the white part of the result is painted
    layers: list[str] | None = None  # the style layers that it counts at; null: all


@dataclass
class Color:
    name: str = one_of("none", "none", "match", "luminance", "swap", "histogram")
    mode: str = one_of("pca", "pca", "chol", "sym")  # of match: which linear map
    luma: str = one_of(
        "mean_std", "mean_std", "mean", "none"
    )  # of luminance: what of the photograph's luma is matched
    space: str = one_of("yuv", "yuv", "lab", "luv")  # of swap


@dataclass
class Guidance:
    name: str = one_of("gram", "gram", "sums")
    propagation: str = one_of("simple", "simple", "inside", "all")
    margin: int = 0  # positions of each layer by which a guide grows, or below zero shrinks
    global_weight: float = number(
        0.0, least=0
    )  # of the whole paintings' statistics over the whole picture
    sums_weight: float = number(1.0, least=0)  # of the guided sums beside the Gram matrices


@dataclass
class Mix:
    """A style picture made first: the first style with the fine statistics of another painting
    (stn/transfer/mixing.py).
    """

    fine: str | None = None  # that painting; null: none
    layers: list[str] = field(
        default_factory=lambda: ["relu1_1", "relu2_1"]
    )  # at which they are taken from it
    weight: float = number(1e3, above=0)  # the authors' code; 1e5 on the rescaled network
    max_evaluations: int = number(500, above=0)


@dataclass
class Image:
    size_px: int | None = number(512, above=0)  # null: the picture's own size
    # The side that size_px sets. area: √(height · width); area and long_at_most never enlarge.
    side: str = one_of("long", "long", "long_at_most", "short", "area")
    rounding: str = one_of("nearest", "nearest", "down", "up")  # of the sides that follow from it
    aspect: float | None = number(
        None, above=0
    )  # width / height to stretch to; null keeps the picture's own
    shape: list[int] | None = (
        None  # [height, width] of the result; null: the content's by the rule above
    )
    filter: str = one_of(  # how pictures are resized: stn/images/resizing.py, FILTERS
        "skimage",
        *("skimage", "bilinear", "early_pillow_bilinear", "area", "pyramid_reduce"),
        *("pillow_nearest", "pillow_bilinear", "pillow_bicubic"),
    )
    # resized pictures are rounded to whole steps of 0-255, as those of programs that use Pillow
    eight_bit: bool = False
    pixel_unit: list[float] = field(
        default_factory=lambda: [1.0, 1.0, 1.0]
    )  # one of the source's pixels, in 0-255
    unit: list[float] | None = None  # the name of pixel_unit earlier


@dataclass
class Init:
    name: str = one_of(MISSING, "content", "style", "noise", "blend", "file")
    path: str | None = None
    distribution: str = one_of("normal", "normal", "uniform")
    # Of the noise, in 0-255 steps: the normal's deviation, or half the uniform's width. 1: the
    # authors' (METHODS §2.3).
    amplitude: float = number(1.0, least=0)
    noise_ratio: float = number(
        1.0, least=0, most=1
    )  # of a blend: noise_ratio · noise + (1 − noise_ratio) · content


@dataclass
class Optimizer:
    name: str = one_of(MISSING, "lbfgs", "torch_lbfgs", "spectral_lbfgs", "adam")
    max_evaluations: int = number(500, above=0)
    history: int = number(10, above=0)
    ftol: float = number(
        0.0, least=0
    )  # relative; 0 switches the test off; both are of SciPy's L-BFGS
    gtol: float = number(0.0, least=0)
    tolerance: float = number(
        0.0, least=0, below=1
    )  # least share that the best loss falls by over 50 evaluations
    # keep pixels in 0-255: SciPy's by its bounds, Adam by clipping, the others by other variables
    bounds: bool = False
    restart_every: int | None = number(
        None, above=1
    )  # evaluations after which SciPy's L-BFGS forgets its pairs
    learning_rate: float = number(1.0, above=0)
    beta1: float = number(0.9, least=0, below=1)
    beta2: float = number(0.999, least=0, below=1)
    epsilon: float = number(1e-8, least=0)
    decay_rate: float = number(1.0, above=0)
    decay_every: int = number(1, above=0)


@dataclass
class Level:
    """A coarse level: run at `scale` of the picture's sides, before the next starts from its
    enlarged result.
    """

    scale: float = number(MISSING, above=0, below=1)
    max_evaluations: int = number(MISSING, least=1)


@dataclass
class Pyramid:
    levels: list[Level] = field(
        default_factory=list
    )  # those before the full size, which optimizer.* describes


@dataclass
class Tracking:
    mode: str = one_of("offline", "offline", "online", "off")
    project: str = "${oc.env:WANDB_PROJECT,stn}"
    progress_every: int = number(100, least=0)  # evaluations between intermediate pictures; 0: none
    preview_seconds: float = number(
        2.0, least=0
    )  # between pictures for the live page, if one is open; 0: none
    checkpoint_seconds: float = number(
        30.0, least=0
    )  # between checkpoints; SciPy's L-BFGS: where it restarts
    keep_checkpoint: bool = (
        True  # after the end, for a larger optimizer.max_evaluations to go on from
    )


@dataclass
class Config:
    name: str = "custom"  # the preset's
    network: Network = field(default_factory=Network)
    objective: Objective = field(default_factory=Objective)
    content: Content = field(default_factory=Content)
    style: Style = field(default_factory=Style)
    more_styles: list[Any] = field(
        default_factory=list
    )  # of {path, weight, scale, mask, result_mask, layers}
    styles_blend: str = one_of(
        "targets", "targets", "losses"
    )  # the same gradient, another printed number
    color: Color = field(default_factory=Color)
    guidance: Guidance = field(default_factory=Guidance)
    mix: Mix = field(default_factory=Mix)
    paint_only: str | None = (
        None  # a gray picture: outside its white part the photograph stays as it is
    )
    image: Image = field(default_factory=Image)
    init: Init = field(default_factory=Init)
    optimizer: Optimizer = field(default_factory=Optimizer)
    pyramid: Pyramid = field(default_factory=Pyramid)
    tracking: Tracking = field(default_factory=Tracking)
    seed: int = number(0, least=0)
    threads: int | None = number(
        None, above=0
    )  # of TensorFlow within an operation; null: one a core
    output: str | None = None  # a copy of the result; PNG, JPEG, WebP or TIFF by its name
    force: bool = False  # start a run directory anew that was made with other settings
    view: bool = False  # show the run in a browser while it goes (stn/runs/previews.py)
    figures: bool = False  # also draw comparison.png and losses.png
