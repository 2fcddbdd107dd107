"""Adam: `optimizer.name=adam`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from stn.config import optimizers
from stn.images import resizing
from stn.optimize.laplacian import Laplacian
from stn.optimize.search import Search


@dataclass
class Moments:
    """What Adam has learned: running means of the gradient, `m`, and of its square, `v`, [1, h, w,
    3], or [n] of the variables that a Laplacian pyramid has.
    """

    m: np.ndarray
    v: np.ndarray
    steps: int = 0  # since m and v were zero


def minimize(search: Search) -> None:
    """Adam (Kingma and Ba 2015, algorithm 1, in the form of the end of its section 2, as
    TensorFlow's and Keras').

    That form adds epsilon to √v before the bias correction, which matters for the TensorFlow
    tutorial's epsilon of 0.1."""
    state, settings, unit = search.state, search.settings, search.unit
    assert isinstance(settings, optimizers.Adam)
    levels, corners = settings.laplacian_levels, settings.laplacian_corners
    variables = Laplacian(state.image.shape, levels, corners)
    none = variables.gradient(np.zeros_like(state.image))
    moments = Moments(**(state.memory or {"m": none, "v": none.copy()}))
    while True:
        _, gradient = search.evaluate(state.image)
        gradient = variables.gradient(gradient * unit)
        rate = settings.learning_rate * settings.decay_rate ** (
            moments.steps // settings.decay_every
        )
        moments.steps += 1
        moments.m += (1 - settings.beta1) * (gradient - moments.m)
        moments.v += (1 - settings.beta2) * (gradient**2 - moments.v)
        rate *= math.sqrt(1 - settings.beta2**moments.steps) / (1 - settings.beta1**moments.steps)
        step = variables.of_channels(unit) * rate * moments.m
        step /= np.sqrt(moments.v) + settings.epsilon
        state.image = search.clipped(state.image - variables.image(step))
        state.iterations += 1
        state.memory = vars(moments)  # not a copy: saving is rare
        search.callbacks.on_checkpoint(state)


def resized(memory: Mapping[str, Any], height: int, width: int) -> dict[str, Any]:
    """What Adam has learned, for pictures of another size (crowsonkb/style-transfer-pytorch,
    scale_adam). It resizes m bicubic and v bilinear, which leaves v above zero. The number of
    steps stays.
    """
    sizes = {"m": "skimage", "v": "bilinear"}
    found = {
        name: resizing.FILTERS[method](memory[name][0], height, width)[None]
        for name, method in sizes.items()
    }
    return {**memory, **found}
