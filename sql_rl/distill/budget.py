"""The budget: a cap on dollars that is never passed.

Before a request goes out, the most that it can cost is reserved; when its answer is in, what it did cost is spent.
A request waits while cap, spent and reserved leave no room for it, and ends the run when waiting cannot help.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sql_rl.errors import StoppedEarlyError
from sql_rl.teachers.base import Completion, Request
from sql_rl.teachers.prices import Price

_FRAME_TOKENS = 16  # of a message, beside its content: role, separators, the start of the answer


class Budget:
    """cap, spent: dollars; spent is what the journal's answers have cost already."""

    def __init__(self, cap: float, price: Price, spent: float) -> None:
        self._cap, self._price = cap, price
        self.spent = spent
        self._reserved = 0.0
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def admitted(self, request: Request) -> AsyncIterator[None]:
        """Holds the request's reservation while the block runs.

        Raises StoppedEarlyError (exit code 3) where it could take the run over the cap and nothing is in flight
        whose end would make room.
        """
        most = most_expensive(request, self._price)
        async with self._freed:
            await self._freed.wait_for(lambda: self._fits(most) or self._reserved <= 0)
            if not self._fits(most):
                raise StoppedEarlyError(
                    f"the next request could take the run over --max-cost ${self._cap:g}; ${self.spent:.4f} are spent: "
                    "the same command with a higher one carries on"
                )
            self._reserved += most
        try:
            yield
        finally:
            async with self._freed:
                self._reserved = max(0.0, self._reserved - most)
                if self._reserved < 1e-12:  # what is left of adding and taking away floats
                    self._reserved = 0.0
                self._freed.notify_all()

    def spend(self, completion: Completion) -> None:
        self.spent += self._price.of(completion)

    def _fits(self, most: float) -> bool:
        return self.spent + self._reserved + most <= self._cap


def most_expensive(request: Request, price: Price) -> float:
    """Dollars that a request can cost at most: no tokenizer makes more tokens of a text than it has bytes."""
    prompt = sum(len(m["content"].encode()) + _FRAME_TOKENS for m in request.messages)
    return (prompt * max(price.input, price.cached) + request.sampling.max_tokens * price.output) / 1e6
