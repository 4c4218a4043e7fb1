"""Database: what chat asks of one, and the words in which it answers.

The promise that all of them keep: whatever SQL they are given, they change nothing, by the means of their engine and
not by looking for words.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


class QueryError(Exception):
    """A query that gave no result: one line that says why, without a password.

    repairable: another query might fare better; not so where it was stopped by hand, or the database is out of reach.
    """

    def __init__(self, reason: str, repairable: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.repairable = repairable


class StoppedByHand(QueryError):  # noqa: N818 (nothing went wrong)
    """Ctrl-C while the query ran."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view. name: as a query has to write it. definition: a CREATE statement for a prompt.

    references: names of the tables that its foreign keys point to.
    """

    name: str
    definition: str
    columns: tuple[str, ...]
    references: tuple[str, ...] = ()
    view: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """A result while it is read: its column names, and its rows as they come."""

    columns: tuple[str, ...]
    rows: Iterator[tuple]


class Database(Protocol):
    """An open database that can only be read.

    name: as it may be shown, without a password. product: what a model is told that it writes for. dialect: sqlglot's
    name for its SQL. warning: a line that the user should know, '' for none.
    """

    name: str
    product: str
    dialect: str
    warning: str

    def tables(self) -> tuple[Table, ...]:
        """Its tables and views, as they are now. Raises QueryError."""
        ...

    def check(self, sql: str) -> None:
        """Compiles one statement without running it. Raises QueryError with what is wrong."""
        ...

    def rows(self, sql: str, seconds: float | None) -> AbstractContextManager[Rows]:
        """Runs one statement and reads its rows as they are wanted, never all at once.

        seconds: for engines that can stop by themselves; the caller has a clock of its own. Raises QueryError, also in
        the middle of the rows.
        """
        ...

    def plan(self, sql: str) -> str:
        """How the engine would run the statement, in its own words. Raises QueryError."""
        ...

    def cancel(self) -> None:
        """Stops the query under way, from another thread; nothing happens where there is none."""
        ...

    def close(self) -> None: ...
