"""Download and verify weights and paintings, and say where they are: python scripts/fetch.py
vgg19_q8.
"""

import argparse
import sys

from stn import assets, command_line
from stn.assets import catalog


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=[*catalog.NETWORKS, "images", "all"])
    parser.add_argument(
        "--mirror",
        action="append",
        default=[],
        help="a base address or a directory to try first; may be repeated",
    )
    arguments = parser.parse_args()
    for path in assets.fetch(arguments.what, tuple(arguments.mirror), progress=sys.stderr.isatty()):
        print(path)


if __name__ == "__main__":
    command_line.run_command(main)
