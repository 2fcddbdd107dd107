"""GPUs: which of them this process sees, what memory they have, how exactly they multiply.

No GPU was there to run on: what is said of one is read from TensorFlow's documents.
"""

import contextlib
import importlib.metadata
import re
import warnings
from pathlib import Path
from typing import Any

import psutil

from stn.backend import tf

# How products of float32 numbers are made. TF32 keeps 10 bits of each factor's mantissa; it is what
# TensorFlow does by itself on a GPU since NVIDIA's Ampere.
PRECISIONS = ("float32", "tf32")
# Why others are none. 21,058: conv3_4 of vgg19_q8, max pooling, at skimage:coffee.png, 512 px.
REFUSED = {
    "float16": "activations reach 21,058, and their squares pass its largest number, 65,504",
    "bfloat16": "its gradients are 5 % off (docs/speed.md)",
}
DRIVER = Path("/proc/driver/nvidia/version")
CUDNN = ("nvidia-cudnn-cu12", "nvidia-cudnn-cu13")  # what `tensorflow[and-cuda]` installs


def gpus() -> list[Any]:
    """The GPUs that TensorFlow sees; a run computes on the first."""
    found: list[Any] = tf.config.list_physical_devices("GPU")
    return found


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
