"""Runs."""

from stn.runs.record import (
    FAILED,
    METRICS,
    MIXED,
    PICTURE,
    PROVENANCE,
    SUMMARY,
    UNCOLORED,
    Run,
    below,
    best_so_far,
    parameters,
    read_json,
    read_metrics,
)

__all__ = [
    "FAILED",
    "METRICS",
    "MIXED",
    "PICTURE",
    "PROVENANCE",
    "SUMMARY",
    "UNCOLORED",
    "Run",
    "below",
    "best_so_far",
    "parameters",
    "read_json",
    "read_metrics",
]
