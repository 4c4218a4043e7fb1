"""The audit: from golds to findings, funnel and remarks; and of real golds through the judge."""

import pytest

from sql_rl.examples import Example
from sql_rl.judge import GoldAudit, Judge
from sql_rl.judge.audit import BROKEN, DUPLICATE, EMPTY, KEPT, OPEN, findings, funnel, remarks
from sql_rl.settings import JudgeSettings

CONTEXT = """CREATE TABLE pets (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, age INT);
INSERT INTO pets VALUES (1, 'Ada', 'cat', 3), (2, 'Bo', 'dog', 3), (3, 'Cy', 'cat', 8);"""


def example(row: int, question: str, gold: str = "", context: str = CONTEXT) -> Example:
    return Example(row=row, id=f"id{row}", question=question, context=context, gold=gold)


def test_each_example_leaves_the_funnel_at_the_first_stage_that_applies():
    audits = [
        (example(0, "Which pets?"), GoldAudit()),
        (example(1, "which  PETS?"), GoldAudit()),
        (example(2, "Which pets?", context="other"), GoldAudit()),
        (example(3, "Which pets?"), GoldAudit(broken="gold: no such table: t")),
        (example(4, "The oldest?"), GoldAudit(non_deterministic=True, constant=True)),
        (example(5, "The cows?"), GoldAudit(empty=True, not_separable="the gold is empty on every database")),
        (example(6, "The dogs?"), GoldAudit(empty=True)),
        (example(7, "How many?"), GoldAudit(reads=False, problems=("statement 1: x",), dialect="mysql")),
    ]
    found = findings([example for example, _ in audits], [audit for _, audit in audits])
    assert [finding.stage for finding in found] == [KEPT, DUPLICATE, KEPT, BROKEN, OPEN, EMPTY, KEPT, KEPT]
    assert [finding.duplicate_of for finding in found] == [None, 0, None, 0, None, None, None, None]
    assert [finding.kept for finding in found] == [finding.stage == KEPT for finding in found]
    counts = dict(funnel(found))
    assert counts == {BROKEN: 1, DUPLICATE: 1, OPEN: 1, EMPTY: 1, KEPT: 4}
    assert sum(counts.values()) == len(audits)
    told = dict(remarks(found))
    assert told["data-changing"] == 1
    assert told["empty on the given data"] == 1
    assert told["read in another dialect than SQLite's"] == 1


GOLDS = [
    ("SELECT name FROM pets WHERE kind = 'cat'", {"rows": 2, "empty": False, "not_separable": ""}),
    ("SELECT name FROM pets WHERE kind = 'cow'", {"rows": 0, "empty": True, "not_separable": ""}),
    ("SELECT name FROM pets ORDER BY age LIMIT 1", {"non_deterministic": True}),
    ("SELECT name FROM pets ORDER BY RANDOM() LIMIT 1", {"non_deterministic": True}),
    ("SELECT name FROM pets ORDER BY age DESC LIMIT 1", {"non_deterministic": False}),
    ("SELECT 1 FROM pets WHERE 1 = 0", {"constant": True, "not_separable": "the gold is empty on every database"}),
    ("SELECT 42", {"constant": True, "not_separable": "the gold gives the same on every database"}),
    ("SELECT TOP 1 name FROM pets ORDER BY age DESC", {"dialect": "tsql", "rows": 1}),
    ("DELETE FROM pets WHERE kind = 'cat'", {"reads": False, "rows": None, "empty": False}),
    ("DELETE FROM pets WHERE kind = 'cow'", {"reads": False, "empty": True}),
    ("SELECT nme FROM pets", {"broken": "gold: no such column: nme"}),
]


@pytest.mark.parametrize(("gold", "expected"), GOLDS)
async def test_what_the_judge_knows_of_a_gold(gold, expected):
    async with Judge(JudgeSettings(workers=1)) as judge:
        audit = await judge.audit(example(0, "?", gold))
    assert {name: getattr(audit, name) for name in expected} == expected
