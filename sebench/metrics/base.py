"""What a metric is: one utterance in, a value out, or the reason why there is none."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from sebench.errors import DataError, SebenchError
from sebench.files import sha256_of
from sebench.process.isolated import WorkerDied

if TYPE_CHECKING:
    from concurrent.futures import Future

    import numpy as np
    from numpy.typing import NDArray

    from sebench.config.facts import MetricFacts

    Signal = NDArray[np.floating]

Status = Literal["ok", "failed", "not_applicable"]


@dataclass(frozen=True)
class MetricValue:
    """A score, or why there is none.

    Args:
        value: the score; None unless `status` is "ok".
        reason: what happened, for a reader of the table; with a score, what was done to the signals before.
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


class Unavailable(SebenchError):
    """This machine cannot compute a metric now. It says nothing about the signals, so that it is no score."""


class MissingPackageError(Unavailable):
    """A metric was asked for, and the package that computes it is not installed."""


class Metric:
    """Base class: checks the signals, then asks the subclass for the value.

    Subclasses set the class attributes below as literals and write `score`. Parameters are keyword-only. `package` is
    the distribution that computes the metric, `install` the command that installs it where plain `pip install` does
    not, `model_files` the files of the package that hold trained weights (paths as in its list of files).

    A value beyond `bounds` is refused. `other_rates` says how signals at another rate than `sample_rate` are scored,
    where the definition says how: "own" (at their own rate), "down" (higher rates are resampled) or "" (not at all);
    `own_rates` are rates that it is defined at beside `sample_rate`.
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
    other_rates: ClassVar[Literal["", "own", "down"]] = ""
    own_rates: ClassVar[tuple[int, ...]] = ()
    #: Whether it may be computed in a process that is forked for it; not a network on torch's threads.
    isolated: ClassVar[bool] = True

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
            sample_rate: of all of them, in Hz. Where it is not the metric's, what is done is the value's reason: a
                metric with `other_rates` "own" scores them as they are; one with "down" scores what soxr's very high
                quality brings to its rate, of higher rates only: a lower one lacks the band that it is about.

        Raises:
            MissingPackageError: the metric's package is not installed.
            Unavailable: the machine lacks memory, or a file that the metric reads.
        """
        self.require()
        way = way_to_score(self, sample_rate)
        if way is None:
            lower = ", and a lower rate lacks the band that it scores" if self.other_rates == "down" else ""
            return MetricValue.not_applicable(
                f"{self.name} is defined here at {self.sample_rate} Hz, not {sample_rate}{lower}"
            )
        told = {"": "", "own": f"scored at {sample_rate} Hz", "down": f"resampled from {sample_rate} Hz"}[way]
        given = {"clean": clean, "noisy": noisy}
        if way == "down":
            estimate = _resampled(estimate, sample_rate, self.sample_rate)
            brought = {role: signal for role, signal in given.items() if signal is not None}
            given |= {role: _resampled(signal, sample_rate, self.sample_rate) for role, signal in brought.items()}
            sample_rate = self.sample_rate
        found = self.compute_at(estimate=estimate, sample_rate=sample_rate, **given)
        if found.value is None or not told:
            return found
        return MetricValue(found.value, "; ".join(filter(None, (told, found.reason))))

    def compute_at(
        self, *, clean: Signal | None, estimate: Signal, noisy: Signal | None, sample_rate: int
    ) -> MetricValue:
        """As `compute`, at any rate that the metric's `score` takes."""
        import numpy as np

        if clean is None and self.needs_reference:
            return MetricValue.not_applicable("no clean reference")
        if noisy is None and self.needs_noisy:
            return MetricValue.not_applicable("no noisy mixture")
        given = {"clean": clean, "estimate": estimate, "noisy": noisy}
        signals = {role: np.asarray(signal, np.float64) for role, signal in given.items() if signal is not None}
        reason = _unusable(signals)
        if not reason and self.needs_reference and is_constant(signals["clean"]):
            reason = "the clean reference is " + ("constant" if signals["clean"].any() else "silent")
        if reason:
            return MetricValue.failed(reason)
        estimate = signals["estimate"]
        return self._valued(signals.get("clean", estimate), estimate, signals.get("noisy", estimate), sample_rate)

    def _valued(self, clean: Signal, estimate: Signal, noisy: Signal, sample_rate: int) -> MetricValue:
        """What `score` gives, or how it failed: one metric's failure is a hole for that metric alone."""
        try:
            with warnings.catch_warnings():  # a value that is not finite is told below
                warnings.simplefilter("ignore", RuntimeWarning)
                value = float(self.score(clean, estimate, noisy, sample_rate))
        except Unscorable as error:
            return MetricValue.failed(str(error))
        except ImportError as error:
            raise MissingPackageError(f"metric {self.name!r} cannot be computed here: {error}") from error
        except Unavailable:
            raise
        except (OSError, MemoryError) as error:
            raise Unavailable(
                f"metric {self.name!r} cannot be computed here: {type(error).__name__}: {error}"
            ) from error
        except Exception as error:  # of code that is not ours, on signals that nobody foresaw
            return MetricValue.failed(f"{self.name}: {type(error).__name__}: {error}")
        if not math.isfinite(value):
            return MetricValue.failed(f"{self.name} is not finite ({value})")
        low, high = self.bounds
        if (low is not None and value < low - _tolerance(low)) or (
            high is not None and value > high + _tolerance(high)
        ):
            told = " to ".join("..." if bound is None else f"{bound:g}" for bound in (low, high))
            return MetricValue.failed(f"{self.name} gave {value:g}, and its values are {told}")
        return MetricValue(value, self.note(estimate))

    def note(self, estimate: Signal) -> str:
        """What was done to the signal before it was scored, for score files; empty where nothing was."""
        return ""

    def require(self) -> None:
        """Check that the package is there.

        Raises:
            MissingPackageError: with what installs it.
        """
        if not installed(self.package):
            raise missing_package(self.name, self.package, self.install)


class _Rates(Protocol):
    """What a metric says of sample rates: the class, or its facts."""

    @property
    def sample_rate(self) -> int: ...
    @property
    def other_rates(self) -> Literal["", "own", "down"]: ...
    @property
    def own_rates(self) -> tuple[int, ...]: ...


def way_to_score(metric: _Rates, sample_rate: int) -> Literal["", "own", "down"] | None:
    """How a metric scores signals of a rate: "" at its own, "own" at theirs, "down" resampled; None: not at all."""
    if sample_rate == metric.sample_rate:
        return ""
    if metric.other_rates == "own" or sample_rate in metric.own_rates:
        return "own"
    return "down" if metric.other_rates == "down" and sample_rate > metric.sample_rate else None


def rates_in_words(metric: _Rates) -> str:
    """At which rates a metric is defined."""
    rates = " or ".join(str(rate) for rate in sorted({metric.sample_rate, *metric.own_rates}))
    return "any rate" if metric.other_rates == "own" else rates + " Hz" + (" or more" * (metric.other_rates == "down"))


def _resampled(signal: Signal, source: int, target: int) -> Signal:
    import numpy as np
    import soxr

    if not signal.size or not np.isfinite(signal).all():
        return signal  # the metric says what is wrong with it
    return np.asarray(soxr.resample(np.asarray(signal, np.float64), source, target, quality="VHQ"))


def _tolerance(bound: float) -> float:
    """How far beyond a bound a value may be: sums in single precision."""
    return 1e-5 * max(1.0, abs(bound))


def is_constant(signal: Signal) -> bool:
    """Whether all samples are the same: silence, with or without an offset."""
    return bool(signal.size) and float(signal.min()) == float(signal.max())


def time_limit(samples: int, sample_rate: int) -> int:
    """Seconds of processor time for one value, above which a metric is taken to never return.

    The slowest of sebench's metrics, DNSMOS P.835, takes 0.3 s for each second of signal.
    """
    return math.ceil(60 + 20 * samples / sample_rate)


def awaited(name: str, future: Future[MetricValue]) -> MetricValue:
    """A value that another process computes; where native code crashed it or never returned, the reason.

    Raises:
        Unavailable: the process was ended from outside, as by a machine without memory.
    """
    try:
        return future.result()
    except WorkerDied as error:
        if not error.crashed:
            raise Unavailable(f"metric {name!r}: {error}: by a person, or for lack of memory; start again") from error
        return MetricValue.failed(f"{name}: {error}, twice")


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


def missing_package(name: str, package: str, install: str = "") -> MissingPackageError:
    """What is said where a metric's package is not installed: what installs it."""
    return MissingPackageError(
        f"metric {name!r} needs the package {package!r}, which is not installed here; `make env` "
        f"installs it, or, in this environment: {install or f'pip install {package}'}"
    )


def no_implementation(package: str) -> str:
    """What an id has in the place of `implementation` where the package is not installed."""
    return f"{package} absent"


@functools.cache
def installed(package: str) -> bool:
    """Whether a metric's package is installed; true of "", which is no package. Imports nothing."""
    try:
        return not package or bool(metadata.version(package))
    except metadata.PackageNotFoundError:
        return False


_version = functools.cache(metadata.version)


def implementation(package: str, type_name: str, model_files: tuple[str, ...] = ()) -> str:
    """What computes a metric, for ids and score files: "pesq 0.0.4", "speechmos 0.0.1.1 (model_v8.onnx 9246480c)" with
    the start of the SHA-256 of trained weights, or "sebench si_sdr" for code without a package. Imports nothing.

    Raises:
        metadata.PackageNotFoundError: the package is not installed.
    """
    if not package:
        return f"sebench {type_name}"
    weights = ", ".join(f"{Path(file).name} {_sha256(package, file)[:8]}" for file in model_files)
    return f"{package} {_version(package)}" + (f" ({weights})" if weights else "")


def told_implementation(item: Mapping[str, Any]) -> str:
    """`implementation` of a resolved metric for people: one from outside is known by its code, and has no version."""
    if "code" not in item:
        return str(item["implementation"])
    package = str(item["implementation"]).removeprefix(f"sebench {item['type']}")
    return f"{item['type']} (code {str(item['code'])[:8]}{', ' if package else ''}{package})"


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


def metrics_of(stage: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The metrics that a stage of training reads, by the key of its spec: of validation, and what is predicted."""
    validated = stage["validate_by"]
    found = {"validate_by": None if isinstance(validated, str) else validated["metric"], "labels": stage.get("labels")}
    return {role: item for role, item in found.items() if item is not None}


@functools.cache
def _sha256(package: str, file: str) -> str:
    return sha256_of(model_file(package, file))


def check_implementation(item: Mapping[str, Any]) -> None:
    """Refuse to compute a metric with another package than the planned one.

    Raises:
        DataError: names both.
        MissingPackageError: the package is not installed.
    """
    facts = _facts(item)
    if not installed(facts.package):
        raise missing_package(metric_name(item), facts.package, facts.install)
    found = implementation(facts.package, item["type"], tuple(facts.model_files))
    if found != item["implementation"]:
        raise DataError(
            f"metric {metric_name(item)!r} was planned with {item['implementation']!r}, and {found!r} is "
            "installed; plan again, or install what was planned"
        )


def is_hole(item: Mapping[str, Any]) -> bool:
    """Whether a metric was planned without its package, which is not there now either: its scores are holes."""
    facts = _facts(item)
    return not installed(facts.package) and bool(item["implementation"] == no_implementation(facts.package))


def _facts(item: Mapping[str, Any]) -> MetricFacts:
    from sebench.config.facts import METRIC
    from sebench.config.items import get

    try:
        return get(METRIC, item["type"]).facts
    except SebenchError as error:
        raise DataError(f"metric {metric_name(item)!r} is not there now: {error}") from None
