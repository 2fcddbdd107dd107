"""Stylize a picture, or sweep: python scripts/stylize.py content.path=photo.jpg style.path=painting.jpg."""

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from stn import config, errors, interrupts, runs, sweeps

problems: list[Exception] = []


@hydra.main(version_base="1.3", config_path="../configs", config_name="config")
def stylize(overrides: DictConfig) -> None:
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    sweeps.clear(run_dir)
    try:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            cell(overrides, run_dir)
        else:
            stylize_one(config.parse(overrides, HydraConfig.get().overrides.task), run_dir)
    except (errors.InputError, errors.Interrupted) as error:
        problems.append(error)  # Hydra would print a line of its own before ours
    finally:
        sweeps.remove_if_empty(run_dir)


def cell(overrides: DictConfig, run_dir: Path) -> None:
    """One run of a sweep, in this process or in one that a launcher started, perhaps on another machine."""
    if interrupts.waiting():
        return
    hydra_config = HydraConfig.get()
    given, sweep_dir = list(hydra_config.overrides.task), Path(hydra_config.sweep.dir)
    local = hydra_config.launcher._target_.endswith("BasicLauncher")
    axes = sweeps.axes(sweep_dir, given)
    try:
        settings = config.parse(overrides, given)
        if not local:
            sys.argv = ["stylize.py", *given]  # for provenance.json, rather than the engine's own command
            settings.threads = settings.threads or sweeps.threads()
        stylize_one(settings, run_dir, sweep_dir.name, axes)
    except Exception as error:
        sweeps.fail(error, run_dir, given, axes, local)


def stylize_one(
    settings: config.Config, run_dir: Path, group: str | None = None, axes: dict[str, str] | None = None
) -> None:
    from stn import figures, run_directory, transfer  # after the checks: TensorFlow takes seconds to import

    result = transfer.run(settings, run_dir, group, axes)
    if settings.figures:
        made = runs.Run(run_dir)
        figures.comparison(run_dir, made.picture("content"), made.picture("style"), result.rgb)
        figures.loss_curves(run_dir)
    if settings.output:
        run_directory.write_picture(Path(settings.output), result.rgb, config.to_dict(settings))
    print(result.run_dir / "image.png")


def main() -> None:
    try:
        stylize()
    except Exception as error:
        sweeps.end(error)
    sweeps.end()
    if problems:
        raise problems[0]


if __name__ == "__main__":
    errors.run_command(main)
