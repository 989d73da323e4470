"""A Slurm of one node on loopback: munged, slurmctld and slurmd, with files of their own."""

import os
import pwd
import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness import free_port, wait_for
from system import end_process, program

_CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
# Nothing of cgroups, which the machine may not let us use.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
KillWait=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# Jobs tell the hub the name of their node, and this one is loopback everywhere.
NodeName=localhost NodeHostname={host} NodeAddr=127.0.0.1 CPUs=1 RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:8
"""


@dataclass(frozen=True)
class Slurm:
    """A running cluster; ``configuration`` is what its commands need as ``SLURM_CONF``."""

    configuration: Path

    def ask(self, *command: str) -> str:
        """What a command of the cluster says."""
        environment = {**os.environ, "SLURM_CONF": str(self.configuration)}
        path = program(command[0], "slurm-client")
        done = subprocess.run(
            [path, *command[1:]], env=environment, capture_output=True, text=True, timeout=60
        )
        return done.stdout.strip()

    def jobs(self) -> list[str]:
        """``STATE USER`` of all jobs that are not over."""
        return [line.strip() for line in self.ask("squeue", "-h", "-o", "%T %u").splitlines()]


@contextmanager
def running_slurm(folder: Path) -> Iterator[Slurm]:
    """A cluster of one idle node, until the end of the block."""
    host = socket.gethostname().partition(".")[0]
    user = pwd.getpwuid(os.geteuid()).pw_name
    configuration = folder / "slurm.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            host=host,
            user=user,
            folder=folder,
            ctld_port=free_port(),
            slurmd_port=free_port(),
        )
    )
    key = folder / "munge.key"
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(128))
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    environment = {**os.environ, "SLURM_CONF": str(configuration)}
    slurm = Slurm(configuration)
    with ExitStack() as daemons:

        def start(*command: str) -> None:
            log = daemons.enter_context((folder / f"{Path(command[0]).name}.log").open("wb"))
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            daemons.callback(end_process, process)

        munge = [f"--{name}={folder}/munge.{name[:3]}" for name in ("log-file", "seed-file")]
        start(
            *(program("munged", "munge"), "--force", "--foreground", *munge),
            *(f"--key-file={key}", f"--pid-file={folder}/munge.pid"),
            f"--socket={folder}/munge.socket",
        )
        wait_for("munged", (folder / "munge.socket").exists)
        start(program("slurmctld", "slurmctld"), "-D")
        start(program("slurmd", "slurmd"), "-D", "-N", "localhost")
        try:
            wait_for("an idle node", lambda: slurm.ask("sinfo", "-h", "-o", "%t") == "idle", 60)
            yield slurm
        finally:
            slurm.ask("scancel", "--full", "--state=RUNNING")
            slurm.ask("scancel", "--state=PENDING")
