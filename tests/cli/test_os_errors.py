"""Every command, and every error that a file system has: one line that says what and where, never a traceback."""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from place import Command, Place

from sebench.cli import app

CODES = [
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EROFS, errno.EEXIST,
    errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ELOOP, errno.ESTALE, errno.EMFILE, errno.EBUSY, errno.ENOTSUP,
    errno.ETXTBSY, errno.EFBIG, errno.ENXIO, errno.EINVAL, errno.ENOTEMPTY, errno.EXDEV,
]  # fmt: skip

#: What each command is given here; `{run}` and `{set}` are ids.
WORDS = {
    "run": "two_stage --corpus builtin --scale smoke",
    "collect": "two_stage out --corpus builtin --scale smoke",
    "plan": "two_stage --corpus builtin --scale smoke",
    "table": "two_stage --corpus builtin --scale smoke",
    "list": "losses",
    "show": "loss neg_si_snr",
    "gc": "--dry-run",
    "enhance": "{run} in.wav out/new.wav",
    "score": "--metric si_sdr --clean clean.wav in.wav --csv out/new.csv",
    "retry": "{run}",
    "export": "{set} 0 out",
    "versions": "",
    "step": "run x-{run}",
    "corpus fetch": "voicebank_demand --to out",
    "check set": "{set}",
    "check loss": "mag_mse",
    "check model": "stage1",
    "check degradation": "gain_steps",
    "check stage": "supervised",
}


#: What a command reads or writes, besides the configuration: the store, what a person names.
TOUCHED = {
    "results": ("run", "collect", "plan", "table", "gc", "enhance", "score", "retry", "export", "step", "check set"),
    "out": ("collect", "enhance", "score", "export", "corpus fetch"),
    "config": tuple(name for name in WORDS if name not in ("step", "versions")),
}


def leaves(command: Any, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command of the tree, by the words that name it."""
    inner_commands = getattr(command, "commands", None)  # typer brings its own copy of click
    if inner_commands is None:
        yield " ".join(above)
        return
    for name, inner in inner_commands.items():
        yield from leaves(inner, (*above, name))


def words(name: str, place: Place) -> list[str]:
    return [*name.split(), *WORDS[name].format(run=place.run.id, set=place.rendered.id).split()]


class Fault:
    """From now on, what touches a path under `folder` ends with an OSError.

    Args:
        folder: what is broken.
        code: of the error.
    """

    def __init__(self, folder: Path, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.code, self.hits = folder, code, 0
        for module, name in (
            (io, "open"), (builtins, "open"), (os, "open"), (os, "scandir"), (os, "listdir"), (os, "mkdir"),
            (os, "replace"), (os, "rename"), (os, "unlink"),
        ):  # fmt: skip
            monkeypatch.setattr(module, name, self.around(getattr(module, name)))

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, which fails on these paths."""

        def failing(path: Any = ".", *args: Any, **kwargs: Any) -> Any:
            named = isinstance(path, (str, bytes, os.PathLike))
            if named and (Path.cwd() / os.fsdecode(path)).is_relative_to(self.folder):
                self.hits += 1
                raise OSError(self.code, os.strerror(self.code), os.fspath(path))
            return function(path, *args, **kwargs)

        return failing


def test_every_command_is_tried_here() -> None:
    assert set(leaves(typer.main.get_command(app))) == set(WORDS)


@pytest.mark.parametrize("code", CODES, ids=errno.errorcode.__getitem__)
def test_every_error_of_a_file_system_is_one_line(code: int, place: Place, command: Command) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sebench.cli._load", lambda *_: open_broken(code))
        for name in ("list", "enhance", "check set"):
            ended, _, err = command(*words(name, place))
            assert ended == 1
            assert err.startswith(f"sebench: some/file: {os.strerror(code)}")
            assert len(err.splitlines()) == 1


def test_versions_too(command: Command) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sebench.config.versions.stale", lambda: open_broken(errno.EACCES))
        assert command("versions")[2].startswith("sebench: some/file: Permission denied")


def open_broken(code: int) -> None:
    raise OSError(code, os.strerror(code), "some/file")


def test_an_error_without_a_number_is_one_line_too(place: Place, command: Command) -> None:
    def broken(*_: object) -> None:
        raise OSError("Couldn't deserialize thrift:\n TProtocolException\n")  # as pyarrow says it

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sebench.cli._load", broken)
        assert command("list", "losses")[2] == "sebench: Couldn't deserialize thrift: TProtocolException\n"


@pytest.mark.parametrize(("broken", "name"), [(broken, name) for broken, names in TOUCHED.items() for name in names])
def test_no_command_ends_in_a_traceback(name: str, broken: str, place: Place, command: Command) -> None:
    code = CODES[3 * list(WORDS).index(name) % len(CODES)]
    with pytest.MonkeyPatch.context() as patch:
        fault = Fault(place.folder / broken, code, patch)
        ended, _, err = command(*words(name, place))
    if ended:
        assert err.startswith("sebench: "), (errno.errorcode[code], err)
        assert "Traceback" not in err
        assert len(err.splitlines()) <= 2, err  # a list of mistakes in a configuration has a head
    if broken == "config":
        assert fault.hits
        assert ended == 1
