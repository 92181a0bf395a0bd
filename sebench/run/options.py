"""What `sebench run` hands on to Snakemake, checked before anything is planned.

A mistake must not pass in silence where there is nothing to do, nor end in a Snakemake that waits for ever.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from sebench.errors import SebenchError, nearest
from sebench.process.machine import CACHE, make_workable


def snakemake_words(cores: str, profile: str, further: str) -> list[str]:
    """The words for Snakemake, but for the cores.

    Args:
        cores: of this machine: a number, or "all".
        profile: a Snakemake profile; "" for none.
        further: arguments in one string, quoted as in a shell.

    Raises:
        SebenchError: one of them is not what Snakemake takes.
    """
    _check_cores("--cores", cores)
    if profile:
        _check_profile(profile)
    try:
        words = shlex.split(further)
    except ValueError as error:
        raise SebenchError(f"--snakemake {further!r}: {error}; quote as in a shell") from None
    if words:
        make_workable(CACHE)  # Snakemake's parser looks for a home
        _check_words(words)
    return [*(["--profile", profile] if profile else []), *words]


def _check_cores(option: str, value: object) -> None:
    text = str(value)
    if text != "all" and not (text.isascii() and text.isdigit() and int(text) > 0):
        raise SebenchError(f"{option} {text}: no number of cores; accepted: 1 or more, or 'all'")


def _check_profile(profile: str) -> None:
    places = [Path(profile), *(folder / profile for folder in _profile_folders())]
    if not any(any(place.glob("config*.yaml")) for place in places if place.is_dir()):
        names = sorted({path.parent.name for path in _profiles()})
        near = nearest(profile, names)
        hint = f"; did you mean {near!r}?" if near else ""
        raise SebenchError(f"no Snakemake profile {profile!r}; accepted: {', '.join(names) or 'a folder'}{hint}")


def _profile_folders() -> Iterator[Path]:
    """Where Snakemake looks for profiles besides the working folder."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - HOME may be absent
    yield Path(home, "snakemake")
    for folder in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep):
        yield Path(folder, "snakemake")


def _profiles() -> Iterator[Path]:
    """Configuration files of the profiles that are here; `default` is in force in any case."""
    for folder in (Path("profiles"), *_profile_folders()):
        yield from (path for path in folder.glob("*/config*.yaml") if path.parent.name != "default")


def _check_words(words: list[str]) -> None:
    """Let Snakemake's own parser read them."""
    from snakemake.cli import get_argument_parser

    parser = get_argument_parser()

    def refuse(message: str) -> NoReturn:
        raise SebenchError(f"--snakemake {shlex.join(words)!r}: Snakemake says: {message}")

    parser.error = refuse
    found, unknown = parser.parse_known_args(words)
    options = [option for action in parser._actions for option in action.option_strings]
    for word in unknown:
        near = nearest(word.partition("=")[0], options)
        refuse(f"no argument {word}" + (f"; did you mean {near}?" if near else ""))
    for name in ("cores", "jobs"):
        value = getattr(found, name, None)
        if value is not None:
            _check_cores(f"--{name}", value)
