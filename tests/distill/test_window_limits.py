"""The window in virtual time, against limits: those that are stated, and those that a provider tells or shows."""

import asyncio

from window_bench import REPLY, Teacher, first_time, now, send_all, virtually

from sql_rl.distill.window import Window
from sql_rl.teachers.base import Completion, Request, Throttled, TimedOut
from sql_rl.teachers.quota import Quota, Quotas


@virtually
async def test_a_pause_that_the_server_asks_for_holds_for_everybody():
    teacher = Teacher(fails=lambda r, visit, _: Throttled("429", 30.0) if (r.example.row, visit) == (1, 1) else None)
    window = Window(teacher, 2, asyncio.Event())
    await send_all(window, 8)
    times = sorted(when for when, _ in teacher.sent)
    assert times[:2] == [0.0, 0.0]
    assert all(t >= 30.0 for t in times[2:])
    assert teacher.times(1)[1] == times[2], "the refused one is the first to go on"
    assert 29.0 <= window.throttled_seconds <= 33.0


@virtually
async def test_requests_a_minute_are_a_hard_limit():
    teacher = Teacher(fails=first_time(Throttled("429")))
    await send_all(Window(teacher, 64, asyncio.Event(), rpm=120), 300)
    times = [when for when, _ in teacher.sent]
    assert len(times) == 600, "refused ones count too"
    assert all(later - first > 60 - 1e-6 for first, later in zip(times, times[120:], strict=False))
    assert now() <= 600 / 120 * 60 * 1.05


@virtually
async def test_tokens_a_minute_are_counted_as_they_were_used():
    """An answer may have 1,000 tokens and has 100: the limit is used by what was, not by what could have been."""
    await send_all(Window(Teacher(), 64, asyncio.Event(), tpm=60_000), 1500)
    assert 1500 * 200 / 60_000 * 60 * 0.98 <= now() <= 1500 * 200 / 60_000 * 60 * 1.1


class MeteredTeacher(Teacher):
    """A provider with a bucket of 60 requests a minute that tells what is left, and refuses what is above it."""

    quotas: Quotas | None = None
    level, at, refused = 60.0, 0.0, 0

    async def ask(self, request: Request) -> Completion:
        self.level, self.at = min(60.0, self.level + now() - self.at), now()
        if self.level < 1:
            self.refused += 1
            raise Throttled("429")
        self.level -= 1
        left = self.level
        reply = await super().ask(request)
        self.quotas = Quotas(Quota(60, int(left), 60 - left), None)
        return reply


@virtually
async def test_headers_pace_before_anything_is_refused():
    teacher = MeteredTeacher()
    window = Window(teacher, 16, asyncio.Event())
    assert await send_all(window, 300) == [REPLY] * 300
    assert teacher.refused == 0
    assert now() <= (300 - 60) * 1.05 + 5
    assert window.throttled_seconds > 200


class Queue(Teacher):
    """Answers four at a time, in five seconds each; whoever has waited for a minute hangs up."""

    async def ask(self, request: Request) -> Completion:
        try:
            async with asyncio.timeout(60.0), self.places:
                return await super().ask(request)
        except TimeoutError:
            raise TimedOut("late") from None


@virtually
async def test_time_outs_close_the_window_of_a_slow_server():
    teacher = Queue(latency=5.0)
    teacher.places = asyncio.Semaphore(4)
    window = Window(teacher, 256, asyncio.Event())
    assert await send_all(window, 2000) == [REPLY] * 2000
    assert window.limit < 60, "what can be answered within a minute"
    assert now() <= 1.4 * 2000 / 4 * 5.0
