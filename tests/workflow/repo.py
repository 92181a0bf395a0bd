"""A repository as a person clones it, in a temporary folder, with a study small enough to be made in a test."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml

from sebench.artefacts import Node, Store
from sebench.config.load import load_config
from sebench.plan.build import build_plan
from sebench.plan.plan import Plan
from sebench.seeding import generator

ROOT = Path(__file__).parents[2]
RATE = 16000

#: Two rows, two conditions, three runs in a chain that shares its first.
STUDY: dict[str, Any] = {
    "title": "A study for tests",
    "corpus": "tiny",
    "mixing": "two_stage",
    "grid": [
        {"product": {"model": "stage1", "loss": ["mag_mse"], "recipe": "supervised"}},
        {"product": {"model": "two_stage", "loss": ["neg_si_snr_complex_mse"], "recipe": "two_stage_joint"}},
    ],
    "conditions": {"snr_db": [0, 10]},
    "metrics": ["si_sdr", "delta_snr"],
    "select": {"by": "loss"},
    "scales": {
        "smoke": {
            "utterances": {"train": 4, "valid": 2, "test": 2},
            "steps": 3,
            "batch_size": 2,
            "segment_seconds": 0.5,
            "validations": 1,
            "warmup_steps": 2,
        }
    },
    "tables": {
        "quality": {"title": "Quality", "type": "conditions", "metric": "si_sdr", "extra": ["delta_snr"]},
        "size": {
            "title": "Size",
            "type": "complexity",
            "columns": [{"column": "Para", "key": "parameters"}],
            "rows": ["Stage1(MSE)", "Two-stages(-SISNR+0.02*MSE)"],
        },
    },
    "figures": {
        "spectrograms": {
            "title": "One utterance",
            "condition": "0 dB",
            "panels": [{"label": "Noisy", "source": "noisy"}, {"label": "MSE", "source": "Stage1(MSE)"}],
            "select": {"noise_kind": "factory"},
        }
    },
}
ROWS = ("Noisy", "Stage1(MSE)", "Two-stages(-SISNR+0.02*MSE)")


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


class Repo:
    """A working copy: Snakefile, rules, profiles, config, recordings and a store.

    Args:
        folder: the root of the copy.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config"
        self.recordings = folder / "recordings"
        self.store = Store(folder / "results")
        self.environment: dict[str, str] = {}

    @classmethod
    def create(cls, folder: Path) -> Repo:
        """A clone without results."""
        repo = cls(folder)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "Snakefile", folder)
        for name in ("workflow", "profiles", "config"):
            shutil.copytree(ROOT / name, folder / name)
        (folder / "slurm").symlink_to("profiles/slurm")
        make_recordings(repo.recordings)
        repo.write("config/config.yaml", "study: [tiny]\nscale: smoke\nresults: results\n")
        repo.write("config/corpora/tiny.yaml", yaml.safe_dump({"tiny": {"type": "folder", "root": "recordings"}}))
        repo.write("config/studies/tiny.yaml", yaml.safe_dump({"tiny": STUDY}, sort_keys=False))
        return repo

    def copy(self, folder: Path) -> Repo:
        """The same repository elsewhere, with its results and what Snakemake remembers; times are kept."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True, symlinks=True)
        return Repo(folder)

    # Editing

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{path} has no {old!r}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def change_study(self, **changes: Any) -> None:
        """Replace keys of the study."""
        path = self.config / "studies" / "tiny.yaml"
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        content["tiny"].update(changes)
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def losses_of_stage1(self, *losses: str) -> None:
        """Give the study's first block these losses."""
        first = {"product": {"model": "stage1", "loss": list(losses), "recipe": "supervised"}}
        self.change_study(grid=[first, STUDY["grid"][1]])

    # Running

    def popen(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """A command in the repository, in a session of its own."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SEBENCH_")}
        # as in an activated environment, which `dvc` needs to find `python`
        path = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])
        environment |= {"SNAKEMAKE_OUTPUT_CACHE": "", "PATH": path, **self.environment}
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            **options,
        )

    def command(self, *words: str, timeout: float = 300) -> Done:
        """Run to the end; what the command left running is ended with it."""
        process = self.popen(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:  # too long, or Ctrl-C: its session is its own and would go on
            kill_session(process.pid)
            raise
        return Done(process.returncode, out, err)

    def snakemake(self, *words: str, timeout: float = 300) -> Done:
        return self.command("snakemake", "-c", "2", *words, timeout=timeout)

    def sebench(self, *words: str, timeout: float = 300) -> Done:
        return self.command("sebench", *words, timeout=timeout)

    def run(self, *words: str, timeout: float = 300) -> Done:
        """`sebench run`, which must succeed."""
        done = self.sebench("run", "-c", "2", *words, timeout=timeout)
        assert done.code == 0, f"exit {done.code}: {done.text}"
        return done

    def jobs(self) -> list[str]:
        """Rules that Snakemake would run now, one entry per job, without the target rules; nothing is run."""
        done = self.snakemake("-n")
        assert done.code == 0, done.text
        return rules_in(done.text)

    # Looking

    def plan(self, scale: str = "smoke", study: str = "tiny") -> Plan:
        """A study's plan, made in this process."""
        here = Path.cwd()
        os.chdir(self.folder)
        try:
            return build_plan(load_config(Path("config")), study, scale, None, self.store)
        finally:
            os.chdir(here)

    def nodes(self, kind: str) -> list[Node]:
        return self.plan().nodes.of_kind(kind)

    def cell(self, label: str) -> Any:
        """The planned cell of a row."""
        return next(cell for cell in self.plan().cells if cell.cell.label == label)

    @property
    def place(self) -> Path:
        """Where the readable copies of the tables are."""
        return self.folder / "results" / "tables" / "tiny-smoke-tiny"

    def done_jobs(self) -> list[str]:
        """Rules of the jobs in the log of the last `sebench run`."""
        return rules_in((self.folder / "results" / "logs" / "snakemake.log").read_text(encoding="utf-8"))


def rules_in(log: str) -> list[str]:
    """The rules of the jobs in Snakemake's output, without targets."""
    found = re.findall(r"^ *(?:local)?rule (\w+):", log, re.MULTILINE)
    return [name for name in found if name != "all"]


def made_by(done: Done) -> list[str]:
    """Kinds of the artefacts that a `sebench run` says it made, in order."""
    return re.findall(r"^\[ *\d+ s\] \d+/\d+ (\w+) \S+-[0-9a-f]{10}$", done.out, re.MULTILINE)


#: Written by a run without being determined by it: live state, logs, leases, what says when and where, and what a
#: driver that was killed at its start has left.
_VARYING = re.compile(r"^(state|logs|frozen|locations|jobs)/|provenance\.json$|^driver\.json$|^\.driver-")


def contents(store: Store) -> dict[str, bytes]:
    """Every file of a store that the ids determine, by relative path."""
    files = {path.relative_to(store.root).as_posix(): path for path in store.root.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in sorted(files.items()) if not _VARYING.search(name)}


def assert_same(found: dict[str, bytes], expected: dict[str, bytes]) -> None:
    """The same files with the same bytes; says which differ."""
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []


def speech_like(seed: int, seconds: float) -> np.ndarray:
    """Harmonics in syllables with pauses between them."""
    rng = generator("test speech", seed)
    time_axis = np.arange(round(seconds * RATE)) / RATE
    pitch = 100 + 30 * (seed % 5)
    tone = sum(np.sin(2 * np.pi * pitch * k * time_axis) / k for k in range(1, 12))
    syllables = np.repeat(rng.random(round(seconds * 5) + 1) > 0.3, RATE // 5)[: len(time_axis)]
    envelope = np.convolve(syllables, np.hanning(400) / 200, "same")
    return 0.1 * tone * envelope + 1e-4 * rng.standard_normal(len(time_axis))


def make_recordings(root: Path) -> None:
    """A folder corpus: four speakers, two kinds of noise."""
    for number, name in enumerate(["train/ada/1", "train/ada/2", "train/ben/1", "valid/cyd/1", "test/dee/1"]):
        _write(root / "speech" / f"{name}.wav", speech_like(number, 1.6 + 0.1 * number))
    for name in ("train/hiss/1", "valid/hiss/2", "test/factory/1"):
        _write(root / "noise" / f"{name}.wav", 0.1 * generator("test noise", name).standard_normal(3 * RATE))


def _write(path: Path, samples: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE, subtype="PCM_16")


# Processes


def session_members(leader: int) -> Iterator[tuple[int, str]]:
    """(pid, command line) of the living processes of a session."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, _, _, session, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (OSError, ValueError):
            continue
        if int(session) == leader and state not in "ZX":
            yield int(entry.name), command


def kill_session(leader: int) -> None:
    """End every process that a command of ours started, by id."""
    for pid, _ in list(session_members(leader)):
        kill(pid)


def kill(pid: int) -> bool:
    """SIGKILL; whether there was such a process."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Any, seconds: float = 120.0, what: str = "") -> None:
    """Look again and again until it is so."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, f"waited {seconds:g} s in vain: {what}"
        time.sleep(0.02)
