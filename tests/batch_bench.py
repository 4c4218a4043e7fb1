"""Runs that ask by the batch, against a real server on loopback, for the tests of batches.

Time is injected, into the server as well, and passes only where somebody sleeps. As a program of its own this file is
a run that can be killed: `python batch_bench.py URL JOURNAL`.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sql_rl.configure import Secrets
from sql_rl.distill.batches import Batches
from sql_rl.distill.journal import Journal
from sql_rl.distill.recorded import RecordedTeacher, request_key
from sql_rl.examples import Example
from sql_rl.runs.drive import Stop, signals
from sql_rl.teachers.base import Completion, Request, Sampling
from sql_rl.teachers.batch_api import BatchApi
from sql_rl.testing.batch_server import BatchServer

HOUR = 3600.0


class Known:
    """As much of a teacher as the key of a request needs."""

    def identity(self, request: Request) -> dict[str, object]:
        return {"provider": "openai"}


def request(row: int, question: str = "") -> Request:
    example = Example(row=row, id=str(row), question="q", context="c", gold="g")
    prompt = [{"role": "user", "content": f"Question: {question or f'q{row}'}"}]
    return Request(example, prompt, Sampling(None, 16, None), 0)


def body(request: Request) -> Mapping[str, Any]:
    return {"model": "m", "messages": request.messages, "max_tokens": request.sampling.max_tokens}


@dataclass
class Clock:
    """Unix time that passes only when somebody sleeps."""

    now: float = 1e9

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0.001)


@dataclass
class Bench:
    """A server, a journal, and runs over both, one after the other."""

    server: BatchServer
    path: Path
    clock: Clock
    said: list[str] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def run(self, **changes: Any) -> AsyncIterator[RecordedTeacher]:
        """`ask` of a run that carries on from the journal."""
        api = BatchApi(changes.get("url", self.server.url), Secrets(api_key="sk-secret"), timeout=5.0, price_share=0.5)
        with Journal(self.path, {}, 1, lambda: None) as journal:
            key = partial(request_key, model="m", teacher=Known())
            sending = Batches(api, journal, key, body, self.stop, self.said.append, self.clock.sleep, self.clock)
            async with sending:
                yield RecordedTeacher(journal, Known(), "m", sending)

    async def ask(self, rows: int, **changes: Any) -> list[Completion | BaseException]:
        """A whole run that asks for so many rows at once."""
        async with self.run(**changes) as ask:
            return await asyncio.gather(*(ask(request(row)) for row in range(rows)), return_exceptions=True)

    def lines(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in map(json.loads, self.path.read_text().splitlines()) if line["kind"] == kind]


async def until(true: Callable[[], object]) -> None:
    """Waits for what the server's thread or another task does."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def right(answers: list[Completion | BaseException]) -> bool:
    """Does each row have its own answer?"""
    return all(
        isinstance(a, Completion) and f"SELECT {row}<" in a.text.replace("\n", "") for row, a in enumerate(answers)
    )


async def program_of_its_own(url: str, path: str) -> int:
    """Asks for 12 answers, prints them; the exit code."""
    stop = Stop()
    with Journal(Path(path), {}, 1, lambda: None) as journal, signals(stop):
        key = partial(request_key, model="m", teacher=Known())
        api, say = BatchApi(url, Secrets(api_key="sk-secret"), 10.0, 0.5), partial(print, file=sys.stderr)
        pause = partial(min, 0.02)
        async with Batches(api, journal, key, body, stop.admission, say, lambda s: asyncio.sleep(pause(s))) as sending:
            ask = RecordedTeacher(journal, Known(), "m", sending)
            answers = await asyncio.gather(*(ask(request(row)) for row in range(12)), return_exceptions=True)
    for answer in answers:
        print(answer.text.replace("<", " ").replace("\n", " ") if isinstance(answer, Completion) else repr(answer))
    return stop.why.exit_code if stop.why else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(program_of_its_own(*sys.argv[1:])))
