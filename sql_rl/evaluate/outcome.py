"""Outcomes: what became of each question, and what metrics.json, samples.jsonl and failures.jsonl say of all. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sql_rl.distill.settle import elected
from sql_rl.evaluate.answering import Said
from sql_rl.evaluate.benchmark import Question
from sql_rl.evaluate.metrics import METRICS, Result, measured, proportion
from sql_rl.evaluate.passk import mean_pass_at_k
from sql_rl.evaluate.scoring import Scored, result_of
from sql_rl.judge import Vote


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question answered and scored. said, scored: the measured answer first, then the drawn ones; votes: theirs."""

    question: Question
    said: Sequence[Said]
    scored: Sequence[Scored]
    votes: Sequence[Vote] = ()

    @property
    def result(self) -> Result:
        return result_of(self.question, self.said[0], self.scored[0].scores)

    @property
    def elected(self) -> Scored:
        """The drawn answer that most of them agree with, by the results of their queries."""
        return self.scored[1 + elected(self.votes)]

    @property
    def gold_broken(self) -> bool:
        return self.result.gold_broken


def metrics_of(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """metrics.json, less the settings."""
    found = measured(outcome.result for outcome in outcomes)
    counted = [outcome for outcome in outcomes if not outcome.gold_broken]
    drawn = len(outcomes[0].scored) - 1
    if not drawn:
        return found
    voted = {m: proportion(sum(getattr(o.elected.scores, m) for o in counted), len(counted)) for m in METRICS}
    right = {m: [sum(getattr(s.scores, m) for s in o.scored[1:]) for o in counted] for m in METRICS}
    return found | {
        "samples": drawn,
        "pass_at_k": {metric: mean_pass_at_k(counts, drawn) for metric, counts in right.items()},
        "vote": voted,
    }


def samples_of(outcome: Outcome) -> dict[str, Any]:
    """A line of samples.jsonl: the drawn answers to a question, and which of them the vote elects."""
    return {
        "id": outcome.question.id,
        "elected": elected(outcome.votes),
        "samples": [
            {
                "sql": said.sql,
                "verdict": scored.scores.judgement.verdict.value,
                **{metric: getattr(scored.scores, metric) for metric in METRICS},
                "group": vote.group,
            }
            for said, scored, vote in zip(outcome.said[1:], outcome.scored[1:], outcome.votes, strict=True)
        ],
    }


def failure_of(outcome: Outcome) -> dict[str, Any]:
    """A line of failures.jsonl: what a person needs to see why an answer is not right. gold_result and
    predicted_result: the first rows on the given database, null where there is no result."""
    result, scored = outcome.result, outcome.scored[0]
    judgement, completion = scored.scores.judgement, outcome.said[0].completion
    return {
        "id": result.id,
        "db_id": result.db_id,
        "hardness": result.hardness,
        "verdict": result.verdict,
        "reason": result.reason,
        "database": judgement.database,
        "question": result.question,
        "evidence": outcome.question.example.evidence,
        "gold_sql": result.gold_sql,
        "predicted_sql": result.predicted_sql,
        "gold_result": scored.gold,
        "predicted_result": scored.predicted,
        "completion": completion.text if completion else None,
        "reasoning": completion.reasoning if completion else None,
    }


def usage_of(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Tokens of all answers, as the provider counts them, and how many ended for want of room."""
    completions = [said.completion for outcome in outcomes for said in outcome.said if said.completion]
    return {
        "requests": len(completions),
        "prompt_tokens": sum(c.prompt_tokens for c in completions),
        "completion_tokens": sum(c.completion_tokens for c in completions),
        "cut_off": sum(c.finish_reason == "length" for c in completions),
    }
