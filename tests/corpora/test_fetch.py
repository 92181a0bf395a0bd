"""`sebench corpus fetch`, from a server on loopback that breaks off, lies, and serves what it should not."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from archive_server import Server, serving
from small_corpora import make_voicebank
from typer.testing import CliRunner

from sebench.cli import app
from sebench.config import items
from sebench.corpora import download as downloading
from sebench.corpora.download import FetchError, Retries
from sebench.corpora.fetch import Archive, fetch_archives
from sebench.corpora.voicebank_demand import VoiceBankDemand
from sebench.errors import DataError, SebenchError

ALL = [Archive(*archive) for archive in VoiceBankDemand.archives]
ONE = [Archive("clean_testset_wav.zip")]
QUICK = Retries(attempts=3, pause_seconds=0.0)
CONFIG = Path(__file__).parents[2] / "config"


def pack(archive: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return archive


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Small archives of the published names and layout."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    tree = make_voicebank(tmp_path / "published")
    folder = tmp_path / "served"
    folder.mkdir()
    for archive in ALL:
        paths = sorted((tree / archive.folder).glob("*")) or sorted(tree.glob("log_*.txt"))
        pack(folder / archive.file, {path.relative_to(tree).as_posix(): path.read_bytes() for path in paths})
    with serving(folder) as found:
        yield found


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "to" / "vbd"


def fetch(server: Server, target: Path, archives: list[Archive] = ONE, **options: object) -> list[str]:
    said: list[str] = []
    fetch_archives(archives, server.url, target, retries=QUICK, say=said.append, **options)  # type: ignore[arg-type]
    return said


def size(server: Server, name: str = "clean_testset_wav.zip") -> int:
    return (server.folder / name).stat().st_size


def names(target: Path) -> set[str]:
    return {path.name for path in target.iterdir()}


# The whole corpus


def test_the_fetched_tree_is_the_corpus(server: Server, target: Path, tmp_path: Path):
    said = fetch(server, target, ALL)
    assert names(target) == {archive.folder for archive in ALL} | {"archives.json"}
    frame = VoiceBankDemand().build(target, target, 1).frame
    assert frame.role.value_counts().to_dict() == {"speech": 6, "noisy": 6}
    wav = "clean_testset_wav/p232_001.wav"
    assert (target / wav).read_bytes() == (tmp_path / "published" / wav).read_bytes()
    records = json.loads((target / "archives.json").read_text(encoding="utf-8"))
    assert set(records) == {archive.file for archive in ALL}
    record = records["logfiles.zip"]
    assert record["size"] == size(server, "logfiles.zip")
    assert record["address"] == f"{server.url}/logfiles.zip"
    assert len(record["sha256"]) == 64
    assert record["etag"] == f'"{record["sha256"][:16]}"'
    assert len(said) == 5
    assert "2 files in" in said[-1]


def test_a_second_fetch_asks_for_nothing(server: Server, target: Path):
    fetch(server, target, ALL)
    server.requests.clear()
    assert "nothing to do" in fetch(server, target, ALL)[0]
    assert server.requests == []


def test_only_what_is_missing_is_fetched(server: Server, target: Path):
    fetch(server, target, ALL)
    shutil.rmtree(target / "logfiles")
    server.requests.clear()
    said = fetch(server, target, ALL)
    assert server.requests == [("logfiles.zip", "")]
    assert "as recorded" in said[-1]


def test_archives_are_kept_on_request_and_unpacked_again_from_there(server: Server, target: Path):
    fetch(server, target, keep_archives=True)
    assert names(target) == {"archives.json", "clean_testset_wav", "clean_testset_wav.zip"}
    shutil.rmtree(target / "clean_testset_wav")
    fetch(server, target, keep_archives=True)
    assert (target / "clean_testset_wav/p257_001.wav").is_file()
    assert len(server.requests) == 1


@pytest.mark.parametrize("prefix", ["", "deeper/", "clean_testset_wav/"])
def test_a_folder_of_the_archives_name_holds_what_was_in_it(server: Server, target: Path, prefix: str):
    files = {f"{prefix}a.wav": b"a", f"{prefix}b.wav": b"b", "__MACOSX/._a.wav": b"x", f"{prefix}.DS_Store": b"x"}
    pack(server.folder / ONE[0].file, files)
    fetch(server, target)
    inner = "" if prefix == "clean_testset_wav/" else prefix
    folder = target / "clean_testset_wav"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        f"{inner}a.wav",
        f"{inner}b.wav",
    }


# Connections that break


def test_a_broken_connection_is_resumed_from_where_it_broke(server: Server, target: Path):
    whole = size(server)
    server.cuts = [whole // 3, whole // 3]
    fetch(server, target)
    assert [wanted for _, wanted in server.requests] == ["", f"bytes={whole // 3}-", f"bytes={2 * (whole // 3)}-"]
    assert server.sent == whole
    assert (target / "clean_testset_wav/p232_001.wav").is_file()


def test_the_same_command_goes_on_after_the_last_attempt(server: Server, target: Path):
    whole = size(server)
    server.cuts = [1000, 0, 0, 0]
    with pytest.raises(FetchError, match=r"ended after 1000 of \d+ bytes.*1000 bytes are kept in.*same command again"):
        fetch(server, target)
    assert len(server.requests) == 4 - 1
    assert (target / "clean_testset_wav.zip.part").stat().st_size == 1000
    server.cuts = []
    fetch(server, target)
    assert server.sent == whole
    assert names(target) == {"archives.json", "clean_testset_wav"}


def test_attempts_with_gain_do_not_count(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(downloading, "GAIN", 100)
    server.cuts = [200] * 10
    fetch(server, target)
    assert len(server.requests) == 11
    assert server.sent == size(server)


def test_a_server_without_ranges_is_asked_for_the_whole_again(server: Server, target: Path):
    server.ranges = False
    server.cuts = [1000]
    fetch(server, target)
    assert server.sent == 1000 + size(server)
    assert (target / "clean_testset_wav/p232_001.wav").is_file()


@pytest.mark.parametrize(
    ("etags", "conditions", "length", "requests"),
    [
        (True, True, 5000, 1),  # the server sees by If-Range that it changed
        (True, False, 5000, 2),  # we see it by the ETag
        (False, False, 6000, 2),  # we see it by the length
    ],
)
def test_a_file_that_changed_in_between_is_fetched_from_its_beginning(
    server: Server, target: Path, etags: bool, conditions: bool, length: int, requests: int
):
    path = pack(server.folder / ONE[0].file, {"a.wav": os.urandom(5000)})
    server.etags, server.conditions, server.cuts = etags, conditions, [1000, 0, 0]
    with pytest.raises(FetchError):
        fetch(server, target)
    data = os.urandom(length)
    assert (path.stat().st_size == pack(path, {"a.wav": data}).stat().st_size) is (length == 5000)
    server.requests.clear()
    fetch(server, target)
    assert (target / "clean_testset_wav/a.wav").read_bytes() == data
    assert len(server.requests) == requests


def test_another_mirror_goes_on_with_what_the_first_gave(server: Server, target: Path):
    server.cuts = [1000, 0, 0]
    with pytest.raises(FetchError):
        fetch(server, target)
    with serving(server.folder) as mirror:
        fetch(mirror, target)
    assert mirror.sent == size(server) - 1000


def test_more_announced_than_there_is(server: Server, target: Path):
    server.lie = 100
    fetch(server, target)  # the server's 416 says how long the file is
    assert server.sent == size(server)
    assert json.loads((target / "archives.json").read_text())[ONE[0].file]["size"] == size(server)


def test_more_announced_than_there_is_by_a_server_without_ranges(server: Server, target: Path):
    server.lie, server.ranges = 100, False
    with pytest.raises(FetchError, match=rf"ended after {size(server)} of {size(server) + 100} bytes, in 3 attempts"):
        fetch(server, target)
    assert not (target / "clean_testset_wav").exists()


def test_less_announced_than_there_is(server: Server, target: Path):
    server.lie = -100
    with pytest.raises(DataError, match="not a whole ZIP archive") as caught:
        fetch(server, target)
    assert "moved to" in str(caught.value)
    server.lie = 0
    fetch(server, target)
    assert (target / "clean_testset_wav/p232_001.wav").is_file()


def test_errors_of_the_server_that_pass(server: Server, target: Path):
    server.statuses = [503, 429]
    fetch(server, target)
    assert len(server.requests) == 3


def test_a_file_that_is_not_there_is_not_asked_for_twice(server: Server, target: Path):
    (server.folder / ONE[0].file).unlink()
    with pytest.raises(FetchError, match=r"archives/clean_testset_wav.zip: the server answered 404.*--base-url"):
        fetch(server, target)
    assert len(server.requests) == 1


def test_no_server(server: Server, target: Path):
    with pytest.raises(FetchError, match=r"no connection.*nothing of it came.*same command again"):
        fetch_archives(ONE, "http://127.0.0.1:1", target, retries=QUICK)


def test_only_http(server: Server, target: Path):
    with pytest.raises(FetchError, match="accepted: http"):
        fetch_archives(ONE, server.folder.as_uri(), target, retries=QUICK)


# What came is not what it must be


def test_a_changed_file_is_detected_by_the_recorded_checksum(server: Server, target: Path):
    fetch(server, target)
    recorded = json.loads((target / "archives.json").read_text())
    shutil.rmtree(target / "clean_testset_wav")
    pack(server.folder / ONE[0].file, {"clean_testset_wav/p232_001.wav": b"other"})
    with pytest.raises(
        DataError, match=r"sha256 is \w{64}, expected (\w{64}), as recorded in .*archives.json"
    ) as caught:
        fetch(server, target)
    assert recorded[ONE[0].file]["sha256"] in str(caught.value)
    assert names(target) == {"archives.json", "clean_testset_wav.zip.bad"}
    assert json.loads((target / "archives.json").read_text()) == recorded


def test_a_published_checksum_is_checked_at_the_first_fetch(server: Server, target: Path):
    with pytest.raises(DataError, match=f"expected {'0' * 64}, as published"):
        fetch(server, target, [Archive("logfiles.zip"), Archive(ONE[0].file, "0" * 64)])
    assert names(target) == {"archives.json", "logfiles", "clean_testset_wav.zip.bad"}


def test_a_damaged_member_is_named_and_not_recorded(server: Server, target: Path):
    path = server.folder / ONE[0].file
    good = path.read_bytes()
    path.write_bytes(good[:3000] + bytes(100) + good[3100:])
    with pytest.raises(DataError, match=r"clean_testset_wav.zip: not a whole ZIP archive.*p232_001.wav|Error -3"):
        fetch(server, target)
    assert names(target) == {"clean_testset_wav.zip.bad"}
    path.write_bytes(good)
    fetch(server, target)
    assert (target / "clean_testset_wav/p232_001.wav").is_file()


def test_a_page_in_place_of_the_file(server: Server, target: Path):
    (server.folder / ONE[0].file).write_text("<html>please log in</html>")
    with pytest.raises(DataError, match="begins with b'<html>"):
        fetch(server, target)


def test_an_archive_that_a_person_put_there_is_taken(server: Server, target: Path):
    target.mkdir(parents=True)
    shutil.copy(server.folder / ONE[0].file, target)
    fetch(server, target)
    assert server.requests == []
    assert json.loads((target / "archives.json").read_text())[ONE[0].file]["address"] == ""
    assert (target / ONE[0].file).read_bytes() == (server.folder / ONE[0].file).read_bytes(), "theirs: it stays"


def test_a_folder_that_somebody_made_is_left_alone(server: Server, target: Path):
    (target / "clean_testset_wav").mkdir(parents=True)
    (target / "clean_testset_wav/mine.wav").write_bytes(b"mine")
    with pytest.raises(DataError, match="was not unpacked by this command"):
        fetch(server, target, ALL)
    assert server.requests == []
    assert names(target / "clean_testset_wav") == {"mine.wav"}


def test_a_record_that_is_none(server: Server, target: Path):
    target.mkdir(parents=True)
    (target / "archives.json").write_text("[1]")
    with pytest.raises(DataError, match=r"archives.json: not a record"):
        fetch(server, target)


# Archives that would write elsewhere


def hostile(path: Path, name: str, mode: int = 0, data: bytes = b"x") -> None:
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("clean_testset_wav/good.wav", b"good")
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        with warnings.catch_warnings(action="ignore"):  # zipfile warns of a name that is there already
            opened.writestr(member, data)


@pytest.mark.parametrize(
    ("name", "mode", "message"),
    [
        ("../x", 0, "leads out"),
        ("clean_testset_wav/../../../x", 0, "leads out"),
        ("..\\x", 0, "leads out"),
        ("{outside}/x", 0, "absolute path"),
        ("C:\\x", 0, "absolute path"),
        ("link", stat.S_IFLNK | 0o777, "symbolic link"),
        ("pipe", stat.S_IFIFO | 0o666, "device"),
        ("disk", stat.S_IFBLK | 0o666, "device"),
        ("clean_testset_wav/good.wav", 0, "same path"),
    ],
)
def test_hostile_members_are_refused(server: Server, target: Path, tmp_path: Path, name: str, mode: int, message: str):
    outside = tmp_path / "outside"
    outside.mkdir()
    hostile(server.folder / ONE[0].file, name.format(outside=outside), mode, str(outside).encode())
    before = {path for path in tmp_path.rglob("*") if target not in path.parents}
    with pytest.raises(DataError, match=rf"clean_testset_wav.zip: .*{message}"):
        fetch(server, target)
    after = {path for path in tmp_path.rglob("*") if target not in path.parents}
    assert after - before <= {target, target.parent}
    assert names(target) == {"clean_testset_wav.zip.bad"}


def test_a_link_in_the_target_is_not_followed(server: Server, target: Path, tmp_path: Path):
    (tmp_path / "outside").mkdir()
    target.mkdir(parents=True)
    (target / ".clean_testset_wav.unpacking").symlink_to(tmp_path / "outside")
    with pytest.raises(FetchError, match="unpacking"):
        fetch(server, target)
    assert list((tmp_path / "outside").iterdir()) == []


# The machine


def test_too_small_a_disk_for_the_download(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=size(server) - 1))
    with pytest.raises(FetchError, match=r"still to come, and .* free; make room"):
        fetch(server, target)
    assert names(target) == set()


def test_too_small_a_disk_for_the_files(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch):
    pack(server.folder / ONE[0].file, {"a.wav": bytes(100000)})
    with monkeypatch.context() as small:
        small.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=99999))
        with pytest.raises(FetchError, match=r"unpacked it takes 0\.1 MB"):
            fetch(server, target)
    fetch(server, target)
    assert len(server.requests) == 1  # the archive was kept


def test_one_fetch_at_a_time(server: Server, target: Path):
    target.mkdir(parents=True)
    handle = os.open(target, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(FetchError, match="another fetch"):
            fetch(server, target)
    finally:
        os.close(handle)
    fetch(server, target)


@pytest.mark.parametrize("moment", ["place", "write_json"])
def test_killed_between_unpacking_and_done(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch, moment: str):
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(f"sebench.corpora.fetch.{moment}", killed)
        with pytest.raises(KeyboardInterrupt):
            fetch(server, target)
    fetch(server, target)
    assert len(server.requests) == 1
    assert names(target) == {"archives.json", "clean_testset_wav"}
    assert json.loads((target / "archives.json").read_text())[ONE[0].file]["address"].startswith(server.url)


# The command


def test_command(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    command = ["corpus", "fetch", "voicebank_demand", "--base-url", server.url, "--config-dir", str(CONFIG)]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert len(lines) == 5 + 2
    assert lines[-2] == "voicebank_demand: 14 files in data/voicebank_demand"
    assert "SEBENCH_VOICEBANK_DEMAND=data/voicebank_demand" in lines[-1]
    assert "corpora.yaml:" in lines[-1]
    result = CliRunner().invoke(app, [*command, "--to", "elsewhere", "--keep-archives"], catch_exceptions=False)
    assert result.exit_code == 0
    assert (tmp_path / "elsewhere/logfiles.zip").is_file()


def test_command_says_when_the_layout_is_another(server: Server, tmp_path: Path):
    pack(server.folder / "logfiles.zip", {"readme.txt": b"no log"})
    command = ["corpus", "fetch", "voicebank_demand", "--base-url", server.url, "--config-dir", str(CONFIG)]
    with pytest.raises(DataError, match=r"cannot be read: .*log_trainset_28spk.txt"):
        CliRunner().invoke(app, [*command, "--to", str(tmp_path / "to")], catch_exceptions=False)


def test_corpora_without_archives_are_refused_by_name():
    command = ["corpus", "fetch", "builtin", "--config-dir", str(CONFIG)]
    with pytest.raises(SebenchError, match=r"'builtin' .*no archives to fetch; accepted: voicebank_demand"):
        CliRunner().invoke(app, command, catch_exceptions=False)


@pytest.mark.parametrize("name", sorted(items.registry("corpus")))
def test_every_corpus_lists_its_archives_well(name: str):
    facts = items.registry("corpus")[name].facts
    assert bool(facts.archives) == facts.address.startswith("https://")
    for file, sha256 in facts.archives:
        assert Path(file).name == file
        assert file.endswith(".zip")
        assert len(sha256) in (0, 64)
