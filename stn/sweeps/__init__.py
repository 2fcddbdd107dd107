"""Many runs by one command.

`cells` names the runs of a sweep and says which are missing. `checks` finds what is wrong with a
sweep before its first run, and `studies` what is wrong with one whose values Optuna chooses.
`hooks` is what Hydra calls: a run that fails is written down and does not stop the others.
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
