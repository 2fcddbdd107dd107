"""What the tests of engines share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sweeping import Sweep

LAUNCHERS = {"sweep_on_ray": "ray_cluster", "sweep_on_slurm": "slurm"}


@pytest.fixture
def sweep(small: tuple[str, ...], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Sweep]:
    """The sweep of this module's launcher, not started."""
    sweep = Sweep(tmp_path, small, LAUNCHERS[request.module.__name__])
    yield sweep
    sweep.stop()
