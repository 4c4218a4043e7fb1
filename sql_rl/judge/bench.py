"""The bench of one worker: answers requests, and keeps the examples it has made ready.

Promise: `answer` answers every request that has the form `judge.py` gives it, whatever the texts in it are. What was
made ready stays within `cache_mb`, the least recently used goes first.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import apsw

from sql_rl.judge.allowance import Allowance
from sql_rl.judge.case import Case, only_statement
from sql_rl.judge.database import run
from sql_rl.judge.dialects.dialect import readings
from sql_rl.judge.ground import Ground
from sql_rl.judge.outcomes import GoldAudit, Scores, Table, Vote
from sql_rl.judge.published import score
from sql_rl.judge.sandbox import FixedClock, Rights, Stopped
from sql_rl.judge.verdict import Judgement, Verdict
from sql_rl.judge.votes import group
from sql_rl.settings import JudgeSettings


@dataclass(frozen=True, slots=True)
class Votes:
    """A vote for each query, in order."""

    votes: list[Vote]


class Bench:
    """Judges with the given settings; `announce` as in Allowance."""

    def __init__(self, settings: JudgeSettings, announce: Callable[[str], None]) -> None:
        self._allowance = Allowance(settings, announce)
        self._clock = FixedClock(settings.now)
        self._capacity = settings.cache_mb * 2**20
        self._grounds: OrderedDict[tuple, Ground] = OrderedDict()
        self._cases: OrderedDict[tuple, Case | Stopped] = OrderedDict()
        self._sizes: dict[tuple, int] = {}  # bytes of results that a case holds
        self._operations = {f.__name__: f for f in (self.judge, self.score, self.audit, self.group, self.run)}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request: `op` names what is asked, the rest are its arguments (`Judge`).

        Values in it that JSON has no form for have one by `form_of`.
        """
        started = time.monotonic()
        self._allowance.restart()
        arguments = {name: value for name, value in request.items() if name != "op"}
        reply = form_of(self._operations[request["op"]](**arguments))
        self._make_room()
        seconds = time.monotonic() - started
        if "judgement" in reply:
            reply["judgement"] = replace(reply["judgement"], seconds=seconds)
        return reply | {"seconds": seconds} if "seconds" in reply else reply

    def judge(self, database: str | None, context: str, gold: str, sql: str) -> Judgement:
        """The verdict on one query."""
        case = self.case(database, context, gold)
        return _broken(case) if isinstance(case, Stopped) else case.judge(sql)

    def score(self, database: str | None, context: str, gold: str, sql: str) -> Scores:
        """One query under the published rules and ours."""
        case = self.case(database, context, gold)
        if isinstance(case, Stopped):
            return Scores(False, False, False, False, False, False, case.reason, _broken(case))
        return score(case, sql)

    def audit(self, database: str | None, context: str, gold: str) -> GoldAudit:
        """What is known of the gold."""
        case = self.case(database, context, gold)
        return GoldAudit(broken=case.reason) if isinstance(case, Stopped) else case.audit()

    def group(self, database: str | None, context: str, gold: str, queries: list[str]) -> Votes:
        """Which of the queries agree, on the given data and, where the gold can run, on its variants."""
        case = self.case(database, context, gold)
        try:
            ground = self._ground(database, context)
        except Stopped as stopped:
            return Votes([Vote(None, error=stopped.reason) for _ in queries])
        if isinstance(case, Stopped):
            return Votes(group(queries, ground, ground.dialect, (), self._allowance))
        variants = [variant.db for variant in case.variants] if case.reads else []
        return Votes(group(queries, ground, case.home, variants, self._allowance))

    def run(self, database: str | None, context: str, sql: str, max_rows: int) -> Table:
        """The result of one query on the given data."""
        try:
            ground = self._ground(database, context)
            ways = readings(only_statement(sql), ground.dialect, ground.scope)
            _, answer = run(ground.db, ways, Rights.READ, self._allowance.budget(max_rows))
        except Stopped as stopped:
            return Table(error=stopped.reason)
        return Table(answer.columns, tuple(answer.rows), answer.cut)

    def case(self, database: str | None, context: str, gold: str) -> Case | Stopped:
        """The example made ready, or why it cannot be."""
        key = (database, context, gold)
        if key not in self._cases:
            with self._allowance.setup():
                self._cases[key] = self._prepare(database, context, gold)
        self._cases.move_to_end(key)
        return self._cases[key]

    def _prepare(self, database: str | None, context: str, gold: str) -> Case | Stopped:
        try:
            return Case.prepare(self._ground(database, context), gold, self._allowance)
        except Stopped as stopped:
            return stopped

    def _ground(self, database: str | None, context: str) -> Ground:
        key = (database, context)
        if key not in self._grounds:
            if database is None:
                self._grounds[key] = Ground.from_context(context, self._clock, self._allowance)
            else:
                self._grounds[key] = Ground.from_file(Path(database), self._clock)
        self._grounds.move_to_end(key)
        return self._grounds[key]

    def _make_room(self) -> None:
        """Forget the oldest cases, then the oldest grounds, until what is held fits the cache."""
        if self._cases:
            key, case = next(reversed(self._cases.items()))  # only the latest can have grown
            self._sizes[key] = 0 if isinstance(case, Stopped) else case.size
        while apsw.memory_used() + sum(self._sizes.values()) > self._capacity and (self._cases or self._grounds):
            key, _ = (self._cases or self._grounds).popitem(last=False)
            self._sizes.pop(key, None)


def form_of(value: object) -> dict[str, Any]:
    """What JSON has no form for, as a dict: our dataclasses, and blobs as {"blob": hexadecimal digits}."""
    if isinstance(value, bytes):
        return {"blob": value.hex()}
    return {part.name: getattr(value, part.name) for part in fields(value)}


def _broken(stopped: Stopped) -> Judgement:
    return Judgement(Verdict.GOLD_BROKEN, stopped.reason)
