"""Rewards: small pure maps from the judge's verdict, each with a weight. None: the completion cannot be scored.

    execution   what the query is worth (`Prices`)
    format      1 for <think> and <sql> as they were asked for, else 0
    length      for a right answer, the share of the longest completion that it takes, negative; else 0

A broken gold is never the student's fault: every part is then None, and TRL leaves the completion out of its group.
Partial credit is kept small: a query that merely runs is easily learned (Arctic-Text2SQL-R1 gives 0.1).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sql_rl.answers import Answer
from sql_rl.judge.verdict import Judgement, Verdict
from sql_rl.settings import TrainSettings


@dataclass(frozen=True, slots=True)
class Scored:
    """One completion with what the judge says of it. length: its tokens as a share of the longest allowed."""

    answer: Answer
    judgement: Judgement
    length: float


Part = Callable[[Scored], float | None]


def parts(settings: TrainSettings) -> dict[str, tuple[Part, float]]:
    """The parts of the reward that count: name -> (map, weight)."""
    found = {"execution": (execution(settings), 1.0)}
    if settings.format_weight:
        found["format"] = (form, settings.format_weight)
    if settings.length_weight:
        found["length"] = (length, settings.length_weight)
    return found


def prices(settings: TrainSettings) -> Mapping[Verdict, float | None]:
    """What each verdict is worth."""
    failed = dict.fromkeys(Verdict, settings.reward_failed)
    return failed | {
        Verdict.MATCH: settings.reward_match,
        Verdict.LUCKY: settings.reward_lucky,
        Verdict.MISMATCH: settings.reward_mismatch,
        Verdict.GOLD_BROKEN: None,
    }


def execution(settings: TrainSettings) -> Part:
    table = prices(settings)
    return lambda scored: table[scored.judgement.verdict]


def form(scored: Scored) -> float | None:
    return None if scored.judgement.verdict is Verdict.GOLD_BROKEN else float(scored.answer.tagged)


def length(scored: Scored) -> float | None:
    if scored.judgement.verdict is Verdict.GOLD_BROKEN:
        return None
    return -scored.length if scored.judgement.verdict is Verdict.MATCH else 0.0
