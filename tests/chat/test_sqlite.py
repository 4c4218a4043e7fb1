"""SQLite: what a file holds, that nothing changes it, and that everything ends."""

import threading
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from sql_rl.chat.databases import open_database
from sql_rl.chat.databases.base import Database, QueryError, StoppedByHand
from sql_rl.chat.databases.supervise import export, fetch, supervised
from sql_rl.chat.uri import parse_uri
from sql_rl.errors import UsageError

ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT {} FROM c"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "shop.sqlite"
    with closing(apsw.Connection(str(file))) as db:
        db.execute(
            "CREATE TABLE town (id INTEGER PRIMARY KEY, name TEXT);"
            "CREATE TABLE shop (id INTEGER PRIMARY KEY, town_id REFERENCES town(id), note BLOB);"
            "CREATE VIEW big AS SELECT name FROM town; CREATE VIRTUAL TABLE texts USING fts5(body);"
            "CREATE TRIGGER t AFTER INSERT ON shop BEGIN DELETE FROM town; END;"
            "INSERT INTO town VALUES (1, 'Ulm'), (2, NULL)"
        )
    return file


@pytest.fixture
def db(path: Path) -> Database:
    return open_database(parse_uri(f"sqlite:///{path}"))


def test_tables_as_they_were_declared(db: Database):
    tables = {table.name: table for table in db.tables()}
    assert list(tables) == ["town", "shop", "big", "texts"]
    assert tables["town"].definition == "CREATE TABLE town (id INTEGER PRIMARY KEY, name TEXT);"
    assert (tables["shop"].columns, tables["shop"].references) == (("id", "town_id", "note"), ("town",))
    assert tables["big"].view and tables["big"].columns == ("name",)


def test_rows(db: Database):
    result = fetch(db, "SELECT id, name FROM town", 10, 5)
    assert (result.columns, result.rows, result.more) == (("id", "name"), [(1, "Ulm"), (2, None)], False)
    assert fetch(db, "SELECT id AS n FROM town WHERE 0", 10, 5).columns == ("n",)
    assert fetch(db, "SELECT id FROM town", 1, 5).more
    assert not fetch(db, "SELECT id FROM town", 2, 5).more


def test_full_text_tables_are_read_and_not_changed(db: Database, path: Path):
    with closing(apsw.Connection(str(path))) as writer:
        writer.execute("INSERT INTO texts VALUES ('a fat cat'), ('a dog')")
    assert fetch(db, "SELECT * FROM texts", 10, 5).rows == [("a fat cat",), ("a dog",)]
    sql = "SELECT highlight(texts, 0, '<', '>') FROM texts WHERE texts MATCH 'cat OR cow' ORDER BY bm25(texts)"
    assert fetch(db, sql, 10, 5).rows == [("a fat <cat>",)]
    with pytest.raises(QueryError, match="not allowed: INSERT texts"):
        fetch(db, "INSERT INTO texts(texts) VALUES ('optimize')", 10, 5)


def test_a_text_that_is_not_utf_8_hides_no_rows(db: Database, path: Path, tmp_path: Path):
    with closing(apsw.Connection(str(path))) as writer:
        writer.execute("INSERT INTO town VALUES (3, CAST(x'4bf66c6e' AS TEXT)), (4, 'Bonn')")
    rows = [(1, "Ulm"), (2, None), (3, "K\ufffdln"), (4, "Bonn")]
    assert fetch(db, "SELECT * FROM town ORDER BY id", 10, 5).rows == rows
    assert export(db, "SELECT * FROM town", tmp_path / "out.csv") == 4


ATTACKS = {
    "INSERT INTO town VALUES (3, 'x')": "not allowed: INSERT town",
    "UPDATE town SET name = 'x'": "not allowed: UPDATE town",
    "DELETE FROM town": "not allowed: DELETE town",
    "DROP TABLE town": "not allowed",
    "CREATE TABLE x (a)": "not allowed",
    "CREATE TEMP TABLE x (a)": "not allowed",
    "WITH x AS (SELECT 1) DELETE FROM town": "not allowed: DELETE town",
    "INSERT INTO town VALUES (3, 'x') RETURNING id": "not allowed: INSERT town",
    "ATTACH '{other}' AS o": "not allowed: ATTACH",
    "VACUUM INTO '{other}'": "not allowed",
    "PRAGMA writable_schema = 1": "not allowed: PRAGMA",
    "PRAGMA journal_mode = WAL": "not allowed: PRAGMA",
    "SELECT * FROM pragma_writable_schema": "not allowed",
    "SELECT load_extension('x')": "not allowed",
    "SELECT writefile('{other}', 'x')": "no such function",
    "INSERT INTO texts (texts) VALUES ('rebuild')": "not allowed",
    "BEGIN IMMEDIATE": "not allowed: a transaction",
    "SELECT 1; DELETE FROM town": "not allowed: DELETE town",
    "SELECT 1; SELECT 2": "several statements",
    "REINDEX": "not allowed",
    "ANALYZE": "not allowed",
}


@pytest.mark.parametrize("sql", ATTACKS)
def test_nothing_changes_it(db: Database, path: Path, sql: str):
    before = path.read_bytes()
    other = path.with_name("other")
    with pytest.raises(QueryError, match=ATTACKS[sql]) as caught:
        fetch(db, sql.format(other=other), 10, 5)
    assert "\n" not in caught.value.reason
    db.close()
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["shop.sqlite"]


def test_what_never_ends_is_stopped(db: Database):
    with pytest.raises(QueryError, match=r"stopped after 0\.2 s") as caught:
        fetch(db, ENDLESS.format("count(*)"), 10, 0.2)
    assert caught.value.repairable
    assert fetch(db, "SELECT 1", 10, 5).rows == [(1,)]


def test_a_pattern_that_never_ends_is_stopped(db: Database):
    sql = "SELECT '{}!' REGEXP '^(a|aa)+$'".format("a" * 60)
    with pytest.raises(QueryError, match="a pattern takes too long on a text"):
        fetch(db, sql, 1, 30)
    with pytest.raises(QueryError, match=r"stopped after 0\.2 s"):  # and leaves others their time until then
        fetch(db, sql, 1, 0.2)
    assert fetch(db, "SELECT name FROM town WHERE name REGEXP '^U'", 1, 5).rows == [("Ulm",)]


def test_a_huge_result_shows_its_first_rows(db: Database):
    result = fetch(db, ENDLESS.format("n"), 3, 5)
    assert (result.rows, result.more) == ([(1,), (2,), (3,)], True)


def test_ctrl_c_stops_the_query(db: Database, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr("sql_rl.chat.databases.supervise.wait", interrupted)
    with pytest.raises(StoppedByHand) as caught:
        fetch(db, ENDLESS.format("count(*)"), 10, 60)
    assert not caught.value.repairable
    assert fetch(db, "SELECT 1", 10, 5).rows == [(1,)]


def test_a_failure_in_the_work_is_not_taken_for_the_clock(db: Database):
    def work() -> None:
        raise TimeoutError("another one")

    with pytest.raises(TimeoutError, match="another one"):
        supervised(db, work, 5)


def test_export_writes_all_rows(db: Database, tmp_path: Path):
    file = tmp_path / "out.csv"
    assert export(db, ENDLESS.format("n, NULL, 'a,b'") + " LIMIT 25000", file) == 25_000
    lines = file.read_text().splitlines()
    assert (len(lines), lines[1], lines[-1]) == (25_001, '1,,"a,b"', '25000,,"a,b"')


def test_a_failing_export_leaves_nothing(db: Database, tmp_path: Path):
    with pytest.raises(QueryError):
        export(db, "SELECT abs(-9223372036854775808) FROM town", tmp_path / "out.csv")
    with pytest.raises(UsageError, match="cannot be written"):
        export(db, "SELECT 1", tmp_path / "no" / "out.csv")
    assert [file.name for file in tmp_path.iterdir()] == ["shop.sqlite"]


def test_a_locked_file_is_told_and_is_no_reason_to_ask_the_model(db: Database, path: Path):
    db.connection.set_busy_timeout(10)
    writer = apsw.Connection(str(path))
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(QueryError, match="locked by another program") as caught:
        fetch(db, "SELECT * FROM town", 10, 5)
    assert not caught.value.repairable
    with pytest.raises(QueryError, match="locked"):
        db.tables()
    writer.execute("ROLLBACK")
    assert fetch(db, "SELECT count(*) FROM town", 10, 5).rows == [(2,)]


def test_what_others_write_is_seen(db: Database, path: Path):
    with closing(apsw.Connection(str(path))) as writer:
        writer.execute("INSERT INTO town VALUES (7, 'Bonn')")
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO town VALUES (8, 'Köln')")
    assert fetch(db, "SELECT max(id) FROM town", 10, 5).rows == [(8,)]


def test_the_clock_and_the_dice_are_real(db: Database):
    sql = "SELECT date('now') > '2026-01-01', NOW() > '2026-01-01', random() = random()"
    assert fetch(db, sql, 1, 5).rows == [(1, 1, 0)]
    numbers = {fetch(db, "SELECT random()", 1, 5).rows[0] for _ in range(3)}
    assert len(numbers) == 3


@pytest.mark.parametrize(("size", "length"), [("NULL", 1), ("'x'", 1), ("3", 3), ("-9e999", 1), ("9e999", None)])
def test_any_size_of_random_bytes(db: Database, size: str, length: int | None):
    sql = f"SELECT length(randomblob({size}))"
    if length is None:
        with pytest.raises(QueryError, match="too big"):
            fetch(db, sql, 1, 5)
    else:
        assert fetch(db, sql, 1, 5).rows == [(length,)]


@pytest.mark.parametrize(
    ("content", "said"), [(b"no database at all, but text" * 100, "not a database"), (b"", None)], ids=["text", "empty"]
)
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes, said: str | None):
    file = tmp_path / "x.sqlite"
    file.write_bytes(content)
    if said is None:  # to SQLite an empty file is an empty database
        assert open_database(parse_uri(f"sqlite:///{file}")).tables() == ()
        return
    with pytest.raises(UsageError, match=said):
        open_database(parse_uri(f"sqlite:///{file}"))


def test_check_compiles_and_does_not_run(db: Database):
    db.check(ENDLESS.format("count(*)"))
    for sql, said in (("SELEC", "syntax error"), ("SELECT nope FROM town", "no such column"), ("DROP VIEW big", "not")):
        with pytest.raises(QueryError, match=said):
            db.check(sql)
    assert "SCAN town" in db.plan("SELECT * FROM town")


def test_cancel_from_another_thread_before_anything_runs_is_harmless(db: Database):
    thread = threading.Thread(target=db.cancel)
    thread.start()
    thread.join()
    assert fetch(db, "SELECT 1", 1, 5).rows == [(1,)]
