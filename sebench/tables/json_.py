"""A table as JSON: everything, and back."""

from __future__ import annotations

import json

from sebench.tables.table import Table


def write(table: Table) -> str:
    """The whole table; NaN does not occur."""
    return json.dumps(table.to_dict(), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def read(text: str) -> Table:
    """The table that `write` was given."""
    return Table.from_dict(json.loads(text))
