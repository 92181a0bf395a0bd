"""What a metric is: one utterance in, a value out, or the reason why there is none."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sebench.errors import SebenchError
from sebench.files import sha256_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Signal = NDArray[np.floating]

Status = Literal["ok", "failed", "not_applicable"]


@dataclass(frozen=True)
class MetricValue:
    """A score, or why there is none.

    Args:
        value: the score; None unless `status` is "ok".
        reason: what happened, for a reader of the table.
        status: "ok", "failed" (the signals have no score) or "not_applicable" (the metric cannot be asked here).
    """

    value: float | None
    reason: str = ""
    status: Status = "ok"

    @classmethod
    def failed(cls, reason: str) -> MetricValue:
        """No score: the signals have none."""
        return cls(None, reason, "failed")

    @classmethod
    def not_applicable(cls, reason: str) -> MetricValue:
        """No score: the metric cannot be asked here."""
        return cls(None, reason, "not_applicable")


class Unscorable(Exception):
    """Raised inside a metric where its definition gives no value; `compute` turns it into a reason."""


class MissingPackageError(SebenchError):
    """A metric was asked for, and the package that computes it is not installed."""


class Metric:
    """Base class: checks the signals, then asks the subclass for the value.

    Subclasses set the class attributes below as literals and write `score`. Parameters are keyword-only. `package` is
    the distribution that computes the metric, `install` the command that installs it where plain `pip install` does
    not, `model_files` the files of the package that hold trained weights (paths as in its list of files).
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 0
    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float | None, float | None]] = (None, None)
    needs_reference: ClassVar[bool] = True
    needs_noisy: ClassVar[bool] = False
    sample_rate: ClassVar[int] = 16000
    unit: ClassVar[str] = ""
    package: ClassVar[str] = ""
    install: ClassVar[str] = ""
    model_files: ClassVar[tuple[str, ...]] = ()
    source: ClassVar[str] = ""

    def score(self, clean: Signal, estimate: Signal, noisy: Signal, sample_rate: int) -> float:
        """The value for float64 signals `(samples,)` that were checked.

        Raises:
            Unscorable: the signals have no score by the metric's own definition.
        """
        raise NotImplementedError

    def compute(self, *, clean: Signal | None, estimate: Signal, noisy: Signal | None, sample_rate: int) -> MetricValue:
        """Score one utterance; never raises for what the signals hold.

        Args:
            clean: the reference, `(samples,)`; None where there is none.
            estimate: what is scored, `(samples,)`.
            noisy: the unprocessed mixture, `(samples,)`; None where it is not known.
            sample_rate: of all of them, in Hz.

        Raises:
            MissingPackageError: the metric's package is not installed.
        """
        import numpy as np

        self.require()
        if sample_rate != self.sample_rate:
            return MetricValue.not_applicable(
                f"{self.name} is defined here at {self.sample_rate} Hz, not {sample_rate}"
            )
        if clean is None and self.needs_reference:
            return MetricValue.not_applicable("no clean reference")
        if noisy is None and self.needs_noisy:
            return MetricValue.not_applicable("no noisy mixture")
        given = {"clean": clean, "estimate": estimate, "noisy": noisy}
        signals = {role: np.asarray(signal, np.float64) for role, signal in given.items() if signal is not None}
        reason = _unusable(signals)
        if not reason and self.needs_reference and not signals["clean"].any():
            reason = "the clean reference is silent"
        if reason:
            return MetricValue.failed(reason)
        estimate = signals["estimate"]
        try:
            value = float(
                self.score(signals.get("clean", estimate), estimate, signals.get("noisy", estimate), sample_rate)
            )
        except Unscorable as error:
            return MetricValue.failed(str(error))
        if not np.isfinite(value):
            return MetricValue.failed(f"{self.name} is not finite ({value})")
        return MetricValue(value)

    def require(self) -> None:
        """Check that the package is there.

        Raises:
            MissingPackageError: with what installs it.
        """
        if not installed(self.package):
            command = self.install or f"pip install {self.package}"
            raise MissingPackageError(
                f"metric {self.name!r} needs the package {self.package!r}, which is not installed here; `make env` "
                f"installs it, or, in this environment: {command}"
            )


def _unusable(signals: Mapping[str, Signal]) -> str:
    import numpy as np

    length = signals["estimate"].shape
    for role, signal in signals.items():
        if signal.ndim != 1:
            return f"the {role} signal has shape {signal.shape}, not (samples,)"
        if signal.shape != length:
            return f"the {role} signal has {signal.size} samples, the estimate {signals['estimate'].size}"
        if not signal.size:
            return f"the {role} signal is empty"
        if not np.isfinite(signal).all():
            return f"the {role} signal is not finite"
    return ""


@functools.cache
def installed(package: str) -> bool:
    """Whether a metric's package is installed; true of "", which is no package. Imports nothing."""
    try:
        return not package or bool(metadata.version(package))
    except metadata.PackageNotFoundError:
        return False


def implementation(package: str, type_name: str, model_files: tuple[str, ...] = ()) -> str:
    """What computes a metric, for ids and score files: "pesq 0.0.4", "speechmos 0.0.1.1 (model_v8.onnx 9246480c)" with
    the start of the SHA-256 of trained weights, or "sebench si_sdr" for code without a package. Imports nothing.

    Raises:
        metadata.PackageNotFoundError: the package is not installed.
    """
    if not package:
        return f"sebench {type_name}"
    weights = ", ".join(f"{Path(file).name} {_sha256(package, file)[:8]}" for file in model_files)
    return f"{package} {metadata.version(package)}" + (f" ({weights})" if weights else "")


def model_file(package: str, file: str) -> Path:
    """Where a file of an installed package lies.

    Raises:
        MissingPackageError: the package is there and the file is not.
    """
    path = Path(str(metadata.distribution(package).locate_file(file)))
    if not path.is_file():
        raise MissingPackageError(f"{path}: the package {package} {metadata.version(package)} has no such file")
    return path


def metric_name(item: Mapping[str, Any]) -> str:
    """What score files call a metric: its `name` in the spec if it has one, else its type (of an outside metric, its
    class)."""
    return str(item.get("name") or item["type"]).rpartition(":")[2]


@functools.cache
def _sha256(package: str, file: str) -> str:
    return sha256_of(model_file(package, file))
