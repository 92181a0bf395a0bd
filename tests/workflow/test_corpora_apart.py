"""Corpora of a study are compared before anything is trained, and trained networks are tested only after that."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile
import yaml
from built_once import built_once
from repo import RATE, STUDY, Repo, make_recordings, speech_like

from sebench.kinds import KINDS
from sebench.run.workflow import Workflow
from sebench.seeding import generator

SHARED = "noise/test/factory/1.wav"


def with_another_corpus(folder: Path) -> Repo:
    """A clone whose study has one row, trains on `tiny`, and tests on `tiny` and on `other`."""
    repo = Repo.create(folder)
    make_recordings(folder / "other")
    for number, path in enumerate(sorted((folder / "other").rglob("*.wav"))):
        is_speech = "speech" in path.parts
        fresh = speech_like(50 + number, 2.0) if is_speech else generator("other", number).standard_normal(3 * RATE)
        soundfile.write(path, fresh if is_speech else 0.1 * fresh, RATE)
    corpora = {name: {"type": "folder", "root": name} for name in ("recordings", "other")}
    repo.write("config/corpora/tiny.yaml", yaml.safe_dump({"tiny": corpora["recordings"], "other": corpora["other"]}))
    repo.change_study(
        corpus={"main": "tiny", "more": "other"},
        mixing={"main": "two_stage", "more": "two_stage"},
        grid=STUDY["grid"][:1],
        conditions={"sets": {"own": {"snr_db": [0]}, "foreign": {"data": "more", "snr_db": [0]}}},
        tables={"quality": {"title": "Quality", "type": "conditions", "metric": "si_sdr"}},
        figures={},
    )
    return repo


def share(repo: Repo) -> None:
    """Training noise of `tiny`, quieter, is test noise of `other`."""
    noise, _ = soundfile.read(repo.recordings / "noise/train/hiss/1.wav")
    soundfile.write(repo.folder / "other" / SHARED, 0.3 * noise, RATE)


def trained(repo: Repo) -> list[Path]:
    return [*repo.store.root.glob("runs/*/checkpoint.safetensors"), *repo.store.root.glob("state/run-*/*")]


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Finished, and not to be changed."""
    return Repo(
        built_once(tmp_path_factory, "apart", lambda folder: with_another_corpus(folder / "repo").run()) / "repo"
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "snakemake"])
def test_a_sound_that_corpora_share_stops_a_study_before_it_trains(tmp_path: Path, command: str) -> None:
    repo = with_another_corpus(tmp_path / "repo")
    share(repo)
    done = repo.sebench("run", "-c", "2") if command == "run" else repo.snakemake()
    assert done.code == 1
    (log,) = repo.store.root.glob("logs/separate/*.log")
    told = log.read_text()
    assert "what is tested was given to training by another corpus" in told
    assert "noise/train/hiss/1.wav, noise/test/factory/1.wav" in told
    if command == "run":
        assert "noise/train/hiss/1.wav, noise/test/factory/1.wav" in done.err
        assert len(list(repo.store.root.glob("scores/noisy-*/scores.parquet"))) == 2, "these need no training"
    assert trained(repo) == []


@pytest.mark.slow
def test_what_is_finished_stays_so(apart: Repo, tmp_path: Path) -> None:
    assert apart.jobs() == []
    assert len(list(apart.store.root.glob("separations/*/separation.json"))) == 1
    assert not list(apart.store.root.glob("sets/*-train*"))[1:], "nothing is trained on the other corpus"
    repo = apart.copy(tmp_path / "repo")
    for path in repo.store.root.glob("corpora/*/*"):
        path.touch()
    assert repo.jobs() == [], "newer manifests train nothing again"
    shutil.rmtree(repo.store.root / "separations")
    assert repo.jobs() == ["separate"]


@pytest.mark.slow
def test_a_run_of_another_study_is_not_tested_on_what_it_was_trained_on(apart: Repo, tmp_path: Path) -> None:
    repo = apart.copy(tmp_path / "repo")
    before = sorted(trained(repo))
    share(repo)  # makes another corpus of it, and another test set
    assert "train" not in repo.jobs()
    assert repo.sebench("run", "-c", "2").code == 1
    assert {"evaluate", "train", "table"}.isdisjoint(repo.done_jobs())
    assert sorted(trained(repo)) == before
    assert repo.sebench("plan").err.count("what is tested was given to training by another corpus") == 1


def test_runs_wait_for_the_comparison_of_every_study_that_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = with_another_corpus(tmp_path / "repo")
    study = yaml.safe_load((repo.config / "studies" / "tiny.yaml").read_text())["tiny"]
    again = {**study, "corpus": "tiny", "mixing": "two_stage", "conditions": {"snr_db": [0]}}
    third = {**study, "corpus": {"main": "tiny", "more": "third"}}
    shutil.copytree(repo.folder / "other", repo.folder / "third")
    (repo.folder / "third" / SHARED).unlink()
    soundfile.write(repo.folder / "third" / SHARED, 0.1 * generator("third").standard_normal(3 * RATE), RATE)
    repo.write("config/corpora/third.yaml", yaml.safe_dump({"third": {"type": "folder", "root": "third"}}))
    repo.write("config/studies/more.yaml", yaml.safe_dump({"alone": again, "third": third}))
    monkeypatch.chdir(repo.folder)

    def waits(*studies: str) -> tuple[str, int]:
        """The study's only run, and for how many comparisons it waits."""
        dag = Workflow({"study": list(studies), "scale": "smoke"}, inside_job=False)
        (run,) = (node for node in dag.nodes.values() if node.kind == "run")
        inputs = dag.inputs("run")(SimpleNamespace(stem=run.stem))
        return run.stem, sum(path.startswith("results/separations/") for path in inputs)

    run, count = waits("alone")
    assert count == 0, "one corpus"
    assert waits("tiny") == waits("third", "alone") == (run, 1)
    assert waits("tiny", "alone", "third") == (run, 2)
    for name in KINDS["run"].outputs:
        (repo.store.root / "runs" / run).mkdir(parents=True, exist_ok=True)
        (repo.store.root / "runs" / run / name).touch()
    assert waits("tiny", "alone", "third") == (run, 0), "finished"
