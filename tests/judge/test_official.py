"""The published rules: tables of decided cases, and every verdict of Spider's own evaluator, if its data is at hand."""

import json
from pathlib import Path

import apsw
import pytest
from small_benchmark import write_database

from sql_rl.judge.bench import Bench
from sql_rl.judge.compare import Result
from sql_rl.judge.dialects.functions import ADDED, register
from sql_rl.judge.official import bird, spider, spider_prediction, spider_text, strip_distinct
from sql_rl.settings import JudgeSettings

SPIDER = Path(__file__).parents[3] / "shared/data/spider"
SYSTEMS = ("dail_gpt4", "codes_7b", "chatgpt_thu_bpm", "qwen25coder15b_base_0shot")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT DISTINCT a FROM t", "SELECT  a FROM t"),
        ("select count(distinct a) from t", "select count( a) from t"),
        ("SELECT a FROM t WHERE b = 'distinct'", "SELECT a FROM t WHERE b = 'distinct'"),
        ("SELECT 'it''s distinct', DISTINCT", "SELECT 'it''s distinct', "),
        ('SELECT "distinct", `distinct`, [distinct] FROM t', 'SELECT "distinct", `distinct`, [distinct] FROM t'),
        ("SELECT distinctive FROM t -- distinct", "SELECT distinctive FROM t -- distinct"),
        ("SELECT /* distinct */ DISTINCT a", "SELECT /* distinct */  a"),
        ("SELECT 'never closed distinct", "SELECT 'never closed "),
    ],
)
def test_strip_distinct(sql, expected):
    assert strip_distinct(sql) == expected


@pytest.mark.parametrize(
    ("sql", "keep", "expected"),
    [
        ("SELECT a WHERE b > = 1 AND c < = 2 AND d ! = 3", False, "SELECT a WHERE b >= 1 AND c <= 2 AND d != 3"),
        ("SELECT DISTINCT a FROM t", True, "SELECT DISTINCT a FROM t"),
        ("SELECT a FROM t WHERE y = YEAR(CURDATE())", False, "SELECT a FROM t WHERE y = 2020"),
    ],
)  # fmt: skip
def test_spider_text(sql, keep, expected):
    assert spider_text(sql, keep) == expected


def test_a_predicted_placeholder_is_one():
    assert spider_prediction("SELECT a FROM t WHERE b = value") == "SELECT a FROM t WHERE b = 1"


@pytest.mark.parametrize(
    ("gold", "predicted", "text", "expected"),
    [
        ([(1,), (2,)], [(2,), (1,)], "SELECT a", True),
        ([(1,), (2,)], [(2,), (1,)], "SELECT a ORDER BY a", False),
        ([(1,), (2,)], [(2,), (1,)], "SELECT a WHERE b IN (SELECT b ORDER BY c)", False),  # anywhere in the text
        ([(1, "a")], [("a", 1)], "SELECT a, b", True),
        ([(1, 2), (2, 1)], [(2, 1), (1, 2)], "SELECT a, b ORDER BY a", True),
        ([(1, "a"), (2, "b")], [("b", 1), ("a", 2)], "SELECT a, b", False),
        ([(1,), (1,)], [(1,)], "SELECT a", False),
        ([(1,), (1,), (2,)], [(1,), (2,), (2,)], "SELECT a", False),
        ([(5,)], [(5.0,)], "SELECT a", True),
        ([(0.6,)], [(0.6000000000000001,)], "SELECT a", False),
        ([(None,)], [("",)], "SELECT a", False),
        ([], [], "SELECT a", True),
        ([(1,)], [(1, 1)], "SELECT a", False),
    ],
)
def test_spider_rule(gold, predicted, text, expected):
    width = lambda rows: len(rows[0]) if rows else 0  # noqa: E731
    assert spider(Result(gold, width(gold)), Result(predicted, width(predicted)), text) is expected


def test_empty_results_are_equal_to_spider_whatever_their_columns():
    assert spider(Result([], 1), Result([], 3), "SELECT a")


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ([(1,), (1,), (2,)], [(2,), (1,)], True),
        ([(1, "a")], [("a", 1)], False),
        ([(5,)], [(5.0,)], True),
        ([], [], True),
    ],
)
def test_bird_rule(gold, predicted, expected):
    assert bird(Result(gold, 1), Result(predicted, 1)) is expected


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT TOP 1 count(*) FROM shop",
        "SELECT count(*) FROM shop WHERE LEFT(town, 1) <> '?'",
        "SELECT count(*) FROM shop WHERE REVERSE(town) <> '?'",
        "SELECT count(*) FROM shop WHERE town REGEXP '.'",
        "SELECT count(*) FROM shop WHERE town >= ALL (SELECT min(town) FROM shop)",
    ],
)
def test_what_sqlite_itself_does_not_take_is_wrong_by_the_published_rules_of_files(tmp_path: Path, sql: str):
    script = "CREATE TABLE shop (town TEXT); INSERT INTO shop VALUES ('Ulm'), ('Bonn')"
    path = write_database(tmp_path / "shops.sqlite", script)
    bench = Bench(JudgeSettings(variants=0), announce=lambda phase: None)
    for database, right in ((str(path), False), (None, True)):
        scores = bench.score(database, script, "SELECT count(*) FROM shop", sql)
        assert scores.strict, scores.judgement
        assert (scores.spider, scores.spider_keep_distinct, scores.bird, scores.spider_suite) == (right,) * 4


def test_birds_rule_looks_at_all_rows_of_a_result_that_is_cut(tmp_path: Path):
    """Of 50,000 rows 100 are kept; what is behind them counts."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 49999)"
    script = f"CREATE TABLE t (a INT, b INT); INSERT INTO t {numbers} SELECT i / 40000, i / 49999 FROM n"
    path = write_database(tmp_path / "t.sqlite", script)
    bench = Bench(JudgeSettings(variants=0, max_rows=100), announce=lambda phase: None)
    for gold, sql, right in (
        ("SELECT DISTINCT a FROM t", "SELECT a FROM t", True),
        ("SELECT 0", "SELECT b FROM t", False),
        ("SELECT DISTINCT a FROM t", "SELECT rowid FROM t", False),
    ):
        scores = bench.score(str(path), "", gold, sql)
        assert (scores.bird, scores.strict, scores.spider_keep_distinct) == (right, False, False)


def test_every_function_of_ours_is_known_as_such():
    plain, ours = apsw.Connection(":memory:"), apsw.Connection(":memory:")
    register(ours, "2024-01-01 00:00:00")
    own, all_ = (
        {name.lower() for (name,) in db.execute("SELECT name FROM pragma_function_list")} for db in (plain, ours)
    )
    assert all_ - own == ADDED


@pytest.mark.skipif(not SPIDER.exists(), reason="Spider dev is not at hand (../shared/data/spider)")
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("keep_distinct", [False, True])
def test_every_verdict_of_spiders_evaluator(system, keep_distinct):
    queries = (SPIDER / f"predictions/{system}.sql").read_text().splitlines()
    verdicts = (SPIDER / f"predictions/{system}.verdicts.jsonl").read_text().splitlines()
    rule = "spider_keep_distinct" if keep_distinct else "spider"
    wrong = [
        (question["query"], predicted)
        for question, predicted, line in zip(
            json.loads((SPIDER / "dev.json").read_text()), queries, verdicts, strict=True
        )
        if _verdict(question, predicted, keep_distinct) != bool(json.loads(line)[rule])
    ]
    assert wrong == []


_databases: dict[str, apsw.Connection] = {}


def _verdict(question: dict, predicted: str, keep_distinct: bool) -> bool:
    gold = _run(question["db_id"], spider_text(question["query"], keep_distinct))
    result = _run(question["db_id"], spider_text(spider_prediction(predicted), keep_distinct))
    return result is not None and spider(gold, result, question["query"])


def _run(name: str, sql: str) -> Result | None:
    """The result of one statement on a copy in memory, None for an error."""
    if name not in _databases:
        disk = apsw.Connection(str(SPIDER / f"database/{name}/{name}.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
        _databases[name] = apsw.Connection(":memory:")
        with _databases[name].backup("main", disk, "main") as backup:
            backup.step()
    try:
        rows = _databases[name].execute(sql).fetchall()
    except apsw.Error:
        return None
    return Result(rows, len(rows[0]) if rows else 0)
