"""An event loop whose time passes only when everybody waits: an hour of back-off takes a moment, always the same."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 0.0 and jumps to the next timer where a real loop would sleep. For code without real I/O."""

    def __init__(self) -> None:
        super().__init__(_JumpingSelector(self))
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Lets so many seconds pass."""
        self._now += seconds


class _JumpingSelector(selectors.SelectSelector):
    """Where a selector waits for `timeout` seconds, this one lets them pass."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everybody waits, and no timer is set: this would hang for ever")
        if timeout > 0:
            self._loop.advance(timeout)
        return super().select(0)


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
