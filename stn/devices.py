"""GPUs: which of them this process sees, what memory they have, how exactly they multiply.

No GPU was there to run on: what is said of one is read from TensorFlow's documents.
"""

import contextlib
import importlib.metadata
import itertools
import os
import platform
import re
import subprocess
import warnings
from pathlib import Path
from typing import Any

import psutil

from stn.backend import tf
from stn.errors import InputError

# How products of float32 numbers are made. TF32 keeps 10 bits of each factor's mantissa; it is what
# TensorFlow does by itself on a GPU since NVIDIA's Ampere.
PRECISIONS = ("float32", "tf32")
# Why others are none. 21,058: conv3_4 of vgg19_q8, max pooling, at skimage:coffee.png, 512 px.
REFUSED = {
    "float16": "activations reach 21,058, and their squares pass its largest number, 65,504",
    "bfloat16": "its gradients are 5 % off (docs/notes/tried.md)",
}
DRIVER = Path("/proc/driver/nvidia/version")
CUDNN = ("nvidia-cudnn-cu12", "nvidia-cudnn-cu13")  # what `tensorflow[and-cuda]` installs


def gpus() -> list[Any]:
    """The GPUs that TensorFlow sees; a run computes on the first."""
    found: list[Any] = tf.config.list_physical_devices("GPU")
    return found


def visible() -> list[str]:
    """The GPUs that a program started here may see, by the names that CUDA has for them.

    Without TensorFlow, which keeps what it saw when it was loaded."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        names = [name.strip() for name in given.split(",")]
        return list(itertools.takewhile(lambda name: name not in ("", "-1"), names))  # CUDA's rule
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return re.findall(r"^GPU (\d+):", listed.stdout, re.MULTILINE)


def check(count: int) -> None:
    """Raise InputError where a run was to have `count` GPUs and TensorFlow sees fewer."""
    if len(gpus()) < count:
        given = os.environ.get("CUDA_VISIBLE_DEVICES")
        seen = "" if given is None else f" (CUDA_VISIBLE_DEVICES={given})"
        raise InputError(
            f"gpus_per_cell={count}: TensorFlow sees no GPU on {platform.node()}{seen}; let the"
            " launcher give one, pip install '.[gpu]', or leave gpus_per_cell out"
        )


def use_precision(precision: str) -> None:
    """Products of float32 numbers from now on, in the whole process: one of PRECISIONS."""
    if precision == "tf32" and not gpus():
        warnings.warn("network.precision=tf32 has no effect without a GPU", stacklevel=2)
    tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")


def describe() -> dict[str, Any]:
    """The GPU that a run computes on, its driver, CUDA and cuDNN, for provenance; empty without."""
    found = gpus()
    if not found:
        return {}
    details = tf.config.experimental.get_device_details(found[0])
    built = tf.sysconfig.get_build_info()
    return {
        "gpu": details.get("device_name"),
        "gpu_compute_capability": details.get("compute_capability"),
        "driver": _driver(),
        "cuda": built.get("cuda_version"),
        "cudnn": _cudnn() or built.get("cudnn_version"),
    }


def free_bytes() -> float:
    """Memory that is free where a run computes: the GPU's, or the machine's without one."""
    found = gpus()
    if not found:
        return float(psutil.virtual_memory().available)
    from tensorflow.python.client import device_lib  # TensorFlow has no public way to the limit

    used = tf.config.experimental.get_memory_info("GPU:0")["current"]
    limits = [
        each.memory_limit for each in device_lib.list_local_devices() if each.device_type == "GPU"
    ]
    return float(limits[0] - used)


def _driver() -> str | None:
    with contextlib.suppress(OSError):
        found = re.search(r"\s(\d+\.\d+(?:\.\d+)?)\s", DRIVER.read_text())
        return found[1] if found else None
    return None


def _cudnn() -> str | None:
    for package in CUDNN:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(package)
    return None
