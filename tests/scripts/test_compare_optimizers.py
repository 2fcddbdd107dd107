"""The comparison of optimizers: its set of pictures, and a table that can be read off by hand."""

import runpy
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from stn import config

SCRIPT = config.CONFIG_DIR.parent / "scripts" / "compare_optimizers.py"


@pytest.fixture(scope="module")
def script() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(SCRIPT)))


def test_each_painting_meets_each_objective_and_made_pictures_are_what_they_are_called(
    script: SimpleNamespace,
) -> None:
    found = script.problems()
    assert len({problem.key for problem in found}) == len(found) == 24
    of_content = [problem for problem in found if problem.init == "content"]
    pairs = Counter((problem.painting, problem.preset) for problem in of_content)
    assert len(pairs) == 18 and set(pairs.values()) == {1}
    gray = np.linspace(0, 255, 256)[:, None, None] + np.zeros(3)
    assert (script.dark(gray) <= 2).mean() >= 0.5 and script.dark(gray).max() == 255
    assert (script.light(gray) >= 253).mean() >= 0.5 and script.light(gray).min() == 0
    colored = np.array([[[90.0, 120.0, 150.0]]])
    np.testing.assert_array_equal(script.saturated(colored), [[[0, 120, 240]]])


def test_the_table_says_when_the_reference_is_reached(
    script: SimpleNamespace, tmp_path: Path
) -> None:
    def rows(optimizer: str, values: dict[int, tuple[float, float]]) -> list[dict[str, object]]:
        return [
            dict(
                zip(
                    script.HEADER,
                    ("a", "b", "gatys2016", "noise", optimizer, count, *pair, 0.5, 3.0, 7, 0, 0),
                    strict=True,
                )
            )
            for count, pair in values.items()
        ]

    both = rows("torch_lbfgs", {250: (9.0, 0.3), 500: (5.0, 0.2)})
    both += rows("spectral_lbfgs", {50: (6.0, 0.2), 100: (5.0, 0.3), 160: (4.0, 0.4)})
    script.write(tmp_path / "measures.csv", both)
    table = script.table(script.rows_of(tmp_path / "measures.csv"), list(script.OPTIMIZERS))
    cells = [cell.strip() for cell in table.splitlines()[2].split("|")[1:-1]]
    assert cells[4:7] == ["spectral_lbfgs", "0.20", "0.10"]  # after 100 and 50 of 500
    assert cells[7:] == ["0.50", "0.50", "3.0", "3.0", "7", "7"]
    below = rows("torch_lbfgs", {500: (1.0, 0.2)}) + both[2:]
    assert "not reached" in script.table(below, list(script.OPTIMIZERS))
