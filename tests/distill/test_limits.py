"""The window over real HTTP, against a real server that keeps limits of its own."""

import asyncio
import time

from sql_rl.configure import Secrets
from sql_rl.distill.window import Window
from sql_rl.errors import StoppedEarlyError
from sql_rl.examples import Example
from sql_rl.teachers.base import Completion, Request, Sampling
from sql_rl.teachers.openai import OpenAITeacher
from sql_rl.testing.chat_server import ChatServer, Faults
from sql_rl.testing.server_limits import ServerLimits

EXAMPLE = Example(row=0, id="0", question="q", context="c", gold="g")


def request(number: int) -> Request:
    return Request(EXAMPLE, [{"role": "user", "content": f"Question: {number}"}], Sampling(None, 100, None), 0)


async def send_all(server: ChatServer, count: int, size: int, **limits: float) -> tuple[list[object], Window]:
    async with OpenAITeacher("m", server.url, Secrets(), size, timeout=30.0) as teacher:
        window = Window(teacher, size, asyncio.Event(), **limits)
        sending = (window.send(request(number)) for number in range(count))
        return await asyncio.gather(*sending, return_exceptions=True), window


async def test_a_server_with_room_for_five_is_not_overrun():
    with ChatServer(delay=0.1, limits=ServerLimits(at_once=5)).running() as server:
        replies, window = await send_all(server, 300, size=64)
    assert all(isinstance(reply, Completion) for reply in replies)
    assert all(n == 1 for n in server.answered.values()), "nothing is paid twice"
    assert window.limit <= 10


async def test_headers_are_obeyed_before_the_server_refuses():
    limits = ServerLimits(rpm=600, left=50)
    with ChatServer(delay=0.05, limits=limits).running() as server:
        started = time.monotonic()
        replies, window = await send_all(server, 50, size=16)
        seconds = time.monotonic() - started
    assert all(isinstance(reply, Completion) for reply in replies)
    assert server.gate.refused == 0
    assert seconds > 2.0, "twenty at once, the others ten a second"
    assert window.throttled_seconds > 1.5


async def test_a_server_that_refuses_by_the_minute_is_waited_for():
    """No headers but Retry-After: whoever is refused makes everybody wait until then."""
    limits = ServerLimits(rpm=1200, left=30, headers=False)
    with ChatServer(limits=limits).running() as server:
        replies, _ = await send_all(server, 60, size=32)
    assert all(isinstance(reply, Completion) for reply in replies)
    assert server.gate.refused <= 4 * 60


async def test_a_server_that_works_on_a_few_at_a_time_loses_nothing():
    with ChatServer(delay=0.02, limits=ServerLimits(workers=4)).running() as server:
        replies, window = await send_all(server, 200, size=64)
    assert all(isinstance(reply, Completion) for reply in replies)
    assert window.retried == 0
    assert window.fullness > 0.9


async def test_hard_limits_hold_on_the_wire():
    with ChatServer().running() as server:
        started = time.monotonic()
        replies, _ = await send_all(server, 130, size=64, rpm=1200)
    assert len(replies) == server.seen.total() == 130
    assert time.monotonic() - started >= (130 - 60) / 20, "sixty at once, the others twenty a second"


async def test_a_server_that_hangs_for_ever_ends_the_run():
    with ChatServer(faults=Faults(stall=1.0)).running() as server:
        replies, _ = await send_all(server, 5, size=2, stall_timeout=2.0)
    assert {type(reply) for reply in replies} == {StoppedEarlyError}
