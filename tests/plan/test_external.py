"""External models in a plan: rows that are not trained, known by their file's bytes, left out where it is not there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sebench.artefacts import Store
from sebench.config.load import load_config
from sebench.errors import ConfigError
from sebench.plan.batches import family
from sebench.plan.build import build_plan
from sebench.plan.plan import Plan
from sebench.plan.summary import summarise
from sebench.run.gc import unneeded

SHIPPED = Path(__file__).parents[2] / "config"
STUDY = {
    "title": "t",
    "corpus": "builtin",
    "mixing": "two_stage",
    "grid": [{"product": {"model": "stage1", "loss": "mag_mse", "recipe": "supervised"}, "label": "Ours"}],
    "conditions": {"snr_db": [0, 10]},
    "metrics": ["si_sdr"],
    "external": {"Theirs": "nsnet2"},
    "tables": {"t": {"title": "t", "type": "conditions", "metric": "si_sdr"}},
    "figures": {
        "f": {
            "title": "f",
            "condition": "0 dB",
            "panels": [{"label": "a", "source": "noisy"}, {"label": "b", "source": "Theirs"}],
        }
    },
}


ALL = ("set", "run", "enhanced", "scores", "table", "figure")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("SEBENCH_NSNET2", raising=False)
    shutil.copytree(SHIPPED, tmp_path / "config")
    for path in (tmp_path / "config" / "studies").glob("*.yaml"):
        path.unlink()
    write(tmp_path / "config")
    return tmp_path / "config"


def write(folder: Path, **changes: object) -> None:
    (folder / "studies" / "s.yaml").write_text(yaml.safe_dump({"s": {**STUDY, **changes}}, sort_keys=False))


def planned(folder: Path, **changes: object) -> Plan:
    write(folder, **changes)
    return build_plan(load_config(folder), "s", "smoke", None, Store(folder.parent / "results"))


def file(folder: Path, content: bytes, name: str = "x.onnx") -> str:
    (folder.parent / name).write_bytes(content)
    return str(folder.parent / name)


def ids(plan: Plan, *kinds: str) -> set[str]:
    return {node.key for kind in kinds for node in plan.nodes.of_kind(kind)}


def test_it_is_enhanced_and_scored_as_every_row(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEBENCH_NSNET2", file(folder, b"1"))
    plan = planned(folder)
    row = plan.external["Theirs"]
    assert list(row.enhanced) == list(row.scores) == ["snr0", "snr10"]
    for name, node in row.enhanced.items():
        assert dict(node.parents) == {"set": plan.conditions[name].node.key}
        assert row.scores[name].parents["enhanced"] == node.key
        assert node.name.startswith("onnx_gain_6b86b2-")  # SHA-256 of "1"
        assert family(node, plan.nodes.by_key.__getitem__)[:2] == ("evaluation", row.item["sha256"])
        assert family(row.scores[name], plan.nodes.by_key.__getitem__)[:2] == ("evaluation", row.item["sha256"])
    (table,) = plan.tables.values()
    assert [shown["label"] for shown in table.spec["rows"]] == ["Noisy", "Theirs", "Ours"]
    assert set(table.spec["rows"][1]["cells"][0]["scores"].values()) == {node.key for node in row.scores.values()}
    assert "SHA-256 6b86b273ff34" in table.spec["footer"]["external models"]
    assert "left out" not in table.spec["footer"]
    (figure,) = plan.figures.values()
    assert row.enhanced["snr0"].key in figure.parents.values()
    store = Store(folder.parent / "results")
    (line,) = [line for line in summarise(load_config(folder), plan, None, store, 2) if line.startswith("  Theirs ")]
    assert line.split(maxsplit=2)[1:] == ["new", "external model onnx_gain, file 6b86b273ff34: not trained"]


def test_its_identity_is_the_files_bytes_and_the_way_through_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEBENCH_NSNET2", file(folder, b"1"))
    first = planned(folder)
    monkeypatch.setenv("SEBENCH_NSNET2", file(folder, b"1", "moved.onnx"))
    assert ids(planned(folder), *ALL) == ids(first, *ALL)
    monkeypatch.delenv("SEBENCH_NSNET2")
    entry = {"type": "onnx_gain", "file": file(folder, b"1", "named.onnx")}
    (folder / "external" / "nsnet2.yaml").write_text(yaml.safe_dump({"nsnet2": entry}))
    assert ids(planned(folder), *ALL) == ids(first, *ALL)
    file(folder, b"22", "named.onnx")
    other = planned(folder)
    assert not {n.id for n in other.external["Theirs"].enhanced.values()} & {
        n.id for n in first.external["Theirs"].enhanced.values()
    }
    assert ids(other, "run", "set") == ids(first, "run", "set")
    entry["params"] = {"min_gain_db": -20.0}
    (folder / "external" / "nsnet2.yaml").write_text(yaml.safe_dump({"nsnet2": entry}))
    assert not ids(planned(folder), "table") & ids(other, "table")


def test_without_the_file_the_plan_goes_on_and_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    without = planned(folder, external={}, figures={})
    plan = planned(folder)
    for kind in ("set", "run", "enhanced", "scores"):
        assert ids(plan, kind) == ids(without, kind)
    assert not plan.external
    (left_out,) = plan.excluded
    assert left_out.label == "Theirs"
    assert "nsnet2-20ms-baseline.onnx, folder NSNet2-baseline of github.com/microsoft/DNS-Challenge" in left_out.reason
    (line,) = [
        text
        for text in summarise(load_config(folder), plan, None, Store(tmp_path / "results"), 2)
        if "left out" in text
    ]
    assert "Theirs" in line
    assert "nsnet2.yaml:1 or the variable SEBENCH_NSNET2" in line
    (table,) = plan.tables.values()
    row = table.spec["rows"][1]
    assert (row["label"], row["cells"], row["absent"]) == ("Theirs", [], left_out.reason)
    assert left_out.reason in table.spec["footer"]["left out"]
    assert str(tmp_path) not in str(table.spec)  # where a person's files lie is no part of any id
    (figure,) = plan.figures.values()
    assert [panel["label"] for panel in figure.spec["panels"]] == ["a"]


def test_a_path_that_is_no_file_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEBENCH_NSNET2", str(tmp_path / "absent.onnx"))
    assert "absent.onnx is no file: set `file:` at" in planned(folder).excluded[0].hint
    monkeypatch.setenv("SEBENCH_NSNET2", str(tmp_path))
    assert f"{tmp_path} is no file" in planned(folder).excluded[0].hint


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"external": {"Theirs": "nsnet"}}, ["s.external.Theirs", "'nsnet'", "did you mean 'nsnet2'"]),
        ({"external": {"Ours": "nsnet2"}}, ["s.yaml:", "a row is called 'Ours' already"]),
        ({"external": {"Noisy": "nsnet2"}}, ["a row is called 'Noisy' already"]),
        ({"external": {"Theirs": "onnx_gain"}}, ["no external entry 'onnx_gain'"]),
    ],
)
def test_wrong_rows_are_refused(folder: Path, changes: dict, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        planned(folder, figures={}, **changes)
    assert all(part in str(caught.value) for part in parts), caught.value


def test_wrong_entries_are_refused(folder: Path) -> None:
    text = "nsnet2:\n  type: onnx_gain\n  fiel: x.onnx\n  params: { floor: -1.0 }\n"
    (folder / "external" / "nsnet2.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"nsnet2\.yaml:3: .*'fiel'.* did you mean 'file'"):
        planned(folder)
    (folder / "external" / "nsnet2.yaml").write_text(text.replace("fiel", "file"))
    with pytest.raises(ConfigError, match=r"nsnet2\.yaml:4: nsnet2\.params\.floor"):
        planned(folder)


def test_gc_keeps_what_was_made_while_the_file_was_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEBENCH_NSNET2", file(folder, b"1"))
    store = Store(folder.parent / "results")
    plan = planned(folder)
    for node in plan.nodes.by_key.values():
        store.freeze(node)
    made = {node.id for node in (*plan.external["Theirs"].enhanced.values(), *plan.external["Theirs"].scores.values())}
    config = load_config(folder)
    assert not {item.path.stem for item in unneeded(config, store)[0]} & made
    monkeypatch.delenv("SEBENCH_NSNET2")
    items, notes = unneeded(config, store)
    assert not {item.path.stem for item in items} & made
    assert any("nsnet2" in note for note in notes)
    file(folder, b"2")
    monkeypatch.setenv("SEBENCH_NSNET2", str(folder.parent / "x.onnx"))
    assert {item.path.stem for item in unneeded(config, store)[0]} >= made


def test_the_planner_stays_light(folder: Path) -> None:
    code = (
        "import sys; from sebench.config.load import load_config; from sebench.plan.build import build_plan;"
        "from sebench.artefacts import Store;"
        f"plan = build_plan(load_config({str(folder)!r}), 's', 'smoke', None, Store('r'));"
        "assert plan.external; print([m for m in ('torch', 'onnxruntime', 'numpy') if m in sys.modules])"
    )
    environment = {"PATH": "", "SEBENCH_NSNET2": file(folder, b"1"), "PYTHONPATH": str(SHIPPED.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


def test_the_study_of_source_001_has_the_baseline_in_its_tables() -> None:
    config = load_config(SHIPPED)
    study = config.get("studies", "pesqnet").entry
    assert study.external == {"DNS3 Baseline": "nsnet2"}
    for name in ("table3", "table4", "table5"):
        assert study.tables[name].rows["DNS3 Baseline"] == "DNS3 Baseline"
        assert study.tables[name].published_rows["DNS3 Baseline"] == "DNS3 Baseline [48]"
