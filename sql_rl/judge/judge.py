"""Judge: the one door to this folder. Is this SQL a right answer for this example?

    async with Judge(settings) as judge:
        judgement = await judge.judge(example, sql)

Promise: whatever the query, the context or the gold is, there is a judgement and no exception, within the time of
the settings. The work is done in worker processes (`pool.py`, `worker.py`); here requests are written and replies
read, some 0.1 ms each, so that hundreds may be outstanding in one event loop.
"""

import dataclasses
import json
import logging
import os
import sys
from collections import OrderedDict

from sql_rl.examples import Example
from sql_rl.judge.pool import Pool, WorkerLost
from sql_rl.judge.sandbox import MAX_TEXT
from sql_rl.judge.verdict import Judgement, Verdict
from sql_rl.settings import JudgeSettings

logger = logging.getLogger(__name__)

GRACE = 0.25  # seconds that a worker gets beyond its budget to stop by itself before it is killed
REMEMBERED_GOLDS = 10_000  # golds that killed a worker, so that they kill no second one


class Judge:
    """Judges queries with a pool of workers, which start when they are needed and end with the `async with`."""

    def __init__(self, settings: JudgeSettings | None = None) -> None:
        self.settings = settings or JudgeSettings()
        stated = json.dumps(dataclasses.asdict(self.settings))
        self._pool = Pool(
            command=[sys.executable, "-m", "sql_rl.judge.worker", stated, str(os.getpid())],
            size=self.settings.workers or os.cpu_count() or 1,
            seconds=self.settings.seconds + GRACE,
        )
        self._deadly_golds: OrderedDict[tuple, str] = OrderedDict()

    async def __aenter__(self) -> "Judge":
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._pool.__aexit__(*failure)

    async def judge(self, example: Example, sql: str | None) -> Judgement:
        """The verdict on `sql` (None or blank: no_sql) as an answer to `example`."""
        if sql is None or not sql.strip():
            return Judgement(Verdict.NO_SQL, "there is no query in the answer")
        if len(sql) > MAX_TEXT:
            reason = f"the query is {len(sql):,} characters long; {MAX_TEXT:,} are read"
            return Judgement(Verdict.TOO_BIG, reason)
        key = (example.database, example.context, example.gold)
        if key in self._deadly_golds:
            return Judgement(Verdict.GOLD_BROKEN, self._deadly_golds[key])
        request = {
            "op": "judge",
            "context": example.context if example.database is None else "",
            "database": None if example.database is None else str(example.database),
            "gold": example.gold,
            "sql": sql,
        }
        try:
            reply = json.loads(await self._pool.call(key, json.dumps(request).encode()))
        except WorkerLost as lost:
            return self._mourn(key, lost)
        return Judgement(**reply | {"verdict": Verdict(reply["verdict"]), "rewrites": tuple(reply["rewrites"])})

    def _mourn(self, key: tuple, lost: WorkerLost) -> Judgement:
        """The judgement on what cost a worker its life: the gold's set-up or the query."""
        if lost.said and "MemoryError" not in lost.said:
            logger.error("the judge failed in phase %r on gold %r:\n%s", lost.phase, key[-1], lost.said)
            cause, verdict = f"the judge failed: {lost.said.strip().splitlines()[-1]}", Verdict.ERROR
        elif lost.hung:
            cause, verdict = f"it was stopped: over {self.settings.seconds:g} seconds", Verdict.TIMEOUT
        else:
            cause, verdict = "it was stopped: out of memory", Verdict.TOO_BIG
        if lost.phase != "setup":
            return Judgement(verdict, cause)
        reason = f"context or gold: {cause}"
        self._deadly_golds[key] = reason
        if len(self._deadly_golds) > REMEMBERED_GOLDS:
            self._deadly_golds.popitem(last=False)
        return Judgement(Verdict.GOLD_BROKEN, reason)
