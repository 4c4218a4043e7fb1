"""Scoring: the reward functions that TRL calls, over one judging of each completion that all parts share.

TRL awaits them together on a thread of its own; the queries run in the judge's processes (`jury.py`).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sql_rl.answers import parse
from sql_rl.judge.verdict import Verdict
from sql_rl.train.data import Row
from sql_rl.train.jury import Jury
from sql_rl.train.rewards import Part, Scored

RewardFunction = Callable[..., Awaitable[list[float | None]]]
REWARD_SECONDS = "seconds/rewards"  # as a metric: from the first reward function called to the last judgement
# To tell a pass from a failure, for the sampler: only a match is one.
PASSED = Verdict.MATCH


@dataclass(frozen=True, slots=True)
class Rollout:
    """One completion of a GRPO step, as it is kept. row: position among the rows that are trained on."""

    row: int
    text: str
    scored: Scored
    rewards: Mapping[str, float | None]


class Scoring:
    """The reward functions of one run. latest: the rollouts of the last generation, in TRL's order."""

    def __init__(
        self, rows: Sequence[Row], jury: Jury, parts: Mapping[str, tuple[Part, float]], max_length: int
    ) -> None:
        self._rows, self._jury, self._parts, self._max_length = rows, jury, parts, max_length
        self._under_way: tuple[Any, asyncio.Future[list[Scored]]] | None = None
        self.latest: list[Rollout] = []

    @property
    def weights(self) -> list[float]:
        return [weight for _, weight in self._parts.values()]

    def totals(self, rollouts: Sequence[Rollout]) -> list[float | None]:
        """The whole reward of each, None where no part could be scored."""
        found = []
        for rollout in rollouts:
            scored = [w * r for w, r in zip(self.weights, rollout.rewards.values(), strict=True) if r is not None]
            found.append(sum(scored) if scored else None)
        return found

    def row(self, position: int) -> Row:
        """The row that a rollout names."""
        return self._rows[position]

    def functions(self) -> list[RewardFunction]:
        """One for each part, named as it is."""
        return [self._function(name, part) for name, (part, _) in self._parts.items()]

    def _function(self, name: str, part: Part) -> RewardFunction:
        async def reward(
            *,
            completions: list[str],
            completion_ids: list[list[int]],
            row: list[int],
            log_metric: Callable[[str, float], None],
            **_: Any,
        ) -> list[float | None]:
            return [part(s) for s in await self._scored(completions, completion_ids, row, log_metric)]

        reward.__name__ = name
        return reward

    async def _scored(
        self,
        completions: list[str],
        completion_ids: list[list[int]],
        rows: list[int],
        log_metric: Callable[[str, float], None],
    ) -> list[Scored]:
        if self._under_way is None or self._under_way[0] is not completions:
            work = asyncio.ensure_future(self._judged(completions, completion_ids, rows, log_metric))
            self._under_way = (completions, work)
        return await self._under_way[1]

    async def _judged(
        self,
        completions: list[str],
        completion_ids: list[list[int]],
        rows: list[int],
        log_metric: Callable[[str, float], None],
    ) -> list[Scored]:
        started = time.monotonic()
        answers = [parse(text) for text in completions]
        cases = [(self._rows[row].example, answer.sql) for row, answer in zip(rows, answers, strict=True)]
        judgements = await asyncio.wrap_future(self._jury.submit(cases))
        scored = [
            Scored(answer, judgement, len(ids) / self._max_length)
            for answer, judgement, ids in zip(answers, judgements, completion_ids, strict=True)
        ]
        self.latest = [
            Rollout(row, text, s, {name: part(s) for name, (part, _) in self._parts.items()})
            for row, text, s in zip(rows, completions, scored, strict=True)
        ]
        log_metric(REWARD_SECONDS, time.monotonic() - started)
        counted = Counter(s.judgement.verdict for s in scored)
        for verdict in Verdict:
            log_metric(f"verdicts/{verdict.value}", counted[verdict] / len(scored))
        return scored
