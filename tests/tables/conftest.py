"""A made-up two-stage study: score files with known values, as the score step would write them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sebench.artefacts import Node, Store
from sebench.config.columns import ShownMetric
from sebench.config.table_spec import Row, RowCell
from sebench.files import write_json, write_parquet

CONDITIONS = ["-5 dB", "5 dB"]
METRICS = {
    "pesq_nb": ShownMetric(label="PESQ", unit="MOS-LQO", bounds=(0.999, 4.999)),
    "stoi": ShownMetric(label="STOI", bounds=(-1.0, 1.0)),
}
SCENES = 12


class Study:
    """Rows and parents of a table node; `add` writes a row's score files."""

    def __init__(self, root) -> None:
        self.store = Store(root)
        self.rows: list[Row] = []
        self.parents: dict[str, str] = {}

    def add(self, label: str, gain: float, seeds=(0,), lost: int = 0, write: bool = True, reason: str = "too short"):
        """A row whose PESQ is 1.5 + gain at -5 dB and 2 + gain at 5 dB, plus a part of the scene and of the seed.

        Args:
            lost: utterances per file without a score.
            write: False leaves the files out.
        """
        cells = []
        for seed in seeds:
            roles = {}
            for position, condition in enumerate(CONDITIONS):
                scene = np.random.default_rng(7).standard_normal(SCENES) * 0.2
                own = np.random.default_rng([position, len(self.rows), seed or 0]).standard_normal(SCENES) * 0.02
                pesq = 1.5 + 0.5 * position + gain + 0.05 * (seed or 0) + scene + own
                frames = []
                for metric, values in (("pesq_nb", pesq), ("stoi", 0.5 + values_in_unit(pesq))):
                    ok = np.arange(SCENES) >= lost
                    frames.append(
                        pd.DataFrame(
                            {
                                "mixture": [f"m{position}-{i}" for i in range(SCENES)],
                                "index": range(SCENES),
                                "metric": metric,
                                "value": np.where(ok, values, np.nan),
                                "status": np.where(ok, "ok", "failed"),
                                "reason": np.where(ok, "", reason),
                                "implementation": "pesq 0.0.4" if metric == "pesq_nb" else "pystoi 0.4.1",
                                "version": 1,
                            }
                        )
                    )
                node = Node("scores", "toy", {"row": label, "seed": seed, "condition": condition})
                self.store.freeze(node)
                if write:
                    write_parquet(self.store.outputs(node)["scores.parquet"], pd.concat(frames, ignore_index=True))
                role = f"scores:{label}:{seed}:{condition}"
                self.parents[role] = node.key
                roles[condition] = role
            cells.append(RowCell(seed=seed, scores=roles))
        node = Node("complexity", "toy", {"row": label})
        self.store.freeze(node)
        counts = {"parameters": 16392 + len(self.rows), "per_second": {"macs": 2.065e6}}
        write_json(self.store.outputs(node)["complexity.json"], counts)
        self.parents[f"complexity:{label}"] = node.key
        self.rows.append(Row(label=label, cells=cells, complexity=f"complexity:{label}"))

    def node(self, spec: dict) -> Node:
        from sebench.plan.tables import parents_read

        node = Node("table", "toy", spec, {role: self.parents[role] for role in parents_read(spec)})
        self.store.freeze(node)
        return node


def values_in_unit(pesq: np.ndarray) -> np.ndarray:
    return (pesq - 1) / 10


@pytest.fixture
def study(tmp_path) -> Study:
    found = Study(tmp_path / "results")
    found.add("Noisy", 0.0, seeds=(None,))
    found.add("Stage1(MSE)", 0.4, seeds=(0, 1, 2))
    found.add("Stage1(L_N .4)", 0.2, lost=2)
    found.add("Two-stages(-SISNR+0.02*MSE)", 0.0, lost=SCENES, reason="the run failed: loss is nan")
    return found


@pytest.fixture
def metrics() -> dict[str, ShownMetric]:
    return METRICS


@pytest.fixture
def conditions() -> list[str]:
    return CONDITIONS
