"""One writer per state folder (guarantee 8 of the design).

A lease is a generation: the record `lease-000003.json`, which exactly one process can make (`sebench.process.once`).
The newest generation holds the folder. Its owner beats a counter in `beat-000003` about once a second; who waits for
the lease takes over where the owner is dead: its pid is gone (or belongs to a process that started at another time) on
the same host, or its counter stood still for `timeout` seconds on the observer's own clock. No clock is ever compared
with another machine's.

An owner that was only asleep may wake up later. It therefore writes in `attempt-<generation>/`, which nobody
else writes to, and calls `check` before it publishes.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import re
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sebench.errors import RestartNeeded
from sebench.process.once import make_once, read_record
from sebench.process.workers import process_start

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 60.0
WAIT_SECONDS = 3600.0
BEAT_SECONDS = 1.0
RELEASED = "released"
_LEASE_NAME = re.compile(r"lease-(\d{6})\.json")


class LeaseLost(RestartNeeded):
    """Another process has taken over: this one must not publish anything."""


class ArtefactFinished(RestartNeeded):
    """While waiting for the lease, what it protects was finished by its holder: nothing is left to do."""


class Lease:
    """The right to write in a state folder.

    Args:
        folder: the state folder; made if it is not there.
        timeout: seconds for which a counter must stand still before its owner counts as dead.
        wait_seconds: how long `acquire` waits for a live owner.
        beat_seconds: interval of the counter, and of looking at another owner's counter.

    Example:
        with Lease(state).acquire() as held:
            ...  # write in held.attempt_folder
            held.check()
            ...  # publish
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        self.folder = Path(folder)
        self.timeout = timeout
        self.wait_seconds = wait_seconds
        self.beat_seconds = beat_seconds

    def acquire(
        self,
        finished: Callable[[], bool] | None = None,
        waiting: Callable[[dict[str, Any]], None] | None = None,
    ) -> Held:
        """Take the lease, waiting for a live owner and taking over from a dead one.

        Args:
            finished: asked while waiting; says whether the artefact is complete.
            waiting: told the owner once, when it has shown that it lives; may raise RestartNeeded to do something
                else meanwhile.

        Raises:
            ArtefactFinished: the owner finished the artefact while this process waited.
            RestartNeeded: the owner was still alive after `wait_seconds`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        give_up = time.monotonic() + self.wait_seconds
        observer = _Observer(self.folder, self.timeout)
        while True:
            generation = newest_generation(self.folder)
            if generation == 0 or observer.is_free(generation):
                held = self._claim(generation + 1)
                if held is not None:
                    return held
                continue
            if finished is not None and finished():
                raise ArtefactFinished(f"{self.folder}: finished by {observer.describe(generation)}")
            if waiting is not None and observer.beats:
                waiting(observer.owner(generation))
                waiting = None
            if time.monotonic() >= give_up:
                raise RestartNeeded(
                    f"{self.folder}: still being written by {observer.describe(generation)} after waiting "
                    f"{self.wait_seconds:.0f} s; start this step again later"
                )
            time.sleep(min(self.beat_seconds, 1.0))

    def _claim(self, generation: int) -> Held | None:
        owner = _identity()
        text = json.dumps(owner, sort_keys=True)
        if not make_once(_lease_path(self.folder, generation), text):
            return None
        return Held(self.folder, generation, owner["owner"], self.beat_seconds)


class Held:
    """A lease that this process holds; a context manager that releases it.

    Args:
        folder: the state folder.
        generation: number of the lease; greater than that of every earlier owner.
        owner: this owner's UUID.
        beat_seconds: interval of the counter.
    """

    def __init__(
        self,
        folder: Path,
        generation: int,
        owner: str,
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        self.folder = folder
        self.generation = generation
        self.owner = owner
        self._beat_path = folder / f"beat-{generation:06d}"
        self._beat_seconds = beat_seconds
        self._stop = threading.Event()
        self._write_beat("0")
        self._thread = threading.Thread(target=self._beat, name=f"lease-{generation}", daemon=True)
        self._thread.start()

    @property
    def attempt_folder(self) -> Path:
        """Where this generation, and no other, writes; made on first use."""
        folder = attempt_path(self.folder, self.generation)
        folder.mkdir(exist_ok=True)
        return folder

    def previous_attempts(self) -> list[Path]:
        """Attempt folders of earlier generations that exist, newest first."""
        candidates = (attempt_path(self.folder, number) for number in range(self.generation - 1, 0, -1))
        return [folder for folder in candidates if folder.is_dir()]

    def check(self) -> None:
        """Call before publishing. Between it and a rename a takeover is still possible; bytes are then equal anyway.

        Raises:
            LeaseLost: there is a newer generation.
        """
        # A change to the folder makes an NFS client forget its cached listing.
        probe = self.folder / f".check-{self.owner}"
        probe.touch()
        probe.unlink(missing_ok=True)
        newest = newest_generation(self.folder)
        if newest != self.generation:
            raise LeaseLost(
                f"{self.folder}: generation {newest} has taken over from this process (generation {self.generation}); "
                f"nothing was published"
            )

    def release(self) -> None:
        """Stop the counter and let the next process in at once."""
        self._stop.set()
        self._thread.join()
        with contextlib.suppress(OSError):  # then the next one waits for the timeout
            self._write_beat(RELEASED)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _beat(self) -> None:
        counter = 0
        while not self._stop.wait(self._beat_seconds):
            counter += 1
            try:
                self._write_beat(str(counter))
            except OSError as error:
                log.warning("%s: cannot beat: %s", self._beat_path, error)

    def _write_beat(self, text: str) -> None:
        # In place and of fixed width: a reader never finds less than one whole value.
        handle = os.open(self._beat_path, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            os.pwrite(handle, f"{text:<20}".encode(), 0)
        finally:
            os.close(handle)


class _Observer:
    """Watches the newest generation's owner on this process's own monotonic clock."""

    def __init__(self, folder: Path, timeout: float) -> None:
        self.folder = folder
        self.timeout = timeout
        self._generation = 0
        self._counter: str | None = None
        self._looked = 0.0
        self._still_seconds = 0.0
        self.beats = False  # whether the owner's counter has moved while this observer looked

    def is_free(self, generation: int) -> bool:
        """Whether that generation was released or its owner is dead."""
        counter = self._read_counter(generation)
        if counter == RELEASED:
            return True
        if is_dead_here(self.owner(generation)):
            log.info(
                "%s: its writer (%s) is dead: taking over",
                self.folder,
                self.describe(generation),
            )
            return True
        now = time.monotonic()
        if generation != self._generation or counter != self._counter:
            self.beats = generation == self._generation
            self._generation, self._counter, self._still_seconds = generation, counter, 0.0
        else:
            # Capped: where this process itself was frozen, so perhaps was the owner.
            self._still_seconds += min(now - self._looked, 5.0)
        self._looked = now
        if self._still_seconds >= self.timeout:
            log.info(
                "%s: no sign of life from %s: taking over",
                self.folder,
                self.describe(generation),
            )
            return True
        return False

    def describe(self, generation: int) -> str:
        """The owner, for messages."""
        owner = self.owner(generation)
        job = f", Slurm job {owner['slurm_job_id']}" if owner.get("slurm_job_id") else ""
        return f"process {owner.get('pid', '?')} on {owner.get('host', '?')}{job}"

    def owner(self, generation: int) -> dict[str, Any]:
        """What that generation's owner wrote about itself; empty where it cannot be read."""
        try:
            found = json.loads(read_record(_lease_path(self.folder, generation)) or "{}")
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _read_counter(self, generation: int) -> str:
        try:
            return (self.folder / f"beat-{generation:06d}").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return ""


def newest_generation(folder: Path) -> int:
    """Number of the newest lease in a folder, 0 if there is none."""
    found = (_LEASE_NAME.fullmatch(path.name) for path in folder.iterdir())
    return max((int(match[1]) for match in found if match), default=0)


def attempt_path(folder: Path, generation: int) -> Path:
    """The folder in which that generation writes."""
    return folder / f"attempt-{generation:06d}"


def is_dead_here(owner: dict[str, Any]) -> bool:
    """Whether an owner ran on this host (same boot, same pid namespace) and its process is gone."""
    return bool(owner) and owner.get("machine") == _machine() and process_start(owner["pid"]) != owner["pid_started"]


def _lease_path(folder: Path, generation: int) -> Path:
    return folder / f"lease-{generation:06d}.json"


def _identity() -> dict[str, Any]:
    return {
        "owner": uuid.uuid4().hex,
        "host": platform.node(),
        "machine": _machine(),
        "pid": os.getpid(),
        "pid_started": process_start(os.getpid()),
        "slurm_job_id": os.environ.get("SLURM_JOB_ID", ""),
    }


def _machine() -> str:
    """Host, boot and pid namespace: within one of these, a pid means something."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return f"{platform.node()}:{uuid.getnode()}"
    return f"{platform.node()}:{boot}:{namespace}"
