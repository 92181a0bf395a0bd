"""What a plan is: all nodes of a study, and what they are for.

It is made in phases, each a finished object that has what the one before has and what it adds itself:
`Asked` -> `Sets` -> `Runs` -> `Evaluations` -> `Plan`. A function takes the first phase that has what it needs.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from sebench.artefacts import Node
from sebench.config.entries import Named
from sebench.config.schema import Amounts, StudyAmounts
from sebench.plan.grid import Cell, Excluded

T = TypeVar("T", bound="Asked")


@dataclass(frozen=True)
class Nodes:
    """Nodes by 'kind:id', in an order in which parents come first."""

    by_key: Mapping[str, Node]

    @classmethod
    def of(cls, nodes: Iterable[Node]) -> Nodes:
        """The first of all equal ones."""
        by_key: dict[str, Node] = {}
        for node in nodes:
            by_key.setdefault(node.key, node)
        return cls(by_key)

    def __getitem__(self, key: str) -> Node:
        return self.by_key[key]

    def of_kind(self, kind: str) -> list[Node]:
        """All nodes of one kind."""
        return [node for node in self.by_key.values() if node.kind == kind]


@dataclass(frozen=True)
class Drawn:
    """Mixtures that are drawn from a corpus, and what they are rendered to.

    Args:
        rendered: sample rate in Hz -> the set, the highest first.
    """

    corpus: Node
    mixtures: Node
    rendered: Mapping[int, Node]

    @property
    def node(self) -> Node:
        """The set of the highest rate, which holds all that is heard at any."""
        return next(iter(self.rendered.values()))

    def at(self, sample_rate: int) -> Node:
        """The set of a rate."""
        return self.rendered[sample_rate]

    def in_order(self) -> Iterator[Node]:
        """Its nodes, parents first."""
        yield from (self.corpus, self.mixtures, *self.rendered.values())


@dataclass(frozen=True)
class Condition:
    """One point of the test axis.

    Args:
        name: "snr-5", "reverberant-snr0".
        header: what tables call it.
        set_name: the test set that it is of; "" where the study has only one.
        noisy: scores of its unprocessed mixtures, at the highest rate.
    """

    name: str
    header: str
    set_name: str
    drawn: Drawn
    noisy: Node

    @property
    def node(self) -> Node:
        """The rendered set of the highest rate."""
        return self.drawn.node


@dataclass(frozen=True)
class Trained:
    """A cell and the runs that it takes, first stage first."""

    cell: Cell
    chain: tuple[Node, ...]
    complexity: Node

    @property
    def run(self) -> Node:
        """The run that the cell ends in."""
        return self.chain[-1]


@dataclass(frozen=True)
class Chosen:
    """The best of a sweep."""

    node: Node
    complexity: Node


@dataclass(frozen=True)
class Evaluated:
    """What is made of the test sets by one trained system: condition -> node."""

    enhanced: Mapping[str, Node]
    scores: Mapping[str, Node]

    def in_order(self) -> Iterator[Node]:
        """Its nodes, parents first."""
        yield from self.enhanced.values()
        yield from self.scores.values()


@dataclass(frozen=True)
class PlannedCell(Trained, Evaluated):
    """A cell and its nodes; a cell that is not tested has neither enhanced sets nor scores."""


@dataclass(frozen=True)
class PlannedChoice(Chosen):
    """The best of a sweep, and by seed what is made from it."""

    by_seed: Mapping[int, Evaluated]


@dataclass(frozen=True)
class PlannedExternal(Evaluated):
    """An external model's row."""

    item: Mapping[str, Any]


@dataclass(frozen=True)
class Judged:
    """What a trained predictor says of one condition, and what is measured there: first of enhanced speech."""

    enhanced: Node
    scores: Node
    predictions: Node
    noisy_scores: Node
    noisy_predictions: Node

    def in_order(self) -> Iterator[Node]:
        """Its nodes, parents first."""
        yield from (getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True)
class PlannedPredictor:
    """A trained predictor, of one seed; what it is judged on by condition."""

    run: Node
    judged: Mapping[str, Judged]


@dataclass(frozen=True)
class Asked:
    """What is asked for: one study at one scale on one corpus.

    Args:
        corpora: role -> name of a corpus.
        changes: what the study changes of the scale.
        grid: all cells.
        excluded: rows that the study leaves out.
    """

    study: Named
    scale: str
    corpora: Mapping[str, str]
    amounts: Amounts
    changes: StudyAmounts
    grid: Sequence[Cell]
    excluded: Sequence[Excluded]

    def to(self, phase: type[T], **more: Any) -> T:
        """A later phase: what this one has, and what that one adds or says anew."""
        return phase(**{field.name: getattr(self, field.name) for field in fields(self)} | more)

    def in_order(self) -> Iterator[Node]:
        """Nodes that are known by now, parents first, equal ones as often as they are needed."""
        yield from ()

    @functools.cached_property
    def nodes(self) -> Nodes:
        """All nodes that are known by now, each once. The order is that in which Snakemake meets equals."""
        return Nodes.of(self.in_order())


@dataclass(frozen=True)
class Sets(Asked):
    """Test sets first, then what is trained on.

    Args:
        corpus_nodes: name of a corpus -> the corpus.
        conditions: by name.
        set_names: of all test sets, with those that the corpora do not have.
        training: role -> its sets "train" and "valid".
        separation: the comparison of the study's corpora, where there are several.
    """

    corpus_nodes: Mapping[str, Node]
    conditions: Mapping[str, Condition]
    set_names: Sequence[str]
    training: Mapping[str, Mapping[str, Drawn]]
    separation: Node | None

    @property
    def headers(self) -> list[str]:
        """What tables call the conditions."""
        return [condition.header for condition in self.conditions.values()]

    @property
    def test_sets(self) -> dict[str, list[str]]:
        """Name of a test set -> headers of its conditions, none where the corpora do not have it."""
        conditions = self.conditions.values()
        return {name: [each.header for each in conditions if each.set_name == name] for name in self.set_names}

    def in_order(self) -> Iterator[Node]:
        """Nodes of the sets, parents first."""
        for condition in self.conditions.values():
            yield from condition.drawn.in_order()
        yield from (condition.noisy for condition in self.conditions.values())
        for uses in self.training.values():
            for drawn in uses.values():
                yield from drawn.in_order()
        if self.separation is not None:
            yield self.separation

    def waits_for(self, node: Node) -> Node | None:
        """What is done before a node although it is no parent: nothing is trained, nor are trained networks tested,
        before the corpora were compared. A run is the same whatever it is tested on, so that its id may not tell."""
        return self.separation if node.kind == "run" or "run" in node.parents else None


@dataclass(frozen=True)
class Runs(Sets):
    """What is trained.

    Args:
        trained: one for each cell.
        chosen: label -> the best of a sweep.
    """

    trained: Sequence[Trained]
    chosen: Mapping[str, Chosen]

    def in_order(self) -> Iterator[Node]:
        """Nodes of sets and runs, parents first."""
        yield from super().in_order()
        for each in self.trained:
            yield from each.chain
            yield each.complexity
        yield from (best.node for best in self.chosen.values())


@dataclass(frozen=True)
class Evaluations(Runs):
    """What is enhanced, scored and predicted.

    Args:
        cells: one for each cell.
        choices: by label.
        external: label -> row of a model that others trained; without those whose file is not here, which are excluded.
        predictors: table of agreement -> label of a row -> seed -> predictor.
    """

    cells: Sequence[PlannedCell]
    choices: Mapping[str, PlannedChoice]
    external: Mapping[str, PlannedExternal]
    predictors: Mapping[str, Mapping[str, Mapping[int, PlannedPredictor]]]

    def in_order(self) -> Iterator[Node]:
        """Nodes of sets, runs and evaluations, parents first."""
        yield from Sets.in_order(self)  # and each run beside what is made from it
        for cell in self.cells:
            yield from cell.chain
            yield from cell.in_order()
            yield cell.complexity
        for choice in self.choices.values():
            yield choice.node
            for evaluated in choice.by_seed.values():
                yield from evaluated.in_order()
            yield choice.complexity
        for row in self.external.values():
            yield from row.in_order()
        for rows in self.predictors.values():
            for by_seed in rows.values():
                for predictor in by_seed.values():
                    for judged in predictor.judged.values():
                        yield from judged.in_order()


@dataclass(frozen=True)
class Plan(Evaluations):
    """Everything that one study needs at one scale on one corpus.

    Args:
        tables: by name.
        figures: by name.
        publication: the readable copy of both.
    """

    tables: Mapping[str, Node]
    figures: Mapping[str, Node]
    publication: Node

    def in_order(self) -> Iterator[Node]:
        """All nodes, parents first."""
        yield from super().in_order()
        yield from self.tables.values()
        yield from self.figures.values()
        yield self.publication

    @property
    def place(self) -> str:
        """Folder of the study's current tables, under `results/tables`."""
        return self.publication.name
