"""What is finished stays finished; what is deleted is made again alone, with the same bytes."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from repo import STUDY, Repo, assert_same, contents, made_by

from sebench.plan.batches import batches


def test_touched_files(repo: Repo) -> None:
    """Each input newer than what was made from it, and, as in a store from elsewhere, no memory of checksums."""
    shutil.rmtree(repo.folder / ".snakemake")
    kinds = ("tables", "figures", "complexity", "scores", "enhanced", "runs", "sets", "mixtures", "corpora", "state")
    folders = [repo.place, *(repo.store.root / kind for kind in kinds)]
    assert {path.name for path in repo.store.root.iterdir()} - set(kinds) <= {"frozen", "locations", "logs"}
    moment = 2_000_000_000
    for folder in [*folders, *(repo.folder / name for name in ("recordings", "workflow", "config", "profiles"))]:
        moment += 1000
        for path in [folder, *folder.rglob("*")]:
            if folder == repo.place or repo.place not in [path, *path.parents]:
                os.utime(path, (moment, moment))
    os.utime(repo.folder / "Snakefile", (moment, moment))
    assert repo.jobs() == []


def test_cosmetic_edits(repo: Repo) -> None:
    for path in [repo.folder / "Snakefile", *repo.folder.glob("workflow/rules/*.smk")]:
        text = path.read_text()
        text = re.sub(r"^( +)", r"\1\1", text, flags=re.MULTILINE)  # indented twice as far
        path.write_text("# a comment\n\n" + text.replace("\n\n\nrule", "\n\n\n\n# another\nrule"))
    for path in repo.config.rglob("*.yaml"):
        path.write_text("# a comment\n\n" + path.read_text() + "\n# and another\n")
    assert repo.jobs() == []
    assert repo.sebench("run").out.startswith("planning\nnothing to do")


def test_files_that_arrive_in_another_order(repo: Repo) -> None:
    moved = repo.folder / "moved"
    shutil.copytree(repo.recordings, moved)
    shutil.rmtree(repo.recordings)
    for path in sorted((p for p in moved.rglob("*.wav")), reverse=True):
        target = repo.recordings / path.relative_to(moved)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    assert repo.jobs() == []


@pytest.mark.slow
def test_deleted_checkpoint_comes_back_alone(repo: Repo) -> None:
    before = contents(repo.store)
    run = repo.cell("Stage1(MSE)").run
    repo.store.outputs(run)["checkpoint.safetensors"].unlink()
    assert repo.jobs() == ["train"]
    done = repo.snakemake()
    assert done.code == 0, done.text
    assert_same(contents(repo.store), before)


def test_deleted_run_and_score_come_back_alone(repo: Repo) -> None:
    """Without any of their state: trained and scored again, to the same bytes."""
    before = contents(repo.store)
    stage1 = repo.cell("Stage1(MSE)")
    repo.store.outputs(stage1.run)["checkpoint.safetensors"].unlink()
    shutil.rmtree(repo.store.state(stage1.run))
    shutil.rmtree(repo.store.folder(stage1.scores["snr0"]))
    shutil.rmtree(repo.store.root / "state" / "score-parts")
    done = repo.run()
    assert sorted(repo.done_jobs()) == ["evaluate", "train"]
    assert sorted(made_by(done)) == ["run", "scores"]
    assert_same(contents(repo.store), before)
    assert repo.store.state(stage1.run).is_dir()


@pytest.mark.slow
def test_deleted_audio_comes_back_where_it_is_needed(repo: Repo) -> None:
    """A score file that needs an enhanced set's audio, which needs a rendered set's."""
    before = contents(repo.store)
    cell = repo.cell("Two-stages(-SISNR+0.02*MSE)")
    for path in [*repo.store.root.glob("state/set-*"), repo.store.state(cell.enhanced["snr10"])]:
        shutil.rmtree(path)
    assert repo.jobs() == []
    shutil.rmtree(repo.store.folder(cell.scores["snr10"]))
    shutil.rmtree(repo.store.root / "state" / "score-parts")
    done = repo.run()
    assert repo.done_jobs() == ["evaluate"]
    assert made_by(done) == ["scores"]
    assert_same(contents(repo.store), before)
    assert len(list(repo.store.root.glob("state/set-*"))) == 1, "no other set was needed"


@pytest.mark.slow
def test_deleted_generated_corpus_comes_back_where_it_is_needed(tmp_path: Path) -> None:
    repo = Repo.create(tmp_path / "repo")
    counts = "{ train_utterances: 4, valid_utterances: 2, test_utterances: 3, noise_files: 1, noise_seconds: 4.0 }"
    repo.write("config/corpora/tiny.yaml", f"tiny: {{ type: builtin, params: {counts} }}\n")
    repo.run()
    before = contents(repo.store)
    (corpus,) = repo.nodes("corpus")
    shutil.rmtree(repo.store.state(corpus))
    assert repo.jobs() == []
    stage1 = repo.cell("Stage1(MSE)")
    for node in (stage1.enhanced["snr0"], repo.plan().conditions["snr0"].node):
        shutil.rmtree(repo.store.state(node))
    shutil.rmtree(repo.store.folder(stage1.enhanced["snr0"]))
    done = repo.run()
    assert repo.done_jobs() == ["evaluate"]
    assert made_by(done) == ["enhanced"]
    assert_same(contents(repo.store), before)


@pytest.mark.slow
def test_a_change_back_shows_the_old_tables_again(repo: Repo) -> None:
    before = contents(repo.store)
    study = repo.config / "studies" / "tiny.yaml"
    original = study.read_text()
    repo.edit("config/studies/tiny.yaml", "title: Quality", "title: Quality of speech")
    repo.run()
    assert repo.done_jobs() == ["table", "publish"]
    assert "Quality of speech" in (repo.place / "quality.md").read_text()
    study.write_text(original)
    shown = repo.run()
    assert "Quality of speech" not in shown.out
    assert repo.done_jobs() == ["publish"]
    after = contents(repo.store)
    assert {name: after[name] for name in before} == before
    assert {name for name in after.keys() - before.keys() if "/by-id/" not in name} == set()


def test_a_new_snr_computes_only_that_condition(repo: Repo) -> None:
    repo.change_study(conditions={"snr_db": [0, 5, 10]})
    jobs = sorted(["render_test", "score_noisy", "evaluate", "evaluate", "table", "publish"])
    assert sorted(repo.jobs()) == jobs
    new = {node.key: node.kind for node in repo.store.missing(repo.plan().nodes.by_key.values())}
    wanted = ["mixtures", "set", "scores", "enhanced", "enhanced", "scores", "scores", "table", "publication"]
    assert sorted(new.values()) == sorted(wanted)


@pytest.mark.slow
def test_a_new_metric_computes_only_scores(repo: Repo) -> None:
    repo.change_study(metrics=["si_sdr", "delta_snr", "seg_snr"])
    jobs = sorted(["score_noisy", "evaluate", "evaluate", "table", "publish"])
    assert sorted(repo.jobs()) == jobs
    new = [node.kind for node in repo.store.missing(repo.plan().nodes.by_key.values())]
    assert sorted(new) == sorted(["scores"] * 6 + ["table", "publication"])
    made = repo.run()
    assert sorted(made_by(made)) == sorted(new)
    parts = {path.name for path in (repo.store.root / "state" / "score-parts").glob("*.parquet")}
    repo.change_study(metrics=["seg_snr", "si_sdr"])  # of parts that are there
    repo.change_study(tables={"t": {"title": "t", "type": "metrics", "metrics": [{"metric": "seg_snr"}]}})
    repo.run()
    assert {path.name for path in (repo.store.root / "state" / "score-parts").glob("*.parquet")} == parts


def _second_study(repo: Repo) -> None:
    """A study of the same runs on another test axis, which shares one condition with the first."""
    other = {**STUDY, "conditions": {"snr_db": [5, 10]}, "figures": {}}
    repo.write("config/studies/other.yaml", yaml.safe_dump({"other": other}, sort_keys=False))
    repo.edit("config/config.yaml", "study: [tiny]", "study: [tiny, other]")


def test_a_second_study_takes_what_the_first_has_made(repo: Repo) -> None:
    _second_study(repo)
    jobs = ["render_test", "score_noisy", "evaluate", "evaluate", "table", "table", "publish"]
    assert sorted(repo.jobs()) == sorted(jobs)


@pytest.mark.slow
def test_two_studies_make_what_they_share_once(tmp_path: Path, finished: Repo) -> None:
    """Both in one command: one job evaluates a run on the conditions of both, and all is what each alone would make."""
    repo = Repo.create(tmp_path / "repo")
    _second_study(repo)
    made = made_by(repo.run())
    nodes = repo.plan().nodes.by_key | repo.plan(study="other").nodes.by_key
    assert sorted(made) == sorted(node.kind for node in nodes.values())
    assert sorted(job for job in repo.done_jobs() if job in ("evaluate", "score_noisy")) == ["evaluate"] * 2 + [
        "score_noisy"
    ]
    found, alone = contents(repo.store), contents(finished.store)
    assert {name: data for name, data in found.items() if name in alone} == alone


@pytest.mark.slow
def test_what_is_deleted_again_is_made_again(repo: Repo) -> None:
    """The marker of the first time is no reason not to: neither in this driver's store nor with an old one there."""
    score = repo.cell("Stage1(MSE)").scores["snr0"]
    path = repo.store.outputs(score)["scores.parquet"]
    data = path.read_bytes()
    for _ in range(2):
        path.unlink()
        assert made_by(repo.run()) == ["scores"]
        assert path.read_bytes() == data
        assert not (repo.store.root / "jobs").exists()
    path.unlink()
    (batch,) = batches([score], repo.plan().nodes.by_key.__getitem__, repo.store).values()
    for marker in repo.store.outputs(batch).values():  # as a cluster's job of a driver that was killed leaves it
        marker.parent.mkdir(parents=True)
        marker.write_text("{}")
    assert repo.jobs() == ["evaluate"]
    assert made_by(repo.run()) == ["scores"]
    assert path.read_bytes() == data
