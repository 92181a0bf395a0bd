"""What failed for good in a run of Snakemake, read from its log: the job, the last message, the logs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_HEAD = re.compile(r"^\s*Error in (rule|group) (\S+):$")
_LOG = re.compile(r"^\s*log: (.+?)(?: \(check log file\(s\) for error details\))?$")
_JOB = re.compile(r"^\s*jobid: (\d+)$")
#: What does not belong to an error any more.
_AFTER = (
    "[",
    "Trying to restart",
    "Select jobs",
    "Removing",
    "Shutting down",
    "Exiting because",
    "Complete log",
    "failed for good:",
    "the disk of ",
    "a table of what there is",
)
_FINISHED = re.compile(r"^Finished jobid: (\d+) ", re.MULTILINE)
_MESSAGE = re.compile(r"^\s*message: (.+?)(?:For further error details.*)?$")


@dataclass(frozen=True)
class FailedJob:
    """One job that failed, or a group of them.

    Args:
        what: rule and the stem of its log, or the group's name.
        message: of the last try; empty where Snakemake gave none.
        logs: of the last try.
    """

    what: str
    message: str
    logs: tuple[Path, ...]


def failures(text: str) -> list[FailedJob]:
    """Each job once, as its last try left it, without those that a later try finished."""
    found: dict[str, FailedJob] = {}
    healed = set(_FINISHED.findall(text))
    for kind, name, block in _blocks(text.splitlines()):
        if healed & {match[1] for match in map(_JOB.match, block) if match}:
            continue
        logs = tuple(dict.fromkeys(path for line in block for path in _paths(line)))
        messages = [match[1].strip() for match in map(_MESSAGE.match, block) if match and match[1] != "None"]
        stem = logs[0].stem if logs and kind == "rule" else ""
        what = f"{name} {stem}".strip() if kind == "rule" else f"group {name}"
        numbers = [match[1] for match in map(_JOB.match, block) if match]
        key = numbers[0] if kind == "rule" and numbers else what
        known = found.pop(key, None) or found.pop(what, None)
        if known is not None and not logs:  # the same job once more, in fewer words
            what, logs = known.what, known.logs
            messages = messages or [known.message]
        found[key] = FailedJob(what, messages[0] if messages else "", logs)
    return list(found.values())


def describe(found: Iterable[FailedJob], tail_lines: int = 0) -> Iterator[str]:
    """Lines for a person.

    Args:
        found: failures.
        tail_lines: how many last lines of each log are shown.
    """
    for failure in found:
        yield f"  {failure.what}" + (f": {failure.message}" if failure.message else "")
        for path in failure.logs:
            if path.exists():
                yield f"    log: {path}"
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if tail_lines else []
                yield from (f"      {line}" for line in _once(lines)[-tail_lines:])


def _once(lines: list[str]) -> list[str]:
    """A log without the same ending of earlier tries: each writes to the end of it."""
    for length in range(1, len(lines) // 2 + 1):
        while len(lines) >= 2 * length and lines[-length:] == lines[-2 * length : -length]:
            lines = lines[:-length]
    return lines


def _blocks(lines: list[str]) -> Iterator[tuple[str, str, list[str]]]:
    """(rule or group, its name, indented lines) of each error."""
    for index, line in enumerate(lines):
        head = _HEAD.match(line)
        if head is None:
            continue
        block = []
        for following in lines[index + 1 :]:
            if _HEAD.match(following) or following.startswith(_AFTER):
                break
            block.append(following)
        yield head[1], head[2], block


def _paths(line: str) -> Iterator[Path]:
    match = _LOG.match(line)
    if match and Path(match[1]).exists():  # whatever its name has, commas too
        yield Path(match[1])
    elif match:
        yield from (Path(name.strip()) for name in match[1].split(","))
