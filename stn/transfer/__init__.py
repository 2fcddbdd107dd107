"""One run."""

from stn.transfer.story import network_of, run

__all__ = ["network_of", "run"]
