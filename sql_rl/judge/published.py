"""One prediction under the rules that benchmarks publish, on a case's databases (`official.py` holds the rules).

Those are rules for SQLite files, and what SQLite itself does not take is wrong by them: neither another dialect nor a
function of ours helps a prediction there. A context in memory may be in any dialect, and so may the prediction.
"""

from collections.abc import Iterable

import apsw

from sql_rl.judge.case import Case, only_statement, result_of
from sql_rl.judge.compare import Result
from sql_rl.judge.dialects.statements import spelling
from sql_rl.judge.official import bird, spider, spider_prediction, spider_text
from sql_rl.judge.outcomes import Scores
from sql_rl.judge.reference import Expected, Reference
from sql_rl.judge.sandbox import Rights, Stopped, execute
from sql_rl.judge.verdict import Verdict


def score(case: Case, sql: str) -> Scores:
    """The prediction's scores. A gold that changes data is scored by its verdict alone: the rules know no other."""
    judgement = case.judge(sql)
    match = judgement.verdict is Verdict.MATCH
    on_given = match or judgement.verdict is Verdict.LUCKY
    error = judgement.reason if judgement.executed_sql is None else ""
    if error or not case.reads:
        return Scores(on_given, on_given, on_given, on_given, match, match, error, judgement)
    run = _Runs(case)
    executed = judgement.executed_sql if case.ground.in_memory else only_statement(sql)
    stripped, kept = (spider_text(spider_prediction(executed), keep) for keep in (False, True))
    plain = run(case.ground.db, executed)
    if plain is not None and len(plain.rows) > case.allowance.settings.max_rows:  # cut, and BIRD's rule is one of sets
        plain = _run(case, case.ground.db, executed, distinct=True)
    on_the_given = _agrees(case, run, stripped, [_expected(case, keep_distinct=False)])
    return Scores(
        spider=on_the_given,
        spider_keep_distinct=_agrees(case, run, kept, [_expected(case, keep_distinct=True)]),
        bird=plain is not None and bird(case.result, plain),
        strict=on_given,
        spider_suite=on_the_given and _agrees_on_variants(case, run, stripped),
        suite=match,
        error=error,
        judgement=judgement,
    )


class _Runs:
    """The prediction's results on a case's databases, each text run once on each."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._results: dict[tuple[int, str], Result | None] = {}

    def __call__(self, db: apsw.Connection, sql: str) -> Result | None:
        key = (id(db), sql)
        if key not in self._results:
            self._results[key] = _run(self._case, db, sql)
        return self._results[key]


def _agrees(case: Case, run: _Runs, predicted: str, expectations: Iterable[Expected | None]) -> bool:
    """Does Spider's rule hold on every one of these databases, on each of which the gold has an answer?"""
    for expected in expectations:
        if expected is None:
            return False
        result = run(expected.db, predicted)
        if result is None or not spider(expected.result, result, case.statement):
            return False
    return True


def _agrees_on_variants(case: Case, run: _Runs, predicted: str) -> bool:
    """Does it hold on every variant? They are made only for a query that is not the gold in another spelling."""
    if spelling(predicted) == spelling(spider_text(case.reading.sql)):
        return True
    return _agrees(case, run, predicted, _expected_on_variants(case))


def _expected(case: Case, keep_distinct: bool) -> Expected | None:
    """What Spider's evaluator runs for the gold, answered on the given database."""
    return _answers(case, keep_distinct, on_variants=False)[0]


def _expected_on_variants(case: Case) -> list[Expected]:
    """The same on the variants on which it has one answer."""
    answers = _answers(case, keep_distinct=False, on_variants=True)
    return [expected for expected in answers if expected is not None and expected.determined]


def _answers(case: Case, keep_distinct: bool, on_variants: bool) -> list[Expected | None]:
    text = spider_text(case.reading.sql, keep_distinct)
    if text == case.reading.sql:  # most golds: the judgement has answered them
        return list(case.variants) if on_variants else [case.given]
    key = ("spider", text, on_variants)
    if key not in case.memory:
        reference = Reference.of(text, case.ground, reads=True)
        with case.allowance.setup():
            databases = case.variants if on_variants else [case.given]
            case.memory[key] = [_answer(reference, expected, case) for expected in databases]
    return case.memory[key]


def _answer(reference: Reference, expected: Expected, case: Case) -> Expected | None:
    try:
        return reference.answer(expected.name, expected.db, case.allowance)
    except Stopped:
        return None


def _run(case: Case, db: apsw.Connection, sql: str, distinct: bool = False) -> Result | None:
    rights = Rights.READ if case.ground.in_memory else Rights.PLAIN
    try:
        return result_of(execute(db, sql, rights, case.allowance.budget(), distinct))
    except Stopped:
        return None
