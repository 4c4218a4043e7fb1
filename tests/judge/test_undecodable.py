"""Texts that are not UTF-8, as Spider's wta_1 holds them, in golds, predictions and variants; and rows that fail."""

import sqlite3
from pathlib import Path

import apsw
import pytest

from sql_rl.judge.bench import Bench
from sql_rl.judge.database import GIVEN_BYTES, given_rows
from sql_rl.judge.schema import read_schema
from sql_rl.judge.undecodable import rows_of
from sql_rl.judge.verdict import Verdict
from sql_rl.settings import JudgeSettings

SCRIPT = """
CREATE TABLE player (id INT, name TEXT, country TEXT);
INSERT INTO player VALUES (1, 'Graf', 'GER'), (2, CAST(x'416c62ed4e' AS TEXT), 'ESP'), (3, 'Ho', 'ESP');
"""
ODD = "Alb\ufffdN"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "players.sqlite"
    with sqlite3.connect(path) as db:
        db.executescript(SCRIPT)
    return path


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT name FROM player ORDER BY id", [("Graf",), (ODD,), ("Ho",)]),
        ("SELECT name FROM player ORDER BY name DESC LIMIT 2;", [("Ho",), ("Graf",)]),
        ("SELECT name, x'ff', 1.5, NULL, name FROM player WHERE id = 2", [(ODD, b"\xff", 1.5, None, ODD)]),
        ("WITH p AS (SELECT name n FROM player) SELECT n FROM p WHERE n > 'H' UNION ALL SELECT n FROM p",
         [("Ho",), ("Graf",), (ODD,), ("Ho",)]),
        ("VALUES (7) UNION ALL SELECT name FROM player -- all of them", [(7,), ("Graf",), (ODD,), ("Ho",)]),
        ("SELECT length(name), upper(name) FROM player WHERE id = 2", [(5, "ALB\ufffdN")]),
    ],
)  # fmt: skip
def test_rows_in_their_order(path: Path, sql: str, rows: list[tuple]):
    db = apsw.Connection(str(path))
    assert list(rows_of(db, sql)) == rows


@pytest.mark.parametrize(
    ("gold", "sql", "verdict"),
    [
        ("SELECT name FROM player", "SELECT p.name FROM player AS p", Verdict.MATCH),
        ("SELECT name FROM player ORDER BY id", "SELECT name FROM player ORDER BY id DESC", Verdict.MISMATCH),
        ("SELECT country, count(*) FROM player GROUP BY 1", "SELECT country, count(id) FROM player GROUP BY country",
         Verdict.MATCH),
        ("SELECT id FROM player WHERE country = 'ESP'", "SELECT id FROM player WHERE id > 1", Verdict.LUCKY),
        ("SELECT id FROM player", "SELECT reverse(name) FROM player", Verdict.ERROR),
    ],
)  # fmt: skip
def test_verdicts(path: Path, gold: str, sql: str, verdict: Verdict):
    bench = Bench(JudgeSettings(variants=4), announce=lambda phase: None)
    scores = bench.score(str(path), "", gold, sql)
    assert (scores.judgement.verdict, scores.spider) == (verdict, verdict in (Verdict.MATCH, Verdict.LUCKY))


def test_tables_that_cannot_be_read_give_no_raw_material(tmp_path: Path):
    path = tmp_path / "odd.sqlite"
    db = apsw.Connection(str(path))
    db.execute(
        "CREATE TABLE large (a); INSERT INTO large VALUES (1), (zeroblob(3000000));"
        "CREATE TABLE heavy (a); INSERT INTO heavy WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
        " WHERE i < 100) SELECT zeroblob(900000) FROM n;"
        "CREATE TABLE good (a); INSERT INTO good VALUES (7)"
    )
    db.close()
    bench = Bench(JudgeSettings(variants=2), announce=lambda phase: None)
    scores = bench.score(str(path), "", "SELECT a FROM good", "SELECT g.a FROM good AS g")
    assert scores.judgement.verdict is Verdict.MATCH
    ground = bench._ground(str(path), "")
    found = given_rows(ground.db, read_schema(ground.db))
    assert found["large"] == [(1,)] and found["good"] == [(7,)]
    assert sum(len(value) for (value,) in found["heavy"]) <= GIVEN_BYTES + 900_000
