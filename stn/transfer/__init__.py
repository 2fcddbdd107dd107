"""One run from its settings to its picture: `run` tells the story, step by step.

The other files are its steps: the checks before, the initial image, progress, result.
`matching` makes trials first, where a measure is to have a value. `measuring` brings pictures of
any program to one size and measures them.
"""

from stn.transfer.matching import run
from stn.transfer.story import network_of, objective_of
