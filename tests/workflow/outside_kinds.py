"""A package with one kind of everything that adversarial training needs, installed as pip would leave it, without pip.

A degradation, a discriminator and a kind of figure have names, by entry points; a kind of stage, a feature extractor
and a kind of column are named by their paths.
"""

from __future__ import annotations

import outside
import yaml
from repo import Repo

FILES = {
    "__init__.py": '"""Kinds from outside."""\n',
    "degradations.py": '''
"""A degradation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Le

from sebench.degradations.base import Degradation

if TYPE_CHECKING:
    from sebench.degradations.base import Signal


class Rectifier(Degradation):
    """A diode that leaks: of what is negative a share is left."""

    def __init__(self, *, leak: Annotated[float, Ge(0), Le(1)] = 0.5) -> None:
        self.leak = leak

    def degrade(self, signal: Signal, sample_rate: int, rng: np.random.Generator) -> Signal:
        return np.where(signal < 0, self.leak * signal, signal)
''',
    "discriminators.py": '''
"""A discriminator."""

from torch import Tensor, nn

from sebench.discriminators.base import Discriminator, Judgement


class Frames(Discriminator):
    """One layer over short frames of the waveform, and one to the scores."""

    def __init__(self, *, channels: int = 2) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, channels, 64, stride=32)
        self.last = nn.Conv1d(channels, 1, 1)

    def forward(self, waveform: Tensor) -> list[Judgement]:
        hidden = nn.functional.leaky_relu(self.first(waveform[:, None]), 0.2)
        return [Judgement(self.last(hidden), (hidden,))]
''',
    "extractors.py": '''
"""A feature extractor."""

from torch import Tensor

from sebench.extractors.base import Extractor


class Envelope(Extractor):
    """Mean power of frames."""

    def __init__(self, *, samples: int = 160) -> None:
        super().__init__()
        self.samples = samples

    def forward(self, waveform: Tensor) -> Tensor:
        return waveform.unfold(-1, self.samples, self.samples).square().mean(-1)[:, None]
''',
    "stages.py": '''
"""A kind of stage."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import Ge

from sebench.config import items
from sebench.config.annotations import EntryOf, OptimiserOf
from sebench.stages.supervised import Supervised
from sebench.training.optimisers import build_optimiser
from sebench.training.stage import NotFinite, StepResult, build_network, norm_of


class Adversarial(Supervised):
    """A model against a discriminator (least squares), by a loss of the study, and by distances of frozen features."""

    trains = ("model", "discriminator")
    publishes = ("model",)
    devices = False
    tells = ("fidelity", "adversarial", "features", "discriminator", "discriminator_norm")
    source = "Mao et al., arXiv 1611.04076"

    def __init__(
        self,
        *,
        discriminator: Annotated[Mapping[str, Any], EntryOf("discriminator")],
        extractor: Annotated[Mapping[str, Any], EntryOf("extractor")],
        discriminator_optimiser: Annotated[Mapping[str, Any], OptimiserOf("discriminator")],
        strength: Annotated[float, Ge(0)] = 0.5,
    ) -> None:
        self.described = discriminator, extractor
        self.discriminator_optimiser = discriminator_optimiser
        self.strength = strength

    def start(self, context):
        super().start(context)
        discriminator, extractor = self.described
        self.discriminator = build_network("discriminator", discriminator, context.spec.seed).to(self.device)
        self.extractor = items.build(extractor, "extractor").to(self.device).eval().requires_grad_(False)
        self.modules["discriminator"] = self.discriminator
        optimiser = build_optimiser(list(self.discriminator.parameters()), self.discriminator_optimiser)
        self.optimisers["discriminator"] = optimiser

    def step(self, number):
        batch = self._to_device(self.batches.ahead(number))
        estimate = self.model(batch)
        made, clean = estimate.waveform, batch.signal("clean")
        pairs = list(zip(self.discriminator(clean), self.discriminator(made.detach()), strict=True))
        own = sum((real.scores - 1).square().mean() + false.scores.square().mean() for real, false in pairs)
        fidelity = self.loss(estimate, batch).mean()
        adversarial = sum((judged.scores - 1).square().mean() for judged in self.discriminator(made))
        features = (self.extractor(made) - self.extractor(clean)).square().mean()
        total = fidelity + self.strength * adversarial + features
        if not math.isfinite(total.item() + own.item()):
            raise NotFinite("the loss", self.batches.ids(number))
        for optimiser in self.optimisers.values():
            optimiser.zero_grad()
        total.backward()
        norm = norm_of(self.parameters, self.clip_norm)
        self.optimisers["discriminator"].zero_grad()
        own.backward()
        own_norm = norm_of(list(self.discriminator.parameters()), None)
        if not math.isfinite(norm + own_norm):
            raise NotFinite("the gradient", self.batches.ids(number))
        for optimiser in self.optimisers.values():
            optimiser.step()
        terms = {"fidelity": fidelity, "adversarial": adversarial, "features": features, "discriminator": own}
        told = {"loss": total.item(), **{name: term.item() for name, term in terms.items()}}
        return StepResult(told, {"grad_norm": norm, "discriminator_norm": own_norm})
''',
    "figures.py": '''
"""A kind of figure."""

from pydantic import Field

from sebench.config.base import Text
from sebench.config.figures import FigureLayout, FigureSpec
from sebench.figures.base import FigureKind
from sebench.files import read_json


class CurveLayout(FigureLayout):
    row: Text = Field(description="of the study")
    columns: list[Text] = Field(min_length=1, description="of its history")


class CurveSpec(FigureSpec):
    run: str
    columns: list[str]


class Curve(FigureKind[CurveLayout, CurveSpec]):
    """What a run told, over its steps."""

    layout = CurveLayout
    spec = CurveSpec

    def mistakes(self, layout, there, unknown):
        yield from unknown(("row",), "row that is trained", layout.row, there.runs())
        for place, name in enumerate(layout.columns if layout.row in there.runs() else ()):
            yield from unknown(("columns", place), "column of history.json", name, there.columns(layout.row))

    def resolve(self, layout, there):
        run = there.runs()[layout.row]
        return CurveSpec(title=layout.title, run=run, columns=layout.columns), {run: run}

    def make(self, node, store, spec):
        from matplotlib.figure import Figure

        history = read_json(store.outputs(store.parent(node, spec.run))["history.json"])
        points = [[row["step"], *(row[name] for name in spec.columns)] for row in history]
        figure = Figure()
        figure.subplots().plot([row[0] for row in points], [row[1:] for row in points])
        lines = [",".join(["step", *spec.columns]), *(",".join(map(repr, row)) for row in points)]
        return figure, "".join(line + "\\n" for line in lines)
''',
    "columns.py": '''
"""A kind of column."""

from sebench.columns.base import ColumnKind
from sebench.config.columns import ColumnLayout, OwnColumn
from sebench.files import read_json
from sebench.tables.table import Value


class Utterances(ColumnKind[ColumnLayout, OwnColumn]):
    """How many segments a row's network was trained on."""

    layout = ColumnLayout
    spec = OwnColumn

    def resolve(self, layout):
        return OwnColumn(name=layout.column, reads=("run",), digits=0)

    def value(self, reader, row, column, paper):
        runs = [reader.store.parent(reader.node, cell.run) for cell in row.cells if cell.run]
        if not runs:
            return Value(paper=paper, reason="not trained here")
        steps = [read_json(reader.store.outputs(run)["history.json"])[-1]["step"] for run in runs]
        return Value(ours=steps[0] * runs[0].spec["stage"]["batch_size"], paper=paper, seeds=len(runs))
''',
}
POINTS = """\
[sebench.degradations]
rectifier = adversary.degradations:Rectifier
[sebench.discriminators]
frames = adversary.discriminators:Frames
[sebench.figures]
curve = adversary.figures:Curve
"""
ENTRIES = {
    "extractors": {"envelope": {"type": "adversary.extractors:Envelope", "params": {"samples": 80}}},
    "mixing": {
        "rectified": {
            "snr_db": {"uniform": [-5, 15]},
            "max_seconds": 1,
            "degradations": [{"type": "rectifier", "params": {"leak": {"choice": [0.25, 0.5]}}}],
        }
    },
    "recipes": {
        "adversarial": {
            "stages": [
                {
                    "name": "train",
                    "kind": "adversary.stages:Adversarial",
                    "discriminator": "frames",
                    "extractor": "envelope",
                    "discriminator_optimiser": {"type": "adam", "lr": 1e-3},
                    "strength": 0.25,
                }
            ]
        }
    },
}
COLUMN = "adversary.columns:Utterances"
STUDY = {
    "mixing": "rectified",
    "grid": [{"product": {"model": "stage1", "loss": "mag_mse", "recipe": "adversarial"}, "label": "Adversarial"}],
    "conditions": {"snr_db": [0]},
    "metrics": ["si_sdr"],
    "scales": {
        "smoke": {
            "utterances": {"train": 4, "valid": 2, "test": 2},
            "steps": 3,
            "batch_size": 2,
            "segment_seconds": 0.5,
            "validations": 3,
        }
    },
    "tables": {
        "quality": {
            "title": "Quality",
            "type": "metrics",
            "metrics": ["si_sdr"],
            "columns": [{"column": "Segments", "type": COLUMN}],
        }
    },
    "figures": {
        "curves": {
            "title": "Curves",
            "type": "curve",
            "row": "Adversarial",
            "columns": ["fidelity", "discriminator", "discriminator_norm"],
        }
    },
}


def install(repo: Repo) -> None:
    """Put the package beside the repository and on the path of its commands, and the study on its kinds."""
    for name, text in FILES.items():
        repo.write(f"outside/adversary/{name}", text.lstrip("\n"))
    facts = "outside/adversary-1.0.dist-info"
    repo.write(f"{facts}/METADATA", "Metadata-Version: 2.1\nName: adversary\nVersion: 1.0\n")
    repo.write(f"{facts}/entry_points.txt", POINTS)
    for section, entries in ENTRIES.items():
        repo.write(f"config/{section}/outside.yaml", yaml.safe_dump(entries, sort_keys=False))
    repo.change_study(**STUDY)
    outside.put_on_path(repo)
