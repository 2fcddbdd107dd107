"""The report: one page over any tree of runs."""

from stn.report.document import write, write_comparison

__all__ = ["write", "write_comparison"]
