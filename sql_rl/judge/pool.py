"""A pool of worker processes that may be killed at any time.

Promise: every request ends, with the worker's reply or with `WorkerLost`; a worker that hangs, dies or swells costs
its own request and no other, and is replaced at once by a spare that has already started. Requests with the same key
go to the worker that has seen the key (its databases are built there), unless another one would idle.

Frames, both ways: four bytes of length, big endian, then that many bytes. A worker sends one empty frame when it is
ready for its first request, may announce a new phase of the request it works on with a frame that starts with `@`,
and ends with its reply, any other frame; or, with one that starts with `!`, tells why it gives up. Each phase has
`seconds` of its own.
"""

import asyncio
import contextlib
import os
import sys
from collections import OrderedDict, deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_SECONDS = 120  # for a worker to import what it needs; a cold disk under load may be slow
REMEMBERED_KEYS = 64  # for each worker: about what its cache holds
LARGEST_FRAME = 2**28  # bytes; a longer one is no frame of ours


class WorkerLost(Exception):  # noqa: N818 - the outcome of a request, not a failure of the pool
    """The worker did not live to reply. phase: the last one it announced, '' for none. hung: it was killed for
    overrunning its time, else it died by itself. said: why it gave up, '' if it just died (out of memory, a crash)."""

    def __init__(self, phase: str, hung: bool = False, said: str = "") -> None:
        super().__init__(f"worker {'hung' if hung else 'died'} in phase {phase!r} {said}")
        self.phase = phase
        self.hung = hung
        self.said = said


@dataclass(eq=False, slots=True)
class _Request:
    key: object
    body: bytes
    reply: "asyncio.Future[bytes]"


class _Worker:
    """One process, from its start to its death."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen: OrderedDict[object, None] = OrderedDict()  # keys, the latest last

    async def ready(self) -> None:
        """Wait until it takes requests. Raises RuntimeError with what it wrote if it cannot start."""
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._read()
        except (TimeoutError, asyncio.IncompleteReadError):
            self.kill()
            said = (await self.process.stderr.read()).decode(errors="replace").strip()
            raise RuntimeError(f"a judge's worker does not start: {said or 'it says nothing'}") from None

    async def ask(self, request: _Request, seconds: float) -> bytes:
        """The reply. Raises WorkerLost; the process is then dead or dying."""
        self.seen[request.key] = None
        self.seen.move_to_end(request.key)
        if len(self.seen) > REMEMBERED_KEYS:
            self.seen.popitem(last=False)
        phase = ""
        if self.process.stdin.is_closing():  # it has died since; uvloop raises RuntimeError at a write
            raise WorkerLost(phase)
        try:
            self.process.stdin.write(len(request.body).to_bytes(4, "big") + request.body)
            while True:
                async with asyncio.timeout(seconds):
                    frame = await self._read()
                if frame.startswith(b"!"):
                    raise WorkerLost(phase, said=frame[1:].decode())
                if not frame.startswith(b"@"):
                    return frame
                phase = frame[1:].decode()
        except TimeoutError:
            raise WorkerLost(phase, hung=True) from None
        except (asyncio.IncompleteReadError, ConnectionError, OverflowError):
            raise WorkerLost(phase) from None

    async def _read(self) -> bytes:
        length = int.from_bytes(await self.process.stdout.readexactly(4), "big")
        if length > LARGEST_FRAME:
            raise OverflowError(length)
        return await self.process.stdout.readexactly(length)

    @property
    def is_dead(self) -> bool:
        """Is its process known to have ended?"""
        return self.process.returncode is not None

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()


class Pool:
    """`size` workers, each `command` run as a process; `seconds` is the time for one phase of one request.

    An async context manager, for one event loop. Leaving it ends every process and cancels what still waits.
    """

    def __init__(self, command: Sequence[str], size: int, seconds: float) -> None:
        self._command = tuple(command)
        self._seconds = seconds
        self._size = size
        self._waiting: OrderedDict[object, deque[_Request]] = OrderedDict()
        self._busy: dict[_Worker, object] = {}  # worker -> the key it works on
        self._idle: list[_Worker] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._processes: set[asyncio.subprocess.Process] = set()
        self._spare: asyncio.Task[_Worker] | None = None
        self._broken: BaseException | None = None
        self._started = 0

    async def __aenter__(self) -> "Pool":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._broken = RuntimeError("the pool is closed")
        tasks = [*self._tasks, *([self._spare] if self._spare else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*(_bury(process) for process in self._processes))
        self._processes.clear()
        for requests in self._waiting.values():
            for request in requests:
                request.reply.cancel()
        self._waiting.clear()

    async def call(self, key: object, body: bytes) -> bytes:
        """The worker's reply to `body`. Raises WorkerLost, or RuntimeError if workers cannot start."""
        if self._broken:
            raise RuntimeError(str(self._broken)) from self._broken
        request = _Request(key, body, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(key, deque()).append(request)
        self._dispatch()
        try:
            return await request.reply
        except asyncio.CancelledError:
            self._forget(request)
            raise

    def _forget(self, request: _Request) -> None:
        """Nobody waits for it any more; if no worker has it yet, none will."""
        waiting = self._waiting.get(request.key)
        if waiting and request in waiting:
            waiting.remove(request)
            if not waiting:
                del self._waiting[request.key]

    def _dispatch(self) -> None:
        """Give waiting requests to idle workers, and start workers as they are needed."""
        for worker in [worker for worker in self._idle if worker.is_dead]:  # somebody else killed it
            self._idle.remove(worker)
            self._run(self._recruit())
            self._run(self._retire(worker.process))
        while self._waiting and self._idle:
            worker = next((w for w in reversed(self._idle) if next(iter(self._waiting)) in w.seen), self._idle[-1])
            request = self._take(worker)
            self._idle.remove(worker)
            self._busy[worker] = request.key
            self._run(self._serve(worker, request))
        if self._waiting and self._started < self._size:
            self._started += 1
            self._run(self._recruit())

    def _take(self, worker: _Worker) -> _Request:
        """The next request for this worker: of a key it knows, else of one that nobody works on, else the oldest."""
        busy = set(self._busy.values())
        key = next((k for k in reversed(worker.seen) if k in self._waiting), None)
        if key is None:
            key = next((k for k in self._waiting if k not in busy), next(iter(self._waiting)))
        requests = self._waiting[key]
        request = requests.popleft()
        if not requests:
            del self._waiting[key]
        return request

    async def _serve(self, worker: _Worker, request: _Request) -> None:
        try:
            reply = await worker.ask(request, self._seconds)
        except asyncio.CancelledError:
            request.reply.cancel()
            raise
        except WorkerLost as lost:
            worker.kill()
            del self._busy[worker]
            if not request.reply.done():
                request.reply.set_exception(lost)
            self._run(self._recruit())
            await self._retire(worker.process)
        else:
            if not request.reply.done():
                request.reply.set_result(reply)
            del self._busy[worker]
            self._idle.append(worker)
            self._dispatch()

    async def _recruit(self) -> None:
        """Put one more worker to work: the spare, behind which the next spare starts."""
        starting, self._spare = self._spare or asyncio.create_task(self._start()), None
        try:
            worker = await starting
            if worker.is_dead:
                worker = await self._start()
        except (RuntimeError, OSError) as error:
            self._give_up(error)
            return
        if self._spare is None:
            self._spare = asyncio.create_task(self._start())
        self._idle.append(worker)
        self._dispatch()

    async def _start(self) -> _Worker:
        # Of the environment only what finding Python takes: a judged query lives beside no key or token.
        root = str(Path(__file__).parents[2])
        inherited = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=inherited | {"PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])},
            limit=2**20,
        )
        self._processes.add(process)
        worker = _Worker(process)
        await worker.ready()
        return worker

    async def _retire(self, process: asyncio.subprocess.Process) -> None:
        await _bury(process)
        self._processes.discard(process)

    def _give_up(self, error: BaseException) -> None:
        """Workers cannot start, and would not at a second try: everyone who waits is told."""
        self._broken = error
        for requests in self._waiting.values():
            for request in requests:
                if not request.reply.done():
                    request.reply.set_exception(RuntimeError(str(error)))
        self._waiting.clear()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _bury(process: asyncio.subprocess.Process) -> None:
    """Wait for a killed process, so that it leaves neither a zombie nor an open pipe."""
    await process.wait()
    process.stdin.close()
