"""`python -m stn` is the command `stn`."""

from stn.commands import stylize

if __name__ == "__main__":
    stylize.command()
