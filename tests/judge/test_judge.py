"""The door: verdicts of whole judgements, through real worker processes."""

import pytest

from sql_rl.examples import Example
from sql_rl.judge import Judge, Verdict
from sql_rl.settings import JudgeSettings

CONTEXT = """CREATE TABLE pets (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, age INT);
INSERT INTO pets VALUES (1, 'Ada', 'cat', 3), (2, 'Bo', 'dog', 5), (3, 'Cy', 'cat', 8);"""


def example(gold: str, context: str = CONTEXT) -> Example:
    return Example(row=0, id="0", question="?", context=context, gold=gold)


@pytest.fixture
async def judge():
    async with Judge(JudgeSettings(workers=2, seconds=2.0)) as judge:
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
