"""Signals that belong together and differ a little in length: their ends are cut, or zeros follow them.

One meaning for `sebench score --align` and for `align:` of a corpus. Nothing is shifted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, get_args

from sebench.config.base import Align
from sebench.config.specs import CorpusSpec

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from sebench.artefacts import Node, Store

ALIGN: tuple[Align, ...] = get_args(Align)
#: Frames, hops and rates explain such differences; a larger one is another recording, or one that was cut elsewhere.
ALIGN_SECONDS = 0.1
IN_CORPUS = "`align: cut|pad` of the corpus"


def length_fault(lengths: str, apart: int, sample_rate: int, align: Align | None, asked: str) -> str:
    """Why signals cannot be compared for their lengths, in words; empty if they can.

    Args:
        lengths: what they are, in words.
        apart: samples between the shortest and the longest.
        sample_rate: in Hz.
        align: what makes them equally long; None: nothing does.
        asked: what a person writes to have that.
    """
    if not apart:
        return ""
    if apart > ALIGN_SECONDS * sample_rate:
        return f"{lengths}: {apart / sample_rate:.3g} s apart, and {asked} is for {ALIGN_SECONDS:g} s at most"
    return "" if align else f"{lengths}; {asked} makes them equally long"


def pair_fault(clean: tuple[int, int], noisy: tuple[int, int], align: Align | None) -> str:
    """Why the files of a published pair cannot be compared, in words; empty if they can.

    Args:
        clean, noisy: samples and rate in Hz.
        align: of the corpus.
    """
    if clean[1] != noisy[1]:
        return f"clean is at {clean[1]} Hz, noisy at {noisy[1]} Hz"
    lengths = f"clean has {clean[0]} samples, noisy {noisy[0]}"
    return length_fault(lengths, abs(clean[0] - noisy[0]), clean[1], align, IN_CORPUS)


def fitted(signals: Mapping[str, np.ndarray], align: Align) -> dict[str, np.ndarray]:
    """Signals `(samples,)` of one length: that of the shortest, or of the longest."""
    import numpy as np

    lengths = [len(signal) for signal in signals.values()]
    length = min(lengths) if align == "cut" else max(lengths)
    return {name: np.pad(signal[:length], (0, max(0, length - len(signal)))) for name, signal in signals.items()}


def aligned_pairs(corpus: Node, store: Store) -> str:
    """How many pairs of a corpus had to be made equally long, in words; "" where none had to or nobody knows yet."""
    from sebench.corpora.manifest import read_manifest

    path, align = store.outputs(corpus)["manifest.parquet"], CorpusSpec.of(corpus.spec).align
    apart = _samples_apart(read_manifest(path)) if align and path.exists() else []
    count = sum(each > 0 for each in apart)
    done = "cut to the shorter file" if align == "cut" else "padded to the longer file"
    return f"{count} of {len(apart)} pairs {done}, by at most {max(apart)} samples" if count else ""


def _samples_apart(manifest: pd.DataFrame) -> list[int]:
    """Of each published pair, by how many samples its two files differ."""
    pairs = manifest[manifest["pair"] != ""]
    clean = manifest.set_index("id")["samples"].loc[pairs["pair"]]
    return [abs(int(a) - int(b)) for a, b in zip(pairs["samples"], clean, strict=True)]
