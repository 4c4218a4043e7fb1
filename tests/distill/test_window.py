"""The window: back-off, slots that waiting requests give free, and ends. The clock is injected; nothing sleeps."""

import asyncio
from dataclasses import dataclass, field

import pytest

from sql_rl.distill.window import TRIES, GaveUp, Stopped, Window, backoff
from sql_rl.errors import RefusedError, SqlRlError
from sql_rl.examples import Example
from sql_rl.teachers.base import Completion, Refusal, Request, Sampling, Transient

REPLY = Completion(text="x", reasoning=None, finish_reason="stop", model="m")
EXAMPLE = Example(row=0, id="0", question="q", context="c", gold="g")


def request(sample: int = 0) -> Request:
    return Request(EXAMPLE, [], Sampling(None, 16, None), sample)


@dataclass
class Scripted:
    """A teacher that fails as its script says, then answers."""

    script: list[Exception]
    asked: int = 0

    async def ask(self, request: Request) -> Completion:
        self.asked += 1
        await asyncio.sleep(0)
        if self.script:
            raise self.script.pop(0)
        return REPLY


@dataclass
class Clock:
    """Time that passes only when somebody sleeps."""

    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


def window(script: list[Exception], size: int = 1) -> tuple[Window, Scripted, Clock, asyncio.Event]:
    teacher, clock, stop = Scripted(script), Clock(), asyncio.Event()
    return Window(teacher, size, stop, clock.sleep), teacher, clock, stop


async def test_passing_failures_are_tried_again():
    w, teacher, clock, _ = window([Transient("500"), Transient("429", retry_after=7.0)])
    assert await w.send(request()) == REPLY
    assert teacher.asked == 3
    assert 0.125 <= clock.slept[0] <= 0.5
    assert 7.0 <= clock.slept[1] < 8.0
    assert w.retried == 2


@pytest.mark.parametrize("failure", [Refusal("400"), RefusedError("401")])
async def test_lasting_failures_are_not(failure: Exception):
    w, teacher, _, _ = window([failure])
    with pytest.raises(type(failure)):
        await w.send(request())
    assert teacher.asked == 1


async def test_a_request_is_given_up_after_so_many_tries():
    w, teacher, _, _ = window([Transient("502")] * 99)
    with pytest.raises(GaveUp, match=f"502 \\({TRIES} tries\\)"):
        await w.send(request())
    assert teacher.asked == TRIES


async def test_a_server_that_was_never_reached_ends_the_run():
    w, teacher, _, _ = window([Transient("refused", connected=False)] * 99)
    with pytest.raises(SqlRlError, match="refused; is the server running"):
        await w.send(request())
    assert teacher.asked == 3


async def test_a_server_that_was_reached_is_waited_for():
    w, teacher, _, _ = window([])
    await w.send(request())
    teacher.script = [Transient("refused", connected=False)] * 5
    assert await w.send(request()) == REPLY


async def test_a_waiting_request_holds_no_slot():
    first_waits = asyncio.Event()

    async def sleep(seconds: float) -> None:
        first_waits.set()
        await second_done.wait()

    second_done = asyncio.Event()
    w = Window(Scripted([Transient("500")]), 1, asyncio.Event(), sleep)
    first = asyncio.create_task(w.send(request()))
    await first_waits.wait()
    assert w.in_flight == 0
    assert await w.send(request(1)) == REPLY
    second_done.set()
    assert await first == REPLY


async def test_stop_sends_nothing_new_and_wakes_who_waits():
    asleep = asyncio.Event()

    async def sleep_for_ever(seconds: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    stop = asyncio.Event()
    w = Window(Scripted([Transient("500")]), 1, stop, sleep_for_ever)
    waiting = asyncio.create_task(w.send(request()))
    await asleep.wait()
    stop.set()
    with pytest.raises(Stopped):
        await waiting
    with pytest.raises(Stopped):
        await w.send(request())


async def test_never_more_in_flight_than_the_window():
    most = 0

    class Counting(Scripted):
        async def ask(self, request: Request) -> Completion:
            nonlocal most
            most = max(most, w.in_flight)
            return await super().ask(request)

    w = Window(Counting([]), 3, asyncio.Event())
    await asyncio.gather(*(w.send(request(i)) for i in range(20)))
    assert most == 3


@pytest.mark.parametrize(
    ("tries", "retry_after", "jitter", "seconds"),
    [(1, None, 0.0, 0.125), (1, None, 1.0, 0.5), (3, None, 1.0, 2.0), (20, None, 1.0, 60.0), (1, 5.0, 0.5, 5.5)],
)
def test_backoff(tries: int, retry_after: float | None, jitter: float, seconds: float):
    assert backoff(tries, retry_after, jitter) == pytest.approx(seconds)
