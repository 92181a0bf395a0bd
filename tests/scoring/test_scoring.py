"""`sebench score`: any metric on any files, and trained predictors as metrics."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny_runs import alternating_run, item, make_run, predictor_run

from sebench.artefacts import Node, Store
from sebench.corpora.audio import resample
from sebench.enhancement.load import load_predictor
from sebench.files import read_json, write_json
from sebench.metrics.si_sdr import SiSdr
from sebench.training import step

CONFIG = Path(__file__).parents[2] / "config"
RATE = 16000
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def score(command: Command, tmp_path: Path) -> Command:
    """`sebench score WORDS` on the store in `tmp_path/store`: exit code, output, errors."""

    return lambda *words: command("score", *words, "--config-dir", CONFIG, "--results", tmp_path / "store")


def tone(seed: int, samples: int = RATE) -> np.ndarray:
    time = np.arange(samples) / RATE
    return 0.3 * np.sin(2 * np.pi * (300 + 200 * seed) * time) * np.sin(2 * np.pi * 3 * time)


def noisy(seed: int, rms: float = 0.02) -> np.ndarray:
    return tone(seed) + rms * np.random.default_rng(seed).standard_normal(RATE)


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **({} if path.suffix == ".flac" else {"subtype": "FLOAT"}))
    return path


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Three estimates; the clean files have another suffix; the third has none."""
    for i, name in enumerate(("a", "deep/b", "c")):
        write(tmp_path / "estimates" / f"{name}.wav", noisy(i))
        write(tmp_path / "noisy" / f"{name}.wav", noisy(i, 0.1))
        if name != "c":
            write(tmp_path / "clean" / f"{name}.flac", tone(i))
    return tmp_path


def si_sdr(estimate: np.ndarray, clean: np.ndarray) -> float:
    value = SiSdr().compute(clean=clean, estimate=estimate.astype("f4"), noisy=None, sample_rate=RATE).value
    assert value is not None
    return value


def rows(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    with path.open(newline="") as file:
        return {(row["file"], row["metric"]): row for row in csv.DictReader(file)}


def test_folders_are_matched_by_name(folders: Path, score: Command) -> None:
    metrics = ("--metric", "si_sdr", "--metric", "delta_snr", "--metric", "dnsmos_p808")
    given = ("--clean", folders / "clean", "--noisy", folders / "noisy", "--csv", folders / "out" / "x.csv")
    code, out, _ = score(*metrics, *given, folders / "estimates")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[:5]] == ["file", "a.wav", "c.wav", "deep/b.wav", "mean"]
    found = rows(folders / "out" / "x.csv")
    assert len(found) == 4 * 3
    for i, name in enumerate(("a", "deep/b")):
        clean, _ = soundfile.read(folders / "clean" / f"{name}.flac")
        value = float(found[f"{name}.wav", "si_sdr"]["value"])
        assert value == pytest.approx(si_sdr(noisy(i), clean), abs=1e-3)
        assert f"{value:.3f}" in out
        assert float(found[f"{name}.wav", "delta_snr"]["value"]) == pytest.approx(20 * np.log10(5), abs=0.3)
    hole = found["c.wav", "si_sdr"]
    assert (hole["value"], hole["status"]) == ("", "failed")
    assert hole["reason"] == f"no clean file of this name in {folders / 'clean'}"
    assert hole["reason"] in out
    assert found["c.wav", "dnsmos_p808"]["status"] == "ok"
    assert found["c.wav", "dnsmos_p808"]["implementation"].startswith("speechmos ")
    values = [float(found[f"{name}.wav", "si_sdr"]["value"]) for name in ("a", "deep/b")]
    mean = found["mean", "si_sdr"]
    assert float(mean["value"]) == pytest.approx(np.mean(values))
    assert mean["reason"] == "2 of 3 files"
    assert "(2/3)" in out
    assert found["mean", "dnsmos_p808"]["reason"] == "3 of 3 files"


def test_single_files_and_one_reference_for_all(folders: Path, score: Command) -> None:
    first, second = folders / "estimates" / "a.wav", write(folders / "other.wav", noisy(0, 0.1))
    code, out, _ = score("--metric", "si_sdr", "--clean", folders / "clean" / "a.flac", first, second)
    assert code == 0
    clean, _ = soundfile.read(folders / "clean" / "a.flac")
    assert f"{si_sdr(noisy(0), clean):.3f}" in out
    assert f"{si_sdr(noisy(0, 0.1), clean):.3f}" in out


def test_files_without_a_score_say_why(folders: Path, score: Command) -> None:
    estimates = folders / "bad"
    clean = write(folders / "one.wav", tone(0))
    write(estimates / "good.wav", noisy(0))
    write(estimates / "rate.wav", noisy(0), 8000)
    write(estimates / "short.wav", noisy(0)[:-5])
    write(estimates / "stereo.wav", np.stack([noisy(0), noisy(1)], axis=1))
    (estimates / "text.wav").write_text("no audio")
    code, _, _ = score(
        "--metric", "si_sdr", "--metric", "srmr", "--clean", clean, estimates, "--csv", folders / "x.csv"
    )
    assert code == 0
    found = rows(folders / "x.csv")
    assert {name for (name, metric), row in found.items() if metric == "si_sdr" and row["status"] == "ok"} == {
        "good.wav", "mean",
    }  # fmt: skip
    expected = {
        "rate.wav": "one.wav has 16000 Hz, the estimate 8000 Hz",
        "short.wav": "the clean signal has 16000 samples, the estimate 15995",
        "stereo.wav": "has 2 channels, and one is scored",
        "text.wav": "cannot be read as audio",
    }
    for name, reason in expected.items():
        assert reason in found[name, "si_sdr"]["reason"]
    assert found["rate.wav", "srmr"]["status"] == "not_applicable"
    assert found["rate.wav", "srmr"]["reason"] == (
        "srmr is defined here at 16000 Hz, not 8000, and a lower rate lacks the band that it scores"
    )
    assert found["short.wav", "srmr"]["status"] == "ok"
    assert found["mean", "si_sdr"]["reason"] == "1 of 5 files"


def test_what_was_done_to_a_file_is_said(folders: Path, score: Command) -> None:
    """Another rate where the metric defines it, samples beyond full scale, half a second of one value."""
    estimates, clean = folders / "odd", folders / "references"
    time = np.arange(3 * 48000) / 48000
    voice = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 20)) * np.sin(2 * np.pi * 2 * time).clip(0) / 4
    hiss = 0.003 * np.random.default_rng(0).standard_normal(time.size)
    for name, rate, gain in (("wide", 48000, 1.0), ("plain", RATE, 1.0), ("loud", RATE, 4.0), ("phone", 8000, 1.0)):
        write(estimates / f"{name}.wav", gain * resample(voice + hiss, 48000, rate), rate)
        write(clean / f"{name}.wav", resample(voice, 48000, rate), rate)
    write(estimates / "constant.wav", resample(voice + hiss, 48000, RATE))
    write(clean / "constant.wav", np.full(RATE * 3, 0.1))
    write(estimates / "one.wav", np.full(1, 0.1))
    write(clean / "one.wav", np.full(1, 0.1))
    names = ("pesq_wb", "pesq_nb", "si_sdr", "dnsmos_ovrl")
    options = [word for name in names for word in ("--metric", name)]
    _, out, _ = score(*options, "--clean", clean, estimates, "--csv", folders / "x.csv")
    found = rows(folders / "x.csv")
    assert found["wide.wav", "pesq_wb"]["reason"] == "resampled from 48000 Hz"
    assert found["wide.wav", "si_sdr"]["reason"] == "scored at 48000 Hz"
    assert found["phone.wav", "pesq_nb"]["reason"] == "scored at 8000 Hz"
    assert found["phone.wav", "pesq_wb"]["status"] == "not_applicable"
    assert found["loud.wav", "dnsmos_ovrl"]["reason"].startswith("scaled to full scale: its peak is ")
    assert not found["plain.wav", "dnsmos_ovrl"]["reason"]
    assert "resampled from 48000 Hz" in out
    values = {key: float(row["value"]) for key, row in found.items() if row["value"]}
    assert values["wide.wav", "pesq_wb"] == pytest.approx(values["plain.wav", "pesq_wb"], abs=0.1)
    assert found["constant.wav", "pesq_wb"]["reason"] == "the clean reference is constant"
    assert {found["one.wav", name]["status"] for name in names} == {"failed"}


def test_an_outside_metric_that_crashes_costs_its_scores_alone(
    folders: Path, score: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folders / "crashing_metric.py").write_text(
        "import faulthandler, os, signal\n"
        "from sebench.metrics.base import Metric\n"
        "class Crashing(Metric):\n"
        "    name = 'crashing'\n"
        "    needs_reference = False\n"
        "    def score(self, clean, estimate, noisy, sample_rate):\n"
        "        faulthandler.disable()\n"
        "        os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    monkeypatch.syspath_prepend(str(folders))
    name = "crashing_metric:Crashing"
    score("--metric", name, "--metric", "si_sdr", "--clean", folders / "clean", folders / "estimates",
          "--csv", folders / "x.csv")  # fmt: skip
    found = rows(folders / "x.csv")
    assert found["a.wav", name]["reason"].endswith("was ended by SIGSEGV, twice")
    assert found["a.wav", name]["implementation"].startswith("crashing_metric:Crashing (code ")
    assert found["a.wav", "si_sdr"]["status"] == found["deep/b.wav", "si_sdr"]["status"] == "ok"


def test_wrong_words(folders: Path, score: Command) -> None:
    estimates = folders / "estimates"
    (folders / "empty").mkdir()
    write(folders / "again" / "a.wav", noisy(0))
    cases = [
        (("--metric", "sisdr", estimates), ["'sisdr'", "did you mean 'si_sdr'", "pesqnet:RUN"]),
        (("--metric", "si_sdr", "--metric", "si_sdr", estimates), ["si_sdr stands twice"]),
        (("--metric", "si_sdr", "--metric", "stoi", estimates), ["si_sdr, stoi: needs the clean signals", "--clean"]),
        (("--metric", "delta_snr", "--clean", folders / "clean", estimates), ["needs the noisy signals", "--noisy"]),
        (("--metric", "srmr", folders / "absent"), ["absent: there is no such file or folder"]),
        (("--metric", "srmr", folders / "empty"), ["empty: holds no audio", "wav"]),
        (("--metric", "srmr", estimates, folders / "again"), ["have the same name 'a.wav'"]),
        (("--metric", "stoi", "--clean", folders / "absent", estimates), ["--clean", "no such file or folder"]),
        (("--metric", "stoi", "--clean", folders / "clean" / "deep", estimates), ["no file of an estimate's"]),
        (("--metric", "pesqnet", estimates), ["pesqnet:RUN"]),
        (("--metric", "pesqnet:nothing", estimates), ["nothing: no such run"]),
        (("--metric", "pesknet:nothing", estimates), ["no metric 'pesknet:nothing'", "'pesqnet:RUN'"]),
    ]  # fmt: skip
    for words, parts in cases:
        code, out, err = score(*words)
        assert code == 1, words
        assert not out
        assert err.startswith("sebench: ")
        assert all(part in err for part in parts), err


@pytest.fixture
def chain(tmp_path: Path) -> tuple[Store, Node, Node, Node]:
    """An enhancer, a predictor on it, and both in alternation."""
    store = Store(tmp_path / "store")
    enhancer = make_run(store, model=item("TinyPlain"), steps=3)
    step.run(enhancer, store)
    predictor = predictor_run(store, enhancer, model=item("TinyPlain"), steps=3)
    step.run(predictor, store)
    alternating = alternating_run(store, enhancer, predictor, model=item("TinyPlain"), epochs=4, keep="last")
    step.run(alternating, store)
    return store, enhancer, predictor, alternating


def test_a_trained_predictor_is_a_metric(
    chain: tuple[Store, Node, Node, Node], folders: Path, score: Command, tmp_path: Path
) -> None:
    store, enhancer, *predictors = chain
    seen = []
    for run in predictors:
        predictor = load_predictor(store.folder(run))
        with torch.inference_mode():
            wave = torch.from_numpy(noisy(0).astype("f4"))[None]
            expected = predictor.of_waveform(wave).item()
        assert 1.04 < expected < 4.64
        for name in (run.stem, run.id, store.folder(run)):
            code, out, err = score(
                "--metric", f"pesqnet:{name}", "--csv", folders / "x.csv", "--force", folders / "estimates"
            )
            assert code == 0, err
            found = rows(folders / "x.csv")
            row = found["a.wav", f"pesqnet:{name}"]
            assert float(row["value"]) == pytest.approx(expected, abs=1e-6)
            assert row["implementation"] == f"pesqnet of run {run.stem}"
            assert f"by pesqnet of run {run.stem}" in out
        seen.append(expected)
    assert seen[0] != seen[1], "the alternating run's own predictor, not the one that it started from"

    write(folders / "slow.wav", noisy(0), 8000)
    _, out, _ = score("--metric", f"pesqnet:{run.id}", folders / "slow.wav")
    assert "is defined here at 16000 Hz, not 8000" in out
    code, _, err = score("--metric", f"pesqnet:{enhancer.id}", folders / "estimates")
    assert code == 1
    assert f"run {enhancer.stem}: it trained no predictor; runs with a pesqnet: " in err
    assert all(run.stem in err for run in predictors)
    path = store.outputs(predictors[0])["run.json"]
    write_json(path, {**read_json(path), "status": "failed", "reason": "it blew up"})
    code, _, err = score("--metric", f"pesqnet:{predictors[0].id}", folders / "estimates")
    assert code == 1
    assert "failed: it blew up" in err


@pytest.fixture
def uneven(tmp_path: Path) -> Path:
    """Estimates that are equally long, 7 samples shorter, 98 longer, and 2000 shorter than their reference."""
    for name, difference in {"same": 0, "shorter": -7, "longer": 98, "other": -2000}.items():
        estimate = np.concatenate([noisy(0), np.full(200, 0.01)])[: RATE + difference]
        write(tmp_path / "estimates" / f"{name}.wav", estimate)
        write(tmp_path / "clean" / f"{name}.wav", tone(0))
    return tmp_path


def test_estimates_of_another_length_name_the_option(uneven: Path, score: Command) -> None:
    _, out, _ = score(
        "--metric", "si_sdr", "--clean", uneven / "clean", uneven / "estimates", "--csv", uneven / "x.csv"
    )
    found = rows(uneven / "x.csv")
    assert found["mean", "si_sdr"]["reason"] == "1 of 4 files"
    for name, samples in {"shorter": RATE - 7, "longer": RATE + 98}.items():
        reason = found[f"{name}.wav", "si_sdr"]["reason"]
        assert reason.startswith(f"the clean signal has {RATE} samples, the estimate {samples}; --align cut|pad makes ")
        assert reason in out
    assert "0.125 s apart, and --align cut|pad is for 0.1 s at most" in found["other.wav", "si_sdr"]["reason"]
    assert "made equally long" not in out


@pytest.mark.parametrize("how", ["cut", "pad"])
def test_ends_are_cut_or_padded_when_asked(uneven: Path, score: Command, how: str) -> None:
    code, out, err = score(
        "--metric", "si_sdr", "--metric", "srmr", "--align", how, "--clean", uneven / "clean", uneven / "estimates",
        "--csv", uneven / "x.csv",
    )  # fmt: skip
    assert code == 0, err
    found = rows(uneven / "x.csv")
    clean, _ = soundfile.read(uneven / "clean" / "same.wav", dtype="float32")
    for name, difference in {"same": 0, "shorter": -7, "longer": 98}.items():
        estimate, _ = soundfile.read(uneven / "estimates" / f"{name}.wav", dtype="float32")
        length = (min if how == "cut" else max)(len(estimate), len(clean))
        fitted = [np.concatenate([signal, np.zeros(200)])[:length].astype("f4") for signal in (estimate, clean)]
        row = found[f"{name}.wav", "si_sdr"]
        assert float(row["value"]) == pytest.approx(si_sdr(*fitted), abs=1e-9)
        shorter = "estimate" if difference < 0 else "clean"
        changed = shorter if how == "pad" else {"estimate": "clean", "clean": "estimate"}[shorter]
        told = f"{changed} {'cut' if how == 'cut' else 'padded'} by {abs(difference)} samples at the end"
        assert row["reason"] == (told if difference else "")
        assert found[f"{name}.wav", "srmr"]["reason"] == "", "needs no reference: its file is as it is"
    assert found["mean", "si_sdr"]["reason"] == "3 of 4 files"
    assert found["other.wav", "si_sdr"]["status"] == "failed"
    assert "made equally long: 2 of 4 files, 7 to 98 samples off" in out


def test_nothing_scored_is_an_error(uneven: Path, score: Command) -> None:
    words = ("--metric", "si_sdr", "--clean", uneven / "clean", uneven / "estimates" / "shorter.wav")
    code, out, err = score(*words, "--csv", uneven / "x.csv")
    assert code == 1
    assert "--align cut" in out, "the reasons are there all the same"
    assert rows(uneven / "x.csv")["mean", "si_sdr"]["status"] == "failed"
    assert err == "sebench: nothing was scored: none of 1 files has a value; the reasons stand above\n"
    code, _, err = score(*words, "--align", "stretch")
    assert (code, err) == (1, "sebench: --align stretch: accepted: cut, pad\n")


def test_scores_are_never_written_onto_what_is_read(
    folders: Path, score: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimate, clean = folders / "estimates" / "a.wav", folders / "clean" / "a.flac"
    (folders / "link.csv").symlink_to(estimate)
    (folders / "hard.csv").hardlink_to(clean)
    (folders / "mine.csv").write_text("mine")
    (folders / "folder.csv").mkdir()
    monkeypatch.setattr("sebench.scoring.files.score_files", lambda *_: pytest.fail("work was begun"))
    before = [path.read_bytes() for path in (estimate, clean)]
    words = ("--metric", "si_sdr", "--clean", folders / "clean", folders / "estimates", "--csv")
    cases = {
        estimate: "is read and cannot be written onto",
        folders / "estimates" / ".." / "clean" / "a.flac": "cannot be written onto",
        folders / "link.csv": f"is read, as {estimate}, and cannot",
        folders / "hard.csv": f"is read, as {clean}, and cannot",
        folders / "folder.csv": "is a folder; accepted: the name of a file",
        "/dev/null": "is no regular file",
        estimate / "x.csv": "cannot be written",
        folders / f"{'n' * 300}.csv": "File name too long",
    }
    for target, reason in cases.items():
        for force in ((), ("--force",)):
            code, _, err = score(*words, target, *force)
            assert code == 1, target
            assert reason in err
            assert len(err.splitlines()) == 1
    code, _, err = score(*words, folders / "mine.csv")
    assert "is there already; --force replaces it" in err
    assert (folders / "mine.csv").read_text() == "mine"
    assert [path.read_bytes() for path in (estimate, clean)] == before
