"""The limits that a chat server of the tests keeps: how many it works on, takes in, and answers a minute."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sql_rl.distill.limits.bucket import Bucket


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """None is no limit.

    at_once: requests that are taken in; more are refused at once. workers: requests that are worked on; more wait, so
    that throughput rises no further. rpm: requests a minute, in a bucket like OpenAI's; `left` of them at the start;
    with `headers` each answer tells what is left. closed: in the first so many of each two seconds everybody is
    turned away, every other time with a Retry-After. burst: of every 200 requests the last so many are turned away,
    every other time with a Retry-After: their share is the same however fast the client is.
    """

    at_once: int | None = None
    workers: int | None = None
    rpm: int | None = None
    left: int | None = None
    headers: bool = True
    closed: float = 0.0
    burst: int = 0


class Gate:
    """Keeps the limits of one server. asked: all requests; refused: those that were turned away."""

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._workers = asyncio.Semaphore(limits.workers) if limits.workers else None
        now = asyncio.get_running_loop().time()
        self._bucket = Bucket(limits.rpm, limits.rpm / 60, limits.left, now) if limits.rpm else None
        self.asked = self.refused = 0

    def refusal(self, in_flight: int, now: float) -> tuple[str, dict[str, str]] | None:
        """Why a request is turned away, and the headers that say so; None where it is let in and counted."""
        bursts, place = divmod(self.asked, 200)
        self.asked += 1
        if place >= 200 - self._limits.burst:
            self.refused += 1
            return "Slow down.", {"Retry-After": "0.1"} if bursts % 2 else {}
        if self._limits.at_once is not None and in_flight > self._limits.at_once:
            self.refused += 1
            return "Too many requests at once.", {}
        if (left := self._limits.closed - now % 2) > 0:
            self.refused += 1
            return "Slow down.", {"Retry-After": f"{left:.3f}"} if now % 4 < 2 else {}
        if self._bucket is None:
            return None
        if delay := self._bucket.delay(1, now):
            self.refused += 1
            return "Rate limit reached on requests per min (RPM).", {"Retry-After": f"{delay:.3f}", **self.headers(now)}
        self._bucket.take(1, now)
        return None

    def headers(self, now: float) -> dict[str, str]:
        """x-ratelimit headers as OpenAI writes them."""
        if self._bucket is None or not self._limits.headers:
            return {}
        reset = self._bucket.delay(self._bucket.capacity, now)
        left = int(self._bucket.capacity - reset * self._bucket.rate)
        return {
            "x-ratelimit-limit-requests": f"{self._bucket.capacity:.0f}",
            "x-ratelimit-remaining-requests": str(left),
            "x-ratelimit-reset-requests": f"{reset // 60:.0f}m{reset % 60:.3f}s",
        }

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        """One of the workers, for the length of the block."""
        if self._workers is None:
            yield
            return
        async with self._workers:
            yield
