"""Stylize a picture, or sweep: python scripts/stylize.py content.path=photo.jpg style.path=painting.jpg."""

import contextlib
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from stn import config, errors

problems: list[Exception] = []


@hydra.main(version_base="1.3", config_path="../configs", config_name="config")
def stylize(overrides: DictConfig) -> None:
    hydra_config = HydraConfig.get()
    run_dir = Path(hydra_config.runtime.output_dir)
    multirun = hydra_config.mode == RunMode.MULTIRUN
    try:
        settings = config.parse(overrides)
        from stn import transfer  # after the checks: TensorFlow takes seconds to import

        result = transfer.run(settings, run_dir, group=Path(hydra_config.sweep.dir).name if multirun else None)
        if result is not None:
            print(result.run_dir / "image.png")
    except (errors.InputError, errors.Interrupted) as error:
        if multirun:
            raise  # Hydra says which cell it was
        problems.append(error)  # Hydra would print a line of its own before ours
    finally:
        with contextlib.suppress(OSError):
            run_dir.rmdir()  # Hydra makes the directory before anything is checked; an empty one is no run


def main() -> None:
    stylize()
    if problems:
        raise problems[0]


if __name__ == "__main__":
    errors.run_command(main)
