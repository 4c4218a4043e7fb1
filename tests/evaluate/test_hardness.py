"""Spider's hardness: a table of its oddities, and every level that Spider's dev set states."""

import json
from pathlib import Path

import pytest

from sql_rl.evaluate.hardness import hardness


@pytest.mark.parametrize(
    ("sql", "level"),
    [
        ("SELECT count(*) FROM t", "easy"),
        ("SELECT a FROM t WHERE b = 1", "easy"),
        ("SELECT a, b FROM t", "medium"),
        ("SELECT a FROM t JOIN u ON t.x = u.x WHERE u.y = 1", "medium"),
        ("SELECT a FROM t WHERE b = 1 OR c = 2", "medium"),
        ("SELECT a, b, count(*), max(c) FROM t WHERE d = 1 AND e = 2", "hard"),
        ("SELECT a FROM t WHERE b NOT IN (SELECT b FROM u)", "hard"),
        ("SELECT a FROM t EXCEPT SELECT a FROM u", "hard"),
        ("SELECT a FROM t WHERE b LIKE '%x%' GROUP BY a ORDER BY count(*) LIMIT 1", "extra"),
        ("SELECT a FROM t WHERE b = 1 UNION SELECT a FROM u WHERE c > (SELECT avg(c) FROM u)", "hard"),
        ("SELECT count(*) FROM (SELECT a FROM t WHERE b > (SELECT 1))", "easy"),  # not nesting, says Spider
        ("DELETE FROM t", ""),
        ("SELECT FROM WHERE", ""),
    ],
)
def test_levels(sql: str, level: str):
    assert hardness(sql) == level


def test_every_level_of_spiders_dev_set(shared: Path):
    questions = json.loads((shared / "spider/dev.json").read_text())
    assert [(q["query"], hardness(q["query"])) for q in questions] == [(q["query"], q["hardness"]) for q in questions]
