"""Kinds of items, and what is known of an item of each: literals among its class attributes.

A new kind of item is a dataclass of its facts and an entry in `ITEM_KINDS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar


@dataclass(frozen=True)
class Facts:
    """What an item of any kind may say of itself; the defaults are for what it leaves unsaid.

    Args:
        version: of its results, for an item of sebench's own.
        source: what it follows: a paper, a standard.
        requires: relations of its parameters that must hold, as `hop <= window_length // 2`; those of its bases too.
    """

    version: int = 0
    source: str = ""
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class LossFacts(Facts):
    """Of a loss; `sebench.losses.base.Loss` says what each means."""

    needs_views: tuple[str, ...] = ()
    needs_signals: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    phase_blind: bool = False
    optimum: Literal["target", "any_scale", "gain", "none"] = "none"
    invariances: tuple[Literal["level", "estimate_scale", "polarity"], ...] = ()
    equation: str = ""


@dataclass(frozen=True)
class ModelFacts(Facts):
    """Of a model; `sebench.models.base.Model` says what each means."""

    views: tuple[str, ...] = ()
    sample_rate: int = 16000
    input_rate: int | None = None
    causal: bool = True
    submodules: tuple[str, ...] = ()
    free_phase: bool = False


@dataclass(frozen=True)
class PredictorFacts(Facts):
    """Of a predictor; `sebench.predictors.base.Predictor` says what each means."""

    sample_rate: int = 16000
    bounds: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class MetricFacts(Facts):
    """Of a metric; `sebench.metrics.base.Metric` says what each means."""

    higher_is_better: bool = True
    bounds: tuple[float | None, float | None] = (None, None)
    needs_reference: bool = True
    needs_noisy: bool = False
    sample_rate: int = 16000
    unit: str = ""
    package: str = ""
    install: str = ""
    model_files: tuple[str, ...] = ()
    other_rates: Literal["own", "down", ""] = ""
    own_rates: tuple[int, ...] = ()


@dataclass(frozen=True)
class DiscriminatorFacts(Facts):
    """Of a discriminator; `sebench.discriminators.base.Discriminator` says what each means."""

    sample_rate: int = 16000


@dataclass(frozen=True)
class ExtractorFacts(Facts):
    """Of a feature extractor; `sebench.extractors.base.Extractor` says what each means."""

    sample_rate: int = 16000


#: Columns of every run's history.json, whatever its stage tells.
LOOP_COLUMNS = ("step", "loss", "lr", "grad_norm", "valid", "valid_scored", "valid_total")
#: What the names of the parts of a loss begin with there.
LOSS_PART = "loss/"


@dataclass(frozen=True)
class StageFacts(Facts):
    """Of a kind of stage; `sebench.training.stage.Stage` says what each means."""

    trains: tuple[str, ...] = ("model",)
    publishes: tuple[str, ...] = ("model",)
    parts: bool = True
    starts: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    takes_loss: bool = True
    by_metric: bool = True
    measure: str = "loss"
    compares_every: int = 1
    compared: str = ""
    devices: bool = True
    augments: bool = True
    whole_epochs: bool = False
    tells: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of its runs' history.json, but for the parts of a loss."""
        return (*LOOP_COLUMNS, *self.tells)


@dataclass(frozen=True)
class CorpusFacts(Facts):
    """Of a corpus; `sebench.corpora.base.Corpus` says what each means."""

    needs_root: bool = True
    paired: bool = False
    packages: tuple[str, ...] = ()
    address: str = ""
    archives: tuple[tuple[str, str], ...] = ()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExternalFacts(Facts):
    """Of an external model; `sebench.external.base.External` says what each means."""

    sample_rate: int = 16000


@dataclass(frozen=True)
class DegradationFacts(Facts):
    """Of a degradation; `sebench.degradations.base.Degradation` says what each means."""

    frequencies: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


F = TypeVar("F", bound=Facts, covariant=True)


class ItemKind(str, Generic[F]):
    """A kind of item, by its name.

    Attributes:
        package: of sebench, one module or more a file: a class with a `name` in it is an item. `sebench.<package>` is
            also the group of entry points by which other packages register theirs.
        facts: what is known of an item of this kind.
        also: code that decides its results too, as `module:name`: the version of sebench's own items covers it.
    """

    package: str
    facts: type[F]
    also: tuple[str, ...]

    def __new__(cls, name: str, package: str, facts: type[F], also: tuple[str, ...] = ()) -> ItemKind[F]:
        """A kind of that name."""
        self = super().__new__(cls, name)
        self.package, self.facts, self.also = package, facts, also
        return self


LOSS = ItemKind("loss", "losses", LossFacts)
MODEL = ItemKind("model", "models", ModelFacts)
PREDICTOR = ItemKind("predictor", "predictors", PredictorFacts)
METRIC = ItemKind("metric", "metrics", MetricFacts)
CORPUS = ItemKind("corpus", "corpora", CorpusFacts)
STAGE = ItemKind("stage", "stages", StageFacts, also=("sebench.training.engine:Engine",))
DISCRIMINATOR = ItemKind("discriminator", "discriminators", DiscriminatorFacts)
EXTRACTOR = ItemKind("extractor", "extractors", ExtractorFacts)
EXTERNAL = ItemKind("external", "external", ExternalFacts)
DEGRADATION = ItemKind("degradation", "degradations", DegradationFacts)
FIGURE = ItemKind("figure", "figures", Facts)
COLUMN = ItemKind("column", "columns", Facts)

_ALL = (
    *(LOSS, MODEL, PREDICTOR, DISCRIMINATOR, EXTRACTOR, METRIC, CORPUS, EXTERNAL, DEGRADATION, STAGE),
    *(FIGURE, COLUMN),
)
#: All kinds by name.
ITEM_KINDS: dict[str, ItemKind[Facts]] = {kind: kind for kind in _ALL}
#: Kinds whose items are networks: a run's spec has each under the name of the parameter that names it.
NETWORKS = frozenset({MODEL, PREDICTOR, DISCRIMINATOR, EXTRACTOR})
