"""PostgreSQL: each query in a READ ONLY transaction of its own that is always rolled back, through a cursor.

What keeps it: the transaction is READ ONLY and cannot be made otherwise once a query has begun
(postgresql.org/docs/current/sql-set-transaction.html); DECLARE … CURSOR takes one query and nothing else, and the
extended protocol one statement; whatever a function sets is undone by the rollback, and the advisory locks that it took
are let go; statement_timeout ends what takes too long. The rights of a superuser reach past transactions (files,
programs), so they are laid down for pg_read_all_data's where the role has them, and the user is told. Rows stay in the
server until they are fetched.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql as composed
from psycopg.types.string import TextLoader

from sql_rl.chat.databases.base import QueryError, Rows, Table
from sql_rl.chat.uri import DatabaseUri
from sql_rl.errors import UsageError
from sql_rl.judge.sandbox import one_line

AT_ONCE = 1_000  # rows fetched together
CONNECTING = 10  # seconds
TIMES = ("date", "time", "timetz", "timestamp", "timestamptz", "interval")  # as text: Python has no 'infinity'
READER = "pg_read_all_data"  # since PostgreSQL 14
_TABLES = """
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN quote_ident(c.relname)
            ELSE quote_ident(n.nspname) || '.' || quote_ident(c.relname) END,
       c.relkind IN ('v', 'm'),
       obj_description(c.oid, 'pg_class'),
       (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       (SELECT array_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
                         || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END ORDER BY a.attnum)
          FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       (SELECT array_agg(coalesce(col_description(c.oid, a.attnum), (
                 SELECT 'one of ' || string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                   FROM pg_enum e WHERE e.enumtypid = a.atttypid)) ORDER BY a.attnum)
          FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       (SELECT array_agg(pg_get_constraintdef(k.oid) ORDER BY k.contype DESC, k.conname) FROM pg_constraint k
         WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'f', 'c')),
       (SELECT array_agg(DISTINCT CASE WHEN pg_table_is_visible(p.oid) THEN quote_ident(p.relname)
                         ELSE quote_ident(m.nspname) || '.' || quote_ident(p.relname) END)
          FROM pg_constraint k JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace m ON m.oid = p.relnamespace
         WHERE k.conrelid = c.oid AND k.contype = 'f')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
ORDER BY n.nspname, c.relname
"""


class PostgresDatabase:
    """One connection, opened anew where it was lost. Raises UsageError where the server cannot be reached."""

    dialect = "postgres"

    def __init__(self, uri: DatabaseUri) -> None:
        self._uri = uri
        self.name = str(uri)
        try:
            self._connection = self._connect()
        except psycopg.Error as error:
            raise UsageError(f"--db: {self.name}: {self._line(error)}") from None
        version = self._connection.info.server_version
        self.product = f"PostgreSQL {version // 10_000}"
        self._lays_down = self._connection.info.parameter_status("is_superuser") == "on" and version >= 140_000
        self.warning = (
            "you are connected as a superuser, whom no transaction keeps from the server's files: "
            "connect as a role that can only read"
            if self._connection.info.parameter_status("is_superuser") == "on"
            else ""
        )

    def _connect(self) -> psycopg.Connection:
        connection = psycopg.connect(
            self._uri.conninfo, connect_timeout=CONNECTING, fallback_application_name="sql-rl chat"
        )
        connection.read_only = True
        for name in TIMES:
            connection.adapters.register_loader(name, TextLoader)
        return connection

    def tables(self) -> tuple[Table, ...]:
        with self._transaction(None) as connection:
            return tuple(_table(*row) for row in connection.execute(_TABLES).fetchall())

    def check(self, sql: str) -> None:
        self.plan(sql)

    @contextmanager
    def rows(self, sql: str, seconds: float | None) -> Iterator[Rows]:
        with self._transaction(seconds) as connection, connection.cursor(name="chat") as cursor:
            cursor.itersize = AT_ONCE
            cursor.execute(sql.encode())
            yield Rows(tuple(column.name for column in cursor.description or ()), iter(cursor))

    def plan(self, sql: str) -> str:
        with self._transaction(CONNECTING) as connection:
            # binary: by the extended protocol, which takes one statement; DECLARE: EXPLAIN's own options would run it
            explain = f"EXPLAIN DECLARE chat CURSOR FOR {sql}".encode()
            return "\n".join(row[0] for row in connection.execute(explain, binary=True))

    @contextmanager
    def _transaction(self, seconds: float | None) -> Iterator[psycopg.Connection]:
        try:
            if self._connection.closed:
                self._connection = self._connect()
            milliseconds = max(1, round(1000 * seconds)) if seconds else 0
            self._connection.execute(composed.SQL("SET LOCAL statement_timeout = {}").format(milliseconds))
            if self._lays_down:
                self._connection.execute(f"SET LOCAL ROLE {READER}")
            yield self._connection
        except psycopg.errors.QueryCanceled:
            raise QueryError(f"it was stopped after {seconds:g} s" if seconds else "it was stopped") from None
        except psycopg.Error as error:
            lost = self._connection.closed or isinstance(error, psycopg.OperationalError)
            raise QueryError(self._line(error), repairable=not lost) from None
        finally:
            with suppress(psycopg.Error):  # the connection may be lost
                self._connection.execute("ROLLBACK; SELECT pg_advisory_unlock_all()")

    def _line(self, error: psycopg.Error) -> str:
        diagnosis = error.diag
        said = [diagnosis.message_primary or str(error), diagnosis.message_hint or ""]
        return one_line(self._uri.redact(". HINT: ".join(part for part in said if part)))

    def cancel(self) -> None:
        if not self._connection.closed:
            self._connection.cancel_safe(timeout=5)

    def close(self) -> None:
        self._connection.close()


def _table(
    name: str,
    view: bool,
    comment: str | None,
    columns: list[str] | None,
    declared: list[str] | None,
    comments: list[str | None] | None,
    constraints: list[str] | None,
    parents: list[str] | None,
) -> Table:
    """A table with a CREATE statement as a person would write it, comments beside what they are about."""
    parts = [*zip(declared or (), comments or (), strict=True), *((rule, None) for rule in constraints or ())]
    lines = [
        f"  {part}{',' if place < len(parts) else ''}" + (f" -- {one_line(note)}" if note else "")
        for place, (part, note) in enumerate(parts, 1)
    ]
    head = [f"-- {one_line(comment)}"] if comment else []
    kind = "VIEW" if view else "TABLE"
    definition = "\n".join([*head, f"CREATE {kind} {name} (", *lines, ");"])
    return Table(name, definition, tuple(columns or ()), tuple(parents or ()), view)
