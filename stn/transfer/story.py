"""The story of one run, top to bottom: pictures, network, checks; for each level an objective and
its minimum.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stn import backend, config, images, optimize, runs
from stn.assets import inputs, pictures
from stn.images import resizing
from stn.network import space
from stn.network.network import Network, load
from stn.objective import objective
from stn.runs import run_directory, wandb_run
from stn.transfer import checks, initialize, measures, mixing, tracking
from stn.transfer.result import Result


def run(
    settings: config.Config,
    run_dir: Path | str,
    group: str | None = None,
    axes: Mapping[str, str] | None = None,
    arrays: Mapping[str, pictures.Picture] | None = None,
) -> Result:
    """Stylize one picture; all it leaves is in `run_dir`. A run that was finished there before is
    not run again.

    `settings` are as `config.compose` gives them; who changes them calls `config.check`. `group`
    names the sweep for W&B and `axes` what it varies, with this run's values as typed; `arrays` are
    pictures in place of files, as `pictures.read` takes them. Raises InputError for what the user
    can mend, and Interrupted after Ctrl-C or SIGTERM, once the best image is written, and where the
    optimizer allows it a state to go on from."""
    wandb_run.check_credentials(settings.tracking.mode)
    backend.use_threads(settings.threads)
    originals, network = pictures.read(settings, arrays), network_of(settings)
    gradient_checkpointing = checks.recomputes(settings, network, originals, Path(run_dir))
    network = dataclasses.replace(network, gradient_checkpointing=gradient_checkpointing)
    checks.before_run(settings, network, originals, Path(run_dir))
    with run_directory.opened(Path(run_dir), settings, network, originals, axes) as directory:
        if directory.finished:
            print(f"finished before: {directory.path / runs.PICTURE}")
            return Result.of(*directory.result(), directory.path, settings)
        state = directory.begin()
        originals = mixing.mixed(originals, settings, directory.path, run)
        with tracking.Watch(directory, settings, state, group, axes, network.mean_pixel) as watch:
            for number, level in enumerate(config.levels(settings)):
                if state and state.level > number:
                    continue  # done before an interruption
                sized = originals.at(level.scale)
                loss = objective.build(settings, network, sized)
                watch.shown = sized.shown
                state = _at_level(number, state, settings, sized, network, directory)
                outcome = _minimize(settings, level, loss, state, watch, network)
                watch.stop_if_interrupted(
                    sized.shown(space.from_network(outcome.image, network.mean_pixel))
                )
            return _finish(outcome, loss, settings, sized, network, directory, watch)


def network_of(settings: config.Config) -> Network:
    """The network that the settings name."""
    chosen = settings.network
    means = inputs.means(settings)
    rescaling = str(means) if means else chosen.rescale
    file = inputs.weights(settings)
    return load(
        file,
        chosen.convolution,
        rescaling,
        chosen.pooling,
        chosen.mean_pixel,
        chosen.input_range,
        chosen.transposed,
        chosen.bgr,
    )


def _at_level(
    number: int,
    state: optimize.State | None,
    settings: config.Config,
    sized: pictures.Sized,
    network: Network,
    directory: run_directory.RunDirectory,
) -> optimize.State:
    """Where the level starts or goes on: at the first image, or at the best of the level before,
    enlarged.
    """
    if state is None:
        return optimize.State(
            initialize.first_image(settings.init, sized, network.mean_pixel, settings.seed)
        )
    if state.level == number:
        return state
    image, _ = state.found
    enlarged = resizing.resize(space.from_network(image, network.mean_pixel), *sized.shape)
    state = state.next_level(space.to_network(enlarged, network.mean_pixel))
    directory.checkpoint(state)
    return state


def _minimize(
    settings: config.Config,
    level: config.Level,
    loss: objective.Objective,
    state: optimize.State,
    watch: tracking.Watch,
    network: Network,
) -> optimize.Outcome:
    return optimize.minimize(
        loss.value_and_grad,
        state,
        dataclasses.replace(settings.optimizer, max_evaluations=level.max_evaluations),
        on_evaluation=watch.on_evaluation,
        on_checkpoint=watch.on_checkpoint,
        interrupted=watch.interrupted,
        limits=(0 - network.mean_pixel, 255 - network.mean_pixel),
        unit=np.array(config.pixel_unit(settings)),
        periodic=settings.network.border == "wrap",
    )


def _finish(
    outcome: optimize.Outcome,
    loss: objective.Objective,
    settings: config.Config,
    sized: pictures.Sized,
    network: Network,
    directory: run_directory.RunDirectory,
    watch: tracking.Watch,
) -> Result:
    """Measure the picture as it is shown and write what the run leaves; its losses are of the
    colors optimized.
    """
    rgb = space.from_network(outcome.image, network.mean_pixel)
    written = loss.value_and_grad(space.to_network(np.rint(rgb), network.mean_pixel))[0]
    if sized.recolored:
        directory.write_image(runs.UNCOLORED, rgb)
    shown = sized.shown(rgb)
    saved = images.to_bytes(shown[..., :3]).astype(np.float64)  # measured is what is written
    measured = measures.measure(saved, sized.photograph, sized.styles[0].rgb, network.plain())
    clipped = {"picture/clipped_share": space.clipped_share(outcome.image, network.mean_pixel)}
    summary = directory.summarize(outcome, shown, written, clipped | measured)
    watch.finish(shown, summary)
    directory.finish(summary)
    return Result.of(shown, written, directory.path, settings)
