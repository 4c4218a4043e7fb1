"""The budget: a cap on dollars that is never passed.

Before a request goes out, the most that it can cost is reserved; when its answer is in, what it did cost is spent.
A request waits while cap, spent and reserved leave no room for it, and ends the run when waiting cannot help.
"""

import asyncio
import dataclasses
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sql_rl.distill.slots import Stopped
from sql_rl.errors import StoppedEarlyError
from sql_rl.teachers.base import Completion, Request
from sql_rl.teachers.prices import Price

_FRAME_TOKENS = 16  # of a message, beside its content: role, separators, the start of the answer


class Budget:
    """cap, spent: dollars; spent is what the journal's answers have cost already. reserved: for what is on the wire.

    lent: the cap is somebody's loan, which changes (`lend`): who finds no room waits for more, and no run ends here.
    """

    def __init__(self, cap: float, price: Price, spent: float, lent: bool = False) -> None:
        self.cap, self.spent, self.reserved = cap, spent, 0.0
        self._price, self._lent = price, lent
        self._waiting: list[float] = []
        self._closed = self._warned = False
        self._freed = asyncio.Condition()

    @property
    def free(self) -> float:
        """Dollars that are neither spent nor reserved."""
        return max(0.0, self.cap - self.spent - self.reserved)

    @property
    def short(self) -> float | None:
        """What the cheapest waiting request needs while nothing is reserved, None where nobody waits like that."""
        return min(self._waiting) if self._waiting and not self.reserved else None

    async def lend(self, dollars: float) -> float:
        """Takes back all that is free, gives `dollars` instead, and tells how much it took back."""
        async with self._freed:
            free = self.free
            self.cap += dollars - free
            self._freed.notify_all()
            return free

    async def close(self) -> None:
        """Whoever waits for room gets Stopped."""
        async with self._freed:
            self._closed = True
            self._freed.notify_all()

    @asynccontextmanager
    async def admitted(self, request: Request) -> AsyncIterator[None]:
        """Holds the request's reservation while the block runs.

        Raises StoppedEarlyError (exit code 3) where it could take the run over the cap and nothing is in flight
        whose end would make room; Stopped when the budget is closed.
        """
        most = most_expensive(request, self._price)
        async with self._freed:
            await self._room(most)
            self.reserved += most
        try:
            yield
        finally:
            async with self._freed:
                self.reserved = max(0.0, self.reserved - most)
                if self.reserved < 1e-12:  # what is left of adding and taking away floats
                    self.reserved = 0.0
                self._freed.notify_all()

    async def _room(self, most: float) -> None:
        self._waiting.append(most)
        try:
            await self._freed.wait_for(
                lambda: self._fits(most) or self._closed or not (self.reserved > 0 or self._lent)
            )
        finally:
            self._waiting.remove(most)
        if self._closed:
            raise Stopped
        if not self._fits(most):
            raise used_up(self.cap, self.spent)

    def spend(self, request: Request, completion: Completion) -> Completion:
        """Counts what the answer did cost; gives it back with its tokens.

        A server that does not tell them would never come near the cap: its answers count for the most they can be.
        """
        if not completion.prompt_tokens and not completion.completion_tokens:
            if not self._warned:
                self._warned = True
                print(
                    "warning: the server does not tell how many tokens an answer took; for --max-cost each counts for "
                    "as many as it can have",
                    file=sys.stderr,
                )
            completion = dataclasses.replace(
                completion, prompt_tokens=most_tokens(request), completion_tokens=request.sampling.max_tokens
            )
        self.spent += self._price.of(completion)
        return completion

    def _fits(self, most: float) -> bool:
        return self.spent + self.reserved + most <= self.cap


def used_up(cap: float, spent: float) -> StoppedEarlyError:
    """How a run ends whose next request could cost more than is left."""
    return StoppedEarlyError(
        f"the next request could take the run over --max-cost ${cap:g}; ${spent:.4f} are spent: "
        "the same command with a higher one carries on"
    )


def most_expensive(request: Request, price: Price) -> float:
    """Dollars that a request can cost at most."""
    return (most_tokens(request) * max(price.input, price.cached) + request.sampling.max_tokens * price.output) / 1e6


def most_tokens(request: Request) -> int:
    """Of its prompt: no tokenizer makes more tokens of a text than it has bytes."""
    return sum(len(m["content"].encode()) + _FRAME_TOKENS for m in request.messages)
