"""Slots: the queue in front of the wire. Who waits, who goes next, and who wakes them.

What is asked again comes before what is new, each in its order; a request that waits for its next try holds no slot.
When something may go is decided by the limits (`limits/`); here is the part of it that asyncio does.
"""

import asyncio
import heapq
import itertools
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sql_rl.distill.limits.admission import Admission, Ticket
from sql_rl.distill.limits.gauge import Gauge
from sql_rl.distill.limits.watchdog import Watchdog
from sql_rl.errors import SqlRlError, StoppedEarlyError

TICK = 1.0  # seconds between two looks at the watchdog


class Stopped(Exception):  # noqa: N818 (nothing went wrong)
    """The run admits no more requests; this one was not sent."""


@dataclass(slots=True, eq=False)
class _Waiter:
    tokens: float
    opens_row: bool
    admitted: "asyncio.Future[Ticket]"


class Slots:
    """Slots under the limits of `admission`. Needs a running loop, whose clock is everybody's.

    stop: once set, nothing is admitted and whoever waits gets Stopped. in_flight: slots in use.
    """

    def __init__(self, admission: Admission, stop: asyncio.Event, watchdog: Watchdog, gauge: Gauge) -> None:
        self._admission, self._stop, self._watchdog, self._gauge = admission, stop, watchdog, gauge
        self._new: deque[_Waiter] = deque()
        self._again: deque[_Waiter] = deque()
        self._later: list[tuple[float, int, _Waiter]] = []  # a heap of what is to be asked again, by when it is due
        self._number = itertools.count()
        self._on_wire: set[asyncio.Task[None]] = set()
        self._timer: asyncio.Handle | None = None
        self._wakes_at = math.inf  # of the timer; uvloop gives a handle without a time for what is due
        self._guard: asyncio.Task[None] | None = None
        self._stall: SqlRlError | None = None
        self.in_flight = 0

    @asynccontextmanager
    async def slot(self, tokens: float, after: float | None = None, opens_row: bool = True) -> AsyncIterator[Ticket]:
        """A slot for the length of the block. tokens: how many the request is thought to use.

        after: None for a new request; for one that is asked again, the seconds before it may be. opens_row: it is
        the first of its row, so that there was work enough until now.
        Raises Stopped, or StoppedEarlyError where the run has stalled.
        """
        ticket = await self._admitted(_Waiter(tokens, opens_row, asyncio.get_running_loop().create_future()), after)
        task = asyncio.current_task()
        self._on_wire.add(task)
        try:
            yield ticket
        except asyncio.CancelledError:
            if self._stall:
                raise self._stall from None
            raise
        finally:
            self._on_wire.discard(task)
            self._release()

    async def _admitted(self, waiter: _Waiter, after: float | None) -> Ticket:
        if self._stop.is_set():
            raise Stopped
        loop = asyncio.get_running_loop()
        if self._guard is None or self._guard.done():
            self._guard = loop.create_task(self._keep_watch())
        if after is None:
            self._new.append(waiter)
        else:
            heapq.heappush(self._later, (loop.time() + after, next(self._number), waiter))
        self._dispatch()
        try:
            return await waiter.admitted
        except asyncio.CancelledError:
            if waiter.admitted.done() and not waiter.admitted.cancelled() and not waiter.admitted.exception():
                self._release()  # admitted and cancelled in the same moment
            raise

    def _release(self) -> None:
        self.in_flight -= 1
        self._watchdog.heard()
        self._dispatch()

    def _dispatch(self) -> None:
        """Admits whoever may go now, and sets the timer for the next one who may go later."""
        now = asyncio.get_running_loop().time()
        while self._later and self._later[0][0] <= now:
            self._again.append(heapq.heappop(self._later)[2])
        held = False
        while not self._stop.is_set() and (queue := self._again or self._new):
            if queue[0].admitted.done():  # cancelled while it waited
                queue.popleft()
                continue
            if self.in_flight >= self._admission.limit(now):
                if (grows_at := self._admission.grows_at) is not None:
                    self._wake_at(grows_at)
                break
            if (delay := self._admission.delay(queue[0].tokens, now)) > 0:
                self._wake_at(now + delay)
                held = True
                break
            self._admit(queue.popleft(), now)
        self._gauge.changed(self.in_flight, held, now)
        if self._later:
            self._wake_at(self._later[0][0])

    def _admit(self, waiter: _Waiter, now: float) -> None:
        self.in_flight += 1
        self._watchdog.heard()
        waiter.admitted.set_result(self._admission.sent(waiter.tokens, now))
        self._gauge.changed(self.in_flight, False, now)
        if waiter.opens_row:
            self._gauge.row_opened()

    def _wake_at(self, when: float) -> None:
        if self._timer is not None:
            if self._wakes_at <= when:
                return
            self._timer.cancel()
        self._timer, self._wakes_at = asyncio.get_running_loop().call_at(when, self._wake), when

    def _wake(self) -> None:
        self._timer = None
        self._dispatch()

    async def _keep_watch(self) -> None:
        """While anybody is here: tells those who wait of a stop, and ends a run that has fallen silent."""
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            while self.in_flight or self._waiting():
                await asyncio.wait((stopping,), timeout=TICK)
                if stopping.done():
                    self._turn_away(Stopped())
                    return
                now = asyncio.get_running_loop().time()
                if self._watchdog.stalled(now, scheduled=self._timer is not None):
                    self._end_stall()
                    return
        finally:
            stopping.cancel()

    def _waiting(self) -> list[_Waiter]:
        return [*self._again, *self._new, *(waiter for _, _, waiter in self._later)]

    def _turn_away(self, why: Exception) -> None:
        for waiter in self._waiting():
            if not waiter.admitted.done():
                waiter.admitted.set_exception(why)

    def _end_stall(self) -> None:
        self._stall = StoppedEarlyError(
            f"nothing was heard for {self._watchdog.timeout:g} s, with {self.in_flight} requests in flight and "
            f"{len(self._waiting())} waiting; the same command carries on"
        )
        self._turn_away(self._stall)
        for task in self._on_wire:
            task.cancel()
