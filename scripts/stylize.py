"""Paint a photograph as a painting is painted.

usage: python scripts/stylize.py content.path=PHOTO style.path=PAINTING [KEY=VALUE ...]
       python scripts/stylize.py -m KEY=VALUE,VALUE [KEY=VALUE ...]    every combination, a run each

  preset=gatys_released          the system to reproduce; what is named beside it wins
  network=vgg19_q8               or vgg19, vgg16; got by `python scripts/fetch.py vgg19_q8`
  image.size_px=512              size of the result; time and memory grow with its square
  optimizer.max_evaluations=200  how long to work; the time is in proportion
  objective.style_weight=1e4     more of the painting (objective.content_weight: of the photograph)
  layers=johnson                 whose layers; or 'objective.style_layers=[relu1_1,relu2_1]'
  init=noise                     the initial image; content, style, noise, blend, file
  optimizer=adam                 or lbfgs, torch_lbfgs, spectral_lbfgs
  seed=1                         of the noise
  view=true                      watch it in a browser while it goes
  hydra.run.dir=outputs/mine     where the run goes; typed again, it resumes (-m: hydra.sweep.dir=)

All keys: docs/configuration.md. Presets: docs/systems.md. Sweeps, clusters: docs/sweeps.md.
Python: docs/api.md.
What a command would run, without running it: add --cfg job. Hydra's own options: --hydra-help.
Tab completes keys and values after:
  eval "$(python scripts/stylize.py --shell-completion install=bash)"
"""

import shlex
import sys
from pathlib import Path

if __name__ == "__main__" and {"-h", "--help"} & set(
    sys.argv[1:]
):  # before Hydra, which takes a second
    print((__doc__ or "").strip())
    sys.exit()

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from stn import command_line, config, errors, runs, signals, sweeps
from stn.config import overrides
from stn.runs import previews
from stn.sweeps import cells

problems: list[Exception] = []


@hydra.main(version_base="1.3", config_path="../configs", config_name="config")
def stylize(overrides: DictConfig) -> None:
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    sweeps.clear(run_dir)
    try:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            cell(overrides, run_dir)
        else:
            settings = config.parse(overrides, HydraConfig.get().overrides.task)
            if settings.view:
                previews.start(run_dir)
            stylize_one(settings, run_dir)
            say_what_next(run_dir)
    except (errors.InputError, errors.Interrupted) as error:
        problems.append(error)  # Hydra would print a line of its own before ours
    finally:
        sweeps.remove_if_empty(run_dir)


def cell(overrides: DictConfig, run_dir: Path) -> None:
    """One run of a sweep, in this process or in one that a launcher started, perhaps on another
    machine.
    """
    if signals.waiting():
        return
    hydra_config = HydraConfig.get()
    given, sweep_dir = list(hydra_config.overrides.task), Path(hydra_config.sweep.dir)
    local = hydra_config.launcher._target_.endswith("BasicLauncher")
    axes = cells.axes(given, hydra_config.job.config.override_dirname.exclude_keys)
    try:
        settings = config.parse(overrides, given)
        if cells.EXPERIMENTS not in axes:  # whose directories are by their checksums the right ones
            run_dir = cells.place(run_dir, sweep_dir, config.to_dict(settings))
            sweeps.clear(run_dir)
        if not local:
            sys.argv = [
                "stylize.py",
                *given,
            ]  # for provenance.json, rather than the engine's own command
            settings.threads = settings.threads or sweeps.threads()
        stylize_one(settings, run_dir, sweep_dir.name, axes)
    except Exception as error:
        sweeps.fail(error, run_dir, given, axes, local)


def stylize_one(
    settings: config.Config,
    run_dir: Path,
    group: str | None = None,
    axes: dict[str, str] | None = None,
) -> None:
    from stn import transfer  # after the checks: TensorFlow takes seconds to import

    result = transfer.run(settings, run_dir, group, axes)
    if settings.figures:
        from stn.study import figures

        made = runs.Run(run_dir)
        figures.side_by_side(run_dir, made.picture("content"), made.picture("style"), result.rgb)
        figures.loss_curves(run_dir)
    if settings.output:
        result.save(settings.output)
    print(result.run_dir / runs.PICTURE)


def say_what_next(run_dir: Path) -> None:
    """How to look at the picture; not on stdout, whose last line is its path."""
    viewer = {"darwin": "open", "win32": "explorer"}.get(sys.platform, "xdg-open")
    see, report = (
        [viewer, str(run_dir / runs.PICTURE)],
        ["python", "scripts/report.py", str(run_dir)],
    )
    print(
        f"to see it: {shlex.join(see)}; before, after and curves: {shlex.join(report)}",
        file=sys.stderr,
    )


def main() -> None:
    sys.argv[1:] = overrides.quoted(sys.argv[1:])
    with previews.kept_up():
        try:
            stylize()
        except Exception as error:
            sweeps.end(error)
        sweeps.end()
        if problems:
            raise problems[0]


if __name__ == "__main__":
    command_line.run_command(main)
