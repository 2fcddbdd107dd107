"""Sweeps."""

from stn.sweeps.hooks import Begin, check, clear, end, fail, remove_if_empty, threads, under_way

__all__ = ["Begin", "check", "clear", "end", "fail", "remove_if_empty", "threads", "under_way"]
