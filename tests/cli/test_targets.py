"""Places that a person names: what is wrong with them is said in one line, and nothing of anybody's is lost."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import soundfile
from place import Command, Place

from sebench.artefacts import Node, Store
from sebench.errors import DataError
from sebench.files import replacing, write_json, write_text
from sebench.plan.plan import Plan
from sebench.synthesis.store import AudioStore
from sebench.tables.collect import collect

LONG = "n" * 300


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("list losses --config-dir a_file", "--config-dir a_file: is a file"),
        ("plan two_stage --results a_file", "results in a_file: is a file"),
        ("run two_stage --results a_file", "results in a_file: is a file"),
        ("run two_stage --results a_file/deeper", "a_file"),
        (f"run two_stage --corpus builtin --scale smoke --results {LONG}", "File name too long"),
        ("enhance RUN in.wav a_file/x.wav", "a_file/x.wav: cannot be written: a_file: File exists"),
        ("enhance RUN in.wav in.wav", "in.wav: is read and cannot be written onto"),
        ("enhance RUN in.wav in.wav --force", "in.wav: is read and cannot be written onto"),
        ("enhance RUN in.wav ./config/../in.wav --force", "is read, as in.wav, and cannot be written onto"),
        ("enhance RUN in.wav clean.wav", "clean.wav: is there already; --force replaces it"),
        (f"enhance RUN in.wav {LONG}.wav", "File name too long"),
        ("enhance RUN config out.wav", "config: is a folder"),
        ("enhance RUN a_file out.wav", "a_file: cannot be read as audio"),
        ("export SET 0 a_file", "cannot be written: a_file: File exists"),
        ("export SET 0 a_file/deeper", "cannot be written: a_file/deeper: Not a directory"),
        (f"export SET 0 {LONG}", "File name too long"),
        ("score --metric si_sdr --clean clean.wav in.wav --csv clean.wav --force", "clean.wav: is read and cannot"),
        ("collect two_stage,braun_losses out --corpus builtin", "2 studies; accepted: one"),
        ("corpus fetch voicebank_demand --to a_file", "a_file"),
    ],
)
def test_wrong_places(words: str, told: str, place: Place, command: Command) -> None:
    before = {path: path.read_bytes() for path in place.folder.glob("*") if path.is_file()}
    given = words.replace("RUN", place.run.id).replace("SET", place.rendered.id).split()
    code, _, err = command(*given)
    assert code == 1
    assert err.startswith("sebench: ")
    assert told in err
    assert len(err.splitlines()) == 1, err
    assert {path: path.read_bytes() for path in place.folder.glob("*") if path.is_file()} == before


def test_enhance_writes_a_new_file_and_asks_before_it_replaces_one(place: Place, command: Command) -> None:
    assert command("enhance", place.run.id, "in.wav", "new/out.wav")[0] == 0
    assert command("enhance", place.run.id, "in.wav", "new/out.wav")[0] == 1
    assert command("enhance", place.run.id, "in.wav", "new/out.wav", "--force")[0] == 0
    assert [path.name for path in Path("new").iterdir()] == ["out.wav"]


def test_a_name_of_the_system_is_that_of_the_file_not_of_its_temporary_one(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(IsADirectoryError) as refused, replacing(tmp_path / "folder.csv") as temporary:
        temporary.write_text("x")
    assert refused.value.filename == str(tmp_path / "folder.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


def test_export_asks_before_it_replaces_and_never_writes_onto_the_set(place: Place) -> None:
    audio = AudioStore.open(place.store, place.rendered)
    paths = audio.export_wav(0, Path("out"))
    assert [path.name for path in paths] == [f"listen-0-{name}.wav" for name in ("noisy", "clean", "noise")]
    paths[1].unlink()
    paths[2].write_text("mine")
    with pytest.raises(DataError, match=r"is there already; --force replaces it"):
        audio.export_wav(0, Path("out"))
    assert not paths[1].exists(), "all are looked at before the first is written"
    assert paths[2].read_text() == "mine"
    audio.export_wav(0, Path("out"), force=True)
    np.testing.assert_array_equal(soundfile.read(paths[0], dtype="float32")[0], audio.row(0)["noisy"])
    shard = next(place.store.state(place.rendered).glob("*.f32"))
    before = shard.read_bytes()
    paths[0].unlink()
    paths[0].symlink_to(shard.resolve())
    with pytest.raises(DataError, match="cannot be written onto"):
        audio.export_wav(0, Path("out"), force=True)
    assert shard.read_bytes() == before


@pytest.fixture
def study(tmp_path: Path) -> tuple[Plan, Store]:
    """A finished study of one table, as far as `collect` looks at it."""
    store = Store(tmp_path / "results")
    table, run = Node("table", "t", {}), Node("run", "r", {})
    for name, path in store.outputs(table).items():
        empty: dict[str, Any] = {"columns": [{"name": "c"}], "rows": ["A"], "values": [[{"ours": 1.0}]]}
        write_json(path, empty) if name == "table.json" else write_text(path, name)
    write_json(store.outputs(run)["history.json"], [{"step": 1, "loss": 0.5, "lr": 0.1, "valid": None, "loss/a,b": 2}])
    cell = SimpleNamespace(run=run, cell=SimpleNamespace(label="A", seed=0))
    name = SimpleNamespace(name="s")
    return cast("Plan", SimpleNamespace(tables={"t": table}, figures={}, cells=[cell], study=name)), store


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_collect_writes_all_or_nothing_and_replaces_only_its_own(study: tuple[Plan, Store], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    collect(*study, folder)
    before = contents(folder)
    assert set(before) == {f"tables/t.{suffix}" for suffix in ("json", "md", "csv", "tex")} | {
        "metrics.json", "curves/A.csv",
    }  # fmt: skip
    assert before["curves/A.csv"] == 'step,loss,valid,"loss/a,b",lr\n1,0.5,,2,0.1\n', "every term that was told"
    assert json.loads(before["metrics.json"]) == {"t": {"A": {"c": 1.0}}}
    with pytest.raises(DataError, match="tables: is there already; --force replaces it"):
        collect(*study, folder)
    (folder / "curves" / "earlier.csv").write_text("of an earlier call")
    collect(*study, folder, force=True)
    assert contents(folder) == before
    for mine in ("tables/notes.txt", "curves/deeper/x.csv"):
        (folder / mine).parent.mkdir(exist_ok=True)
        (folder / mine).write_text("mine")
        with pytest.raises(DataError, match=r"no `sebench collect` wrote this"):
            collect(*study, folder, force=True)
        assert contents(folder) == {**before, mine: "mine"}
        (folder / mine).unlink()


@pytest.mark.parametrize("where", ["results", "results/tables", "results/runs/x", "link", "results/state"])
def test_collect_never_replaces_a_part_of_the_store(where: str, study: tuple[Plan, Store], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "results")
    before = contents(tmp_path / "results")
    with pytest.raises(DataError, match="which is read for it; accepted: another folder"):
        collect(*study, tmp_path / where, force=True)
    assert contents(tmp_path / "results") == before
    collect(*study, tmp_path / "results" / "studies" / "s")  # where `dvc repro` has it


def test_collect_says_targets_that_cannot_be(study: tuple[Plan, Store], tmp_path: Path) -> None:
    (tmp_path / "a_file").write_text("mine")
    for target in (tmp_path / "a_file", tmp_path / "a_file" / "deeper", tmp_path / LONG):
        with pytest.raises((DataError, OSError)) as refused:
            collect(*study, target, force=True)
        assert isinstance(refused.value, DataError) or refused.value.strerror
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "tables").write_text("mine")
    with pytest.raises(DataError, match="is there and is no folder"):
        collect(*study, tmp_path / "out", force=True)
