"""Write one HTML page over the runs below a directory: python scripts/report.py multirun/2026-01-31/12-00-00."""

import argparse
from pathlib import Path

from stn import errors, report, sweep_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="a sweep, or any tree of run directories")
    parser.add_argument("--output", type=Path, help="where to write; default: report.html in the directory")
    parser.add_argument("--max-px", type=int, default=512, help="long side of the embedded pictures (default 512)")
    parser.add_argument(
        "--wandb", action="store_true", help="also log a table with the pictures to the sweep's W&B group"
    )
    given = parser.parse_args()
    if given.max_px < 1:
        raise errors.InputError(f"--max-px {given.max_px}: must be at least 1")
    path = given.output or given.directory / "report.html"
    report.write(given.directory, path, given.max_px)
    print(path)
    if given.wandb:
        sweep_table.log(given.directory)


if __name__ == "__main__":
    errors.run_command(main)
