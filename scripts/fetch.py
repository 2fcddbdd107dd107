"""Download and verify weights and paintings: python scripts/fetch.py --help."""

from stn import command_line
from stn.commands.fetch import main

if __name__ == "__main__":
    command_line.run_command(main)
