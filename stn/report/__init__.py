"""The report: one page over any tree of runs, as a file or served while runs go on.

`write` makes the file. `live_server` serves the same page; `web/` has its HTML, CSS and scripts.
"""

from stn.report.document import write, write_comparison
