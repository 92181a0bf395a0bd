"""What a kind of column of a table is: one class, in a file of this folder or of another package.

A kind's file is read when a study is planned: at its top it imports neither torch, NumPy nor pandas.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    from sebench.config.table_spec import Row
    from sebench.tables.aggregate import TableReader
    from sebench.tables.table import Value

L = TypeVar("L")
S = TypeVar("S")


class ColumnKind(ABC, Generic[L, S]):
    """A kind of column.

    Attributes:
        name: what `type:` calls it.
        version: of its values; of sebench's own kinds.
        layout: what a study says about such a column (`config.columns.ColumnLayout`); none where tables make it.
        spec: what a table's node carries of it; of a kind from outside a `config.columns.OwnColumn`.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 0
    layout: ClassVar[Any] = None
    spec: ClassVar[Any]

    def resolve(self, layout: L) -> S:
        """What the node carries of a column that a study asks for.

        Raises:
            NotImplementedError: tables make columns of this kind themselves.
        """
        raise NotImplementedError(f"a column of kind {self.name!r} has no layout")

    @abstractmethod
    def value(self, reader: TableReader, row: Row, column: S, paper: float | None) -> Value:
        """The value of a row, from the files of the table's parents.

        Args:
            paper: the printed number.
        """
