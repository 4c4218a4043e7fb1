"""Requests by the batch instead of one by one: a Window whose round trip may take a day and costs less.

Requests are gathered until no more come (everybody who could ask is waiting for an answer) or a file is full; then
they travel as one batch. What a batch brings back without an answer (expired, a server's error) joins the next one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sql_rl.distill.batches.courier import Courier
from sql_rl.distill.batches.ledger import Intent, Ledger
from sql_rl.distill.batches.lines import packed
from sql_rl.distill.journal import Journal
from sql_rl.distill.window import GaveUp, Stopped
from sql_rl.errors import SqlRlError, StoppedEarlyError
from sql_rl.teachers.base import Completion, Refusal, Request
from sql_rl.teachers.batch_api import MAX_BYTES, MAX_LINES, WINDOW_HOURS, BatchApi

QUIET = 5.0  # seconds without a new request until a batch is closed
TRIES = 3  # batches that a request travels in, until the row is left to the next run


@dataclass(slots=True)
class _Waiting:
    """A request whose answer somebody waits for. ended: None once it is recorded, else why there will be none."""

    request: Request
    ended: asyncio.Future[BaseException | None]
    tries: int = 0


class Batches:
    """Sends requests by the batch. As a context, it first takes up the batches that earlier runs left open.

    key: of a request in the journal. body: of the chat request that asks it. stop: once set, nobody waits any
    longer (Stopped); what is at the provider goes on there, and the next run harvests it. say: told, in a line, what a
    person wants to know. sleep, clock (Unix time): injected.
    """

    def __init__(
        self,
        api: BatchApi,
        journal: Journal,
        key: Callable[[Request], str],
        body: Callable[[Request], Mapping[str, Any]],
        stop: asyncio.Event,
        say: Callable[[str], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api, self._key, self._body, self._stop, self._say, self._sleep = api, key, body, stop, say, sleep
        self._ledger = Ledger(journal, clock)
        self._courier = Courier(api, self._ledger, sleep, say)
        self._waiting: dict[str, _Waiting] = {}
        self._gathered: list[str] = []  # keys of the next batch
        self._came = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._most_lines = MAX_LINES
        self._room = asyncio.Event()  # the provider takes more than what is travelling
        self._room.set()
        self._over: BaseException | None = None

    @property
    def in_flight(self) -> int:
        """Requests that are at the provider, or on their way."""
        return self._ledger.requests

    def report(self) -> dict[str, int]:
        """How it went, for run.json: requests that still travel."""
        return {"travelling": self.in_flight}

    async def __aenter__(self) -> Self:
        await self._api.__aenter__()
        for intent in self._ledger.open.values():
            self._begin(self._travel(intent, None))
        self._begin(self._gather())
        self._begin(self._stopped())
        return self

    async def __aexit__(self, *failure: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._api.__aexit__(*failure)
        if left := self._ledger.open.values():
            until = datetime.fromtimestamp(max(intent.at for intent in left) + WINDOW_HOURS * 3600)
            self._say(
                f"still at the provider: {self._ledger.told()}; the same command harvests what has ended, "
                f"and by {until:%Y-%m-%d %H:%M} all has"
            )
        if failure[0] is None and not isinstance(self._over, SqlRlError | Stopped | None):
            raise self._over  # a bug, while nobody was waiting

    async def send(self, request: Request) -> Completion:
        """The answer, which is in the journal by then. Raises Stopped, GaveUp, Refusal, or what ends the run."""
        key = self._key(request)
        if (answer := self._ledger.answer(key)) is None:
            await self._answered(key, request)
            answer = self._ledger.answer(key)
        if isinstance(answer, Refusal):
            raise answer
        return answer

    async def _answered(self, key: str, request: Request) -> None:
        """Returns once the answer is in the journal; joins whoever waits for the same key."""
        if self._over is not None:
            raise self._over
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = _Waiting(request, asyncio.get_running_loop().create_future())
            if not any(key in intent.rows for intent in self._ledger.open.values()):
                self._join_next(key)
        if why := await asyncio.shield(waiting.ended):
            raise why

    def _join_next(self, key: str) -> None:
        self._gathered.append(key)
        self._came.set()

    async def _gather(self) -> None:
        """Closes a batch whenever nobody has come for a while, or it is full."""
        while True:
            await self._came.wait()
            self._came.clear()
            gathered = 0
            while gathered < len(self._gathered) < self._most_lines:
                gathered = len(self._gathered)
                await self._sleep(QUIET)
            await self._room.wait()
            self._close()

    def _close(self) -> None:
        """Makes batches of what was gathered; each is on the disk before anything of it is sent."""
        waiting = {key: self._waiting[key].request for key in self._gathered}
        self._gathered.clear()
        requests = ((key, self._body(request)) for key, request in waiting.items())
        for keys, content in packed(requests, self._most_lines, MAX_BYTES):
            intent = self._ledger.intend({key: waiting[key].example.row for key in keys})
            self._begin(self._travel(intent, content))

    async def _travel(self, intent: Intent, content: bytes | None) -> None:
        """Carries one batch and hands out what it brings."""
        intent = await self._courier.submit(intent, content)
        del content  # up to 100 MB, and the way may take a day
        arrival = await self._courier.collect(intent)
        if arrival.too_big:
            self._make_room(len(intent.rows))
        else:
            self._room.set()
        for key in (key for key in intent.rows if key in self._waiting):
            waiting = self._waiting[key]
            waiting.tries += not arrival.too_big
            if key not in arrival.unanswered:
                self._waiting.pop(key).ended.set_result(None)
            elif waiting.tries == TRIES:
                self._waiting.pop(key).ended.set_result(GaveUp(f"{arrival.unanswered[key]} ({TRIES} batches)"))
            else:
                self._join_next(key)

    def _make_room(self, refused: int) -> None:
        """After a batch of so many requests was too much: waits for others to end, else makes smaller ones."""
        if self._ledger.open:
            self._room.clear()
        elif refused > 1:
            self._most_lines = refused // 2
            self._room.set()
        else:
            raise StoppedEarlyError(
                "the provider's limit of enqueued tokens leaves no room; the same command tries again"
            )

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._end(error)

    async def _stopped(self) -> None:
        await self._stop.wait()
        self._end(Stopped())

    def _end(self, why: BaseException) -> None:
        """Nobody waits any longer, and nothing more is gathered."""
        self._over = self._over or why
        self._gathered.clear()
        for waiting in self._waiting.values():
            waiting.ended.set_result(why)
        self._waiting.clear()
