"""Judge: the one door to this folder. Is this SQL a right answer for this example?

    async with Judge(settings) as judge:
        judgement = await judge.judge(example, sql)

Promise: whatever the query, the context or the gold is, there is a judgement and no exception, within the time of
the settings. The work is done in worker processes (`pool.py`, `worker.py`); here requests are written and replies
read, some 0.1 ms each, so that hundreds may be outstanding in one event loop.
"""

import asyncio
import dataclasses
import json
import logging
import os
import sys
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from sql_rl.examples import Example
from sql_rl.judge.outcomes import GoldAudit, Scores, Table, Vote
from sql_rl.judge.pool import Pool, WorkerLost
from sql_rl.judge.verdict import Judgement, Verdict
from sql_rl.settings import JudgeSettings

logger = logging.getLogger(__name__)

MAX_TEXT = 100_000  # characters; the longest query that is judged
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
        refusal = _refuse(sql)
        if refusal:
            return refusal
        reply = await self._ask("judge", example, sql=sql)
        return reply if isinstance(reply, Judgement) else _judgement(reply)

    async def score(self, example: Example, sql: str | None) -> Scores:
        """The prediction under the published rules and ours; all False where the judgement is gold_broken."""
        reply = _refuse(sql) or await self._ask("score", example, sql=sql)
        if isinstance(reply, Judgement):
            return Scores(False, False, False, False, False, False, reply.reason, reply)
        return Scores(**reply | {"judgement": _judgement(reply["judgement"])})

    async def audit(self, example: Example) -> GoldAudit:
        """What is known of the example's gold."""
        reply = await self._ask("audit", example)
        if isinstance(reply, Judgement):
            return GoldAudit(broken=reply.reason)
        return GoldAudit(**reply | {name: tuple(reply[name]) for name in ("rewrites", "problems")})

    async def group(self, example: Example, queries: Sequence[str | None]) -> list[Vote]:
        """A vote for each query, in order: equal groups give the same answer on the given data and all variants.

        The gold's answer is not asked; its variants are, since they tell near misses apart. Where one query costs
        the worker its life, the queries are asked one by one, so that it costs no other its vote.
        """
        refused = {n: refusal.reason for n, query in enumerate(queries) if (refusal := _refuse(query))}
        asked = [query for n, query in enumerate(queries) if n not in refused]
        reply = await self._ask("group", example, queries=asked)
        if isinstance(reply, Judgement) and len(asked) > 1:
            harmless = await asyncio.gather(*(self.group(example, [query]) for query in asked))
            kept = [query for query, (vote,) in zip(asked, harmless, strict=True) if vote.group is not None]
            reply = await self._ask("group", example, queries=kept)
            votes = iter(_votes(reply, len(kept)))
            found = iter([next(votes) if vote.group is not None else vote for (vote,) in harmless])
        else:
            found = iter(_votes(reply, len(asked)))
        return [Vote(None, error=refused[n]) if n in refused else next(found) for n in range(len(queries))]

    async def run(self, example: Example, sql: str | None, max_rows: int = 20) -> Table:
        """The result of a query on the given data, of at most `max_rows` rows."""
        reply = _refuse(sql) or await self._ask("run", example, with_gold=False, sql=sql, max_rows=max_rows)
        if isinstance(reply, Judgement):
            return Table(error=reply.reason)
        return Table(**reply | {"columns": tuple(reply["columns"]), "rows": tuple(map(tuple, reply["rows"]))})

    async def _ask(self, op: str, example: Example, with_gold: bool = True, **arguments: Any) -> Any:
        """A worker's reply to a request about the example, or the judgement on what cost the worker its life."""
        key = (example.database, example.context, example.gold)
        if key in self._deadly_golds:
            return Judgement(Verdict.GOLD_BROKEN, self._deadly_golds[key])
        request = {
            "op": op,
            "context": example.context if example.database is None else "",
            "database": None if example.database is None else str(example.database),
            **({"gold": example.gold} if with_gold else {}),
            **arguments,
        }
        try:
            return json.loads(await self._pool.call(key, json.dumps(request).encode()))
        except WorkerLost as lost:
            return self._mourn(key, lost)

    def _mourn(self, key: tuple, lost: WorkerLost) -> Judgement:
        """The judgement on what cost a worker its life: the gold's set-up or the query."""
        if lost.said and "MemoryError" not in lost.said:
            logger.error("the judge failed in phase %r on gold %r:\n%s", lost.phase, key[-1], lost.said)
            cause, verdict = f"the judge failed: {lost.said.strip().splitlines()[-1]}", Verdict.ERROR
        elif lost.hung:
            cause, verdict = f"it was stopped: over {self.settings.seconds:g} seconds", Verdict.TIMEOUT
        else:
            cause, verdict = "it was stopped: its process died, most likely out of memory", Verdict.TOO_BIG
        if lost.phase != "setup":
            return Judgement(verdict, cause)
        reason = f"context or gold: {cause}"
        self._deadly_golds[key] = reason
        if len(self._deadly_golds) > REMEMBERED_GOLDS:
            self._deadly_golds.popitem(last=False)
        return Judgement(Verdict.GOLD_BROKEN, reason)


def _refuse(sql: str | None) -> Judgement | None:
    """The judgement on what is not worth a worker's time, None for all else."""
    if sql is None or not sql.strip():
        return Judgement(Verdict.NO_SQL, "there is no query in the answer")
    if len(sql) > MAX_TEXT:
        return Judgement(Verdict.TOO_BIG, f"the query is {len(sql):,} characters long; {MAX_TEXT:,} are read")
    return None


def _judgement(reply: dict[str, Any]) -> Judgement:
    return Judgement(**reply | {"verdict": Verdict(reply["verdict"]), "rewrites": tuple(reply["rewrites"])})


def _votes(reply: Any, count: int) -> list[Vote]:
    if isinstance(reply, Judgement):
        return [Vote(None, error=reply.reason)] * count
    return [Vote(**vote) for vote in reply["votes"]]
