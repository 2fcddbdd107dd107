"""`tracking=online` against a server of this machine: what arrives, once, whatever interrupts."""

import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb
from conftest import at_evaluation, metrics
from wandb_server import Server, serving

from stn import transfer
from stn.errors import Interrupted
from stn.runs import wandb_run

ONLINE = ("tracking=online", "optimizer=adam", "tracking.progress_every=2")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    wandb.teardown()  # a service of an earlier test would speak to another server
    with serving() as found:
        monkeypatch.setenv("WANDB_BASE_URL", found.url)
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        yield found
        wandb.teardown()


def arrived(server: Server, run_dir: Path) -> None:
    """Every row of metrics.csv is on the server, once, in order, under the same names."""
    [run] = server.runs.values()
    rows = metrics(run_dir)
    assert [line["_step"] for line in run.history] == [*range(len(rows["evaluation"]))]
    for name, column in rows.items():
        assert [line[name] for line in run.history] == pytest.approx(list(column), abs=1e-3), name


def test_rows_pictures_and_summary_arrive(run, server: Server, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        made = run(tmp_path / "run", *ONLINE)
    [stored] = server.runs.values()
    arrived(server, tmp_path / "run")
    assert stored.exit_code == 0 and stored.said["displayName"] == "run"
    assert stored.config["seed"]["value"] == 0 and stored.said["project"] == "stn"
    assert stored.summary["evaluations"] == made.summary["evaluations"] == 6
    pictures = [name for name in stored.files if name.startswith("media/images/progress_")]
    assert len(pictures) == 2 and stored.files[pictures[0]].startswith(b"\x89PNG")


def test_an_interrupted_run_goes_on_in_the_same_run_of_the_server(
    run, composed, server: Server, tmp_path: Path
) -> None:
    """What the server has is not sent again: its own count says where the run starts."""
    with pytest.raises(Interrupted), at_evaluation(4, lambda: signal.raise_signal(signal.SIGINT)):
        run(tmp_path / "run", *ONLINE)
    [stored] = server.runs.values()
    before = list(stored.history)
    assert len(before) == 4 and stored.exit_code != 0
    wandb.teardown()
    transfer.run(composed(*ONLINE), tmp_path / "run")
    arrived(server, tmp_path / "run")
    assert stored.history[:4] == before and stored.exit_code == 0


def test_a_network_that_is_lost_costs_a_warning_and_what_was_missed_stays_on_disk(
    run, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb_run, "FINISH_SECONDS", 1.0)

    def lose() -> None:
        server.answers = False

    with (
        at_evaluation(3, lose),
        pytest.warns(UserWarning, match="W&B could not finish.*goes on without it"),
    ):
        made = run(tmp_path / "run", *ONLINE)
    assert made.summary["evaluations"] == 6 and (tmp_path / "run" / "summary.json").is_file()
    [log] = (tmp_path / "run").glob("wandb/run-*/*.wandb")
    assert b"picture/loss/total" in log.read_bytes()
