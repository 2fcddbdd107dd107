"""How close pictures are to photograph and painting: python scripts/measure.py --help."""

from stn import command_line
from stn.commands.measure import main

if __name__ == "__main__":
    command_line.run_command(main)
