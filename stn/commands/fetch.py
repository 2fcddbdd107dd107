"""Download and verify weights and paintings, and say where they are."""

import argparse
import sys

from stn import assets, command_line
from stn.assets import catalog


def command() -> None:
    """The console command `stn-fetch`, which is scripts/fetch.py."""
    command_line.run_command(main)


def main() -> None:
    parser = argparse.ArgumentParser(prog=command_line.program("fetch"), description=__doc__)
    parser.add_argument("what", choices=[*catalog.NETWORKS, *catalog.METRICS, "images", "all"])
    parser.add_argument(
        "--mirror",
        action="append",
        default=[],
        help="a base address or a directory to try first; may be repeated",
    )
    arguments = parser.parse_args()
    for path in assets.fetch(arguments.what, tuple(arguments.mirror), progress=sys.stderr.isatty()):
        print(path)
