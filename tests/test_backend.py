"""How TensorFlow is loaded: what has to be decided before it is."""

import os
import platform
import subprocess
import sys

import pytest

from stn import backend
from stn.backend import tf

SAID = "import os, stn.backend; print(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))"


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="of x86 alone")
@pytest.mark.parametrize(
    ("given", "before", "expected"),
    [
        (None, "", "1"),
        ("0", "", "0"),  # the user's own
        (None, "import sys; sys.modules['tensorflow'] = sys; ", "None"),  # loaded: too late
    ],
)
def test_onednn_is_on_unless_the_user_says_otherwise(given, before, expected) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "TF_ENABLE_ONEDNN_OPTS"}
    environment |= {"TF_ENABLE_ONEDNN_OPTS": given} if given else {}
    done = subprocess.run(
        [sys.executable, "-c", before + SAID],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == expected


def test_layers_that_are_alike_are_traced_once_and_no_other(monkeypatch) -> None:
    monkeypatch.setattr(backend, "_shared", {})
    traced: list[tuple[int, ...]] = []

    def make(factor: int):
        def times(x):
            traced.append((factor, *x.shape))
            return factor * x

        return times

    def function(x):  # as layers one after another
        for factor in (2, 2, 3):
            x = backend.shared(make, (factor,), x)
        return x

    for length in (1, 1, 4):
        compiled = tf.function(function, autograph=False).get_concrete_function(
            tf.TensorSpec((length,))
        )
        assert (compiled(tf.ones(length)).numpy() == 12).all()
    assert traced == [(2, 1), (3, 1), (2, 4), (3, 4)]
