"""RMSprop: `optimizer.name=rmsprop`."""

import numpy as np

from stn.config import optimizers
from stn.optimize.laplacian import Laplacian
from stn.optimize.search import Search


def minimize(search: Search) -> None:
    """RMSprop without momentum, as torch.optim's (Hinton's lecture 6e, 2012, with epsilon added to
    the root). Its first step is rate / √(1 − rho) against the sign of the gradient.
    """
    state, settings, unit = search.state, search.settings, search.unit
    assert isinstance(settings, optimizers.RMSprop)
    levels, corners = settings.laplacian_levels, settings.laplacian_corners
    variables = Laplacian(state.image.shape, levels, corners)
    while True:
        _, gradient = search.evaluate(state.image)
        gradient = variables.gradient(gradient * unit)
        # The running mean of the squares.
        v = state.memory["v"] if state.memory else np.zeros_like(gradient)
        v += (1 - settings.rho) * (gradient**2 - v)
        step = settings.learning_rate * gradient / (np.sqrt(v) + settings.epsilon)
        state.image = search.clipped(state.image - unit * variables.image(step))
        state.iterations += 1
        state.memory = {"v": v}  # not a copy: saving is rare
        search.callbacks.on_checkpoint(state)
