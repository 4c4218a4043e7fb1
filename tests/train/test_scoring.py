"""Scoring: what TRL's reward functions give, by the real judge, and that each completion is judged once."""

import asyncio

import pytest

from sql_rl.examples import Example
from sql_rl.settings import JudgeSettings, TrainSettings
from sql_rl.train.data import Row
from sql_rl.train.jury import Jury
from sql_rl.train.rewards import parts
from sql_rl.train.scoring import REWARD_SECONDS, Scoring

CONTEXT = "CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2), (3)"
ROWS = [
    Row(Example(0, "0", "How many?", CONTEXT, "SELECT COUNT(*) FROM t"), ()),
    Row(Example(1, "1", "How many?", CONTEXT, "SELECT COUNT(*) FROM elsewhere"), ()),
]


def told(sql: str) -> str:
    return f"<think>\nCount.\n</think>\n<sql>\n{sql}\n</sql>"


@pytest.fixture(scope="module")
def jury():
    with Jury(JudgeSettings(workers=1)) as found:
        yield found


def test_rewards_of_a_batch(jury):
    scoring = Scoring(ROWS, jury, parts(TrainSettings(format_weight=0.2)), max_length=50)
    texts = [
        told("SELECT COUNT(*) FROM t"),
        told("SELECT COUNT(a) + 0 FROM t"),
        told("SELECT a FROM t"),
        told("SELEC"),
        "SELECT COUNT(*) FROM t",
        "no idea",
        told("SELECT 1"),  # of the row whose gold is broken
        "no idea",  # of that row too
    ]
    metrics: dict[str, float] = {}

    async def ask() -> list[list[float | None]]:
        arguments = {
            "completions": texts,
            "completion_ids": [[1] * 10] * 8,
            "row": [0] * 6 + [1] * 2,
            "log_metric": metrics.__setitem__,
            "prompts": [""] * 8,
            "trainer_state": None,
        }
        return await asyncio.gather(*(function(**arguments) for function in scoring.functions()))

    execution, form = asyncio.run(ask())
    assert execution == [1.0, 1.0, 0.05, 0.0, 1.0, 0.0, None, None]
    assert form == [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, None, None]
    assert [f.__name__ for f in scoring.functions()] == ["execution", "format"]
    assert scoring.weights == [1.0, 0.2]
    assert metrics["verdicts/match"] == pytest.approx(3 / 8)
    assert metrics["verdicts/gold_broken"] == pytest.approx(2 / 8)
    assert sum(v for k, v in metrics.items() if k.startswith("verdicts/")) == pytest.approx(1)
    assert 0 < metrics[REWARD_SECONDS] < 30
    assert [r.scored.judgement.verdict.value for r in scoring.latest][2:4] == ["mismatch", "error"]
    assert scoring.latest[0].rewards == {"execution": 1.0, "format": 1.0}


def test_the_parts_share_one_judging(jury, monkeypatch):
    asked = []
    submit = jury.submit
    monkeypatch.setattr(jury, "submit", lambda cases: asked.append(len(cases)) or submit(cases))
    scoring = Scoring(ROWS, jury, parts(TrainSettings(length_weight=0.1)), max_length=50)

    async def ask(texts: list[str]) -> None:
        arguments = {"completions": texts, "completion_ids": [[1]] * len(texts), "row": [0] * len(texts)}
        await asyncio.gather(*(f(**arguments, log_metric=lambda *_: None) for f in scoring.functions()))

    asyncio.run(ask([told("SELECT 1"), told("SELECT 2")]))
    asyncio.run(ask([told("SELECT 3")]))
    assert asked == [2, 1]


def test_the_same_query_for_the_same_question_is_judged_once(jury):
    example = ROWS[0].example
    judged = jury.judge([(example, "SELECT 3"), (example, None), (example, "SELECT 3")])
    assert judged[0] is judged[2]
    assert [j.verdict.value for j in judged] == ["lucky", "no_sql", "lucky"]
