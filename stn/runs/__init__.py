"""What a run leaves, written and read.

`Run` reads a run's directory; `run_directory` writes one, whole files only. `provenance` says where
a run came from, `wandb_run` logs it to W&B, and `previews` shows it while it goes. `wandb_checks`
knows beforehand what W&B would refuse.
"""

from stn.runs.axes import parameters
from stn.runs.record import (
    EXPERIMENT,
    FAILED,
    METRICS,
    MIXED,
    PICTURE,
    PROVENANCE,
    SUMMARY,
    TRIALS,
    UNCOLORED,
    Run,
    SweepCell,
    below,
    best_so_far,
    read_json,
    read_metrics,
)
