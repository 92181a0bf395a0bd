"""What a plan is: all nodes of a study, and what they are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sebench.artefacts import Node
from sebench.config.entries import Named
from sebench.config.schema import Amounts
from sebench.plan.external import PlannedExternal
from sebench.plan.grid import Cell, Excluded
from sebench.plan.nodes import Nodes


@dataclass(frozen=True)
class PlannedCell:
    """A cell and its nodes."""

    cell: Cell
    chain: tuple[Node, ...]
    enhanced: Mapping[str, Node]  # none where the cell is not tested
    scores: Mapping[str, Node]
    complexity: Node

    @property
    def run(self) -> Node:
        """The run that the cell ends in."""
        return self.chain[-1]


@dataclass(frozen=True)
class PlannedChoice:
    """The best of a sweep, and by seed what is made from it."""

    node: Node
    enhanced: Mapping[int, Mapping[str, Node]]
    scores: Mapping[int, Mapping[str, Node]]
    complexity: Node


@dataclass
class Plan:
    """Everything that one study needs at one scale on one corpus.

    Args:
        corpora: role -> name of a corpus.
        corpus_nodes: that name -> the corpus.
        conditions: name ("snr-5", "reverberant-snr0") -> rendered test set.
        headers: name of a condition -> what tables call it.
        test_sets: name of a test set -> headers of its conditions, none where the corpus does not have it.
        separation: the comparison of its corpora, where there are several.
        noisy: condition -> scores of the unprocessed mixtures.
        external: label -> row of a model that others trained; without those whose file is not here, which are excluded.
    """

    study: Named
    scale: str
    corpora: dict[str, str]
    corpus_nodes: dict[str, Node]
    amounts: Amounts
    nodes: Nodes
    cells: list[PlannedCell]
    choices: dict[str, PlannedChoice]
    external: dict[str, PlannedExternal]
    excluded: list[Excluded]
    conditions: dict[str, Node]
    headers: dict[str, str]
    test_sets: dict[str, list[str]]
    separation: Node | None
    noisy: dict[str, Node]
    tables: dict[str, Node]
    figures: dict[str, Node]
    publication: Node

    def waits_for(self, node: Node) -> Node | None:
        """What is done before a node although it is no parent: nothing is trained, nor are trained networks tested,
        before the corpora were compared. A run is the same whatever it is tested on, so that its id may not tell."""
        return self.separation if node.kind == "run" or "run" in node.parents else None

    @property
    def place(self) -> str:
        """Folder of the study's current tables, under `results/tables`."""
        return self.publication.name
