"""What a kind of figure is: one class, in a file of this folder or of another package.

A kind's file is read when a study is planned: at its top it imports neither torch, NumPy, pandas nor matplotlib.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from sebench.artefacts import Node, Store
from sebench.config.figures import FigureLayout, FigureSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

L = TypeVar("L", bound=FigureLayout)
S = TypeVar("S", bound=FigureSpec)
Keys = tuple[str | int, ...]


class Mistaken(Protocol):
    """What a layout names and the study does not have."""

    def __call__(self, keys: Keys, what: str, found: str, accepted: Iterable[str], position: int = 0) -> Iterator[Any]:
        """The mistake, unless what is found is accepted.

        Args:
            keys: of the layout, where it is named.
            what: kind of thing, in words.
            position: where the last key may be a place in a list, that place.
        """


class Showable(Protocol):
    """What there is to show of a study; a parent is named by its key."""

    @property
    def sets(self) -> Mapping[str, str]:
        """Header of a condition -> its rendered set, at the highest rate."""

    @property
    def rates(self) -> Mapping[str, int]:
        """Sample rate of each rendered set, in Hz."""

    @property
    def choices(self) -> Mapping[str, str]:
        """Label -> choice."""

    @property
    def tables(self) -> Mapping[str, Mapping[str, Any]]:
        """Name -> spec of a table (`config.tables.TableSpec`)."""

    @property
    def external_absent(self) -> set[str]:
        """External models whose files are not here: a figure goes without them."""

    @property
    def selected_by(self) -> str:
        """What validation measures, as tables call it."""

    def enhanced(self, condition: str) -> Mapping[str, str]:
        """Row -> the enhanced set of its first seed in a condition."""

    def set_of(self, enhanced: str) -> str:
        """The rendered set that an enhanced set was made from."""

    def runs(self, *, whole_epochs: bool = False) -> Mapping[str, str]:
        """Row -> the run of its first seed; with `whole_epochs` of those alone that end in a stage of such."""

    def columns(self, row: str) -> Sequence[str]:
        """Columns of the history.json of a row's run, but for the parts of a loss."""

    def predicted(self, table: str) -> str | None:
        """How tables call the metric that is predicted in a table of agreement; None for any other table."""

    def stand_ins(self, rows: Iterable[str]) -> list[str]:
        """Metrics whose scores rows were trained on, instead of those that their last stages name."""


class FigureKind(ABC, Generic[L, S]):
    """A kind of figure.

    Attributes:
        name: what `type:` calls it.
        version: of its drawing and its numbers; of sebench's own kinds.
        layout: what a study says about such a figure.
        spec: what its node carries.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 0
    layout: ClassVar[type[FigureLayout]]
    spec: ClassVar[type[FigureSpec]]

    def mistakes(self, layout: L, there: Showable, unknown: Mistaken) -> Iterator[Any]:
        """What the layout names and the study does not have, each by `unknown`."""
        yield from ()

    @abstractmethod
    def resolve(self, layout: L, there: Showable) -> tuple[S, Mapping[str, str]]:
        """The spec, and role -> key of each parent. Asked only where there are no mistakes."""

    @abstractmethod
    def make(self, node: Node, store: Store, spec: S) -> tuple[Figure, str]:
        """The figure, and its numbers as CSV, from the files of the node's parents."""
