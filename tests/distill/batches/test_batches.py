"""Requests by the batch: who travels together, what comes back without an answer, what is not run at all."""

import asyncio
import math
from typing import Any

import pytest
from batch_bench import HOUR, Bench, request, right

from sql_rl.distill.batches import batches
from sql_rl.distill.window import GaveUp
from sql_rl.errors import SqlRlError, StoppedEarlyError, UsageError
from sql_rl.teachers.base import Completion, Refusal
from sql_rl.testing.batch_server import Fate
from sql_rl.testing.chat_server import chat_completion


async def test_everybody_who_waits_travels_in_one_batch(bench: Bench):
    bench.server.fates = [Fate(seconds=2 * HOUR)]
    answers = await bench.ask(25)
    assert right(answers)
    assert (len(bench.server.batches), len(bench.lines("completion"))) == (1, 25)
    assert [line["row"] for line in bench.lines("completion")] != list(range(25)), "answers come in any order"
    assert {answer.price_share for answer in answers} == {0.5}
    assert bench.clock.now - 1e9 >= 2 * HOUR
    assert bench.said[0] == "batch_0: 25 requests submitted"
    assert bench.said[-1] == "batch_0: completed, 25 of 25 answered, 0 failed"
    assert bench.server.calls["retrieve"] <= 2 * 60 + 10, "once a minute, after a quicker start"
    assert right(await bench.ask(25)), "the journal answers"
    assert len(bench.server.batches) == 1


async def test_who_comes_later_travels_in_the_next(bench: Bench):
    async with bench.run() as ask:
        assert right([await ask(request(0)), await ask(request(1))])
        assert right(await asyncio.gather(ask(request(0)), ask(request(1)), ask(request(2))))
    assert [len(b.requests) for b in bench.server.batches] == [1, 1, 1]


async def test_the_same_question_in_two_rows_is_paid_once(bench: Bench):
    async with bench.run() as ask:
        first, second = await asyncio.gather(ask(request(0, "q7")), ask(request(1, "q7")))
    assert first == second
    assert bench.server.answered.total() == 1


async def test_a_full_file_is_followed_by_another(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "MAX_LINES", 10)
    bench.server.max_lines = 10
    assert right(await bench.ask(25))
    assert sorted(len(b.requests) for b in bench.server.batches) == [5, 10, 10]


# -- requests that come back without an answer ------------------------------------------------------------------------


async def test_what_an_expired_batch_left_travels_again(bench: Bench):
    bench.server.fates = [Fate(seconds=HOUR, end="expired", answered=0.4), Fate(end="expired", answered=0.5)]
    assert right(await bench.ask(20))
    assert [len(b.requests) for b in bench.server.batches] == [20, 12, 6]
    assert bench.server.answered_twice == 0


async def test_a_refused_request_is_refused_and_never_sent_again(bench: Bench):
    def respond(asked: dict[str, Any], visit: int) -> tuple[int, Any]:
        if asked["messages"][-1]["content"] == "Question: q3":
            return 400, {"error": {"message": "not to our taste", "code": "invalid_request_error"}}
        return 200, chat_completion(asked, "SELECT 1")

    bench.server.respond = respond
    for _ in range(2):
        answers = await bench.ask(5)
        assert [isinstance(a, Refusal) for a in answers] == [False, False, False, True, False]
        assert "not to our taste" in str(answers[3])
    assert len(bench.server.batches) == 1
    assert [line["row"] for line in bench.lines("refusal")] == [3]


async def test_a_batch_of_nothing_but_refusals_blames_no_row(bench: Bench):
    """Not every provider has a code for a model or a setting that it does not know."""
    bench.server.respond = lambda asked, visit: (400, {"error": {"message": "tier flex is not available"}})
    for answer in await bench.ask(5):
        assert isinstance(answer, UsageError)
        assert "tier flex is not available; no request was answered, and 5 were refused" in str(answer)
    assert not bench.lines("refusal")
    bench.server.respond = None
    assert [type(a) for a in await bench.ask(5)] == [Completion] * 5


async def test_a_server_s_error_is_tried_in_three_batches(bench: Bench):
    def respond(asked: dict[str, Any], visit: int) -> tuple[int, Any]:
        failures = {"Question: q1": 2, "Question: q2": 99}.get(asked["messages"][-1]["content"], 0)
        return (500, {"error": {"message": "oops"}}) if visit < failures else (200, chat_completion(asked, "SELECT 1"))

    bench.server.respond = respond
    answers = await bench.ask(3)
    assert [type(a) for a in answers] == [Completion, Completion, GaveUp]
    assert "500 from /v1/chat/completions: oops (3 batches)" in str(answers[2])
    assert [len(b.requests) for b in bench.server.batches] == [3, 2, 2]
    assert not bench.lines("refusal"), "the next run asks again"


async def test_a_batch_that_vanished_is_said_and_asked_again(bench: Bench):
    bench.server.fates = [Fate(known_from=math.inf)]
    assert right(await bench.ask(3))
    assert bench.said[1] == "batch_0: the provider knows it no more; its 3 requests go again, perhaps paid twice"
    assert len(bench.server.batches) == 2


async def test_a_file_that_is_not_there_at_once_is_looked_for_again(bench: Bench):
    bench.server.faults["content"] = [404] * 9
    assert right(await bench.ask(3))
    assert bench.server.answered_twice == 0


async def test_answers_that_are_in_no_file_are_said_and_asked_again(bench: Bench):
    bench.server.faults["content"] = [404] * 10
    assert right(await bench.ask(3))
    assert "batch_0: 3 of 3 answers are lost; they go again, paid twice" in bench.said
    assert bench.server.answered_twice == 3


# -- batches that are not run -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fate", "error", "message"),
    [
        (Fate(end="failed", code="model_not_found"), SqlRlError, "batch batch_0 was not run: It has model_not_found"),
        (Fate(end="failed", code="insufficient_quota"), StoppedEarlyError, "It has insufficient_quota"),
        (Fate(end="cancelled", answered=0.5), StoppedEarlyError, "batch_0 was cancelled at the provider"),
    ],
)
async def test_what_another_batch_would_meet_too_ends_the_run(bench: Bench, fate: Fate, error: type, message: str):
    bench.server.fates = [fate]
    answers = await bench.ask(4)
    assert {type(a) for a in answers} == {error}
    assert message in str(answers[0])
    assert right(await bench.ask(4)), "the next run asks for what there is no answer to"
    assert bench.server.answered_twice == 0


@pytest.mark.parametrize(("most", "rows"), [(7, 20), (1, 3)])
async def test_batches_shrink_until_the_provider_takes_them(bench: Bench, most: int, rows: int):
    bench.server.max_enqueued = most
    bench.server.fates = [Fate(seconds=HOUR) for _ in range(99)]
    assert right(await bench.ask(rows))
    assert bench.server.answered_twice == 0


async def test_no_room_for_a_single_request_stops_the_run(bench: Bench):
    bench.server.max_enqueued = 0
    answers = await bench.ask(5)
    assert {type(a) for a in answers} == {StoppedEarlyError}
    assert "enqueued tokens" in str(answers[0])
