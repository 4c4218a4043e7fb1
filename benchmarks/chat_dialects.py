"""How many queries that were written for SQLite does `chat` run on DuckDB and PostgreSQL, and with the same rows?

    python benchmarks/chat_dialects.py ../shared/data/spider [--postgres postgresql://postgres:…@localhost] [--limit N]

The golds of a benchmark in Spider's layout, on its databases, copied into DuckDB files and, on a server given with a
role that may create databases (chat_<name>, dropped first), into PostgreSQL. Columns keep their affinity; one that
holds texts against its affinity, or dates, becomes text.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import apsw
import duckdb
import psycopg

from sql_rl.chat.databases import open_database
from sql_rl.chat.databases.base import Database, QueryError
from sql_rl.chat.databases.supervise import fetch
from sql_rl.chat.target import fitted
from sql_rl.chat.uri import parse_uri
from sql_rl.judge.schema import Column, read_schema

TYPES = {"INTEGER": "BIGINT", "REAL": "DOUBLE PRECISION", "NUMERIC": "DOUBLE PRECISION"}  # all else is text
ROWS, SECONDS = 100_000, 20.0


def main() -> None:
    """Copies, runs and prints one line for each engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--postgres", help="URI of a server, without a database")
    parser.add_argument("--limit", type=int, help="questions")
    options = parser.parse_args()
    if not (options.folder / "dev.json").exists():
        parser.error(f"{options.folder} has no dev.json")
    questions = json.loads((options.folder / "dev.json").read_text())[: options.limit]
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        engines = {
            name: list(copies(options.folder, name, Path(scratch), options.postgres))
            for name in dict.fromkeys(question["db_id"] for question in questions)
        }
        for question in questions:
            wanted = None
            for database in engines[question["db_id"]]:
                outcome, rows = run(database, question["query"])
                count = counts.setdefault(database.product, Counter())
                count[outcome] += 1
                wanted = rows if wanted is None else wanted
                count["same rows"] += rows is not None and rows == wanted
    for product, count in counts.items():
        print(f"{product}: {dict(count)}")


def run(database: Database, sql: str) -> tuple[str, Counter | None]:
    """How the query fared, and its rows as a multiset."""
    try:
        written, source = fitted(sql, database.dialect, database.tables(), database.check)
        rows = fetch(database, written, ROWS, SECONDS).rows
    except QueryError:
        return "refused", None
    return "rewritten" if source else "as it stands", Counter(tuple(map(plain, row)) for row in rows)


def plain(value: object) -> object:
    """A value as all engines give it."""
    if value is None or isinstance(value, str):
        return value
    try:
        return round(float(value), 4)
    except (TypeError, ValueError):
        return str(value)


def copies(folder: Path, name: str, scratch: Path, server: str | None) -> Iterator[Database]:
    """The SQLite database itself, and its copies, opened by chat."""
    file = folder / "database" / name / f"{name}.sqlite"
    yield open_database(parse_uri(f"sqlite:///{file}"))
    tables = list(read(file))
    with duckdb.connect(str(scratch / f"{name}.duckdb")) as db:
        for table, columns, rows in tables:
            db.execute(f"CREATE TABLE {table} ({columns})")
            if rows:
                db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    yield open_database(parse_uri(f"duckdb:///{scratch}/{name}.duckdb"))
    if server is None:
        return
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "chat_{name}"')
        admin.execute(f'CREATE DATABASE "chat_{name}"')
    with psycopg.connect(f"{server}/chat_{name}") as db:
        for table, columns, rows in tables:
            db.execute(f"CREATE TABLE {table.lower()} ({columns.lower()})")  # names fold as unquoted ones do
            with db.cursor().copy(f"COPY {table.lower()} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
    yield open_database(parse_uri(f"{server}/chat_{name}"))


def read(file: Path) -> Iterator[tuple[str, str, list[tuple]]]:
    """Each table: its name, its column definitions, its rows."""
    db = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    for table in read_schema(db).tables:
        name = quoted(table.name)
        rows = db.execute(f"SELECT * FROM {name}").fetchall()
        types = [type_of(column, [row[place] for row in rows]) for place, column in enumerate(table.columns)]
        columns = ", ".join(f"{quoted(c.name)} {kind}" for c, kind in zip(table.columns, types, strict=True))
        yield name, columns, [tuple(map(converted, row, types)) for row in rows]


def type_of(column: Column, values: list[object]) -> str:
    """The type of a column in an engine that is strict."""
    texts = any(isinstance(value, str) and value for value in values)
    return "TEXT" if texts else TYPES.get(column.affinity, "TEXT")


def converted(value: object, kind: str) -> object:
    """A value for a column of that type; '' among numbers is NULL."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if value is None or (value == "" and kind != "TEXT"):
        return None
    return str(value).replace("\0", "") if kind == "TEXT" else int(value) if kind == "BIGINT" else float(value)


def quoted(name: str) -> str:
    """The name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


if __name__ == "__main__":
    main()
