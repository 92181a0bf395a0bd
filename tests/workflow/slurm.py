"""A real Slurm on this machine, for tests: `python tests/workflow/slurm.py install | start | stop | crash NODE`.

munge, slurmctld and one slurmd per virtual node run on the loopback interface, without systemd and without a database.
Root is needed. Everything lies in one folder (`SEBENCH_SLURM`, default /var/tmp/sebench-slurm) but the links in
/etc/slurm, where the client tools of a job step look; `stop` removes these, because a configuration without a
controller slows down every later start of Snakemake by ten seconds.

Nodes: c1 (partition cpu), g1 and g2 (partitions gpu and gpulow, one GPU each; jobs of gpu preempt those of gpulow).
The GPUs are null devices with the names of real ones: Slurm counts, grants and enforces them alike.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
CPU_NODES = ("c1",)
GPU_NODES = ("g1", "g2")
NODES = CPU_NODES + GPU_NODES
SYSTEM = Path("/etc/slurm")
LINKED = ("slurm.conf", "gres.conf")
#: The account that this cluster refuses, as one with a database of accounts would.
NO_ACCOUNT = "nobody"
SUBMIT_LUA = f"""\
function slurm_job_submit(job, partitions, uid)
    if job.account == "{NO_ACCOUNT}" then return slurm.ESLURM_INVALID_ACCOUNT or 2045 end
    return slurm.SUCCESS
end
function slurm_job_modify(job, record, partitions, uid)
    return slurm.SUCCESS
end
"""
#: Seconds between SIGTERM and SIGKILL of a preempted job.
GRACE_SECONDS = 20


class SlurmAbsent(Exception):
    """A Slurm of our own cannot be started here; the text says why."""


class Slurm:
    """One such cluster.

    Args:
        root: its folder, which nobody else may write to.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or Path(os.environ.get("SEBENCH_SLURM", "/var/tmp/sebench-slurm"))
        self.conf = self.root / "etc" / "slurm.conf"

    # Up and down

    def start(self) -> None:
        """Start what does not run yet and wait until every node is idle.

        Raises:
            SlurmAbsent: not root, not installed, or a Slurm that is not ours is configured.
        """
        self._check()
        for name in ("etc", "run", "log", "state", "dev", *(f"spool/{node}" for node in NODES)):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o755)
        self._write_configuration()
        self._link()
        os.environ["SLURM_CONF"] = str(self.conf)
        if not self.alive("munged"):
            self._start_munge()
        if not self.alive("slurmctld"):
            _run("slurmctld")
        for node in NODES:
            self.start_node(node)
        wait_for(lambda: set(self.node_states().values()) == {"idle"}, 60, "nodes are not idle", self.node_states)

    def start_node(self, node: str) -> None:
        """Start a node's daemon, if it does not run."""
        if not self.alive(f"slurmd-{node}", "slurmd"):
            _run("slurmd", "-N", node)

    def stop(self) -> None:
        """Cancel all jobs, end every daemon that this folder's pid files name, and remove the links."""
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            if self.alive("slurmctld"):
                subprocess.run(["scancel", "-u", "root"], capture_output=True, timeout=10, env=self.environment())
                time.sleep(1)
        for name in (*(f"slurmd-{node}" for node in NODES), "slurmctld", "munged"):
            self._end(name)
        for path in (SYSTEM / name for name in LINKED):
            if path.is_symlink() and path.readlink().is_relative_to(self.root):
                path.unlink()
        os.environ.pop("SLURM_CONF", None)
        shutil.rmtree(self.root, ignore_errors=True)

    def crash(self, node: str) -> None:
        """A node loses its power: its daemons end first, so that none can report, then all they started."""
        steps = [pid for job in self.jobs(f"-w{node}", "-tR") for pid in _pids(f"slurmstepd: [{job}.")]
        below = [pid for step in steps for pid in _descendants(step)]
        for pid in (self.pid(f"slurmd-{node}"), *steps, *below):
            _kill(pid, signal.SIGKILL)

    def kill_daemon(self, node: str) -> None:
        """A node's daemons die and its payload goes on, which nobody sees from outside."""
        steps = [pid for job in self.jobs(f"-w{node}", "-tR") for pid in _pids(f"slurmstepd: [{job}.")]
        for pid in (self.pid(f"slurmd-{node}"), *steps):
            _kill(pid, signal.SIGKILL)

    # Looking

    def environment(self) -> dict[str, str]:
        """The environment of a user of this cluster."""
        return {**os.environ, "SLURM_CONF": str(self.conf)}

    def ask(self, *command: str) -> str:
        """What a client tool says."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=self.environment(), check=True)
        return done.stdout

    def node_states(self) -> dict[str, str]:
        """Node -> short state."""
        try:
            lines = self.ask("sinfo", "-h", "-N", "-o", "%N %t").splitlines()
        except subprocess.SubprocessError:
            return {}
        return dict(line.split() for line in lines)

    def jobs(self, *filters: str) -> list[str]:
        """Numbers of the jobs in the queue."""
        return self.ask("squeue", "-h", "-o", "%A", *filters).split()

    def records(self) -> list[dict[str, str]]:
        """All jobs that the controller remembers, with the fields of `scontrol show job`."""
        found = []
        for line in self.ask("scontrol", "-o", "show", "job").splitlines():
            pairs = (word.partition("=") for word in line.split(" ") if "=" in word)
            found.append({key: value for key, _, value in pairs})
        return [record for record in found if "JobId" in record]

    def pid(self, name: str) -> int:
        """The recorded process of a daemon; 0 for none."""
        try:
            return int((self.root / "run" / f"{name}.pid").read_text())
        except (OSError, ValueError):
            return 0

    def alive(self, name: str, process: str = "") -> bool:
        """Whether a daemon that this folder's pid file names runs."""
        try:
            found, _, rest = Path(f"/proc/{self.pid(name)}/stat").read_text().rpartition(")")
        except OSError:
            return False
        return found.endswith(f"({process or name}") and rest.split()[0] not in "ZX"

    # Parts of the start

    def _check(self) -> None:
        if os.geteuid() != 0:
            raise SlurmAbsent("only root can start a Slurm of its own")
        for program in ("slurmctld", "slurmd", "munged", "sbatch"):
            if shutil.which(program) is None:
                raise SlurmAbsent(f"{program} is not installed: python tests/workflow/slurm.py install")
        for path in (SYSTEM / name for name in LINKED if (SYSTEM / name).exists()):
            if not (path.is_symlink() and path.readlink().is_relative_to(self.root)):
                raise SlurmAbsent(f"{path} is there: this machine is part of a cluster")

    def _link(self) -> None:
        SYSTEM.mkdir(exist_ok=True)
        for name in LINKED:
            link = SYSTEM / name
            link.unlink(missing_ok=True)
            link.symlink_to(self.root / "etc" / name)

    def _start_munge(self) -> None:
        key = self.root / "etc" / "munge.key"
        if not key.exists():
            key.touch(0o600)
            key.write_bytes(os.urandom(1024))
            key.chmod(0o400)
        run = self.root / "run"
        _run(
            "munged", "--force", f"--socket={run / 'munge.socket'}", f"--key-file={key}",
            f"--pid-file={run / 'munged.pid'}", f"--log-file={self.root / 'log' / 'munged.log'}",
            f"--seed-file={run / 'munged.seed'}",
        )  # fmt: skip

    def _write_configuration(self) -> None:
        host = socket.gethostname().partition(".")[0]
        gpus = []
        for number, node in enumerate(GPU_NODES):
            device = self.root / "dev" / f"nvidia{number}"  # Slurm reads the index from the end of the name
            if not device.exists():
                os.mknod(device, 0o20666, os.makedev(1, 3))
            gpus.append(f"NodeName={node} Name=gpu File={device}\n")
        (self.root / "etc" / "gres.conf").write_text("".join(gpus), encoding="utf-8")
        (self.root / "etc" / "job_submit.lua").write_text(SUBMIT_LUA, encoding="utf-8")
        common = f"NodeHostname={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=9000 State=UNKNOWN"
        lines = [
            "ClusterName=sebench",
            f"SlurmctldHost={host}(127.0.0.1)",
            "SlurmUser=root",
            "SlurmdUser=root",
            "AuthType=auth/munge",
            "CryptoType=crypto/munge",
            # short: the time that a credential is valid is the time for which a requeued job must wait
            f"AuthInfo=socket={self.root}/run/munge.socket,cred_expire=10",
            "SlurmctldPort=16817",
            f"SlurmctldPidFile={self.root}/run/slurmctld.pid",
            f"SlurmctldLogFile={self.root}/log/slurmctld.log",
            f"SlurmdPidFile={self.root}/run/slurmd-%n.pid",
            f"SlurmdLogFile={self.root}/log/slurmd-%n.log",
            f"SlurmdSpoolDir={self.root}/spool/%n",
            f"StateSaveLocation={self.root}/state",
            "ProctrackType=proctrack/linuxproc",
            "TaskPlugin=task/none",
            "MpiDefault=none",
            "SwitchType=switch/none",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_Core_Memory",
            "SlurmdParameters=config_overrides",
            "SchedulerType=sched/backfill",
            "SchedulerParameters=sched_interval=2,sched_min_interval=0,batch_sched_delay=0,defer_batch,bf_interval=2",
            "GresTypes=gpu",
            "JobSubmitPlugins=lua",
            "ReturnToService=2",
            "JobRequeue=1",
            "MinJobAge=86400",  # squeue must remember what ended
            "KillWait=5",
            "SlurmctldTimeout=30",
            "SlurmdTimeout=20",
            "BatchStartTimeout=20",
            "MessageTimeout=10",
            "PreemptType=preempt/partition_prio",
            "PreemptMode=REQUEUE",
            "JobAcctGatherType=jobacct_gather/linux",
            "JobAcctGatherFrequency=3",
            "JobAcctGatherParams=OverMemoryKill",
            "AccountingStorageType=accounting_storage/none",
            *(f"NodeName={node} Port={17001 + n} {common}" for n, node in enumerate(CPU_NODES)),
            *(f"NodeName={node} Port={17101 + n} Gres=gpu:1 {common}" for n, node in enumerate(GPU_NODES)),
            f"PartitionName=cpu Nodes={','.join(CPU_NODES)} Default=YES State=UP PriorityTier=10 PreemptMode=OFF",
            f"PartitionName=gpu Nodes={','.join(GPU_NODES)} State=UP PriorityTier=10 PreemptMode=OFF",
            f"PartitionName=gpulow Nodes={','.join(GPU_NODES)} State=UP PriorityTier=1 PreemptMode=REQUEUE "
            f"GraceTime={GRACE_SECONDS}",
        ]
        self.conf.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _end(self, name: str) -> None:
        process = name.partition("-")[0]
        if not self.alive(name, process):
            return
        pid = self.pid(name)
        _kill(pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            wait_for(lambda: not self.alive(name, process), 15, f"{name} does not end")
        if self.alive(name, process):
            _kill(pid, signal.SIGKILL)


def install() -> None:
    """Debian's packages, without starting their services."""
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
        policy.chmod(0o755)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    finally:
        if ours:
            policy.unlink()


def wait_for(condition: object, seconds: float, what: str, show: object = None) -> None:
    """Look again and again until `condition()`; `show()` tells how it is.

    Raises:
        TimeoutError: it did not become so.
    """
    give_up = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > give_up:
            state = f": {show()}" if callable(show) else ""
            raise TimeoutError(f"waited {seconds:g} s in vain: {what}{state}")
        time.sleep(0.2)


def _run(*command: str) -> None:
    # no pipes: a daemon would keep them open
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60)


def _kill(pid: int, number: signal.Signals) -> None:
    if pid > 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _pids(title: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().decode(errors="replace").startswith(title):
                found.append(int(path.parts[2]))
    return found


def _descendants(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield int(child)
                yield from _descendants(int(child))


def main() -> None:
    """The command line."""
    slurm = Slurm()
    match sys.argv[1:]:
        case ["install"]:
            install()
        case ["start"]:
            slurm.start()
            print(slurm.ask("sinfo", "-N", "-o", "%N %P %t %c %m %G"), end="")
            print(f"export SLURM_CONF={slurm.conf}")
        case ["stop"]:
            slurm.stop()
        case ["crash", node]:
            slurm.crash(node)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main()
    except SlurmAbsent as error:
        sys.exit(f"no Slurm: {error}")
