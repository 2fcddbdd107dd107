"""Compiled TensorFlow functions, one for each set of input shapes, the latest kept; and a loop within one."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from stn.backend import tf

# A level of a run takes three: content targets, style targets, value and gradient. So five levels; ours.
TRACES_KEPT = 15
_traces: dict[Any, Any] = {}
_lock = threading.Lock()  # one thread's gradients are not another's to forget


def function(make: Callable[..., Any], choices: tuple[Any, ...], *inputs: Any) -> Any:
    """`make(*choices)` compiled for inputs of these shapes, one of the last TRACES_KEPT that were asked for, or anew.

    TensorFlow's own `tf.function` would keep what it compiled for every shape, some megabytes each, and warn of it.
    """
    specs = tf.nest.map_structure(tf.TensorSpec.from_tensor, inputs)
    key = make, choices, str(specs)
    with _lock:
        found = _traces.pop(key, None)
        if found is None:
            with _forgetting_custom_gradients():
                # No branch depends on a tensor; without autograph tracing takes half the time.
                found = tf.function(make(*choices), autograph=False).get_concrete_function(*specs)
        _traces[key] = found  # a dictionary keeps the order, so that the first is the one longest unused
        while len(_traces) > TRACES_KEPT:
            del _traces[next(iter(_traces))]
        return found


def in_turn(step: Callable[[Any, Any], Any], count: int, inner: int, carried: Any = None) -> Any:
    """`step(number, what the step before gave)` for `count` numbers, `carried` for the first; what the last one gave.

    Those from 1 to `inner`, without it, are one loop of the graph, to which a number is a tensor: unrolled, a thousand
    operations take 20 MB.
    """
    carried = step(0, carried)
    if inner > 1:
        carried = tf.while_loop(
            lambda number, _: number < inner,
            lambda number, carried: (number + 1, step(number, carried)),
            (tf.constant(1), carried),
            parallel_iterations=1,
        )[1]
    for number in range(max(1, inner), count):
        carried = step(number, carried)
    return carried


@contextlib.contextmanager
def _forgetting_custom_gradients() -> Iterator[None]:
    """Once the gradient is traced nobody asks for its parts again, each of which would keep the whole graph."""
    registered = custom_gradients()
    before = set(registered)
    try:
        yield
    finally:
        for name in set(registered) - before:
            registered.pop(name, None)


def custom_gradients() -> dict[str, Any]:
    """The gradients that `tf.custom_gradient` registers and TensorFlow never forgets; it has no public way to them."""
    from tensorflow.python.framework import ops

    registered: dict[str, Any] = ops.gradient_registry._registry
    return registered
