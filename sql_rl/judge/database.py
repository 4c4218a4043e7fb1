"""Databases to judge on: built from a context, copied, or opened where they lie.

Promise: no file is ever written. A context's database lives in memory; a statement of the context that cannot be
run is left out and told of, so that a gold that does without it can still be judged.
"""

from dataclasses import dataclass
from pathlib import Path

import apsw

from sql_rl.judge.sandbox import Budget, FixedClock, Rights, Stopped, execute, limited, open_memory
from sql_rl.judge.statements import split


@dataclass(frozen=True, slots=True)
class Built:
    """A context's database. problems: one line for each statement that could not be run."""

    db: apsw.Connection
    problems: tuple[str, ...]


def build(context: str, clock: FixedClock, budget: Budget) -> Built:
    """The database that the context's statements make, in memory."""
    db = open_memory(clock)
    problems = []
    for number, statement in enumerate(split(context), 1):
        try:
            execute(db, statement, Rights.BUILD, budget)
        except Stopped as stopped:
            problems.append(f"statement {number} of the context: {stopped.reason}")
    return Built(db, tuple(problems))


def open_file(path: Path, clock: FixedClock) -> apsw.Connection:
    """An SQLite file, read where it lies: never loaded whole, never changed, no journal or lock beside it."""
    uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return limited(apsw.Connection(uri, flags=flags, vfs=clock.name, statementcachesize=0))


def copy(db: apsw.Connection, clock: FixedClock) -> apsw.Connection:
    """A database in memory of its own with the same content, for statements that change data."""
    twin = open_memory(clock)
    twin.deserialize("main", db.serialize("main"))
    return twin
