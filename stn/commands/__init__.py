"""What is typed: a module for each console command, and the task that Hydra runs for `stylize`.

`scripts/*.py` call the same functions, so that a checkout needs no installation.
"""
