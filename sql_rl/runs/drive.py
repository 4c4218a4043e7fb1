"""Driving many small jobs at once: a bounded number under way, no barrier, and an orderly end.

First signal: nothing new starts, what is under way may finish within the grace. Second signal, or the end of the
grace: what is still under way is cancelled. Any other reason to stop (a spent quota, a full disk) gives no hurry: what
is under way is waited for, which its own time-outs end.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import TypeVar

from sql_rl.errors import SqlRlError, StoppedEarlyError

T = TypeVar("T")


class Stop:
    """Whether work is still admitted, and if not, why.

    admission: set once nothing new may start. hurried: set once what is under way has no longer than the grace.
    abandoned: set once it is not waited for. why: the first reason given, None while work is admitted.
    signals: how many were received.
    """

    def __init__(self) -> None:
        self.admission = asyncio.Event()
        self.hurried = asyncio.Event()
        self.abandoned = asyncio.Event()
        self.why: SqlRlError | None = None
        self.signals = 0

    def __bool__(self) -> bool:
        return self.admission.is_set()

    def set(self, why: SqlRlError) -> None:
        """Ends admission; the first reason stays."""
        self.why = self.why or why
        self.admission.set()

    def abandon(self) -> None:
        """Work that is under way ends now; admission has been ended before."""
        self.hurried.set()
        self.abandoned.set()


async def drive(items: Iterable[T], work: Callable[[T], Awaitable[None]], limit: int, stop: Stop, grace: float) -> None:
    """Runs `work` on each item, at most `limit` under way. grace: seconds for them to finish once it is hurried.

    An SqlRlError out of `work` is a reason to stop, and ends up in `stop.why`; any other exception is a bug: it
    stops the rest and is raised.
    """
    slots = asyncio.Semaphore(limit)
    tasks: set[asyncio.Task[None]] = set()
    bugs: list[BaseException] = []

    def done(task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        slots.release()
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, SqlRlError):
            bugs.append(error)
        stop.set(error if isinstance(error, SqlRlError) else SqlRlError(str(error)))

    async def cancel_late_ones() -> None:
        await stop.hurried.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.abandoned.wait(), grace)
        for task in list(tasks):
            task.cancel()

    watcher = asyncio.create_task(cancel_late_ones())
    try:
        for item in items:
            await slots.acquire()
            if stop:
                break
            task = asyncio.ensure_future(work(item))
            tasks.add(task)
            task.add_done_callback(done)
            await asyncio.sleep(0)  # the first are on their way while the others are made
        while tasks:
            await asyncio.wait(set(tasks))
    finally:
        watcher.cancel()
    if bugs:
        raise bugs[0]


@asynccontextmanager
async def opened(resource: AbstractAsyncContextManager[T], stop: Stop) -> AsyncIterator[T]:
    """`async with resource`, except that a stop also ends the wait for it to open, with the reason of the stop."""
    opening = asyncio.ensure_future(resource.__aenter__())
    stopping = asyncio.ensure_future(stop.admission.wait())
    await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not opening.done():
        opening.cancel()
        await asyncio.wait((opening,))
    if opening.cancelled() and stop.why:
        raise stop.why
    value = opening.result()
    try:
        yield value
    finally:
        await resource.__aexit__(*sys.exc_info())


@contextmanager
def signals(stop: Stop) -> Iterator[None]:
    """SIGINT and SIGTERM end admission; the second of them abandons what is under way. Needs a running loop."""
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

    def received(signum: signal.Signals) -> None:
        stop.signals += 1
        if stop.hurried.is_set():
            stop.abandon()
            return
        stop.set(StoppedEarlyError(f"stopped by {signum.name}; the same command carries on"))
        stop.hurried.set()
        print(f"{signum.name}: finishing what is in flight; once more stops at once", file=sys.stderr)

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, received, signum)
    try:
        yield
    finally:
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(signum)
        signal.signal(signal.SIGTERM, before)  # the loop leaves the system's own


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM is what Ctrl-C is, a KeyboardInterrupt, while nothing listens for it: before and after `signals`."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@asynccontextmanager
async def every(seconds: float, beat: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Calls `beat` every so many seconds while the block runs; what it raises is raised when the block ends."""

    async def beating() -> None:
        while True:
            await asyncio.sleep(seconds)
            await beat()

    task = asyncio.create_task(beating())
    try:
        yield
    finally:
        if not task.done():
            task.cancel()
        elif (error := task.exception()) is not None:
            raise error
