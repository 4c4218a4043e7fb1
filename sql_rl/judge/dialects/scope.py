"""What rewriting knows of the database that a query is meant for, and the form of a rewriting."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp


@dataclass(frozen=True, slots=True)
class Scope:
    """What a query may mean. columns: all columns of the database, temporal: those that hold dates, case folded;
    dialect: sqlglot's name for the dialect that the query was read in. sqlite: the database is known to be SQLite's
    own, so what runs on it means what SQLite makes of it."""

    columns: frozenset[str] = frozenset()
    temporal: frozenset[str] = frozenset()
    dialect: str = "sqlite"
    sqlite: bool = False


# A node of a tree, and what stands for it in SQLite: itself, if nothing has to.
Handler = Callable[[exp.Expression, Scope], exp.Expression]


def call(name: str, *arguments: exp.Expression | str | int) -> exp.Anonymous:
    """A call of an SQL function; plain str and int arguments are literals."""
    return exp.Anonymous(this=name, expressions=[exp.convert(a) if isinstance(a, str | int) else a for a in arguments])
