"""What Hydra runs: one run, or one cell of a sweep.

Launchers pickle `run` by its name, so that a worker process imports this module for itself.
"""

import os
import shlex
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from stn import command_line, config, errors, runs, signals, sweeps
from stn.assets import inputs
from stn.runs import previews
from stn.sweeps import cells


def main() -> None:
    """Let Hydra read sys.argv and call `run`; raises what is wrong as InputError."""
    application = hydra.main(
        version_base="1.3", config_path=str(config.CONFIG_DIR), config_name="config"
    )(run)
    sweeps.here.problem = None
    # Else Hydra prints tracebacks of its own and exits with 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    with previews.kept_up(sweeps.here.pages):
        try:
            application()
        except Exception as error:
            sweeps.end(error)
        sweeps.end()
        if sweeps.here.problem:
            raise sweeps.here.problem


def run(overrides: DictConfig) -> float | None:
    """Hydra's task: one run where it was asked for one, else a cell.

    Gives the number that `sweep.metric` names, for a sweeper that seeks."""
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    os.chdir(HydraConfig.get().runtime.cwd)  # where what was typed lies, also with hydra.job.chdir
    sweeps.clear(run_dir)
    try:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            return _cell(overrides, run_dir)
        settings = config.parse(overrides, HydraConfig.get().overrides.task)
        inputs.prepare([(settings, HydraConfig.get().overrides.task)])
        if settings.view:
            sweeps.here.pages.append(previews.start(run_dir))
        metric = _stylize(settings, run_dir)
        _say_what_next(run_dir, settings)
        return metric
    except (errors.InputError, errors.Interrupted, OSError) as error:
        sweeps.here.problem = error  # Hydra would print a line of its own before ours
    finally:
        sweeps.remove_if_empty(run_dir)
    return None


def _cell(overrides: DictConfig, run_dir: Path) -> float | None:
    """One run of a sweep, in this process or in one that a launcher started, perhaps on another
    machine.

    Gives its metric; None if it failed, which Optuna notes as a trial that failed."""
    if signals.waiting():
        return None
    hydra_config = HydraConfig.get()
    given = list(hydra_config.overrides.task)
    sweep_dir = Path(hydra_config.sweep.dir).absolute()
    local = hydra_config.launcher._target_.endswith("BasicLauncher")
    axes = cells.axes(given, hydra_config.job.config.override_dirname.exclude_keys)
    if hydra_config.launcher._target_.endswith("JoblibLauncher"):
        signals.end_with_parent()
        sweeps.take_gpu()
    sweeps.announce(axes, hydra_config.job.num)
    try:
        settings = config.parse(overrides, given)
        # Directories of experiments are by their checksums the right ones. A run that matches a
        # measure has other settings than what was typed.
        if cells.EXPERIMENTS not in axes and settings.match.measure is None:
            run_dir = cells.place(run_dir, sweep_dir, config.to_dict(settings))
            sweeps.clear(run_dir)
        if not local:
            # for provenance.json, rather than the engine's own command
            sys.argv = ["stylize.py", *given]
            settings.threads = settings.threads or runs.Run(run_dir).threads or sweeps.threads()
        return _stylize(settings, run_dir, runs.SweepCell(sweep_dir.name, axes))
    except Exception as error:
        sweeps.fail(error, run_dir, given, axes, local)
        return None


def _stylize(settings: config.Config, run_dir: Path, cell: runs.SweepCell | None = None) -> float:
    from stn import transfer  # after the checks: TensorFlow takes seconds to import

    result = transfer.run(settings, run_dir, cell)
    if settings.figures:
        from stn.analysis import figures

        made = runs.Run(run_dir)
        figures.side_by_side(run_dir, made.picture("content"), made.picture("style"), result.rgb)
        figures.loss_curves(run_dir)
    if settings.output:
        result.save(settings.output)
    print(run_dir / runs.PICTURE)
    return sweeps.metric_of(result.summary, settings.sweep.metric)


def _say_what_next(run_dir: Path, settings: config.Config) -> None:
    """How to look at the picture; not on stdout, whose last line is its path."""
    viewer = {"darwin": "open", "win32": "explorer"}.get(sys.platform, "xdg-open")
    offline = sorted(run_dir.glob("wandb/offline-run-*"))
    if settings.tracking.mode == "offline" and offline:
        sync = shlex.join(["wandb", "sync", *map(str, offline)])
        print(f"to send it to W&B: {sync}", file=sys.stderr)
    see = shlex.join([viewer, str(run_dir / runs.PICTURE)])
    report = f"{command_line.program('report')} {shlex.quote(str(run_dir))}"
    print(f"to see it: {see}; before, after and curves: {report}", file=sys.stderr)
