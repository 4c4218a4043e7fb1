"""Reference: a gold query ready to be run, and its answer on one database after another."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import apsw
from sqlglot import exp

from sql_rl.judge.allowance import Allowance
from sql_rl.judge.compare import Order, Result, Row, same_multiset
from sql_rl.judge.database import copy
from sql_rl.judge.determined import depends_on_scan, is_determined, rivals
from sql_rl.judge.dialects.dialect import parse
from sql_rl.judge.dialects.rewrite import resolve_strings
from sql_rl.judge.gold import GoldPlan, analyse
from sql_rl.judge.ground import Ground
from sql_rl.judge.sandbox import Answer, FixedClock, Rights, Stopped, execute
from sql_rl.judge.state import State, read_state
from sql_rl.judge.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Expected:
    """The gold's answer on one database: a result, or the state of the database after a gold that changes it.

    order: the sort keys of each row, None where no order is asked. determined: no other answer would be as right.
    size: about how many bytes the rows take.
    """

    name: str
    db: apsw.Connection
    result: Result | None = None
    order: Order = None
    state: State | None = None
    determined: bool = True
    size: int = 0


@dataclass(frozen=True)
class Reference:
    """sql: the gold for SQLite. tree: its syntax tree, None where it cannot be parsed: then it is run, and that is all.

    rivals: texts whose answer is another where the gold's is not determined (`determined.py`).
    """

    sql: str
    clock: FixedClock
    tree: exp.Expression | None = None
    plan: GoldPlan = field(default_factory=lambda: GoldPlan(reads=True))
    rivals: tuple[str, ...] = ()
    scan_bound: bool = False

    @classmethod
    def of(cls, sql: str, ground: Ground, reads: bool) -> "Reference":
        """Analyse a gold that is known to run. reads: whether it is a query rather than a change."""
        tree = parse(sql)
        if tree is None or not reads:
            return cls(sql, ground.clock, tree, GoldPlan(reads))
        resolve_strings(tree, sql, ground.scope)
        plan = analyse(tree, ground.schema)
        if not plan.reads:  # it returned rows, so it is a query of a kind that is not known here
            return cls(sql, ground.clock)
        return cls(sql, ground.clock, tree, plan, rivals(tree, ground.schema), depends_on_scan(tree))

    def answer(self, name: str, db: apsw.Connection, allowance: Allowance, result: Result | None = None) -> Expected:
        """The gold's answer on a database; `result`, if it is known already. Raises Stopped if it gives none there."""
        if not self.plan.reads:
            twin = copy(db, self.clock)
            execute(twin, self.sql, Rights.CHANGE, allowance.budget())
            state = read_state(twin, allowance.budget())
            return Expected(name, db, state=state, size=sum(size_of(table.rows) for table in state.values()))
        result = result or self._rows(db, self.sql, allowance)
        keyed = self._try(db, self.plan.keyed_sql, allowance) if self.plan.keyed_sql else None
        order = self.plan.order(result, keyed.rows if keyed else None)
        tied = keyed is not None and self.plan.cuts_a_tie(result, keyed.rows)
        determined = not tied and self._is_determined(db, result, allowance)
        return Expected(name, db, result, order, determined=determined, size=size_of(result.rows))

    def _is_determined(self, db: apsw.Connection, result: Result, allowance: Allowance) -> bool:
        if self.tree is not None and self.tree.find(exp.Rand):
            return False
        if not is_determined(result, self.rivals, lambda text: self._try(db, text, allowance)):
            return False
        if not self.scan_bound:
            return True
        db.config(apsw.SQLITE_DBCONFIG_REVERSE_SCANORDER, 1)
        try:
            backwards = self._try(db, self.sql, allowance)
        finally:
            db.config(apsw.SQLITE_DBCONFIG_REVERSE_SCANORDER, 0)
        return backwards is None or same_multiset(result.rows, backwards.rows)

    def _try(self, db: apsw.Connection, sql: str, allowance: Allowance) -> Result | None:
        try:
            return self._rows(db, sql, allowance)
        except Stopped:
            return None

    def _rows(self, db: apsw.Connection, sql: str, allowance: Allowance) -> Result:
        return result_of_gold(execute(db, sql, Rights.READ, allowance.budget()), allowance)


def size_of(rows: Sequence[Row]) -> int:
    """About how many bytes the rows take: an object for each row and cell, and what its text is long."""
    return sum(80 + sum(len(c) + 60 if isinstance(c, str | bytes) else 40 for c in row) for row in rows)


def result_of_gold(answer: Answer, allowance: Allowance) -> Result:
    """The answer as it is compared. Raises Stopped if it is larger than what is judged."""
    if len(answer.rows) > allowance.settings.max_rows:
        raise Stopped(Verdict.TOO_BIG, f"it returns more than {allowance.settings.max_rows:,} rows")
    return Result(answer.rows, len(answer.columns))
