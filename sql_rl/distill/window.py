"""The window: one request from its first try to its answer, and what the run learns from each try.

A request holds a slot only while it is on the wire; there is no barrier: whenever a slot is free and the limits allow
it, the next request takes it. Only the wire counts against a teacher's time-out, never the wait for a slot.
"""

import asyncio
import random
from typing import Any

from sql_rl.distill.limits.admission import Admission, Ticket
from sql_rl.distill.limits.gauge import Gauge
from sql_rl.distill.limits.timeline import Timeline
from sql_rl.distill.limits.watchdog import Watchdog
from sql_rl.distill.slots import Slots, Stopped
from sql_rl.errors import SqlRlError, StoppedEarlyError
from sql_rl.prompts import estimated_tokens
from sql_rl.teachers.base import (
    Completion,
    Metered,
    Refusal,
    Request,
    Teacher,
    Throttled,
    TimedOut,
    Transient,
    Unreadable,
)

__all__ = ["GaveUp", "Stopped", "Window"]

FIRST_BACKOFF = 0.5  # seconds; doubled with each try, up to
LONGEST_BACKOFF = 60.0
TRIES = 8  # of one request, some two minutes of back-off in all
TRIES_UNREACHED = 3  # before any request got an answer: a wrong URL should not take minutes to be told
TRIES_UNREADABLE = 4  # of a request whose answers are none: each of them may be billed
SPREAD = 0.1  # how much longer than asked for a pause may be
LONGEST_PAUSE = 3600.0  # seconds; a server that asks for more is left to the next run of the same command


class GaveUp(Exception):  # noqa: N818 (the request's end, not the run's)
    """A request failed for passing reasons too often; nothing is recorded, so the next run asks again."""


class Window:
    """At most `size` requests of `teacher` on the wire, and fewer where a limit says so.

    stop: once set, nothing new is sent and waiting tries are given up (Stopped); an answer that ends the run sets it
    before its slot is free. rpm, tpm: requests and tokens in any minute, None for no such limit. stall_timeout: seconds
    of silence, or of nothing but failures, that end the run.
    in_flight, limit, retried, throttled_seconds, fullness: what a progress display and run.json show.
    """

    def __init__(
        self,
        teacher: Teacher,
        size: int,
        stop: asyncio.Event,
        *,
        rpm: int | None = None,
        tpm: int | None = None,
        stall_timeout: float = 420.0,
    ) -> None:
        self._teacher = teacher
        self._metered = teacher if isinstance(teacher, Metered) else None
        self._admission = Admission(size, rpm, tpm)
        self._gauge = Gauge(size)
        self._timeline = Timeline()
        self._stop = stop
        self._slots = Slots(self._admission, stop, Watchdog(stall_timeout), self._gauge)
        self._jitter = random.Random(0)
        self._answers = 0
        self._stall_timeout = stall_timeout
        self._failing_since: float | None = None  # of the first failure after which no answer came
        self._put_off_since: float | None = None  # likewise, where the server has said each time how long to wait
        self.retried = 0

    @property
    def in_flight(self) -> int:
        """Requests on the wire."""
        return self._slots.in_flight

    @property
    def limit(self) -> int:
        """How many may be on the wire now: the window's size, or what the server has shown to take."""
        return self._admission.limit(asyncio.get_running_loop().time())

    @property
    def throttled_seconds(self) -> float:
        """How long requests waited for a pause or a rate limit while a slot was free."""
        return self._gauge.throttled

    @property
    def fullness(self) -> float:
        """The mean share of `size` that was on the wire until the last row was opened."""
        return self._gauge.fullness

    def report(self) -> dict[str, Any]:
        """How it went on the wire, for run.json; times in seconds, fullness as a share, the answers over time."""
        return {
            "retried": self.retried,
            "throttled_seconds": round(self.throttled_seconds, 3),
            "fullness": round(self.fullness, 4),
            "timeline": self._timeline.report(),
        }

    async def send(self, request: Request) -> Completion:
        """The teacher's completion, after as many tries as it takes.

        A try that the server had no room for does not count where others got through meanwhile.
        Raises Stopped, GaveUp, Refusal (of this request), or an SqlRlError that ends the run: credentials, quota,
        a server that was never reached, a stall.
        """
        tries, wait = 0, None
        while True:
            answers = self._answers
            try:
                return await self._once(request, wait)
            except Transient as failure:
                if not (isinstance(failure, Throttled) and self._answers > answers):
                    tries += 1
                self._check(failure, tries)
                self.retried += 1
                wait = self._backoff(failure, max(tries, 1))

    async def _once(self, request: Request, wait: float | None) -> Completion:
        tokens = self._admission.estimate(estimated_tokens(request.messages), request.sampling.max_tokens)
        now = asyncio.get_running_loop().time
        async with self._slots.slot(tokens, wait, opens_row=wait is None and request.sample == 0) as ticket:
            sent = now()
            try:
                reply = await self._teacher.ask(request)
            except (Transient, Refusal) as failure:
                self._read_meter(ticket, now())
                self._learn(ticket, failure, now())
                raise
            except SqlRlError:
                self._stop.set()  # here, since whoever takes the slot would be sent to be refused too
                raise
            self._answers += 1
            self._failing_since = self._put_off_since = None
            self._timeline.answered(sent, now(), self.in_flight, self.limit)
            self._read_meter(ticket, now())
            self._admission.answered(ticket, self.in_flight, reply.prompt_tokens, reply.completion_tokens, now())
            return reply

    def _read_meter(self, ticket: Ticket, now: float) -> None:
        if self._metered is not None and self._metered.quotas is not None:
            self._admission.told(ticket, self._metered.quotas, now)

    def _learn(self, ticket: Ticket, failure: Transient | Refusal, now: float) -> None:
        if isinstance(failure, Refusal):
            self._failing_since = self._put_off_since = None
        elif failure.retry_after is not None:
            self._failing_since = None  # it is there, and says what is to be done
            self._put_off_since = now if self._put_off_since is None else self._put_off_since
        elif self._failing_since is None:
            self._failing_since = now
        match failure:
            case Throttled(retry_after=None):
                self._admission.refused(ticket, None, now)
            case Throttled(retry_after=seconds):
                pause = seconds * (1 + SPREAD * self._jitter.random())  # the key's other clients were told the same
                self._admission.refused(ticket, pause, now)
            case TimedOut():
                self._admission.late()
            case Refusal():
                self._admission.unused(ticket, now)

    def _check(self, failure: Transient, tries: int) -> None:
        """Raises where another try is not worth its wait."""
        unreadable = isinstance(failure, Unreadable)
        if not self._answers and (unreadable or not failure.connected) and tries >= TRIES_UNREACHED:
            raise SqlRlError(f"{failure}; is the server running, and --base-url right?") from failure
        if failure.retry_after is not None and failure.retry_after > LONGEST_PAUSE:
            hours = failure.retry_after / 3600
            raise StoppedEarlyError(
                f"{failure}; it asks for {hours:.1f} hours: the same command carries on"
            ) from failure
        failing, put_off = self._since(self._failing_since), self._since(self._put_off_since)
        if failing >= self._stall_timeout or put_off >= LONGEST_PAUSE + self._stall_timeout:
            failing = max(failing, put_off)
            raise StoppedEarlyError(f"{failure}; no answer came for {failing:.0f} s: the same command carries on")
        if tries >= (TRIES_UNREADABLE if unreadable else TRIES):
            raise GaveUp(f"{failure} ({tries} tries)") from failure

    def _since(self, then: float | None) -> float:
        return 0.0 if then is None else asyncio.get_running_loop().time() - then

    def _backoff(self, failure: Transient, tries: int) -> float:
        """Seconds that this request waits. Where the server asked all to pause, it is the first to go after that.

        But only once: a server that asks for no pause worth the name would refuse all tries within a moment.
        """
        if isinstance(failure, Throttled) and failure.retry_after is not None and tries == 1:
            return 0.0
        return backoff(tries, failure.retry_after, self._jitter.random())


def backoff(tries: int, retry_after: float | None, jitter: float) -> float:
    """Seconds before the next try after `tries` failed ones.

    Exponential with full jitter (Brooker, "Exponential Backoff and Jitter", AWS 2015), never under a quarter; not less
    than the server asks for, with up to a second more so that not all come back at once. jitter: in [0, 1).
    """
    ceiling = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** (tries - 1))
    wait = ceiling * (0.25 + 0.75 * jitter)
    return wait if retry_after is None else max(wait, retry_after + jitter)
