"""A case: one example made ready to judge, and the rule by which queries are judged on it.

The gold is run on the given database and, once a query that is not the gold itself agrees with it there, on the
variants. A query matches if it gives the gold's answer on all of them; if only on the given data, it was lucky. A
database on which the gold's own answer is not determined refuses nobody.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import apsw

from sql_rl.judge.allowance import Allowance
from sql_rl.judge.compare import Alignment, Result, same_multiset
from sql_rl.judge.database import copy, run
from sql_rl.judge.dialects.dialect import Reading, guess, readings
from sql_rl.judge.dialects.statements import spelling, split
from sql_rl.judge.ground import Ground
from sql_rl.judge.outcomes import GoldAudit
from sql_rl.judge.reference import Expected, Reference, result_of_gold
from sql_rl.judge.sandbox import Answer, Rights, Stopped, execute
from sql_rl.judge.state import read_state, state_difference
from sql_rl.judge.variants.demands import Value
from sql_rl.judge.variants.generate import Variant, generate
from sql_rl.judge.verdict import Judgement, Verdict

GIVEN = "given"
_ORDERED = re.compile(r"\border\s+by\b", re.IGNORECASE)
_WINDOW = re.compile(r"\bover\s*\([^()]*\)", re.IGNORECASE)  # its ORDER BY orders no rows


@dataclass
class Case:
    """One example made ready. Made by `prepare`, which runs the gold; the rest is worked out when it is needed."""

    ground: Ground
    allowance: Allowance
    statement: str  # the gold as written, without what surrounds it
    home: str  # the dialect that queries are read in if they bear no marks of one
    reading: Reading  # how the gold was read
    result: Result | None  # the gold's on the given database, None if it changes data
    memory: dict[tuple, list[Expected | None]] = field(default_factory=dict)  # `published.py`: the rules' own golds

    @classmethod
    def prepare(cls, ground: Ground, gold: str, allowance: Allowance) -> "Case":
        """Run the gold on the given database. Raises Stopped (gold_broken) with what is wrong with the two."""
        try:
            statement = only_statement(gold)
            home = next(iter(guess(statement)), ground.dialect)
            case = cls(ground, allowance, statement, home, *_read_gold(ground, statement, home, allowance))
            if not case.reads:
                case.given  # noqa: B018 - the state after a change may not be readable: better known now
        except Stopped as stopped:
            reasons = [f"gold: {stopped.reason}", *ground.problems[:3]]
            raise Stopped(Verdict.GOLD_BROKEN, "; ".join(reasons)) from None
        return case

    @property
    def reads(self) -> bool:
        """Is the gold a query, rather than a change of data?"""
        return self.result is not None

    @cached_property
    def spelling(self) -> str:
        """Of the gold: a query that has it needs no variants."""
        return spelling(self.statement)

    @cached_property
    def reference(self) -> Reference:
        """The gold, analysed."""
        return Reference.of(self.reading.sql, self.ground, self.reads)

    @cached_property
    def given(self) -> Expected:
        """The gold's answer on the given database, with what is known of it."""
        with self.allowance.setup():
            return self.reference.answer(GIVEN, self.ground.db, self.allowance, self.result)

    @cached_property
    def variants(self) -> tuple[Expected, ...]:
        """The gold's answers on the variants on which it has one; () where none can be made."""
        with self.allowance.setup():
            return tuple(self._make_variants())

    def _make_variants(self) -> Iterator[Expected]:
        settings, reference = self.allowance.settings, self.reference
        if reference.tree is None or not settings.variants or not self.ground.schema.tables:
            return
        answered: dict[int, Expected | None] = {}  # by identity of the rows that `generate` tried

        def answer(rows: Variant) -> Result | None:
            db = self.ground.blank.fill(self.ground.schema, rows)
            try:
                expected = reference.answer("", db, self.allowance)
            except Stopped:
                expected = None
            answered[id(rows)] = expected
            return expected.result if expected and expected.determined else None

        def decide(condition: str, tried: Sequence[Value]) -> list[bool | None]:
            asked = f"WITH t(v) AS (VALUES {', '.join(f'({apsw.format_sql_value(v)})' for v in tried)}) "
            try:
                found = execute(self.ground.db, f"{asked}SELECT ({condition}) <> 0 FROM t", Rights.READ, budget())
            except Stopped:
                return [None] * len(tried)
            return [None if truth is None else bool(truth) for (truth,) in found.rows]

        budget = self.allowance.budget
        schema, given = self.ground.schema, self.ground.rows
        rows_of = generate(schema, given, reference.tree, settings.seed, settings.variants, answer, decide)
        for number, rows in enumerate(rows_of, 1):
            expected = answered[id(rows)]
            if expected is not None:
                yield replace(expected, name=f"variant {number}")

    def judge(self, sql: str) -> Judgement:
        """The verdict on one query."""
        try:
            statement = only_statement(sql)
        except Stopped as stopped:
            return Judgement(stopped.verdict, stopped.reason)
        if statement == self.statement:
            return self._judgement(self.reading, Verdict.MATCH, rows=self.result and len(self.result.rows))
        if self.reading.sql == self.statement and spelling(statement) == self.spelling:
            reading = replace(self.reading, sql=statement)
            return self._judgement(reading, Verdict.MATCH, rows=self.result and len(self.result.rows))
        return self._judge_rows(statement) if self.reads else self._judge_change(statement)

    def _judge_rows(self, statement: str) -> Judgement:
        try:
            reading, answer = self.run(statement, len(self.result.rows) + 1)
        except Stopped as stopped:
            return self._refusal(stopped)
        rows = len(answer.rows)
        alignment = Alignment(self.allowance.settings.column_order)
        difference = alignment.admit(self.result, result_of(answer), self.given.order)
        if difference and (self.given.determined or not any(variant.determined for variant in self.variants)):
            return self._judgement(reading, Verdict.MISMATCH, difference.reason, GIVEN, rows)
        for expected in self.variants:
            if not expected.determined:
                continue
            try:
                budget = self.allowance.budget(len(expected.result.rows) + 1)
                answer = execute(expected.db, reading.sql, Rights.READ, budget)
            except Stopped as stopped:
                verdict = Verdict.LUCKY if stopped.verdict is Verdict.ERROR else stopped.verdict
                return self._judgement(reading, verdict, stopped.reason, expected.name, rows)
            difference = alignment.admit(expected.result, result_of(answer), expected.order)
            if difference:
                return self._judgement(reading, Verdict.LUCKY, difference.reason, expected.name, rows)
        if self._asks_order and not _ORDERED.search(_WINDOW.sub("", statement)):
            reason = "its rows came in the order asked by accident: it has no ORDER BY"
            return self._judgement(reading, Verdict.LUCKY, reason, GIVEN, rows)
        return self._judgement(reading, Verdict.MATCH, rows=rows)

    @cached_property
    def _asks_order(self) -> bool:
        """Does the gold put rows in an order, here or on a variant? SQLite sorts for GROUP BY without being asked."""
        return any(len(set(expected.order or ())) > 1 for expected in (self.given, *self.variants))

    def _judge_change(self, statement: str) -> Judgement:
        for expected in (self.given, *self.variants):
            twin = copy(expected.db, self.ground.clock)
            try:
                if expected is self.given:
                    ways = readings(statement, self.home, self.ground.scope)
                    reading, _ = run(twin, ways, Rights.CHANGE, self.allowance.budget())
                else:
                    execute(twin, reading.sql, Rights.CHANGE, self.allowance.budget())
                difference = state_difference(expected.state, read_state(twin, self.allowance.budget()))
            except Stopped as stopped:
                if expected is self.given:
                    return self._refusal(stopped)
                difference = stopped.reason
            if difference:
                verdict = Verdict.MISMATCH if expected is self.given else Verdict.LUCKY
                return self._judgement(reading, verdict, difference, expected.name)
        return self._judgement(reading, Verdict.MATCH)

    def run(self, statement: str, rows: int) -> tuple[Reading, Answer]:
        """Read a query in its dialect and run it on the given database. Raises Stopped."""
        ways = readings(statement, self.home, self.ground.scope)
        return run(self.ground.db, ways, Rights.READ, self.allowance.budget(rows))

    def _refusal(self, stopped: Stopped) -> Judgement:
        return Judgement(stopped.verdict, stopped.reason, database=GIVEN)

    def _judgement(
        self, reading: Reading, verdict: Verdict, reason: str = "", database: str = "", rows: int | None = None
    ) -> Judgement:
        return Judgement(
            verdict,
            reason,
            executed_sql=reading.sql,
            dialect=reading.dialect,
            rewrites=self._rewrites(reading),
            database=database,
            rows=rows,
            undetermined=self.undetermined if verdict is Verdict.MATCH else "",
        )

    def _rewrites(self, reading: Reading) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.ground.rewrites, *reading.rewrites)))

    @property
    def size(self) -> int:
        """About how many bytes of results are held, beside what SQLite holds."""
        given, variants = self.__dict__.get("given"), self.__dict__.get("variants", ())  # if they were needed so far
        return sum(expected.size for expected in (given, *variants) if expected)

    @property
    def undetermined(self) -> str:
        """Why a match says less than it seems, '' if it does not, or if no variant was needed so far."""
        if "variants" not in self.__dict__:
            return ""
        telling = [expected for expected in self.variants if expected.determined]
        if not self.given.determined:
            return "on the given data the gold's answer is one of several"
        if not telling:
            return "no variant on which the gold's answer is determined"
        if self.reads and not any(e.result.rows for e in (self.given, *telling)):
            return "the gold is empty on every database"
        return "the gold gives the same on every database" if self.is_constant else ""

    @property
    def is_constant(self) -> bool:
        """Is the gold's answer on the variants the one on the given data?"""
        if not self.reads:
            return False
        given = self.result.rows
        return all(same_multiset(given, variant.result.rows) for variant in self.variants if variant.determined)

    def audit(self) -> GoldAudit:
        """What is known of the gold."""
        separable = [variant for variant in self.variants if variant.determined]
        return GoldAudit(
            reads=self.reads,
            rows=len(self.result.rows) if self.reads else None,
            non_deterministic=not self.given.determined,
            empty=not self.result.rows if self.reads else not self._changes(self.given),
            constant=bool(separable) and self.is_constant,
            not_separable=self.undetermined,
            dialect=self.reading.dialect,
            rewrites=self._rewrites(self.reading),
            problems=self.ground.problems,
        )

    def _changes(self, expected: Expected) -> bool:
        """Does a gold that changes data change this database?"""
        return bool(state_difference(expected.state, read_state(expected.db, self.allowance.budget())))


def only_statement(text: str) -> str:
    """The one statement of a text, without comments around it. Raises Stopped if there is another number of them."""
    statements = split(text)
    if not statements:
        raise Stopped(Verdict.NO_SQL, "there is no statement")
    if len(statements) > 1:
        raise Stopped(Verdict.ERROR, f"{len(statements)} statements instead of one")
    return statements[0]


def _read_gold(ground: Ground, statement: str, home: str, allowance: Allowance) -> tuple[Reading, Result | None]:
    """How the gold is read, and its result if it reads rather than changes. Raises Stopped if it cannot run."""
    try:
        reading, answer = run(ground.db, readings(statement, home, ground.scope), Rights.READ, allowance.budget())
        return reading, result_of_gold(answer, allowance)
    except Stopped as stopped:
        if stopped.verdict is not Verdict.UNSAFE:
            raise
    if not ground.in_memory:
        raise Stopped(Verdict.GOLD_BROKEN, "it changes data, and a database file stays as it is")
    twin = copy(ground.db, ground.clock)
    reading, _ = run(twin, readings(statement, home, ground.scope), Rights.CHANGE, allowance.budget(1))
    return reading, None


def result_of(answer: Answer) -> Result:
    """The answer as it is compared: without the names of its columns."""
    return Result(answer.rows, len(answer.columns))
