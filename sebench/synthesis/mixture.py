"""One mixture: from its row in the plan and the corpus's files to signals, and nothing else.

Definitions (ours; the papers leave them open). The dry target is the speech through the direct path of the same room:
aligned with the reverberant speech and with its gain. The SNR is the level of the (reverberant) speech over that of the
noise segment actually mixed. An offset is taken off what was cut (`levels.heard`), so that levels, the SNR and every
metric are of what is heard; published mixtures stay as they are. What is cut out of a file is as active as the file
(`corpora.activity`): from the drawn place, or the next one that is. Where a signal would exceed `PEAK_LIMIT`, all
components are scaled together.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sebench.config import items
from sebench.corpora.align import fitted
from sebench.errors import DataError
from sebench.seeding import generator
from sebench.synthesis import rooms
from sebench.synthesis.levels import MEASURES, heard, rms_level
from sebench.synthesis.plan import RATE
from sebench.synthesis.sources import SOURCES

PEAK_LIMIT = 0.99
CROSS_FADE = 0.02  # s, at the joints of looped noise

#: What is stored of a mixture, in this order: `noisy` alone where there is no reference, `noisy` without `noise` where
#: it is degraded, else the others.
COMPONENTS = ("speech", "noise", "dry", "noisy")

Signals = dict[str, np.ndarray]

#: Gives the response of a simulated room from its description and the sample rate.
Simulated = Callable[[str, int], rooms.Response]


@dataclass(frozen=True)
class RenderedMixture:
    """What is stored (`COMPONENTS`), `(samples,)` float32 each.

    Speech and noise, and where the target is dry, `dry`; of a recording without a reference only `noisy`; of a degraded
    mixture `noisy` instead of noise.

    Args:
        noise: as it was before the degradations, `(samples,)` float32; not stored.
    """

    signals: Signals
    scaled_by: float
    noise: np.ndarray | None = None


def render_mixture(row: Mapping[str, Any], corpus_root: Path, sample_rate: int = RATE) -> Signals:
    """Any mixture alone: `noisy`, `clean`, `speech`, `noise` and, where there is one, `dry`; `(samples,)` float32 each.

    Of a recording without a reference only `noisy`; of a degraded mixture no `noise`.

    Args:
        row: of a mixture plan.
        corpus_root: what the row's paths are relative to.
        sample_rate: in Hz.

    Raises:
        DataError: a source file is missing, changed or silent.
    """
    return complete(render_components(row, corpus_root, sample_rate).signals)


def complete(components: Signals) -> Signals:
    """Add `noisy`, speech + noise in float32, and `clean`, which is dry where there is a dry version, else speech.

    Without a reference there is nothing to add; a degraded mixture has its `noisy`.
    """
    if "speech" not in components:
        return dict(components)
    return {
        "noisy": components["noisy"] if "noisy" in components else components["speech"] + components["noise"],
        "clean": components.get("dry", components["speech"]),
        **components,
    }


def render_components(
    row: Mapping[str, Any], corpus_root: Path, sample_rate: int = RATE, simulated: Simulated = rooms.from_description
) -> RenderedMixture:
    """As `render_mixture`, but only what is stored, and the factor that kept the mixture from clipping."""
    if row["paired_path"]:
        return published(row, Path(corpus_root), sample_rate)
    return _mixed(row, Path(corpus_root), sample_rate, simulated)


def _mixed(row: Mapping[str, Any], root: Path, sample_rate: int, simulated: Simulated) -> RenderedMixture:
    speech, dry = _speech(row, root, sample_rate, simulated)
    noise = heard(_noise(row, root, sample_rate, len(speech)).astype(np.float64))
    speech_level = MEASURES[row["speech_level_measure"]](speech, sample_rate)
    noise_level = MEASURES[row["noise_level_measure"]](noise, sample_rate)
    for name, level in (("speech", speech_level), ("noise", noise_level)):
        if level == -math.inf:
            raise DataError(
                f"mixture {row['mixture']}: {row[name + '_path']}: digital silence has no level, nor has an offset"
            )
    noise *= _factor(speech_level - noise_level - row["snr_db"])
    if math.isnan(row["mixture_level_dbov"]):
        gain = _factor(row["level_dbov"] - speech_level)
    else:
        gain = _factor(row["mixture_level_dbov"] - rms_level(speech + noise))
    components = {"speech": speech * gain, "noise": noise * gain}
    if dry is not None:
        components["dry"] = dry * gain
    peak = max(_peak(signal) for signal in (components["speech"] + components["noise"], *components.values()))
    scaled_by = min(1.0, PEAK_LIMIT / peak)
    signals = {name: (signal * scaled_by).astype("<f4") for name, signal in components.items()}
    if row.get("degradations"):
        return _degraded(row, signals, scaled_by, sample_rate)
    return RenderedMixture(signals, scaled_by)


def _degraded(row: Mapping[str, Any], signals: Signals, scaled_by: float, sample_rate: int) -> RenderedMixture:
    """A mixture whose sum of speech and noise goes through the row's degradations.

    Args:
        signals: speech, noise and perhaps dry, as they are without degradations.

    Raises:
        DataError: with the mixture's name, what a degradation could not do.
    """
    noisy = signals["speech"] + signals["noise"]
    for described in json.loads(row["degradations"]):
        place = described.pop("place")
        rng = generator("degradation", int(row["seed"]), place)
        try:
            noisy = items.build(described, "degradation").apply(noisy, sample_rate, rng)
        except DataError as error:
            raise DataError(f"mixture {row['mixture']}: {error}") from error
    peak = _peak(noisy)
    if peak > PEAK_LIMIT:
        further = PEAK_LIMIT / peak
        noisy, scaled_by = noisy * np.float32(further), scaled_by * further
        signals = {name: signal * np.float32(further) for name, signal in signals.items()}
    noise = signals.pop("noise")
    return RenderedMixture({**signals, "noisy": noisy.astype("<f4")}, scaled_by, noise)


def published(row: Mapping[str, Any], root: Path, sample_rate: int) -> RenderedMixture:
    """A published mixture as it is; its noise is what the clean recording, if there is one, leaves of it.

    Where its row has an `align`, the two are made equally long first.

    A part of one (the planner takes them whole) is as active as the clean recording, or as the mixture without one.

    Raises:
        DataError: a file is missing or changed, or the two differ in length.
    """
    noisy = SOURCES.read(root / row["paired_path"], row["paired_sha256"], sample_rate)
    samples = at_rate(row["samples"], sample_rate)
    start = at_rate(row["speech_start"], sample_rate)
    if not row.get("align"):  # such a pair is whole, though the end of a file may be cut
        judged = "speech" if row["speech_path"] else "paired"
        start = SOURCES.place(root / row[f"{judged}_path"], row[f"{judged}_sha256"], sample_rate, start, samples)
    if not row["speech_path"]:
        return RenderedMixture({"noisy": _exactly(noisy[start:], samples).astype("<f4")}, 1.0)
    clean = SOURCES.read(root / row["speech_path"], row["speech_sha256"], sample_rate)
    if row.get("align"):
        noisy, clean = fitted({"noisy": noisy, "clean": clean}, row["align"]).values()
    if len(noisy) != len(clean):
        raise DataError(
            f"mixture {row['mixture']}: {row['paired_path']} has {len(noisy)} samples at {sample_rate} Hz, "
            f"its clean recording {row['speech_path']} has {len(clean)}"
        )
    noisy, speech = (_exactly(signal[start:], samples).astype("<f4") for signal in (noisy, clean))
    return RenderedMixture({"speech": speech, "noise": noisy - speech}, 1.0)


def _speech(
    row: Mapping[str, Any], root: Path, sample_rate: int, simulated: Simulated
) -> tuple[np.ndarray, np.ndarray | None]:
    """Speech as it is in the mixture and its dry version, unscaled, `(samples,)` float64."""
    file = (root / row["speech_path"], row["speech_sha256"], sample_rate)
    samples = at_rate(row["samples"], sample_rate)
    start = SOURCES.place(*file, at_rate(row["speech_start"], sample_rate), samples)
    speech = heard(_exactly(SOURCES.read(*file)[start : start + samples], samples).astype(np.float64))
    if not row["room"]:
        return speech, None
    room = json.loads(row["room"])
    if room["source"] == "simulated":
        response = simulated(row["room"], sample_rate)
    else:
        recorded = SOURCES.read(root / row["rir_path"], row["rir_sha256"], sample_rate)
        try:
            response = rooms.measured(recorded, sample_rate, room["direct_ms"])
        except ValueError as error:
            raise DataError(f"mixture {row['mixture']}: {row['rir_path']}: {error}") from error
    return response.reverberant(speech), response.dry(speech) if room["target"] == "dry" else None


def _noise(row: Mapping[str, Any], root: Path, sample_rate: int, samples: int) -> np.ndarray:
    """The noise of a mixture, unscaled, `(samples,)`."""
    file = (root / row["noise_path"], row["noise_sha256"], sample_rate)
    start = SOURCES.place(*file, at_rate(row["noise_start"], sample_rate), samples)
    piece = SOURCES.piece(*file, start, samples)
    return noise_segment(SOURCES.read(*file), start, samples, sample_rate) if piece is None else piece


def noise_segment(noise: np.ndarray, start: int, samples: int, sample_rate: int = RATE) -> np.ndarray:
    """`(samples,)` of noise from `start`; looped with equal-power cross-fades where the recording is too short."""
    if samples <= len(noise):
        first = min(start, len(noise) - samples)
        return noise[first : first + samples]
    fade = min(round(CROSS_FADE * sample_rate), len(noise) // 2)
    period = noise[: len(noise) - fade].astype(np.float64)
    angle = (np.arange(fade) + 0.5) / max(fade, 1) * (math.pi / 2.0)
    period[:fade] = noise[len(noise) - fade :] * np.cos(angle) + noise[:fade] * np.sin(angle)
    return period[(start + np.arange(samples)) % len(period)]


def at_rate(samples: int, sample_rate: int) -> int:
    """A count of samples at the plan's 16 kHz, at another rate."""
    return int(samples) * sample_rate // RATE


def _exactly(signal: np.ndarray, samples: int) -> np.ndarray:
    """The first `samples`; a resampler may leave a file a sample shorter than its header promised."""
    return np.pad(signal[:samples], (0, max(0, samples - len(signal))))


def _factor(gain_db: float) -> float:
    return float(10.0 ** (gain_db / 20.0))


def _peak(signal: np.ndarray) -> float:
    return float(np.max(np.abs(signal))) if len(signal) else 0.0
