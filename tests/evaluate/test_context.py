"""What a prompt shows of a database: the dump a student was trained on where it is small, less where it is not."""

import sqlite3
from pathlib import Path

import pyarrow.parquet as pq
from small_benchmark import PETS, write_database

from sql_rl.evaluate.context import renderings

DUMP = """CREATE TABLE pet (name TEXT, kind TEXT, weight REAL);
INSERT INTO "pet" VALUES('Rex','dog',12.5);
INSERT INTO "pet" VALUES('Tom','cat',4.0);
INSERT INTO "pet" VALUES('Ida','cat',3.5);
CREATE VIEW cat AS SELECT name FROM pet WHERE kind = 'cat';"""


def test_a_small_database_is_shown_whole(tmp_path: Path):
    path = write_database(tmp_path / "pets.sqlite", PETS)
    dump, schema = renderings(path, 10_000)
    assert dump == DUMP
    assert schema == "\n".join(line for line in DUMP.splitlines() if not line.startswith("INSERT"))


def test_a_larger_one_with_its_first_rows_and_long_texts_cut(tmp_path: Path):
    path = write_database(tmp_path / "pets.sqlite", PETS)
    db = sqlite3.connect(path)
    db.executemany("INSERT INTO pet VALUES (?, 'cat', 1)", [("x" * 500,)] * 5)
    db.execute("UPDATE pet SET name = name || ? WHERE name = 'Tom'", ("y" * 200,))
    db.commit()
    db.close()
    few, schema = renderings(path, 2_000)
    assert few.count("INSERT") == 3
    assert "'Tom" + "y" * 76 + "…'" in few
    assert renderings(path, 100) == [schema], "the schema is shown whatever its length"


def test_a_text_that_is_not_utf_8_is_shown_as_far_as_it_is(tmp_path: Path):
    path = write_database(tmp_path / "pets.sqlite", PETS + "UPDATE pet SET name = CAST(x'546fed6d' AS TEXT);")
    assert renderings(path, 10_000)[0].count("'To\ufffdm'") == 3


def test_it_is_what_a_student_was_trained_on(shared: Path):
    """Byte for byte the sql_context of rows that Python's sqlite3 dumped."""
    contexts = {
        row["domain"]: row["sql_context"] for row in pq.read_table(shared / "spider/dev_rows.parquet").to_pylist()
    }
    assert len(contexts) == 16
    for name, context in contexts.items():
        assert renderings(shared / f"spider/database/{name}/{name}.sqlite", 30_000)[0] == context.strip(), name
