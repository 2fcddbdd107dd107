"""What can be known to fail before a run begins: layers out of reach, memory, disk, an output in
the wrong place.
"""

import itertools
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stn import config, devices, images, runs
from stn.assets.pictures import Pictures
from stn.config import lists, optimizers
from stn.config.schema import Config
from stn.errors import InputError
from stn.images import masks, resizing
from stn.layers import COLORS, depth_of, of_kind, stride_of, trunk_of
from stn.loss import statistics
from stn.loss.pixels import PIXEL_LOSSES
from stn.loss.statistics import STATISTICS
from stn.network.network import Network
from stn.runs.run_directory import CHECKPOINT
from stn.transfer import memory


def by_rows(settings: Config, network: Network, pictures: Pictures, run_dir: Path) -> bool:
    """Whether large blocks are to be computed by rows, and again for the gradient: as
    `network.gradient_checkpointing` says.

    Where it says nothing, a run that is resumed keeps the way it began. Any other does so if less
    memory is free than whole features need, and warns of it. Raises InputError for layers that the
    network lacks."""
    check_layers(settings, network)
    if settings.network.gradient_checkpointing is not None:
        return settings.network.gradient_checkpointing
    if runs.Run(run_dir).suffices(config.to_dict(settings)):
        return False
    began = _began_by_rows(settings, run_dir)
    if began is not None:
        return began
    whole, parted = (
        memory.needs(settings, network, pictures, gradient_checkpointing)
        for gradient_checkpointing in (False, True)
    )
    if all(need.fits() for need in whole):
        return False
    if all(need.fits() for need in parted):
        warnings.warn(
            f"{memory.size_key(settings)}: {max(need.bytes for need in whole) / 1e9:.1f} GB of"
            " features are computed by rows and again for the gradient, since memory is short; an"
            " evaluation takes nearly twice as long (network.gradient_checkpointing)",
            stacklevel=2,
        )
    return True


def before_run(settings: Config, network: Network, pictures: Pictures, run_dir: Path) -> None:
    """Raise InputError, which says what to change, for a run of this network that cannot come to
    its end.
    """
    devices.check(settings.gpus_per_cell)
    layers = check_layers(settings, network)
    _check_sizes(settings, network, pictures, network.deepest(layers))
    _check_patches(settings, network, pictures)
    _check_same_size(settings, pictures)
    _note_masks(settings, pictures)
    _check_redraw(settings)
    if settings.output:
        check_output(Path(settings.output), pictures, {"network.weights": network.path})
    if runs.Run(run_dir).suffices(config.to_dict(settings)):
        return  # what follows is about the work, and there is none
    _check_memory(settings, network, pictures)


def _check_redraw(settings: Config) -> None:
    """Raise InputError where a line search would compare losses of different draws."""
    redraw, name = settings.objective.redraw, settings.optimizer.name
    needed = optimizers.OPTIMIZERS[name].line_search
    if config.draws(settings) and redraw and redraw < needed:
        raise InputError(
            f"objective.redraw={redraw}: {name} compares losses along a line, all of the same"
            f" draw; give at least {needed}, or optimizer=torch_lbfgs"
        )


def _began_by_rows(settings: Config, run_dir: Path) -> bool | None:
    """Whether the run that these settings resume began by rows; None if there is none or it
    does not say.
    """
    earlier = runs.Run(run_dir)
    anew = settings.force and (earlier.state == "finished" or not earlier.settings.get("force"))
    if (
        anew
        or not (run_dir / CHECKPOINT).is_file()
        or config.difference(earlier.settings, config.to_dict(settings))
    ):
        return None
    began = earlier.part("machine").get("gradient_checkpointing")
    return began if isinstance(began, bool) else None


def _note_masks(settings: Config, pictures: Pictures) -> None:
    """Warn where the places at which styles are painted overlap or leave gaps, or where tags have
    other shares in the painting than in the result.
    """
    shape = pictures.shape_at(1.0)
    style = pictures.styles[0]
    if settings.guidance.name == "tag" and style.mask is not None:
        assert style.result_mask is not None  # rules.check
        grays = [
            np.quantile(mask, np.linspace(0, 1, 101)) for mask in (style.mask, style.result_mask)
        ]
        apart = float(np.abs(grays[0] - grays[1]).mean())
        if apart > masks.SLACK:
            warnings.warn(
                f"style.mask, style.result_mask: their grays have other shares, by {apart:.0%};"
                " classes that are sorted together then meet another one's ranks",
                stacklevel=2,
            )
        return
    result_mask = {
        f"{lists.key_of(number)}.result_mask": masks.resize(style.result_mask, *shape)
        for number, style in enumerate(pictures.styles)
        if style.result_mask is not None
    }
    # A style without a mask is painted everywhere, so that no gap is left and overlaps are meant.
    said = masks.coverage(result_mask) if len(result_mask) == len(pictures.styles) else ""
    if said:
        warnings.warn(said, stacklevel=2)


def check_layers(settings: Config, network: Network) -> list[str]:
    """The layers that the objective asks for, all of which the network has; else InputError."""
    expected = depth_of(trunk_of(settings.network.name))
    # A file that ends before conv4_1 may be of either.
    if network.depth != expected and (network.depth == 19 or "conv4_1" in network.layer_names):
        raise InputError(
            f"{network.path}: holds a VGG-{network.depth}, but network={settings.network.name}; use"
            f" network=vgg{network.depth} or a VGG-{expected} file"
        )
    found: list[str] = []
    chosen = settings.objective
    asked = {
        "content_layers": chosen.content_layers,
        "style_layers": chosen.style_layers,
        "more_statistics": [layer for each in chosen.more_statistics for layer in each.layers],
    }
    for key, layers in asked.items():
        for layer in layers:
            if layer.layer not in (COLORS, *network.layer_names):
                raise InputError(
                    f"{network.path}: has no {layer.layer}, which objective.{key} asks for; it ends"
                    f" at {network.layer_names[-1]}"
                )
            found.append(layer.layer)
    return found


def check_output(output: Path, pictures: Pictures, others: Mapping[str, Path] = {}) -> None:
    """Raise InputError where a copy of the result cannot be written, or would take the place of an
    input.
    """
    if output.suffix.lower() not in images.FORMATS:
        raise InputError(f"output={output}: end the name in one of {', '.join(images.FORMATS)}")
    for role, path in {**pictures.paths, **others}.items():
        if output.exists() and path.exists() and output.samefile(path):
            what = role if role in others else f"the {role} picture"
            raise InputError(f"output={output}: is {what} itself; give another name")
    if output.is_dir():
        raise InputError(f"output={output}: is a directory; give the name of a picture in it")
    folder = output.absolute().parent
    # Made later if the folder above it is there, as for `output=copies/copy.jpg`.
    above = folder if folder.exists() else folder.parent
    if not above.is_dir():
        raise InputError(
            f"output={output}: there is no folder {folder}; make it, or give another name"
        )
    try:
        with tempfile.TemporaryFile(dir=above):  # a trial: permissions alone do not say it
            pass
    except OSError as error:
        raise InputError(
            f"output={output}: {above} cannot be written ({error.strerror}); give another folder"
        ) from None


def _check_sizes(settings: Config, network: Network, pictures: Pictures, deepest: str) -> None:
    """Raise InputError if a picture has no position left at the deepest layer, at the coarsest
    level.
    """
    before = network.layer_names[: network.layer_names.index(deepest) + 1]
    stride = 2 ** len(of_kind("pool", before))
    coarsest = min([level.scale for level in settings.pyramid.levels], default=1.0)
    # A reflection needs a neighbor.
    needed = 2 * stride if settings.network.border == "reflect" else stride
    shapes = {
        f"{key}.path={pictures.paths[key]}": shape
        for key, shape in pictures.shapes_at(coarsest).items()
    }
    given = settings.image.shape
    size = "image.shape" if given else "image.size_px"
    result = {f"image.shape={given}" if given else "the result": pictures.shape_at(coarsest)}
    for what, (height, width) in (result | shapes if given else shapes | result).items():
        if min(height, width) < needed:
            raise InputError(
                f"{what}: {width} × {height} pixels are too few for {deepest}, one position of"
                " which covers"
                f" {stride}{' and border=reflect needs two' if needed > stride else ''}; use a"
                f" larger {size} (or style.scale) or shallower layers"
            )
    height, width = pictures.shape_at(1.0)
    if settings.network.border == "wrap" and (height % stride or width % stride):
        warnings.warn(
            f"network.border=wrap: {width} × {height} pixels are no multiples of {stride}, which a"
            f" position of {deepest} covers; with an image.shape that is, the seam shows less",
            stacklevel=2,
        )


def _check_patches(settings: Config, network: Network, pictures: Pictures) -> None:
    """Raise InputError if a layer has fewer positions, down or across, than its statistic needs at
    the coarsest level.
    """
    coarsest = min([level.scale for level in settings.pyramid.levels], default=1.0)
    shapes = {"the result": pictures.shape_at(coarsest), **pictures.shapes_at(coarsest)}
    for number, copy in enumerate(settings.objective.copies):
        shapes |= {
            f"objective.copies[{number}] of {key}": resizing.copy_shape(
                shape, copy.turn_deg, copy.scale
            )
            for key, shape in pictures.shapes_at(coarsest).items()
            if key != "content"
        }
    for name, layers in config.compared(settings).items():
        for what, layer in itertools.product(shapes, layers):
            needed = STATISTICS[name].least_side
            if "shifts" in STATISTICS[name].keys:
                needed = 1 + max(statistics.shifts_at(settings.objective.shifts, layer))
            covers, pixels = stride_of(layer), min(shapes[what])
            if (-(-pixels // covers) if network.options.ceil_mode else pixels // covers) < needed:
                height, width = shapes[what]
                raise InputError(
                    f"{what}: {width} × {height} pixels are too few for objective.style_statistic="
                    f"{name} at {layer}, which needs {needed} positions down and across, of"
                    f" {covers} pixels each; use a larger image.size_px or shallower layers"
                )


def _check_same_size(settings: Config, pictures: Pictures) -> None:
    """Raise InputError if a loss of pixels compares the result with a painting of another size."""
    scales = [*(level.scale for level in settings.pyramid.levels), 1.0]
    for name in settings.objective.pixel_weights():
        for scale in scales if not PIXEL_LOSSES[name].of_content else ():
            (height, width), (down, across) = (
                pictures.shape_at(scale),
                pictures.shapes_at(scale)["style"],
            )
            if (height, width) != (down, across):
                raise InputError(
                    f"objective.{name}_weight: compares pictures of one size, and the painting has"
                    f" {across} × {down} pixels, the result {width} × {height}; give"
                    " style.size=content, or leave image.shape and style.scale out"
                )


def _check_memory(settings: Config, network: Network, pictures: Pictures) -> None:
    """Raise InputError, which begins with the key, if a picture needs more bytes than are free."""
    why = remedy = ""
    if not network.gradient_checkpointing:
        if settings.network.gradient_checkpointing is None:
            why = " without gradient checkpointing, as the run began,"
        if all(
            need.fits()
            for need in memory.needs(settings, network, pictures, gradient_checkpointing=True)
        ):
            remedy = ", or network.gradient_checkpointing=true"
    for need in memory.needs(settings, network, pictures, network.gradient_checkpointing):
        need.check(why, remedy)
