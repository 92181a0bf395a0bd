"""Whether the splits of a corpus, or of the corpora of a study, are separate: by name, by samples and by sound."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sebench.corpora.manifest import SPLITS
from sebench.corpora.names import key
from sebench.errors import DataError
from sebench.files import write_json

if TYPE_CHECKING:
    import pandas as pd

    from sebench.artefacts import Node, Store

#: role -> (what it is called, whether training and validation must differ too)
ROLES: Mapping[str, tuple[str, bool]] = {
    "speech": ("speech file", True),
    "noisy": ("noisy file", True),
    "noise": ("noise file", False),
    "rir": ("impulse response", False),
}
USES = ("trained", "tested")  # what corpora are to a comparison: the first words of its parents' roles
SHOWN = 20  # problems


def separation_problems(manifest: pd.DataFrame) -> list[str]:
    """What occurs in splits that must not share it, in words; empty if the splits are separate.

    A speaker belongs to one split, and so does a file of speech or a noisy one. A noise file or a room of the test
    split occurs in no other; training and validation may share these. Files are compared by their samples, whatever
    container holds them, and by their sound: a copy at another gain, an excerpt (`sebench.corpora.sound` says how far
    that goes). Within a split anything may be shared: two published test sets may compare with the same clean files.
    Names that differ in case or unicode form only are one.
    """
    roles = manifest["role"]
    problems = _shared_names(manifest[roles.isin(["speech", "noisy"])], "speaker", "speaker", only_test=False)
    problems += _shared_names(manifest[roles == "rir"], "kind", "room", only_test=True)
    for role, (what, all_differ) in ROLES.items():
        rows = _with_content(manifest[roles == role])
        pairs = [("train", "test"), ("valid", "test"), *([("train", "valid")] if all_differ else [])]
        for first, second in pairs:
            problems += _shared_sounds(rows[rows["split"] == first], rows[rows["split"] == second], what)
    return _some(problems)


def crossing_problems(trained: Mapping[str, pd.DataFrame], tested: Mapping[str, pd.DataFrame]) -> list[str]:
    """What of the test split of one corpus is in training or validation of another one, in words.

    Args:
        trained: manifests, by their corpora's names.
        tested: the same.
    """
    problems: list[str] = []
    for one, other in ((a, b) for a in trained for b in tested if a != b):
        for role, (what, _) in ROLES.items():
            seen, kept = (
                _with_content(frame[(frame["role"] == role) & ((frame["split"] == "test") == is_test)])
                for frame, is_test in ((trained[one], False), (tested[other], True))
            )
            problems += _shared_sounds(seen, kept, what, one, other)
    return _some(problems)


def repetitions(manifest: pd.DataFrame) -> list[str]:
    """What is twice within a split and should be looked at, in words; no split is spoilt by it.

    A test utterance or noise that is there twice counts twice; speech under two speakers is of one of them at most.
    """
    found = []
    for role in ("speech", "noise"):
        rows = _with_content(manifest[manifest["role"] == role])
        for (split, _), group in rows.groupby(["split", "content"], sort=True):
            speakers = sorted(set(group["speaker"]))
            several = len(speakers) > 1
            if len(group) > 1 and (split == "test" or several):
                under = f" under the speakers {', '.join(speakers)}" if several else ""
                found.append(f"the same {role} is {len(group)} times in {split}{under}: {', '.join(group['path'][:3])}")
    return _some(found)


def _some(problems: list[str]) -> list[str]:
    more = len(problems) - SHOWN
    return [*problems[:SHOWN], f"and {more} more"] if more > 0 else problems


def _with_content(rows: pd.DataFrame) -> pd.DataFrame:
    """With columns `content` (hash of the samples where it is known, else of the bytes) and `sound`."""
    absent = rows["path"].map(lambda _: "")
    decoded = rows.get("decoded", absent)
    return rows.assign(content=decoded.where(decoded != "", rows["sha256"]), sound=rows.get("sound", absent))


def _shared_sounds(first: pd.DataFrame, second: pd.DataFrame, what: str, *corpora: str) -> Iterator[str]:
    """Each pair of equal samples, equal bytes or one sound once, in words."""
    from sebench.corpora.sound import shared

    told: set[tuple[str, str]] = set()
    names = [f"{name}: " for name in corpora] or ["", ""]
    for column in ("content", "sha256"):
        both = first.drop_duplicates(column).merge(second.drop_duplicates(column), on=column, suffixes=("", "_other"))
        for row in both.sort_values(["path", "path_other"]).to_dict("records"):
            pair = (row["path"], row["path_other"])
            if pair not in told:
                told.add(pair)
                splits = f"{names[0]}{row['split']} and {names[1]}{row['split_other']}"
                yield f"{what} {row['sha256'][:12]} occurs in {splits} ({', '.join(pair)})"
    sounding = [rows[rows["sound"] != ""] for rows in (first, second)]
    for (a, b), seconds in sorted(shared(*(list(rows["sound"]) for rows in sounding)).items()):
        one, other = sounding[0].iloc[a], sounding[1].iloc[b]
        pair = (one["path"], other["path"])
        if pair not in told and one["content"] != other["content"]:
            told.add(pair)
            splits = f"{names[0]}{one['split']} and {names[1]}{other['split']}"
            yield f"{what}: {seconds:.1f} s or more of one sound are in {splits} ({', '.join(pair)})"


def _shared_names(rows: pd.DataFrame, column: str, what: str, *, only_test: bool) -> list[str]:
    problems = []
    keys = rows[column].map(key)
    several = rows.groupby(keys)["split"].nunique()
    for value in sorted(several.index[several > 1]):
        group = rows[keys == value]
        splits = [split for split in SPLITS if split in set(group["split"])]
        if only_test and "test" not in splits:
            continue
        spelt = " or ".join(sorted(set(group[column])))
        first = ", ".join(group.drop_duplicates("split")["path"].tolist())
        problems.append(f"{what} {spelt} occurs in {' and '.join(splits)} ({first})")
    return problems


def refuse_crossing(node: Node, manifests: Mapping[str, tuple[str, pd.DataFrame]]) -> None:
    """Refuse what a study tests if another of its corpora gave it to training.

    Args:
        node: of kind `separation`, whose parents are the study's corpora.
        manifests: key of a corpus -> what it is called, and its manifest.

    Raises:
        DataError: with the files.
    """
    used = [dict(manifests[key] for role, key in node.parents.items() if role.startswith(use)) for use in USES]
    problems = crossing_problems(*used)
    if problems:
        raise DataError("what is tested was given to training by another corpus:\n  " + "\n  ".join(problems))


def run(node: Node, store: Store, threads: int = 1) -> None:
    """The step `separation`: nothing of a study is trained before the corpora that it tests were compared.

    Raises:
        DataError: a sound that is tested is in training or validation of another corpus.
    """
    from sebench.corpora.manifest import read_manifest

    started = time.time()
    corpora = {key: store.load(key) for key in node.parents.values()}
    manifests = {key: read_manifest(store.outputs(corpus)["manifest.parquet"]) for key, corpus in corpora.items()}
    refuse_crossing(node, {key: (corpora[key].stem, manifest) for key, manifest in manifests.items()})
    store.write_provenance(node, started)
    write_json(store.outputs(node)["separation.json"], {"compared": dict(node.parents)})
