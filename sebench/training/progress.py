"""`progress.json`: what a live display reads of a run. Nothing else reads it, and results never depend on it."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from sebench.files import write_json

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0


class Progress:
    """Writes `{step, steps, loss, valid, valid_name, started_step, seconds}`, by rename, at most once a second.

    Args:
        path: of the file.
        steps: length of the stage.
        valid_name: what is validated by.
        started_step: where this process began.
    """

    def __init__(self, path: Path, steps: int, valid_name: str, started_step: int) -> None:
        self.path = path
        self.steps = steps
        self.valid_name = valid_name
        self.started_step = started_step
        self._started = time.monotonic()
        self._written = -INTERVAL_SECONDS

    def update(self, step: int, loss: float | None, valid: float | None, *, force: bool = False) -> None:
        """Say where the run is; cheap where the last file is younger than a second."""
        now = time.monotonic() - self._started
        if not force and now - self._written < INTERVAL_SECONDS:
            return
        self._written = now
        value = {
            "step": step,
            "steps": self.steps,
            "loss": loss,
            "valid": valid,
            "valid_name": self.valid_name,
            "started_step": self.started_step,
            "seconds": round(now, 3),
        }
        try:
            write_json(self.path, value)
        except OSError as error:  # a full disk is noticed by the checkpoint, which matters
            log.warning("%s: %s", self.path, error)
