"""One HTML page over runs, or of two that are compared: python scripts/report.py --help."""

from stn import command_line
from stn.commands.report import main

if __name__ == "__main__":
    command_line.run_command(main)
