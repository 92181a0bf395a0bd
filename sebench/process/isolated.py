"""Processes that may die: native code that crashes, or never returns, costs its one task, and says so."""

from __future__ import annotations

import multiprocessing
import queue
import signal
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Literal, Self

from sebench.errors import SebenchError
from sebench.process.workers import state_and_processor_time

#: How much longer than its limit of processor time a task may sleep: a deadlock uses none, and so does a program that
#: it waits for.
SLEEP = 10
#: What a process is ended by for what it did itself, and not by a person or by a machine without memory.
CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL})


class WorkerDied(SebenchError):
    """The process that a task ran in ended before the task did.

    Args:
        exit_code: of the process; a signal's number with a minus.
    """

    def __init__(self, exit_code: int) -> None:
        self.crashed = exit_code >= 0 or -exit_code in CRASHES
        how = f"with exit status {exit_code}" if exit_code >= 0 else f"by {_signal_name(-exit_code)}"
        super().__init__(f"the process that computed it was ended {how}")


class NoAnswer(WorkerDied):
    """A task did not return in its time, and its process was ended.

    Args:
        limit: of the task, in seconds of processor time.
        slept: whether it slept for `SLEEP` times as long instead of computing.
    """

    def __init__(self, limit: float, slept: bool) -> None:
        self.crashed = True
        told = f"{SLEEP * limit:g} s, in which it slept" if slept else f"{limit:g} s of processor time"
        SebenchError.__init__(self, f"no answer within {told}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@dataclass(frozen=True)
class _Task:
    """What is to be computed, in how much of a process's time, and where its result goes."""

    future: Future[Any]
    limit: float
    function: Callable[..., Any]
    args: tuple[Any, ...]


class IsolatedPool:
    """Processes that compute one task after another; one that dies is replaced.

    A task whose process died is computed once more in a new one: memory that an earlier task damaged may kill a later
    one. `Future.result` raises `WorkerDied` where the second process died too. A process whose task does not return is
    ended, which is the same: `NoAnswer`. What counts is the process's own time, so that neither a loaded machine, nor
    a job or a laptop that is suspended, uses a task's time up.

    Args:
        workers: processes, at least one; each starts with its first task.
        initializer, initargs: called once in each process.
        method: "fork", or "spawn" where the parent's threads must not be copied.

    Use it as a context: the processes end with it, and what was not begun is cancelled.
    """

    def __init__(
        self,
        workers: int,
        initializer: Callable[..., None],
        initargs: tuple[Any, ...] = (),
        method: Literal["fork", "spawn"] = "fork",
    ) -> None:
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._processes: list[BaseProcess] = []
        self._threads: list[threading.Thread] = []
        self._workers = max(1, workers)
        self._closed = threading.Event()
        self._setup = (self._closed, multiprocessing.get_context(method), initializer, initargs)
        weakref.finalize(self, _kill, self._processes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, limit: float, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Compute `function(*args)` in a process; of both and of the result a copy is sent.

        Args:
            limit: seconds of processor time until an answer; what sleeps has `SLEEP` times as long. A process has the
                same again to start.
        """
        future: Future[Any] = Future()
        self._tasks.put(_Task(future, limit, function, args))
        if len(self._threads) < self._workers:
            thread = threading.Thread(target=_drive, args=(self._tasks, self._processes, *self._setup), daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def close(self) -> None:
        """End the processes; what they have not begun is cancelled."""
        while not self._tasks.empty():
            task = self._tasks.get()
            if task is not None:
                task.future.cancel()
        for _ in self._threads:
            self._tasks.put(None)
        self._closed.set()
        with _starting:
            _kill(self._processes)
        for thread in self._threads:
            thread.join()
        self._threads.clear()


#: One process starts at a time: a fork between the making of another's pipe and its closing would keep that open.
_starting = threading.Lock()


def _drive(
    tasks: queue.SimpleQueue[_Task | None],
    processes: list[BaseProcess],
    closed: threading.Event,
    context: Any,
    initializer: Callable[..., None],
    initargs: tuple[Any, ...],
) -> None:
    """One process's side in the parent, in a thread: hand it tasks, and replace it when it dies."""
    worker: tuple[BaseProcess, Connection] | None = None
    while (task := tasks.get()) is not None:
        future = task.future
        if not future.set_running_or_notify_cancel():
            continue
        for last in (False, True):
            fresh = worker is None
            worker = worker or _start(closed, context, processes, initializer, initargs)
            if worker is None:
                future.set_exception(WorkerDied(-signal.SIGKILL))
                break
            process, connection = worker
            try:
                if fresh:
                    _receive(process, connection, task.limit)
                connection.send((task.function, task.args))
                done, result = _receive(process, connection, task.limit)
            except (EOFError, ConnectionError, NoAnswer) as error:
                process.join()
                connection.close()
                worker = None
                if last or closed.is_set():
                    future.set_exception(error if isinstance(error, NoAnswer) else WorkerDied(process.exitcode or 0))
                    break
            except Exception as error:  # what cannot be sent; the process waits for the next
                future.set_exception(error)
                break
            else:
                future.set_result(result) if done else future.set_exception(result)
                break
    if worker is not None:
        worker[1].close()


def _receive(process: BaseProcess, connection: Connection, limit: float) -> Any:
    """What the process sends next.

    Time asleep is counted in looks at the process, each of which is worth no more than the time between two: while
    this process is stopped, nobody looks. A stopped process, and one that waits for a disk, does not sleep.

    Raises:
        EOFError: the process is dead, also where one that it started keeps the pipe open.
        NoAnswer: nothing in `limit`; the process was ended.
    """
    pause = min(1.0, limit / 4)
    _, begun = state_and_processor_time(process.pid)
    used, slept = begun, 0.0
    while not connection.poll(pause):
        state, now = state_and_processor_time(process.pid)
        if state == "Z" and not connection.poll():
            raise EOFError
        slept += max(0.0, pause - (now - used)) if state == "S" else 0.0
        used = now
        if now - begun > limit or slept > SLEEP * limit:
            process.kill()
            raise NoAnswer(limit, slept=now - begun <= limit)
    return connection.recv()


def _start(
    closed: threading.Event,
    context: Any,
    processes: list[BaseProcess],
    initializer: Callable[..., None],
    initargs: tuple[Any, ...],
) -> tuple[BaseProcess, Connection] | None:
    """A new process and the parent's end of its pipe; None where the pool is closed."""
    with _starting:
        if closed.is_set():
            return None
        own, other = context.Pipe()
        process = context.Process(target=_serve, args=(other, initializer, initargs))
        process.start()
        other.close()
        processes.append(process)
    return process, own


def _kill(processes: list[BaseProcess]) -> None:
    ended, processes[:] = list(processes), []
    for process in ended:
        process.kill()
    for process in ended:
        process.join()


def _serve(connection: Connection, initializer: Callable[..., None], initargs: tuple[Any, ...]) -> None:
    """The process: says that it is ready; then tasks in, (whether it is a result, result or exception) out."""
    unfit: Exception | None = None
    try:
        initializer(*initargs)
    except Exception as error:  # the answer to each task: a process that ended would look like a crash
        unfit = error
    connection.send(None)
    while True:
        try:
            function, args = connection.recv()
        except EOFError:
            return
        answer: tuple[bool, Any]
        try:
            answer = (True, function(*args)) if unfit is None else (False, unfit)
        except Exception as error:
            answer = (False, error)
        try:
            connection.send(answer)
        except (AttributeError, TypeError, ValueError) as error:  # an exception or a value that cannot be pickled
            connection.send((False, SebenchError(f"{type(answer[1]).__name__}: {answer[1]} ({error})")))
