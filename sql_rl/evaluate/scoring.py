"""Scoring: one query under every metric, remembered in the run's journal, so that no question is judged twice."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sql_rl.distill.journal import Journal, key_of
from sql_rl.evaluate.answering import Said
from sql_rl.evaluate.benchmark import Question
from sql_rl.evaluate.metrics import METRICS, Result
from sql_rl.judge import Judge, Judgement, Scores, Table, Verdict, Vote

SHOWN_ROWS = 10  # of the results that stand beside a failure
SHOWN_CHARACTERS = 200  # of a text in them


@dataclass(frozen=True, slots=True)
class Scored:
    """scores: of the query. gold, predicted: the first rows of both results on the given database, as run.json's
    tables; None where the query is right, or one of them has no result."""

    scores: Scores
    gold: dict[str, Any] | None = None
    predicted: dict[str, Any] | None = None


class Scorer:
    """stamp: the judge's settings, under others everything is judged anew. stamps: database -> what identifies it."""

    def __init__(self, judge: Judge, journal: Journal, stamp: Mapping[str, Any], stamps: Mapping[Path, str]) -> None:
        self._judge, self._journal, self._stamp, self._stamps = judge, journal, dict(stamp), stamps

    async def score(self, question: Question, sql: str | None) -> Scored:
        """The scores of one query; without one, it is the gold that is looked at: a broken one counts for nobody."""
        key = self._key(question, sql=sql)
        if line := self._journal.get("evaluation", key):
            return _read(line)
        scores = await self._judge.score(question.example, sql)
        if scores.judgement.verdict in (Verdict.NO_SQL, Verdict.TOO_BIG):  # possibly without a look at the gold
            gold = await self._judge.judge(question.example, question.example.gold)
            if gold.verdict is Verdict.GOLD_BROKEN:
                scores = dataclasses.replace(scores, judgement=gold, error=gold.reason)
        scored = Scored(scores)
        if not scores.suite and scores.judgement.verdict is not Verdict.GOLD_BROKEN:
            gold_table = await self._judge.run(question.example, question.example.gold, SHOWN_ROWS)
            table = await self._judge.run(question.example, sql, SHOWN_ROWS) if not scores.error else None
            scored = Scored(scores, _shown(gold_table), _shown(table))
        self._journal.add("evaluation", key, _line(scored, question.example.row))
        return scored

    async def group(self, question: Question, queries: Sequence[str | None]) -> list[Vote]:
        """Which of several queries agree (`Judge.group`)."""
        key = self._key(question, queries=list(queries))
        if line := self._journal.get("vote", key):
            return [Vote(*vote) for vote in line["votes"]]
        votes = await self._judge.group(question.example, queries)
        content = {"row": question.example.row, "votes": [(v.group, v.empty, v.error) for v in votes]}
        self._journal.add("vote", key, content)
        return votes

    def _key(self, question: Question, **asked: Any) -> str:
        example = question.example
        database = self._stamps[example.database] if example.database else example.context
        return key_of({"judge": self._stamp, "database": database, "gold": example.gold, **asked})


def result_of(question: Question, said: Said, scores: Scores) -> Result:
    """The question's line of results.jsonl."""
    judgement = scores.judgement
    broken = judgement.verdict is Verdict.GOLD_BROKEN
    reason = "" if scores.suite else (said.problem if said.sql is None and not broken else "") or judgement.reason
    return Result(
        id=question.id,
        db_id=question.db_id,
        question=question.example.question,
        gold_sql=question.example.gold,
        predicted_sql=said.sql,
        verdict=judgement.verdict.value,
        **{metric: getattr(scores, metric) for metric in METRICS},
        error=reason if scores.error else "",
        seconds=round(judgement.seconds, 6),
        hardness=question.hardness,
        reason=reason,
    )


def _shown(table: Table | None) -> dict[str, Any] | None:
    """A result as a report shows it: columns, rows with long texts cut, and whether there were more."""
    if table is None or table.error:
        return None
    rows = [[_cut(value) for value in row] for row in table.rows]
    return {"columns": list(table.columns), "rows": rows, "cut": table.cut}


def _cut(value: Any) -> Any:
    if isinstance(value, dict):  # a blob
        return {name: _cut(inner) for name, inner in value.items()}
    return value[: SHOWN_CHARACTERS - 1] + "…" if isinstance(value, str) and len(value) > SHOWN_CHARACTERS else value


def _line(scored: Scored, row: int) -> dict[str, Any]:
    scores = {field.name: getattr(scored.scores, field.name) for field in dataclasses.fields(Scores)}
    judgement = dataclasses.asdict(scored.scores.judgement)
    return {"row": row, "scores": scores | {"judgement": judgement}, "gold": scored.gold, "predicted": scored.predicted}


def _read(line: Mapping[str, Any]) -> Scored:
    content = line["scores"]["judgement"]
    judgement = Judgement(**content | {"verdict": Verdict(content["verdict"]), "rewrites": tuple(content["rewrites"])})
    return Scored(Scores(**line["scores"] | {"judgement": judgement}), line["gold"], line["predicted"])
