"""Exceptions that a person can act on: each says where, what was found, and what is accepted."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class SebenchError(Exception):
    """Base of every error that sebench raises on purpose; the CLI prints it without a traceback."""


class DataError(SebenchError):
    """A file that is read (recording, manifest, score file) is not what it must be."""


class RestartNeeded(SebenchError):
    """A step was told to stop (SIGTERM, Ctrl-C), has saved its state, and must be started again.

    Args:
        message: for people.
        progressed: whether it came further than where it had started: else starting again alike leads nowhere.
    """

    exit_code = 75  # EX_TEMPFAIL: the convention for "try again"

    def __init__(self, message: str, *, progressed: bool = True) -> None:
        super().__init__(message)
        self.progressed = progressed


class Mistake(ValueError):
    """What a validator of the configuration refuses.

    Args:
        found: in a reader's words.
        accepted: the same; empty where `found` says it.
        keys: of the entry that is validated, where the mistake stands.
        nearest: the accepted name that is most like what was found.
    """

    def __init__(self, found: str, *keys: str | int, accepted: str = "", nearest: str = "") -> None:
        super().__init__(found)
        self.found, self.keys, self.accepted, self.nearest = found, keys, accepted, nearest


@dataclass(frozen=True)
class Problem:
    """One mistake in a configuration file."""

    where: str  # "config/losses/x.yaml:12"
    key: str  # "losses.l_c.weight"
    found: str
    accepted: str = ""
    nearest: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.key}: {self.found}"
        if self.accepted:
            text += f"; accepted: {self.accepted}"
        if self.nearest:
            text += f"; did you mean {self.nearest!r}?"
        return text


class ConfigError(SebenchError):
    """All mistakes found in the configuration, reported together."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(dict.fromkeys(problems))
        count = len(self.problems)
        head = f"{count} mistake{'s' if count != 1 else ''} in the configuration:"
        super().__init__("\n".join([head, *(f"  {problem}" for problem in self.problems)]))


def nearest(word: str, candidates: Iterable[str]) -> str:
    """The accepted name most like `word`, or an empty string."""
    found = difflib.get_close_matches(str(word), [str(c) for c in candidates], n=1, cutoff=0.5)
    return found[0] if found else ""


def absent(what: str, name: str, names: Iterable[str]) -> str:
    """That there is no such thing, what there is, and what is nearest."""
    known = list(names)
    near = nearest(name, known)
    hint = f"; did you mean {near!r}?" if near else ""
    return f"no {what} {name!r}; accepted: {choices(known, name)}{hint}"


#: Names that a message lists: more are cut to the nearest.
LISTED = 8


def choices(names: Iterable[object], word: str = "", none: str = "none") -> str:
    """Accepted names for a message, of many the few that are most like `word`.

    Args:
        names: all that are accepted.
        word: what was found instead.
        none: what stands where there are no names.
    """
    told = list(dict.fromkeys(map(str, names)))
    if len(told) <= LISTED:
        return ", ".join(told) or none
    like = difflib.SequenceMatcher(b=str(word).lower())

    def alike(name: str) -> float:
        like.set_seq1(name.lower())
        return like.ratio()

    near = sorted(told, key=alike, reverse=True)[: LISTED - 2]
    return f"{', '.join(near)}, and {len(told) - len(near)} more"
