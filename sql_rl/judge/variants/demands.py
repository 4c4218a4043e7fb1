"""What the gold demands of a database: the rows it joins, the conditions it puts on them, the groups it counts.

A set of scopes, one for each SELECT, each with the tables it takes rows from and a formula over their columns, and
links between columns of different scopes. `scopes.py` reads them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sql_rl.judge.schema import Table

Place = tuple[str, str]  # a stored column: folded table name, folded column name
Node = tuple[int, str]  # a column of a source: the source's number, the folded column name
Value = int | float | str | bytes | None


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column compared with a literal. op: = < <= > >= like null (no <>: that is a Not)."""

    node: Node
    op: str
    value: Value


@dataclass(frozen=True, slots=True)
class Probe:
    """A condition on one column that only a database can decide: functions, arithmetic, the clock.

    sql: its text in SQLite's dialect, in which the column is called `v`. literals: those in it.
    """

    node: Node
    sql: str
    literals: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Same:
    """Two columns that are equal, by a join condition or the like."""

    one: Node
    other: Node


@dataclass(frozen=True, slots=True)
class Not:
    """The negation of a formula."""

    part: "Formula"


@dataclass(frozen=True, slots=True)
class Both:
    """All the parts hold; the empty one holds always."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of the parts holds."""

    parts: tuple["Formula", ...]


Formula = Leaf | Probe | Same | Not | Both | Either
ALWAYS = Both(())


@dataclass(frozen=True, slots=True)
class Scope:
    """One SELECT. sources: the numbers of its tables. formula: WHERE and ON together. groups: its GROUP BY columns.
    outputs: the columns it shows or aggregates.

    sizes: how many rows a group is asked to have. bounds: what MIN, MAX, AVG or SUM of a column is asked to be.
    aside: conditions that choose no row, but what is made of it (CASE, FILTER, a comparison that is shown).
    """

    sources: tuple[int, ...]
    formula: Formula
    groups: tuple[Node, ...]
    outputs: tuple[Node, ...]
    sizes: tuple[int, ...]
    bounds: tuple[Leaf, ...]
    aside: tuple[Formula, ...] = ()


@dataclass(frozen=True, slots=True)
class Demands:
    """tables: the table of each source. links: columns of different scopes that meet (IN, set operations, scalar
    subqueries). ranked: columns that a LIMIT chooses by. singled: columns by whose value a scalar subquery takes its
    row. mentioned: all columns that the gold names."""

    tables: tuple[Table, ...]
    scopes: tuple[Scope, ...]
    links: tuple[Same, ...]
    ranked: frozenset[Node]
    singled: frozenset[Node]
    mentioned: frozenset[Node]


def conditions(formula: Formula) -> Iterator[Leaf | Probe | Same]:
    """All leaves of a formula."""
    match formula:
        case Both(parts) | Either(parts):
            for part in parts:
                yield from conditions(part)
        case Not(part):
            yield from conditions(part)
        case _:
            yield formula


def number(text: str) -> int | float:
    """The number that a numeric literal stands for. Raises ValueError if it stands for none."""
    try:
        return whole(int(text))
    except ValueError:
        return float(text)


def whole(value: int) -> int | float:
    """An integer as SQLite holds it: beyond 64 bits it is REAL."""
    return value if -(2**63) <= value < 2**63 else float(value)
