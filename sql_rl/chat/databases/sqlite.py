"""SQLite: a file opened for reading only, or an empty database in memory that files can be loaded into.

Queries run under the judge's rules (`judge/sandbox.py`): its authorizer refuses all that is not reading, its limits
keep single steps small. Other than a judge's, the file is a living one: its locks are kept, the clock goes, and
random() is random.
"""

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import apsw

from sql_rl.chat.databases.base import QueryError, Rows, Table
from sql_rl.chat.uri import DatabaseUri
from sql_rl.errors import UsageError
from sql_rl.judge.dialects.functions import blob_size, register
from sql_rl.judge.sandbox import Budget, Rights, Stopped, fit, guarded, one_line
from sql_rl.judge.undecodable import resumed

MEMORY = 512 * 2**20  # bytes that a query may take in SQLite, and a loaded file
LONGEST_VALUE = 64 * 2**20  # bytes; a database of one's own may hold documents and pictures
MOST_OPERATIONS = 25_000_000  # of a compiled statement: a script may insert thousands of rows with one
PATIENCE = 2_000  # ms; how long a lock is waited for
# Steps and seconds are no bound here: whoever waits for the query interrupts it (`supervise.py`).
_BUDGET = Budget(steps=2**62, deadline=math.inf, rows=0, memory=MEMORY)


class SQLiteDatabase:
    """One connection. Raises UsageError where the file is no SQLite database or cannot be read."""

    dialect = "sqlite"
    warning = ""

    def __init__(self, uri: DatabaseUri) -> None:
        self.name = str(uri)
        self.product = f"SQLite {apsw.sqlite_lib_version()}"
        self.path = uri.path
        try:
            self.connection = _open(uri.path) if uri.path else apsw.Connection(":memory:")
            loosen(fit(self.connection, _now()))
            self.connection.set_busy_timeout(PATIENCE)
        except (apsw.Error, OSError) as error:
            raise UsageError(f"--db: {uri}: {one_line(str(error))}") from None

    def tables(self) -> tuple[Table, ...]:
        try:
            named = self.connection.execute(
                "SELECT t.name, t.type, s.sql FROM pragma_table_list t JOIN sqlite_schema s ON s.name = t.name "
                "WHERE t.schema = 'main' AND t.type IN ('table', 'view', 'virtual') "
                "AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY s.rowid"
            ).fetchall()
            return tuple(self._table(*row) for row in named)
        except apsw.Error as error:
            raise self._failure(error) from None

    def _table(self, name: str, kind: str, sql: str) -> Table:
        def names(source: str, column: str) -> tuple[str, ...]:
            return tuple(row[0] for row in self.connection.execute(f'SELECT "{column}" FROM {source}(?)', (name,)))

        try:
            columns = names("pragma_table_info", "name")
        except apsw.SQLError:  # a view of what is no more: its definition is all there is
            columns = ()
        parents = () if kind == "view" else tuple(dict.fromkeys(names("pragma_foreign_key_list", "table")))
        return Table(name, f"{sql.strip()};", columns, parents, view=kind == "view")

    def check(self, sql: str) -> None:
        with self._reading():
            cursor = self.connection.cursor()
            cursor.exec_trace = lambda *_: False  # called when it is compiled
            try:
                cursor.execute(sql, can_cache=False)
            except apsw.ExecTraceAbort:
                pass
            finally:
                cursor.close(True)

    @contextmanager
    def rows(self, sql: str, seconds: float | None) -> Iterator[Rows]:
        self._set_clock_and_dice()
        with self._reading():
            cursor = self.connection.cursor()
            columns: list[str] = []
            statements = 0

            def one_only(statement: apsw.Cursor, *_: object) -> bool:
                nonlocal statements
                statements += 1
                columns.extend(name for name, *_ in statement.get_description())
                return statements == 1

            cursor.exec_trace = one_only
            try:
                found = cursor.execute(sql, can_cache=False)
                yield Rows(tuple(columns), resumed(self.connection, sql, found))
            except apsw.ExecTraceAbort:
                raise QueryError("it holds several statements: one is run at a time") from None
            finally:
                cursor.close(True)

    def plan(self, sql: str) -> str:
        with self._reading():
            depth = {0: -1}
            lines = []
            for step, parent, _, what in self.connection.execute(f"EXPLAIN QUERY PLAN {sql}", can_cache=False):
                depth[step] = depth[parent] + 1
                lines.append("  " * depth[step] + what)
            return "\n".join(lines)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            with guarded(self.connection, Rights.READ, _BUDGET):
                yield
        except Stopped as stopped:
            raise self._failure(stopped.__context__, stopped.reason) from None

    def _set_clock_and_dice(self) -> None:
        """A judge's clock stands still and its dice always fall the same way; here they are real."""
        register(self.connection, _now())
        self.connection.create_scalar_function("random", lambda: random.getrandbits(64) - 2**63, 0)
        self.connection.create_scalar_function("rand", lambda *_: random.random())
        self.connection.create_scalar_function(
            "randomblob", lambda size: random.randbytes(blob_size(size, LONGEST_VALUE)), 1
        )

    def _failure(self, error: BaseException | None, reason: str = "") -> QueryError:
        if isinstance(error, apsw.BusyError | apsw.LockedError):
            return QueryError(f"{self.name} is locked by another program: /run tries again", repairable=False)
        return QueryError(reason or one_line(str(error)))

    def cancel(self) -> None:
        self.connection.interrupt()

    def close(self) -> None:
        self.connection.close(True)


def loosen(connection: apsw.Connection) -> apsw.Connection:
    """The connection with the limits that a judge's small databases need no more of and a person's may."""
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
    connection.limit(apsw.SQLITE_LIMIT_VDBE_OP, MOST_OPERATIONS)
    return connection


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _open(path: Path) -> apsw.Connection:
    """The file, read-only, its header looked at. Raises apsw.Error."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        connection = apsw.Connection(f"{path.resolve().as_uri()}?{mode}", flags=flags)
        connection.set_busy_timeout(PATIENCE)
        try:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        except apsw.BusyError:
            return connection  # it will be free again
        except apsw.CantOpenError:
            # Write-ahead logs need a file beside the database; in a folder that takes none nobody writes either.
            if "immutable" in mode or path.with_name(f"{path.name}-wal").exists():
                raise
        else:
            return connection
    raise AssertionError("the last mode returns or raises")
