"""What memory a run needs, with gradient checkpointing and without, next to what is free."""

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from stn import config, devices
from stn.assets.pictures import Pictures
from stn.backend import tf
from stn.config import optimizers
from stn.config.schema import Config, Copy, Objective
from stn.errors import InputError
from stn.images import resizing
from stn.layers import COLORS, LAYERS, of_kind
from stn.loss import hypercolumns, strotss
from stn.loss.pixels import PIXEL_LOSSES
from stn.loss.statistics import STATISTICS
from stn.network import checkpointing
from stn.network.network import Network
from stn.objective import targets

# Measured on VGG-19: the kernels take 0.25 GB. Value and gradient of 1536 × 2048 pixels with max
# pooling take 6155 MB at the peak, of which 1.1 to 1.4 GB are there before
# (docs/how-to/large_pictures.md): 1.30 to 1.38 times the 3.65 GB of the convolutions' outputs, 1.37
# to 1.45 times if a MB is 2^20 bytes.
KERNEL_BYTES, ACTIVATION_FACTOR = 0.3e9, 1.45
# With network.gradient_checkpointing, of a large block: what leaves it, its gradient and a copy
# where bands are joined; four times what a band's convolutions give; of a layer that has to be
# whole its features, their gradient and the target. Measured at 2048 × 1536 and 4096 × 3072
# (docs/how-to/large_pictures.md): at most 0.75 and 0.9 times the sum.
PASSED_FACTOR, BAND_FACTOR, WHOLE_FACTOR = 3, 4, 3
# The targets' forward pass keeps nothing: measured on VGG-19 at 1024 × 1024 and 1600 × 1600 pixels,
# 2.8 to 2.9 times the bytes of the largest output. TensorFlow keeps that memory and hardly uses it
# for the gradient: of a run at 768 × 576 the peak was 0.83 of the sum of both, by rows 0.71.
FORWARD_FACTOR = 3.3
# Arrays of all hypercolumns, and of their pairs, that a loss of them takes; reckoned.
COLUMN_FACTOR, PAIR_FACTOR = 4, 4
# The same of hypercolumns that are searched, in a painting and its copies.
SEARCHED_FACTOR = 2
# Where memory ran out in spite of the estimate, so much of the pixels is tried next; ours.
SMALLER = 0.5
# A pixel of a picture itself: float64 as it was resized and without its mean, float32 in the
# network.
PICTURE_BYTES = 3 * (8 + 8 + 4)


@dataclass(frozen=True)
class Need:
    """The bytes next to the kernels that a picture [height, width] needs, brought by `key`, made
    smaller by `how`.
    """

    key: str
    bytes: float
    height: int
    width: int
    how: str = ""

    def fits(self) -> bool:
        """Whether so much is free."""
        return bool(KERNEL_BYTES + self.bytes <= devices.free_bytes())

    def check(self, why: str, remedy: str) -> None:
        """Raise InputError if so much is not free; it says `why` it is needed, and a `remedy`
        next to a smaller size.
        """
        if self.fits():
            return
        available = devices.free_bytes()
        fits = self.long_side(max(0.0, available - KERNEL_BYTES) / self.bytes)
        raise InputError(
            f"{self.key}: {self.width} × {self.height} pixels need about"
            f" {(KERNEL_BYTES + self.bytes) / 1e9:.1f} GB of memory{why} and {available / 1e9:.1f}"
            f" GB are free; a long side of {fits} px would fit{self.how}{remedy}"
        )

    def long_side(self, share: float) -> int:
        """That of the picture with so large a share of its pixels."""
        return int(max(self.height, self.width) * share**0.5)


@contextlib.contextmanager
def told_when_exhausted(settings: Config, network: Network, pictures: Pictures) -> Iterator[None]:
    """InputError, one line with a smaller size, where memory runs out though the estimate fit."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, MemoryError | tf.errors.ResourceExhaustedError):
            raise
        by_rows = network.gradient_checkpointing
        need = max(needs(settings, network, pictures, by_rows), key=lambda need: need.bytes)
        raise InputError(
            f"{need.key}: memory ran out with {need.width} × {need.height} pixels, which were to"
            f" need {(KERNEL_BYTES + need.bytes) / 1e9:.1f} GB; try a long side of"
            f" {need.long_side(SMALLER)} px{need.how}"
            + ("" if by_rows else ", or network.gradient_checkpointing=true")
        ) from None


def pair_bytes(settings: Config) -> int:
    """Bytes a pixel of the pairs that the optimizer remembers."""
    chosen = settings.optimizer
    if not isinstance(chosen, optimizers.LBFGS):
        return 0
    pairs = min(chosen.history, chosen.max_evaluations)
    return optimizers.OPTIMIZERS[chosen.name].pair_bytes * 3 * pairs


def needs(
    settings: Config, network: Network, pictures: Pictures, gradient_checkpointing: bool
) -> list[Need]:
    """What the result needs, the largest picture's targets among it, and what each painting."""
    chosen, wraps = settings.objective, settings.network.border == "wrap"
    content = [layer.layer for layer in chosen.content_layers]
    style = config.style_layers(settings)
    # Next to the statistic chosen.
    by_means = settings.guidance.name == "sums" and config.guided(settings)
    compared = [(STATISTICS[name], layers) for name, layers in config.compared(settings).items()]
    joins_content = chosen.content_reduction in strotss.CONTENT_REDUCTIONS
    whole = set() if joins_content else {*content}
    for statistic, layers in compared:
        if by_means or not (statistic.sums_over_rows or statistic.of_hypercolumns):
            whole |= {*layers}

    def copies(pixels: float) -> float:
        """Bytes that targets of a painting of that many pixels take where none is searched."""
        return sum(
            statistic.copies * network.feature_bytes(layer, pixels)
            for statistic, layers in compared
            if not (statistic.of_hypercolumns or statistic.pooled)
            for layer in layers
        )

    height, width = pictures.shape_at(1.0)

    def features_to(layer: str) -> float:
        """Bytes of the features that are there at a layer."""
        if gradient_checkpointing:
            return bytes_by_rows(network, deepest, whole, height, width, wraps)
        return ACTIVATION_FACTOR * sum(network.activation_bytes(layer, height * width))

    deepest = network.deepest([*content, *style])
    searched = sum(
        copy_height * copy_width
        for key, shape in pictures.shapes_at(1.0).items()
        if key != "content"
        for copy_height, copy_width in (
            resizing.copy_shape(shape, copy.turn_deg, copy.scale)
            for copy in (Copy(), *chosen.copies)
        )
    )
    busiest = max(  # what passes at a layer is free when deeper features are there
        (
            features_to(layer)
            + statistic.passing[0] * network.feature_bytes(layer, height * width)
            + statistic.passing[1]
            for statistic, layers in compared
            if any(statistic.passing)
            for layer in layers
        ),
        default=0.0,
    )
    kept = sum(
        statistic.copies * network.feature_bytes(layer, height * width)
        + statistic.pooled * network.feature_bytes(layer, searched)
        for statistic, layers in compared
        if not statistic.of_hypercolumns
        for layer in layers
    )
    kept += sum(PIXEL_LOSSES[name].bytes for name in chosen.pixel_weights()) * height * width
    if joins_content:  # positions change, so that all of the content's features are kept
        kept += sum(network.feature_bytes(layer, height * width) for layer in content)
    if chosen.redraw and not gradient_checkpointing:  # what is drawn anew is of features kept
        drawn = {layer for statistic, its in compared if statistic.projects for layer in its}
        kept += sum(network.feature_bytes(layer, searched) for layer in drawn)
    joined = [layers for statistic, layers in compared if statistic.of_hypercolumns]
    on_grid = any(statistic.on_grid for statistic, _ in compared)
    regions = len(targets.regions(pictures.styles))
    for layers in [*joined, content] if joins_content else joined:
        N = sum(network.channels(layer) for layer in layers)
        if on_grid:
            kept += _of_grid(N, height * width, searched)
        else:
            kept += _of_hypercolumns(chosen, regions, N)
    images = (PICTURE_BYTES + pair_bytes(settings)) * height * width
    paintings: list[Need] = []
    of_targets = 0.0
    for key, shape in pictures.shapes_at(1.0).items():
        layers = content if key == "content" else style
        if not layers:
            continue
        last, pixels = network.deepest(layers), shape[0] * shape[1]
        forward = FORWARD_FACTOR * max(network.activation_bytes(last, pixels))
        if gradient_checkpointing:
            held = layers if key == "content" else whole.intersection(layers)
            forward = min(forward, bytes_by_rows(network, last, held, *shape))
        if key != "content":
            forward += copies(pixels)
            what = f"{key}.path={pictures.paths[key]}"
            how = f" by image.size_px or {key}.scale"
            paintings.append(Need(what, forward + PICTURE_BYTES * pixels, *shape, how))
        of_targets = max(of_targets, forward)
    features = max(features_to(deepest) + of_targets, busiest)
    result = Need(size_key(settings), features + kept + images, height, width)
    return [*paintings, result]  # a painting too large by itself is named first


def _of_grid(N: int, pixels: float, searched: float) -> float:
    """Bytes of hypercolumns with N numbers on the grids of a picture and of paintings of so many
    pixels.
    """
    numbers = COLUMN_FACTOR * pixels + SEARCHED_FACTOR * searched
    return 4.0 * N * numbers / hypercolumns.GRID_STEP**2


def _of_hypercolumns(chosen: Objective, regions: int, N: int) -> float:
    """Bytes that losses of hypercolumns with N numbers take, at positions of so many regions,
    whatever the picture's size.
    """
    own, style = regions * chosen.hypercolumns, chosen.style_hypercolumns
    return 4.0 * (COLUMN_FACTOR * (own + style) * N + PAIR_FACTOR * (N**2 + own * (own + style)))


def size_key(settings: Config) -> str:
    """What was given that sets the size of the result."""
    shape, size_px = settings.image.shape, settings.image.size_px
    return f"image.size_px={size_px}" if shape is None else f"image.shape={shape}"


def bytes_by_rows(
    network: Network,
    deepest: str,
    whole: Collection[str],
    height: int,
    width: int,
    wraps: bool = False,
) -> float:
    """Bytes for value and gradient with `network.gradient_checkpointing`; the layers `whole` are
    not summed up over the rows."""
    needed, largest = 0.0, 0.0
    names = network.layer_names[: network.layer_names.index(deepest) + 1]
    for block in dict.fromkeys(LAYERS[name].block for name in names):
        inner = [name for name in of_kind("conv", names) if LAYERS[name].block == block]
        layers = {name: 4.0 * network.widths[name] * height * width for name in inner}
        of_block = checkpointing.of_block((height, width), network.kernels, inner, wraps)
        if of_block is None:
            needed += ACTIVATION_FACTOR * sum(layers.values())
        else:
            largest = max(largest, of_block.longest / height * sum(layers.values()))
            needed += PASSED_FACTOR * layers[inner[-1]] / 4 if f"pool{block}" in names else 0
            here = [LAYERS[name] for name in whole if name != COLORS]
            kept = {layer.convolution for layer in here if layer.block == block}
            needed += WHOLE_FACTOR * sum(layers[name] for name in kept & layers.keys())
        height, width = -(-height // 2), -(-width // 2)
    return needed + BAND_FACTOR * largest
