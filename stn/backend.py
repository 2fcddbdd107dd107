"""TensorFlow, imported without the lines it prints at start-up."""

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# What TensorFlow imports last, for saved models alone; where it is not installed TensorFlow goes on without.
KERAS = "keras.src.optimizers"


@contextlib.contextmanager
def _without_keras() -> Iterator[None]:
    """Keras, and with it scikit-learn and matplotlib, a third of the time; `tf.keras` loads it when it is asked for."""
    absent: Any = None  # as Python's import system spells it
    sys.modules.setdefault(KERAS, absent)
    try:
        yield
    finally:
        if sys.modules[KERAS] is None:
            del sys.modules[KERAS]


def _import_quietly() -> None:
    # The C++ library prints before any log level applies, so the file descriptor itself is turned away for
    # the time of the import; if the import fails, what was printed is given back.
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


_import_quietly()

import tensorflow as tf  # noqa: E402

# Same settings, same machine, same bytes: no kernel may add in an order that depends on timing.
tf.config.experimental.enable_op_determinism()

__all__ = ["tf", "use_threads"]


def use_threads(count: int | None) -> None:
    """Threads within an operation. TensorFlow fixes them at its first operation; later calls cannot change them."""
    if count is not None and tf.config.threading.get_intra_op_parallelism_threads() != count:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(count)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        except RuntimeError:
            warnings.warn(f"threads={count}: TensorFlow is running already and keeps its own", stacklevel=2)
