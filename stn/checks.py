"""What can be known to fail before a run begins: layers out of reach, memory, disk, an output in the wrong place."""

import shutil
import tempfile
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import psutil

from stn import bands, config, guides, images, losses, optimize, runs
from stn.config import Config
from stn.errors import InputError
from stn.network import Network
from stn.pictures import Pictures

# Measured on VGG-19 (docs/benchmark.md): the kernels take 0.25 GB, value and gradient 1.0 to 1.2 times the bytes of the
# convolutions' outputs.
KERNEL_BYTES, ACTIVATION_FACTOR = 0.3e9, 1.3
# With network.recompute, of a large block: what leaves it, its gradient and a copy where bands are joined; four
# times what a band's convolutions give; of a layer that has to be whole its features, their gradient and the target.
# Measured at 2048 × 1536 and 4096 × 3072 (docs/speed.md): 0.8 and 1.0 times the sum.
PASSED_FACTOR, BAND_FACTOR, WHOLE_FACTOR = 3, 4, 3
# The targets' forward pass keeps nothing: measured on VGG-19 at 1024 × 1024 and 1600 × 1600 pixels, 2.8 to 2.9 times
# the bytes of the largest output.
FORWARD_FACTOR = 3.3
# A pair of images an evaluation that L-BFGS remembers: of float64 in SciPy's memory, of float32 in ours; Adam has none.
PAIR_BYTES = {"lbfgs": 16, "torch_lbfgs": 8, "spectral_lbfgs": 8, "adam": 0}


def before_run(settings: Config, network: Network, pictures: Pictures, run_dir: Path) -> bool:
    """Raise InputError, which says what to change, for a run that cannot come to its end.

    Gives whether features are to be computed again for the gradient: as `network.recompute` says, or where it says
    nothing as the run began, or if less than the whole features need is free, of which it then warns.
    """
    layers = check_layers(settings, network)
    _check_sizes(settings, network, pictures, network.deepest(layers))
    _note_masks(pictures)
    if settings.output:
        check_output(Path(settings.output), pictures)
    earlier = runs.Run(run_dir)
    if earlier.suffices(config.to_dict(settings)):
        return False  # what follows is about the work, and there is none
    pair = PAIR_BYTES[settings.optimizer.name] * 3
    pairs = pair * min(settings.optimizer.history, settings.optimizer.max_evaluations)
    recompute = settings.network.recompute
    if recompute is None:
        whole = _memory(settings, network, pictures, pairs, recompute=False)
        recompute = bool(earlier.provenance.get("machine", {}).get("recompute")) or not all(map(_fits, whole))
        if recompute:
            warnings.warn(
                f"{_size_key(settings)}: {max(need.bytes for need in whole) / 1e9:.1f} GB of features are computed in "
                "bands and again for the gradient, for want of memory; an evaluation takes nearly twice as long "
                "(network.recompute)",
                stacklevel=2,
            )
    for need in _memory(settings, network, pictures, pairs, recompute):
        _check_memory(need)
    height, width = pictures.shape_at(1.0)
    # What is saved only at restarts is saved without its pairs.
    _check_disk(
        settings, 0 if optimize.saved_only_at_restarts(settings.optimizer.name) else pairs, height, width, run_dir
    )
    return recompute


def _size_key(settings: Config) -> str:
    """What was given that sets the size of the result."""
    shape, size_px = settings.image.shape, settings.image.size_px
    return f"image.size_px={size_px}" if shape is None else f"image.shape={shape}"


def _note_masks(pictures: Pictures) -> None:
    """Warn where the places at which styles are painted overlap or leave gaps."""
    shape = pictures.shape_at(1.0)
    onto = {
        "style.onto" if number == 0 else f"more_styles[{number - 1}].onto": guides.resize(style.onto, *shape)
        for number, style in enumerate(pictures.styles)
        if style.onto is not None
    }
    # A style without a mask is painted everywhere, so that no gap is left and overlaps are meant.
    said = guides.coverage(onto) if len(onto) == len(pictures.styles) else ""
    if said:
        warnings.warn(said, stacklevel=2)


def check_layers(settings: Config, network: Network) -> list[str]:
    """The layers that the objective asks for, all of which the network has; else InputError."""
    expected = 16 if settings.network.name == "vgg16" else 19
    # A file that ends before conv4_1 may be of either.
    if network.depth != expected and (network.depth == 19 or "conv4_1" in network.layer_names):
        raise InputError(
            f"{network.path}: holds a VGG-{network.depth}, but network={settings.network.name}; use "
            f"network=vgg{network.depth} or a VGG-{expected} file"
        )
    found: list[str] = []
    for role in ("content", "style"):
        for layer in getattr(settings.objective, f"{role}_layers"):
            if layer.layer not in network.layer_names:
                raise InputError(
                    f"{network.path}: has no {layer.layer}, which objective.{role}_layers asks for; it ends at "
                    f"{network.layer_names[-1]}"
                )
            found.append(layer.layer)
    return found


def check_output(output: Path, pictures: Pictures) -> None:
    """Raise InputError where a copy of the result cannot be written, or would take the place of an input."""
    if output.suffix.lower() not in images.FORMATS:
        raise InputError(f"output={output}: end the name in one of {', '.join(images.FORMATS)}")
    for role, path in pictures.paths.items():
        if output.exists() and path.exists() and output.samefile(path):
            raise InputError(f"output={output}: is the {role} picture itself; give another name")
    if output.is_dir():
        raise InputError(f"output={output}: is a directory; give the name of a picture in it")
    folder = output.absolute().parent
    # Made later if the folder above it is there, as for `output=copies/copy.jpg`.
    above = folder if folder.exists() else folder.parent
    if not above.is_dir():
        raise InputError(f"output={output}: there is no folder {folder}; make it, or give another name")
    try:
        with tempfile.TemporaryFile(dir=above):  # a trial: permissions alone do not say it
            pass
    except OSError as error:
        raise InputError(
            f"output={output}: {above} cannot be written ({error.strerror}); give another folder"
        ) from None


def _check_sizes(settings: Config, network: Network, pictures: Pictures, deepest: str) -> None:
    """Raise InputError if a picture has no position left at the deepest layer, at the coarsest level."""
    before = network.layer_names[: network.layer_names.index(deepest) + 1]
    stride = 2 ** sum(name.startswith("pool") for name in before)
    coarsest = min([level.scale for level in settings.pyramid.levels], default=1.0)
    needed = 2 * stride if settings.network.border == "reflect" else stride  # a reflection needs a neighbor
    shapes = {f"{key}.path={pictures.paths[key]}": shape for key, shape in pictures.shapes_at(coarsest).items()}
    for what, (height, width) in (shapes | {"image.shape": pictures.shape_at(coarsest)}).items():
        if min(height, width) < needed:
            raise InputError(
                f"{what}: {width} × {height} pixels are too few for {deepest}, one position of which covers {stride}"
                f"{' and border=reflect needs two' if needed > stride else ''}; use a larger image.size_px (or "
                "style.scale) or shallower layers"
            )
    height, width = pictures.shape_at(1.0)
    if settings.network.border == "wrap" and (height % stride or width % stride):
        warnings.warn(
            f"network.border=wrap: {width} × {height} pixels are no multiples of {stride}, which a position of "
            f"{deepest} covers; with an image.shape that is, the seam shows less",
            stacklevel=2,
        )


@dataclass(frozen=True)
class _Need:
    """The bytes beside the kernels that a picture [height, width] needs, brought by `key`, made smaller by `how`."""

    key: str
    bytes: float
    height: int
    width: int
    how: str = ""


def _memory(settings: Config, network: Network, pictures: Pictures, pairs: float, recompute: bool) -> list[_Need]:
    """What the result needs, and what each painting."""
    chosen = settings.objective
    content, style = ([layer.layer for layer in layers] for layers in (chosen.content_layers, chosen.style_layers))
    whole = {*content} if chosen.style_statistic in losses.GRAMS_OF_ROWS else {*content, *style}
    deepest = network.deepest([*content, *style])
    height, width = pictures.shape_at(1.0)
    if recompute:
        features = _in_bands(network, deepest, whole, height, width)
    else:
        features = ACTIVATION_FACTOR * sum(network.activation_bytes(deepest, height * width))
    found = [_Need(_size_key(settings), features + pairs * height * width, height, width)]
    for key, shape in pictures.shapes_at(1.0).items() if style else ():
        if key != "content":
            deepest = network.deepest(style)
            features = FORWARD_FACTOR * max(network.activation_bytes(deepest, shape[0] * shape[1]))
            if recompute:
                features = min(features, _in_bands(network, deepest, whole.intersection(style), *shape))
            what = f"{key}.path={pictures.paths[key]}"
            found.append(_Need(what, features, *shape, f" by image.size_px or {key}.scale"))
    return found


def _in_bands(network: Network, deepest: str, whole: Collection[str], height: int, width: int) -> float:
    """Bytes for value and gradient with `network.recompute`; the layers `whole` are not summed up band by band."""
    needed, largest, pixels = 0.0, 0.0, float(height * width)
    names = network.layer_names[: network.layer_names.index(deepest) + 1]
    for block in dict.fromkeys(name[4] for name in names):  # conv1_1, relu1_1, pool1: the digit is the block's
        convolutions = [name for name in names if name.startswith(f"conv{block}")]
        layers = [4 * network.widths[name] * pixels for name in convolutions]
        if sum(layers) > bands.BLOCK_BYTES:
            rows = min(1.0, bands.ROWS_OVER_MARGIN * len(layers) / (height / 2 ** (int(block) - 1)))
            largest = max(largest, rows * sum(layers))
            needed += PASSED_FACTOR * layers[-1] / 4
            kept = [name.replace("relu", "conv") for name in whole if name[4] == block]
            needed += WHOLE_FACTOR * sum(4 * network.widths[name] * pixels for name in kept if name in convolutions)
        else:
            needed += ACTIVATION_FACTOR * sum(layers)
        pixels /= 4
    return needed + BAND_FACTOR * largest


def _fits(need: _Need) -> bool:
    return bool(KERNEL_BYTES + need.bytes <= psutil.virtual_memory().available)


def _check_memory(need: _Need) -> None:
    """Raise InputError, which begins with the key, if a picture needs more bytes than are free."""
    if not _fits(need):
        available = psutil.virtual_memory().available
        fits = int(max(need.height, need.width) * (max(0.0, available - KERNEL_BYTES) / need.bytes) ** 0.5)
        raise InputError(
            f"{need.key}: {need.width} × {need.height} pixels need about {(KERNEL_BYTES + need.bytes) / 1e9:.1f} GB of "
            f"memory and {available / 1e9:.1f} GB are free; a long side of {fits} px would fit{need.how}"
        )


def _check_disk(settings: Config, pairs: float, height: int, width: int, run_dir: Path) -> None:
    every = settings.tracking.progress_every
    progress = 3 + (2 * settings.optimizer.max_evaluations // every if every else 0)  # W&B keeps a copy of each
    # A checkpoint has four arrays of 8 bytes a channel and our pairs, and stands beside the one before for a moment.
    needed = height * width * (3 * (progress + 2 * 4 * 8) + 2 * pairs) + 2**20
    present = next(folder for folder in (run_dir.absolute(), *run_dir.absolute().parents) if folder.exists())
    free = shutil.disk_usage(present).free
    if needed > free:
        raise InputError(
            f"hydra.run.dir={run_dir}: the run leaves about {needed / 1e6:.0f} MB and {free / 1e6:.0f} MB are free; "
            "make room or give another hydra.run.dir"
        )
