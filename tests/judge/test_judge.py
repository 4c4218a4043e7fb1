"""The door: verdicts of whole judgements, through real worker processes."""

import asyncio

import apsw
import pytest
import pytest_asyncio

from sql_rl.examples import Example
from sql_rl.judge import Judge, Verdict
from sql_rl.settings import JudgeSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTEXT = """CREATE TABLE pets (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, age INT);
INSERT INTO pets VALUES (1, 'Ada', 'cat', 3), (2, 'Bo', 'dog', 5), (3, 'Cy', 'cat', 8);"""


def example(gold: str, context: str = CONTEXT) -> Example:
    return Example(row=0, id="0", question="?", context=context, gold=gold)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def judge():
    async with Judge(JudgeSettings(workers=2, seconds=4.0)) as judge:
        yield judge


GOLD = "SELECT name FROM pets WHERE kind = 'cat'"


@pytest.mark.parametrize(
    ("sql", "verdict"),
    [
        (GOLD, Verdict.MATCH),
        ("select p.name from pets as p where p.kind = 'cat';", Verdict.MATCH),
        ("-- the cats\nSELECT name FROM pets WHERE kind IN ('cat')", Verdict.MATCH),
        ("SELECT name FROM pets", Verdict.MISMATCH),
        ("SELECT nme FROM pets", Verdict.ERROR),
        ("The cats are Ada and Cy.", Verdict.ERROR),
        (f"{GOLD}; {GOLD}", Verdict.ERROR),
        ("DELETE FROM pets", Verdict.UNSAFE),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n", Verdict.TIMEOUT),
        ("SELECT zeroblob(100000000)", Verdict.TOO_BIG),
        ("", Verdict.NO_SQL),
        (" ; ", Verdict.NO_SQL),
        (None, Verdict.NO_SQL),
    ],
)
async def test_each_verdict_is_reached(judge, sql, verdict):
    assert (await judge.judge(example(GOLD), sql)).verdict is verdict


async def test_a_gold_that_cannot_run_is_no_verdict_on_the_query(judge):
    judgement = await judge.judge(example("SELECT nme FROM pets"), GOLD)
    assert judgement.verdict is Verdict.GOLD_BROKEN
    assert "no such column: nme" in judgement.reason


async def test_right_on_the_given_data_only_is_lucky(judge):
    judgement = await judge.judge(example(GOLD), "SELECT name FROM pets WHERE id <> 2")
    assert judgement.verdict is Verdict.LUCKY
    assert judgement.database.startswith("variant")
    assert judgement.rows == 2


async def test_a_judgement_tells_how_the_query_was_read(judge):
    judgement = await judge.judge(
        example("SELECT name FROM pets ORDER BY age LIMIT 1"), "SELECT TOP 1 name FROM pets ORDER BY age"
    )
    assert judgement.verdict is Verdict.MATCH
    assert (judgement.dialect, judgement.executed_sql) == ("tsql", "SELECT name FROM pets ORDER BY age LIMIT 1")


async def test_the_same_question_gets_the_same_judgement_from_every_worker():
    asked = [(example(GOLD), sql) for sql in (GOLD + " ", "SELECT name FROM pets WHERE id <> 2", "SELECT 1", "x")]
    judgements = []
    for workers in (1, 3):
        async with Judge(JudgeSettings(workers=workers)) as judge:
            judgements.append(await asyncio.gather(*(judge.judge(*question) for question in asked * 10)))
    assert judgements[0] == judgements[1]


CHANGED = [  # a gold that changes data, a query, its verdict
    ("DELETE FROM pets WHERE kind = 'dog'", "DELETE FROM pets WHERE kind IN ('dog')", Verdict.MATCH),
    ("DELETE FROM pets WHERE kind = 'dog'", "DELETE FROM pets WHERE id = 2", Verdict.LUCKY),
    ("DELETE FROM pets WHERE kind = 'dog'", "DELETE FROM pets", Verdict.MISMATCH),
    ("DELETE FROM pets WHERE kind = 'dog'", "SELECT * FROM pets WHERE kind = 'dog'", Verdict.MISMATCH),
    ("UPDATE pets SET age = age + 1", "UPDATE pets SET age = 1 + age", Verdict.MATCH),
    ("UPDATE pets SET age = 4 WHERE id = 1", "UPDATE pets SET age = 4 WHERE name = 'Ada'", Verdict.LUCKY),
    ("INSERT INTO pets (id, name) VALUES (4, 'Di')", "INSERT INTO pets (name, id) VALUES ('Di', 4)", Verdict.MATCH),
    ("INSERT INTO pets (id, name) VALUES (4, 'Di')", "INSERT INTO pets VALUES (4, 'Di')", Verdict.ERROR),
    ("CREATE TABLE toys (id INT, name TEXT)", "CREATE TABLE toys (name VARCHAR(9), id INT)", Verdict.MATCH),
    ("CREATE TABLE toys (id INT, name TEXT)", "CREATE TABLE toys (id INT)", Verdict.MISMATCH),
    ("CREATE VIEW cats AS SELECT name FROM pets WHERE kind = 'cat'",
     "CREATE VIEW cats AS SELECT name FROM pets WHERE 'cat' = kind", Verdict.MATCH),
    ("CREATE VIEW cats AS SELECT name FROM pets WHERE kind = 'cat'",
     "CREATE VIEW cats AS SELECT name FROM pets", Verdict.MISMATCH),
    ("ALTER TABLE pets ADD COLUMN chip TEXT", "ALTER TABLE pets ADD chip VARCHAR(20)", Verdict.MATCH),
    ("ALTER TABLE pets RENAME COLUMN age TO years", "ALTER TABLE pets RENAME COLUMN age TO year", Verdict.MISMATCH),
    ("DROP TABLE pets", "DROP TABLE IF EXISTS pets", Verdict.MATCH),
    ("TRUNCATE TABLE pets", "DELETE FROM pets", Verdict.MATCH),
    ("DELETE FROM pets", "PRAGMA user_version = 1", Verdict.UNSAFE),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "sql", "verdict"), CHANGED)
async def test_a_change_is_judged_by_the_state_after_it(judge, gold, sql, verdict):
    judgement = await judge.judge(example(gold), sql)
    assert judgement.verdict is verdict, judgement


BAD_CONTEXTS = [  # a context, a gold, the verdict on the gold itself, what its reason tells
    ("", "SELECT 1", Verdict.MATCH, ""),
    ("", "SELECT a FROM t", Verdict.GOLD_BROKEN, "no such table: t"),
    ("this is no SQL", "SELECT a FROM t", Verdict.GOLD_BROKEN, "statement 1 of the context"),
    ("CREATE TABLE t (a INT); INSERT INTO t VALUES (1, 2)", "SELECT a FROM t", Verdict.MATCH, ""),
    ("CREATE TABLE t (a INT", "SELECT a FROM t", Verdict.GOLD_BROKEN, "statement 1 of the context"),
    ("CREATE TABLE t (a INT);" + "INSERT INTO t VALUES (1);" * 30_000, "SELECT count(*) FROM t", Verdict.MATCH, ""),
    ("".join(f"CREATE TABLE t{n} (a INT PRIMARY KEY, b INT REFERENCES t{(n + 1) % 200}(a));" for n in range(200)),
     "SELECT t0.a FROM t0 JOIN t1 ON t0.b = t1.a", Verdict.MATCH, ""),
    ('CREATE TABLE "select" ("from" INT, "日本" TEXT)', 'SELECT "from" FROM "select" WHERE "日本" = \'x\'',
     Verdict.MATCH, ""),
    ("CREATE TABLE t (a INT)\x00;", "SELECT a FROM t", Verdict.GOLD_BROKEN, "statement 1"),
    ("CREATE TABLE t (a INT)", "", Verdict.GOLD_BROKEN, "there is no statement"),
    ("CREATE TABLE t (a INT)", "SELECT a FROM t; SELECT a FROM t", Verdict.GOLD_BROKEN, "2 statements"),
    ("CREATE TABLE t (a INT CHECK (a > 5), b INT NOT NULL UNIQUE, c AS (a + b))", "SELECT c FROM t WHERE a > 7",
     Verdict.MATCH, ""),
    ("CREATE VIEW v AS SELECT a FROM missing", "SELECT a FROM v", Verdict.GOLD_BROKEN, "no such table: main.missing"),
]  # fmt: skip


@pytest.mark.parametrize(("context", "gold", "verdict", "reason"), BAD_CONTEXTS)
async def test_bad_input_is_a_verdict_with_a_reason(judge, context, gold, verdict, reason):
    asked = f"SELECT * FROM ({gold})" if gold else "SELECT 1"  # not the gold's own text, so that variants are made
    judgement = await judge.judge(example(gold, context), asked)
    assert judgement.verdict is verdict, judgement
    assert reason in judgement.reason


@pytest.mark.parametrize("path", ["missing.sqlite", "text.sqlite"])
async def test_a_file_that_is_no_database_breaks_the_gold(judge, tmp_path, path):
    (tmp_path / "text.sqlite").write_text("no database")
    asked = Example(row=0, id="0", question="?", context="", gold="SELECT 1 FROM t", database=tmp_path / path)
    judgement = await judge.judge(asked, "SELECT 2 FROM t")
    assert judgement.verdict is Verdict.GOLD_BROKEN
    assert path in judgement.reason or "not a database" in judgement.reason


async def test_what_runs_on_a_database_file_means_what_sqlite_makes_of_it(judge, tmp_path):
    """CAST … AS DATE is the year in SQLite; on a context, whose dialect is not known, it is a date."""
    path = tmp_path / "d.sqlite"
    apsw.Connection(str(path)).execute(CONTEXT)
    sql = "SELECT CAST('2024-06-01' AS DATE) FROM pets WHERE id = 1"
    on_file = Example(row=0, id="0", question="?", context="", gold=sql, database=path)
    assert (await judge.run(on_file, sql)).rows == ((2024,),)
    assert (await judge.run(example(sql), sql)).rows == (("2024-06-01",),)


async def test_scores_by_every_rule(judge):
    """DISTINCT lost: right for Spider's default and BIRD, wrong for us and where DISTINCT is kept."""
    scores = await judge.score(example("SELECT DISTINCT kind FROM pets"), "SELECT kind FROM pets")
    assert (scores.spider, scores.bird, scores.spider_suite) == (True, True, True)
    assert (scores.spider_keep_distinct, scores.strict, scores.suite) == (False, False, False)
    assert scores.judgement.verdict is Verdict.MISMATCH
    right = await judge.score(example(GOLD), GOLD)
    assert right.spider and right.spider_keep_distinct and right.bird and right.strict and right.spider_suite
    failed = await judge.score(example(GOLD), "SELECT nme FROM pets")
    assert failed.error == "no such column: nme"
    assert not (failed.spider or failed.bird or failed.suite)


async def test_queries_are_grouped_by_their_answers(judge):
    votes = await judge.group(
        example(GOLD),
        [
            GOLD,
            "SELECT nme FROM pets",
            "SELECT name FROM pets WHERE kind IN ('cat')",
            "SELECT name FROM pets WHERE id <> 2",  # the same on the given data only
            "SELECT name FROM pets WHERE kind = 'cow'",
            None,
        ],
    )
    assert [vote.group for vote in votes] == [0, None, 0, 1, 2, None]
    assert [vote.empty for vote in votes] == [False, False, False, False, True, False]
    assert votes[1].error == "no such column: nme"


async def test_a_query_that_kills_its_worker_costs_no_other_its_vote(judge):
    zeros = "substr(hex(zeroblob(499999)), 1, {})"
    one_long_step = f"SELECT instr({zeros.format(999_998)}, {zeros.format(500_000)} || 'b')"
    votes = await judge.group(example(GOLD), [GOLD, one_long_step, GOLD])
    assert [vote.group for vote in votes] == [0, None, 0]


async def test_queries_are_grouped_without_a_gold(judge):
    votes = await judge.group(example("no gold"), [GOLD, GOLD + " ", "SELECT 1"])
    assert [vote.group for vote in votes] == [0, 0, 1]


async def test_a_result_for_reports(judge):
    table = await judge.run(example("no gold"), "SELECT id, name, x'00ff' AS b FROM pets ORDER BY id", max_rows=2)
    assert table.columns == ("id", "name", "b")
    assert table.rows == ((1, "Ada", {"blob": "00ff"}), (2, "Bo", {"blob": "00ff"}))
    assert table.cut
    assert (await judge.run(example("no gold"), "SELECT nme FROM pets")).error == "no such column: nme"
