"""Databases to judge on: built from a context's statements, filled with a variant's rows, or copied.

Promise: nothing here touches a file. A statement of a context that cannot be run in any dialect is left out and told
of, so that a gold that does without it can still be judged.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import apsw

from sql_rl.judge.dialects.dialect import NATIVE, Reading, guess, is_curable, is_skipped, readings, taken_otherwise
from sql_rl.judge.dialects.scope import Scope
from sql_rl.judge.dialects.statements import split
from sql_rl.judge.sandbox import (
    MOST_PARAMETERS,
    Answer,
    Budget,
    FixedClock,
    Rights,
    Stopped,
    execute,
    open_memory,
    size_of,
)
from sql_rl.judge.schema import Schema, Table
from sql_rl.judge.undecodable import rows_of
from sql_rl.judge.verdict import Verdict

GIVEN_ROWS = 1_000  # of each table, as raw material for variants
GIVEN_BYTES = 8 * 2**20  # of texts and blobs among them, at about which it ends


@dataclass(frozen=True, slots=True)
class Built:
    """A context's database. dialect: the one that its statements bear the marks of, NATIVE where SQLite took them
    all as they stand. rewrites: what was changed to run them. problems: a line for each statement that could not be."""

    db: apsw.Connection
    dialect: str
    rewrites: tuple[str, ...]
    problems: tuple[str, ...]


def build(context: str, clock: FixedClock, budget: Callable[[], Budget]) -> Built:
    """The database that the context's statements make, in memory."""
    if not taken_otherwise(context):  # what SQLite takes with its meaning speaks for no other dialect
        db = open_memory(clock)
        try:
            execute(db, context, Rights.CHANGE, budget())
        except Stopped:
            db.close()  # statement by statement it goes further, and tells where it fails
        else:
            return Built(db, NATIVE, (), ())
    db, home = open_memory(clock), next(iter(guess(context)), NATIVE)
    rewrites: dict[str, None] = {}
    problems = []
    for number, statement in enumerate(split(context), 1):
        if is_skipped(statement):
            rewrites[f"{' '.join(statement.split()[:2]).upper()} skipped"] = None
            continue
        try:
            reading, _ = run(db, readings(statement, home, Scope()), Rights.CHANGE, budget())
        except Stopped as stopped:
            problems.append(f"statement {number} of the context: {stopped.reason}")
        else:
            rewrites |= dict.fromkeys(reading.rewrites)
    return Built(db, home, tuple(rewrites), tuple(problems))


def run(db: apsw.Connection, ways: Iterable[Reading], rights: Rights, budget: Budget) -> tuple[Reading, Answer]:
    """Run the first of the readings that SQLite takes.

    Raises Stopped as `sandbox.execute` does; where every reading is in error, with what is wrong beyond syntax in
    the first one that tells.
    """
    errors: list[Stopped] = []
    for reading in ways:
        try:
            return reading, execute(db, reading.sql, rights, budget)
        except Stopped as stopped:
            if stopped.verdict is not Verdict.ERROR:
                raise
            errors.append(stopped)
            if reading.final and not is_curable(stopped.reason):
                break
    raise next((error for error in errors if not is_curable(error.reason)), errors[0])


@dataclass(frozen=True, slots=True)
class Blank:
    """The database's definitions without its rows, to be filled many times. image: as SQLite serializes it."""

    image: bytes
    clock: FixedClock

    @classmethod
    def of(cls, db: apsw.Connection, clock: FixedClock) -> "Blank":
        """The definitions of `db`; what cannot be repeated in memory (virtual tables) is left out."""
        blank = open_memory(clock)
        blank.pragma("page_size", 1024)  # many small tables, many copies
        order = "CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 WHEN 'view' THEN 2 ELSE 3 END, rowid"
        own = "sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        for (definition,) in db.execute(f"SELECT sql FROM main.sqlite_schema WHERE {own} ORDER BY {order}").fetchall():
            with contextlib.suppress(apsw.Error):
                blank.execute(definition)
        return cls(blank.serialize("main"), clock)

    def fill(self, schema: Schema, rows: Mapping[str, Sequence[tuple]]) -> apsw.Connection:
        """A database with these rows, by table, each over the table's stored columns.

        A row that a CHECK or a key forbids is left out. Triggers do not fire.
        """
        db = open_memory(self.clock)
        db.deserialize("main", self.image)
        db.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        with db:
            for name, table_rows in rows.items():
                _insert(db, schema.by_name[name.casefold()], table_rows)
        db.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 1)
        return db


def _insert(db: apsw.Connection, table: Table, rows: Sequence[tuple]) -> None:
    """Insert rows, many with each statement: preparing one costs more than running it."""
    name = f"main.{_quoted(table.name)}"
    insert = f"INSERT OR IGNORE INTO {name} ({', '.join(_quoted(column.name) for column in table.stored)}) VALUES "
    places = f"({', '.join('?' * len(table.stored))})"
    at_once = max(1, MOST_PARAMETERS // len(table.stored))
    try:
        for start in range(0, len(rows), at_once):
            part = rows[start : start + at_once]
            db.execute(insert + ", ".join([places] * len(part)), tuple(chain.from_iterable(part)))
    except apsw.Error:  # a type that the column refuses, which OR IGNORE does not ignore: the other rows can stay
        db.execute(f"DELETE FROM {name}")
        for row in rows:
            with contextlib.suppress(apsw.Error):
                db.execute(insert + places, row)


def given_rows(db: apsw.Connection, schema: Schema) -> dict[str, list[tuple]]:
    """The first rows of each table, by table, over the table's stored columns, as far as they can be read.

    They are raw material: a damaged page, a value too long or a virtual table of an unknown module costs no more than
    the rows from there on.
    """
    return {table.name: _first_rows(db, table) for table in schema.tables if table.stored}


def _first_rows(db: apsw.Connection, table: Table) -> list[tuple]:
    columns = ", ".join(_quoted(column.name) for column in table.stored)
    found: list[tuple] = []
    size = 0
    with contextlib.suppress(apsw.Error):
        for row in rows_of(db, f"SELECT {columns} FROM main.{_quoted(table.name)} LIMIT {GIVEN_ROWS}"):
            found.append(row)
            size += size_of(row)
            if size > GIVEN_BYTES:
                break
    return found


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def copy(db: apsw.Connection, clock: FixedClock) -> apsw.Connection:
    """A database in memory of its own with the same content, for statements that change data."""
    twin = open_memory(clock)
    twin.deserialize("main", db.serialize("main"))
    return twin
