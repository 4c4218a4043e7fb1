"""Metrics: from what became of each question to accuracies with their intervals. Pure.

Questions whose gold cannot run tell nothing of a model: they are left out of every total and counted apart.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sql_rl.evaluate.intervals import wilson
from sql_rl.judge.verdict import Verdict

# The published rules, then ours; `judge/outcomes.Scores` says what each is.
METRICS = ("spider", "spider_keep_distinct", "bird", "strict", "spider_suite", "suite")
# From easy to hard: Spider's levels, then BIRD's.
_ORDER = ("easy", "medium", "hard", "extra", "simple", "moderate", "challenging")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one question; the fields of a line of results.jsonl, in their order.

    suite: is the answer right? The other metrics say what published rules make of it. error: why the prediction has
    no result, '' if it has one; reason: why it is not right, '' if it is. seconds: of judging.
    """

    id: str
    db_id: str
    question: str
    gold_sql: str
    predicted_sql: str | None
    verdict: str
    spider: bool
    spider_keep_distinct: bool
    bird: bool
    strict: bool
    spider_suite: bool
    suite: bool
    error: str
    seconds: float
    hardness: str
    reason: str

    @property
    def gold_broken(self) -> bool:
        return self.verdict == Verdict.GOLD_BROKEN


def measured(results: Iterable[Result]) -> dict[str, Any]:
    """The content of metrics.json, less what is not counted from results.

    Each metric: {"accuracy", "correct", "total", "ci95": [low, high]}, accuracy None where total is 0; the same by
    hardness and by database; verdicts: how many questions have each; gold_broken: those that no total counts.
    """
    results = list(results)
    return {
        **accuracies(results),
        "verdicts": dict(sorted(Counter(result.verdict for result in results).items())),
        "gold_broken": sum(result.gold_broken for result in results),
        "by_hardness": _by(results, lambda result: result.hardness),
        "by_database": _by(results, lambda result: result.db_id),
    }


def accuracies(results: Iterable[Result]) -> dict[str, dict[str, Any]]:
    """Each metric over the results whose gold runs."""
    counted = [result for result in results if not result.gold_broken]
    return {metric: proportion(sum(getattr(r, metric) for r in counted), len(counted)) for metric in METRICS}


def proportion(correct: int, total: int) -> dict[str, Any]:
    """A share with its 95 % interval (Wilson)."""
    low, high = wilson(correct, total)
    return {
        "accuracy": correct / total if total else None,
        "correct": correct,
        "total": total,
        "ci95": [round(low, 6), round(high, 6)],
    }


def _by(results: Sequence[Result], name_of: Callable[[Result], str]) -> dict[str, dict[str, Any]]:
    """The accuracies of each group, known levels from easy to hard, other names in order; {} where none has a name."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        groups[name_of(result)].append(result)
    if set(groups) <= {""}:
        return {}
    place = {name: n for n, name in enumerate(_ORDER)}
    return {name: accuracies(groups[name]) for name in sorted(groups, key=lambda n: (place.get(n, len(place)), n))}
