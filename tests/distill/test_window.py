"""The window, in virtual time: tries, slots and ends."""

import asyncio
import re

import pytest
from window_bench import REPLY, Teacher, first_time, now, request, send_all, virtually

from sql_rl.distill.window import TRIES, GaveUp, Stopped, Window, backoff
from sql_rl.errors import RefusedError, SqlRlError, StoppedEarlyError
from sql_rl.teachers.base import Completion, Refusal, Request, Throttled, TimedOut, Transient, Unreadable

# -- tries ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "least", "most"),
    [
        (Transient("500"), 0.125, 0.5),
        (Transient("500", retry_after=7.0), 7.0, 8.0),
        (Throttled("429"), 0.125, 0.5),
        (Throttled("429", retry_after=7.0), 7.0, 8.0),
        (TimedOut("no answer"), 0.125, 0.5),
    ],
)
@virtually
async def test_passing_failures_are_tried_again(failure: Exception, least: float, most: float):
    teacher = Teacher(fails=first_time(failure))
    window = Window(teacher, 1, asyncio.Event())
    assert await window.send(request()) == REPLY
    first, second = teacher.times(0)
    assert least <= second - first - 0.05 <= most
    assert window.retried == 1


@pytest.mark.parametrize("failure", [Refusal("400"), RefusedError("401"), StoppedEarlyError("quota")])
@virtually
async def test_lasting_failures_are_not(failure: Exception):
    teacher = Teacher(fails=first_time(failure))
    with pytest.raises(type(failure)):
        await Window(teacher, 1, asyncio.Event()).send(request())
    assert len(teacher.sent) == 1


@virtually
async def test_what_ends_a_run_lets_nobody_else_go():
    """The tenth request meets a key that is no longer good; of those behind it only what is on the wire is lost."""
    refused = RefusedError("401")
    teacher = Teacher(fails=lambda request, visit, in_flight: refused if request.example.row == 9 else None)
    ends = await send_all(Window(teacher, 8, asyncio.Event()), 100)
    assert [end for end in ends if end == REPLY] == [REPLY] * 15
    assert ends[9] is refused
    assert len(teacher.sent) == 16
    assert all(isinstance(end, Stopped) for end in ends[16:])


@pytest.mark.parametrize("failure", [Transient("502"), Throttled("502"), TimedOut("502")])
@virtually
async def test_a_request_is_given_up_after_so_many_tries(failure: Exception):
    teacher = Teacher(fails=lambda request, visit, in_flight: failure)
    with pytest.raises(GaveUp, match=f"502 \\({TRIES} tries\\)"):
        await Window(teacher, 1, asyncio.Event()).send(request())
    assert len(teacher.sent) == TRIES


@virtually
async def test_waiting_for_room_is_no_failure():
    """A server with room for two, and a window of sixty-four: each row is refused often, and none is given up."""
    teacher = Teacher(latency=5.0, fails=lambda r, visit, in_flight: Throttled("429") if in_flight > 2 else None)
    replies = await send_all(window := Window(teacher, 64, asyncio.Event()), 200)
    assert replies == [REPLY] * 200
    assert window.limit <= 4
    assert now() <= 1.15 * 200 / 2 * 5.0, "the server was never idle for long"


@virtually
async def test_a_server_that_was_never_reached_ends_the_run():
    teacher = Teacher(fails=lambda *_: Transient("refused", connected=False))
    with pytest.raises(SqlRlError, match="refused; is the server running"):
        await Window(teacher, 1, asyncio.Event()).send(request())
    assert len(teacher.sent) == 3


@virtually
async def test_answers_that_are_none_end_a_run_that_has_had_no_other():
    """A base URL that leads to a web page, a proxy that streams: each of them may be billed."""
    teacher = Teacher(fails=lambda *_: Unreadable("not JSON: <html>"))
    with pytest.raises(SqlRlError, match="<html>; is the server running, and --base-url right"):
        await Window(teacher, 1, asyncio.Event()).send(request())
    assert len(teacher.sent) == 3


@virtually
async def test_answers_that_are_none_are_not_asked_for_as_often_as_none_at_all():
    teacher = Teacher(fails=lambda r, visit, in_flight: Unreadable("not JSON") if r.example.row else None)
    window = Window(teacher, 1, asyncio.Event())
    await window.send(request())
    with pytest.raises(GaveUp, match=r"not JSON \(4 tries\)"):
        await window.send(request(1))


@pytest.mark.parametrize("failure", [Throttled("429", retry_after=0.0), Transient("503", retry_after=0.0)])
@virtually
async def test_a_server_that_asks_for_no_wait_is_waited_for_all_the_same(failure: Transient):
    """Else its tries are used up within a moment, and every row is lost to the run."""
    teacher = Teacher(latency=0.001, fails=lambda *_: failure if now() < 20 else None)
    assert await send_all(Window(teacher, 8, asyncio.Event()), 40) == [REPLY] * 40
    assert now() < 60


@virtually
async def test_a_server_that_was_reached_is_waited_for():
    gone = Transient("refused", connected=False)
    teacher = Teacher(fails=lambda r, visit, in_flight: gone if r.example.row and visit <= 5 else None)
    window = Window(teacher, 1, asyncio.Event())
    await window.send(request())
    assert await window.send(request(1)) == REPLY


@virtually
async def test_a_server_that_asks_for_hours_is_left_to_the_next_run():
    teacher = Teacher(fails=first_time(Throttled("429 from u", retry_after=7200.0)))
    with pytest.raises(StoppedEarlyError, match=r"429 from u; it asks for 2\.0 hours"):
        await Window(teacher, 1, asyncio.Event()).send(request())


@pytest.mark.parametrize(
    ("tries", "retry_after", "jitter", "seconds"),
    [
        (1, None, 0.0, 0.125),
        (1, None, 1.0, 0.5),
        (3, None, 1.0, 2.0),
        (20, None, 1.0, 60.0),
        (1, 5.0, 0.5, 5.5),
        (5, 0.0, 1.0, 8.0),
    ],
)
def test_backoff(tries: int, retry_after: float | None, jitter: float, seconds: float):
    assert backoff(tries, retry_after, jitter) == pytest.approx(seconds)


# -- slots ------------------------------------------------------------------------------------------------------------


@virtually
async def test_never_more_in_flight_than_the_window_and_never_less_until_the_tail():
    window = Window(teacher := Teacher(), 3, asyncio.Event())
    await send_all(window, 20)
    assert teacher.most == 3
    assert now() == pytest.approx(7.0)
    assert window.fullness == pytest.approx(1.0)
    assert window.in_flight == 0


@virtually
async def test_the_tail_begins_with_the_last_row_not_with_its_last_attempt():
    window = Window(Teacher(latency=1.0), 4, asyncio.Event())
    await send_all(window, 8)
    for attempt in range(1, 20):
        await window.send(request(0, attempt))
    assert window.fullness == pytest.approx(1.0)


@pytest.mark.parametrize(("size", "fullness"), [(64, 0.99), (256, 0.95)])
@virtually
async def test_a_steady_server_meets_a_full_window(size: int, fullness: float):
    window = Window(teacher := Teacher(latency=0.5), size, asyncio.Event())
    await send_all(window, 1000)
    assert teacher.most == size
    assert window.fullness >= fullness
    assert now() <= 1.05 * -(-1000 // size) * 0.5


@virtually
async def test_a_waiting_request_holds_no_slot_and_goes_first_when_it_is_due():
    teacher = Teacher(
        fails=lambda r, visit, _: Transient("500", retry_after=2.0) if (r.example.row, visit) == (0, 1) else None
    )
    await send_all(Window(teacher, 1, asyncio.Event()), 6)
    order = [row for _, row in teacher.sent]
    assert order[:3] == [0, 1, 2], "others go on while it waits"
    assert order.index(0, 1) == 4, "when it is due, it goes before what is new"


@virtually
async def test_a_waiter_that_is_cancelled_takes_no_slot():
    window = Window(Teacher(), 1, asyncio.Event())
    tasks = [asyncio.create_task(window.send(request(i))) for i in range(3)]
    await asyncio.sleep(0.5)
    tasks[1].cancel()
    assert await tasks[2] == REPLY
    assert now() == pytest.approx(2.0)
    assert window.in_flight == 0


@virtually
async def test_a_request_that_is_cancelled_in_the_moment_it_is_admitted_gives_its_slot_back():
    window = Window(Teacher(), 1, asyncio.Event())
    task = asyncio.create_task(window.send(request()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert window.in_flight == 0
    assert await window.send(request(1)) == REPLY


def test_retries_that_are_due_at_once_on_a_loop_whose_timers_then_know_no_time():
    """uvloop, which Ray's workers run on, gives a plain handle for what is due within half a millisecond."""
    loops = pytest.importorskip("uvloop")

    async def three() -> list[None]:
        window = Window(Teacher(), 4, asyncio.Event())

        async def asked_again(after: float) -> None:
            async with window._slots.slot(1.0, after):
                pass

        return await asyncio.gather(asked_again(3e-4), asked_again(2e-4), asked_again(1e-4))

    with asyncio.Runner(loop_factory=loops.new_event_loop) as runner:
        assert runner.run(three()) == [None] * 3


# -- ends -------------------------------------------------------------------------------------------------------------


@virtually
async def test_stop_sends_nothing_new_and_wakes_who_waits():
    stop = asyncio.Event()
    teacher = Teacher(fails=lambda r, visit, _: Transient("500", 50.0) if r.example.row == 0 else None)
    window = Window(teacher, 2, stop)
    tasks = [asyncio.create_task(window.send(request(i))) for i in range(4)]
    await asyncio.sleep(0.5)
    stop.set()
    replies = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(r) for r in replies] == [Stopped, Completion, Completion, Stopped]
    assert now() == pytest.approx(1.05), "what was in flight was waited for, nothing else"
    with pytest.raises(Stopped):
        await window.send(request(9))


class Silent(Teacher):
    """Answers the first request, and none after that."""

    async def ask(self, request: Request) -> Completion:
        if request.example.row:
            await asyncio.Event().wait()
        return await super().ask(request)


@virtually
async def test_a_run_that_falls_silent_is_ended():
    replies = await send_all(Window(Silent(), 2, asyncio.Event(), stall_timeout=100.0), 6)
    assert replies[0] == REPLY
    assert {type(r) for r in replies[1:]} == {StoppedEarlyError}
    assert str(replies[1]) == (
        "nothing was heard for 100 s, with 2 requests in flight and 3 waiting; the same command carries on"
    )
    assert 100 <= now() <= 103


@virtually
async def test_a_server_that_puts_off_for_ever_is_left_to_the_next_run():
    """A quota that is spent and does not say so: each refusal asks for a minute, and days of them bring nothing."""
    full = Throttled("429", retry_after=60.0)
    teacher = Teacher(fails=lambda *_: full if now() >= 5.0 else None)
    replies = await send_all(Window(teacher, 4, asyncio.Event(), stall_timeout=100.0), 500)
    ended = next(r for r in replies if isinstance(r, StoppedEarlyError))
    assert re.fullmatch(r"429; no answer came for 3[78]\d\d s: the same command carries on", str(ended))


@virtually
async def test_a_run_whose_server_has_died_is_ended():
    """Each request alone would be tried for minutes, and a hundred thousand of them for days."""

    def dies(request: Request, visit: int, in_flight: int) -> Exception | None:
        return Transient("cannot connect", connected=False) if now() >= 5.0 else None

    replies = await send_all(Window(Teacher(fails=dies), 4, asyncio.Event(), stall_timeout=100.0), 1000)
    assert sum(isinstance(r, Completion) for r in replies) >= 16
    ended = next(r for r in replies if isinstance(r, StoppedEarlyError))
    assert re.fullmatch(r"cannot connect; no answer came for 1\d\d s: the same command carries on", str(ended))


@virtually
async def test_a_pause_is_no_stall():
    teacher = Teacher(fails=first_time(Throttled("429", retry_after=3000.0)))
    assert await send_all(Window(teacher, 2, asyncio.Event(), stall_timeout=100.0), 2) == [REPLY, REPLY]
    assert now() > 3000
