"""The times of style statistics: a row for each, and ratios that can be read off by hand."""

import csv
import io
import runpy
from types import SimpleNamespace

import pytest

from stn import config
from stn.analysis import doc_tables
from stn.loss.statistics import STATISTICS

SCRIPT = config.CONFIG_DIR.parent / "scripts" / "statistic_seconds.py"


@pytest.fixture(scope="module")
def script() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(SCRIPT)))


def test_every_statistic_has_settings_that_can_be(script: SimpleNamespace) -> None:
    rows = script.variants(list(STATISTICS))
    assert {row.split("`")[1] for row in rows} == set(STATISTICS)
    for settings in rows.values():
        config.compose(*script.BASE, *settings)


def test_medians_are_over_those_of_the_gram_matrix(script: SimpleNamespace) -> None:
    of_gram = [script.Timed(*pair) for pair in ((2.0, 1.0), (4.0, 1.5), (90.0, 70.0))]
    other = [script.Timed(*pair) for pair in ((10.0, 6.0), (1.0, 1.0), (80.0, 75.0))]
    text = script.table({"`gram`": of_gram, "`mean`": other}, (384, 512))
    first, second = csv.DictReader(io.StringIO(text))
    assert (first["CPU time"], first["time"], first["s"]) == ("1.0", "1.0", "1.5")
    assert (second["CPU time"], second["time"], second["s"]) == ("2.5", "4.0", "6")
    assert set(doc_tables.ORIGIN) < set(first) and first["size_px"] == "512 × 384"


def test_rows_of_other_statistics_stay_where_size_and_network_are_the_same(
    script: SimpleNamespace,
) -> None:
    def rows(size: int, earlier: list[dict[str, str]], **times: float) -> list[dict[str, str]]:
        found = {f"`{name}`": [script.Timed(each, each)] for name, each in times.items()}
        return list(csv.DictReader(io.StringIO(script.table(found, (size, size), earlier))))

    first = rows(64, [], gram=1, mean=3, mean_std=5)
    both = rows(64, first, gram=2, mean=4, covariance=2)
    times = [(row["statistic"], row["time"], row["s"]) for row in both]
    assert times == [
        *(("`gram`", "1.0", "2"), ("`covariance`", "1.0", "2"), ("`mean`", "2.0", "4")),
        ("`mean_std`", "5.0", "5"),
    ]
    assert len(rows(96, both, gram=1)) == 1
