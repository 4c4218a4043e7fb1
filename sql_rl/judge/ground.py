"""Ground: the given database of an example, and what variants of it start from.

Many examples may stand on one ground, so it is built once: from a context in any dialect, in memory, or from an
SQLite file where it lies.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import apsw

from sql_rl.judge.allowance import Allowance
from sql_rl.judge.database import Blank, build, given_rows
from sql_rl.judge.dialects.dialect import NATIVE
from sql_rl.judge.dialects.scope import Scope
from sql_rl.judge.sandbox import FixedClock, Stopped, one_line, open_file
from sql_rl.judge.schema import Schema, read_schema
from sql_rl.judge.variants.given import Given
from sql_rl.judge.verdict import Verdict

TEMPORAL = ("DATE", "TIME")  # how the declared types begin that hold dates


@dataclass(eq=False)
class Ground:
    """db: the given database. in_memory: it may be copied. dialect: the one of its context, NATIVE where none shows.

    rewrites: what was changed to build it. problems: a line for each statement of the context that cannot be run.
    """

    db: apsw.Connection
    clock: FixedClock
    in_memory: bool
    dialect: str = NATIVE
    rewrites: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @classmethod
    def from_context(cls, context: str, clock: FixedClock, allowance: Allowance) -> "Ground":
        """Build the context's database. What cannot be run becomes a problem, not an error."""
        built = build(context, clock, allowance.budget)
        return cls(built.db, clock, True, built.dialect, built.rewrites, built.problems)

    @classmethod
    def from_file(cls, path: Path, clock: FixedClock) -> "Ground":
        """Open an SQLite file. Raises Stopped (gold_broken) if it is none."""
        return cls(open_file(path, clock), clock, in_memory=False)

    @cached_property
    def schema(self) -> Schema:
        """Raises Stopped (gold_broken) if the database cannot be read."""
        try:
            return read_schema(self.db)
        except apsw.Error as error:
            raise Stopped(Verdict.GOLD_BROKEN, f"the database: {one_line(str(error))}") from None

    @cached_property
    def scope(self) -> Scope:
        """The names that a query may mean."""
        columns = [column for table in self.schema.tables for column in table.columns]
        return Scope(
            columns=frozenset(column.name.casefold() for column in columns),
            temporal=frozenset(c.name.casefold() for c in columns if c.declared.upper().startswith(TEMPORAL)),
            sqlite=not self.in_memory,
        )

    @cached_property
    def blank(self) -> Blank:
        """The definitions without rows."""
        return Blank.of(self.db, self.clock)

    @cached_property
    def rows(self) -> Given:
        """The first rows of each table, as raw material for variants."""
        return Given(self.schema, given_rows(self.db, self.schema))
