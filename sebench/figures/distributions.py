"""Figure of distributions: the spectra of noisy speech, linear, compressed, and as logarithms."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from sebench.artefacts import Node, Store
from sebench.config.base import Text
from sebench.config.figures import FigureLayout, FigureSpec
from sebench.errors import DataError, Mistake
from sebench.figures.base import FigureKind, Mistaken, Showable
from sebench.figures.style import STYLE

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

BINS = 161
#: Each quantity is divided by its standard deviation and shown in this range around its mean.
RANGE = 4.0


class DistributionsLayout(FigureLayout):
    """How the values of noisy speech's spectra are distributed, linear, compressed, and as logarithms."""

    condition: Text = Field(description="the condition whose set is shown")
    exponent: float = Field(0.3, gt=0, le=10, description="of the compression")
    window_length: int = Field(512, ge=4, le=65536, description="of the sqrt-Hann STFT, in samples")
    hop: int = Field(256, ge=1, le=65536, description="of the same")
    minutes: float = Field(5.0, gt=0, le=1e4, description="of the set's mixtures, from its first on")

    @model_validator(mode="after")
    def _overlap(self) -> DistributionsLayout:
        if self.window_length % self.hop or 2 * self.hop > self.window_length:
            found = f"hop {self.hop} with window_length {self.window_length}"
            raise Mistake(found, "hop", accepted="a hop that divides window_length and is at most half of it")
        return self


class DistributionsSpec(FigureSpec):
    """The spec of a figure of distributions, whose parent is a set."""

    exponent: float
    window_length: int
    hop: int
    minutes: float


def make(node: Node, store: Store, spec: DistributionsSpec) -> tuple[Figure, str]:
    """The figure and the densities as CSV.

    Raises:
        DataError: the set is empty.
    """
    from sebench.synthesis.store import AudioStore

    set_node = store.parent(node, "set")
    rows = AudioStore.open(store, set_node)
    rate = int(set_node.spec["sample_rate"])
    signals: list[NDArray[np.float32]] = []
    for i in range(len(rows)):
        if sum(len(signal) for signal in signals) >= 60 * spec.minutes * rate:
            break
        signals.append(rows.row(i)["noisy"])
    if not signals:
        raise DataError("a figure needs a set with at least one mixture")
    found = densities(signals, spec)
    minutes = sum(len(signal) for signal in signals) / rate / 60
    return draw(f"{spec.title}\n{minutes:.1f} min of noisy speech", found), _numbers(found)


def densities(
    signals: list[NDArray[np.float32]], spec: DistributionsSpec
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Name -> (value in standard deviations from the mean, density).

    Linear and compressed are real and imaginary parts of the spectrum X and of |X|^c X/|X|; log is log10 |X|.
    """
    import numpy as np
    import torch

    from sebench.signal.stft import Stft

    stft = Stft(spec.window_length, spec.hop)
    spectra = torch.cat([stft(torch.from_numpy(np.array(signal))[None])[0, 1:-1].flatten() for signal in signals])
    magnitude = spectra.abs()
    heard = magnitude > 0
    spectra, magnitude = spectra[heard], magnitude[heard]
    compressed = spectra * magnitude.pow(spec.exponent - 1.0)
    values = {
        "linear, complex": torch.view_as_real(spectra).flatten(),
        f"compressed (c = {spec.exponent:g}), complex": torch.view_as_real(compressed).flatten(),
        "log magnitude": magnitude.log10(),
    }
    found = {}
    for name, value in values.items():
        normalised = ((value - value.mean()) / value.std()).double().numpy()
        counts, edges = np.histogram(normalised, BINS, (-RANGE, RANGE))
        density = counts / (len(normalised) * np.diff(edges))
        found[name] = ((edges[1:] + edges[:-1]) / 2, density)
    return found


def draw(title: str, found: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> Figure:
    """One line per quantity, and the standard normal density."""
    import matplotlib as mpl
    import numpy as np
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.8, 3.2), dpi=200, layout="constrained")
        figure.suptitle(title, fontsize=10)
        axis = figure.subplots()
        for (name, (place, density)), colour in zip(found.items(), ("tab:blue", "tab:red", "tab:orange"), strict=True):
            axis.plot(place, density, label=name, linewidth=1.2, color=colour)
        place = np.linspace(-RANGE, RANGE, 200)
        axis.plot(place, np.exp(-(place**2) / 2) / np.sqrt(2 * np.pi), "--", color="0.5", linewidth=0.8, label="normal")
        axis.set_yscale("log")
        axis.set_ylim(1e-4, None)
        axis.set_xlabel("Standard deviations from the mean")
        axis.set_ylabel("Density")
        axis.grid(linewidth=0.3, color="0.85")
        axis.legend(fontsize=7, frameon=False)
        return figure


def _numbers(found: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["quantity", "deviations", "density"])
    for name, (place, density) in found.items():
        writer.writerows([name, f"{x:.4f}", f"{y:.6g}"] for x, y in zip(place, density, strict=True))
    return buffer.getvalue()


class Distributions(FigureKind[DistributionsLayout, DistributionsSpec]):
    """How the values of noisy speech's spectra are distributed."""

    name = "distributions"
    version = 4
    layout = DistributionsLayout
    spec = DistributionsSpec
    make = staticmethod(make)

    def mistakes(self, layout: DistributionsLayout, there: Showable, unknown: Mistaken) -> Iterator[Any]:
        """A condition that the study does not have."""
        yield from unknown(("condition",), "condition", layout.condition, there.sets)

    def resolve(self, layout: DistributionsLayout, there: Showable) -> tuple[DistributionsSpec, Mapping[str, str]]:
        """Its parent is the condition's set."""
        values = layout.model_dump(exclude={"type", "condition", "title"})
        spec = DistributionsSpec(title=f"{layout.title}, {layout.condition}", **values)
        return spec, {"set": there.sets[layout.condition]}
