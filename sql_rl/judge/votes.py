"""Which of several queries give the same answer? For choosing among samples by execution, without asking the gold.

Two queries stand in one group if the judge's comparison finds their answers the same on every database; order counts
if the first of the group asks for one. Unlike a judgement, nothing here depends on the gold's answer.
"""

from collections.abc import Iterable, Sequence

import apsw

from sql_rl.judge.allowance import Allowance
from sql_rl.judge.case import only_statement, result_of
from sql_rl.judge.compare import Alignment, Result
from sql_rl.judge.database import run
from sql_rl.judge.dialects.dialect import parse, readings
from sql_rl.judge.gold import analyse
from sql_rl.judge.ground import Ground
from sql_rl.judge.outcomes import Vote
from sql_rl.judge.sandbox import Rights, Stopped, execute


class _Group:
    """Queries that agree, by the answers of the first of them on each database."""

    def __init__(self, sql: str, answers: Sequence[Result], ground: Ground) -> None:
        tree = parse(sql)
        self.answers = answers
        self.ordered = tree is not None and analyse(tree, ground.schema).ordered

    def holds(self, answers: Sequence[Result]) -> bool:
        alignment = Alignment()
        return all(
            alignment.admit(mine, other, [(n,) for n in range(len(mine.rows))] if self.ordered else None) is None
            for mine, other in zip(self.answers, answers, strict=True)
        )


def group(
    queries: Iterable[str], ground: Ground, home: str, variants: Sequence[apsw.Connection], allowance: Allowance
) -> list[Vote]:
    """A vote for each query, in order; each query has a request's whole time. home: their dialect if no mark tells."""
    groups: list[_Group] = []
    votes = []
    for query in queries:
        allowance.next_query()
        try:
            sql, answers = _answers(query, ground, home, variants, allowance)
        except Stopped as stopped:
            votes.append(Vote(None, error=stopped.reason))
            continue
        number = next((n for n, known in enumerate(groups) if known.holds(answers)), len(groups))
        if number == len(groups):
            groups.append(_Group(sql, answers, ground))
        votes.append(Vote(number, empty=not answers[0].rows))
    return votes


def _answers(
    query: str, ground: Ground, home: str, variants: Sequence[apsw.Connection], allowance: Allowance
) -> tuple[str, list[Result]]:
    """The text that runs on SQLite, and its results on the given database and on the variants. Raises Stopped."""
    ways = readings(only_statement(query), home, ground.scope)
    reading, answer = run(ground.db, ways, Rights.READ, allowance.budget())
    others = [execute(db, reading.sql, Rights.READ, allowance.budget()) for db in variants]
    return reading.sql, [result_of(answer), *map(result_of, others)]
