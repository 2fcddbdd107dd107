"""Many runs by one command.

`cells` names the runs of a sweep and says which are missing. `checks` says what is wrong before
the first, and `studies` the same of a sweep that seeks. `hooks` is what Hydra calls: a run that
fails is written down and does not stop the others.
"""

from stn.sweeps.checks import check
from stn.sweeps.hooks import (
    Begin,
    announce,
    clear,
    end,
    fail,
    here,
    metric_of,
    remove_if_empty,
    take_gpu,
    threads,
)
