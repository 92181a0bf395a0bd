"""What a step tells by name is a curve in the run's history."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_runs import make_run

from sebench.artefacts import Store
from sebench.files import read_json
from sebench.training import step
from sebench.training.history import History, Validation


def test_every_part_of_a_loss_is_a_curve(tmp_path: Path) -> None:
    store = Store(tmp_path)
    parts = [{"weight": 0.25, "loss": {"item": {"type": name}}} for name in ("mag_mse", "complex_mse")]
    node = make_run(store, loss={"sum": parts})
    step.run(node, store)
    rows = read_json(store.outputs(node)["history.json"])
    assert rows
    for row in rows:
        assert row["loss/mag_mse"] > 0
        assert row["loss/complex_mse"] > row["loss/mag_mse"]
        assert row["loss"] == pytest.approx(0.25 * (row["loss/mag_mse"] + row["loss/complex_mse"]), rel=1e-5)


def test_means_are_over_the_steps_that_told_it() -> None:
    history = History(True)
    history.add({"loss": 1.0, "loss/a": 4.0}, {})
    history.add({"loss": 3.0}, {"grad_norm": 5.0, "discriminator": 2.0})
    history.close(2, 0.1, Validation(0.0, 1, 1))
    row = history.rows[0]
    assert (row["loss"], row["loss/a"], row["grad_norm"], row["discriminator"]) == (2.0, 4.0, 5.0, 2.0)
    history.close(3, 0.1, Validation(0.0, 1, 1))
    assert history.rows[1]["loss"] is None
    assert "loss/a" not in history.rows[1]


def test_a_history_of_older_days_goes_on() -> None:
    rows = [{"step": 2, "loss": 1.0, "valid": 0.5}]
    old = {"rows": rows, "best_scores": [0.5], "loss_sum": 3.0, "norm_sum": 0.0, "count": 2, "norm_count": 0}
    history = History.from_json(True, old)
    history.add({"loss": 6.0}, {"grad_norm": 7.0})
    history.close(5, 0.1, Validation(0.6, 1, 1))
    assert (history.rows[0], history.rows[1]["loss"], history.rows[1]["grad_norm"]) == (rows[0], 3.0, 7.0)
