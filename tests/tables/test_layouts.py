"""Layouts of studies become specs; what is not there is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pydantic
import pytest

from sebench.config.columns import ShownMetric
from sebench.config.published import read_published
from sebench.config.table_spec import Row, TableSpec
from sebench.config.tables import ClaimLayout, TableLayout
from sebench.errors import DataError
from sebench.plan.tables import table_spec

PUBLISHED = Path(__file__).parents[2] / "config" / "published"
SNRS = ["-5 dB", "0 dB", "5 dB", "10 dB", "15 dB"]
METRICS = {
    "pesq_nb": ShownMetric(label="PESQ"),
    "si_sdr": ShownMetric(label="SI-SDR", unit="dB"),
    "stoi": ShownMetric(label="STOI", bounds=(-1, 1)),
}
LABELS = [
    *("Noisy", "Stage1(MSE)", "Stage2(MSE)", "Stage2(-SISNR)", "Stage2(-SISNR+0.02*MSE)"),
    *("Two-stages(MSE)", "Two-stages(-SISNR)", "Two-stages(-SISNR+0.02*MSE)"),
]


def rows(labels, complexity: str = "") -> list[Row]:
    return [Row(label=label, complexity=complexity) for label in labels]


def test_pesq_table_of_source_000():
    layout = TableLayout(
        title="PESQ by SNR",
        type="conditions",
        metric="pesq_nb",
        average="Avg.",
        extra=["si_sdr", {"metric": "stoi", "column": "STOI (mean)"}],
        published="two_stage_pesq.csv",
        published_columns={**{snr: f"PESQ@{snr.replace(' ', '')}" for snr in SNRS}, "Avg.": "PESQ@Avg"},
    )
    printed = read_published(PUBLISHED / layout.published)
    spec = table_spec(layout, rows=rows(LABELS), conditions=SNRS, metrics=METRICS, published=printed)
    assert [column["name"] for column in spec["columns"]] == [*SNRS, "Avg.", "SI-SDR", "STOI (mean)"]
    assert [column["digits"] for column in spec["columns"]] == [2] * 7 + [3]
    assert spec["columns"][0]["conditions"] == ["-5 dB"]
    assert spec["columns"][5]["conditions"] == SNRS
    assert len(spec["published"]) == len(printed) == 48
    assert layout.metric_names() == ["pesq_nb", "si_sdr", "stoi"]
    assert TableSpec.model_validate(json.loads(json.dumps(spec))).model_dump(mode="json") == spec


def test_proposed_loss_table_of_source_000():
    layout = TableLayout(
        title="Proposed loss",
        type="metrics",
        metrics=[{"metric": "pesq_nb", "column": "PESQ(Avg.)"}],
        rows={"Noisy": "Noisy", "MSE": "Stage1(MSE)", "L_N weight=0.4": "Stage1(L_N .4)"},
    )
    printed = read_published(PUBLISHED / "two_stage_proposed_loss_pesq.csv")
    study = rows(["Stage1(L_N .4)", "Noisy", "Stage1(MSE)", "Stage2(MSE)"])
    spec = table_spec(layout, rows=study, conditions=SNRS, metrics=METRICS, published=printed)
    assert [row["label"] for row in spec["rows"]] == ["Noisy", "MSE", "L_N weight=0.4"]
    assert [entry["value"] for entry in spec["published"]] == [2.12, 2.35, 2.01]


def test_complexity_table_of_source_000():
    layout = TableLayout(
        title="Complexity",
        type="complexity",
        columns=[{"column": "Para", "key": "parameters"}, {"column": "Flops", "key": "seed_flops"}],
        rows=["Stage1", "Stage2", "Two-stages"],
    )
    printed = read_published(PUBLISHED / "two_stage_complexity.csv")
    study = [*rows(["Noisy"]), *rows(layout.rows, "complexity:c")]
    spec = table_spec(layout, rows=study, conditions=SNRS, metrics=METRICS, published=printed)
    assert len(spec["published"]) == 6
    assert all("metric" not in column for column in spec["columns"])
    every_row = table_spec(layout.model_copy(update={"rows": {}}), rows=study, conditions=SNRS, metrics=METRICS)
    assert [row["label"] for row in every_row["rows"]] == ["Stage1", "Stage2", "Two-stages"], "without Noisy"


def test_table_of_source_002():
    """Groups of columns, a row that stands in one of them, and a printed column that is called otherwise there."""
    layout = TableLayout(
        title="Table 2",
        type="matrix",
        groups=["magnitude", "complex"],
        metrics=[{"metric": "pesq_nb", "column": "PESQ"}],
        matrix={"noisy": {"complex": "Noisy"}, "MSE": {"magnitude": "m", "complex": "c"}},
        published_columns={"complex/PESQ": ["complex/PESQ", "unprocessed/PESQ"]},
    )
    printed = read_published(PUBLISHED / "braun_table2.csv")
    spec = table_spec(layout, rows=rows(["Noisy", "m", "c"]), conditions=SNRS, metrics=METRICS, published=printed)
    assert [column["name"] for column in spec["columns"]] == ["magnitude/PESQ", "complex/PESQ"]
    found = {(entry["row"], entry["column"]): entry["value"] for entry in spec["published"]}
    assert found == {
        ("noisy", "complex/PESQ"): 2.29,
        ("MSE", "magnitude/PESQ"): 3.16,
        ("MSE", "complex/PESQ"): 3.10,
    }
    assert TableSpec.model_validate(json.loads(json.dumps(spec))).model_dump(mode="json") == spec


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "matrix", "metrics": ["stoi"], "groups": ["a"]},
        {"type": "matrix", "metrics": ["stoi"], "groups": ["a"], "matrix": {"r": {"b": "Noisy"}}},
        {"type": "matrix", "metrics": ["stoi"], "groups": ["a"], "matrix": {"r": {"a": "Noisy"}}, "rows": ["Noisy"]},
        {"type": "metrics", "metrics": ["stoi"], "groups": ["a"]},
        {"type": "conditions"},
        {"type": "metrics", "metric": "pesq_nb"},
        {"type": "complexity", "columns": [{"column": "Para", "key": "p"}], "extra": ["stoi"]},
        {"type": "conditions", "metric": "pesq_nb", "metrics": ["stoi"]},
        {"type": "conditions", "metric": "pesq_nb", "colour": "red"},
        {"type": "bars"},
    ],
)
def test_layouts_that_make_no_sense(wrong):
    with pytest.raises(pydantic.ValidationError):
        TableLayout.model_validate({"title": "x", **wrong})


@pytest.mark.parametrize(
    ("change", "claim", "message"),
    [
        ({"rows": ["Nosy"]}, {}, "no row 'Nosy'; accepted: Noisy"),
        ({"metric": "pesk"}, {}, "no metric of the study 'pesk'"),
        ({"published_columns": {"Average": "x"}}, {}, "published_columns.Average: no column 'Average'"),
        ({}, {"column": "Median"}, "column 'Median'"),
        ({}, {"better": "Stage9"}, "no row of the table 'Stage9'"),
        ({}, {"metric": "stoi"}, "no metric of that column 'stoi'"),
        ({}, {"worse_column": "-5 dB"}, "no columns of one metric in the same conditions"),
        ({"extra": ["stoi"]}, {"worse_column": "STOI"}, "no columns of one metric in the same conditions"),
    ],
)
def test_names_that_are_not_there(change, claim, message):
    layout = TableLayout.model_validate({"title": "x", "type": "conditions", "metric": "pesq_nb", **change})
    claims = [ClaimLayout(**{"text": "t", "better": "Stage1(MSE)", "worse": "Noisy", "column": "Avg.", **claim})]
    with pytest.raises(DataError, match=message.replace("(", r"\(")):
        table_spec(layout, rows=rows(LABELS), conditions=SNRS, metrics=METRICS, claims=claims)


def test_published_files_are_whole():
    for path in sorted(PUBLISHED.glob("*.csv")):
        for row in read_published(path):
            assert row["source"]
            assert row["note"] if not row["value"] else float(row["value"]) is not None
    with pytest.raises(DataError, match="no such file"):
        read_published(PUBLISHED / "absent.csv")


def test_names_of_printed_numbers_that_the_file_does_not_have():
    printed = read_published(PUBLISHED / "two_stage_pesq.csv")

    def made(**changes):
        layout = TableLayout(title="T", type="conditions", metric="pesq_nb", published="two_stage_pesq.csv", **changes)
        return table_spec(layout, rows=rows(["Noisy", "a"]), conditions=SNRS, metrics=METRICS, published=printed)

    with pytest.raises(DataError, match=r"no row of two_stage_pesq\.csv 'Nosy'; accepted: Noisy"):
        made(published_rows={"Noisy": "Nosy"})
    with pytest.raises(DataError, match=r"no column of two_stage_pesq\.csv 'PESQ@4dB'"):
        made(published_columns={SNRS[0]: "PESQ@4dB"})
    columns = dict.fromkeys(SNRS, "PESQ@0dB")
    with pytest.raises(DataError, match=r"shows no number of two_stage_pesq\.csv, whose rows are Noisy, Stage1"):
        table_spec(
            TableLayout(title="T", type="conditions", metric="pesq_nb", published_columns=columns, rows={"a": "a"},
                        published="two_stage_pesq.csv"),
            rows=rows(["a"]), conditions=SNRS, metrics=METRICS, published=printed,
        )  # fmt: skip
