"""Paint a photograph as a painting is painted: python scripts/stylize.py --help."""

from stn import command_line
from stn.commands.stylize import main

if __name__ == "__main__":
    command_line.run_command(main)
