"""PostgreSQL, a real server: what it holds, that nothing changes it, that everything ends, that no password shows."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from support import Run

from sql_rl.chat.databases import open_database
from sql_rl.chat.databases.base import Database, QueryError
from sql_rl.chat.databases.supervise import export, fetch
from sql_rl.chat.target import fitted
from sql_rl.chat.uri import parse_uri
from sql_rl.errors import UsageError
from sql_rl.testing.chat_server import ChatServer

ESCAPED = "g3h%26im%2Fp%40ss"  # conftest's PASSWORD, as a URI has it
pytestmark = pytest.mark.postgres

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE town (id int PRIMARY KEY, name text NOT NULL, m mood, founded date);
COMMENT ON TABLE town IS 'where shops are'; COMMENT ON COLUMN town.name IS 'in German';
CREATE SCHEMA other; CREATE TABLE other."Odd name" (id int, town_id int REFERENCES town (id));
CREATE VIEW big AS SELECT name FROM town;
CREATE TABLE hidden (secret text);
INSERT INTO town VALUES (1, 'Ulm', 'ok', '0854-07-22'), (2, 'Bonn', NULL, 'infinity');
CREATE SEQUENCE counter;
CREATE FUNCTION evil() RETURNS int LANGUAGE sql AS $$ INSERT INTO town VALUES (9, 'x') RETURNING id $$;
CREATE FUNCTION evil_definer() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS
  $$ BEGIN DELETE FROM town; RETURN 1; END $$;
CREATE ROLE reader LOGIN PASSWORD 'g3h&im/p@ss';
GRANT ALL ON town, big, counter TO reader; GRANT USAGE ON SCHEMA other TO reader;
GRANT ALL ON other."Odd name" TO reader
"""


@pytest.fixture(scope="module")
def admin(postgres: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(f"postgresql://postgres:{ESCAPED}@{postgres}/postgres", autocommit=True) as connection:
        connection.execute(SCHEMA)
        yield connection


@pytest.fixture(params=["reader", "postgres"])
def db(postgres: str, admin: psycopg.Connection, request: pytest.FixtureRequest) -> Iterator[Database]:
    database = open_database(parse_uri(f"postgresql://{request.param}:{ESCAPED}@{postgres}/postgres"))
    yield database
    database.close()


def state(admin: psycopg.Connection) -> list[tuple]:
    """All that an attack might have changed."""
    return admin.execute(
        "SELECT (SELECT array_agg(t::text ORDER BY id) FROM town t), (SELECT count(*) FROM pg_class), "
        "(SELECT count(*) FROM pg_largeobject_metadata), (SELECT last_value FROM counter), "
        "(SELECT count(*) FROM pg_roles), (SELECT count(*) FROM pg_proc)"
    ).fetchall()


def test_tables_as_a_person_would_declare_them(db: Database):
    tables = {table.name: table for table in db.tables()}
    assert tables["town"].definition == (
        "-- where shops are\nCREATE TABLE town (\n  id integer NOT NULL,\n  name text NOT NULL, -- in German\n"
        "  m mood, -- one of 'sad', 'ok'\n  founded date,\n  PRIMARY KEY (id)\n);"
    )
    odd = tables['other."Odd name"']
    assert (odd.columns, odd.references) == (("id", "town_id"), ("town",))
    assert tables["big"].view and tables["big"].columns == ("name",)
    assert ("hidden" in tables) == ("postgres:" in db.name)  # whom it is not granted to does not see it


def test_rows_with_dates_that_python_does_not_have(db: Database):
    result = fetch(db, "SELECT * FROM town WHERE name LIKE '%m' OR id % 2 = 0 ORDER BY id", 10, 5)
    assert result.columns == ("id", "name", "m", "founded")
    assert result.rows == [(1, "Ulm", "ok", "0854-07-22"), (2, "Bonn", None, "infinity")]
    assert fetch(db, 'SELECT * FROM other."Odd name"', 10, 5).columns == ("id", "town_id")


ATTACKS = {
    "INSERT INTO town VALUES (3, 'x')": "syntax error",
    "WITH x AS (DELETE FROM town RETURNING id) SELECT * FROM x": "data-modifying",
    "SELECT 1; COMMIT; DROP TABLE town": "multiple commands",
    "SELECT 1; ROLLBACK; BEGIN READ WRITE; DELETE FROM town; COMMIT": "multiple commands",
    "SELECT evil()": "read-only transaction",
    "SELECT evil_definer()": "read-only transaction",
    "SELECT nextval('counter')": "read-only transaction|permission",
    "SELECT setval('counter', 99)": "read-only transaction|permission",
    "SET TRANSACTION READ WRITE": "syntax error",
    "SELECT set_config('transaction_read_only', 'off', true), evil()": "before any query",
    "SELECT query_to_xml('DELETE FROM town', true, true, '')": "not allowed",
    "SELECT * INTO stolen FROM town": "not allowed",
    "SELECT * FROM town FOR UPDATE": "read-only transaction|permission",
    "CREATE TEMP TABLE x (a int)": "syntax error",
    "COPY town TO '/tmp/chat-attack'": "syntax error",
    "COPY town TO PROGRAM 'touch /tmp/chat-attack'": "syntax error",
    "SELECT lo_export(1, '/tmp/chat-attack')": "permission denied",
    "SELECT lo_import('/etc/passwd')": "permission denied",
    "SELECT pg_read_file('/etc/passwd')": "permission denied",
    "SELECT pg_ls_dir('/')": "permission denied",
    "SELECT pg_reload_conf()": "permission denied",
    "DO $$ BEGIN DELETE FROM town; END $$": "syntax error",
    "VACUUM": "syntax error",
    "COMMIT": "syntax error",
    "TRUNCATE town": "syntax error",
}


@pytest.mark.parametrize("sql", ATTACKS)
def test_nothing_changes_it(db: Database, admin: psycopg.Connection, sql: str):
    before = state(admin)
    for use in (lambda: fetch(db, sql, 10, 5), lambda: db.plan(sql)):
        try:
            use()
        except QueryError as error:
            assert "\n" not in error.reason
    with pytest.raises(QueryError, match=ATTACKS[sql]):
        fetch(db, sql, 10, 5)
    assert state(admin) == before
    assert not Path("/tmp/chat-attack").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT set_config('default_transaction_read_only', 'off', false)",
        "SELECT lo_from_bytea(0, 'abc')",
        "SELECT set_config('role', 'postgres', false)",
        "SELECT pg_notify('a', 'b')",
    ],
)
def test_what_a_function_leaves_is_rolled_back(db: Database, admin: psycopg.Connection, sql: str):
    before = state(admin)
    try:
        fetch(db, sql, 10, 5)
    except QueryError as error:
        assert re.search("permission|read-only", error.reason)
    settings = fetch(db, "SELECT current_setting('transaction_read_only'), current_user <> 'postgres'", 1, 5).rows
    assert settings == [("on", True)]
    assert state(admin) == before


@pytest.mark.parametrize("options", ["ANALYZE", "(ANALYZE)", "(ANALYZE, TIMING)", "VERBOSE"])
@pytest.mark.parametrize("sql", ["DELETE FROM town", "SELECT pg_advisory_lock(7)"])
def test_a_plan_runs_nothing(db: Database, options: str, sql: str):
    with pytest.raises(QueryError, match="syntax error"):
        db.plan(f"{options} {sql}")


@pytest.mark.parametrize("use", ["fetch", "plan"])
def test_a_lock_is_let_go_with_its_query(db: Database, admin: psycopg.Connection, use: str):
    sql = "SELECT pg_advisory_lock(7), pg_try_advisory_lock_shared(8)"
    fetch(db, sql, 1, 5) if use == "fetch" else db.plan(sql)
    assert admin.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)
    assert fetch(db, "SELECT current_setting('transaction_read_only')", 1, 5).rows == [("on",)]


def test_a_change_is_no_plan(db: Database):
    """It goes back to the model before the user sees it."""
    for sql in ("INSERT INTO town VALUES (3, 'x')", "WITH x AS (DELETE FROM town RETURNING id) SELECT * FROM x"):
        with pytest.raises(QueryError):
            db.check(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pg_sleep(30)",
        "SELECT set_config('statement_timeout', '0', false), pg_sleep(30)",
        "SELECT count(*) FROM generate_series(1, 100000000000)",
    ],
)
def test_what_takes_too_long_is_stopped(db: Database, sql: str):
    with pytest.raises(QueryError, match=r"stopped after 0\.3 s"):
        fetch(db, sql, 10, 0.3)
    assert fetch(db, "SELECT 1", 10, 5).rows == [(1,)]


def test_ten_million_rows_stay_in_the_server(db: Database, tmp_path: Path):
    sql = "SELECT n FROM generate_series(1, {}) n, pg_class LIMIT {}"
    result = fetch(db, sql.format(10_000_000, 10_000_000), 3, 30)
    assert (len(result.rows), result.more) == (3, True)
    assert export(db, sql.format(5_000, 50_000), tmp_path / "out.csv") == 50_000


def test_a_lost_connection_is_told_and_opened_again(db: Database, admin: psycopg.Connection):
    assert fetch(db, "SELECT 1", 1, 5).rows == [(1,)]
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sql-rl chat'")
    deadline = time.monotonic() + 60
    while admin.execute("SELECT 1 FROM pg_stat_activity WHERE application_name = 'sql-rl chat'").fetchall():
        assert time.monotonic() < deadline
    with pytest.raises(QueryError) as caught:
        fetch(db, "SELECT 1", 1, 5)
    assert not caught.value.repairable
    assert fetch(db, "SELECT 2", 1, 5).rows == [(2,)]


@pytest.mark.parametrize("role", ["reader", "postgres"])
def test_a_superuser_is_warned(
    role: str, postgres: str, admin: psycopg.Connection, chat_server: ChatServer, run_here: Run
):
    uri = f"postgresql://{role}:{ESCAPED}@{postgres}/postgres"
    done = run_here("chat", "--base-url", chat_server.url, "--db", uri, "-q", "What?", "--format", "csv")
    assert done.stdout.splitlines()[1:] == ["1"]
    assert ("superuser" in done.stderr) == (role == "postgres")


def test_sqlite_s_dialect_is_brought_into_its_own(db: Database):
    def rows(sql: str) -> tuple[str, list[tuple]]:
        written, source = fitted(sql, db.dialect, db.tables(), db.check)
        return source, fetch(db, written, 10, 5).rows

    assert rows("SELECT name FROM town WHERE id = 1;") == ("", [("Ulm",)])
    assert rows('SELECT name FROM town WHERE name = "Ulm"') == ("sqlite", [("Ulm",)])
    assert rows("SELECT GROUP_CONCAT(name, '+') FROM town WHERE id < 2") == ("sqlite", [("Ulm",)])
    assert rows("SELECT `name` FROM `town` WHERE `id` = 1") == ("sqlite", [("Ulm",)])
    with pytest.raises(QueryError, match='column "nope" does not exist'):
        rows("SELECT nope FROM town")


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://postgres:wr%26ng-geheim@{}/postgres",
        "postgresql://postgres@{}/postgres?password=wr%26ng-geheim",
        "postgresql://postgres:wr%26ng-geheim@127.0.0.1:1/x",
        "postgresql://postgres:wr%26ng-geheim@{}:x/x",
        "postgresql://postgres:wr%26ng-geheim@{}/x?nonsense=1",
        "postgresql://postgres:wr%26ng-geheim@{}/none",
    ],
)
def test_no_connection_is_one_line_without_the_password(postgres: str, uri: str):
    with pytest.raises(UsageError) as caught:
        open_database(parse_uri(uri.format(postgres)))
    assert re.match(r"--db: postgresql://postgres\S*: \S", str(caught.value))
    assert "\n" not in str(caught.value)
    assert "geheim" not in str(caught.value)
