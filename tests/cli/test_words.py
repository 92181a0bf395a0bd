"""Words that no command takes: empty ones, names of what is not there, closed outputs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from place import Command, Place


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "two_stage", "--corpus", ""), "--corpus: an empty word"),
        (("plan", "--scale="), "--scale: an empty word"),
        (("plan", ""), "an empty word"),
        (("plan", "two_stage", "--results", ""), "--results: an empty word"),
        (("plan", "two_stage", "--config-dir", ""), "--config-dir: an empty word"),
        (("enhance", "RUN", "", "out.wav"), "an empty word"),
        (("export", "SET", "0", ""), "an empty word"),
        (("score", "in.wav", "--metric", "si_sdr", "--clean", "clean.wav", "--csv", ""), "--csv: an empty word"),
        (("corpus", "fetch", "voicebank_demand", "--to", ""), "--to: an empty word"),
        (("list", "lossess"), "no kind of entry 'lossess'; accepted: losses, models, "),
        (("table", "two_stage", "--corpus", "builtin", "--format", "jsno"), "no format 'jsno'; accepted: terminal, "),
        (("table", "two_stage", "--corpus", "builtin", "--table", "pesc"), "study 'two_stage': no table 'pesc'; "),
        (("score", "in.wav", "--metric", "sisdr"), "no metric 'sisdr'; accepted: si_sdr, "),
        (("score", "in.wav", "--metric", "pesqnet:"), "which a run trains: pesqnet:RUN ("),
        (("export", "zzz", "0", "out"), "no rendered set 'zzz'; accepted: listen-"),
        (("check", "set", "RUN"), "accepted: listen-"),
    ],
)
def test_one_line_says_what_is_wrong(words: tuple[str, ...], told: str, place: Place, command: Command) -> None:
    ids = {"RUN": place.run.id, "SET": place.rendered.id}
    before = sorted(place.folder.rglob("*"))
    code, out, err = command(*(ids.get(word, word) for word in words))
    assert code == 1
    assert err.startswith("sebench: ")
    assert told in err
    assert len(err.splitlines()) == 1
    assert not out
    assert sorted(place.folder.rglob("*")) == before


@pytest.mark.parametrize("error", [MemoryError(), ImportError("libtorch_cpu.so: failed to map", name="torch._C")])
def test_a_machine_without_memory(error: Exception, place: Place, command: Command) -> None:
    def fail(*_: object) -> None:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sebench.enhancement.find.find_run", fail)
        code, _, err = command("enhance", place.run.id, "in.wav", "out.wav")
    assert code == 1
    assert err.startswith(f"sebench: not possible on this machine: {type(error).__name__}")
    assert len(err.splitlines()) == 1


def test_an_option_may_say_that_there_is_none(place: Place, command: Command) -> None:
    code, _, err = command("run", "two_stage", "--profile", "", "--snakemake=", "-c", "0")
    assert code == 1
    assert "--cores 0" in err


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-", "2>&-"])
def test_closed_outputs(closed: str, place: Place) -> None:
    words = ["sh", "-c", f"{sys.executable} -m sebench list scales {closed}"]
    told = subprocess.run(words, cwd=place.folder, capture_output=True, text=True)
    assert told.returncode == 0
    assert not told.stderr


def test_a_reader_that_goes(place: Place) -> None:
    """What it leaves unread is more than a pipe holds, and was begun before it went."""
    code = (
        "from sebench import cli, locales; cli.app = lambda **_: [print('x' * 99, flush=True) for _ in range(9999)]; "
    )
    words = f"({sys.executable} -c \"{code}cli.main(); print('whole')\"; echo status $? >&2) | head -1"
    told = subprocess.run(["sh", "-c", words], cwd=place.folder, capture_output=True, text=True)
    assert told.stderr == "status 0\n"
    assert told.stdout == "x" * 99 + "\n"
