"""Jury: the judge on a thread of its own, so that a trainer, which has no event loop, can ask it.

SQL runs in the judge's worker processes; this thread only writes requests and reads replies.
"""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from sql_rl.examples import Example
from sql_rl.judge import Judge, Judgement, Verdict
from sql_rl.settings import JudgeSettings

Case = tuple[Example, str | None]


class Jury:
    """Judges many queries at once. Use as a context manager: the workers and the thread end with it."""

    def __init__(self, settings: JudgeSettings) -> None:
        self._judge = Judge(settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="jury", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._submit(self._judge.__aenter__()).result()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._submit(self._judge.__aexit__(kind, error, at)).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def submit(self, cases: Sequence[Case]) -> Future[list[Judgement]]:
        """A judgement for each case, in order; cases that are the same are judged once."""
        return self._submit(self._all(cases))

    def judge(self, cases: Sequence[Case]) -> list[Judgement]:
        """As `submit`, waited for."""
        return self.submit(cases).result()

    def _submit(self, work) -> Future:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _all(self, cases: Sequence[Case]) -> list[Judgement]:
        distinct = {(id(example), sql): (example, sql) for example, sql in cases}
        judged = await asyncio.gather(*(self._one(example, sql) for example, sql in distinct.values()))
        found = dict(zip(distinct, judged, strict=True))
        return [found[id(example), sql] for example, sql in cases]

    async def _one(self, example: Example, sql: str | None) -> Judgement:
        """A row whose gold is broken counts for nothing, whether or not there is a query to compare with it."""
        if sql is None and (gold := await self._judge.judge(example, example.gold)).verdict is Verdict.GOLD_BROKEN:
            return gold
        return await self._judge.judge(example, sql)
