"""A package of losses that does not belong to sebench: installed as pip would leave it, without pip."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator

from repo import Repo

from sebench.config.items import registered

PYPROJECT = """\
[project]
name = "outside-losses"
version = "1.0"

[project.entry-points."sebench.losses"]
outside_square = "outside_losses:Square"
"""

SOURCE = '''\
"""Losses from outside."""

import os
import time

import torch

from sebench.losses.base import Loss
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate


class Square(Loss):
    """Mean squared error of waveforms."""

    needs_views = ("waveform",)
    needs_signals = ("clean",)

    def __init__(self, *, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, estimate: Estimate, batch: Batch) -> torch.Tensor:
        time.sleep(float(os.environ.get("OUTSIDE_SECONDS", "0")))  # changes no result
        return self.factor * batch.mean_over_samples((estimate.waveform - batch.signal("clean")) ** 2)


class Absolute(Square):
    """Mean absolute error of waveforms."""

    def forward(self, estimate: Estimate, batch: Batch) -> torch.Tensor:
        time.sleep(float(os.environ.get("OUTSIDE_SECONDS", "0")))
        return batch.mean_over_samples((estimate.waveform - batch.signal("clean")).abs())


class Breaks(Square):
    """Not a number from the second step on."""

    calls = 0

    def forward(self, estimate: Estimate, batch: Batch) -> torch.Tensor:
        self.calls += 1
        value = super().forward(estimate, batch)
        broken = self.calls > 1 and not os.environ.get("OUTSIDE_MENDED")
        return value * float("nan") if broken else value
'''

#: Three ways to a new loss: a composition of what is there, a name from an entry point, a dotted path.
ENTRIES = """\
both:
  sum: { mag_mse: 1.0, neg_si_snr: 0.1 }
  label: both
by_entry_point:
  type: outside_square
  params: { factor: 2.0 }
  label: entry point
by_path:
  type: outside_losses:Absolute
  label: path
"""


def install(repo: Repo) -> None:
    """Put the package beside the repository, and on the path of its commands."""
    repo.write("outside/pyproject.toml", PYPROJECT)
    repo.write("outside/outside_losses.py", SOURCE)
    repo.write(
        "outside/outside_losses-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: outside-losses\nVersion: 1.0\n"
    )
    points = "[sebench.losses]\noutside_square = outside_losses:Square\n"
    repo.write("outside/outside_losses-1.0.dist-info/entry_points.txt", points)
    put_on_path(repo)


def put_on_path(repo: Repo) -> None:
    """Let the repository's commands find the package that lies beside it."""
    others = os.environ.get("PYTHONPATH")
    repo.environment["PYTHONPATH"] = os.pathsep.join([str(repo.folder / "outside"), *([others] if others else [])])


@contextlib.contextmanager
def in_this_process(repo: Repo) -> Iterator[None]:
    """Let plans that are made in this process find the package; what was found before is looked for again."""
    sys.path.append(str(repo.folder / "outside"))
    importlib.invalidate_caches()
    registered.cache_clear()
    try:
        yield
    finally:
        sys.path.remove(str(repo.folder / "outside"))
        registered.cache_clear()


def extend(repo: Repo) -> None:
    """Give the study three rows with new losses, and one SNR to make them quickly."""
    install(repo)
    repo.write("config/losses/new.yaml", ENTRIES)
    repo.losses_of_stage1("mag_mse", "both", "by_entry_point", "by_path")
    repo.change_study(conditions={"snr_db": [0]})
