"""`sebench run`: Snakemake started with a plan, watched, and cleaned up after where an earlier driver was killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sebench.artefacts import Node, Store
from sebench.errors import SebenchError
from sebench.files import write_json
from sebench.kinds import KINDS
from sebench.plan.packages import require
from sebench.plan.plan import Plan
from sebench.process.cluster import job_is_over
from sebench.process.machine import CACHE, make_workable
from sebench.process.once import make_once, read_record, remove_record
from sebench.process.workers import process_start
from sebench.run.failures import describe, failures


class DriverBusy(SebenchError):
    """Another driver works on this store."""


#: For so long a run without a terminal may say nothing; each time that this is over, it doubles.
QUIET_SECONDS = 10.0

#: Environment variable of everything that a driver starts: its pid, its start, the store.
MARK = "SEBENCH_DRIVER"


def claimed_by_parent(store: Store) -> bool:
    """Whether this is the Snakemake of a `sebench run` that has claimed the store."""
    return _marked_by(os.environ.get(MARK, ""), store) is True


def release(store: Store) -> None:
    """The store's driver ends; only its own record is removed."""
    path = _record(store)
    with contextlib.suppress(OSError):
        recorded = _recorded(path)
        if recorded is not None and recorded["pid"] == os.getpid():
            _grave(store).unlink(missing_ok=True)
            remove_record(path)


def _record(store: Store) -> Path:
    """The record that says which driver works on the store."""
    return store.root / "driver.json"


def _recorded(path: Path) -> dict[str, Any] | None:
    """What the record says; None where there is none.

    Raises:
        DriverBusy: it is no driver's record.
    """
    text = read_record(path)
    if text is None:
        return None
    try:
        value = json.loads(text)
        return {**value, "pid": int(value["pid"]), "start": str(value["start"]), "host": str(value["host"])}
    except (ValueError, TypeError, KeyError):
        raise DriverBusy(f"{path} is no driver's record; if no driver works on {path.parent}, remove it") from None


def _grave(store: Store) -> Path:
    """The record of a dead driver until one that replaced it has ended: it too may die before it cleared up."""
    return store.root / ".driver-died.json"


def claim(store: Store) -> bool:
    """Record this process as the store's driver, and end what a dead driver left running.

    Returns:
        Whether an earlier driver died on this store: only then is Snakemake's lock a dead one's.

    Raises:
        DriverBusy: the recorded driver is alive, or on another host, where that cannot be seen.
    """
    path = _record(store)
    mine = {"pid": os.getpid(), "start": process_start(os.getpid()), "host": os.uname().nodename}
    job = mine["slurm_job_id"] = os.environ.get("SLURM_JOB_ID", "")
    while not make_once(path, json.dumps(mine)):
        recorded = _recorded(path)
        if recorded is None:  # it was removed meanwhile
            continue
        where = f"process {recorded['pid']} on {recorded['host']}"
        other = recorded.get("slurm_job_id", "")
        requeued = bool(other) and (other == job or job_is_over(other))  # a driver that is itself a job
        if recorded["host"] != mine["host"] and not requeued:
            hint = f"if it is dead, remove {path}"
            raise DriverBusy(f"another driver ({where}) works on {store.root}; {hint}")
        if recorded["host"] == mine["host"] and recorded["start"] == process_start(recorded["pid"]):
            raise DriverBusy(f"another driver ({where}) works on {store.root}; wait for it or stop it")
        _bury(store, recorded)
    end_orphans(store)
    return _grave(store).exists()


def _bury(store: Store, dead: dict[str, object]) -> None:
    """Take a dead driver's record away, unless another one that starts now was faster."""
    path = _record(store)
    taken = path.with_name(f".driver-taken.{os.getpid()}.json")
    with contextlib.suppress(FileNotFoundError):
        path.replace(taken)
        if _recorded(taken) == dead:
            write_json(_grave(store), dead)
        else:  # the faster one's own
            make_once(path, read_record(taken) or "")
        remove_record(taken)


def mark(store: Store) -> str:
    """What this driver's children carry in their environment."""
    return f"{os.getpid()}:{process_start(os.getpid())}:{store.root.resolve()}"


def _marked_by(value: str, store: Store) -> bool | None:
    """Whether the driver that wrote this mark lives; None where it is none of a driver of this store."""
    pid, _, rest = value.partition(":")
    start, _, root = rest.partition(":")
    if not start or root != str(store.root.resolve()):
        return None
    return process_start(int(pid)) == start


def orphans(store: Store) -> list[int]:
    """Processes on this host that a driver of this store started and did not live to see end."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = path.read_bytes().split(b"\0")
        except OSError:
            continue
        value = next((v.decode(errors="replace") for v in variables if v.startswith(f"{MARK}=".encode())), "")
        dead = _marked_by(value.removeprefix(f"{MARK}="), store) is False
        if dead and process_start(int(path.parts[2])):
            found.append(int(path.parts[2]))
    return found


def end_orphans(store: Store, seconds: float = 30.0) -> None:
    """Stop what a dead driver left: its Snakemake would delete and write beside ours. Training saves its state."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in orphans(store):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        give_up = time.monotonic() + seconds
        while orphans(store):
            if time.monotonic() > give_up:
                break
            time.sleep(0.1)
        else:
            return


def snakemake_command(plans: Sequence[Plan], settings: dict[str, str], cores: str, extra: Sequence[str]) -> list[str]:
    """The command that a person could type."""
    return [sys.executable, "-m", "snakemake", "--config", *_pairs(settings), "--keep-going", "--cores", cores, *extra]


def _pairs(settings: dict[str, str]) -> list[str]:
    """Settings for Snakemake's `--config`, which takes quotes off both ends, reads `010` as 10 and the rest as YAML: a
    tag before the quoted text and a comment after it keep that a text."""
    return [f"{key}=!!str {json.dumps(value, ensure_ascii=False)} #" for key, value in settings.items()]


def unlock(settings: dict[str, str]) -> None:
    """Remove the lock of a Snakemake that was killed.

    Raises:
        SebenchError: it cannot be removed; says what Snakemake said.
    """
    locks = Path(".snakemake/locks")
    command = [sys.executable, "-m", "snakemake", "--config", *_pairs(settings), "--unlock"]
    for _ in range(3):  # what killed Snakemake may kill this one too, and nobody after us would know of the lock
        if not (locks.is_dir() and any(locks.iterdir())):
            return
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SebenchError(f"the lock of a Snakemake that was killed stays in {locks}: {done.stderr.strip()[-500:]}")


def _clear_up(store: Store, settings: dict[str, str]) -> None:
    """End what a dead driver left, where there is nothing else to do: its Snakemake may still be at its last lines."""
    with contextlib.suppress(DriverBusy, OSError):  # a store that may only be read is none to clear up
        try:
            if claim(store):
                unlock(settings)
        finally:
            release(store)


def missing(plans: Sequence[Plan], store: Store) -> list[Node]:
    """Nodes that are not complete, each once."""
    nodes = {key: node for plan in plans for key, node in plan.nodes.by_key.items()}
    return store.missing(nodes.values())


def run(plans: Sequence[Plan], store: Store, settings: dict[str, str], cores: str, extra: Sequence[str]) -> int:
    """Make everything that is missing, and show how far it is. Returns Snakemake's exit status.

    Raises:
        DriverBusy: another driver works on this store.
        MissingPackageError: something could not be trained.
    """
    todo = missing(plans, store)
    if not todo:
        if _record(store).exists():
            _clear_up(store, settings)
        print(f"nothing to do: all {sum(len(plan.nodes.by_key) for plan in plans)} artefacts are there")
        return 0
    require(todo)
    store.root.mkdir(parents=True, exist_ok=True)
    make_workable(CACHE)
    if claim(store):
        unlock(settings)
    for plan in plans:
        if not store.complete(plan.publication):  # a copy was deleted: its marker must not vouch for it
            for marker in store.outputs(plan.publication).values():
                marker.unlink(missing_ok=True)
    log = _log(store)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    command = snakemake_command(plans, settings, cores, extra)
    try:
        while True:
            since = time.time()
            status, interrupted = _snakemake(command, todo, store, log)
            left = missing(plans, store)
            # What waited for a job that made all that it should but one piece can go on without that one.
            if status <= 0 or interrupted or len(left) == len(todo) or not _possible(plans, left, store, since):
                break
            print("some could not be made, and are told of at the end: going on with what does not need them")
            todo = left
        if status < 0:  # Snakemake itself was killed: the lock that it left is ours to remove
            unlock(settings)
    finally:
        release(store)
    if status:
        _explain(log)
    return status


def _snakemake(command: list[str], todo: list[Node], store: Store, log: Path) -> tuple[int, bool]:
    """Run Snakemake to its end. Returns its exit status, and whether it was interrupted."""
    interrupted = False
    with log.open("a", encoding="utf-8") as sink:
        environment = {**os.environ, MARK: mark(store), "PYTHONUTF8": "1"}
        environment.pop("PYTHONIOENCODING", None)  # the terminal's; the log is UTF-8
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, env=environment)
        try:
            with _passing_on_sigterm(process):
                _watch(process, todo, store)
        except KeyboardInterrupt:
            interrupted = True
            print("interrupted: the jobs save their state and stop; the same command goes on from there")
            process.send_signal(signal.SIGINT)
            process.wait()
    return process.returncode, interrupted


def _possible(plans: Sequence[Plan], left: Sequence[Node], store: Store, since: float) -> bool:
    """Whether something could be made now that no job of this run has tried to make."""
    absent = {node.key for node in left}
    tried = {key for _, pieces in _tried(store, since) for key in pieces}
    waits = {node.key for plan in plans for node in left if getattr(plan.waits_for(node), "key", "") in absent}
    return any(node.key not in tried | waits and absent.isdisjoint(node.parents.values()) for node in left)


@contextlib.contextmanager
def _passing_on_sigterm(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C: the jobs are told, and this process ends after them."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _watch(process: subprocess.Popen[bytes], todo: list[Node], store: Store) -> None:
    if sys.stdout.isatty():
        from sebench.run.display import watch_live

        watch_live(process, todo, store)
        return
    remaining = {node.key: node for node in todo}
    clock, since = time.monotonic(), time.time()
    said, patience = clock, QUIET_SECONDS
    print(f"{len(todo)} artefacts to make; starting Snakemake, whose log is {_log(store)}", flush=True)
    while True:
        over = process.poll() is not None
        now = time.monotonic()
        for node in [node for node in remaining.values() if store.complete(node)]:
            del remaining[node.key]
            done = len(todo) - len(remaining)
            print(f"[{now - clock:5.0f} s] {done}/{len(todo)} {node.kind} {node.stem}", flush=True)
            said, patience = now, QUIET_SECONDS
        if over:
            return
        if now - said > patience:
            work = ", ".join(_at_work(remaining.values(), store, since)) or "Snakemake plans"
            print(f"[{now - clock:5.0f} s] {len(todo) - len(remaining)}/{len(todo)} at work: {work}", flush=True)
            said, patience = now, min(2 * patience, 300.0)
        time.sleep(0.5)


def _at_work(nodes: Iterable[Node], store: Store, since: float) -> list[str]:
    """Jobs of these nodes that have a log from this run: begun, and not done."""
    keys = {node.key for node in nodes}
    return [job for job, pieces in _tried(store, since) if not keys.isdisjoint(pieces)]


def _tried(store: Store, since: float) -> Iterator[tuple[str, Sequence[str]]]:
    """Jobs that have a log from this run, and the keys of what they make."""
    kinds = {kind.rule: kind for kind in KINDS.values()}
    for path in sorted((store.root / "logs").glob("*/*.log")):
        kind = kinds.get(path.parent.name)
        if kind is None or path.stat().st_mtime < since:
            continue
        key = f"{kind.name}:{path.stem.rpartition('-')[2]}"
        pieces = store.load(key).spec["pieces"] if kind.batch and store.knows(key) else [key]
        yield f"{path.parent.name} {path.stem}", pieces


def _log(store: Store) -> Path:
    """What Snakemake says."""
    return store.root / "logs" / "snakemake.log"


def _explain(log: Path) -> None:
    text = log.read_text(encoding="utf-8", errors="replace")
    print(f"\nSnakemake stopped with errors; its log is {log}", file=sys.stderr)
    found = failures(text)
    for line in describe(found, tail_lines=12) if found else text.splitlines()[-25:]:
        print(line, file=sys.stderr)
