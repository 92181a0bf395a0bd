"""`dvc repro`, and what it shares with another clone: everything, without computing anything there."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
import yaml
from built_once import built_once
from repo import ROOT, STUDY, Done, Repo, assert_same, contents, kill_session, wait_until

from sebench.files import read_json

pytestmark = pytest.mark.slow

AMOUNTS = STUDY["scales"]["smoke"]


def git(folder: Path, *words: str) -> None:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def dvc(repo: Repo, *words: str) -> Done:
    done = repo.command("dvc", *words)
    assert done.code == 0, done.text
    return done


def commit(repo: Repo, message: str) -> None:
    git(repo.folder, "add", "-A")
    git(repo.folder, "commit", "-qm", message)


@pytest.fixture(scope="session")
def versioned(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """A clone whose study and recordings DVC versions, regenerated once and committed."""

    def build(folder: Path) -> None:
        repo = Repo.create(folder / "repo")
        for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
            shutil.copy(ROOT / name, repo.folder)
        shutil.copytree(ROOT / "sebench", repo.folder / "sebench", ignore=shutil.ignore_patterns("__pycache__"))
        (repo.folder / ".dvc").mkdir()
        for name in ("config", ".gitignore"):
            shutil.copy(ROOT / ".dvc" / name, repo.folder / ".dvc")
        git(repo.folder, "init", "-q")
        (repo.folder / "data").mkdir()
        repo.recordings.rename(repo.folder / "data" / "recordings")
        repo.edit("config/corpora/tiny.yaml", "root: recordings", "root: data/recordings")
        repo.change_study(scales={"smoke": AMOUNTS, "demo": {**AMOUNTS, "steps": 4}})
        params = {"studies": ["tiny"], "scale": "smoke", "corpus": "", "profile": ""}
        repo.write("params.yaml", yaml.safe_dump(params, sort_keys=False))
        dvc(repo, "add", "data/recordings")
        dvc(repo, "repro")
        commit(repo, "smoke")

    return Repo(built_once(tmp_path_factory, "versioned", build) / "repo")


def copy_of(versioned: Repo, folder: Path) -> Repo:
    repo = versioned.copy(folder)
    shutil.rmtree(repo.folder / ".dvc" / "tmp", ignore_errors=True)
    return repo


def clone(repo: Repo, folder: Path) -> Repo:
    git(folder.parent, "clone", "-q", str(repo.folder), str(folder))
    made = Repo(folder)
    made.environment = dict(repo.environment)
    return made


def test_nothing_runs_twice(versioned: Repo) -> None:
    again = dvc(versioned, "repro")
    assert "Running stage" not in again.text
    assert "up to date" in again.text


def test_an_edit_without_consequences_computes_nothing(versioned: Repo, tmp_path: Path) -> None:
    repo = copy_of(versioned, tmp_path / "repo")
    before = contents(repo.store)
    with (repo.config / "studies" / "tiny.yaml").open("a", encoding="utf-8") as file:
        file.write("# a comment\n")
    done = dvc(repo, "repro")
    assert "nothing to do" in done.text
    assert_same(contents(repo.store), before)


def test_a_lost_table_is_made_again_alone(versioned: Repo, tmp_path: Path) -> None:
    repo = copy_of(versioned, tmp_path / "repo")
    before = contents(repo.store)
    (table, *_) = repo.nodes("table")
    shutil.rmtree(repo.store.folder(table))
    dvc(repo, "repro")
    assert repo.done_jobs() == ["table"]
    assert_same(contents(repo.store), before)


def other_clone_has_it_all(repo: Repo, folder: Path) -> None:
    dvc(repo, "push")
    other = clone(repo, folder)
    made = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("READ_BY_DVC"))
    for name in made.split()[2:]:  # as `make env` does
        (other.folder / name).mkdir(parents=True)
    dry = dvc(other, "repro", "--dry").out
    assert "> python -m sebench run" in dry
    assert "> python -m sebench collect 'tiny'" in dry
    dvc(other, "pull")
    done = dvc(other, "repro")
    assert "Running stage" not in done.text, done.text
    assert not (other.store.root / "logs").exists(), "a job ran"

    def shared(found: dict[str, bytes]) -> dict[str, bytes]:  # the readable copies are each clone's own
        return {name: data for name, data in found.items() if not name.startswith("tables/tiny-")}

    assert_same(shared(contents(other.store)), shared(contents(repo.store)))
    assert any(name.endswith("checkpoint.safetensors") for name in contents(other.store))
    recordings = sorted(path.relative_to(repo.folder) for path in repo.folder.glob("data/recordings/**/*.wav"))
    assert recordings
    assert all((other.folder / path).read_bytes() == (repo.folder / path).read_bytes() for path in recordings)
    told = other.sebench("run")  # the readable copies are made; nothing else is to be done
    assert told.code == 0, told.text
    assert other.done_jobs() == ["publish"]


def test_another_clone_pulls_from_a_folder(versioned: Repo, tmp_path: Path) -> None:
    repo = copy_of(versioned, tmp_path / "repo")
    dvc(repo, "remote", "add", "-q", "-d", "shared", str(tmp_path / "remote"))
    commit(repo, "remote")
    other_clone_has_it_all(repo, tmp_path / "other")


def test_a_corpus_from_an_address_is_a_dependency(versioned: Repo, tmp_path: Path) -> None:
    """The same files from elsewhere make nothing new; files that change there, and are updated here, do."""
    repo = copy_of(versioned, tmp_path / "repo")
    published = tmp_path / "published"
    shutil.copytree(repo.folder / "data" / "recordings", published)
    dvc(repo, "import-url", str(published), "data/brought")
    repo.edit("config/corpora/tiny.yaml", "data/recordings", "data/brought")
    trained = {run.key for run in repo.nodes("run")}
    assert all(repo.store.complete(run) for run in repo.nodes("run"))
    (changed, *_) = sorted(published.rglob("speech/train/*/*.wav"))
    samples, rate = soundfile.read(changed)
    soundfile.write(changed, 0.5 * samples, rate)
    dvc(repo, "update", "data/brought.dvc")
    dvc(repo, "repro")
    assert {run.key for run in repo.nodes("run")}.isdisjoint(trained)
    assert all(repo.store.complete(run) for run in repo.nodes("run"))


@pytest.fixture
def s3() -> Iterator[str]:
    """Address of an S3 server on the loopback interface."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:

        def answers() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(answers, 60, "the S3 server does not answer")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def test_another_clone_pulls_from_s3(versioned: Repo, tmp_path: Path, s3: str) -> None:
    import boto3

    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    client = boto3.client(
        "s3",
        endpoint_url=s3,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="results")
    repo = copy_of(versioned, tmp_path / "repo")
    repo.environment |= keys
    dvc(repo, "remote", "add", "-q", "-d", "cloud", "s3://results/sebench")
    dvc(repo, "remote", "modify", "cloud", "endpointurl", s3)
    commit(repo, "remote")
    other_clone_has_it_all(repo, tmp_path / "other")
    assert client.list_objects_v2(Bucket="results")["KeyCount"] > 10


def test_changed_recordings_are_a_changed_dependency(versioned: Repo, tmp_path: Path) -> None:
    repo = copy_of(versioned, tmp_path / "repo")
    (sound,) = repo.folder.glob("data/recordings/speech/train/ada/1.wav")
    shutil.copyfile(repo.folder / "data/recordings/speech/train/ben/1.wav", sound)
    assert "data/recordings" in repo.command("dvc", "status").text
    dvc(repo, "add", "data/recordings")
    dvc(repo, "repro")
    assert "train" in repo.done_jobs()


def test_imported_recordings_are_a_dependency(versioned: Repo, tmp_path: Path) -> None:
    repo = copy_of(versioned, tmp_path / "repo")
    source = tmp_path / "published"
    shutil.copytree(repo.folder / "data" / "recordings", source)
    dvc(repo, "import-url", str(source), "data/imported")
    repo.edit("config/corpora/tiny.yaml", "root: data/recordings", "root: data/imported")
    assert "store" in dvc(repo, "status").out
    dvc(repo, "repro")
    assert "up to date" in dvc(repo, "repro").text
    (source / "speech/train/ada/1.wav").unlink()
    dvc(repo, "update", "data/imported.dvc")
    assert not (repo.folder / "data/imported/speech/train/ada/1.wav").exists()
    assert "store" in dvc(repo, "status").out


def test_differences_between_two_commits(versioned: Repo, tmp_path: Path) -> None:
    repo = copy_of(versioned, tmp_path / "repo")
    before = read_json(repo.folder / "results/studies/tiny/metrics.json")
    dvc(repo, "exp", "run", "-S", "scale=demo", "-S", "studies=[tiny]")
    after = read_json(repo.folder / "results/studies/tiny/metrics.json")
    assert before["quality"]["Stage1(MSE)"] != after["quality"]["Stage1(MSE)"]
    commit(repo, "demo")
    found = json.loads(dvc(repo, "metrics", "diff", "HEAD~1", "--json").out)
    found = found["results/studies/tiny/metrics.json"]
    change = found["quality.Stage1(MSE).Avg."]
    assert change["old"] == before["quality"]["Stage1(MSE)"]["Avg."]
    assert change["new"] == after["quality"]["Stage1(MSE)"]["Avg."]
    changed = json.loads(dvc(repo, "params", "diff", "HEAD~1", "--json").out)["params.yaml"]
    assert changed["scale"] == {"old": "smoke", "new": "demo"}
    plots = json.loads(dvc(repo, "plots", "diff", "HEAD~1", "--json").out)
    assert any("Stage1(MSE).csv" in name for name in plots["data"])


def test_while_snakemake_runs(versioned: Repo, tmp_path: Path) -> None:
    repo = copy_of(versioned, tmp_path / "repo")
    run = repo.cell("Stage1(MSE)").run
    shutil.rmtree(repo.store.folder(run))
    shutil.rmtree(repo.store.state(run))
    repo.change_study(scales={"smoke": {**AMOUNTS, "steps": 2000}})
    busy = repo.popen("snakemake", "-c", "1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        new = repo.cell("Stage1(MSE)").run
        wait_until((repo.store.state(new) / "progress.json").exists, what="training did not begin")
        refused = repo.command("dvc", "repro")
        assert refused.code != 0
        assert "another driver" in refused.text
    finally:
        busy.terminate()
        busy.wait(60)
        kill_session(busy.pid)
    assert os.path.exists(repo.store.state(new))  # noqa: PTH110
