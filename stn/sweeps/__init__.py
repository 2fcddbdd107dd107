"""Sweeps."""

from stn.sweeps.hooks import check, clear, end, fail, remove_if_empty, threads, under_way

__all__ = ["check", "clear", "end", "fail", "remove_if_empty", "threads", "under_way"]
