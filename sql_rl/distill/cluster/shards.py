"""Shards: what a run has still to do, cut into pieces that workers take, in the order of a run without workers.

A row that the journal settles is counted and handed to nobody. A shard of a worker that was lost comes back, and what
the journal has learnt of it meanwhile goes along to whoever takes it next, so that nothing is asked again. The same
question twice in the source is handed out once; its twin is looked at when all else is done, and is settled by then.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sql_rl.distill.journal import Journal
from sql_rl.distill.order import by_context
from sql_rl.distill.plan import Plan
from sql_rl.distill.recorded import RecordedJudge, RecordedTeacher
from sql_rl.distill.rows import ROWS_PER_REQUEST
from sql_rl.distill.settle import Outcome, settle
from sql_rl.distill.window import Stopped
from sql_rl.examples import Example
from sql_rl.sources import Source
from sql_rl.teachers.base import Teacher

UNDER_WAY = 2  # shards of a worker: while one runs out, the other keeps its window full
FEWEST_ROWS = 64  # of a shard, so that handing it out costs next to nothing


@dataclass(frozen=True, slots=True)
class Shard:
    """Rows that are not settled. lines: what the run's journal holds of them already."""

    number: int
    examples: tuple[Example, ...]
    lines: tuple[dict[str, Any], ...]


def shard_size(rows: int, workers: int, window: int, exact_end: bool) -> int:
    """Rows of a shard. window: requests in flight of one worker.

    As many as keep UNDER_WAY of them the window full, and no more than leaves work for every worker. exact_end: the
    run ends in mid-source (--target-accepted), and every row under way then is more than was asked for.
    """
    wanted = -(-ROWS_PER_REQUEST * window // UNDER_WAY)
    enough = wanted if exact_end else max(FEWEST_ROWS, wanted)
    return max(1, min(enough, -(-rows // (UNDER_WAY * workers))))


class _Noting:
    """The journal, and what was found in it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.found: dict[str, dict[str, Any]] = {}

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        line = self._journal.get(kind, key)
        if line is not None:
            self.found[kind + key] = line
        return line


class Shards:
    """The rows of `source` that `journal` does not settle, in shards.

    teacher: not opened; it only names what the answers depend on. settled: called with each outcome that the journal
    gives. enough: once true, nothing more is handed out; `wake` tells those who wait.
    size: rows of a shard, to be set when the workers are known; until then one, which tells whether there is any.
    """

    def __init__(
        self,
        run: Plan,
        source: Source,
        teacher: Teacher,
        journal: Journal,
        settled: Callable[[Outcome], None],
        enough: Callable[[], bool],
    ) -> None:
        self._run, self._teacher, self._journal = run, teacher, journal
        self._policy = run.policy(teacher)
        self._settled, self._enough = settled, enough
        self._source = source
        self._rows: Iterator[Example] = by_context(source.examples())
        self._asked: set[int] = set()
        self._twins: set[int] = set()
        self._returned: deque[tuple[Example, ...]] = deque()
        self._out: dict[int, Shard] = {}
        self._ready: Shard | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._number = 0
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._ended = False
        self.size = 1

    @property
    def over(self) -> bool:
        """Nothing is out, and nothing will be handed out any more."""
        return not self._out and (self._ended or self._enough())

    async def wanted(self) -> bool:
        """Waits until there is a shard to take; False where there will be none."""
        async with self._turn:
            return await self._fill()

    async def take(self) -> Shard | None:
        """The next shard, which is then out until it is `done` or `lost`; None where there will be none."""
        async with self._turn:
            if not await self._fill():
                return None
            shard, self._ready = self._ready, None
            self._out[shard.number] = shard
            return shard

    def done(self, number: int) -> None:
        """The shard is settled as far as it can be, and the journal knows it."""
        del self._out[number]
        self.wake()

    def lost(self, number: int) -> None:
        """Whoever had the shard is no more: others take it."""
        self._returned.append(self._out.pop(number).examples)
        self.wake()

    def wake(self) -> None:
        """Whoever waits for a shard looks again."""
        self._changed.set()

    async def _fill(self) -> bool:
        while not self._enough():
            self._changed.clear()
            if self._ready is None:
                # In a task of its own: whoever waits here may be cancelled, and no row may go with it.
                self._preparing = self._preparing or asyncio.create_task(self._prepare())
                await asyncio.shield(self._preparing)
            if self._ready is not None:
                return not self._enough()
            if not self._out and not self._returned:
                self._ended = True
                return False
            await self._changed.wait()
        return False

    async def _prepare(self) -> None:
        try:
            self._ready = await self._next()
        finally:
            self._preparing = None

    async def _next(self) -> Shard | None:
        """The next shard that is not settled; None where all rows are settled or out."""
        while self._returned:
            if shard := await self._survey(iter(self._returned.popleft()), find_twins=False):
                return shard
        if shard := await self._survey(self._rows):
            return shard
        if self._out or not self._twins:
            return None
        twins, self._twins = self._twins, set()
        self._asked.clear()
        self._rows = (example for example in self._source.examples() if example.row in twins)
        return await self._survey(self._rows)

    async def _survey(self, rows: Iterator[Example], find_twins: bool = True) -> Shard | None:
        """A shard of the next rows that the journal does not settle; None where there are none left."""
        journal, still_open = _Noting(self._journal), []
        ask = RecordedTeacher(journal, self._teacher, self._run.model)
        jury = RecordedJudge(journal, self._run.judge_stamp)
        lines: list[dict[str, Any]] = []
        for number, example in enumerate(rows):
            journal.found.clear()
            try:
                self._settled(await settle(example, self._policy, ask, jury))
            except Stopped:
                if find_twins and self._is_twin(example):
                    self._twins.add(example.row)
                else:
                    still_open.append(example)
                    lines += journal.found.values()
            if len(still_open) == self.size or self._enough():
                break
            if number % FEWEST_ROWS == 0:
                await asyncio.sleep(0)  # those who beat and drain go on meanwhile
        if not still_open:
            return None
        self._number += 1
        return Shard(self._number, tuple(still_open), tuple(lines))

    def _is_twin(self, example: Example) -> bool:
        asked = f"{example.question}\0{example.context}\0{example.evidence}".encode(errors="surrogatepass")
        mark = int.from_bytes(hashlib.blake2b(asked, digest_size=8).digest())
        is_twin = mark in self._asked
        self._asked.add(mark)
        return is_twin
