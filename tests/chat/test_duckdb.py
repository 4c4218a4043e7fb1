"""DuckDB: what a file holds, that nothing changes it or leads out of it, and that everything ends."""

import resource
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from support import Run

from sql_rl.chat.databases import open_database
from sql_rl.chat.databases.base import Database, QueryError
from sql_rl.chat.databases.supervise import export, fetch
from sql_rl.chat.uri import parse_uri
from sql_rl.errors import UsageError
from sql_rl.testing.chat_server import ChatServer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "shop.duckdb"
    with duckdb.connect(str(file)) as db:
        db.execute(
            "CREATE TABLE town (id INTEGER PRIMARY KEY, name VARCHAR);"
            "CREATE TABLE shop (id INTEGER, town_id INTEGER REFERENCES town (id));"
            "CREATE VIEW big AS SELECT name FROM town; CREATE SCHEMA other; CREATE TABLE other.thing (a INTEGER);"
            "INSERT INTO town VALUES (1, 'Ulm'), (2, NULL)"
        )
    return file


@pytest.fixture
def db(path: Path) -> Database:
    return open_database(parse_uri(f"duckdb:///{path}"))


def test_tables_as_they_were_declared(db: Database):
    tables = {table.name: table for table in db.tables()}
    assert sorted(tables) == ["big", "other.thing", "shop", "town"]
    assert tables["town"].definition.startswith("CREATE TABLE town(id INTEGER PRIMARY KEY")
    assert (tables["shop"].columns, tables["shop"].references) == (("id", "town_id"), ("town",))
    assert tables["big"].view


ATTACKS = {
    "INSERT INTO town VALUES (3, 'x')": "not allowed: INSERT",
    "WITH x AS (INSERT INTO town VALUES (3, 'x') RETURNING id) SELECT * FROM x": "read-only",
    "SELECT 1; DROP TABLE shop": "2 statements",
    "COPY town TO '{other}'": "not allowed: COPY",
    "COPY (SELECT 1) TO '{other}'": "not allowed: COPY",
    "EXPORT DATABASE '{other}'": "not allowed: EXPORT",
    "ATTACH '{other}'": "not allowed: ATTACH",
    "INSTALL httpfs": "not allowed: LOAD",
    "LOAD httpfs": "not allowed: LOAD",
    "SET enable_external_access = true": "not allowed: SET",
    "PRAGMA enable_profiling": "not allowed: PRAGMA",
    "CREATE TEMP TABLE x AS SELECT 1": "not allowed: CREATE",
    "CALL pragma_version()": "not allowed: CALL",
    "SELECT * FROM read_csv('/etc/passwd')": "disabled by configuration",
    "SELECT * FROM read_text('/etc/passwd')": "disabled by configuration",
    "SELECT * FROM '/etc/passwd'": "does not exist",
    "SELECT * FROM glob('/etc/*')": "disabled by configuration",
    "SELECT * FROM 'https://example.com/x.parquet'": "does not exist|disabled|not",
    "SELECT getenv('HOME')": "does not exist",
}


@pytest.mark.parametrize("sql", ATTACKS)
def test_nothing_changes_it_or_leads_out(db: Database, path: Path, sql: str):
    before = path.read_bytes()
    with pytest.raises(QueryError, match=ATTACKS[sql]) as caught:
        fetch(db, sql.format(other=path.with_name("other")), 10, 5)
    assert "\n" not in caught.value.reason
    db.close()
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["shop.duckdb"]


def test_rows_and_values_of_its_own(db: Database):
    result = fetch(db, "SELECT id, name FROM town ORDER BY id", 1, 5)
    assert (result.columns, result.rows, result.more) == (("id", "name"), [(1, "Ulm")], True)
    assert fetch(db, "SELECT [1, 2] AS l, {'a': 1} AS s", 1, 5).rows == [([1, 2], {"a": 1})]


TIMES = {
    "SELECT TIMESTAMPTZ '2020-01-01 00:00:00+00' AT TIME ZONE 'UTC' AS t, 1 AS t -- twice": ("2020-01-01 00:00:00", 1),
    "SELECT 'infinity'::DATE, INTERVAL '1 month', NULL::TIME;": ("infinity", "1 month", None),
    "SELECT [DATE '2020-01-02'], 'DATE'": ("[2020-01-02]", "DATE"),
    "SELECT id, DATE '2020-01-01' + id FROM town ORDER BY id DESC": (2, "2020-01-03"),
    "SELECT now() IS NULL": (False,),
    "DESCRIBE SELECT DATE '2020-01-01' AS d": ("d", "DATE", "YES", None, None, None),
}


@pytest.mark.parametrize("sql", TIMES)
def test_dates_and_times_are_what_duckdb_writes(db: Database, sql: str):
    assert fetch(db, sql, 10, 5).rows[0] == TIMES[sql]


def test_a_time_with_a_zone_needs_no_further_package(db: Database):
    assert fetch(db, "SELECT now() AS n", 1, 5).rows[0][0].startswith("20")


def test_what_takes_too_long_is_stopped(db: Database):
    with pytest.raises(QueryError, match=r"stopped after 0\.3 s"):
        fetch(db, "SELECT count(*) FROM range(1000000000000) WHERE sqrt(range) > 1e9", 10, 0.3)
    assert fetch(db, "SELECT 1", 10, 5).rows == [(1,)]


def test_a_huge_result_is_not_fetched_whole(db: Database, tmp_path: Path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert fetch(db, "SELECT range, repeat('x', 100) FROM range(1000000000)", 2, 10).more
    assert export(db, "SELECT range FROM range(100000)", tmp_path / "out.csv") == 100_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # kB


def test_check_and_plan(db: Database):
    db.check("SELECT name FROM town")
    assert "town" in db.plan("SELECT name FROM town WHERE id = 1")
    with pytest.raises(QueryError, match='Referenced column "nope" not found') as caught:
        db.check("SELECT nope FROM town")
    assert "LINE" not in caught.value.reason


def test_a_file_that_a_writer_holds_or_that_is_none(path: Path, tmp_path: Path):
    program = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="Could not set lock"):
            open_database(parse_uri(f"duckdb:///{path}"))
        writer.stdin.close()
    bad = tmp_path / "bad.duckdb"
    bad.write_text("no database" * 1000)
    with pytest.raises(UsageError, match="not a valid DuckDB database"):
        open_database(parse_uri(f"duckdb:///{bad}"))
    bad.write_bytes(b"SQLite format 3\0" * 1000)
    with pytest.raises(UsageError, match=f"an SQLite database: did you mean sqlite:///{bad}"):
        open_database(parse_uri(f"duckdb:///{bad}"))


def test_the_program_says_nothing_at_its_end(path: Path, run: Run, chat_server: ChatServer):
    options = ("--base-url", chat_server.url, "--db", f"duckdb:///{path}", "-q", "What?", "--format", "csv", "--quiet")
    done = run("chat", *options)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n1\n", "")
