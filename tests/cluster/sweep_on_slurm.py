"""SLURM with one node on this machine, one of its jobs cancelled in the middle of a sweep: make
test-cluster.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sweeping import Sweep, until, unused_port

pytest.importorskip("submitit", reason="needs pip install -e '.[slurm]'")
MISSING = [
    name
    for name in ("munged", "slurmctld", "slurmd", "sbatch", "scancel")
    if shutil.which(name) is None
]
pytestmark = [
    pytest.mark.skipif(
        bool(MISSING), reason=f"needs Debian's slurm-wlm and munge ({', '.join(MISSING)} not found)"
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="slurmd and munged are started here as root"),
]

SETTINGS = """\
ClusterName=stn
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory={memory}
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """munged, slurmctld and slurmd with keys, ports and state of their own; `environment` reaches
    them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._daemons = folder, list[subprocess.Popen[bytes]]()
        for name in ("state", "spool"):
            (folder / name).mkdir()
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        host, memory = (
            socket.gethostname().partition(".")[0],
            psutil.virtual_memory().total // 2**20,
        )
        ports = {"controller": unused_port(), "daemon": unused_port()}
        settings = folder / "slurm.conf"
        settings.write_text(SETTINGS.format(host=host, folder=folder, memory=memory, **ports))
        self.environment = os.environ | {"SLURM_CONF": str(settings)}
        names = {
            "key-file": "munge.key",
            "socket": "munge.socket",
            "pid-file": "munge.pid",
            "seed-file": "munge.seed",
        }
        files = [
            f"--{option}={folder / name}"
            for option, name in {**names, "log-file": "munge.log"}.items()
        ]
        # --force: the test's folder is closed to others, which munged would refuse.
        self._start("munged", "--foreground", "--force", *files)
        self._start("slurmctld", "-D", "-i")
        self._start("slurmd", "-D", "-N", host)
        end = time.monotonic() + 60
        while self.call("sinfo", "--noheader", "--format=%T").strip() != "idle":
            assert time.monotonic() < end, self.log()
            time.sleep(0.5)

    def _start(self, *command: str) -> None:
        with (self._folder / f"{command[0]}.out").open("wb") as log:
            self._daemons.append(
                subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
            )

    def call(self, *command: str) -> str:
        """What one of SLURM's commands prints."""
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        ).stdout

    def log(self) -> str:
        return "\n".join(
            path.read_text(errors="replace")[-2000:] for path in self._folder.glob("*.out")
        )

    def job_of(self, run_dir: Path) -> str:
        """The id of the job that holds the lock of this cell."""
        for process in psutil.process_iter():
            try:
                if any(file.path == str(run_dir / ".lock") for file in process.open_files()):
                    names = ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID")
                    return "_".join(process.environ()[name] for name in names)
            except psutil.Error:
                continue
        raise AssertionError(f"no process works in {run_dir}")

    def stop(self) -> None:
        self.call("scancel", "--signal=KILL", "--user=root")
        for daemon in reversed(self._daemons):
            steps = (
                psutil.Process(daemon.pid).children(recursive=True) if daemon.poll() is None else []
            )
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
            for step in steps:
                if step.is_running():
                    step.kill()


@pytest.fixture
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    slurm = Slurm(tmp_path_factory.mktemp("slurm"))
    yield slurm
    slurm.stop()


@pytest.fixture
def sweep(small: tuple[str, ...], tmp_path: Path) -> Iterator[Sweep]:
    """The sweep, not started; a core a job, so that two are at work."""
    sweep = Sweep(tmp_path, small, "slurm")
    sweep.overrides += (
        "hydra.launcher.partition=main",
        "hydra.launcher.cpus_per_task=1",
        "hydra.launcher.mem_gb=1",
    )
    yield sweep
    sweep.stop()


def test_a_job_is_cancelled_and_the_same_command_completes_the_sweep(
    slurm: Slurm, sweep: Sweep
) -> None:
    sweep.start(slurm.environment)
    until(lambda: len(sweep.at_work()) == 2, sweep)
    lost = sweep.at_work()[0]
    slurm.call("scancel", slurm.job_of(lost))
    assert sweep.wait() == 2, sweep.log()
    assert f"error: {lost.name}: interrupted" in sweep.log()
    finished = {run_dir: (run_dir / "summary.json").stat().st_mtime for run_dir in sweep.finished()}
    assert len(finished) == 2 and lost not in finished  # the others were not sunk
    sweep.start(slurm.environment)
    assert sweep.wait() == 0, sweep.log()
    sweep.check_finished()
    assert (
        finished.items()
        <= {
            run_dir: (run_dir / "summary.json").stat().st_mtime for run_dir in sweep.finished()
        }.items()
    )
    sweep.check_same_bytes(lost)
