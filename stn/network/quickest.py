"""Which way of convolving suits this machine."""

import contextlib
import functools
import json
import os
import time
import timeit
from collections.abc import Callable
from typing import Any

from stn import devices, files, machine
from stn.backend import tf
from stn.network import convolution


def chosen(method: str) -> str:
    """`method` itself, and for "auto" what suits the device: winograd on CPUs, direct where
    there is a GPU.

    The second is not measured: there was no GPU to run on.
    """
    if method != "auto":
        return method
    return "direct" if devices.gpus() else "winograd"


# So many times as long Conv2D has to take before it is avoided; ours. Measured: 1.0 with AVX-512,
# where both give the same bytes, and 4 with oneDNN held to AVX2.
SLOWER = 2.0
MEASURED = "convolutions.json"  # in the cache: an operation by processor and versions


def operation(channels: int) -> str:
    """The key of convolution.OPERATIONS that suits this processor, for a network of so many
    channels.

    It is measured once, which takes a third of a second, and kept in the cache. On a GPU, and in
    networks too narrow to matter, it is `conv2d`."""
    return "conv2d" if channels < 64 or devices.gpus() else of_this_machine()


@functools.cache
def of_this_machine() -> str:
    """What was measured here, by this process or an earlier one, or is measured now."""
    place, machine = files.cache_dir() / MEASURED, _machine()
    try:
        known = json.loads(place.read_text())
        if known[machine] in convolution.OPERATIONS:
            return str(known[machine])
    except (OSError, ValueError, KeyError, TypeError):
        known = None
    found = _measured()
    with contextlib.suppress(OSError):  # no place to keep it: each process measures
        place.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(place, {**(known if isinstance(known, dict) else {}), machine: found})
    return found


def _measured() -> str:
    """By processor time, which other work on the machine changes least, in a layer as conv2_2."""
    x, kernel = tf.zeros((1, 48, 64, 128)), tf.zeros((3, 3, 128, 128))

    def seconds(kernel: Any) -> float:
        return _seconds(tf.function(lambda: convolution.convolve(x, kernel), autograph=False))

    slow = seconds(kernel) > SLOWER * seconds(convolution.Turned(kernel))
    return "conv2d_backprop_input" if slow else "conv2d"


def _seconds(action: Callable[[], Any]) -> float:
    """The least of five, after one that compiles."""
    action()
    return min(timeit.repeat(action, timer=time.process_time, repeat=5, number=1))


def _machine() -> str:
    """The processor, what it can, and what decides which of it is used."""
    names = ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
    chosen = [machine.about().get("flags"), *(os.environ.get(name) for name in names)]
    return f"{machine.processor()}, TensorFlow {tf.version.VERSION}, {files.digest(chosen)[:8]}"
