"""`measure`: folders and tables of pairs, sizes as typed, and the table that it writes."""

import csv
import runpy
from pathlib import Path

import numpy as np
import pytest
from synthetic import vgg as random_vgg
from synthetic import write as write_weights

from stn import config, images
from stn.commands import pairs
from stn.errors import InputError
from stn.transfer import measuring

SCRIPT = config.CONFIG_DIR.parent / "scripts" / "measure.py"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "narrow.mat"
    write_weights(path, random_vgg(19, channels=4))
    return path


@pytest.mark.parametrize("text", ["", "big", "256x", "0", "1x1", "-5", "256x256x3"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--size"):
        pairs.parse_size(text)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    content, result = np.random.default_rng(0).uniform(0, 255, (2, 48, 64, 3))
    for name in ("contents/a", "contents/a_b", "styles/one", "styles/two"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        images.write(tmp_path / f"{name}.png", content)
    (tmp_path / "results").mkdir()
    for name in ("a_stylized_one", "a_b_stylized_two"):
        images.write(tmp_path / "results" / f"{name}.png", result)
    return tmp_path


def test_folders_are_paired_by_name(folders: Path) -> None:
    found = pairs.jobs(folders / "contents", folders / "styles", [folders / "results"])
    named = {(job.result.stem, job.content.stem, job.style.stem) for job in found}
    assert named == {("a_stylized_one", "a", "one"), ("a_b_stylized_two", "a_b", "two")}


def test_what_is_left_over_or_fits_nothing_is_named(folders: Path) -> None:
    (folders / "results" / "a_stylized_one.png").rename(folders / "results" / "c_one.png")
    with pytest.raises(InputError, match=r"c_one\.png: its name begins with that of no content"):
        pairs.jobs(folders / "contents", folders / "styles", [folders / "results"])
    (folders / "results" / "c_one.png").unlink()
    with pytest.raises(InputError, match=r"contents: no result was made of a\.png"):
        pairs.jobs(folders / "contents", folders / "styles", [folders / "results"])


def test_a_csv_of_pairs_is_read_and_a_wrong_line_named(folders: Path) -> None:
    path = folders / "pairs.csv"
    path.write_text("content,style,result\ncontents/a.png,styles/one.png,results/x.png\n")
    [job] = pairs.read_pairs(path)
    assert job.result == folders / "results" / "x.png"
    path.write_text("content,style,result\ncontents/a.png,,results/x.png\n")
    with pytest.raises(InputError, match=r"pairs\.csv, line 2: a column is empty"):
        pairs.read_pairs(path)
    path.write_text("photo,painting\na,b\n")
    with pytest.raises(InputError, match="needs a first line content,style,result"):
        pairs.read_pairs(path)


def test_the_command_prints_a_table_and_writes_every_digit(
    network: Path, folders: Path, monkeypatch, capsys
) -> None:
    out = folders / "table.csv"
    words = [folders / name for name in ("contents", "styles", "results")]
    monkeypatch.setattr(
        "sys.argv", ["measure.py", *map(str, words), "--network", str(network), "--out", str(out)]
    )
    runpy.run_path(str(SCRIPT))["main"]()
    assert "| measures/gram |" in capsys.readouterr().out
    rows = list(csv.DictReader(out.open()))
    assert len(rows) == 2 and "measures/gram/relu1_1" in rows[0]
    job = measuring.Job(
        *(folders / name for name in ("contents/a.png", "styles/one.png")),
        folders / "results" / "a_stylized_one.png",
    )
    again = measuring.numbers(*measuring.of_job(job, network, None))
    [row] = [row for row in rows if "a_stylized_one" in row["result"]]
    assert float(row["measures/gram"]) == again["measures/gram"]
