"""The bench of one worker: answers requests, and keeps the examples it has made ready."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sql_rl.judge.compare import Result, same_answer
from sql_rl.judge.database import build, open_file
from sql_rl.judge.sandbox import Budget, FixedClock, Rights, Stopped, execute
from sql_rl.judge.statements import split
from sql_rl.judge.verdict import Judgement, Verdict
from sql_rl.settings import JudgeSettings


class Bench:
    """Judges with the given settings; `announce` is told when a set-up begins ('setup') and ends ('query')."""

    def __init__(self, settings: JudgeSettings, announce: Callable[[str], None]) -> None:
        self._settings = settings
        self._announce = announce
        self._clock = FixedClock(settings.now)
        self._cases: OrderedDict[tuple, tuple] = OrderedDict()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request."""
        started = time.monotonic()
        judgement = self._judge(request)
        return asdict(judgement) | {"seconds": time.monotonic() - started}

    def _budget(self, rows: int) -> Budget:
        settings = self._settings
        return Budget(settings.steps, time.monotonic() + settings.seconds, rows, settings.memory_mb * 2**20)

    def _judge(self, request: dict[str, Any]) -> Judgement:
        key = (request["database"], request["context"], request["gold"])
        if key not in self._cases:
            self._announce("setup")
            self._cases[key] = self._prepare(request)
            self._announce("query")
            if len(self._cases) > 100:
                self._cases.popitem(last=False)
        db, gold, broken = self._cases[key]
        if broken:
            return Judgement(Verdict.GOLD_BROKEN, broken)
        statements = split(request["sql"])
        if len(statements) != 1:
            reason = "there is no statement" if not statements else f"{len(statements)} statements instead of one"
            return Judgement(Verdict.ERROR if statements else Verdict.NO_SQL, reason)
        sql = statements[0]
        try:
            answer = execute(db, sql, Rights.READ, self._budget(len(gold.rows) + 1))
        except Stopped as stopped:
            return Judgement(stopped.verdict, stopped.reason, executed_sql=sql, dialect="sqlite", database="given")
        difference = same_answer(gold, Result(answer.rows, len(answer.columns)))
        verdict = Verdict.MATCH if difference is None else Verdict.MISMATCH
        reason = "" if difference is None else difference.reason
        return Judgement(verdict, reason, sql, "sqlite", database="given", rows=len(answer.rows))

    def _prepare(self, request: dict[str, Any]) -> tuple:
        problems: tuple[str, ...] = ()
        if request["database"]:
            db = open_file(Path(request["database"]), self._clock)
        else:
            built = build(request["context"], self._clock, self._budget(1))
            db, problems = built.db, built.problems
        statements = split(request["gold"])
        if len(statements) != 1:
            return db, None, f"gold: {len(statements)} statements instead of one"
        try:
            answer = execute(db, statements[0], Rights.READ, self._budget(self._settings.max_rows))
        except Stopped as stopped:
            return db, None, "; ".join([f"gold: {stopped.reason}", *problems])
        return db, Result(answer.rows, len(answer.columns)), ""
