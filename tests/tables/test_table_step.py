"""Tables from score files: goldens, holes, seeds, formats that say the same, partial tables."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import numpy as np
import pytest

from sebench.config.tables import ClaimLayout, TableLayout
from sebench.errors import DataError
from sebench.files import read_json, read_parquet, write_json
from sebench.plan.tables import table_spec
from sebench.tables import json_
from sebench.tables.csv_ import HEADER
from sebench.tables.step import WRITERS, build_table, provenance_footer, run, write_partial
from sebench.tables.table import letter, si

GOLDEN = Path(__file__).parent / "golden"
COMBINED = "Two-stages(-SISNR+0.02*MSE)"
PRINTED = [
    {"row": "Noisy", "column": "PESQ@Avg", "value": "2.12", "note": "printed Avg is not the mean (2.112)"},
    {"row": "Noisy", "column": "PESQ@-5dB", "value": "1.43", "note": ""},
    {"row": "Stage1(MSE)", "column": "PESQ@Avg", "value": "2.35", "note": ""},
    {"row": COMBINED, "column": "PESQ@Avg", "value": "2.56", "note": ""},
]
LAYOUT = TableLayout(
    title="PESQ by SNR",
    type="conditions",
    metric="pesq_nb",
    extra=["stoi"],
    published="two_stage_pesq.csv",
    published_columns={"-5 dB": "PESQ@-5dB", "Avg.": "PESQ@Avg"},
    notes=["Made-up scores."],
)
CLAIMS = [
    ClaimLayout(text="MSE helps", better="Stage1(MSE)", worse="Noisy", column="Avg.", source="000"),
    ClaimLayout(text="L_N beats MSE", better="Stage1(L_N .4)", worse="Stage1(MSE)", column="Avg."),
    ClaimLayout(text="the sum is best", better=COMBINED, worse="Noisy", column="Avg."),
]
FOOTER = {
    "study": "two_stage",
    "scale": "demo",
    "corpus": "builtin",
    "selection": "validation loss",
    "amounts": {"utterances": {"train": 10, "test": 12}, "steps": 300},
}


@pytest.fixture
def node(study, conditions, metrics):
    spec = table_spec(
        LAYOUT,
        rows=study.rows,
        conditions=conditions,
        metrics=metrics,
        published=PRINTED,
        claims=CLAIMS,
        footer=FOOTER,
    )
    return study.node(spec)


def by_name(table):
    return {(label, column.name): value for label, column, value in table.cells()}


@pytest.mark.parametrize("name", ["table.md", "table.tex", "table.csv"])
def test_golden(study, node, name):
    run(node, study.store)
    text = study.store.outputs(node)[name].read_text()
    if os.environ.get("SEBENCH_WRITE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


def test_again_gives_the_same_bytes(study, node):
    written = []
    for _ in range(2):
        run(node, study.store)
        written.append({name: path.read_bytes() for name, path in study.store.outputs(node).items()})
    assert written[0] == written[1]


def test_values_are_means_of_the_score_files(study, node):
    values = by_name(build_table(node, study.store))

    def mean(label, seed, condition):
        key = study.parents[f"scores:{label}:{seed}:{condition}"]
        frame = read_parquet(study.store.outputs(study.store.load(key))["scores.parquet"])
        return frame[frame["metric"] == "pesq_nb"]["value"].mean()

    low, high = mean("Noisy", None, "-5 dB"), mean("Noisy", None, "5 dB")
    assert values["Noisy", "-5 dB"].ours == pytest.approx(low)
    assert values["Noisy", "Avg."].ours == pytest.approx((low + high) / 2)
    seeds = [(mean("Stage1(MSE)", s, "-5 dB") + mean("Stage1(MSE)", s, "5 dB")) / 2 for s in (0, 1, 2)]
    three = values["Stage1(MSE)", "Avg."]
    assert three.ours == pytest.approx(np.mean(seeds))
    assert three.sd == pytest.approx(np.std(seeds, ddof=1))
    assert (three.seeds, three.n_ok, three.n) == (3, 72, 72)
    assert three.low < three.ours < three.high
    assert three.difference == pytest.approx(three.ours - 2.35)
    assert three.best
    assert values["Noisy", "Avg."].sd is None


def test_holes_say_why_and_keep_the_papers_number(study, node):
    table = build_table(node, study.store)
    hole = by_name(table)[COMBINED, "Avg."]
    assert hole.ours is None
    assert hole.paper == 2.56
    assert (hole.n_ok, hole.n) == (0, 24)
    assert hole.reason == "24 of 24 utterances: the run failed: loss is nan"
    assert by_name(table)["Stage1(L_N .4)", "-5 dB"].reason == "2 of 12 utterances: too short"
    assert all(value.reason for value in by_name(table).values() if value.ours is None)


def test_claims(study, node):
    outcomes = [claim.verdict.outcome for claim in build_table(node, study.store).claims]
    assert outcomes == ["holds", "contradicted", "missing"]


def test_a_study_of_ones_own_is_not_told_of_a_source(study, conditions, metrics):
    layout = LAYOUT.model_copy(update={"published": "", "published_columns": {}})
    footer = {**FOOTER, "source": ""}
    told = {"rows": study.rows, "conditions": conditions, "metrics": metrics, "claims": CLAIMS[1:], "footer": footer}
    own = study.node(table_spec(layout, **told))
    run(own, study.store)
    for name, path in study.store.outputs(own).items():
        text = path.read_text().lower()
        for word in ("claims of the source", "source:", "the paper's is as printed"):
            assert word not in text, (name, word)
    assert build_table(own, study.store).claims_heading == "Claims"


def test_formats_say_the_same(study, node):
    table = build_table(node, study.store)
    run(node, study.store)
    outputs = study.store.outputs(node)
    assert json_.read(outputs["table.json"].read_text()) == table
    lines = list(csv.DictReader(io.StringIO(outputs["table.csv"].read_text())))
    assert list(lines[0]) == HEADER
    for line, (label, column, value) in zip(lines, table.cells(), strict=True):
        assert (line["row"], line["column"], line["reason"]) == (label, column.name, value.reason)
        for key in ("ours", "paper", "difference", "low", "high", "sd"):
            number = getattr(value, key)
            assert line[key] == ("" if number is None else repr(number))
    tex = outputs["table.tex"].read_text()
    assert tex.count(r"\toprule") == tex.count(r"\bottomrule") == tex.count(r"\end{table}")
    body = [line for line in tex.splitlines() if line.startswith("Noisy &")]
    assert body[0].count("&") == len(table.columns)
    assert "L\\_N" in tex


def test_markdown_columns_are_aligned(study, node):
    run(node, study.store)
    widths = {}
    text = study.store.outputs(node)["table.md"].read_text()
    for block, part in enumerate(text.split("\n\n")):
        for line in part.splitlines():
            if line.startswith("|"):
                assert widths.setdefault(block, len(line)) == len(line)
    assert len(widths) >= 4
    assert "0.02\\*MSE" in text


def test_terminal(study, node):
    from rich.console import Console

    from sebench.tables.markdown import show

    buffer = io.StringIO()
    show(build_table(node, study.store), Console(file=buffer, width=140))
    text = buffer.getvalue()
    assert "Stage1(L_N .4)" in text
    assert "the run failed: loss is nan" in text
    assert not set(text) & {"\x00", "\x01"}


def test_complexity(study, conditions, metrics):
    layout = TableLayout(
        title="Complexity",
        type="complexity",
        columns=[
            {"column": "Para", "key": "parameters"},
            {"column": "MACs/s", "key": "per_second.macs"},
            {"column": "Lost", "key": "no.such"},
        ],
        rows=["Noisy", "Stage1(MSE)"],
    )
    claim = ClaimLayout(text="smaller", better="Noisy", worse="Stage1(MSE)", column="Para")
    spec = table_spec(layout, rows=study.rows, conditions=conditions, metrics=metrics, claims=[claim])
    node = study.node(spec)
    assert all(role.startswith("complexity:") for role in node.parents)
    table = build_table(node, study.store)
    values = by_name(table)
    assert values["Noisy", "Para"].ours == 16392
    assert table.columns[0].format(16392) == "16.4K"
    assert values["Noisy", "MACs/s"].ours == 2.065e6
    assert values["Noisy", "Lost"].reason == "complexity.json has no number 'no.such'"
    assert table.claims[0].verdict.outcome == "holds"
    assert table.claims[0].verdict.difference == -1


def test_partial_tables(study, conditions, metrics, tmp_path):
    study.add("Stage9", 0.3, write=False)
    node = study.node(table_spec(LAYOUT, rows=study.rows, conditions=conditions, metrics=metrics))
    with pytest.raises(DataError, match=r"has no scores\.parquet"):
        run(node, study.store)
    assert not any(path.exists() for path in study.store.outputs(node).values())
    table = write_partial(node, study.store, tmp_path / "partial")
    assert table.partial
    assert by_name(table)["Stage9", "Avg."].reason == "not computed yet"
    assert by_name(table)["Noisy", "Avg."].ours is not None
    assert "(partial)" in (tmp_path / "partial" / "table.md").read_text()
    assert not any(path.exists() for path in study.store.outputs(node).values())


def test_one_lost_seed_is_said(study, conditions, metrics):
    study.add("Stage1(MSE) again", 0.1, seeds=(0, 1))
    key = study.parents["scores:Stage1(MSE) again:1:5 dB"]
    path = study.store.outputs(study.store.load(key))["scores.parquet"]
    frame = read_parquet(path).assign(value=np.nan, status="failed", reason="the run failed: diverged")
    frame.to_parquet(path, index=False)
    node = study.node(table_spec(LAYOUT, rows=study.rows, conditions=conditions, metrics=metrics))
    value = by_name(build_table(node, study.store))["Stage1(MSE) again", "Avg."]
    assert value.seeds == 1
    assert value.sd is None
    assert value.reason.startswith("1 of 2 seeds without a value: ")
    assert "diverged" in value.reason
    assert (value.n_ok, value.n) == (36, 48)


def test_a_metric_that_was_not_scored_is_a_hole(study, conditions, metrics):
    layout = TableLayout(title="x", type="metrics", metrics=["other"])
    facts = {**metrics, "other": metrics["stoi"].model_copy(update={"label": "Other"})}
    table = build_table(
        study.node(table_spec(layout, rows=study.rows, conditions=conditions, metrics=facts)), study.store
    )
    assert {value.reason for _, _, value in table.cells()} == {"other was not scored"}


def test_provenance_stays_out_of_the_files(study, node):
    run(node, study.store)
    provenance = study.store.folder(node) / "provenance.json"
    write_json(provenance, {"git": {"commit": "c" * 40, "dirty": True}, "machine": {"processor": "P", "system": "S"}})
    assert provenance_footer(study.store, node) == ["Commit: cccccccccccc with uncommitted changes", "Machine: P, S"]
    write_json(provenance, {"git": {}})
    assert provenance_footer(study.store, node) == [
        "Commit: none known (no git, or a copy of the code that git does not have)"
    ]
    for name, path in study.store.outputs(node).items():
        assert "cccccc" not in path.read_text(), name
    assert read_json(study.store.outputs(node)["table.json"])["footer"][0] == "Study: two_stage"


def test_real_time_factors_come_from_provenance(study, node, conditions, metrics):
    layout = TableLayout(title="C", type="complexity", columns=[{"column": "Para", "key": "parameters"}])
    counted = study.node(table_spec(layout, rows=study.rows, conditions=conditions, metrics=metrics))
    key = study.parents["complexity:Stage1(MSE)"]
    write_json(study.store.folder(study.store.load(key)) / "provenance.json", {"real_time_factor": 0.01234})
    assert provenance_footer(study.store, counted) == ["Real-time factor (time over duration): Stage1(MSE) 0.0123"]
    assert provenance_footer(study.store, node) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(16392, "16.4K"), (2.1e6, "2.1M"), (999_960, "1.0M"), (126, "126"), (0.5, "0.5"), (-2e9, "-2.0G"), (0, "0")],
)
def test_si_prefixes(value, text):
    assert si(value) == text


def test_letters():
    assert [letter(i) for i in (0, 25, 26, 27, 52)] == ["a", "z", "aa", "ab", "ba"]


def test_a_matrix_puts_rows_into_groups_of_columns(study, metrics, conditions):
    layout = TableLayout(
        title="Groups",
        type="matrix",
        groups=["one", "other"],
        metrics=[{"metric": "pesq_nb", "column": "PESQ"}, "stoi"],
        matrix={
            "noisy": {"other": "Noisy"},
            "MSE": {"one": "Stage1(MSE)", "other": "Stage1(L_N .4)"},
        },
    )
    claim = ClaimLayout(
        text="one is better", better="MSE", worse="MSE", column="one/PESQ", worse_column="other/PESQ", source="s"
    )
    node = study.node(table_spec(layout, rows=study.rows, conditions=conditions, metrics=metrics, claims=[claim]))
    run(node, study.store)
    table = read_json(study.store.outputs(node)["table.json"])
    assert [column["name"] for column in table["columns"]] == ["one/PESQ", "one/STOI", "other/PESQ", "other/STOI"]
    noisy, mse = table["values"]
    assert (noisy[0]["ours"], noisy[0]["reason"]) == (None, "")  # not a hole: nothing belongs there
    assert mse[0]["ours"] > mse[2]["ours"] > noisy[2]["ours"]
    assert table["claims"][0]["verdict"]["outcome"] == "holds"
    text = study.store.outputs(node)["table.md"].read_text()
    assert "holds: one is better (MSE, one/PESQ over MSE, other/PESQ)" in text


def test_the_second_best_is_underlined_where_the_layout_asks(study, conditions, metrics):
    layout = LAYOUT.model_copy(update={"second_best": True})
    table = build_table(
        study.node(table_spec(layout, rows=study.rows, conditions=conditions, metrics=metrics)), study.store
    )
    found = by_name(table)
    assert found["Stage1(MSE)", "Avg."].best
    assert found["Stage1(L_N .4)", "Avg."].second
    assert not found["Noisy", "Avg."].second
    assert sum(value.second for _, column, value in table.cells() if column.name == "Avg.") == 1
    text = WRITERS["table.md"](table)
    assert f"<u>{found['Stage1(L_N .4)', 'Avg.'].ours:.2f}</u>" in text
    assert "second underlined" in text
    assert r"\underline{" in WRITERS["table.tex"](table)


def test_another_scale_is_marked_and_not_compared(study, conditions, metrics):
    facts = {**metrics, "pesq_nb": metrics["pesq_nb"].model_copy(update={"instead_of": "pesqc2"})}
    table = build_table(
        study.node(table_spec(LAYOUT, rows=study.rows, conditions=conditions, metrics=facts, published=PRINTED)),
        study.store,
    )
    assert not table.has_paper
    assert "Avg. (other scale)" in WRITERS["table.md"](table)
