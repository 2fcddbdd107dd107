"""TensorFlow: imported without the lines it prints at start-up, its threads, what is compiled."""

import contextlib
import importlib
import os
import platform
import resource
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from stn import machine
from stn.errors import InputError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Where there is no AVX-512 TensorFlow leaves oneDNN off, whose products are faster than Eigen's
# (docs/science/benchmark.md) and whose slow convolutions `quickest.operation` avoids.
if platform.machine() in ("x86_64", "AMD64") and "tensorflow" not in sys.modules:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# What TensorFlow imports last, for saved models alone; where it is not installed TensorFlow goes on
# without.
KERAS = "keras.src.optimizers"


@contextlib.contextmanager
def _without_keras() -> Iterator[None]:
    """Keras, and with it scikit-learn and matplotlib, a third of the time (architecture.md);
    `tf.keras` loads it when it is asked for.
    """
    absent: Any = None  # as Python's import system spells it
    sys.modules.setdefault(KERAS, absent)
    try:
        yield
    finally:
        if sys.modules[KERAS] is None:
            del sys.modules[KERAS]


def _import_quietly() -> None:
    # The C++ library prints before any log level applies, so the file descriptor itself is turned
    # away for the time of the import; if the import fails, what was printed is given back.
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            with _without_keras():
                import tensorflow  # noqa: F401
        except BaseException:
            hidden.seek(0)
            os.write(kept, hidden.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


class _Lazy:
    """TensorFlow, imported when something of it is first asked for: that takes seconds."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python asks of any object, not of TensorFlow
            raise AttributeError(name)
        with _importing:
            if "module" not in vars(self):
                try:
                    _import_quietly()
                except (ImportError, MemoryError, OSError, RuntimeError) as error:
                    raise InputError(_not_loaded(error)) from error
                module = importlib.import_module("tensorflow")
                # Same settings, same machine, same bytes: no kernel may add in an order that
                # depends on timing.
                module.config.experimental.enable_op_determinism()
                # On by default where a GPU has it; `devices.use_precision` allows it.
                module.config.experimental.enable_tensor_float_32_execution(False)
                # Else TensorFlow takes a GPU's whole memory at once, also from its other programs.
                for gpu in module.config.list_physical_devices("GPU"):
                    module.config.experimental.set_memory_growth(gpu, True)
                vars(self)["module"] = module
        return getattr(vars(self)["module"], name)


def _not_loaded(error: Exception) -> str:
    """Why TensorFlow cannot be imported, in a line; its libraries take about 2 GB of addresses."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    limit = ""
    if most != resource.RLIM_INFINITY:
        limit = f"; `ulimit -v` allows {most / 1e9:.1f} GB of addresses, so raise it first"
    return f"TensorFlow cannot be loaded ({reason}){limit}"


_importing = threading.RLock()
tf: Any = _Lazy()
# A TensorFlow tensor. TensorFlow ships no types, so that this is for the reader.
Tensor = Any


def use_threads(count: int | None) -> None:
    """Threads within an operation; None: as TensorFlow has them, one a core. TensorFlow fixes them
    at its first operation; later calls cannot change them.
    """
    if count is not None and threads() != count:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(count)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        except RuntimeError:
            warnings.warn(
                f"threads={count}: TensorFlow is running already with {threads()} and keeps them",
                stacklevel=2,
            )


def threads() -> int:
    """The threads within an operation."""
    own: int = tf.config.threading.get_intra_op_parallelism_threads()
    return own or machine.cores()  # which is what TensorFlow counts


# A level of a run takes three: content targets, style targets, value and gradient. So five levels;
# ours.
TRACES_KEPT = 15
_traces: dict[Any, Any] = {}
_lock = threading.Lock()  # one thread's gradients are not another's to forget


def function(make: Callable[..., Any], choices: tuple[Any, ...], *inputs: Any) -> Any:
    """`make(*choices)` compiled for inputs of these shapes, one of the last TRACES_KEPT that were
    asked for, or anew.

    TensorFlow's own `tf.function` would keep what it compiled for every shape, some megabytes each,
    and warn of it."""
    specs = tf.nest.map_structure(tf.TensorSpec.from_tensor, inputs)
    key = make, choices, str(specs)

    def traced() -> Any:
        with _forgetting_custom_gradients():
            # No branch depends on a tensor; without autograph tracing takes half the time.
            return tf.function(make(*choices), autograph=False).get_concrete_function(*specs)

    with _lock:
        return _kept(_traces, TRACES_KEPT, key, traced)


def _kept(traces: dict[Any, Any], count: int, key: Any, traced: Callable[[], Any]) -> Any:
    """What `traces` has at a key, or what is traced for it; of more than `count` the one longest
    unused goes.
    """
    found = traces.pop(key, None)
    if found is None:
        found = traced()
    traces[key] = found  # a dictionary keeps the order
    while len(traces) > count:
        del traces[next(iter(traces))]
    return found


# Parts of graphs that are kept: a run at one size has about ten; ours.
SHARED_KEPT = 30
_shared: dict[Any, Any] = {}


def shared(make: Callable[..., Any], choices: tuple[Any, ...], *inputs: Any) -> Any:
    """`make(*choices)` of tensors, which is traced once for inputs of these shapes: layers that are
    alike, and other functions of a run, share its graph.

    Tracing is a tenth of the time to a first picture. Outside of a graph there is none to trace."""
    if tf.executing_eagerly():
        return make(*choices)(*inputs)
    key = make, choices, str([(each.shape, each.dtype) for each in inputs])

    def traced() -> Any:
        specs = [tf.TensorSpec(each.shape, each.dtype) for each in inputs]
        with tf.init_scope():
            return tf.function(make(*choices), autograph=False).get_concrete_function(*specs)

    return _kept(_shared, SHARED_KEPT, key, traced)(*inputs)


def in_turn(step: Callable[[Any, Any], Any], count: int, inner: int, carried: Any = None) -> Any:
    """`step(number, what the step before gave)` for `count` numbers, `carried` for the first; what
    the last one gave.

    Those from 1 to `inner`, without it, are one loop of the graph, to which a number is a tensor:
    unrolled, a thousand operations take 20 MB."""
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
    """Once the gradient is traced nobody asks for its parts again, each of which would keep the
    whole graph.
    """
    registered = custom_gradients()
    before = set(registered)
    try:
        yield
    finally:
        for name in set(registered) - before:
            registered.pop(name, None)


def custom_gradients() -> dict[str, Any]:
    """The gradients that `tf.custom_gradient` registers and TensorFlow never forgets; it has no
    public way to them (docs/contributing/architecture.md).
    """
    from tensorflow.python.framework import ops

    registered: dict[str, Any] = ops.gradient_registry._registry
    return registered
