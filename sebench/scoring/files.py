"""Any metric on any files: `sebench score`. Files of several folders belong together by their names."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sebench.artefacts import Store
from sebench.config import items
from sebench.config.base import Align
from sebench.config.entries import Config
from sebench.corpora.align import ALIGN, fitted, length_fault
from sebench.corpora.audio import SUFFIXES, audio_files, decode
from sebench.errors import DataError, SebenchError, choices, nearest
from sebench.files import replacing
from sebench.metrics.base import Metric, MetricValue, Unavailable, awaited, time_limit, told_implementation
from sebench.plan.resolve import described_metric
from sebench.process.isolated import IsolatedPool
from sebench.process.workers import start_worker
from sebench.tables.table import letter

if TYPE_CHECKING:
    from sebench.metrics.base import Signal

#: Columns of the CSV file.
COLUMNS = ("file", "metric", "value", "status", "reason", "implementation")
MEAN = "mean"


@dataclass(frozen=True)
class AskedMetric:
    """A metric that was asked for, under the name that was typed."""

    name: str
    metric: Metric
    implementation: str


@dataclass(frozen=True)
class ScoredFile:
    """One file's values, in the order of the metrics, and by how many samples it was longer (+) or shorter (-) than the
    reference that it was made as long as; 0 where it was not."""

    file: str
    values: tuple[MetricValue, ...]
    aligned: int = 0


def asked_metrics(config: Config, store: Store, names: Sequence[str]) -> list[AskedMetric]:
    """Metrics by name: entries, registered ones, package.module:Class, or PREDICTOR:RUN for a trained predictor.

    Raises:
        SebenchError: no such metric, or no such run of a predictor; a package is missing.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or twice:
        raise SebenchError(f"--metric: {', '.join(twice)} stands twice" if twice else "--metric: name at least one")
    return [_asked(config, store, name) for name in names]


def _asked(config: Config, store: Store, name: str) -> AskedMetric:
    head, _, run = name.partition(":")
    predictor = config.lookup("predictors", head)
    if predictor is not None:
        if not run:
            raise SebenchError(f"metric {name!r} is a predictor, which a run trains: {head}:RUN (folder, name or id)")
        from sebench.scoring.predicted_metric import predicted_score

        trained, by = predicted_score(store, predictor.entry.type, run, name)
        return AskedMetric(name, trained, by)
    if config.lookup("metrics", name) is None and not config.faults("metrics", name) and not items.find("metric", name):
        metrics, judged = config.names("metrics"), [f"{known}:RUN" for known in config.names("predictors")]
        near = nearest(head if run else name, [*metrics, *judged])
        accepted = ", ".join([choices(metrics, name), *judged, "or package.module:Class"])
        raise SebenchError(f"no metric {name!r}; accepted: {accepted}" + (f"; did you mean {near!r}?" if near else ""))
    described = described_metric(config.get("metrics", name).entry)
    metric: Metric = items.build(described, "metric")
    metric.require()
    return AskedMetric(name, metric, told_implementation(described))


def audio_in(places: Sequence[Path]) -> dict[str, Path]:
    """Name -> audio file: of a folder all in it, by their paths below it; of a file its own name.

    Raises:
        DataError: a place is not there or a folder without audio, or two files have one name.
    """
    found: dict[str, Path] = {}
    for place in places:
        if place.is_dir():
            named = {path.relative_to(place).as_posix(): path for path in audio_files(place)}
            if not named:
                raise DataError(f"{place}: holds no audio; accepted: {', '.join(sorted(s[1:] for s in SUFFIXES))}")
        elif place.exists():
            named = {place.name: place}
        else:
            raise DataError(f"{place}: there is no such file or folder")
        for name, path in named.items():
            if name in found:
                raise DataError(f"{path} and {found[name]} have the same name {name!r}: score them one after the other")
            found[name] = path
    return found


class References:
    """The clean (or the noisy) signals: one file for all estimates, or a folder with a file for each.

    A file belongs to an estimate by its path below the folder; its suffix may be another one.

    Args:
        role: "clean" or "noisy".
        place: folder or file.
        names: of the estimates.

    Raises:
        DataError: nothing in the folder belongs to any estimate, or two files to one.
    """

    def __init__(self, role: str, place: Path, names: Sequence[str]) -> None:
        self.role, self.place = role, place
        self._one = None if place.is_dir() else place
        if self._one is not None and not self._one.exists():
            raise DataError(f"--{role} {place}: there is no such file or folder")
        self._exact = audio_in([place]) if self._one is None else {}
        self._by_stem: dict[str, list[Path]] = {}
        for name, path in self._exact.items():
            self._by_stem.setdefault(_stem(name), []).append(path)
        if self._exact and not any(self._candidates(name) for name in names):
            some = ", ".join(list(self._exact)[:3])
            raise DataError(f"--{role} {place}: has no file of an estimate's name ({names[0]}, ...), but {some}, ...")

    def _candidates(self, name: str) -> list[Path]:
        return [self._exact[name]] if name in self._exact else self._by_stem.get(_stem(name), [])

    def of(self, name: str) -> tuple[Path | None, str]:
        """The file that belongs to an estimate, or None and the reason why there is none."""
        if self._one is not None:
            return self._one, ""
        found = self._candidates(name)
        if len(found) == 1:
            return found[0], ""
        if found:
            return None, f"several {self.role} files: {', '.join(str(path) for path in found)}"
        return None, f"no {self.role} file of this name in {self.place}"


def _stem(name: str) -> str:
    return str(Path(name).with_suffix(""))


def checked_align(word: str | None) -> Align | None:
    """What `--align` says.

    Raises:
        SebenchError: it is none of `ALIGN`.
    """
    if word is None or word in ALIGN:
        return word
    raise SebenchError(f"--align {word}: accepted: {', '.join(ALIGN)}")


def files_read(estimates: Mapping[str, Path], *references: Path | None) -> Iterator[Path]:
    """Every file that `score_files` may read: no result may be written onto one."""
    yield from estimates.values()
    for place in references:
        if place is not None:
            yield from audio_files(place) if place.is_dir() else [place]


def score_files(
    asked: Sequence[AskedMetric],
    estimates: Mapping[str, Path],
    clean: Path | None,
    noisy: Path | None,
    align: Align | None = None,
) -> Iterator[ScoredFile]:
    """Score files one after the other; a metric says where it is defined at another rate than theirs, or what was done.

    Metrics are computed in a process of their own, so that native code that crashes or never returns costs one score.

    Args:
        estimates: from `audio_in`.
        clean, noisy: folder or file.
        align: whether signals whose lengths differ by up to `ALIGN_SECONDS` are cut at their ends to the shortest of
            those that a metric needs, or followed by zeros up to the longest; None: they have no score. Nothing is
            shifted.

    Raises:
        SebenchError: a metric needs signals that were not given; nothing belongs together.
    """
    needs = {"clean": [a.name for a in asked if a.metric.needs_reference]}
    needs["noisy"] = [a.name for a in asked if a.metric.needs_noisy]
    places = {"clean": clean, "noisy": noisy}
    for role, needy in needs.items():
        if needy and places[role] is None:
            raise SebenchError(f"{', '.join(needy)}: needs the {role} signals: `--{role} FOLDER_OR_FILE`")
    names = list(estimates)
    references = {
        role: References(role, place, names) for role, place in places.items() if needs[role] and place is not None
    }
    with IsolatedPool(1, _start, ([each.metric if each.metric.isolated else None for each in asked],)) as pool:
        for name, path in estimates.items():
            yield _scored(asked, name, path, references, align, pool)


_metrics: list[Metric | None] = []


def _start(metrics: list[Metric | None]) -> None:
    global _metrics
    _metrics = metrics
    start_worker()


def _value(position: int, signals: Mapping[str, Signal | None], sample_rate: int) -> MetricValue:
    metric = _metrics[position]
    assert metric is not None
    return _computed(metric, signals, sample_rate)


def _computed(metric: Metric, signals: Mapping[str, Signal | None], sample_rate: int) -> MetricValue:
    estimate = signals["estimate"]
    assert estimate is not None
    return metric.compute(clean=signals["clean"], estimate=estimate, noisy=signals["noisy"], sample_rate=sample_rate)


def _scored(
    asked: Sequence[AskedMetric],
    name: str,
    path: Path,
    references: Mapping[str, References],
    align: Align | None,
    pool: IsolatedPool,
) -> ScoredFile:
    estimate, rate, fault = _read(path)
    if estimate is None:
        return ScoredFile(name, (MetricValue.failed(fault),) * len(asked))
    signals: dict[str, Signal | None] = {"clean": None, "noisy": None}
    faults: dict[str, str] = {}
    for role, reference in references.items():
        signals[role], faults[role] = _partner(reference, name, rate)
        signal = signals[role]
        if signal is not None:
            lengths = f"the {role} signal has {len(signal)} samples, the estimate {len(estimate)}"
            faults[role] = length_fault(lengths, abs(len(signal) - len(estimate)), rate, align, "--align cut|pad")
    values, differences = [], [0]
    for position, each in enumerate(asked):
        needs = {"clean": each.metric.needs_reference, "noisy": each.metric.needs_noisy}
        lacking = [faults[role] for role, needed in needs.items() if needed and faults[role]]
        if lacking:
            values.append(MetricValue.failed("; ".join(lacking)))
            continue
        compared = {role: signal for role, signal in signals.items() if needs[role] and signal is not None}
        ready, told = _fitted({"estimate": estimate, **compared}, align)
        given: dict[str, Signal | None] = {"clean": None, "noisy": None, **ready}
        try:
            if each.metric.isolated:
                limit = time_limit(len(estimate), rate)
                value = awaited(each.name, pool.submit(limit, _value, position, given, rate))
            else:
                value = _computed(each.metric, given, rate)
        except Unavailable as error:  # the other metrics have their values
            value = MetricValue.failed(str(error))
        if told and value.value is not None:
            value = replace(value, reason="; ".join(part for part in (told, value.reason) if part))
            differences += [len(estimate) - len(signal) for signal in compared.values()]
        values.append(value)
    return ScoredFile(name, tuple(values), max(differences, key=abs))


def _fitted(signals: Mapping[str, Signal], align: Align | None) -> tuple[Mapping[str, Signal], str]:
    """Signals of one length, and what was done to them in words."""
    if align is None or len({len(signal) for signal in signals.values()}) == 1:
        return signals, ""
    ready = fitted(signals, align)
    done = "cut" if align == "cut" else "padded"
    apart = {role: abs(len(signal) - len(ready[role])) for role, signal in signals.items()}
    return ready, f"{', '.join(f'{role} {done} by {n}' for role, n in apart.items() if n)} samples at the end"


def _partner(reference: References, name: str, rate: int) -> tuple[Signal | None, str]:
    """The signal that belongs to an estimate, or None and the reason why there is none."""
    path, fault = reference.of(name)
    if path is None:
        return None, fault
    signal, own_rate, fault = _read(path)
    if signal is not None and own_rate != rate:
        return None, f"{path} has {own_rate} Hz, the estimate {rate} Hz"
    return signal, fault


def _read(path: Path) -> tuple[Signal | None, int, str]:
    """A signal `(samples,)` and its rate, or None and the reason why there is none."""
    try:
        decoded = decode(path)
    except DataError as error:
        return None, 0, str(error)
    if decoded.probe.channels > 1:
        return None, 0, f"{path}: has {decoded.probe.channels} channels, and one is scored"
    return decoded.samples, decoded.probe.sample_rate, ""


def means(asked: Sequence[AskedMetric], scored: Sequence[ScoredFile]) -> Iterator[tuple[float | None, int]]:
    """Of each metric the mean over the files that have a score, and how many these are."""
    for i in range(len(asked)):
        values = [row.values[i].value for row in scored]
        there = [value for value in values if value is not None]
        yield (sum(there) / len(there) if there else None), len(there)


def write_scores(path: Path, asked: Sequence[AskedMetric], scored: Sequence[ScoredFile]) -> None:
    """One line per file and metric, and of each metric one with the mean."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in scored:
            for each, value in zip(asked, row.values, strict=True):
                number = "" if value.value is None else repr(value.value)
                writer.writerow([row.file, each.name, number, value.status, value.reason, each.implementation])
        for each, (mean, count) in zip(asked, means(asked, scored), strict=True):
            told = f"{count} of {len(scored)} files"
            number, status = ("", "failed") if mean is None else (repr(mean), "ok")
            writer.writerow([MEAN, each.name, number, status, told, each.implementation])


def in_lines(asked: Sequence[AskedMetric], scored: Sequence[ScoredFile]) -> Iterator[str]:
    """A table for the terminal: files, means with how many files they are of, reasons of holes as footnotes."""
    notes: dict[str, str] = {}
    rows = [["file", *(each.name for each in asked)]]
    rows += [[row.file, *(_cell(value, notes) for value in row.values)] for row in scored]
    summary = []
    for mean, count in means(asked, scored):
        whole = count == len(scored)
        summary.append("-" if mean is None else f"{mean:.3f}" + ("" if whole else f" ({count}/{len(scored)})"))
    rows.append([MEAN, *summary])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for first, *rest in rows:
        numbers = (text.rjust(width) for text, width in zip(rest, widths[1:], strict=True))
        yield "  ".join([first.ljust(widths[0]), *numbers])
    yield from (f"[{mark}] {reason}" for reason, mark in notes.items())
    differences = sorted(abs(row.aligned) for row in scored if row.aligned)
    if differences:
        span = f"{differences[0]} to {differences[-1]}" if differences[0] != differences[-1] else f"{differences[0]}"
        yield f"made equally long: {len(differences)} of {len(scored)} files, {span} samples off (--csv says which)"
    yield from (f"{each.name}: {_facts(each)}" for each in asked)


def _cell(value: MetricValue, notes: dict[str, str]) -> str:
    if value.value is not None and not value.reason:
        return f"{value.value:.3f}"
    if value.value is not None:  # of signals that were brought into what the metric knows
        return f"{value.value:.3f} [{notes.setdefault(value.reason, letter(len(notes)))}]"
    return f"- [{notes.setdefault(value.reason, letter(len(notes)))}]"


def _facts(each: AskedMetric) -> str:
    direction = "higher is better" if each.metric.higher_is_better else "lower is better"
    return ", ".join(part for part in (each.metric.unit, direction, f"by {each.implementation}") if part)
