"""Given: the rows that an example's database came with, as raw material for variants.

What is worked out of them is kept, since many golds are asked of one database.
"""

from collections.abc import Mapping, Sequence

from sql_rl.judge.schema import Schema
from sql_rl.judge.variants import values
from sql_rl.judge.variants.demands import Place, Value

GIVEN_ROWS = 256  # rows looked at for a table
GIVEN_VALUES = 32  # different values kept for a column
FEW_ROWS = 3  # fewer rows tell nothing of what a column may hold

Rows = Mapping[str, Sequence[tuple[Value, ...]]]


class Given:
    """rows: by table, each a tuple over `Table.stored`; of large tables a sample is kept."""

    def __init__(self, schema: Schema, rows: Rows) -> None:
        self._schema = schema
        self._rows = {name.casefold(): _sample(table_rows) for name, table_rows in rows.items()}
        self._values: dict[Place, list[Value]] = {}

    def values(self, place: Place) -> list[Value]:
        """Different values of a column."""
        if place not in self._values:
            position = self._schema.table(place[0]).position[place[1]]
            self._values[place] = values.distinct((row[position] for row in self._rows.get(place[0], ())), GIVEN_VALUES)
        return self._values[place]

    def may_be_null(self, table: str, position: int) -> bool:
        """A column with a value in each of several rows is taken to need one, whatever its declaration allows.

        table: folded name. position: in `Table.stored`.
        """
        rows = self._rows.get(table, ())
        return len(rows) < FEW_ROWS or any(row[position] is None for row in rows)

    def has_repeated(self, table: str, position: int) -> bool:
        """Do two given rows hold the same value in a column? table: folded name. position: in `Table.stored`."""
        held = [row[position] for row in self._rows.get(table, ()) if row[position] is not None]
        return len(set(held)) < len(held)


def _sample(rows: Sequence[tuple[Value, ...]]) -> Sequence[tuple[Value, ...]]:
    return rows if len(rows) <= GIVEN_ROWS else rows[:: len(rows) // GIVEN_ROWS + 1]
