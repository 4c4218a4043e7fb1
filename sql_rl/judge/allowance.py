"""How much time and space the request at hand may still use, and whose time it is."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sql_rl.judge.sandbox import Budget
from sql_rl.settings import JudgeSettings


class Allowance:
    """Budgets for one request after another, within the settings.

    announce: told when a set-up begins ('setup') and when the query's own time goes on ('query'), so that the parent
    knows whom to blame if this process has to be killed. The clock of the query stands still during a set-up, which
    has as many seconds of its own.
    """

    def __init__(self, settings: JudgeSettings, announce: Callable[[str], None]) -> None:
        self.settings = settings
        self._announce = announce
        self._deadline = 0.0
        self.restart()

    def restart(self) -> None:
        """A new request: the full time again."""
        self._deadline = time.monotonic() + self.settings.seconds

    def next_query(self) -> None:
        """Another query of the same request: the full time again, also for the parent's clock."""
        self._announce("query")
        self.restart()

    def budget(self, rows: int | None = None) -> Budget:
        """For one statement on one database; rows: returned at most, by default what a gold may return, and one."""
        wanted = self.settings.max_rows + 1 if rows is None else rows
        return Budget(self.settings.steps, self._deadline, wanted, self.settings.memory_mb * 2**20)

    @contextmanager
    def setup(self) -> Iterator[None]:
        """Inside, time is the set-up's."""
        left = self._deadline - time.monotonic()
        self._announce("setup")
        self.restart()
        try:
            yield
        finally:
            self._deadline = time.monotonic() + left
            self._announce("query")
