"""What a judge's worker keeps between requests: a full cache forgets the longest unused, never what is being asked."""

import gc
from collections import Counter
from typing import Any

import apsw
import pytest

from sql_rl.judge.bench import Bench
from sql_rl.judge.ground import Ground
from sql_rl.judge.verdict import Verdict
from sql_rl.settings import JudgeSettings

QUERIES = 4  # to each question


def context(number: int) -> str:
    rows = ", ".join(f"({i}, 'person {i * number % 97}', {i * 7 % 31})" for i in range(1, 40))
    return f"CREATE TABLE g{number} (id INT, name TEXT, points INT); INSERT INTO g{number} VALUES {rows};"


def room(mb: int) -> int:
    """So many MB beside what other tests of this process hold: SQLite counts all of it."""
    gc.collect()
    return apsw.memory_used() // 2**20 + 1 + mb


def judged(bench: Bench, context: str, gold: str, sql: str) -> Verdict:
    request: dict[str, Any] = {"op": "judge", "database": None, "context": context, "gold": gold, "sql": sql}
    return Verdict(bench.answer(request)["verdict"])


def setups(cache_mb: int) -> list[int]:
    """How many set-ups each of 120 questions took, of which a small cache holds a few."""
    told: Counter[str] = Counter()
    bench = Bench(JudgeSettings(cache_mb=room(cache_mb), variants=4), announce=lambda phase: told.update([phase]))
    counts = []
    for number in range(120):
        before = told["setup"]
        gold = f"SELECT name FROM g{number} ORDER BY points DESC, id LIMIT 1"
        rewritten = f"SELECT name FROM (SELECT * FROM g{number} ORDER BY points DESC, id LIMIT 1)"
        for _ in range(QUERIES):
            assert judged(bench, context(number), gold, rewritten) is Verdict.MATCH
        counts.append(told["setup"] - before)
    return counts


def test_a_full_cache_keeps_the_question_that_is_being_asked():
    """As in GRPO: eight answers to a question, thousands of questions, each on a database of its own."""
    assert setups(cache_mb=1) == setups(cache_mb=512)


def test_a_database_outlives_the_golds_that_were_asked_on_it(monkeypatch: pytest.MonkeyPatch):
    """As in evaluate: many golds on one database, whose cases fill the cache again and again."""
    made: list[str] = []
    original = Ground.from_context

    def counted(script: str, *rest: Any) -> Ground:
        made.append(script)
        return original(script, *rest)

    monkeypatch.setattr(Ground, "from_context", counted)
    bench = Bench(JudgeSettings(cache_mb=room(2), variants=4), announce=lambda phase: None)
    for points in range(60):
        gold = f"SELECT name FROM g1 WHERE points > {points % 30} AND id <> {points}"
        assert judged(bench, context(1), gold, f"SELECT name FROM ({gold.replace('name', '*')})") is Verdict.MATCH
    assert made == [context(1)]
