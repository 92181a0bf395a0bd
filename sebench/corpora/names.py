"""Names as they arrive: folders of splits in the habits of the field, and spellings that are one name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

#: Split -> names of its folder, whatever their case.
HABITS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training", "trainset", "trn"),
    "valid": ("valid", "validation", "validate", "validset", "val", "dev", "devel", "development", "devset", "cv"),
    "test": ("test", "testing", "testset", "tst", "eval", "evaluation", "evaluate", "evalset"),
}

#: Words that may follow one of them: train-clean-100, trainset_28spk_wav.
_FILLERS = frozenset(
    [
        "clean",
        "noisy",
        "other",
        "set",
        "data",
        "wav",
        "flac",
        "spk",
        "speech",
        "noise",
        "rir",
        "part",
        "full",
        "small",
        "si",
    ]
)

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


def split_of(name: str) -> str:
    """The split that a folder's name says as a whole; empty where it says none.

    >>> split_of("Train"), split_of("dev-clean"), split_of("testset_2"), split_of("train_station")
    ('train', 'valid', 'test', '')
    """
    first, *rest = _words(name)
    return _named(first, HABITS) if all(word in _FILLERS for word in rest) else ""


def splits_of(folders: Iterable[str]) -> dict[str, str]:
    """Folder -> split, of those whose names say one.

    Two letters (`tr`), and names that only begin with such a word (`test_room`), count where another split is named.
    """
    found: dict[str, str] = {}
    perhaps: dict[str, str] = {}
    for name in folders:
        first, *rest = _words(name)
        whole, short = split_of(name), _named(first, SHORT) if all(len(word) == 1 for word in rest) else ""
        found |= {name: whole} if whole else {}
        perhaps |= {name: guess} if (guess := short or _named(first, HABITS)) else {}
    return {**perhaps, **found} if len({*found.values(), *perhaps.values()}) > 1 else found


def siblings_of(folders: Iterable[str]) -> list[tuple[str, str]]:
    """Folders and their splits, of those that are one name but for the word of the split, wherever it stands.

    Two letters count beside a longer word. Folders of several splits that all have such a word, and differ in more, are
    told without a split. What comes twice, a folder or a split, is not clear.

    >>> siblings_of(["clean_train", "clean_test", "train_station"])
    [('clean_test', 'test'), ('clean_train', 'train')]
    >>> siblings_of(["vctk_train", "libri_test"])
    [('libri_test', ''), ('vctk_train', '')]
    """
    names = sorted(set(folders))
    alike: dict[tuple[tuple[str, ...], tuple[str, ...]], list[tuple[str, str]]] = {}
    whole: set[tuple[str, str]] = set()
    for name in names:
        words = _parts(name)
        for place, word in enumerate(words):
            split = _named(word, HABITS)
            whole |= {(name, split)} if split else set()
            if found := split or _named(word, SHORT):
                alike.setdefault((words[:place], words[place + 1 :]), []).append((name, found))
    told = {pair for some in alike.values() if _differ(some) and not whole.isdisjoint(some) for pair in some}
    unclear = _differ(whole) and {name for name, _ in whole} == set(names)
    return sorted(told) or [(name, "") for name in names if unclear]


def _differ(pairs: Iterable[tuple[str, str]]) -> bool:
    return len({split for _, split in pairs}) > 1


def _parts(name: str) -> tuple[str, ...]:
    """Words, also of trainA and cleanTrain, without numbers and their units: 100h, 28spk."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    found = re.findall(r"(\d*)([^\W\d_]+)", key(apart))
    return tuple(word for number, word in found if not number or _named(word, HABITS))


def _words(name: str) -> list[str]:
    """Letters between anything else; a name without letters is one empty word."""
    words = re.findall(r"[^\W\d_]+", key(name)) or [""]
    return words[1:] if words[0] in ("si", "sd") and len(words) > 1 else words  # si_tr_s, si_dt_05 of WSJ


def _named(word: str, habits: Mapping[str, tuple[str, ...]]) -> str:
    return next((split for split, words in habits.items() if word in words), "")


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
