"""One run from its settings to its picture: `run` tells the story, step by step.

The other files are its steps: the checks before, the initial image, progress, measures, result.
"""

from stn.transfer.story import network_of, objective_of, run

__all__ = ["network_of", "objective_of", "run"]
