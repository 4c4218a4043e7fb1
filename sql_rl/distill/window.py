"""The window: how many requests are on the wire, and what happens to one that fails for a passing reason.

A request holds a slot only while it is on the wire; one that waits for its next try has given its slot free. There
is no barrier: whenever a slot is free, the next request takes it. The clock and the sleep are injected.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

from sql_rl.errors import SqlRlError
from sql_rl.teachers.base import Completion, Request, Teacher, Transient

FIRST_BACKOFF = 0.5  # seconds; doubled with each try, up to
LONGEST_BACKOFF = 60.0
TRIES = 8  # of one request, some two minutes of back-off in all
TRIES_UNREACHED = 3  # before any request got an answer: a wrong URL should not take minutes to be told


class Stopped(Exception):  # noqa: N818 (nothing went wrong)
    """The run admits no more requests; this one was not sent."""


class GaveUp(Exception):  # noqa: N818 (the request's end, not the run's)
    """A request failed for passing reasons too often; nothing is recorded, so the next run asks again."""


class Window:
    """At most `size` requests of `teacher` on the wire.

    stop: once set, nothing new is sent and waiting tries are given up (Stopped). sleep: an awaitable like
    asyncio.sleep. in_flight, retried: what a progress display shows.
    """

    def __init__(
        self,
        teacher: Teacher,
        size: int,
        stop: asyncio.Event,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._teacher = teacher
        self._slots = asyncio.Semaphore(size)
        self._stop = stop
        self._sleep = sleep
        self._jitter = random.Random(0)
        self._reached = False
        self.in_flight = 0
        self.retried = 0

    async def send(self, request: Request) -> Completion:
        """The teacher's completion, after as many tries as it takes.

        Raises Stopped, GaveUp, Refusal (of this request), or an SqlRlError that ends the run: credentials, quota,
        a server that was never reached.
        """
        for tries in range(1, TRIES + 1):
            try:
                return await self._once(request)
            except Transient as failure:
                if not self._reached and not failure.connected and tries >= TRIES_UNREACHED:
                    raise SqlRlError(f"{failure}; is the server running, and --base-url right?") from failure
                if tries == TRIES:
                    raise GaveUp(f"{failure} ({tries} tries)") from failure
                self.retried += 1
                await self._wait(backoff(tries, failure.retry_after, self._jitter.random()))
        raise AssertionError("the last try returns or raises")

    async def _once(self, request: Request) -> Completion:
        async with self._slots:
            if self._stop.is_set():
                raise Stopped
            self.in_flight += 1
            try:
                completion = await self._teacher.ask(request)
            finally:
                self.in_flight -= 1
            self._reached = True
            return completion

    async def _wait(self, seconds: float) -> None:
        """Sleeps without a slot; wakes up early for a stop."""
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((sleeping, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            stopping.cancel()
        if self._stop.is_set():
            raise Stopped


def backoff(tries: int, retry_after: float | None, jitter: float) -> float:
    """Seconds before the next try after `tries` failed ones.

    What the server asks for, with up to a second more so that not all come back at once; else exponential with full
    jitter (Brooker, "Exponential Backoff and Jitter", AWS 2015), never under a quarter. jitter: in [0, 1).
    """
    if retry_after is not None:
        return retry_after + jitter
    ceiling = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** (tries - 1))
    return ceiling * (0.25 + 0.75 * jitter)
