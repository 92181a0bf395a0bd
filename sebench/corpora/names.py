"""Names as they arrive: folders of splits in the habits of the field, and spellings that are one name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

#: Split -> names of its folder, whatever their case; behind each may follow more (train-clean-100, testset_2).
HABITS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training", "trainset", "trn"),
    "valid": ("valid", "validation", "validate", "validset", "val", "dev", "devel", "development", "devset", "cv"),
    "test": ("test", "testing", "testset", "tst", "eval", "evaluation", "evaluate", "evalset"),
}

#: Names that are read as splits only beside one of another split: initials of a speaker may read like that.
SHORT: Mapping[str, tuple[str, ...]] = {"train": ("tr",), "valid": ("dt", "va"), "test": ("tt", "et", "ts", "te")}


def key(name: str) -> str:
    """What two spellings of one name share: case and unicode form do not count.

    >>> key("P232") == key("p232")
    True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def unified(names: Iterable[str]) -> dict[str, str]:
    """Name -> the one spelling of it: that which sorts first among those that occur."""
    first: dict[str, str] = {}
    for name in sorted(set(names)):
        first.setdefault(key(name), name)
    return {name: first[key(name)] for name in sorted(set(names))}


def split_of(name: str, habits: Mapping[str, tuple[str, ...]] = HABITS) -> str:
    """The split that a folder's name says; empty where it says none.

    >>> split_of("Train"), split_of("dev-clean"), split_of("testset_2"), split_of("p232")
    ('train', 'valid', 'test', '')
    """
    word = re.split(r"[^a-z]", key(name).lstrip("_-. "), maxsplit=1)[0]
    return next((split for split, words in habits.items() if word in words), "")


def splits_of(folders: Iterable[str]) -> dict[str, str]:
    """Folder -> split, of those whose names say one: short names only where another split is named too."""
    folders = list(folders)
    found = {name: split for name in folders if (split := split_of(name))}
    short = {name: split for name in folders if (split := split_of(name, SHORT)) and len(name) == 2}
    return found | (short if len({*found.values(), *short.values()}) > 1 else {})


def printable(name: str) -> str:
    """A name that can be written and shown: bytes that are no UTF-8 as in `caf\\xe9.wav`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def encodable(name: str) -> bool:
    """Whether a name is UTF-8."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
