"""A further process of a team that trains one run: it computes the gradient of its share, and keeps nothing."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time

import torch

from sebench.artefacts import Store
from sebench.config.specs import RunSpec
from sebench.training.device import pick_device, repeatable
from sebench.training.kinds import build_stage
from sebench.training.stage import NotFinite, begin_step
from sebench.training.step import context_of
from sebench.training.team import PATIENCE, Together, rank_device


def _end_with(parent: int) -> None:
    def look() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(0)

    threading.Thread(target=look, daemon=True).start()


def follow(stem: str, results: str, port: int, rank: int, size: int, parent: int) -> None:
    """The life of a follower, which ends with rank 0's process at the latest."""
    import torch.distributed as dist

    _end_with(parent)
    store = Store(results)
    node = store.load_stem("run", stem)
    device = rank_device(pick_device(), rank)
    spec = RunSpec.of(node.spec)
    with repeatable(spec.stage.threads):
        tcp_store = torch.distributed.TCPStore  # type: ignore[attr-defined]
        meeting = tcp_store("127.0.0.1", port, size, is_master=False, timeout=PATIENCE)
        team = Together(rank, size, meeting, device)
        stage = build_stage(context_of(node, store, device, team))
        for step, factor in team.orders(stage.state):
            begin_step(stage, spec.seed, step, factor, rank)
            with contextlib.suppress(NotFinite):  # rank 0 sees it too, and says what is next
                stage.step(step)
        dist.destroy_process_group()


if __name__ == "__main__":
    stem, results, *numbers = sys.argv[1:]
    follow(stem, results, *(int(number) for number in numbers))
