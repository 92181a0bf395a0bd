"""NIST SPHERE files: what the header says of the coding. Decoding is libsndfile's; it knows no compressed ones."""

from __future__ import annotations

from pathlib import Path

from sebench.errors import DataError

SUFFIXES = frozenset({".wv1", ".sph"})

HEADER = 1024  # bytes; the second line of a file says how many it has, and no LDC corpus has more


def sample_coding(path: Path) -> str:
    """The field `sample_coding` of a header: `pcm`, or with a compression `pcm,embedded-shorten-v2.00`.

    Files that do not state it are PCM.

    Raises:
        DataError: not a SPHERE file.
    """
    try:
        with path.open("rb") as file:
            header = file.read(HEADER)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if not header.startswith(b"NIST_1A"):
        raise DataError(f"{path}: not a NIST SPHERE file: it does not begin with NIST_1A")
    for line in header.partition(b"end_head")[0].decode("ascii", "replace").splitlines():
        name, _, value = line.partition(" ")
        if name == "sample_coding":
            return value.partition(" ")[2].strip()
    return "pcm"


def compression(path: Path) -> str:
    """What compresses the samples, such as `embedded-shorten-v2.00`; empty if nothing does.

    Raises:
        DataError: not a SPHERE file.
    """
    return sample_coding(path).partition(",")[2].strip()
