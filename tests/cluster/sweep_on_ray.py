"""A Ray cluster of two nodes on this machine, one of them killed in the middle of a sweep: make
test-cluster.
"""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sweeping import Sweep, until, unused_port

pytest.importorskip("ray", reason="needs pip install -e '.[ray]'")
RAY = Path(sys.executable).with_name("ray")


class Cluster:
    """Two nodes with one core each, on a port and in a session of their own; `environment` reaches
    them.
    """

    def __init__(self, folder: Path) -> None:
        token = folder / "token"
        token.write_text(secrets.token_hex(32))
        self.address = f"127.0.0.1:{unused_port()}"
        self.environment = os.environ | {
            "RAY_AUTH_MODE": "token",  # without one, neither the second node nor a driver may join
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        self._token = str(token)
        head = ("--head", "--node-ip-address=127.0.0.1", f"--port={self.address.split(':')[1]}")
        # A short path, since sockets lie in it.
        self._start(*head, "--include-dashboard=false", f"--temp-dir={folder / 'ray'}")
        before = self.raylets()
        self._start(f"--address={self.address}")
        (self.second,) = self.raylets() - before
        self.environment["RAY_ADDRESS"] = self.address

    def _start(self, *options: str) -> None:
        command = [str(RAY), "start", "--num-cpus=1", *options]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=120)

    def processes(self) -> list[psutil.Process]:
        """Those that this cluster started, known by the token in their environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if (
                    process.environ().get("RAY_AUTH_TOKEN_PATH") == self._token
                    and process.pid != os.getpid()
                ):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def raylets(self) -> set[psutil.Process]:
        return {process for process in self.processes() if process.name() == "raylet"}

    def kill_second_node(self) -> list[Path]:
        """Kill a node and all its workers at once; gives what its cells, if any, have open."""
        workers = self.second.children(recursive=True)
        busy = [
            process for process in workers if any("_run_job" in part for part in process.cmdline())
        ]
        locks = [
            Path(file.path)
            for process in busy
            for file in process.open_files()
            if file.path.endswith(".lock")
        ]
        for process in (self.second, *workers):
            process.send_signal(signal.SIGKILL)
        return [lock.parent for lock in locks]

    def stop(self) -> None:
        for process in self.processes():
            process.kill()


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("ray"))
    yield cluster
    cluster.stop()


@pytest.fixture
def sweep(small: tuple[str, ...], tmp_path: Path) -> Iterator[Sweep]:
    """The sweep, not started."""
    sweep = Sweep(tmp_path, small, "ray_cluster")
    yield sweep
    sweep.stop()


def kill_in_the_middle(cluster: Cluster, sweep: Sweep) -> Path:
    """Start the sweep, kill a node while both have a cell at work, and give the run directory that
    lost its process.
    """
    sweep.start(cluster.environment)
    until(lambda: len(sweep.at_work()) == 2, sweep)
    (lost,) = cluster.kill_second_node()
    assert lost in sweep.at_work()
    return lost


def test_a_node_dies_and_its_cell_goes_on_elsewhere(cluster: Cluster, sweep: Sweep) -> None:
    lost = kill_in_the_middle(cluster, sweep)
    assert sweep.wait() == 0, sweep.log()
    sweep.check_finished()
    assert sweep.begun(lost) == 2
    sweep.check_same_bytes(lost)


def test_a_node_dies_and_the_same_command_completes_the_sweep(
    cluster: Cluster, sweep: Sweep
) -> None:
    """As above where Ray may not retry: its exception ends the launcher, whose next call runs what
    is missing.
    """
    sweep.overrides += ("hydra.launcher.ray.remote.max_retries=0",)
    lost = kill_in_the_middle(cluster, sweep)
    assert sweep.wait() == 2, sweep.log()
    (line,) = (
        line
        for line in sweep.log().splitlines()
        if line.startswith("error: the launcher ended early")
    )
    assert "runs what is missing" in line  # Ray prints what the other cells said around it
    assert f"error: {lost.name} did not finish" in sweep.log()
    sweep.start(cluster.environment)
    assert sweep.wait() == 0, sweep.log()
    sweep.check_finished()
    sweep.check_same_bytes(lost)
