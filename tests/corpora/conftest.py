"""Small corpora as fixtures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_corpora import (
    make_chime2,
    make_dns_challenge,
    make_folder_corpus,
    make_ms_snsd,
    make_voicebank,
    make_wsj0,
    write_audio,
)


@pytest.fixture
def folder_root(tmp_path: Path) -> Path:
    return make_folder_corpus(tmp_path / "recordings")


@pytest.fixture
def voicebank_root(tmp_path: Path) -> Path:
    return make_voicebank(tmp_path / "vbd")


@pytest.fixture
def chime2_root(tmp_path: Path) -> Path:
    return make_chime2(tmp_path / "chime2-wsj0")


@pytest.fixture
def wsj0_root(tmp_path: Path) -> Path:
    return make_wsj0(tmp_path / "corpora")


@pytest.fixture
def dns_root(tmp_path: Path) -> Path:
    return make_dns_challenge(tmp_path / "DNS-Challenge")


@pytest.fixture
def snsd_root(tmp_path: Path) -> Path:
    return make_ms_snsd(tmp_path / "MS-SNSD")


@pytest.fixture
def write() -> Callable[..., Path]:
    return write_audio


@pytest.fixture
def write_samples() -> Callable[..., Path]:
    def writer(path: Path, samples: np.ndarray, subtype: str = "FLOAT") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, 16000, subtype=subtype)
        return path

    return writer
