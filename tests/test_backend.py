"""How TensorFlow is loaded: what has to be decided before it is."""

import os
import platform
import subprocess
import sys

import pytest

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
