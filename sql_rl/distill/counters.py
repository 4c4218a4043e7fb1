"""Counters: what a run has done, counted from its outcomes. Pure.

run.json, the dataset card, the progress display and the closing summary all show this one count.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from sql_rl.distill.settle import Outcome
from sql_rl.judge.verdict import Verdict
from sql_rl.teachers.base import Completion
from sql_rl.teachers.prices import Price
from sql_rl.terminal.progress import share

NOT_JUDGED = "not_judged"
_RAN = {Verdict.MATCH, Verdict.LUCKY, Verdict.MISMATCH}


@dataclass(slots=True)
class Counters:
    """rows = accepted + rejected, always. cost_usd: None where no price is known. A display's Tally.

    requests counts finished ones, answered or refused; verdicts counts every row, rejected_by_verdict the rejected.
    The funnel's stages hold the rows that came at least so far.
    """

    price: Price | None
    rows: int = 0
    accepted: int = 0
    kept: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = None
    verdicts: Counter[str] = field(default_factory=Counter)
    rejected_by_verdict: Counter[str] = field(default_factory=Counter)
    funnel: Counter[str] = field(default_factory=Counter)

    @property
    def rejected(self) -> int:
        return self.rows - self.accepted

    @property
    def done(self) -> int:
        return self.rows

    def status(self, seconds: float) -> str:
        """Accepted share, rows/s, cost and tokens, `seconds` after the start: a narrow terminal cuts the end."""
        parts = [f"{share(self.accepted, self.rows)} accepted", f"{self.rows / max(seconds, 1e-9):.1f} rows/s"]
        if self.cost_usd:
            parts.append(f"${self.cost_usd:.4f}")
        if tokens := self.prompt_tokens + self.completion_tokens:
            parts.append(f"{tokens:,} tokens")
        return ", ".join(parts)

    def add(self, outcome: Outcome, kept: bool) -> None:
        """Counts a settled row in."""
        self.rows += 1
        self.accepted += outcome.accepted
        self.kept += kept
        self.requests += len(outcome.attempts)
        for attempt in outcome.attempts:
            if reply := attempt.completion:
                self._pay(reply)
        if self.price is not None and self.cost_usd is None:
            self.cost_usd = 0.0
        verdict = outcome.verdict.value if outcome.verdict else NOT_JUDGED
        self.verdicts[verdict] += 1
        if not outcome.accepted:
            self.rejected_by_verdict[verdict] += 1
        for stage in stages(outcome):
            self.funnel[stage] += 1

    def _pay(self, reply: Completion) -> None:
        self.prompt_tokens += reply.prompt_tokens
        self.cached_tokens += reply.cached_tokens
        self.completion_tokens += reply.completion_tokens
        self.reasoning_tokens += reply.reasoning_tokens
        if self.price is not None:
            self.cost_usd = (self.cost_usd or 0.0) + self.price.of(reply)

    def beyond(self, answers: Iterable[Completion], refused: int) -> "Counters":
        """What was asked for other rows than these. answers, refused: all that there were in the run."""
        other = Counters(self.price, requests=refused)
        for answer in answers:
            other.requests += 1
            other._pay(answer)
        other.requests -= self.requests
        other.prompt_tokens -= self.prompt_tokens
        other.cached_tokens -= self.cached_tokens
        other.completion_tokens -= self.completion_tokens
        other.reasoning_tokens -= self.reasoning_tokens
        if other.cost_usd is not None:
            other.cost_usd -= self.cost_usd or 0.0
        return other

    def include(self, others: "Counters") -> None:
        """Counts in what others have counted."""
        for f in fields(self):
            mine, theirs = getattr(self, f.name), getattr(others, f.name)
            if f.name != "price" and theirs is not None:
                setattr(self, f.name, theirs if mine is None else mine + theirs)

    def as_dict(self) -> dict[str, Any]:
        """The counters as run.json holds them."""
        return {
            "rows": self.rows,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "rejected_by_verdict": dict(sorted(self.rejected_by_verdict.items())),
            "kept": self.kept,
            "verdicts": dict(sorted(self.verdicts.items())),
            "funnel": {stage: self.funnel[stage] for stage in STAGES},
            "requests": self.requests,
            "prompt_tokens": self.prompt_tokens,
            "cached_tokens": self.cached_tokens,
            "completion_tokens": self.completion_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "cost_usd": None if self.cost_usd is None else round(self.cost_usd, 6),
        }


STAGES = ("asked", "answered", "parsed", "ran", "matched")


def stages(outcome: Outcome) -> tuple[str, ...]:
    """The stages of the funnel that a row passed; `ran` and `matched` only where it was judged."""
    taken = outcome.taken
    passed = (
        bool(outcome.attempts),
        taken is not None and taken.completion is not None,
        taken is not None and taken.answer.sql is not None,
        outcome.verdict in _RAN,
        outcome.verdict is Verdict.MATCH,
    )
    return tuple(stage for stage, is_passed in zip(STAGES, passed, strict=True) if is_passed)


def cost_of(outcome: Outcome, price: Price | None) -> float | None:
    """Dollars for all answers to a row; None where no price is known."""
    if price is None:
        return None
    return sum(price.of(a.completion) for a in outcome.attempts if a.completion is not None)
