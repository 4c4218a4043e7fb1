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
        # Grounds by (database, context), cases by (database, context, gold), the longest unused first.
        self._held: OrderedDict[tuple, Ground | Case | Stopped] = OrderedDict()
        self._sizes: dict[tuple, int] = {}  # bytes of results that a case holds
        self._latest: tuple | None = None  # of the cases
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
        self._latest = key = (database, context, gold)
        if key not in self._held:
            with self._allowance.setup():
                self._held[key] = self._prepare(database, context, gold)
        self._held.move_to_end(key)
        if (ground := key[:2]) in self._held:  # used with it: a case goes before the ground that it stands on
            self._held.move_to_end(ground)
        return self._held[key]

    def _prepare(self, database: str | None, context: str, gold: str) -> Case | Stopped:
        try:
            return Case.prepare(self._ground(database, context), gold, self._allowance)
        except Stopped as stopped:
            return stopped

    def _ground(self, database: str | None, context: str) -> Ground:
        key = (database, context)
        if key not in self._held:
            if database is None:
                self._held[key] = Ground.from_context(context, self._clock, self._allowance)
            else:
                self._held[key] = Ground.from_file(Path(database), self._clock)
        self._held.move_to_end(key)
        return self._held[key]

    def _make_room(self) -> None:
        """Forget what was not used for the longest time, until what is held fits the cache."""
        if isinstance(case := self._held.get(self._latest), Case):  # only the latest can have grown
            self._sizes[self._latest] = case.size
        while self._held and apsw.memory_used() + sum(self._sizes.values()) > self._capacity:
            key, _ = self._held.popitem(last=False)
            self._sizes.pop(key, None)


def form_of(value: object) -> dict[str, Any]:
    """What JSON has no form for, as a dict: our dataclasses, and blobs as {"blob": hexadecimal digits}."""
    if isinstance(value, bytes):
        return {"blob": value.hex()}
    return {part.name: getattr(value, part.name) for part in fields(value)}


def _broken(stopped: Stopped) -> Judgement:
    return Judgement(Verdict.GOLD_BROKEN, stopped.reason)
