"""DuckDB: a file opened read-only, with access to the outside switched off and the configuration locked.

Sources: duckdb.org/docs/stable/operations_manual/securing_duckdb/overview. That it is one query, DuckDB's own parser
says. Rows are streamed: fetching from a connection reads no further than it is asked to.
"""

import atexit
import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from sql_rl.chat.databases.base import QueryError, Rows, Table
from sql_rl.chat.uri import DatabaseUri
from sql_rl.errors import UsageError
from sql_rl.judge.sandbox import one_line

CONFIG = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "temp_directory": "",  # nothing is spilled beside the file
    "lock_configuration": "true",
}
AT_ONCE = 1_000  # rows fetched together
SQLITE = b"SQLite format 3\0"  # how its files begin
_TIMES = re.compile(r"\b(?:DATE|TIME|TIMESTAMP\w*|INTERVAL)\b")


class DuckDBDatabase:
    """One connection. Raises UsageError where the file is no DuckDB database, too new, or locked by a writer."""

    dialect = "duckdb"
    warning = ""

    def __init__(self, uri: DatabaseUri) -> None:
        self.name = str(uri)
        self.product = f"DuckDB {duckdb.__version__}"
        # main.py's way to a quick end; but what is not collected DuckDB's binding reports as leaked, in sixty lines.
        atexit.unregister(gc.freeze)
        try:
            self._connection = duckdb.connect(str(uri.path), read_only=True, config=CONFIG)
        except duckdb.Error as error:
            with uri.path.open("rb") as file:
                is_sqlite = file.read(len(SQLITE)) == SQLITE
            if is_sqlite:  # which DuckDB would read with an extension
                raise UsageError(f"--db: {uri}: an SQLite database: did you mean sqlite:///{uri.path}?") from None
            raise UsageError(f"--db: {uri}: {one_line(str(error))}") from None

    def tables(self) -> tuple[Table, ...]:
        with self._told():
            home = "database_name = current_database() AND NOT internal"
            named = self._connection.execute(
                f"SELECT schema_name, table_name, sql, false FROM duckdb_tables() WHERE {home} UNION ALL "
                f"SELECT schema_name, view_name, sql, true FROM duckdb_views() WHERE {home} ORDER BY ALL"
            ).fetchall()
            columns = self._connection.execute(
                f"SELECT schema_name, table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() "
                f"WHERE {home} GROUP BY ALL"
            ).fetchall()
            parents = self._connection.execute(
                "SELECT schema_name, table_name, list(DISTINCT referenced_table) FROM duckdb_constraints() "
                "WHERE database_name = current_database() AND constraint_type = 'FOREIGN KEY' GROUP BY ALL"
            ).fetchall()
        of = {(schema, table): tuple(names) for schema, table, names in columns}
        referenced = {(schema, table): tuple(names) for schema, table, names in parents}
        return tuple(
            Table(
                table if schema == "main" else f"{schema}.{table}",
                sql.strip(),
                of.get((schema, table), ()),
                tuple(name if schema == "main" else f"{schema}.{name}" for name in referenced.get((schema, table), ())),
                view,
            )
            for schema, table, sql, view in named
        )

    def check(self, sql: str) -> None:
        with self._told():
            self._connection.execute(f"EXPLAIN {self._one(sql)}").fetchall()

    @contextmanager
    def rows(self, sql: str, seconds: float | None) -> Iterator[Rows]:
        with self._told():
            result = self._connection.execute(self._times_as_text(self._one(sql)))

            def stream() -> Iterator[tuple]:
                while part := result.fetchmany(AT_ONCE):
                    yield from part

            yield Rows(tuple(name for name, *_ in result.description), stream())

    def plan(self, sql: str) -> str:
        with self._told():
            rows = self._connection.execute(f"EXPLAIN {self._one(sql)}").fetchall()
            return "\n".join(text for _, text in rows).strip("\n")

    def _one(self, sql: str) -> str:
        """The statement, if it is one query. Raises QueryError."""
        statements = self._connection.extract_statements(sql)
        if len(statements) != 1:
            raise QueryError(f"it holds {len(statements)} statements: one is run at a time")
        if statements[0].type is not duckdb.StatementType.SELECT:
            raise QueryError(f"not allowed: {statements[0].type.name}: the database is only read")
        return statements[0].query

    def _times_as_text(self, sql: str) -> str:
        """The query with dates and times written by DuckDB: Python has no 'infinity', and a month is not 30 days."""
        try:
            described = self._connection.execute(f"DESCRIBE {sql}").fetchall()
        except duckdb.Error:
            return sql  # SHOW and its like; and what is wrong with the query, running it will say
        if not any(_TIMES.search(kind) for _, kind, *_ in described):
            return sql
        columns = []
        for place, (name, kind, *_) in enumerate(described, 1):
            value = f"CAST(#{place} AS VARCHAR)" if _TIMES.search(kind) else f"#{place}"
            quoted = name.replace('"', '""')
            columns.append(f'{value} AS "{quoted}"')
        return f"SELECT {', '.join(columns)} FROM (\n{sql.strip().removesuffix(';')}\n)"

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What DuckDB says, on one line: without its picture of the query."""
        try:
            yield
        except duckdb.Error as error:
            raise QueryError(one_line(str(error).partition("\n\nLINE ")[0].partition("\nLINE ")[0])) from None

    def cancel(self) -> None:
        self._connection.interrupt()

    def close(self) -> None:
        self._connection.close()
