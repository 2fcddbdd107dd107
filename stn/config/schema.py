"""The typed configuration: every key with its default, what it may be, its unit and what it means.

`stn/config/fields.py` reads this; the tables of docs/reference/configuration.md are made from it.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from omegaconf import MISSING

from stn import devices, quantities
from stn.config.fields import entries, group, key, number, one_of
from stn.config.optimizers import AnyOptimizer, Optimizer
from stn.images import color, resizing
from stn.loss import losses, pixels, statistics, strotss


@dataclass
class Network:
    """The network, and how published programs use the same weights in other ways."""

    # By the names of network.rescale: which power of an activation is averaged. Gatys et al. 2016,
    # section 2; Heitz et al. 2021, whose first losses it gives (METHODS.md, §2.6).
    POWERS: ClassVar = {"default": 1, "default_rms": 2}
    name: str = one_of(MISSING, ("vgg19", "vgg19_q8", "vgg16"), help="Which network.")
    weights: str | None = key(
        None,
        values="a file, or `random`",
        help="A MatConvNet `.mat` in any layout; `random`: He's random kernels, seed 0;"
        " `null`: where `scripts/fetch.py` puts it.",
    )
    pooling: str = one_of("max", ("avg", "max"), help="Average or maximum over 2 × 2 positions.")
    ceil_mode: bool = key(
        True, help="Pooling makes ⌈n / 2⌉ of an odd side n; `false`: ⌊n / 2⌋ as in PyTorch."
    )
    convolution: str = one_of(
        "auto",
        ("auto", "winograd", "direct"),
        help="How wide layers are computed; `auto`: `winograd` on a CPU, `direct` on a GPU.",
    )
    precision: str = one_of(
        "float32",
        devices.PRECISIONS,
        refused=devices.REFUSED,
        help="How a GPU multiplies; `tf32` is faster and keeps 10 bits of each factor's mantissa.",
    )
    rescale: str | None = key(
        None,
        values="`default`, `default_rms`, a file",
        help="Scales activations to a mean, or root mean square, of one over packaged photographs.",
    )
    mean_pixel: list[float] | None = key(
        None,
        values="three numbers above 0",
        unit="RGB, 0-255",
        help="Subtracted from every picture; `null`: the weight file's.",
    )
    transposed: bool = key(
        False, help="Exchanges rows and columns of every kernel, as `neural_style_anish` does."
    )
    bgr: bool = key(
        False, help="Shows the network blue first, as programs do that mix up their files."
    )
    input_range: float = number(
        255.0,
        above=0,
        help="What the network sees of white, before the mean pixel is subtracted.",
    )
    feature_scale: float = number(
        1.0, above=0, help="Multiplies all features, for losses that were weighed on other weights."
    )
    border: str = one_of(
        "zero",
        ("zero", "reflect", "replicate", "replicate_first", "wrap"),
        help="What a convolution sees beyond the picture; `replicate_first`: of the first alone.",
    )
    gradient_checkpointing: bool | None = key(
        None,
        help="Computes features by rows, and again for the gradient; `null`: if memory is short.",
    )


@dataclass
class TotalVariation:
    """The loss that keeps neighboring pixels alike."""

    form: str = one_of(
        "none",
        losses.TOTAL_VARIATIONS,
        help="Which total variation is added to the loss.",
    )
    weight: float = number(0.0, least=0, help="Its weight in the loss.")
    counted: bool = key(
        True, help="`false`: its gradient counts, but not its value, as in Torch's neural-style."
    )


@dataclass
class MoreStatistic:
    """A statistic that is compared next to `objective.style_statistic`."""

    statistic: str = one_of(MISSING, statistics.STATISTICS, help="Which one.")
    layers: list[Any] = key(
        MISSING, values="layer names, or `{layer, weight}` each", help="Where it is compared."
    )
    weight: float = number(
        1.0, least=0, help="Of its loss, times `objective.style_weight`; layers share it."
    )


@dataclass
class Copy:
    """A copy of a painting, whose features are searched for matches too."""

    turn_deg: float = number(
        0.0, unit="degrees", help="Counterclockwise; corners that are not covered are cut off."
    )
    scale: float = number(1.0, above=0, help="Of its sides, after that.")


@dataclass
class Objective:
    """What is minimized: which layers are compared, how, and with which weights."""

    content_weight: float = number(MISSING, least=0, help="α, the weight of the content loss.")
    style_weight: float = number(MISSING, least=0, help="β, the weight of the style loss.")
    content_layers: list[Any] = key(
        MISSING,
        values="layer names, or `{layer, weight}` each",
        help="The layers whose features are compared with the content's; `[]`: none.",
    )
    style_layers: list[Any] = key(
        MISSING,
        values="layer names, or `{layer, weight}` each",
        help="The layers whose statistics are compared with the style's; `[]`: none.",
    )
    content_reduction: str = one_of(
        "mean",
        (*losses.CONTENT_REDUCTIONS, *strotss.CONTENT_REDUCTIONS),
        help="How the squares of F − P are added up; `self_similarity`: of hypercolumns.",
    )
    gram_divisor: str = one_of(
        "nm", losses.GRAM_DIVISORS, help="What a Gram matrix is divided by: 1, M or N · M."
    )
    style_reduction: str = one_of(
        "mean",
        losses.STYLE_REDUCTIONS,
        help="How the squares of G − A are added up.",
    )
    style_statistic: str = one_of(
        "gram",
        statistics.STATISTICS,
        help="Which statistic of the features is compared.",
    )
    more_statistics: list[MoreStatistic] = entries(
        MoreStatistic,
        help="Others next to it, each at layers of its own; weights are times `style_weight`.",
    )
    copies: list[Copy] = entries(
        Copy, help="Copies of each painting that are searched for matches next to it."
    )
    content_share: float = number(
        0.75,
        least=0,
        most=1,
        help="Share of the photograph in what `nearest_hypercolumns` matches; the rest is the"
        " picture that the level starts from.",
    )
    directions: int | None = number(
        None, above=0, help="How many random projections are sorted; `null`: as many as channels."
    )
    hypercolumns: int = number(
        1024,
        above=1,
        help="How many of the result, at drawn positions, and as many of the content.",
    )
    style_hypercolumns: int = number(5000, above=1, help="How many of each painting.")
    redraw: int | None = number(
        None,
        above=0,
        unit="evaluations",
        help="After how many other directions, offsets or positions are drawn; `null`: never.",
    )
    shifts: list[int] = key(
        [1, 2, 4, 8, 16, 32],
        values="whole numbers above 0",
        unit="positions of a layer",
        help="Distances between the features compared; at each layer those that reach no more"
        " pixels than the largest.",
    )
    components: int | None = number(
        None,
        above=0,
        help="Principal components of the style's features that are compared; `null`: all.",
    )
    activation_shift: float = number(0.0, help="Added to the features before their Gram matrix.")
    layer_weighting: str = one_of(
        "equal",
        ("equal", "geometric", "first_loss"),
        help="How layers listed by bare names share a weight of one; `first_loss`: equally, and"
        " each style loss counts over what it is at the photograph.",
    )
    total_variation: TotalVariation = group(TotalVariation)
    matting_weight: float = number(
        0.0,
        least=0,
        help="Weight of the photograph's matting Laplacian, which keeps straight lines straight.",
    )
    spectrum_weight: float = number(
        0.0, least=0, help="Weight of the distance to pictures with the painting's spectrum."
    )

    def pixel_weights(self) -> dict[str, float]:
        """The weights of the losses of pixels that count, by their names in PIXEL_LOSSES."""
        weights = {name: getattr(self, f"{name}_weight") for name in pixels.PIXEL_LOSSES}
        return {name: weight for name, weight in weights.items() if weight}


@dataclass
class Content:
    """The photograph."""

    path: str | None = key(
        MISSING, values="a picture", help="The photograph; `null`: none, as for a texture."
    )


@dataclass
class Style:
    """One painting, the part of it that counts, and where in the result it is painted."""

    path: str = key(MISSING, values="a picture", help="The painting.")
    weight: float = number(
        1.0, least=0, help="Its share of the style; divided by the sum over all styles."
    )
    scale: float = number(
        1.0, above=0, help="Multiplies the sides that the size rule gives the painting."
    )
    mask: str | None = key(
        None, values="a gray picture", help="The white part of the painting counts."
    )
    result_mask: str | None = key(
        None, values="a gray picture", help="The white part of the result is painted so."
    )
    layers: list[str] | None = key(
        None,
        values="layer names",
        help="The style layers at which this style counts; `null`: all.",
    )


@dataclass
class FirstStyle(Style):
    """The first painting, and the rule by which all are sized."""

    size: str = one_of(
        "own",
        ("own", "own_at_most", "content", "content_width"),
        help="By the content's size rule (and never enlarged), the content's size, or its width.",
    )


@dataclass
class Color:
    """How the result gets the photograph's colors."""

    name: str = one_of(
        "none",
        color.MODES,
        help="How the result gets the photograph's colors; `local_affine`: the photograph gets the"
        " result's.",
    )
    mode: str = one_of("pca", color.MAPS, help="Which linear map `match` moves the colors by.")
    luma: str = one_of(
        "mean_std",
        color.LUMAS,
        help="What of the photograph's luma `luminance` gives the painting.",
    )
    space: str = one_of(
        "yuv", color.SPACES, help="The color space in which `swap` exchanges luminance."
    )


@dataclass
class Guidance:
    """How masks enter the style loss (Gatys et al. 2017, section 4)."""

    name: str = one_of(
        "gram",
        ("gram", "sums", "tag"),
        help="Masked Gram matrices, or sums of masked features besides; `tag`: grays are classes,"
        " by which `sliced_wasserstein` sorts.",
    )
    propagation: str = one_of(
        "simple", ("simple", "inside", "all"), help="How a mask reaches the deeper layers."
    )
    margin: int = number(
        0, unit="positions of a layer", help="By how much masks grow; below 0 they shrink."
    )
    global_weight: float = number(
        0.0, least=0, help="Weight of the whole paintings' statistics over the whole picture."
    )
    sums_weight: float = number(1.0, least=0, help="Weight of the masked sums.")
    tag: float = number(
        10.0, above=0, help="The tag of white; black has the negative. Features are to be smaller."
    )


@dataclass
class Mix:
    """A style picture made first: the first style with the fine scale of another painting."""

    fine: str | None = key(
        None, values="a picture", help="The painting that gives the fine scale; `null`: none."
    )
    layers: list[str] = key(
        ["relu1_1", "relu2_1"], values="layer names", help="Where its statistics are taken."
    )
    weight: float = number(1e3, above=0, help="Weight of its statistics, as in the authors' code.")
    max_evaluations: int = number(500, above=0, help="Budget of the run that mixes.")


@dataclass
class Image:
    """The size of the result, and the unit of its pixels."""

    size_px: int | None = number(
        512,
        above=0,
        unit="px",
        help="The side that `image.side` names; `null`: the picture's own size.",
    )
    side: str = one_of(
        "long",
        ("long", "long_at_most", "short", "area"),
        help="`area` is √(height · width); `area` and `long_at_most` never enlarge.",
    )
    rounding: str = one_of("nearest", resizing.ROUND, help="How other sides are rounded.")
    aspect: float | None = number(
        None, above=0, help="Width / height to stretch to; `null`: the picture's own."
    )
    shape: list[int] | None = key(
        None,
        values="`[height, width]`",
        unit="px",
        help="The result's; `null`: the content's by the rule above, else the painting's.",
    )
    filter: str = one_of(
        "skimage",
        resizing.FILTERS,
        help="How pictures are resized; `pillow_…` is Pillow itself, called on bytes.",
    )
    pixel_unit: list[float] = key(
        [1.0, 1.0, 1.0],
        values="three numbers above 0",
        unit="RGB, 0-255",
        help="One of the source's pixel units, in which learning rates are given.",
    )


@dataclass
class Init:
    """The initial image."""

    RANDOM: ClassVar = ("noise", "blend", "style_mean")
    OF_CONTENT: ClassVar = ("content", "blend")
    name: str = one_of(
        MISSING,
        ("content", "style", "style_mean", "noise", "blend", "file"),
        help="The initial image; `style_mean`: noise around the painting's mean color.",
    )
    path: str | None = key(None, values="a picture", help="The initial image of `init=file`.")
    distribution: str = one_of("normal", ("normal", "uniform"), help="The noise's.")
    amplitude: float = number(
        1.0,
        least=0,
        unit="0-255",
        help="The noise's: a normal one's deviation, or half of a uniform one's width.",
    )
    noise_ratio: float = number(
        1.0,
        least=0,
        most=1,
        help="Of `init=blend`, which is noise_ratio · noise + (1 − noise_ratio) · content.",
    )


@dataclass
class Match:
    """One key is changed until one measure has a value, so that runs compare there."""

    KEY: ClassVar[str] = "objective.style_weight"
    measure: str | None = one_of(
        None,
        (
            *quantities.comparing_with(quantities.CONTENT),
            *quantities.comparing_with(quantities.STYLE),
        ),
        help="The measure that the result is to have; `null`: none.",
    )
    value: float | None = number(None, help="What it is to be, within 1 %.")
    key: str | None = key(
        None,
        values="a key with a number above 0",
        help="What is changed until it is; `null`: `objective.style_weight`.",
    )


@dataclass
class Level:
    """A level of a pyramid before the last; the next starts from its result, enlarged."""

    # Those of losses of pixels may be zero.
    FACTORS: ClassVar = ("content_weight", "style_weight", "learning_rate", *pixels.FACTORS)
    scale: float = number(MISSING, above=0, most=1, help="Of the sides at full size.")
    max_evaluations: int = number(MISSING, least=1, help="Budget of this level.")
    times: dict[str, float] = key(
        {}, help="Factors here, by FACTORS or the name of one of `objective.more_statistics`."
    )
    detail: bool = key(False, help="Adds the photograph's finest detail to what it starts from.")
    style_statistic: str | None = one_of(
        None, statistics.STATISTICS, help="In place of `objective.style_statistic`."
    )
    laplacian_levels: int | None = number(
        None, least=0, help="In place of `optimizer.laplacian_levels`."
    )


@dataclass
class Pyramid:
    """A run from coarse to fine."""

    levels: list[Level] = entries(
        Level,
        help="Levels before the last, at full size, each with a budget and factors of its own.",
    )


@dataclass
class Tracking:
    """What is recorded of a run, and how often."""

    mode: str = one_of("offline", ("offline", "online", "off"), help="How W&B records the run.")
    project: str = key("${oc.env:WANDB_PROJECT,stn}", values="text", help="W&B's project.")
    progress_every: int = number(
        100, least=0, unit="evaluations", help="From one intermediate picture to the next; 0: none."
    )
    preview_seconds: float = number(
        2.0,
        least=0,
        unit="s",
        help="From one preview to the next while a live page is open; 0: none. One of"
        " `color=local_affine` skips its averaging.",
    )
    checkpoint_seconds: float = number(
        30.0,
        least=0,
        unit="s",
        help="From one checkpoint to the next; an interruption leaves one too.",
    )
    keep_checkpoint: bool = key(
        False, help="Keeps the last checkpoint, for a larger `optimizer.max_evaluations`."
    )


@dataclass
class Sweep:
    """What a sweep is told, besides its cells."""

    # What it may be besides a measure, and how other keys of summary.json begin.
    OTHERS: ClassVar = ("seconds", "peak_memory_mb")
    BEGINNINGS: ClassVar = ("picture/", "loss/", "measures/")
    metric: str = key(
        "picture/loss/total",
        values="a key of `summary.json`, or a measure",
        help="What `hydra/sweeper=optuna` minimizes.",
    )


@dataclass
class Config:
    """All settings of a run."""

    name: str = key("custom", values="text", help="The preset's name.")
    network: Network = group(Network)
    objective: Objective = group(Objective)
    content: Content = group(Content)
    style: FirstStyle = group(FirstStyle)
    more_styles: list[Style] = entries(Style, help="More styles next to `style`.")
    styles_blend: str = one_of(
        "targets",
        ("targets", "losses"),
        help="What of several styles is averaged; the gradient is the same.",
    )
    color: Color = group(Color)
    guidance: Guidance = group(Guidance)
    mix: Mix = group(Mix)
    paint_only: str | None = key(
        None,
        values="a gray picture",
        help="Outside its white part the photograph stays as it is.",
    )
    image: Image = group(Image)
    init: Init = group(Init)
    optimizer: Optimizer = group(AnyOptimizer)  # of which `parse` keeps what the one chosen has
    pyramid: Pyramid = group(Pyramid)
    strength: float = number(
        1.0,
        above=0,
        help="Style over content, times what the preset has: `2` paints more, `0.5` less.",
    )
    match: Match = group(Match)
    sweep: Sweep = group(Sweep)
    tracking: Tracking = group(Tracking)
    seed: int = number(0, least=0, help="Seed of the noise, and of all that is drawn.")
    threads: int | None = number(
        None, above=0, help="TensorFlow's threads in an operation; `null`: one a core."
    )
    gpus_per_cell: int = number(
        0, least=0, most=1, help="GPUs that SLURM or Ray gives each cell, which must then see one."
    )
    output: str | None = key(
        None, values="a file", help="A copy of the result: PNG, JPEG, WebP or TIFF by its name."
    )
    force: bool = key(False, help="Starts a directory anew that holds other settings.")
    view: bool = key(False, help="Shows the run in a browser while it goes.")
    figures: bool = key(False, help="Draws `comparison.png` and `losses.png` as well.")
