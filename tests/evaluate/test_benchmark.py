"""Benchmarks: the layouts of Spider and BIRD and rows; and every way in which a folder may be no benchmark."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from small_benchmark import DATABASES, QUESTIONS, exclusively_held, write_database, write_questions

from sql_rl.errors import BusyError, UsageError
from sql_rl.evaluate.benchmark import open_benchmark


def test_spiders_layout(spider: Path):
    benchmark = open_benchmark(str(spider), None, None)
    assert benchmark.name == "small"
    assert [q.id for q in benchmark.questions] == ["0", "1", "2", "3", "4", "5"]
    first, last = benchmark.questions[0], benchmark.questions[-1]
    assert (first.db_id, first.example.question, first.example.gold) == QUESTIONS[0]
    assert first.example.database == spider / "database/shops/shops.sqlite"
    assert [q.hardness for q in benchmark.questions] == ["easy", "easy", "medium", "easy", "medium", "medium"]
    assert (last.example.row, last.db_id) == (5, "pets")
    assert set(benchmark.stamps) == {q.example.database for q in benchmark.questions}


def test_its_file_of_questions_is_it_too_and_a_limit_takes_the_first(spider: Path):
    (spider / "dev.json").rename(spider / "train_spider.json")
    benchmark = open_benchmark(str(spider / "train_spider.json"), None, 3)
    assert len(benchmark.questions) == 3
    assert len(benchmark.stamps) == 1


def test_birds_layout(tmp_path: Path):
    for name, script in DATABASES.items():
        write_database(tmp_path / "dev_databases" / name / f"{name}.sqlite", script)
    rows = [
        {
            "question_id": 40 + n,
            "db_id": db,
            "question": question,
            "evidence": "a hint",
            "SQL": gold,
            "difficulty": "moderate",
        }
        for n, (db, question, gold) in enumerate(QUESTIONS)
    ]
    (tmp_path / "mini_dev_sqlite.json").write_text(json.dumps(rows))
    question = open_benchmark(str(tmp_path), None, None).questions[1]
    assert (question.id, question.hardness, question.example.evidence) == ("41", "moderate", "a hint")
    assert question.example.gold == QUESTIONS[1][2]


def test_birds_published_file(shared: Path, tmp_path: Path):
    """The databases are not there: the first one is asked for by name."""
    shutil.copy(shared / "bird/mini_dev_40.json", tmp_path / "dev.json")
    with pytest.raises(UsageError, match=r"dev\.json without databases"):
        open_benchmark(str(tmp_path), None, None)
    (tmp_path / "dev_databases").mkdir()
    with pytest.raises(UsageError, match=r"databases missing: debit_card_specializing.*for \d+ questions"):
        open_benchmark(str(tmp_path), None, None)


def test_rows_in_gretels_columns(tmp_path: Path):
    rows = [
        {
            "id": 7,
            "domain": "retail",
            "sql_complexity": "basic SQL",
            "sql_prompt": "How many?",
            "sql_context": "CREATE TABLE t (a INT)",
            "sql": "SELECT count(*) FROM t",
        },
        {
            "id": 9,
            "domain": "sport",
            "sql_complexity": "",
            "sql_prompt": "All?",
            "sql_context": "CREATE TABLE t (a INT)",
            "sql": "SELECT * FROM t",
        },
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second = open_benchmark(str(path), None, None).questions
    assert (first.id, first.db_id, first.hardness, first.example.database) == ("7", "retail", "basic SQL", None)
    assert (second.hardness, second.example.context) == ("easy", "CREATE TABLE t (a INT)")


def test_the_identity_follows_questions_and_databases_not_dates(spider: Path):
    before = open_benchmark(str(spider), None, None).identity
    pets = spider / "database/pets/pets.sqlite"
    pets.touch()
    assert open_benchmark(str(spider), None, None).identity == before
    db = sqlite3.connect(pets)
    db.execute("UPDATE pet SET weight = 4.5 WHERE name = 'Tom'")
    db.commit()
    db.close()
    changed = open_benchmark(str(spider), None, None).identity
    assert changed != before
    write_questions(spider / "dev.json", evidence="new")
    assert open_benchmark(str(spider), None, None).identity not in (before, changed)


def without_databases(folder: Path) -> None:
    shutil.rmtree(folder / "database")


def without_questions(folder: Path) -> None:
    (folder / "dev.json").unlink()


def without_one(folder: Path) -> None:
    shutil.rmtree(folder / "database/pets")


def not_json(folder: Path) -> None:
    (folder / "dev.json").write_text('[{"db_id": ')


def no_array(folder: Path) -> None:
    (folder / "dev.json").write_text("{}")


def no_gold(folder: Path) -> None:
    (folder / "dev.json").write_text(json.dumps([{"db_id": "pets", "question": "Who?", "sql": {"select": []}}]))


def one_id_twice(folder: Path) -> None:
    write_questions(folder / "dev.json", id="one")


def no_database_file(folder: Path) -> None:
    (folder / "database/pets/pets.sqlite").write_text("version https://git-lfs.github.com/spec/v1\n" * 10)


def empty_file(folder: Path) -> None:
    (folder / "database/pets/pets.sqlite").write_text("")


def cut_off(folder: Path) -> None:
    path = folder / "database/pets/pets.sqlite"
    path.write_bytes(path.read_bytes()[:-4096])


def bad_schema(folder: Path) -> None:
    path = folder / "database/pets/pets.sqlite"
    content = bytearray(path.read_bytes())
    content[100:200] = b"\xff" * 100
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (without_databases, "dev.json without databases: none of the folders database, dev_databases"),
        (without_questions, "databases without questions: none of dev.json"),
        (without_one, "1 of 2 databases missing: pets (expected "),
        (not_json, "dev.json: not JSON"),
        (no_array, "dev.json: expected an array of questions"),
        (no_gold, "question 0: no query or SQL; it has db_id, question, sql"),
        (one_id_twice, "6 questions with the id 'one'"),
        (no_database_file, "pets.sqlite: not an SQLite database"),
        (empty_file, "pets.sqlite: not an SQLite database"),
        (cut_off, "pets.sqlite: cut off: 4,096 bytes, its header says 8,192"),
        (bad_schema, "pets.sqlite: damaged"),
    ],
)
def test_what_is_no_benchmark(spider: Path, damage, said: str):
    damage(spider)
    with pytest.raises(UsageError) as refusal:
        open_benchmark(str(spider), None, None)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_database_that_a_writer_holds(spider: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sql_rl.evaluate.databases.PATIENCE", 20)
    locked = pytest.raises(BusyError, match=r"pets\.sqlite: the database is locked")
    with exclusively_held(spider / "database/pets/pets.sqlite"), locked:
        open_benchmark(str(spider), None, None)
    assert len(open_benchmark(str(spider), None, None).questions) == 6


def test_a_database_whose_changes_are_not_in_it_yet(spider: Path):
    path = spider / "database/pets/pets.sqlite"
    writer = sqlite3.connect(path)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("DELETE FROM pet")
    writer.commit()
    with pytest.raises(BusyError, match=r"latest changes are in pets\.sqlite-wal"):
        open_benchmark(str(spider), None, None)
    writer.close()  # which brings them into the file
    before = sorted(path.parent.iterdir())
    assert len(open_benchmark(str(spider), None, None).questions) == 6
    assert sorted(path.parent.iterdir()) == before, "nothing is left beside it"
