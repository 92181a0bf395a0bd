"""Names that become paths: which ones people may give, and how long what is made of them may be.

One rule for all of them, checked where configuration is read: such a name stands in folders, shell lines, the queue of
a cluster and DVC's stages, none of which has to quote it.
"""

from __future__ import annotations

import hashlib
import re

#: Bytes of a name that a person gives: study, scale, corpus and table together still fit into one folder's name.
GIVEN = 48
#: Bytes of a node's name: with its id, and as a log with an ending, it stays below the 255 of all file systems.
NODE = 230
ACCEPTED = (
    f"at most {GIVEN} of the letters a to z and A to Z, digits, and . _ + - (not at the beginning: . + -); "
    "words for people belong into `label` or `title`"
)
_GIVEN = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.+-]{{0,{GIVEN - 1}}}")
_OTHER = re.compile(r"[^A-Za-z0-9_.+-]")
_DIGITS = 6


def is_name(text: str) -> bool:
    """Whether a person may call something so that it gets a path of its own."""
    return _GIVEN.fullmatch(text) is not None


def in_path(text: str, limit: int = NODE) -> str:
    """A part of a path that is made from names: equal texts give equal parts, and no part is longer than `limit`.

    Args:
        text: of any kind; what the rule for names does not know becomes `_`.
        limit: in bytes. A longer text is cut and ends in a hash of the whole.
    """
    return shortened(_OTHER.sub("_", text), limit)


def shortened(text: str, limit: int) -> str:
    """A text of at most `limit` bytes of UTF-8: itself, or its beginning and a hash of the whole."""
    data = text.encode("utf-8", "surrogateescape")
    if len(data) <= limit:
        return text
    digest = hashlib.sha256(data).hexdigest()[:_DIGITS]
    return data[: limit - _DIGITS - 1].decode("utf-8", "ignore") + "_" + digest


def file_names(labels: list[str], limit: int = 200) -> dict[str, str]:
    """Label of any kind -> a file name without ending that is its own: readable, no path, at most `limit` bytes."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for label in dict.fromkeys(labels):
        name = re.sub(r"[/\x00-\x1f\x7f]", "_", label)
        name = shortened("_" + name[1:] if name.startswith(".") else name, limit)
        if not name or name in taken:
            digest = hashlib.sha256(label.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
            name = f"{name}_{digest}"
        taken.add(name)
        found[label] = name
    return found
