"""One run from its settings to its picture: `run`.

`story` tells it step by step. `matching` makes trials first, where a measure is to have a value.
`checks` and `memory` refuse before the work what could not be finished. `initialize` makes the
initial image, and `mixing` a style of two paintings. `tracking` follows a run while it goes, and
`result` is what it gives. `measuring` brings pictures of any program to one size and measures them.
"""

from stn.transfer.matching import run
from stn.transfer.story import network_of, objective_of
