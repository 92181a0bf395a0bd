"""What Slurm has to do with a step: which job it runs in, back to the queue, and the jobs that are alive.

A step knows that it is the payload of a Slurm job by `SEBENCH_SLURM_JOB`, which the Snakemake of that job sets. The
plain `SLURM_JOB_ID` says less: a driver may itself run in a job, and its local steps must not send that one back.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sebench.errors import RestartNeeded, SebenchError, nearest

log = logging.getLogger(__name__)

JOB = "SEBENCH_SLURM_JOB"
#: Job names that the shipped profile gives (`slurm-jobname-prefix`).
PREFIX = "sebench"
_SECONDS = 60.0


def enter_job() -> None:
    """Called by the Snakemake of a job: its steps are the job's payload."""
    number = os.environ.get("SLURM_JOB_ID", "")
    if number:
        os.environ[JOB] = number


def job_id() -> str:
    """The Slurm job that this step is the payload of; "" for none."""
    return os.environ.get(JOB, "")


def grants_no_gpu() -> bool:
    """Whether this is a Slurm job without a GPU: one that the node has belongs to another job."""
    return bool(job_id()) and not os.environ.get("CUDA_VISIBLE_DEVICES")


def job_is_over(number: str) -> bool:
    """Whether a job is neither pending nor running; False where that cannot be asked."""
    if not number:
        return False
    done = _call("squeue", "-h", "-j", number, "-t", "PD,R,CF,CG,S", "-o", "%T")
    if done.returncode:  # forgotten, or a controller that does not answer
        return "Invalid job id" in done.stderr
    return not done.stdout.strip()


def requeue() -> bool:
    """Send this job back to the queue, which costs no retry. The same job, with the same id, starts again later.

    Returns:
        Whether it is on its way: not outside of a job, not where it was cancelled or ran out of time already, and not
        where the site or the profile (`slurm-no-requeue`) forbids it.
    """
    number = job_id()
    if not number or _ask("squeue", "-h", "-j", number, "-o", "%T").split() != ["RUNNING"]:
        return False
    done = _call("scontrol", "requeue", number)
    if done.returncode:
        log.warning("job %s cannot be requeued: %s", number, done.stderr.strip())
        return False
    log.info("job %s was sent back to the queue", number)
    return True


def step_aside(owner: Mapping[str, Any]) -> None:
    """Give back what this job was granted, where another job is at the same run: it is asked again later.

    Args:
        owner: of the lease, as it wrote it.

    Raises:
        RestartNeeded: this job is on its way back to the queue.
    """
    other = str(owner.get("slurm_job_id") or "")
    if other and job_id() and other != job_id() and requeue():
        raise RestartNeeded(f"job {other} is at this run: job {job_id()} went back to the queue meanwhile")


@dataclass(frozen=True)
class LiveJob:
    """A job in the queue: `what` is the rule and its wildcards, as the plugin comments its jobs."""

    number: str
    state: str
    what: str


def require_client() -> None:
    """Refuse to submit where Slurm cannot be asked.

    Raises:
        SebenchError: says what is missing.
    """
    missing = [program for program in ("sbatch", "squeue", "scancel", "sacct") if shutil.which(program) is None]
    if missing:
        raise SebenchError(
            f"no Slurm here: {', '.join(missing)} not found; start this where jobs are submitted (a login node), or "
            "leave out `--profile slurm` to compute on this machine"
        )


def check_folders(folders: Iterable[Path]) -> None:
    """Refuse folders whose names do not survive the way of a job through `sbatch --wrap` and `--output`: a shell would
    run them, and Slurm fill in its own numbers. Spaces, parentheses and letters of all languages do.

    Raises:
        SebenchError: names the folder and the characters.
    """
    for folder in folders:
        found = [sign for sign in dict.fromkeys(str(folder)) if sign in "'\"`$\\%{}\n"]
        if found:
            raise SebenchError(
                f"{folder}: Slurm's submission does not take {' '.join(found)} in the name of the working "
                "or the results folder; rename it, or compute on this machine (without `--profile slurm`)"
            )


@dataclass(frozen=True)
class Wish:
    """What a job asks for: a partition, or some with commas ("" for the cluster's default), and GPUs."""

    partition: str
    gpus: int


def check_wishes(wishes: Iterable[Wish]) -> None:
    """Refuse partitions that the cluster does not have, and GPUs of a partition that has none: `sbatch` would refuse
    each job, and Snakemake would not say why for jobs that are submitted together.

    Raises:
        SebenchError: names what there is.
    """
    gpus: dict[str, bool] = {}
    for line in _ask("sinfo", "-h", "-a", "-o", "%R|%G").splitlines():
        name, _, resources = line.partition("|")
        gpus[name] = gpus.get(name, False) or "gpu" in resources
    problems = []
    for wish in sorted(set(wishes), key=lambda wish: (wish.partition, wish.gpus)) if gpus else ():
        names = [name for name in wish.partition.split(",") if name]  # Slurm takes the one that starts first
        unknown = [name for name in names if name not in gpus]
        for name in unknown:
            near = nearest(name, gpus)
            hint = f"; did you mean {near!r}?" if near else ""
            problems.append(f"no partition {name!r}; this cluster has {', '.join(gpus)}{hint}")
        if wish.gpus and names and not unknown and not any(gpus[name] for name in names):
            having = ", ".join(name for name, some in gpus.items() if some) or "none"
            problems.append(f"partition {wish.partition!r} has no GPUs (those that have: {having}); or set `gpu: 0`")
    if problems:
        raise SebenchError("\n".join([*problems, "see the top of profiles/slurm/config.yaml, and docs/cluster.md"]))


def live_jobs(folder: Path) -> list[LiveJob]:
    """Jobs that an earlier driver submitted from a folder and that are pending or running."""
    found = []
    for line in _ask("squeue", "-h", "-u", str(os.getuid()), "-o", "%i|%T|%j|%k|%Z").splitlines():
        number, state, name, what, workdir = (line.split("|", 4) + [""] * 5)[:5]
        if name.startswith(f"{PREFIX}_") and Path(workdir).resolve() == folder.resolve():
            found.append(LiveJob(number, state, what))
    return found


def _ask(*command: str) -> str:
    """What a client tool prints; "" where it fails."""
    done = _call(*command)
    return done.stdout if done.returncode == 0 else ""


def _call(*command: str) -> subprocess.CompletedProcess[str]:
    """A client tool, run to its end; one that is absent or does not answer is one that failed."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("%s: %s", command[0], error)
        return subprocess.CompletedProcess(command, 1, "", str(error))
