"""Checks of rendered signals against their plan: SNR, level, clipping, length (guarantee 7).

Everything is measured on the float32 signals as they are stored. Tolerances: 0.01 dB for SNR and levels (float32
rounds far below), no sample above `PEAK_LIMIT` by more than its rounding, no sample of difference in length.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sebench.errors import DataError
from sebench.synthesis.levels import MEASURES, heard, rms_level
from sebench.synthesis.mixture import PEAK_LIMIT, RenderedMixture, Signals, at_rate, complete
from sebench.synthesis.plan import RATE

if TYPE_CHECKING:
    import pandas as pd

LEVEL_TOLERANCE_DB = 0.01
REPEAT_TOLERANCE_DB = 1e-6  # between two measurements of the same samples


def measure(row: Mapping[str, Any], signals: Signals, sample_rate: int = RATE) -> dict[str, float]:
    """`measured_snr_db`, `measured_level_dbov` and `peak` (of the noisy signal) of one mixture.

    Args:
        row: of the plan; it names the measures of level.
        signals: `noisy` and, where there is a reference, `speech` and `noise`, `(samples,)` each.
        sample_rate: in Hz.

    Returns:
        dB values; NaN for the SNR of a published mixture without noise or without speech, and for SNR and level of a
        recording without a reference. Of a degraded mixture no SNR: that is of what was mixed before.
    """
    peak = float(np.max(np.abs(signals["noisy"]), initial=0.0))
    if "speech" not in signals:
        return {"measured_snr_db": math.nan, "measured_level_dbov": math.nan, "peak": peak}
    # What was mixed here has no offset any more; published signals keep theirs, and it counts in no level.
    taken = heard if row["paired_path"] else np.asarray
    speech = MEASURES[row["speech_level_measure"]](taken(signals["speech"]), sample_rate)
    if "noise" not in signals:
        return {"measured_level_dbov": speech, "peak": peak}
    noise = MEASURES[row["noise_level_measure"]](taken(signals["noise"]), sample_rate)
    return {
        "measured_snr_db": speech - noise if math.isfinite(speech - noise) else math.nan,
        "measured_level_dbov": speech,
        "peak": peak,
    }


def check_mixture(
    row: Mapping[str, Any],
    signals: Signals,
    scaled_by: float,
    sample_rate: int = RATE,
    samples: int | None = None,
) -> dict[str, float]:
    """Measure one mixture and compare it with its row; published mixtures are only compared in length.

    Args:
        samples: that it must have; None: those of the plan's row.

    Returns:
        As `measure`.

    Raises:
        DataError: with the mixture's name and all that is wrong.
    """
    measured = measure(row, signals, sample_rate)
    expected = at_rate(row["samples"], sample_rate) if samples is None else samples
    problems = list(_shape_problems(signals, expected))
    if not row["paired_path"]:
        problems += _level_problems(row, signals, measured, scaled_by)
    if problems:
        of = f"speech {row['speech_path']}" if row["speech_path"] else f"recording {row['paired_path']}"
        raise DataError(f"mixture {row['mixture']} ({of}): " + "; ".join(problems))
    return measured


def check_before(row: Mapping[str, Any], rendered: RenderedMixture, sample_rate: int = RATE) -> dict[str, float]:
    """Check a mixture as it was before its degradations: SNR and levels are of that.

    Returns:
        `measured_snr_db`.

    Raises:
        DataError: as `check_mixture`.
    """
    assert rendered.noise is not None
    mixed = {name: signal for name, signal in rendered.signals.items() if name != "noisy"}
    signals = complete({**mixed, "noise": rendered.noise})
    return {"measured_snr_db": check_mixture(row, signals, rendered.scaled_by, sample_rate)["measured_snr_db"]}


def verify_set(index: pd.DataFrame, state: Path, sample_rate: int = RATE) -> None:
    """Measure a whole rendered set again, against its plan and against what was measured when it was rendered.

    Raises:
        DataError: on the first mixture that is not what its row says.
    """
    from sebench.synthesis.store import AudioStore

    audio = AudioStore(index, state, sample_rate)
    for position, item in enumerate(index.to_dict("records")):
        row = {str(name): value for name, value in item.items()}
        measured = check_mixture(row, audio.row(position), row["scaled_by"], sample_rate, row["samples"])
        for name, value in measured.items():
            # NaN and -inf are equal to themselves here: `not >` would let NaN pass, equality would refuse it.
            same = value == row[name] or (math.isnan(value) and math.isnan(row[name]))
            if not same and not abs(value - row[name]) <= REPEAT_TOLERANCE_DB:
                raise DataError(
                    f"mixture {row['mixture']}: {name} is {value:.6g}, {row[name]:.6g} when it was rendered: "
                    f"its shard in {state} was changed"
                )


def _shape_problems(signals: Signals, expected: int) -> list[str]:
    problems = []
    for name, signal in signals.items():
        if len(signal) != expected:
            problems.append(f"{name} has {len(signal)} samples, planned are {expected}")
        if not np.isfinite(signal).all():
            problems.append(f"{name} has samples that are not finite")
    return problems


def _level_problems(
    row: Mapping[str, Any], signals: Signals, measured: Mapping[str, float], scaled_by: float
) -> list[str]:
    kept_db = 20.0 * math.log10(scaled_by)
    expected = []
    if "measured_snr_db" in measured:
        expected.append(("SNR", measured["measured_snr_db"], row["snr_db"], "dB"))
    if math.isnan(row["mixture_level_dbov"]):
        expected.append(("speech level", measured["measured_level_dbov"], row["level_dbov"] + kept_db, "dBov"))
    elif "measured_snr_db" in measured:
        expected.append(("mixture level", rms_level(signals["noisy"]), row["mixture_level_dbov"] + kept_db, "dBov"))
    problems = [
        f"{name} is {found:.3f} {unit}, planned is {planned:.3f} (tolerance {LEVEL_TOLERANCE_DB:g} dB)"
        for name, found, planned, unit in expected
        if not abs(found - planned) <= LEVEL_TOLERANCE_DB
    ]
    limit = float(np.nextafter(np.float32(PEAK_LIMIT), np.float32(1.0)))
    highest = max(float(np.max(np.abs(signal), initial=0.0)) for signal in signals.values())
    if not highest <= limit:
        problems.append(f"peak is {highest:.6f}, above {PEAK_LIMIT:g}")
    return problems
