"""The study as jobs of a real Slurm on this machine, undisturbed and disturbed: the bytes of a local run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import outside
import pytest
from repo import Done, Repo, assert_same, contents, kill, kill_session, wait_until

from sebench.artefacts import Node
from sebench.files import read_json
from slurm import GPU_NODES, NO_ACCOUNT, Slurm, SlurmAbsent, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

#: `--set-resources` on the command line replaces all that the profile sets.
GPU = "train:slurm_partition=gpu"
SUBMIT = ("snakemake", "--profile", "slurm", "--slurm-init-seconds-before-status-checks", "2")


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    cluster = Slurm()
    try:
        cluster.start()
    except SlurmAbsent as error:
        if os.environ.get("SEBENCH_REQUIRE_SLURM"):
            pytest.fail(f"no Slurm: {error}")
        pytest.skip(f"no Slurm: {error}")
    try:
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repo]:
    """The study with four runs that do not wait for each other, made without a cluster."""
    repo = Repo.create(tmp_path_factory.mktemp("local") / "repo")
    outside.extend(repo)
    repo.run()
    with outside.in_this_process(repo):
        yield repo


@pytest.fixture(scope="session")
def submitted(slurm: Slurm, local: Repo, tmp_path_factory: pytest.TempPathFactory) -> tuple[Repo, Done, int]:
    """The same study, made by the cluster; what Snakemake said; the submissions that the plan had foretold."""
    repo = Repo.create(tmp_path_factory.mktemp("submitted") / "repo")
    outside.extend(repo)
    repo.environment["SEBENCH_DEVICE"] = "cpu"  # the GPUs are null devices
    (told,) = re.findall(r"^jobs: .* submissions: (\d+) on a cluster", repo.sebench("plan").out, re.MULTILINE)
    done = repo.command(*SUBMIT, timeout=600)
    assert done.code == 0, done.text
    return repo, done, int(told)


def number_of(record: dict[str, str], key: str) -> int:
    return int(record.get(key, "0"))


class Drill:
    """A copy of the finished study in which one run, and nothing else, is to be trained again, slowly."""

    def __init__(self, repo: Repo, slurm: Slurm, seconds_per_step: float) -> None:
        self.repo = repo
        self.slurm = slurm
        self.before = contents(repo.store)
        outside.put_on_path(repo)
        repo.environment["SEBENCH_DEVICE"] = "cpu"  # the GPUs are null devices
        self.run: Node = repo.cell("Stage1(path)").run
        self.state = repo.store.state(self.run)
        shutil.rmtree(repo.store.folder(self.run))
        shutil.rmtree(self.state)
        repo.environment["OUTSIDE_SECONDS"] = str(seconds_per_step)
        self.drivers: list[subprocess.Popen[str]] = []
        self.earlier = {record["JobId"] for record in slurm.records()}

    def submit(self, *words: str) -> subprocess.Popen[str]:
        """The command, and wait until the run trains."""
        log = (self.repo.folder / f"driver-{len(self.drivers)}.log").open("w", encoding="utf-8")
        driver = self.repo.popen(*SUBMIT, *words, stdout=log, stderr=log)
        self.drivers.append(driver)
        wait_until((self.state / "progress.json").exists, what=f"training did not begin: {self.said()}")
        return driver

    def said(self) -> str:
        return "".join(path.read_text(encoding="utf-8") for path in sorted(self.repo.folder.glob("driver-*.log")))

    def records(self) -> list[dict[str, str]]:
        """The drill's jobs of rule train."""
        new = [record for record in self.slurm.records() if record["JobId"] not in self.earlier]
        return [record for record in new if record.get("Comment", "").startswith("rule_train")]

    def ends_well(self, seconds: float = 300) -> None:
        """The last driver ends without errors and the store is what it was."""
        assert self.drivers[-1].wait(seconds) == 0, self.said()
        assert_same(contents(self.repo.store), self.before)

    @property
    def restarts(self) -> int:
        return int(read_json(self.repo.store.folder(self.run) / "provenance.json")["restarts"])


@pytest.fixture
def drill(submitted: tuple[Repo, Done, int], slurm: Slurm, tmp_path: Path) -> Iterator[Drill]:
    made = Drill(submitted[0].copy(tmp_path / "repo"), slurm, 4.0)
    try:
        yield made
    finally:
        for driver in made.drivers:
            kill_session(driver.pid)
        subprocess.run(["scancel", "-u", "root"], env=slurm.environment(), check=False)
        for node in GPU_NODES:
            slurm.start_node(node)
        wait_for(lambda: set(slurm.node_states().values()) == {"idle"}, 90, "nodes are not idle", slurm.node_states)


def test_the_cluster_makes_what_one_machine_makes(local: Repo, submitted: tuple[Repo, Done, int]) -> None:
    assert_same(contents(submitted[0].store), contents(local.store))


def test_a_submission_asks_for_what_its_rule_needs(slurm: Slurm, submitted: tuple[Repo, Done, int]) -> None:
    folder = str(submitted[0].folder)
    records = [record for record in slurm.records() if record.get("WorkDir") == folder]
    assert len(records) == submitted[2], "the plan had foretold another number of submissions"
    training = [record for record in records if record.get("Comment", "").startswith("rule_train")]
    assert len(training) == len(submitted[0].nodes("run"))
    for record in records:
        asked = "gres/gpu" in record.get("TRES", "") or "gpu" in record.get("TresPerJob", "")
        assert asked == (record in training), record
        assert record["Partition"] == ("gpu" if record in training else "cpu")


def test_no_more_gpu_jobs_at_once_than_gpus(slurm: Slurm, submitted: tuple[Repo, Done, int]) -> None:
    spans = [
        (datetime.fromisoformat(record["StartTime"]), datetime.fromisoformat(record["EndTime"]))
        for record in slurm.records()
        if record.get("WorkDir") == str(submitted[0].folder) and record["Partition"] == "gpu"
    ]
    at_once = [sum(start <= moment < end for start, end in spans) for moment, _ in spans]
    assert 1 < max(at_once) <= len(GPU_NODES)


def test_one_lost_file_is_one_job(drill: Drill) -> None:
    """What is batched with others is still made again alone."""
    repo = drill.repo
    (score, *_) = (node for node in repo.nodes("scores") if "path" in node.stem or "Absolute" in node.stem)
    repo.store.outputs(score)["scores.parquet"].unlink()
    repo.environment["OUTSIDE_SECONDS"] = "0"
    drill.submit()
    drill.ends_well()
    new = [record for record in drill.slurm.records() if record["JobId"] not in drill.earlier]
    assert len(new) == 2  # the run, and the score


def test_a_cancelled_job_is_tried_again(drill: Drill) -> None:
    drill.submit()
    drill.slurm.ask("scancel", *drill.slurm.jobs("-tR"))
    drill.ends_well()
    assert [record["JobState"] for record in drill.records()] == ["CANCELLED", "COMPLETED"]
    assert drill.restarts == 1


def test_a_preempted_run_goes_back_to_the_queue(drill: Drill) -> None:
    drill.submit("--set-resources", "train:slurm_partition=gpulow")
    wish = ["sbatch", "--parsable", "-p", "gpu", "--gres=gpu:1", "--mem=500", "-o", "/dev/null", "--wrap", "sleep 8"]
    for _ in GPU_NODES:
        drill.slurm.ask(*wish)
    drill.ends_well()
    (record,) = drill.records()  # no retry was used
    assert number_of(record, "Restarts") == 1
    assert drill.restarts == 1


def test_a_run_that_outlasts_its_time_limit_goes_back_to_the_queue(drill: Drill) -> None:
    """Two minutes are granted. Slurm looks at limits twice a minute, so the signal comes 30 to 60 s before the end: the
    run has been at it for a while and is not done, and a step takes less time than is left."""
    signal = "train:slurm_extra='--signal=TERM@30'"
    drill.repo.environment["OUTSIDE_SECONDS"] = "24"
    drill.submit("--set-resources", GPU, "train:runtime=2", signal)
    drill.ends_well(600)
    (record,) = drill.records()
    assert number_of(record, "Restarts") >= 1
    assert drill.restarts == number_of(record, "Restarts")


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("train:slurm_partition=gpuu", "no partition 'gpuu'; this cluster has cpu, gpu, gpulow; did you mean 'gpu'?"),
        ("train:slurm_partition=cpu", "partition 'cpu' has no GPUs"),
    ],
)
def test_what_the_cluster_does_not_have_is_refused_before_submitting(drill: Drill, wish: str, message: str) -> None:
    refused = drill.repo.command(*SUBMIT, "--set-resources", wish)
    assert refused.code != 0
    assert message in refused.text
    assert drill.records() == []


def test_a_refused_account_is_named_and_nothing_is_lost(drill: Drill) -> None:
    drill.repo.environment["OUTSIDE_SECONDS"] = "0"
    refused = drill.repo.command(*SUBMIT, "--set-resources", GPU, f"train:slurm_account={NO_ACCOUNT}")
    assert refused.code != 0
    assert "Invalid account or account/partition combination" in refused.text
    assert drill.records() == []
    drill.submit()
    drill.ends_well()
    assert len(drill.records()) == 1


def test_memory_that_runs_out(drill: Drill) -> None:
    """Tried again as often as the rule says; a list of what failed, a hole in the table; with more memory it works."""
    drill.repo.environment["OUTSIDE_SECONDS"] = "1"
    store, cell = drill.repo.store, drill.repo.cell("Stage1(path)")
    for node in (*cell.enhanced.values(), *cell.scores.values(), *drill.repo.nodes("table")):
        shutil.rmtree(store.folder(node))
    too_little = drill.repo.command(*SUBMIT, "--set-resources", GPU, "train:mem_mb=250", timeout=400)
    assert too_little.code != 0
    assert len(drill.records()) == 3
    assert f"train {drill.run.stem}" in too_little.text
    partial = drill.repo.place / "partial" / "quality" / "table.md"
    assert "not computed" in partial.read_text(encoding="utf-8")
    drill.submit("--set-resources", GPU, "train:mem_mb=250 * attempt ** 4")
    drill.ends_well()
    assert len(drill.records()) == 5


def test_a_killed_driver(drill: Drill) -> None:
    drill.repo.environment["OUTSIDE_SECONDS"] = "15"  # three drivers come up while the job runs, on a busy machine too
    first = drill.submit()
    kill(first.pid)
    first.wait()
    assert drill.slurm.jobs("-tR"), "the job ended with its driver"
    locked = drill.repo.command(*SUBMIT)
    assert locked.code != 0
    assert "--unlock" in locked.text
    assert drill.repo.command(*SUBMIT, "--unlock").code == 0
    drill.submit()
    drill.ends_well()
    assert "jobs of an earlier driver are alive" in drill.said()
    one, other = drill.records()
    assert (one["JobState"], other["JobState"]) == ("COMPLETED", "COMPLETED")
    assert number_of(other, "Restarts") >= 1, "the second job held its GPU while it waited"
    assert drill.restarts == 0, "the run was trained by more than one job"


def test_a_node_that_crashes(drill: Drill) -> None:
    drill.submit()
    drill.slurm.crash(drill.records()[0]["NodeList"])
    drill.ends_well()
    assert drill.restarts == 1


def test_a_node_that_is_lost_with_its_payload_running(drill: Drill) -> None:
    """Slurm starts the same job a second time, beside the first."""
    drill.repo.environment["OUTSIDE_SECONDS"] = "12"
    drill.submit()
    drill.slurm.kill_daemon(drill.records()[0]["NodeList"])
    drill.ends_well()
    (record,) = drill.records()
    assert number_of(record, "Restarts") == 1
    assert drill.restarts == 0, "the run was trained by more than one process"
