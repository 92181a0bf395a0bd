"""The scores step: one row per (mixture, metric), parts that are kept, bytes that do not depend on workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sebench.artefacts import Node
from sebench.config.load import load_config
from sebench.errors import DataError
from sebench.files import read_parquet, write_parquet
from sebench.metrics import base
from sebench.metrics.base import MissingPackageError
from sebench.plan import resolve
from sebench.plan.nodes import scores_node
from sebench.plan.resolve import metric_items
from sebench.scoring import step
from sebench.scoring.step import COLUMNS, part_path, run


def test_rows_values_and_failures(world, make_item):
    node = world.scores([make_item("si_sdr"), make_item("stoi")])
    run(node, world.store, 1)
    scores = read_parquet(world.store.outputs(node)["scores.parquet"])
    assert list(scores.columns) == COLUMNS
    assert list(scores["mixture"]) == [f"m{i}" for i in range(6)] * 2
    assert list(scores["metric"].unique()) == ["si_sdr", "stoi"]
    failed = scores[scores["status"] == "failed"]
    assert list(failed["mixture"]) == ["m1", "m1"]
    assert set(failed["reason"]) == {"the run failed: loss is nan"}
    assert failed["value"].isna().all()
    assert scores.loc[scores["status"] == "ok", "value"].notna().all()
    assert scores["value"].dtype == np.float64
    assert scores["implementation"].iloc[0] == "sebench si_sdr"


def test_enhanced_beats_unprocessed_by_the_known_amount(world, make_item):
    noisy, enhanced = world.scores([make_item("delta_snr")], enhanced=False), world.scores([make_item("delta_snr")])
    for node in (noisy, enhanced):
        run(node, world.store, 1)
    before, after = (read_parquet(world.store.outputs(n)["scores.parquet"])["value"] for n in (noisy, enhanced))
    np.testing.assert_allclose(before, 0.0, atol=1e-9)
    np.testing.assert_allclose(after.dropna(), -20 * np.log10(0.3), atol=1e-3)


def test_bytes_do_not_depend_on_workers(tmp_path, make_world, make_item):
    written = []
    for threads in (1, 2):
        world = make_world(tmp_path / str(threads))
        node = world.scores([make_item("si_sdr"), make_item("estoi"), make_item("srmr"), make_item("dnsmos_p808")])
        run(node, world.store, threads)
        written.append(world.store.outputs(node)["scores.parquet"].read_bytes())
    assert written[0] == written[1]


def test_another_metric_computes_only_that_one(world, make_item, monkeypatch):
    first = world.scores([make_item("si_sdr")])
    run(first, world.store, 1)
    asked = []
    compute = step._compute
    monkeypatch.setattr(step, "_compute", lambda s, t: asked.append([i["type"] for i in s.items]) or compute(s, t))
    second = world.scores([make_item("delta_snr"), make_item("si_sdr")])
    run(second, world.store, 1)
    assert asked == [["delta_snr"]]
    run(second, world.store, 1)
    assert asked == [["delta_snr"]]
    old = read_parquet(world.store.outputs(first)["scores.parquet"])
    new = read_parquet(world.store.outputs(second)["scores.parquet"])
    new = new[new["metric"] == "si_sdr"].reset_index(drop=True)
    assert old.equals(new)


def test_parts_differ_by_params_implementation_and_parents(world, make_item):
    node, noisy = world.scores([make_item("si_sdr")]), world.scores([make_item("si_sdr")], enhanced=False)
    plain, other = make_item("si_sdr"), make_item("si_sdr", zero_mean=False)
    newer = {**plain, "implementation": "sebench other"}
    paths = {part_path(n, world.store, i) for n in (node, noisy) for i in (plain, other, newer)}
    assert len(paths) == 6
    assert part_path(node, world.store, {**plain, "name": "called_otherwise"}) in paths


def test_a_set_without_clean_is_not_applicable(world, make_item, monkeypatch):
    from sebench.synthesis.store import AudioStore

    row = AudioStore.row
    monkeypatch.setattr(AudioStore, "row", lambda self, i: {"noisy": row(self, i)["noisy"]})
    node = world.scores([make_item("si_sdr"), make_item("srmr")], enhanced=False)
    run(node, world.store, 1)
    scores = read_parquet(world.store.outputs(node)["scores.parquet"])
    intrusive, other = scores[scores["metric"] == "si_sdr"], scores[scores["metric"] == "srmr"]
    assert set(intrusive["status"]) == {"not_applicable"}
    assert set(intrusive["reason"]) == {"no clean reference"}
    assert set(other["status"]) == {"ok"}


@pytest.mark.parametrize("enhanced", [True, False])
def test_a_recording_without_a_reference_has_scores_that_need_none(world, make_item, monkeypatch, enhanced):
    from sebench.metrics.si_sdr import SiSdr

    path = world.store.outputs(world.set)["index.parquet"]
    index = read_parquet(path).assign(noisy_offset=-1)
    index.loc[2, ["noisy_offset", "speech_offset", "noise_offset"]] = [index.loc[2, "speech_offset"], -1, -1]
    index.loc[2, "snr_db"] = float("nan")
    write_parquet(path, index)
    intrusive = world.scores([make_item("si_sdr")], enhanced)
    run(intrusive, world.store, 1)
    scores = read_parquet(world.store.outputs(intrusive)["scores.parquet"])
    assert scores.loc[2, ["mixture", "status", "reason"]].tolist() == ["m2", "not_applicable", "no clean reference"]
    assert set(scores.loc[[0, 3, 4, 5], "status"]) == {"ok"}
    monkeypatch.setattr(SiSdr, "needs_reference", False)
    monkeypatch.setattr(SiSdr, "bounds", (None, None))
    monkeypatch.setattr(SiSdr, "score", lambda self, clean, estimate, noisy, sample_rate: float(estimate.size))
    free = world.scores([make_item("si_sdr", zero_mean=False)], enhanced)
    run(free, world.store, 1)
    scores = read_parquet(world.store.outputs(free)["scores.parquet"])
    assert scores.loc[2, ["status", "value"]].tolist() == ["ok", index.loc[2, "samples"]]


def test_another_package_version_than_planned_is_refused(world, make_item):
    node = world.scores([{**make_item("stoi"), "implementation": "pystoi 0.0.1"}])
    with pytest.raises(DataError, match=r"planned with 'pystoi 0\.0\.1'"):
        run(node, world.store, 1)


def test_a_metric_whose_package_is_missing_says_what_installs_it(world, make_item, monkeypatch):
    node = world.scores([{**make_item("si_sdr"), "type": "pesqc2", "implementation": "pesqc2 0.0.4"}])
    monkeypatch.setattr(base, "installed", lambda package: package != "pesqc2")
    with pytest.raises(
        MissingPackageError, match=r"'pesqc2', which is not installed.*`make env`.*--no-build-isolation"
    ):
        run(node, world.store, 1)


def test_weights_are_named_in_score_files(world, make_item):
    node = world.scores([make_item("dnsmos_p808")], enhanced=False)
    run(node, world.store, 1)
    scores = read_parquet(world.store.outputs(node)["scores.parquet"])
    assert set(scores["status"]) == {"ok"}
    assert scores["implementation"].str.fullmatch(r"speechmos [0-9.]+ \(model_v8\.onnx [0-9a-f]{8}\)").all()


def test_other_weights_than_planned_are_refused(world, make_item, monkeypatch):
    node = world.scores([make_item("dnsmos_p808")])
    monkeypatch.setattr(base, "_sha256", lambda package, file: "0" * 64)
    with pytest.raises(DataError, match=r"model_v8\.onnx 00000000"):
        run(node, world.store, 1)


def test_two_metrics_of_one_name_are_refused(world, make_item):
    node = world.scores([make_item("si_sdr"), make_item("si_sdr", zero_mean=False)])
    with pytest.raises(DataError, match="two metrics of one name"):
        run(node, world.store, 1)
    named = world.scores([make_item("si_sdr"), {**make_item("si_sdr", zero_mean=False), "name": "si_sdr_raw"}])
    run(named, world.store, 1)
    scores = read_parquet(world.store.outputs(named)["scores.parquet"])
    assert list(scores["metric"].unique()) == ["si_sdr", "si_sdr_raw"]


@pytest.mark.slow
def test_two_entries_of_one_type_are_scored_and_share_their_parts(world, monkeypatch):
    config = load_config(Path(__file__).parents[2] / "config")
    both = world.scores(list(metric_items(config, ["dnsmos_ovrl", "dnsmos_sig"]).values()))
    run(both, world.store, 1)
    scores = read_parquet(world.store.outputs(both)["scores.parquet"])
    values = scores[scores["status"] == "ok"].groupby("metric")["value"].mean()
    assert list(values.index) == ["dnsmos_ovrl", "dnsmos_sig"]
    assert values["dnsmos_ovrl"] != values["dnsmos_sig"]
    monkeypatch.setattr(step, "_compute", lambda *args: pytest.fail("its part is there"))
    alone = world.scores(list(metric_items(config, ["dnsmos_sig"]).values()))
    run(alone, world.store, 1)
    own = read_parquet(world.store.outputs(alone)["scores.parquet"])
    assert set(own["metric"]) == {"dnsmos_p835"}
    assert own["value"].equals(scores[scores["metric"] == "dnsmos_sig"]["value"].reset_index(drop=True))


def test_a_metric_beside_its_stand_in_is_scored_once(world, monkeypatch):
    monkeypatch.setattr(resolve, "installed", lambda package: package != "pesqc2")
    config = load_config(Path(__file__).parents[2] / "config")
    items = metric_items(config, ["pesqc2", "pesq_wb"])
    node = world.scores(list(scores_node(items.values(), _with_count(world.set), None).spec["metrics"]))
    run(node, world.store, 1)
    scores = read_parquet(world.store.outputs(node)["scores.parquet"])
    assert list(scores["metric"]) == ["pesq_wb"] * 6


def _with_count(rendered):
    return Node(rendered.kind, rendered.name, rendered.spec, rendered.parents, {"count": 6})


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("sebench.metrics.dnsmos, sebench.metrics.srmr", {"torch", "numpy", "scipy", "onnxruntime", "gammatone"}),
        ("sebench.scoring.step, sebench.tables.step, sebench.figures.step, sebench.statistics.claims", {"torch"}),
        ("sebench.config.tables, sebench.config.figures, sebench.metrics.base", {"torch", "numpy", "pandas"}),
    ],
)
def test_imports_stay_light(modules, heavy):
    code = f"import sys, {modules}; assert not {heavy!r} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_bits_do_not_depend_on_blas_threads():
    code = """
import numpy as np
from sebench.config.items import build
rng = np.random.default_rng(0)
clean = rng.standard_normal(60000)
noisy = clean + rng.standard_normal(60000)
for name in ("si_sdr", "delta_snr", "seg_snr", "stoi", "estoi", "srmr", "srmr fast", "dnsmos_p808", "dnsmos_p835"):
    metric = build({"type": name.split()[0], "params": {"fast": True} if "fast" in name else {}}, "metric")
    print(metric.compute(clean=clean, estimate=0.7 * clean + 0.3 * noisy, noisy=noisy, sample_rate=16000).value.hex())
"""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            check=True,
            capture_output=True,
        ).stdout
        for threads in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].count(b"0x") == 9
