"""Tables of agreement: MAE and LCC against SciPy and NumPy, what is not defined, and the files."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from sebench.artefacts import Node, Store
from sebench.config.columns import ShownMetric
from sebench.config.table_spec import Row, RowCell
from sebench.config.tables import ClaimLayout, TableLayout
from sebench.errors import DataError
from sebench.files import write_parquet
from sebench.metrics.agreement import lcc, mae
from sebench.plan.tables import parents_read, table_spec
from sebench.statistics.agreement import agreement_interval
from sebench.tables.step import build_table, run

GOLDEN = Path(__file__).parent / "golden"
CONDITIONS = ["0 dB", "5 dB"]
METRICS = {"pesqc2": ShownMetric(label="PESQ", unit="MOS-LQO", bounds=(0.999, 4.999))}
LAYOUT = TableLayout(
    title="Table I",
    type="agreement",
    metric="pesqc2",
    predictors={
        name: {"recipe": "pesqnet", "stage": "pretrain_pesqnet"} for name in ("PESQNet", "constant", "one", "no set")
    },
    published="pesqnet_table1.csv",
    published_rows={"PESQNet": "PESQNet after pre-training"},
)
PRINTED = [
    {"row": "PESQNet after pre-training", "column": "MAE(s_hat)", "value": "0.21", "note": ""},
    {"row": "PESQNet after pre-training", "column": "LCC(y)", "value": "0.97", "note": ""},
]
SCENES = 10


class Agreement:
    """Rows and parents of a table of agreement, with known scores."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root)
        self.parents: dict[str, str] = {}
        self.known: dict[tuple[str, str, str], np.ndarray] = {}

    def file(self, kind: str, row: str, signal: str, condition: str, values: np.ndarray) -> str:
        node = Node(kind, "toy", {"row": row, "signal": signal, "condition": condition})
        self.store.freeze(node)
        order = np.arange(len(values))[:: -1 if kind == "predictions" else 1]  # joined by scene, not by place
        frame = pd.DataFrame({"mixture": [f"m{i}" for i in order], "index": order, "value": values[order]})
        frame["status"] = np.where(np.isfinite(values[order]), "ok", "failed")
        frame["reason"] = ""
        if kind == "scores":
            frame = frame.assign(metric="pesqc2", implementation="pesqc2 0.0.4", version=1)
            frame = pd.concat([frame.assign(metric="stoi", value=0.5), frame], ignore_index=True)
        write_parquet(self.store.outputs(node)[f"{kind}.parquet"], frame)
        self.parents[node.key] = node.key
        return node.key

    def row(self, label: str, predicted, measured) -> Row:
        """Scores from `(signal, condition) -> values`."""
        roles: dict[str, dict[str, str]] = {}
        for signal, prefix in (("enhanced", ""), ("noisy", "noisy_")):
            for kind, of in (("predictions", predicted), ("scores", measured)):
                roles[f"{prefix}{kind}"] = {
                    condition: self.file(kind, label, signal, condition, of(signal, condition))
                    for condition in (CONDITIONS if predicted is not None else [])
                }
        return Row(label=label, cells=[RowCell(seed=0, **roles)])


def measured(signal: str, condition: str) -> np.ndarray:
    random = np.random.default_rng([len(signal), int(condition[0])])
    values = random.uniform(1.2, 4.0, SCENES)
    values[3] = np.nan if condition == "5 dB" else values[3]
    return values


def predicted(signal: str, condition: str) -> np.ndarray:
    random = np.random.default_rng([1, len(signal), int(condition[0])])
    values = np.nan_to_num(measured(signal, condition), nan=2.0) + random.normal(0, 0.3, SCENES)
    values[7] = np.nan if signal == "noisy" else values[7]
    return values


def single(values: np.ndarray) -> np.ndarray:
    return np.where((np.arange(SCENES) == 0), values, np.nan)


@pytest.fixture
def table(tmp_path: Path) -> tuple[Store, Node]:
    toy = Agreement(tmp_path / "results")
    rows = [
        toy.row("PESQNet", predicted, measured),
        toy.row("constant", lambda *_: np.full(SCENES, 2.5), measured),
        toy.row("one", lambda s, c: single(predicted(s, c)) if c == "0 dB" else np.full(SCENES, np.nan), measured),
        Row(label="no set", cells=[RowCell(seed=0)]),
    ]
    spec = table_spec(LAYOUT, rows=rows, conditions=CONDITIONS, metrics=METRICS, published=PRINTED)
    node = Node("table", "toy", spec, {role: toy.parents[role] for role in parents_read(spec)})
    toy.store.freeze(node)
    return toy.store, node


def pairs(signal: str) -> tuple[np.ndarray, np.ndarray]:
    p, m = (np.concatenate([of(signal, condition) for condition in CONDITIONS]) for of in (predicted, measured))
    there = np.isfinite(p) & np.isfinite(m)
    return p[there], m[there]


def test_values_are_those_of_scipy_over_all_utterances_with_both_scores(table) -> None:
    store, node = table
    found = {(row, column.name): value for row, column, value in build_table(node, store).cells()}
    for signal, symbol, count in (("enhanced", "s_hat", 19), ("noisy", "y", 17)):
        p, m = pairs(signal)
        assert len(p) == count
        assert found["PESQNet", f"MAE({symbol})"].ours == pytest.approx(np.abs(p - m).mean(), abs=1e-6)
        assert found["PESQNet", f"LCC({symbol})"].ours == pytest.approx(scipy.stats.pearsonr(p, m)[0], abs=1e-6)
        value = found["PESQNet", f"LCC({symbol})"]
        assert (value.n_ok, value.n) == (count, 20)
        assert value.low < value.ours < value.high
    assert found["PESQNet", "MAE(s_hat)"].paper == 0.21
    assert found["PESQNet", "MAE(y)"].paper is None


def test_what_is_not_defined_is_a_hole_with_its_reason(table) -> None:
    store, node = table
    found = {(row, column.name): value for row, column, value in build_table(node, store).cells()}
    assert found["constant", "MAE(y)"].ours is not None
    assert found["constant", "LCC(y)"].ours is None
    assert found["constant", "LCC(y)"].reason == "not defined: fewer than two pairs, or scores that do not vary"
    error = abs(predicted("enhanced", "0 dB")[0] - measured("enhanced", "0 dB")[0])
    assert found["one", "MAE(s_hat)"].ours == pytest.approx(error, abs=1e-6)
    assert (found["one", "MAE(s_hat)"].n_ok, found["one", "MAE(s_hat)"].low) == (1, None)
    assert found["one", "LCC(s_hat)"].ours is None
    assert found["no set", "MAE(s_hat)"].reason == "no test set of this row is there"


@pytest.mark.parametrize("name", ["agreement.md", "agreement.csv"])
def test_golden(table, name: str) -> None:
    store, node = table
    run(node, store)
    text = store.outputs(node)[f"table.{name.rpartition('.')[2]}"].read_text()
    if os.environ.get("SEBENCH_WRITE_GOLDEN"):
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


def test_files_say_the_same_again_and_name_each_column(table) -> None:
    store, node = table
    written = []
    for _ in range(2):
        run(node, store)
        written.append({name: path.read_bytes() for name, path in store.outputs(node).items()})
    assert written[0] == written[1]
    rows = list(csv.DictReader(io.StringIO(written[0]["table.csv"].decode())))
    assert {row["column"] for row in rows} == {"MAE(s_hat)", "MAE(y)", "LCC(s_hat)", "LCC(y)"}


def test_claims_are_not_about_agreement(tmp_path: Path) -> None:
    claim = ClaimLayout(text="t", better="PESQNet", worse="one", column="MAE(y)")
    rows = [Row(label=label) for label in LAYOUT.predictors]
    with pytest.raises(DataError, match="claims are about scores of rows, not about agreement"):
        table_spec(LAYOUT, rows=rows, conditions=CONDITIONS, metrics=METRICS, claims=[claim])


def test_statistics_of_pairs() -> None:
    random = np.random.default_rng(2)
    p, m = random.normal(size=(2, 3, 20))
    assert mae(p, m) == pytest.approx(np.abs(p - m).mean())
    assert lcc(p, m) == pytest.approx(scipy.stats.pearsonr(p.ravel(), m.ravel())[0])
    assert lcc(p, -p) == pytest.approx(-1.0)
    assert mae([np.nan, 1.0], [1.0, 3.0]) == 2.0
    assert (mae([], []), lcc([1.0], [2.0]), lcc([1.0, 1.0], [1.0, 2.0]), lcc([1, np.nan], [2, 3])) == (None,) * 4


@pytest.mark.parametrize("statistic", ["mae", "lcc"])
def test_interval_is_that_of_resampled_scenes(statistic: str) -> None:
    """Against resampling one by one; deterministic; none for fewer than three scenes, or where nothing varies."""
    random = np.random.default_rng(5)
    m = random.normal(size=(40, 2))
    p = m + 0.5 * random.normal(size=(40, 2))
    p[4, 1] = m[5, 0] = np.nan
    found = agreement_interval(p, m, statistic)  # type: ignore[arg-type]
    assert found == agreement_interval(p, m, statistic)  # type: ignore[arg-type]
    assert found is not None
    of = mae if statistic == "mae" else lcc
    samples = [of(p[draw], m[draw]) for draw in random.integers(0, 40, (2000, 40))]
    assert found.mean == pytest.approx(of(p, m), abs=1e-6)
    np.testing.assert_allclose([found.low, found.high], np.quantile(samples, [0.025, 0.975]), atol=0.03)
    assert agreement_interval(p[:2], m[:2], statistic) is None  # type: ignore[arg-type]
    constant = agreement_interval(np.ones((5, 1)), random.normal(size=(5, 1)), statistic)  # type: ignore[arg-type]
    assert (constant is None) == (statistic == "lcc")
