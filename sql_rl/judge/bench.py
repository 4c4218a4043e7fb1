"""The bench of one worker: answers requests, and keeps the examples it has made ready.

Promise: `answer` answers every request that has the form `judge.py` gives it, whatever the texts in it are. What was
made ready stays within `cache_mb`, the least recently used goes first.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import apsw

from sql_rl.judge.allowance import Allowance
from sql_rl.judge.case import Case
from sql_rl.judge.ground import Ground
from sql_rl.judge.sandbox import FixedClock, Stopped
from sql_rl.judge.verdict import Judgement
from sql_rl.settings import JudgeSettings


class Bench:
    """Judges with the given settings; `announce` as in Allowance."""

    def __init__(self, settings: JudgeSettings, announce: Callable[[str], None]) -> None:
        self._allowance = Allowance(settings, announce)
        self._clock = FixedClock(settings.now)
        self._capacity = settings.cache_mb * 2**20
        self._grounds: OrderedDict[tuple, Ground | Stopped] = OrderedDict()
        self._cases: OrderedDict[tuple, Case | Stopped] = OrderedDict()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request."""
        started = time.monotonic()
        self._allowance.restart()
        judgement = self.judge(request["database"], request["context"], request["gold"], request["sql"])
        self._make_room()
        return asdict(judgement) | {"seconds": time.monotonic() - started}

    def judge(self, database: str | None, context: str, gold: str, sql: str) -> Judgement:
        """The verdict on one query."""
        case = self.case(database, context, gold)
        return Judgement(case.verdict, case.reason) if isinstance(case, Stopped) else case.judge(sql)

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
        """Forget the oldest cases, then the oldest grounds, until SQLite holds no more than the cache may."""
        while apsw.memory_used() > self._capacity and (self._cases or self._grounds):
            (self._cases or self._grounds).popitem(last=False)
