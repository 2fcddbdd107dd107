"""A figure of a paper as a set of runs: those that are missing are computed, then it is drawn.

`frame.Experiment` is what a file in `experiments/` fills in, and `computing` makes the runs.
"""
