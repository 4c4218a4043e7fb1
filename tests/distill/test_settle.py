"""What becomes of one example: a table of scripted teachers and judges."""

import dataclasses

import pytest

from sql_rl.distill.settle import Outcome, Policy, settle
from sql_rl.examples import Example
from sql_rl.judge.verdict import Judgement, Verdict
from sql_rl.prompts import completion
from sql_rl.teachers.base import Completion, Refusal, Request, Sampling

EXAMPLE = Example(row=0, id="0", question="How many?", context="CREATE TABLE t (a INT)", gold="GOLD")
POLICY = Policy(Sampling(0.7, 100, None), attempts=3, validate=True, check_gold=False, max_prompt_tokens=1000)


async def settled(texts: list[str | Exception], verdicts: dict[str, Verdict], **policy: object) -> tuple[Outcome, list]:
    """The outcome, and what was done: ('ask', sample) and ('judge', sql) in order."""
    done: list[tuple] = []

    async def ask(request: Request) -> Completion:
        done.append(("ask", request.sample))
        text = texts[request.sample]
        if isinstance(text, Exception):
            raise text
        return Completion(text, None, "stop", "m")

    async def judge(example: Example, sql: str) -> Judgement:
        done.append(("judge", sql))
        return Judgement(verdicts[sql], reason=f"because {verdicts[sql]}" if verdicts[sql] != "match" else "")

    return await settle(EXAMPLE, dataclasses.replace(POLICY, **policy), ask, judge), done


def reply(sql: str) -> str:
    return completion("why", sql)


async def test_a_proven_answer_is_accepted_at_once():
    outcome, done = await settled([reply("A")], {"A": Verdict.MATCH})
    assert (outcome.accepted, outcome.verdict, outcome.reason) == (True, Verdict.MATCH, "")
    assert done == [("ask", 0), ("judge", "A")]


async def test_a_wrong_answer_is_asked_again():
    outcome, done = await settled([reply("A"), reply("B")], {"A": Verdict.MISMATCH, "B": Verdict.MATCH})
    assert outcome.accepted
    assert outcome.taken is outcome.attempts[1]
    assert done == [("ask", 0), ("judge", "A"), ("ask", 1), ("judge", "B")]


async def test_of_answers_that_are_no_good_the_one_that_came_furthest_is_taken():
    verdicts = {"A": Verdict.ERROR, "B": Verdict.LUCKY, "C": Verdict.MISMATCH}
    outcome, _ = await settled([reply("A"), reply("B"), reply("C")], verdicts)
    assert (outcome.accepted, outcome.verdict, outcome.reason) == (False, Verdict.LUCKY, "because lucky")
    assert len(outcome.attempts) == 3


async def test_a_broken_gold_is_not_asked_again():
    outcome, done = await settled([reply("A")] * 3, {"A": Verdict.GOLD_BROKEN})
    assert outcome.verdict is Verdict.GOLD_BROKEN
    assert done == [("ask", 0), ("judge", "A")]


async def test_a_broken_gold_is_not_asked_at_all_where_its_row_would_be_removed():
    outcome, done = await settled([reply("A")], {"GOLD": Verdict.GOLD_BROKEN}, check_gold=True)
    assert (outcome.verdict, outcome.attempts, outcome.taken) == (Verdict.GOLD_BROKEN, (), None)
    assert done == [("judge", "GOLD")]


async def test_an_answer_without_a_query_is_asked_again_and_says_why():
    outcome, done = await settled(["I cannot."] * 3, {"GOLD": Verdict.MATCH})
    assert outcome.verdict is Verdict.NO_SQL
    assert outcome.reason == "no query in the answer (finish_reason: stop)"
    assert [step for step, _ in done].count("ask") == 3


async def test_a_refused_request_is_the_last_one():
    outcome, done = await settled([Refusal("400 from x")], {"GOLD": Verdict.MATCH})
    assert (outcome.verdict, outcome.reason) == (Verdict.NO_SQL, "400 from x")
    assert [step for step, _ in done].count("ask") == 1


async def test_without_validation_a_query_is_enough_and_nothing_is_judged():
    outcome, done = await settled(["no", reply("A")], {}, validate=False)
    assert (outcome.accepted, outcome.verdict) == (True, None)
    assert done == [("ask", 0), ("ask", 1)]


async def test_a_prompt_that_is_too_long_is_not_asked():
    outcome, done = await settled([], {}, max_prompt_tokens=5)
    assert outcome.verdict is Verdict.NO_SQL
    assert "max_prompt_length is 5" in outcome.reason
    assert done == []


@pytest.mark.parametrize("failure", [ValueError("a bug"), KeyError("x")])
async def test_other_exceptions_pass_through(failure: Exception):
    with pytest.raises(type(failure)):
        await settled([failure], {})


async def test_the_prompt_is_blind():
    outcome, _ = await settled([reply("A")], {"A": Verdict.MATCH})
    text = "".join(m["content"] for m in outcome.prompt)
    assert "How many?" in text
    assert "CREATE TABLE t (a INT)" in text
    assert "GOLD" not in text
