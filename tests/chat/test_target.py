"""The database's own dialect, by what a real DuckDB and a real SQLite compile."""

from collections.abc import Callable

import duckdb
import pytest

from sql_rl.chat.databases import open_database
from sql_rl.chat.databases.base import Database, QueryError, Table
from sql_rl.chat.databases.supervise import fetch
from sql_rl.chat.target import fitted
from sql_rl.chat.uri import parse_uri


@pytest.fixture
def duck(tmp_path) -> Database:
    with duckdb.connect(str(tmp_path / "a.duckdb")) as db:
        db.execute(
            "CREATE TABLE town (id INTEGER, name VARCHAR, born DATE); INSERT INTO town VALUES (1, 'Ulm', '2020-05-06')"
        )
    return open_database(parse_uri(f"duckdb:///{tmp_path}/a.duckdb"))


@pytest.fixture
def lite() -> Database:
    database = open_database(parse_uri(None))
    database.connection.execute("CREATE TABLE town (id, name, born); INSERT INTO town VALUES (1, 'Ulm', '2020-05-06')")
    return database


CASES = [
    ("duck", "SELECT name FROM town", "", "Ulm"),
    ("duck", 'SELECT name FROM town WHERE name = "Ulm";', "sqlite", "Ulm"),
    ("duck", "SELECT STRFTIME('%Y', born) FROM town", "", "2020"),
    ("duck", "SELECT IFNULL(NULL, name) FROM town", "", "Ulm"),
    ("duck", "SELECT DATE_FORMAT(born, '%Y') FROM town", "mysql", "2020"),
    ("duck", "SELECT TOP 1 name FROM town", "tsql", "Ulm"),
    ("lite", "SELECT name FROM town", "", "Ulm"),
    ("lite", "SELECT TOP 1 name FROM town", "tsql", "Ulm"),
    ("lite", "SELECT name::text FROM town", "postgres", "Ulm"),
    ("lite", "-- a comment; and more\nSELECT name FROM town;", "", "Ulm"),
]


@pytest.mark.parametrize(("engine", "sql", "source", "value"), CASES)
def test_a_query_of_any_dialect(engine: str, sql: str, source: str, value: str, request: pytest.FixtureRequest):
    database = request.getfixturevalue(engine)
    written, read_as = fitted(sql, database.dialect, database.tables(), database.check)
    assert (read_as, fetch(database, written, 10, 5).rows[0][0]) == (source, value)


@pytest.mark.parametrize("engine", ["duck", "lite"])
@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT nope FROM town", "nope"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("; ;", "0 statements"),
        ("DROP TABLE town", "not allowed"),
        ("I cannot say.", "syntax error"),
    ],
)
def test_what_no_reading_helps_is_told_of_the_query_as_it_stands(
    engine: str, sql: str, said: str, request: pytest.FixtureRequest
):
    database = request.getfixturevalue(engine)
    with pytest.raises(QueryError, match=said):
        fitted(sql, database.dialect, database.tables(), database.check)


def checks(*errors: QueryError | None) -> tuple[Callable[[str], None], list[str]]:
    seen, left = [], list(errors)

    def check(sql: str) -> None:
        seen.append(sql)
        if error := left.pop(0):
            raise error

    return check, seen


def test_a_database_out_of_reach_is_not_asked_again():
    check, seen = checks(QueryError("locked", repairable=False))
    with pytest.raises(QueryError, match="locked"):
        fitted("SELECT TOP 1 a FROM t", "postgres", [Table("t", "", ("a",))], check)
    assert seen == ["SELECT TOP 1 a FROM t"]
