"""Greedy execution accuracy (EX) of the student on held-out rows, by the judge. TRL's own evaluation samples."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sql_rl.answers import parse
from sql_rl.evaluate.intervals import wilson
from sql_rl.judge.verdict import Judgement, Verdict
from sql_rl.students import Student
from sql_rl.train.data import Row
from sql_rl.train.jury import Jury


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How the student did on each row, in order. texts: its completions. seconds: generating and judging."""

    texts: tuple[str, ...]
    judgements: tuple[Judgement, ...]
    completion_tokens: int
    truncated: int
    seconds: float

    @property
    def scorable(self) -> list[bool]:
        """Right or wrong, for the rows whose gold can run."""
        return [j.verdict is Verdict.MATCH for j in self.judgements if j.verdict is not Verdict.GOLD_BROKEN]

    @property
    def ex(self) -> float:
        """The share that is right, 0 of no rows."""
        right = self.scorable
        return sum(right) / len(right) if right else 0.0

    def as_dict(self) -> dict[str, Any]:
        right = self.scorable
        counted = Counter(j.verdict.value for j in self.judgements)
        return {
            "ex": self.ex,
            "ci95": list(wilson(sum(right), len(right))),
            "rows": len(right),
            "verdicts": dict(sorted(counted.items())),
            "completion_tokens": self.completion_tokens,
            "truncated": self.truncated,
            "seconds": round(self.seconds, 3),
        }


def evaluate(student: Student, rows: Sequence[Row], jury: Jury, max_tokens: int, batch_size: int) -> Evaluation:
    """One greedy completion for each row, judged."""
    started = time.monotonic()
    written = student.generate([r.prompt for r in rows], max_tokens, temperature=0.0, batch_size=batch_size)
    judgements = jury.judge([(r.example, parse(g.text).sql) for r, g in zip(rows, written, strict=True)])
    return Evaluation(
        texts=tuple(g.text for g in written),
        judgements=tuple(judgements),
        completion_tokens=sum(g.completion_tokens for g in written),
        truncated=sum(g.finish_reason != "stop" for g in written),
        seconds=time.monotonic() - started,
    )
