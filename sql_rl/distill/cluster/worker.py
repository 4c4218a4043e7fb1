"""A worker: the engine of a run in a process of the cluster, on shards that its driver sends.

It is an actor of Ray's, and knows nothing of Ray: a class with coroutines, all on one event loop. Failures that end a
run come back as values (`Ended.why`), so that their exit codes survive the way. Keys and tokens come as arguments of a
call, which Ray neither stores nor logs.
"""

import asyncio
import os
import socket
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from sql_rl.configure import Secrets
from sql_rl.distill.budget import Budget
from sql_rl.distill.cluster.merge import locked
from sql_rl.distill.cluster.purse import Account
from sql_rl.distill.cluster.shards import Shard
from sql_rl.distill.counters import Counters
from sql_rl.distill.dataset import kept
from sql_rl.distill.journal import Journal, keep_synced
from sql_rl.distill.plan import Plan
from sql_rl.distill.recorded import RecordedJudge, RecordedTeacher
from sql_rl.distill.rows import ROWS_PER_REQUEST, open_window, settle_rows
from sql_rl.distill.settle import Outcome
from sql_rl.errors import SqlRlError, StoppedEarlyError, UsageError
from sql_rl.judge import Judge
from sql_rl.runs.drive import Stop
from sql_rl.teachers import open_teacher

DRIVER_SILENT = 30.0  # seconds without a beat, after which a worker takes its driver for dead
ENDS_WITHIN = 10.0  # seconds in which such a worker closes judge, teacher and journal


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a shard. counters: of the rows that were settled; unanswered: those that could not be had.

    why: what ends the run; None where the shard was done, or the driver's own stop ended it.
    """

    counters: Counters
    unanswered: tuple[str, ...]
    why: SqlRlError | None


@dataclass(frozen=True, slots=True)
class Beat:
    """What a worker tells each second. counters: shard -> its rows settled so far. why: as in Ended."""

    counters: dict[int, Counters]
    account: Account
    why: SqlRlError | None


class Worker:
    """Made by Ray without arguments; then `open`, any number of `settle` at once, `beat` every second, `close`."""

    def __init__(self) -> None:
        self._stop = Stop()
        self._ordered = False  # did the driver order the stop?
        self._stack = AsyncExitStack()
        self._counters: dict[int, Counters] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._last_beat = time.monotonic()

    async def where(self) -> tuple[str, int]:
        """The machine's name and the process's number; answers as soon as the process is there."""
        return socket.gethostname(), os.getpid()

    async def open(self, run: Plan, secrets: Secrets, journal: Path, probe: tuple[Path, str]) -> None:
        """Opens journal, teacher and judge. run: with this worker's share as its settings. journal: its own file.

        probe: a file of the driver's and what is in it. Raises UsageError where it is not seen from here, and as
        `open_teacher` and `Teacher.__aenter__` do.
        """
        _check_storage(*probe)
        self._run, options = run, run.settings.distill
        try:
            self._stack.enter_context(locked(journal))
            self._journal = self._stack.enter_context(
                Journal(journal, run.identity(), options.batch_size, self._disk_is_full)
            )
            self._teacher = await self._stack.enter_async_context(open_teacher(run.settings, secrets, journal.parent))
            judge = await self._stack.enter_async_context(Judge(run.settings.judge))
        except BaseException:
            await self._stack.aclose()
            raise
        self._window = open_window(run.settings, self._teacher, self._stop.admission)
        self._budget = None
        if options.max_cost is not None and run.price is not None:
            self._budget = Budget(0.0, run.price, spent=0.0, lent=True)
        self._ask = RecordedTeacher(self._journal, self._teacher, run.model, self._window, self._budget)
        self._jury = RecordedJudge(self._journal, run.judge_stamp, judge)
        self._last_beat = time.monotonic()
        self._tasks = [asyncio.create_task(self._turn_away()), asyncio.create_task(self._keep_watch())]

    async def settle(self, shard: Shard) -> Ended:
        """Settles a shard as far as the run lets it; by then its lines are on the storage."""
        options = self._run.settings.distill
        counters = self._counters[shard.number] = Counters(self._run.price)
        for line in shard.lines:
            self._journal.add(line["kind"], line["key"], line)

        def settled(outcome: Outcome) -> None:
            counters.add(outcome, kept(outcome, options.remove_no_valid))

        try:
            unanswered = await settle_rows(
                shard.examples,
                self._run.policy(self._teacher),
                self._ask,
                self._jury,
                settled,
                under_way=ROWS_PER_REQUEST * options.batch_size,
                stop=self._stop,
                grace=options.grace,
            )
            if not self._stop:
                self._ask.believe()  # others may have answers where this worker has none
            await keep_synced(self._journal, self._stop)
        finally:
            del self._counters[shard.number]
        return Ended(counters, tuple(unanswered), self._why)

    async def beat(self, lent: float) -> Beat:
        """The driver lives. lent: dollars for the time to come; what is left of the last ones goes back."""
        self._last_beat = time.monotonic()
        busy = bool(self._counters)
        if self._budget is None:
            return Beat(dict(self._counters), Account(busy=busy), self._why)
        returned = await self._budget.lend(lent)
        account = Account(returned, self._budget.free, self._budget.reserved, self._budget.short, busy)
        return Beat(dict(self._counters), account, self._why)

    @property
    def _why(self) -> SqlRlError | None:
        """What ends the run, if it was not the driver who said so."""
        return None if self._ordered else self._stop.why

    async def stop(self, at_once: bool) -> None:
        """Admits nothing more; what is on the wire may finish within the grace, unless it is to end at once."""
        if not self._stop:
            self._ordered = True
            self._stop.set(StoppedEarlyError("stopped by the driver"))
        if at_once:
            self._stop.abandon()

    async def close(self) -> dict[str, float | int]:
        """Ends judge, teacher and journal; gives how it went on the wire."""
        for task in self._tasks:
            task.cancel()
        await self._stack.aclose()
        return self._window.report()

    def _disk_is_full(self) -> None:
        problem = f"{self._run.folder.path}: the disk is full; nothing finished is lost"
        self._stop.set(SqlRlError(f"{problem}: make room and run the same command again"))

    async def _turn_away(self) -> None:
        """After a stop nobody waits for money."""
        await self._stop.admission.wait()
        if self._budget:
            await self._budget.close()

    async def _keep_watch(self) -> None:
        """Syncs each second, and ends a worker whose driver is gone, where Ray cannot do it (its node is cut off)."""
        while time.monotonic() - self._last_beat < DRIVER_SILENT:
            await asyncio.sleep(1.0)
            await keep_synced(self._journal, self._stop)
        await self.stop(at_once=True)
        try:
            async with asyncio.timeout(ENDS_WITHIN):
                await self._stack.aclose()
        finally:
            sys.stderr.write("no driver any more: this worker ends\n")
            os._exit(1)  # sys.exit would only end this task


def _check_storage(path: Path, content: str) -> None:
    """Raises UsageError where `path`, which the driver has just written, is not the same file here."""
    try:
        seen = path.read_text()
    except OSError:
        seen = ""
    if seen != content:
        raise UsageError(
            f"--use-ray: {socket.gethostname()} does not see {path.parent}: give an --output-dir on storage "
            "that all nodes share"
        )
