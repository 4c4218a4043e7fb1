"""One prediction under the rules that benchmarks publish, on a case's databases (`official.py` holds the rules)."""

from collections.abc import Iterable

import apsw

from sql_rl.judge.case import Case, result_of
from sql_rl.judge.compare import Result
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
    executed = judgement.executed_sql
    stripped, kept = (spider_text(spider_prediction(executed), keep) for keep in (False, True))
    plain = _run(case, case.ground.db, executed)
    return Scores(
        spider=_agrees(case, stripped, [_expected(case, False)]),
        spider_keep_distinct=_agrees(case, kept, [_expected(case, True)]),
        bird=plain is not None and bird(case.result, plain),
        strict=on_given,
        spider_suite=_agrees(case, stripped, _expected_on_all(case)),
        suite=match,
        error=error,
        judgement=judgement,
    )


def _agrees(case: Case, predicted: str, expectations: Iterable[Expected | None]) -> bool:
    """Does Spider's rule hold on every database on which the gold has a determined answer?"""
    for expected in expectations:
        if expected is None:
            return False
        result = _run(case, expected.db, predicted)
        if result is None or not spider(expected.result, result, case.statement):
            return False
    return True


def _expected(case: Case, keep_distinct: bool) -> Expected | None:
    """What Spider's evaluator runs for the gold, answered on the given database."""
    return _answers(case, keep_distinct, everywhere=False)[0]


def _expected_on_all(case: Case) -> list[Expected | None]:
    given, *variants = _answers(case, keep_distinct=False, everywhere=True)
    return [given, *(expected for expected in variants if expected is not None and expected.determined)]


def _answers(case: Case, keep_distinct: bool, everywhere: bool) -> list[Expected | None]:
    key = ("spider", keep_distinct, everywhere)
    if key not in case.memory:
        reference = Reference.of(spider_text(case.reading.sql, keep_distinct), case.ground, reads=True)
        databases = [case.given, *(case.variants if everywhere else ())]
        with case.allowance.setup():
            case.memory[key] = [_answer(reference, expected, case) for expected in databases]
    return case.memory[key]


def _answer(reference: Reference, expected: Expected, case: Case) -> Expected | None:
    try:
        return reference.answer(expected.name, expected.db, case.allowance)
    except Stopped:
        return None


def _run(case: Case, db: apsw.Connection, sql: str) -> Result | None:
    try:
        return result_of(execute(db, sql, Rights.READ, case.allowance.budget()))
    except Stopped:
        return None
