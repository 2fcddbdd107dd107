"""stn: neural style transfer by optimizing one image, reproduced from the papers and their
programs.

`stn.stylize(content, style)` is a run from Python (docs/how-to/python.md).
"""

import importlib
import warnings
from typing import TYPE_CHECKING, Any

from stn.errors import InputError, Interrupted

if TYPE_CHECKING:
    from stn.api import measure, stylize
    from stn.transfer.result import Result

__version__ = "0.1.0"
__all__ = ["InputError", "Interrupted", "Result", "measure", "stylize"]

# tqdm's advice: without ipywidgets a notebook has the terminal's bar, which will do.
warnings.filterwarnings("ignore", message="IProgress not found")
LAZY = {
    "measure": "stn.api",
    "stylize": "stn.api",
    "Result": "stn.transfer.result",
}  # imported when first asked for: they take from 0.4 to 5 seconds


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module 'stn' has no attribute '{name}'")
    return getattr(importlib.import_module(LAZY[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *LAZY]
