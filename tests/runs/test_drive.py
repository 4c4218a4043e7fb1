"""Driving many jobs: how many at once, and how it ends."""

import asyncio
import signal

import pytest

from sql_rl.errors import SqlRlError, StoppedEarlyError
from sql_rl.runs.drive import Stop, drive, every, signals, terminable
from sql_rl.runs.loop import run_async


async def test_never_more_under_way_than_allowed_and_nothing_left_out():
    under_way, most, done = 0, 0, []

    async def work(item: int) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        done.append(item)

    await drive(range(50), work, 4, Stop(), grace=1)
    assert most == 4
    assert sorted(done) == list(range(50))


async def test_a_failure_ends_admission_and_the_rest_finishes():
    stop, finished = Stop(), []

    async def work(item: int) -> None:
        if item == 1:
            raise StoppedEarlyError("enough")
        await asyncio.sleep(0.01)
        finished.append(item)

    await drive(range(100), work, 3, stop, grace=5)
    assert str(stop.why) == "enough"
    assert finished == [0, 2]


async def test_a_bug_is_raised_and_not_taken_for_an_end():
    async def work(item: int) -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        await drive(range(3), work, 2, Stop(), grace=1)


async def test_what_is_late_is_cancelled_when_the_grace_is_over():
    stop, cancelled = Stop(), []

    async def work(item: int) -> None:
        stop.set(SqlRlError("over"))
        stop.hurried.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(item)
            raise

    await asyncio.wait_for(drive(range(9), work, 2, stop, grace=0.01), timeout=5)
    assert cancelled


async def test_without_hurry_what_is_under_way_is_waited_for():
    """As where a quota is spent: what is on the wire is paid for, and nobody asked to be quick."""
    stop, finished = Stop(), []

    async def work(item: int) -> None:
        stop.set(SqlRlError("over"))
        await asyncio.sleep(0.1)
        finished.append(item)

    await drive(range(9), work, 2, stop, grace=0.01)
    assert finished == [0]


async def test_a_beat_that_fails_is_not_swallowed():
    async def beat() -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        async with every(0.001, beat):
            await asyncio.sleep(0.05)


def test_sigterm_is_a_ctrl_c_where_nothing_listens():
    """While rows are loaded, or a dataset goes up: it ends with the code of an interrupted run."""

    async def main() -> None:
        with signals(Stop()):
            signal.raise_signal(signal.SIGTERM)

    system = signal.getsignal(signal.SIGTERM)
    with terminable():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        run_async(main())
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is system
