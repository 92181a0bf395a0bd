"""What a person types, on a finished study."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from repo import ROWS, Done, Repo, contents

from sebench.cli import main
from sebench.kinds import KINDS
from sebench.process.once import make_once

Command = Callable[..., Done]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`sebench WORDS` in a repository, without a new process."""

    def run(repo: Repo, *words: str) -> Done:
        monkeypatch.chdir(repo.folder)
        monkeypatch.delenv("SEBENCH_RECORDINGS", raising=False)
        monkeypatch.setattr(sys, "argv", ["sebench", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        found = capsys.readouterr()
        return Done(int(ended.value.code or 0), found.out, found.err)

    return run


def test_plan_of_a_finished_study(finished: Repo, command: Command) -> None:
    done = command(finished, "plan")
    assert done.code == 0
    assert "cells: 0 new, 2 done, 0 shared" in done.out
    for kind, count in {"corpus": 1, "set": 4, "run": 2, "enhanced": 4, "scores": 6, "table": 2}.items():
        assert re.search(rf"^  {KINDS[kind].word} +0 to do of {count} ", done.out, re.MULTILINE), done.out
    assert "jobs: 0; submissions: 0 on a cluster" in done.out
    assert command(finished, "plan", "--why").out == "no cell is new: every run is there\n"


def test_plan_of_a_change_says_why_and_writes_nothing(repo: Repo, command: Command) -> None:
    before = contents(repo.store)
    repo.edit("config/losses/two_stage.yaml", "complex_mse: 0.02", "complex_mse: 0.03")
    done = command(repo, "plan")
    assert "cells: 1 new, 1 done" in done.out
    why = command(repo, "plan", "tiny", "--why").out
    assert why.startswith("Two-stages")
    assert "weight: 0.02 -> 0.03" in why
    assert len(why.splitlines()) == 2
    assert contents(repo.store) == before


def test_shared_cells_are_named(repo: Repo, command: Command) -> None:
    text = (repo.config / "studies" / "tiny.yaml").read_text()
    repo.write("config/studies/other.yaml", text.replace("tiny:\n", "other:\n", 1))
    done = command(repo, "plan", "other")
    assert "2 shared with other studies" in done.out
    assert "shared with tiny" in done.out


def test_tables_in_every_format(finished: Repo, command: Command) -> None:
    for word, suffix in {"csv": "csv", "latex": "tex", "json": "json", "markdown": "md"}.items():
        done = command(finished, "table", "--format", word, "--table", "quality")
        assert done.code == 0
        assert done.out == (finished.place / f"quality.{suffix}").read_text()
    terminal = command(finished, "table")
    assert terminal.code == 0
    assert "# Quality" in terminal.out
    assert "# Size" in terminal.out


def test_a_table_that_is_not_complete_has_holes_that_say_so(repo: Repo, command: Command) -> None:
    repo.losses_of_stage1("mag_mse", "l_c_04")
    found = json.loads(command(repo, "table", "--format", "json", "--table", "quality").out)
    values = dict(zip(found["rows"], found["values"], strict=True))
    assert found["partial"]
    assert all(value["ours"] is None and value["reason"] for value in values["Stage1(L_C weight=0.4)"])
    assert all(value["ours"] is not None for value in values["Stage1(MSE)"])
    nowhere = command(repo, "table", "two_stage", "--format", "csv", "--table", "pesq", "--corpus", "builtin")
    assert nowhere.code == 0
    rows = csv.DictReader(io.StringIO(command(repo, "table", "--format", "csv", "--table", "quality").out))
    assert {row["row"] for row in rows} == {*ROWS, "Stage1(L_C weight=0.4)"}


@pytest.mark.parametrize(
    ("what", "some"),
    [
        ("losses", ["mag_mse", "neg_si_snr_complex_mse", "1 neg_si_snr + 0.02 complex_mse"]),
        ("models", ["stage1", "two_stage"]),
        ("metrics", ["pesq_nb", "si_sdr"]),
        ("corpora", ["builtin", "recordings", "tiny"]),
        ("mixing", ["two_stage", "dns3"]),
        ("recipes", ["supervised"]),
        ("studies", ["two_stage", "tiny"]),
        ("scales", ["smoke", "paper"]),
    ],
)
def test_lists(finished: Repo, command: Command, what: str, some: list[str]) -> None:
    done = command(finished, "list", what)
    assert done.code == 0
    assert all(word in done.out for word in some)


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (("loss", "neg_si_snr"), ["equation", "source", "needs of the estimate", "waveform"]),
        (("loss", "neg_si_snr_complex_mse"), ["0.02 complex_mse", "sees the phase"]),
        (("model", "stage1"), ["parameter", "gives"]),
        (("metric", "pesq_nb"), ["package"]),
        (("corpus", "builtin"), ["parameter train_utterances"]),
        (("study", "tiny"), ["A study for tests"]),
        (("recipe", "two_stage_joint"), ["stages"]),
        (("scale", "demo"), ["steps"]),
        (("mixing", "two_stage"), ["speech_level_dbov"]),
    ],
)
def test_shows(finished: Repo, command: Command, words: tuple[str, str], some: list[str]) -> None:
    done = command(finished, "show", *words)
    assert done.code == 0
    assert all(word in done.out for word in some), done.out


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (("plan", "tny"), ["tny", "tiny"]),
        (("run", "tny"), ["tny", "tiny"]),
        (("plan", "--scale", "smok"), ["smok", "smoke"]),
        (("plan", "--corpus", "tinny"), ["tinny", "tiny"]),
        (("plan", "--corpus", "recordings"), ["recordings", "SEBENCH_RECORDINGS"]),
        (("plan", "pesqnet"), ["SEBENCH_WSJ0", "--corpus builtin", "--corpus recordings"]),
        (("table", "--format", "cvs"), ["cvs", "csv"]),
        (("table", "--table", "qualty"), ["qualty", "quality"]),
        (("list", "loses"), ["loses", "losses"]),
        (("show", "loss", "mag_msse"), ["mag_msse", "mag_mse"]),
        (("show", "loos", "mag_mse"), ["loos", "loss"]),
        (("enhance", "nothing", "in.wav", "out.wav"), ["nothing", "no such run"]),
        (("enhance", "stage1-mag_mse", "absent.wav", "out.wav"), ["absent.wav"]),
        (("retry", "nothing"), ["nothing", "no such run"]),
        (("export", "nothing", "0", "."), ["nothing"]),
        (("step", "run", "nothing-0123456789"), ["0123456789"]),
    ],
)
def test_wrong_names(finished: Repo, command: Command, words: tuple[str, ...], some: list[str]) -> None:
    done = command(finished, *words)
    assert done.code == 1
    assert done.err.startswith("sebench: ")
    assert "Traceback" not in done.text
    assert len(done.err.splitlines()) <= 2, done.err
    assert all(word in done.err for word in some), done.err


def test_snakemake_says_a_wrong_name_too(finished: Repo) -> None:
    done = finished.snakemake("-n", "--config", "study=tny")
    assert done.code != 0
    assert "no studies entry 'tny'" in done.text
    assert "did you mean 'tiny'" in done.text


@pytest.mark.slow
def test_gc_takes_what_no_study_needs_and_nothing_else(repo: Repo, command: Command) -> None:
    nothing = command(repo, "gc", "--dry-run")
    assert "0 files and folders" in nothing.out, nothing.out
    before = contents(repo.store)
    joint = repo.cell("Two-stages(-SISNR+0.02*MSE)")
    repo.edit("config/losses/two_stage.yaml", "complex_mse: 0.02", "complex_mse: 0.03")
    listed = command(repo, "gc", "--dry-run").out
    for node in (joint.run, *joint.enhanced.values(), *joint.scores.values()):
        assert str(repo.store.folder(node).relative_to(repo.folder)) in listed
    assert f"state/run-{joint.run.id}" in listed
    assert repo.cell("Stage1(MSE)").run.stem not in listed
    assert contents(repo.store) == before

    deleted = command(repo, "gc", "--yes")
    assert deleted.out.endswith("deleted\n")
    assert not repo.store.folder(joint.run).exists()
    assert not repo.store.state(joint.run).exists()
    assert all(repo.store.complete(node) for node in repo.nodes("run") if node.id != repo.plan().cells[1].run.id)
    assert sorted(repo.jobs()) == sorted(["train", "evaluate", "table", "table", "publish"])
    assert "0 files and folders" in command(repo, "gc", "--dry-run").out


def test_gc_takes_what_killed_processes_left(repo: Repo, command: Command) -> None:
    store, old = repo.store, time.time() - 3700
    run = store.state(repo.cell("Stage1(MSE)").run)
    with pytest.MonkeyPatch.context() as patch:  # killed before the name is given
        patch.setattr(os, "link", lambda *words: None)
        patch.setattr(Path, "unlink", lambda *words, **options: None)
        for path in (store.root / "driver.json", run / "lease-000099.json"):
            make_once(path, "text")
    left = [*store.root.glob(".driver-*.tmp"), *run.glob(".lease-*.tmp")]
    left += [run / f".check-{'c' * 32}", run / f".lease-000098-{'a' * 32}.tmp"]
    left[2].touch()
    left[3].mkdir()
    kept = [store.root / f".driver-{'d' * 32}.tmp", run / ".note-1.tmp"]
    for path in kept:
        path.touch()
    for path in (*left, kept[1]):
        os.utime(path, (old, old))
    assert len(left) == 4
    listed = command(repo, "gc", "--dry-run").out
    assert all(str(path.relative_to(repo.folder)) in listed for path in left), listed
    assert "4 files and folders" in listed
    command(repo, "gc", "--yes")
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_gc_keeps_the_parts_of_scores_that_are_needed(repo: Repo, command: Command) -> None:
    parts = repo.store.root / "state" / "score-parts"
    before = sorted(path.name for path in parts.iterdir())
    assert len(before) == 12
    repo.edit("config/losses/two_stage.yaml", "complex_mse: 0.02", "complex_mse: 0.03")
    command(repo, "gc", "--yes")
    assert len(list(parts.iterdir())) == 8


def test_export(finished: Repo, command: Command, tmp_path: Path) -> None:
    node = finished.plan().conditions["snr0"].node
    done = command(finished, "export", node.stem, "1", str(tmp_path / "wav"))
    assert done.code == 0
    noisy, clean, noise = (
        soundfile.read(next(tmp_path.glob(f"wav/*-{name}.wav")))[0] for name in ("noisy", "clean", "noise")
    )
    np.testing.assert_allclose(noisy, clean + noise, atol=1e-6)
    refused = command(finished, "export", node.stem, "2", str(tmp_path / "wav"))
    assert refused.code == 1
    assert refused.err.endswith("accepted: 0 to 1\n")


def test_enhance_any_file(finished: Repo, command: Command, tmp_path: Path) -> None:
    rate = 44100
    stereo = 0.1 * np.random.default_rng(0).standard_normal((rate, 2))
    stereo[:, 1] *= 0.1
    soundfile.write(tmp_path / "in.wav", stereo, rate, subtype="FLOAT")
    run = finished.cell("Two-stages(-SISNR+0.02*MSE)").run
    for name in (run.stem, run.id, str(finished.store.folder(run))):
        done = command(finished, "enhance", name, str(tmp_path / "in.wav"), str(tmp_path / "out.wav"))
        assert done.code == 0, done.text
        found, found_rate = soundfile.read(tmp_path / "out.wav")
        assert found_rate == rate
        assert found.shape == stereo.shape
        assert np.isfinite(found).all()
        assert 5 < np.std(found[:, 0]) / np.std(found[:, 1]) < 20
        (tmp_path / "out.wav").unlink()
