"""What becomes of one example: tables of scripted teachers, judges and votes."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from sql_rl.distill.settle import Outcome, Policy, decided, elected, settle
from sql_rl.examples import Example
from sql_rl.judge.outcomes import Vote
from sql_rl.judge.verdict import Judgement, Verdict
from sql_rl.prompts import completion, load_prompts
from sql_rl.teachers.base import Completion, Refusal, Request, Sampling

EXAMPLE = Example(row=0, id="0", question="How many?", context="CREATE TABLE t (a INT)", gold="GOLD")
POLICY = Policy(load_prompts(), Sampling(0.7, 100, None), retries=2, validate=True)


@dataclass
class Scripted:
    """A teacher that says `texts` in turn (an exception is raised, a Completion given as it is), a judge that knows
    `verdicts`, and a jury in which equal SQL agrees. done: what was asked for, in order."""

    texts: list[str | Exception | Completion]
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    empty: frozenset[str] = frozenset()
    done: list[tuple] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    async def ask(self, request: Request) -> Completion:
        self.done.append(("ask", request.sample))
        self.requests.append(request)
        text = self.texts[request.sample]
        if isinstance(text, Exception):
            raise text
        return text if isinstance(text, Completion) else Completion(text, None, "stop", "m")

    async def judge(self, example: Example, sql: str) -> Judgement:
        self.done.append(("judge", sql))
        verdict = self.verdicts[sql]
        return Judgement(verdict, reason="" if verdict is Verdict.MATCH else f"because {verdict}")

    async def vote(self, example: Example, queries: Sequence[str | None]) -> list[Vote]:
        self.done.append(("vote", len(queries)))
        groups = list(dict.fromkeys(queries))
        return [Vote(groups.index(q) if q else None, empty=q in self.empty) for q in queries]


async def settled(script: Scripted, **policy: object) -> Outcome:
    return await settle(EXAMPLE, dataclasses.replace(POLICY, **policy), script.ask, script)


def reply(sql: str) -> str:
    return completion("why", sql)


def cut_off(text: str = "<think>I begin") -> Completion:
    return Completion(text, None, "length", "m")


# -- drafts and retries -----------------------------------------------------------------------------------------------


async def test_a_proven_answer_is_accepted_at_once():
    script = Scripted([reply("A")], {"A": Verdict.MATCH})
    outcome = await settled(script)
    assert (outcome.accepted, outcome.verdict, outcome.reason) == (True, Verdict.MATCH, "")
    assert script.done == [("ask", 0), ("judge", "A")]


async def test_a_wrong_answer_is_asked_again():
    script = Scripted([reply("A"), reply("B")], {"A": Verdict.MISMATCH, "B": Verdict.MATCH})
    outcome = await settled(script)
    assert outcome.accepted
    assert outcome.taken is outcome.attempts[1]
    assert script.done == [("ask", 0), ("judge", "A"), ("ask", 1), ("judge", "B")]


async def test_of_answers_that_are_no_good_the_one_that_came_furthest_is_taken():
    verdicts = {"A": Verdict.ERROR, "B": Verdict.LUCKY, "C": Verdict.MISMATCH}
    outcome = await settled(Scripted([reply("A"), reply("B"), reply("C")], verdicts))
    assert (outcome.accepted, outcome.verdict, outcome.reason) == (False, Verdict.LUCKY, "because lucky")
    assert [a.verdict for a in outcome.attempts] == [Verdict.ERROR, Verdict.LUCKY, Verdict.MISMATCH]


async def test_a_broken_gold_is_not_asked_again():
    script = Scripted([reply("A")], {"A": Verdict.GOLD_BROKEN})
    assert (await settled(script)).verdict is Verdict.GOLD_BROKEN
    assert script.done == [("ask", 0), ("judge", "A")]


async def test_a_broken_gold_is_not_asked_at_all_where_its_row_would_be_removed():
    script = Scripted([], {"GOLD": Verdict.GOLD_BROKEN})
    outcome = await settled(script, check_gold=True)
    assert (outcome.verdict, outcome.attempts, outcome.taken) == (Verdict.GOLD_BROKEN, (), None)
    assert script.done == [("judge", "GOLD")]


async def test_an_answer_without_a_query_is_asked_again_and_says_why():
    script = Scripted(["I cannot."] * 3, {"GOLD": Verdict.MATCH})
    outcome = await settled(script)
    assert outcome.verdict is Verdict.NO_SQL
    assert outcome.reason == "no query in the answer (finish_reason: stop)"
    assert len(script.requests) == 3


async def test_a_refused_request_is_the_last_one():
    script = Scripted([Refusal("400 from x")], {"GOLD": Verdict.MATCH})
    outcome = await settled(script)
    assert (outcome.verdict, outcome.reason) == (Verdict.NO_SQL, "400 from x")
    assert len(script.requests) == 1


async def test_without_validation_a_query_is_enough_and_nothing_is_judged():
    script = Scripted(["no", reply("A")])
    outcome = await settled(script, validate=False)
    assert (outcome.accepted, outcome.verdict) == (True, None)
    assert script.done == [("ask", 0), ("ask", 1)]


BREAKING_OFF = {
    "in the query": ("<think>a</think><sql>SELECT a FROM", True),
    "in its closing tag": ("<think>a</think><sql>SELECT a FROM t</s", True),
    "in a fence": ("a\n```sql\nSELECT a FROM\n", True),
    "in bare SQL": ("SELECT a FROM", True),
    "behind its tag": ("<think>a</think><sql>SELECT a FROM t</sql> I have", False),
    "behind a fence": ("a\n```sql\nSELECT a FROM t\n```", False),
    "behind a semicolon": ("SELECT a FROM t;", False),
}


@pytest.mark.parametrize(("text", "breaks"), BREAKING_OFF.values(), ids=BREAKING_OFF.keys())
async def test_without_validation_half_a_query_is_none(text: str, breaks: bool):
    outcome = await settled(Scripted([cut_off(text), reply("A")]), validate=False)
    assert len(outcome.attempts) == (2 if breaks else 1)
    assert outcome.accepted
    outcome = await settled(Scripted([cut_off(text)]), validate=False, retries=0)
    assert outcome.accepted is not breaks
    assert outcome.reason == ("the query breaks off (finish_reason: length)" if breaks else "")


@pytest.mark.parametrize(("reason", "whole"), [("stop", True), ("", True), ("content_filter", False), ("error", False)])
async def test_a_query_that_is_not_closed_is_whole_where_the_model_ended_it(reason: str, whole: bool):
    outcome = await settled(Scripted([Completion("<sql>SELECT a", None, reason, "m")]), validate=False, retries=0)
    assert outcome.accepted is whole


async def test_half_a_query_is_asked_for_again_with_more_room():
    script = Scripted([cut_off("<sql>SELECT a FROM"), reply("A")])
    await settled(script, validate=False)
    assert [r.sampling.max_tokens for r in script.requests] == [100, 200]


async def test_a_prompt_that_is_too_long_is_not_asked():
    script = Scripted([])
    outcome = await settled(script, max_prompt_tokens=5)
    assert outcome.verdict is Verdict.NO_SQL
    assert "max_prompt_length is 5" in outcome.reason
    assert script.done == []


@pytest.mark.parametrize("failure", [ValueError("a bug"), KeyError("x")])
async def test_other_exceptions_pass_through(failure: Exception):
    with pytest.raises(type(failure)):
        await settled(Scripted([failure]))


# -- what the teacher is told -----------------------------------------------------------------------------------------


def said(request: Request) -> str:
    return "\n".join(m["content"] for m in request.messages)


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        (Verdict.ERROR, "The database refuses the query: because error."),
        (Verdict.MISMATCH, "its result is not what the question asks for: because mismatch."),
        (Verdict.LUCKY, "with other rows in the tables it is wrong: because lucky."),
        (Verdict.TIMEOUT, "The query was stopped: because timeout."),
        (Verdict.UNSAFE, "The query does what it must not: because unsafe."),
    ],
)
async def test_a_repair_tells_what_went_wrong_and_never_the_gold(verdict: Verdict, told: str):
    script = Scripted([reply("A"), reply("B")], {"A": verdict, "B": Verdict.MATCH})
    await settled(script)
    roles = [m["role"] for m in script.requests[1].messages]
    assert roles == ["system", "user", "assistant", "user"]
    assert script.requests[1].messages[2]["content"] == reply("A")
    assert told in said(script.requests[1])
    assert "GOLD" not in said(script.requests[0]) + said(script.requests[1])


async def test_an_answer_without_a_query_is_told_so():
    script = Scripted(["I cannot.", reply("A")], {"GOLD": Verdict.MATCH, "A": Verdict.MATCH})
    await settled(script)
    assert "There is no SQL statement in your answer." in said(script.requests[1])


async def test_an_empty_answer_is_nothing_to_repair():
    script = Scripted(["", reply("A")], {"GOLD": Verdict.MATCH, "A": Verdict.MATCH})
    await settled(script)
    assert script.requests[1].messages == script.requests[0].messages


@pytest.mark.parametrize(
    ("show_gold", "hints"),
    [("never", [False, False, False]), ("on-failure", [False, False, True]), ("always", [True, True, True])],
)
async def test_when_the_gold_is_shown(show_gold: str, hints: list[bool]):
    verdicts = {"A": Verdict.ERROR, "B": Verdict.ERROR, "C": Verdict.MATCH}
    script = Scripted([reply("A"), reply("B"), reply("C")], verdicts)
    outcome = await settled(script, show_gold=show_gold)
    assert [a.hint for a in outcome.attempts] == hints
    assert outcome.taken.hint == hints[2]
    assert ["GOLD" in said(r) for r in script.requests] == hints
    assert "GOLD" not in "".join(m["content"] for m in outcome.prompt), "the row's prompt is the blind one"


async def test_a_cut_off_answer_gets_twice_the_room_once():
    script = Scripted([cut_off(), cut_off(), reply("A")], {"GOLD": Verdict.MATCH, "A": Verdict.MATCH})
    await settled(script)
    assert [r.sampling.max_tokens for r in script.requests] == [100, 200, 200]
    assert script.requests[1].messages == script.requests[0].messages
    assert len(script.requests[2].messages) == 4, "the second time it is a repair"


async def test_room_is_what_the_context_leaves():
    prompt = sum(len(m["content"]) // 4 + 4 for m in POLICY.prompts.draft(EXAMPLE))
    script = Scripted([cut_off(), reply("A")], {"GOLD": Verdict.MATCH, "A": Verdict.MATCH})
    await settled(script, context_tokens=prompt + 150)
    assert [r.sampling.max_tokens for r in script.requests] == [100, 150]


async def test_a_repair_and_its_answer_fit_into_the_context():
    prompt = sum(len(m["content"]) // 4 + 4 for m in POLICY.prompts.draft(EXAMPLE))
    long = completion("why " * 100, "A")  # some 110 tokens that a repair would carry along
    script = Scripted([long, reply("B")], {"A": Verdict.ERROR, "B": Verdict.MATCH})
    await settled(script, context_tokens=prompt + 150)
    assert script.requests[1].messages == script.requests[0].messages, "no room for both: it is asked afresh"
    hinted = Scripted([long, reply("B")], {"A": Verdict.ERROR, "B": Verdict.MATCH})
    await settled(hinted, context_tokens=prompt + 100, retries=1, show_gold="on-failure")
    assert hinted.requests[1].sampling.max_tokens < 100, "a hint takes of the answer's room"


async def test_each_answer_has_a_seed_of_its_own():
    script = Scripted([reply("A"), reply("B")], {"A": Verdict.ERROR, "B": Verdict.MATCH})
    await settled(script, sampling=Sampling(0.7, 100, 5))
    assert [r.sampling.seed for r in script.requests] == [5, 6]


# -- several drafts ---------------------------------------------------------------------------------------------------


async def test_the_first_good_draft_is_taken_before_any_repair():
    script = Scripted([reply("A"), reply("B"), reply("C")], {"A": Verdict.ERROR, "B": Verdict.MATCH})
    outcome = await settled(script, drafts=3)
    assert outcome.accepted
    assert script.requests[1].messages == script.requests[0].messages
    assert len(script.requests) == 2


async def test_of_drafts_that_are_no_good_the_one_that_came_furthest_is_taken():
    script = Scripted(
        [reply("A"), reply("B"), "I cannot."], {"A": Verdict.LUCKY, "B": Verdict.ERROR, "GOLD": Verdict.MATCH}
    )
    outcome = await settled(script, drafts=3, retries=0)
    assert (outcome.verdict, outcome.taken.answer.sql, len(outcome.attempts)) == (Verdict.LUCKY, "A", 3)


async def test_a_refusal_ends_a_vote_and_those_before_it_count():
    script = Scripted([reply("A"), reply("B"), Refusal("400 from x")], {"A": Verdict.MATCH})
    outcome = await settled(script, drafts=5, select="vote")
    assert (outcome.accepted, outcome.taken.answer.sql) == (True, "A")
    assert [step for step in script.done if step[0] != "ask"] == [("vote", 3), ("judge", "A")]


async def test_a_vote_takes_what_most_agree_on_and_judges_that_alone():
    script = Scripted([reply("A"), reply("B"), reply("B"), reply("B"), reply("?")], {"B": Verdict.MATCH})
    outcome = await settled(script, drafts=5, select="vote")
    assert outcome.taken.answer.sql == "B"
    assert outcome.taken is outcome.attempts[1]
    assert [step for step in script.done if step[0] != "ask"] == [("vote", 3), ("vote", 4), ("judge", "B")]


async def test_a_vote_stops_as_soon_as_it_is_decided():
    script = Scripted([reply("A")] * 3, {"A": Verdict.MATCH})
    outcome = await settled(script, drafts=5, select="vote")
    assert len(outcome.attempts) == 3


async def test_a_wrong_winner_is_repaired():
    verdicts = {"A": Verdict.MISMATCH, "B": Verdict.MATCH}
    script = Scripted([reply("A"), reply("A"), reply("B")], verdicts)
    outcome = await settled(script, drafts=3, select="vote")
    assert outcome.accepted
    assert "its result is not what the question asks for" in said(script.requests[2])


def votes(groups: str, empty: str = "") -> list[Vote]:
    """'aab-' is two votes for a, one for b, one query without a result."""
    return [Vote(None) if g == "-" else Vote(ord(g), empty=g in empty) for g in groups]


@pytest.mark.parametrize(
    ("groups", "empty", "outstanding", "is_decided", "winner"),
    [
        ("a", "", 0, True, 0), ("a", "", 1, False, 0), ("aa", "", 1, True, 0), ("ab", "", 0, False, 0),
        ("abb", "", 0, True, 1), ("abb", "", 1, False, 1), ("--a", "", 0, True, 2), ("---", "", 0, False, 0),
        ("aab", "a", 0, False, 0), ("aaab", "a", 0, True, 0), ("ab", "a", 0, True, 1), ("ba", "", 0, False, 0),
    ],
)  # fmt: skip
def test_counting(groups: str, empty: str, outstanding: int, is_decided: bool, winner: int):
    assert decided(votes(groups, empty), outstanding) is is_decided
    assert elected(votes(groups, empty)) == winner
