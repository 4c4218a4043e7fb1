"""A teacher for the window's tests, and their time, in which nothing really sleeps."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from sql_rl.distill.window import Window
from sql_rl.examples import Example
from sql_rl.teachers.base import Completion, Request, Sampling
from sql_rl.testing.virtual_time import run_virtually

EXAMPLE = Example(row=0, id="0", question="q", context="c", gold="g")
PROMPT = [{"role": "user", "content": "x" * 384}]  # about 100 tokens
REPLY = Completion(text="x", reasoning=None, finish_reason="stop", model="m", prompt_tokens=100, completion_tokens=100)


def request(row: int = 0, sample: int = 0) -> Request:
    return Request(replace(EXAMPLE, row=row), PROMPT, Sampling(None, 1000, None), sample)


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Teacher:
    """Takes `latency` seconds for each answer; `fails(request, how often it came, requests in flight)` may say
    otherwise. sent: (when, row) of each request.
    """

    latency: float = 1.0
    fails: Callable[[Request, int, int], Exception | None] = lambda request, visit, in_flight: None
    sent: list[tuple[float, int]] = field(default_factory=list)
    in_flight: int = 0
    most: int = 0

    async def ask(self, request: Request) -> Completion:
        self.sent.append((now(), request.example.row))
        visit = sum(row == request.example.row for _, row in self.sent)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            if failure := self.fails(request, visit, self.in_flight):
                await asyncio.sleep(0.05)
                raise failure
            await asyncio.sleep(self.latency)
            return REPLY
        finally:
            self.in_flight -= 1

    def times(self, row: int) -> list[float]:
        return [when for when, r in self.sent if r == row]


def first_time(failure: Exception) -> Callable[[Request, int, int], Exception | None]:
    return lambda request, visit, in_flight: failure if visit == 1 else None


def virtually(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a test in virtual time. pytest finds its parameters by the wrapped function's signature."""

    def run(*arguments: Any, **keywords: Any) -> None:
        run_virtually(test(*arguments, **keywords))

    run.__name__, run.__wrapped__ = test.__name__, test
    return run


async def send_all(window: Window, count: int) -> list[Completion | BaseException]:
    return await asyncio.gather(*(window.send(request(i)) for i in range(count)), return_exceptions=True)
