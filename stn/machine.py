"""The processor: its name, what it can, and how many of its cores this process may use."""

import os
import platform
from pathlib import Path

ABOUT = Path("/proc/cpuinfo")  # where the system is Linux
# What decides the speed of convolutions, the most capable first, and what Linux calls it.
INSTRUCTIONS = {"AVX-512": "avx512f", "AVX2": "avx2"}


def about() -> dict[str, str]:
    """What Linux says of the last processor, such as `model name` and `flags`; else nothing."""
    if not ABOUT.is_file():
        return {}
    lines = [line.partition(":") for line in ABOUT.read_text(encoding="utf-8").splitlines()]
    return {key.strip(): value.strip() for key, _, value in lines}


def processor() -> str:
    """Its name and the best of `INSTRUCTIONS` that it has; where neither is known, its kind."""
    said = about()
    name = said.get("model name") or platform.processor() or platform.machine()
    flags = said.get("flags", "").split()
    best = next((each for each, flag in INSTRUCTIONS.items() if flag in flags), None)
    return f"{name}, {best}" if best else name


def cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
