"""One run on several devices of one machine: data-parallel training by a team of processes.

Rank 0 is the process that holds the lease: it validates, saves and publishes. The others follow: they hold the same
weights and optimiser state, are told each step's number and rate, and compute the gradient of their share of the
batch. The gradients are averaged over the team, so that every rank takes the step that one device would take on the
whole batch (up to the order of sums). A follower keeps nothing of its own: interrupting and resuming is rank 0's matter
alone.

Every rank draws the whole batch, which augmentations need, and the loss is reported for the whole batch too.
Statistics that a module keeps itself (batch normalisation) are those of rank 0's share.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sebench.config.specs import RunSpec
from sebench.errors import DataError, SebenchError
from sebench.estimate.batch import Batch
from sebench.process.workers import ignore_signals

if TYPE_CHECKING:
    from sebench.artefacts import Node, Store

_LOST = "a follower of this run ended with code {}: see above; the run goes on from its last save when started again"
#: What rank 0 says in place of a step.
_CLOSE, _MEET = -1, -2
#: Rank 0 validates while the others wait.
PATIENCE = timedelta(days=7)


class FollowerLost(SebenchError):
    """A process of the team is gone."""


class Team:
    """The processes that train one run; this base is a team of one, for which every method does nothing."""

    rank = 0
    size = 1

    def share(self, batch: Batch) -> Batch:
        """This rank's rows of a batch."""
        return batch

    def gather(self, values: Tensor) -> Tensor:
        """The values `(rows,)` of all ranks, in the order of the whole batch; without their gradients."""
        return values.detach()

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the ranks."""

    def lead(self, state: Callable[[], Sequence[Tensor]], step: int, factor: float) -> None:
        """Rank 0: let the others take part in a step of the stage whose tensors `state` gives."""

    def close(self) -> None:
        """Rank 0: the others may end."""


class Together(Team):
    """A rank of several.

    Args:
        rank: of this process.
        size: of the team.
        store: through which the ranks find each other.
        device: of this rank.
    """

    def __init__(self, rank: int, size: int, store: Any, device: torch.device) -> None:
        import torch.distributed as dist

        self.rank = rank
        self.size = size
        backend = "nccl" if device.type == "cuda" else "gloo"
        if device.type == "cuda":
            torch.cuda.set_device(device)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
        self._talk = dist.new_group(backend="gloo", timeout=PATIENCE)  # orders travel between CPUs
        self._met = False

    def share(self, batch: Batch) -> Batch:
        """Equal parts, in the order of the ranks."""
        rows = len(batch.noisy) // self.size
        return batch.rows(self.rank * rows, (self.rank + 1) * rows)

    def gather(self, values: Tensor) -> Tensor:
        """All parts, in the order of the ranks."""
        import torch.distributed as dist

        parts = [torch.empty_like(values) for _ in range(self.size)]
        dist.all_gather(parts, values.detach())
        return torch.cat(parts)

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """One sum over the team, of all gradients in a row."""
        import torch.distributed as dist

        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.size
        for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def lead(self, state: Callable[[], Sequence[Tensor]], step: int, factor: float) -> None:
        """Rank 0: say the step and its rate; before the first, share the weights."""
        if not self._met:  # resumed or fresh, the others begin where rank 0 is
            self._say(_MEET, 0.0)
            self.meet(state)
            self._met = True
        self._say(step, factor)

    def close(self) -> None:
        """Rank 0: say that there is no further step."""
        import torch.distributed as dist

        with contextlib.suppress(RuntimeError):  # a follower that died has been noticed elsewhere
            self._say(_CLOSE, 0.0)
        dist.destroy_process_group()

    def orders(self, state: Callable[[], Sequence[Tensor]]) -> Iterator[tuple[int, float]]:
        """A follower's steps and rate factors, until rank 0 closes the team."""
        while True:
            step, factor = self._say(0, 0.0)
            if step == _CLOSE:
                return
            if step == _MEET:
                self.meet(state)
            else:
                yield step, factor

    def meet(self, state: Callable[[], Sequence[Tensor]]) -> None:
        """Take over rank 0's weights and optimiser state; every rank calls this at the same time."""
        import torch.distributed as dist

        with torch.no_grad():
            for tensor in state():
                dist.broadcast(tensor, 0)

    def _say(self, step: int, factor: float) -> tuple[int, float]:
        import torch.distributed as dist

        words = torch.tensor([float(step), factor], dtype=torch.float64)
        dist.broadcast(words, 0, group=self._talk)
        return int(words[0]), float(words[1])


ALONE = Team()


def check_devices(devices: int, batch_size: int, available: int | None = None) -> None:
    """Refuse what cannot be trained.

    Args:
        devices: asked for.
        batch_size: of the stage.
        available: CUDA devices; None on the CPU, where every device is a process.

    Raises:
        DataError: the batch cannot be shared out, or there are fewer devices.
    """
    if batch_size % devices:
        raise DataError(f"a batch of {batch_size} on {devices} devices: choose a batch size that {devices} divides")
    if available is not None and devices > available:
        raise DataError(f"a run on {devices} devices: {available} are there or were granted")


def rank_device(device: torch.device, rank: int) -> torch.device:
    """The device of a rank: the rank-th CUDA device, or the CPU."""
    return torch.device("cuda", rank) if device.type == "cuda" else device


@contextlib.contextmanager
def team_of(node: Node, store: Store, device: torch.device) -> Iterator[Team]:
    """Rank 0's team for a run, with its followers started; they end with the context.

    Args:
        node: the run.
        store: where its parents are.
        device: of rank 0.

    Raises:
        DataError: see `check_devices`.
    """
    stage = RunSpec.of(node.spec).stage
    size = stage.devices
    check_devices(size, stage.batch_size, torch.cuda.device_count() if device.type == "cuda" else None)
    if size == 1:
        yield ALONE
        return
    tcp_store = torch.distributed.TCPStore  # type: ignore[attr-defined]
    meeting = tcp_store("127.0.0.1", 0, size, is_master=True, wait_for_workers=False, timeout=PATIENCE)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # one machine, whatever its name resolves to
    command = [sys.executable, "-m", "sebench.training.follower", node.stem, str(store.root)]
    numbers = [[str(number) for number in (meeting.port, rank, size, os.getpid())] for rank in range(1, size)]
    followers = [subprocess.Popen([*command, *each], preexec_fn=ignore_signals) for each in numbers]
    closing = threading.Event()
    try:
        for follower in followers:
            threading.Thread(target=_watch, args=(follower, closing), daemon=True).start()
        team = Together(0, size, meeting, device)
        try:
            yield team
        except RuntimeError as error:  # of a connection: either side may notice first that a follower is gone
            code = _ended(followers)
            if code is None:
                raise
            raise FollowerLost(_LOST.format(code)) from error
        finally:
            closing.set()
            team.close()
    finally:
        closing.set()
        for follower in followers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                follower.wait(10)
            follower.kill()
            follower.wait()


def _ended(followers: Sequence[subprocess.Popen[bytes]]) -> int | None:
    """The code of a follower that has ended, or ends within a few seconds."""
    for _ in range(50):
        codes = [code for follower in followers if (code := follower.poll()) is not None]
        if codes:
            return codes[0]
        time.sleep(0.1)
    return None


def _watch(follower: subprocess.Popen[bytes], closing: threading.Event) -> None:
    """End this process when a follower fails: it would wait for its gradients for ever. The run can be resumed."""
    code = follower.wait()
    if not closing.is_set():
        print(f"sebench: {_LOST.format(code)}", file=sys.stderr, flush=True)
        os._exit(1)
