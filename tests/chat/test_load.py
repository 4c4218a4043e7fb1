"""`/load`: scripts of any dialect, CSV and Parquet, as a whole or not at all."""

import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sql_rl.chat.databases import open_database
from sql_rl.chat.databases.supervise import fetch
from sql_rl.chat.load import load
from sql_rl.chat.uri import parse_uri
from sql_rl.errors import UsageError

NOW = "2024-06-01 12:00:00"


@pytest.fixture
def db():
    return open_database(parse_uri(None))


def rows(db, sql: str) -> list[tuple]:
    return fetch(db, sql, 100, 5).rows


def write(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content)
    return folder / name


def test_files_add_up(db, tmp_path: Path):
    dump = (
        "PRAGMA foreign_keys=OFF; BEGIN TRANSACTION; CREATE TABLE town (id INTEGER PRIMARY KEY, name TEXT);"
        "INSERT INTO town VALUES (1, 'Ulm'), (2, 'a;b'); COMMIT;"
    )
    mysql = (
        "CREATE TABLE `shop` (`id` int AUTO_INCREMENT, town int, PRIMARY KEY (`id`)) ENGINE=InnoDB;"
        "INSERT INTO `shop` (town) VALUES (1), (1), (2);"
    )
    assert load(db, write(tmp_path, "dump.sql", dump), NOW) == "dump.sql: town"
    assert load(db, write(tmp_path, "mysql.sql", mysql), NOW) == "mysql.sql: shop"
    csv = "id,day,ok,price,note\n1,2020-01-02,true,1.5,NA\n2,,false,2,\n"
    assert load(db, write(tmp_path, "the prices.csv", csv), NOW) == "the prices.csv: the_prices, 2 rows of 5 columns"
    assert rows(db, "SELECT count(*) FROM shop JOIN town ON town = town.id WHERE name = 'Ulm'") == [(2,)]
    assert rows(db, "SELECT * FROM the_prices") == [(1, "2020-01-02", 1, 1.5, "NA"), (2, None, 0, 2.0, None)]
    assert db.tables()[2].definition == (
        'CREATE TABLE "the_prices" ("id" INTEGER, "day" DATE, "ok" BOOLEAN, "price" REAL, "note" TEXT);'
    )


def test_parquet_with_all_kinds_of_columns(db, tmp_path: Path):
    table = pa.table(
        {
            "n": pa.array([1, None], pa.int64()),
            "d": pa.array([Decimal("1.50"), None], pa.decimal128(5, 2)),
            "t": pa.array([datetime.datetime(2024, 1, 2, 3, 4), None]),
            "l": pa.array([[1, 2], None]),
            "s": pa.array([{"a": "ä"}, None]),
            "b": pa.array([b"\x00", None]),
            "f": pa.array([b"\x01\x02", None], pa.binary(2)),
            "u": pa.array([2**64 - 1, None], pa.uint64()),
            'odd "name"': pa.array(["x", None]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "all.parquet")
    load(db, tmp_path / "all.parquet", NOW)
    assert rows(db, 'SELECT * FROM "all"') == [
        (1, 1.5, "2024-01-02 03:04:00", "[1, 2]", '{"a": "ä"}', b"\x00", b"\x01\x02", 2.0**64, "x"),
        (None,) * 9,
    ]
    assert '"f" BLOB' in db.tables()[0].definition


@pytest.mark.parametrize(
    "column", [pa.array([10**15], pa.timestamp("s")), pa.array([10**7], pa.date32())], ids=["timestamp", "date"]
)
def test_a_date_that_nobody_can_write_is_told(db, tmp_path: Path, column: pa.Array):
    pq.write_table(pa.table({"d": column}), tmp_path / "far.parquet")
    with pytest.raises(UsageError, match=r"far\.parquet: a value is out of range"):
        load(db, tmp_path / "far.parquet", NOW)
    assert db.tables() == ()


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("a;b\n1;2,5\n", ("a", "b")),
        ("a\tb,c\td\n1\t2\t3\n", ("a", "b,c", "d")),
        ('"a;b;c",d\n1,2\n', ("a;b;c", "d")),
        ("a\n1\n", ("a",)),
        ("a;b\r1;2\r", ("a", "b")),
    ],
)
def test_what_parts_the_columns_shows_in_the_header(db, tmp_path: Path, content: str, columns: tuple[str, ...]):
    load(db, write(tmp_path, "x.csv", content), NOW)
    assert db.tables()[0].columns == columns


def test_a_column_whose_type_shows_late(db, tmp_path: Path):
    numbers = "\n".join(map(str, range(400_000)))
    load(db, write(tmp_path, "late.csv", f"n\n{numbers}\nmany\n"), NOW)
    assert rows(db, "SELECT count(*), max(n) FROM late") == [(400_001, "many")]


def test_what_cannot_be_run_is_left_out_and_told(db, tmp_path: Path):
    script = "CREATE TABLE a (x INT); INSERT INTO b VALUES (1); ATTACH 'x.db' AS x; CREATE TABLE c (y INT);"
    said = load(db, write(tmp_path, "some.sql", script), NOW)
    assert "no such table: b" in said and "not allowed: ATTACH" in said
    assert {table.name for table in db.tables()} == {"a", "c"}
    assert not (tmp_path / "x.db").exists()


WRONG = {
    "none.csv": (None, "no such file"),
    "data.txt": ("a", "only .sql, .csv or .parquet"),
    "bad.sql": ("nonsense;", "statement 1: near"),
    "bad.parquet": ("nonsense", "arquet"),
    "bad.csv": ("a,b\n1\n", "Expected 2 columns, got 1"),
    "town.csv": ("id\n1\n", "there is a table town already: rename the file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_cannot_be_loaded_changes_nothing(db, tmp_path: Path, name: str):
    load(db, write(tmp_path, "first.sql", "CREATE TABLE town (id INT)"), NOW)
    content, said = WRONG[name]
    if content is not None:
        write(tmp_path, name, content)
    with pytest.raises(UsageError) as caught:
        load(db, tmp_path / name, NOW)
    assert str(caught.value).startswith(str(tmp_path / name)) and said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [table.name for table in db.tables()] == ["town"]


def test_bytes_that_are_no_text(db, tmp_path: Path):
    (tmp_path / "latin.sql").write_bytes("CREATE TABLE köln (a)".encode("latin-1"))
    with pytest.raises(UsageError, match="utf-8"):
        load(db, tmp_path / "latin.sql", NOW)


def test_a_file_on_disk_is_not_loaded_into(tmp_path: Path):
    (tmp_path / "x.sqlite").touch()
    database = open_database(parse_uri(f"sqlite:///{tmp_path}/x.sqlite"))
    with pytest.raises(UsageError, match="is only read"):
        load(database, write(tmp_path, "a.csv", "a\n1\n"), NOW)
