"""The story of one run, top to bottom: pictures, network, checks; for each level an objective and
its minimum.
"""

import dataclasses
import sys
from collections.abc import Mapping
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stn import backend, config, devices, images, optimize, runs
from stn.assets import inputs, matconvnet, pictures
from stn.assets.weights import Weights
from stn.images import resizing
from stn.loss.statistics import STATISTICS
from stn.metrics import measures
from stn.network.network import Network, load
from stn.objective import objective
from stn.objective.specification import Formula, Specification, Term
from stn.quantities import Terms
from stn.runs import run_directory, wandb_checks
from stn.transfer import checks, initialize, memory, mixing, tracking
from stn.transfer.result import Result


def run(
    settings: config.Config,
    run_dir: Path | str,
    cell: runs.SweepCell | None = None,
    arrays: Mapping[str, pictures.Picture] | None = None,
) -> Result:
    """Stylize one picture; all it leaves is in `run_dir`. A run that was finished there before is
    not run again.

    `settings` are as `config.compose` gives them. `cell` is what the run is in a sweep, if it is
    of one. `arrays` are pictures in place of files, as
    `pictures.read` takes them. Raises InputError for what the user can mend, and Interrupted after
    Ctrl-C or SIGTERM, once the best image is written, and where the optimizer allows it a state to
    resume from."""
    recorded, followed = config.flat(config.to_dict(settings)), settings.tracking
    wandb_checks.check(followed.mode, followed.project, Path(run_dir), cell is not None, recorded)
    earlier = runs.Run(Path(run_dir))
    with futures.ThreadPoolExecutor(1) as aside:
        of_file = aside.submit(matconvnet.load, inputs.weights(settings))
        # TensorFlow is imported here, which takes seconds.
        backend.use_threads(settings.threads or earlier.threads)
        devices.use_precision(settings.network.precision)
        originals = pictures.read(settings, arrays)
    operation = earlier.part("machine").get("direct_convolution")
    network = network_of(settings, operation, of_file.result())
    by_rows = checks.by_rows(settings, network, originals, Path(run_dir))
    network = network.with_options(gradient_checkpointing=by_rows)
    checks.before_run(settings, network, originals, Path(run_dir))
    specification = objective_of(settings)
    with (
        memory.told_when_exhausted(settings, network, originals),
        run_directory.opened(Path(run_dir), settings, network, originals) as directory,
    ):
        if directory.finished:
            print(f"{directory.path}: finished before", file=sys.stderr)
            return Result.of(*directory.result(), directory.path, settings)
        axes = cell.axes if cell else {}
        state = directory.begin(run_directory.left_to_machine(network), axes)
        originals = mixing.mixed(originals, settings, directory.path, run)
        with tracking.Tracker(directory, settings, network, state, cell) as tracker:
            steps = Steps(settings, network, directory, tracker)
            for number, level in enumerate(config.levels(settings)):
                if state and state.level > number:
                    continue  # done before an interruption
                sized = originals.at(level.scale)
                asked = specification.at(level)
                tracker.shown = sized.shown
                state = steps.state_at(number, level, state, sized, asked.replaces)
                painted = initialize.painted(settings.objective, sized, network, state.first)
                loss = objective.build(asked, network, sized, number, painted)
                outcome = steps.minimize(level, loss, state)
                tracker.stop_if_interrupted(outcome.image)
            return steps.finish(outcome, loss, sized)


def network_of(
    settings: config.Config, operation: str | None = None, of_file: Weights | None = None
) -> Network:
    """The network that the settings name; `operation` and `of_file` as `network.load` takes
    them.
    """
    return load(inputs.weights(settings), settings.network, operation, of_file)


def objective_of(settings: config.Config) -> Specification:
    """The objective that the settings describe."""
    chosen = settings.objective
    formula = Formula(
        content_reduction=chosen.content_reduction,
        statistic=STATISTICS[chosen.style_statistic],
        gram_divisor=chosen.gram_divisor,
        style_reduction=chosen.style_reduction,
        activation_shift=chosen.activation_shift,
        components=chosen.components,
        total_variation=chosen.total_variation.form,
        shifts=tuple(chosen.shifts),
    )
    return Specification(
        formula,
        {each.layer: each.weight for each in chosen.content_layers},
        {each.layer: each.weight for each in chosen.style_layers},
        content_weight=chosen.content_weight,
        style_weight=settings.strength * chosen.style_weight,
        total_variation_weight=chosen.total_variation.weight,
        total_variation_counted=chosen.total_variation.counted,
        pixel_unit=config.pixel_unit(settings),
        pixel_weights=chosen.pixel_weights(),
        more_terms=tuple(
            Term(
                each.statistic,
                STATISTICS[each.statistic],
                {layer.layer: each.weight * layer.weight for layer in each.layers},
            )
            for each in chosen.more_statistics
        ),
        guidance=settings.guidance,
        blend_targets=settings.styles_blend == "targets",
        seed=settings.seed,
        directions=chosen.directions,
        copies=tuple(chosen.copies),
        hypercolumns=chosen.hypercolumns,
        style_hypercolumns=chosen.style_hypercolumns,
        redraw=chosen.redraw,
        over_first_loss=chosen.layer_weighting == "first_loss",
    )


@dataclass(frozen=True)
class Steps:
    """The steps of a run, by what they share."""

    settings: config.Config
    network: Network
    directory: run_directory.RunDirectory
    tracker: tracking.Tracker

    def state_at(
        self,
        number: int,
        level: config.Level,
        state: optimize.State | None,
        sized: pictures.LevelPictures,
        keeps_first: bool,
    ) -> optimize.State:
        """Where the level starts or resumes: at the initial image, or at the result of the level
        before, enlarged, which the State keeps if `keeps_first`.
        """
        settings, network = self.settings, self.network
        if state is None:
            first = initialize.initial_image(settings.init, sized, network, settings.seed)
            return optimize.State(first + initialize.detail(sized) if level.detail else first)
        if state.level == number:
            return state
        found, _ = state.found
        enlarged = resizing.resize(network.rgb(found), *sized.shape)
        memory = optimize.carried(settings.optimizer, state, *sized.shape)
        first = network.image(enlarged)
        start = first + initialize.detail(sized) if level.detail else first
        state = state.next_level(start, memory, first if keeps_first else None)
        self.directory.checkpoint(state)
        return state

    def minimize(
        self, level: config.Level, loss: objective.Objective, state: optimize.State
    ) -> optimize.Outcome:
        """From where a level starts to its end."""
        settings, tracker = self.settings, self.tracker

        def value_and_grad(image: np.ndarray) -> tuple[Terms, np.ndarray]:
            loss.at_evaluation(state.evaluations)
            return loss.value_and_grad(image)

        optimizer = dataclasses.replace(settings.optimizer, max_evaluations=level.max_evaluations)
        if isinstance(optimizer, config.FirstOrder):
            optimizer.learning_rate *= level.times.get("learning_rate", 1.0)
            if level.laplacian_levels is not None:
                optimizer.laplacian_levels = level.laplacian_levels
        problem = optimize.Problem(
            value_and_grad,
            limits=self.network.limits,
            unit=np.array(config.pixel_unit(settings)),
            periodic=settings.network.border == "wrap",
            redraw=loss.redraw,
        )
        callbacks = optimize.Callbacks(
            tracker.on_evaluation, tracker.on_checkpoint, tracker.interrupted
        )
        outcome = optimize.minimize(problem, state, optimizer, callbacks)
        # By which the picture written is measured.
        loss.at_evaluation(max(state.evaluations - 1, 0))
        return outcome

    def finish(
        self, outcome: optimize.Outcome, loss: objective.Objective, sized: pictures.LevelPictures
    ) -> Result:
        """Measure the picture as it is shown and write what the run leaves; its losses are of the
        colors optimized.
        """
        network, directory = self.network, self.directory
        rgb = network.rgb(outcome.image)
        written = loss.value_and_grad(network.image(np.rint(rgb)))[0]
        if sized.recolored:
            directory.write_image(runs.UNCOLORED, rgb)
        shown = sized.shown(rgb)
        saved = images.to_bytes(shown[..., :3]).astype(np.float64)  # measured is what is written
        measured = measures.measure(saved, sized.photograph, sized.styles[0].rgb, network.plain())
        clipped = {"picture/clipped_share": network.clipped_share(outcome.image)}
        summary = directory.summarize(outcome, shown, written, clipped | measured)
        self.tracker.finish(shown, summary)
        directory.finish(summary)
        return Result.of(shown, written, directory.path, self.settings)
