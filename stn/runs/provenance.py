"""Where a run came from: configuration, versions, commit, checksums, command, machine, seed."""

import contextlib
import datetime
import functools
import importlib.metadata
import platform
import resource
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

import stn
from stn import machine

PACKAGES = (
    "tensorflow",
    "numpy",
    "scipy",
    "scikit-image",
    "imageio",
    "pillow",
    "hydra-core",
    "wandb",
)


def describe(
    settings: dict[str, Any],
    checksums: dict[str, str],
    computed: Mapping[str, Any],
    axes: Mapping[str, str],
) -> dict[str, Any]:
    """What provenance.json says of a run that starts now; `checksums` are those of the weights and
    the pictures.

    `computed` is what the settings left to the machine, and how it was decided. `axes` is what a
    sweep varies, with this run's values as they were typed.
    """
    return {
        "config": settings,
        "axes": dict(axes),
        "inputs_sha256": checksums,
        "versions": (
            {"stn": stn.__version__}
            | {name: _version(name) for name in PACKAGES}
            | {"python": platform.python_version()}
        ),
        "commit": git_commit(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "machine": {
            "platform": platform.platform(),
            "processor": machine.processor(),
            "cores": machine.cores(),
            "memory_mb": psutil.virtual_memory().total // 2**20,
            **computed,
        },
        "seed": settings["seed"],
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def continued(
    earlier: Mapping[str, Any], now: Mapping[str, Any], evaluation: int
) -> dict[str, Any]:
    """The description of a run that is resumed: that of its beginning, and in `continuations` one
    for each time since.

    Another commit or package than in the session before is a warning. The configuration is that of
    now."""
    session = {key: now[key] for key in ("versions", "commit", "command", "machine", "started")}
    continuations = list(earlier.get("continuations", []))
    before = continuations[-1] if continuations else earlier
    old, new = (
        {"commit": each.get("commit"), **each.get("versions", {})} for each in (before, now)
    )
    changed = [
        f"{name} {old.get(name)} → {new[name]}" for name in new if old.get(name) != new[name]
    ]
    if changed:
        warnings.warn(
            f"resumes at evaluation {evaluation} with another program ({', '.join(changed)}): its"
            " numbers may round differently; provenance.json has both",
            stacklevel=2,
        )
    continuations.append({"from_evaluation": evaluation, **session})
    axes = {**earlier.get("axes", {}), **now["axes"]}
    return {**earlier, "config": now["config"], "axes": axes, "continuations": continuations}


def forget_peak_memory() -> None:
    """From here on `peak_memory_mb` is of what comes: a sweep's cells share a process. Where the
    system can, Linux.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mb() -> float:
    """The most memory this process has had, in MiB."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Linux: ru_maxrss would start with the memory of the process that started this one.
        lines = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        if lines:  # some kernels' emulations leave it out
            return round(int(lines[0].split()[1]) / 2**10, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 2**20 if sys.platform == "darwin" else peak / 2**10, 1)


def of_table(*packages: str) -> dict[str, str]:
    """Where the numbers of a file of results/tables come from: processor, the packages' versions
    and the commit.
    """
    return {
        "processor": machine.processor(),
        "versions": ", ".join(f"{name} {_version(name)}" for name in packages),
        "commit": git_commit() or "",
    }


@functools.cache  # what runs is what this process has loaded, also in a sweep's later cells
def git_commit() -> str | None:
    """The commit of this checkout, with `+` after it where files differ from it; None outside a
    checkout.
    """
    here = Path(__file__).resolve().parent
    try:
        options: dict[str, Any] = {
            "cwd": here,
            "capture_output": True,
            "text": True,
            "check": True,
            "timeout": 10,
        }
        commit = subprocess.run(["git", "rev-parse", "HEAD"], **options).stdout.strip()
        changed = subprocess.run(["git", "status", "--porcelain", "-uno"], **options).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changed else "")


@functools.cache
def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
