"""Opening what takes long, in a run that may be stopped meanwhile."""

import asyncio

import pytest

from sql_rl.errors import StoppedEarlyError, UsageError
from sql_rl.runs.drive import Stop, opened


class Slow:
    """Opens when `ready` is set; says what happened to it."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.events: list[str] = []

    async def __aenter__(self) -> "Slow":
        try:
            await self.ready.wait()
        except asyncio.CancelledError:
            self.events.append("given up")
            raise
        self.events.append("open")
        return self

    async def __aexit__(self, *failure: object) -> None:
        self.events.append(f"closed after {failure[0].__name__ if failure[0] else 'success'}")


async def test_it_opens_and_closes():
    slow = Slow()
    slow.ready.set()
    async with opened(slow, Stop()) as value:
        assert value is slow
    assert slow.events == ["open", "closed after success"]


async def test_what_is_raised_inside_reaches_the_resource_and_the_caller():
    slow = Slow()
    slow.ready.set()
    with pytest.raises(UsageError):
        async with opened(slow, Stop()):
            raise UsageError("wrong")
    assert slow.events == ["open", "closed after UsageError"]


async def test_a_stop_ends_the_wait_with_its_reason():
    slow, stop = Slow(), Stop()
    asyncio.get_running_loop().call_soon(stop.set, StoppedEarlyError("SIGTERM"))
    with pytest.raises(StoppedEarlyError, match="SIGTERM"):
        async with opened(slow, stop):
            pytest.fail("it never opens")
    assert slow.events == ["given up"]


async def test_a_stop_after_it_is_open_is_not_its_business():
    slow, stop = Slow(), Stop()
    slow.ready.set()
    async with opened(slow, stop):
        stop.set(StoppedEarlyError("SIGTERM"))
        await asyncio.sleep(0)
    assert slow.events == ["open", "closed after success"]


async def test_what_fails_to_open_says_why():
    class Broken(Slow):
        async def __aenter__(self) -> "Slow":
            raise UsageError("no such model")

    broken = Broken()
    with pytest.raises(UsageError, match="no such model"):
        async with opened(broken, Stop()):
            pytest.fail("it never opens")
    assert broken.events == []
