"""What becomes of one example: what is asked, which answer is taken, when it is done.

The policy of a run, written once. While a run is going, `ask` and `judge` look into the journal and then turn to
the teacher and the judge; when the dataset is derived they look into the journal alone. Both give the same Outcome.

    drafts   fresh answers to the blind prompt; the first good one is taken, or the one that most agree with
    retries  while no answer is good: a cut-off one with more room (once), the last with the gold as a hint, all
             others as repairs that tell the teacher what went wrong
"""

import dataclasses
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from sql_rl.answers import Answer, parse
from sql_rl.examples import Example
from sql_rl.judge.outcomes import Vote
from sql_rl.judge.verdict import Judgement, Verdict
from sql_rl.prompts import Message, Prompts, estimated_tokens
from sql_rl.teachers.base import Completion, Refusal, Request, Sampling

# Of several answers that are no good, the one that came furthest is taken.
_PREFERENCE = (
    Verdict.MATCH,
    Verdict.LUCKY,
    Verdict.MISMATCH,
    Verdict.TOO_BIG,
    Verdict.TIMEOUT,
    Verdict.ERROR,
    Verdict.UNSAFE,
    Verdict.GOLD_BROKEN,
    Verdict.NO_SQL,
)
_EMPTY_VOTE = 0.5  # an empty result is what most mistakes have in common
ENDED_EARLY = frozenset({"length", "content_filter", "error"})  # the last is OpenRouter's
_PROBLEMS = {
    Verdict.ERROR: "The database refuses the query: {}.",
    Verdict.MISMATCH: "The query runs, but its result is not what the question asks for: {}.",
    Verdict.LUCKY: "The query is right on the given rows only; with other rows in the tables it is wrong: {}.",
    Verdict.UNSAFE: "The query does what it must not: {}.",
    Verdict.NO_SQL: "There is no SQL statement in your answer.",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """The part of the settings that decides about an example.

    drafts, select, retries: see above. validate: answers are judged. show_gold: when the teacher may see the gold.
    check_gold: ask nothing where the example's own query is broken (its row would be removed whatever the answer).
    max_prompt_tokens: longer prompts are not sent. context_tokens: prompt and answer have to fit into it together.
    """

    prompts: Prompts
    sampling: Sampling
    drafts: int = 1
    select: Literal["first", "vote"] = "first"
    retries: int = 0
    validate: bool = False
    show_gold: Literal["never", "on-failure", "always"] = "never"
    check_gold: bool = False
    max_prompt_tokens: int = 2**31
    context_tokens: int = 2**31


@dataclass(frozen=True, slots=True)
class Attempt:
    """One answer of the teacher. completion: None where the request was refused, then `problem` says why.

    judgement: None where it was not judged. hint: the teacher saw the gold.
    """

    completion: Completion | None
    answer: Answer
    judgement: Judgement | None = None
    problem: str = ""
    hint: bool = False

    @property
    def verdict(self) -> Verdict | None:
        """None where nothing was judged: there is SQL, and the run does not validate."""
        if self.judgement is not None:
            return self.judgement.verdict
        return None if self.answer.sql else Verdict.NO_SQL

    @property
    def good(self) -> bool:
        """Proven by the judge, or, where nothing is judged, an answer with a query."""
        return self.verdict in (None, Verdict.MATCH)

    @property
    def final(self) -> bool:
        """Asking again is of no use: it is good, the gold is broken, or the provider refuses the prompt."""
        return self.good or self.verdict is Verdict.GOLD_BROKEN or self.completion is None

    @property
    def cut_off(self) -> bool:
        return self.completion is not None and self.completion.finish_reason == "length"


@dataclass(frozen=True, slots=True)
class Outcome:
    """An example with everything that was tried and the attempt that was taken, None where nothing was asked.

    prompt: the blind one. verdict: the taken attempt's; reason: why it is not accepted, '' if it is.
    """

    example: Example
    prompt: list[Message]
    attempts: tuple[Attempt, ...]
    taken: Attempt | None
    verdict: Verdict | None
    reason: str

    @property
    def accepted(self) -> bool:
        """Proven by the judge, or, where the run does not validate, answered with a query."""
        return self.verdict in (None, Verdict.MATCH)


Ask = Callable[[Request], Awaitable[Completion]]


class Jury(Protocol):
    """The judge as `settle` needs it."""

    async def judge(self, example: Example, sql: str) -> Judgement: ...

    async def vote(self, example: Example, queries: Sequence[str | None]) -> list[Vote]: ...


async def settle(example: Example, policy: Policy, ask: Ask, jury: Jury) -> Outcome:
    """Asks and judges until an answer is good or the attempts are used up.

    ask may raise Refusal, which is an attempt without an answer. Whatever else ask or jury raise passes through.
    """
    prompt = policy.prompts.draft(example)
    if (tokens := estimated_tokens(prompt)) > policy.max_prompt_tokens:
        reason = f"the prompt has about {tokens} tokens, max_prompt_length is {policy.max_prompt_tokens}"
        return Outcome(example, prompt, (), None, Verdict.NO_SQL, reason)
    if policy.check_gold:
        judgement = await jury.judge(example, example.gold)
        if judgement.verdict is Verdict.GOLD_BROKEN:
            return Outcome(example, prompt, (), None, judgement.verdict, judgement.reason)
    case = _Case(example, policy, ask, jury, prompt)
    candidates = await case.drafts()
    await case.retry(candidates)
    taken = min(candidates, key=lambda a: -1 if a.verdict is None else _PREFERENCE.index(a.verdict))
    reason = taken.judgement.reason if taken.judgement else taken.problem
    return Outcome(example, prompt, tuple(case.attempts), taken, taken.verdict, reason)


class _Case:
    """One example being settled; attempts: every answer so far, in the order they were asked for."""

    def __init__(self, example: Example, policy: Policy, ask: Ask, jury: Jury, prompt: list[Message]) -> None:
        self.example, self.policy, self.ask, self.jury = example, policy, ask, jury
        self.attempts: list[Attempt] = []
        self.shown = policy.show_gold == "always"
        self.opening = policy.prompts.hinted(example) if self.shown else prompt
        self.most_room = policy.context_tokens - estimated_tokens(prompt)
        self.room = min(policy.sampling.max_tokens, self.most_room)  # tokens for an answer

    async def drafts(self) -> list[Attempt]:
        """Fresh answers, up to the first that is final; of a vote the one that was elected."""
        if self.policy.select == "vote" and self.policy.drafts > 1:
            return [await self._elected()]
        judged: list[Attempt] = []
        while len(judged) < self.policy.drafts and not (judged and judged[-1].final):
            judged.append(await self._judged(await self._asked(self.opening, self.shown)))
        return judged

    async def _elected(self) -> Attempt:
        """The answer whose result most answers agree on; asks no further once that is decided, or it is refused."""
        drafts, votes = self.policy.drafts, []
        for asked in range(1, drafts + 1):
            refused = (await self._asked(self.opening, self.shown)).completion is None
            if refused and asked == 1:
                break
            if refused or 2 * asked > drafts:  # until then it cannot be decided
                votes = await self.jury.vote(self.example, [a.answer.sql for a in self.attempts])
                if refused or decided(votes, drafts - asked):
                    break
        return await self._judged(self.attempts[elected(votes)])

    async def retry(self, candidates: list[Attempt]) -> None:
        """Appends to the candidates until one is final or the retries are used up."""
        given_more_room = False
        for left in range(self.policy.retries, 0, -1):
            last = candidates[-1]
            if last.final:
                return
            if last.cut_off and not given_more_room and self.room < self.most_room:
                given_more_room, self.room = True, min(2 * self.room, self.most_room)
                asked = await self._asked(self.opening, self.shown)
            elif left == 1 and self.policy.show_gold == "on-failure":
                asked = await self._asked(self.policy.prompts.hinted(self.example), True)
            else:
                asked = await self._asked(self._repair(last), self.shown)
            candidates.append(await self._judged(asked))

    def _repair(self, last: Attempt) -> list[Message]:
        """What went wrong, said to the teacher; the opening again where there is nothing to repair."""
        text = last.completion.text.strip() if last.completion else ""
        reason = last.judgement.reason if last.judgement else last.problem
        problem = _PROBLEMS.get(last.verdict, "The query was stopped: {}.").format(reason.rstrip("."))
        messages = self.policy.prompts.repair(self.opening, text, problem)
        tokens = estimated_tokens(messages)
        leaves_room = tokens + self.policy.sampling.max_tokens <= self.policy.context_tokens
        return messages if text and leaves_room and tokens <= self.policy.max_prompt_tokens else self.opening

    async def _asked(self, messages: list[Message], hint: bool) -> Attempt:
        sampling, sample = self.policy.sampling, len(self.attempts)
        seed = None if sampling.seed is None else sampling.seed + sample
        room = min(self.room, max(1, self.policy.context_tokens - estimated_tokens(messages)))
        sampling = dataclasses.replace(sampling, max_tokens=room, seed=seed)
        try:
            completion = await self.ask(Request(self.example, messages, sampling, sample))
        except Refusal as refusal:
            attempt = Attempt(None, Answer(reasoning="", sql=None), problem=str(refusal), hint=hint)
        else:
            answer = parse(completion.text, completion.reasoning)
            missing = f"no query in the answer (finish_reason: {completion.finish_reason or 'none'})"
            if not self.policy.validate and breaks_off(completion, answer):
                answer = Answer(answer.reasoning, sql=None)
                missing = f"the query breaks off (finish_reason: {completion.finish_reason})"
            attempt = Attempt(completion, answer, problem="" if answer.sql else missing, hint=hint)
        self.attempts.append(attempt)
        return attempt

    async def _judged(self, attempt: Attempt) -> Attempt:
        """The attempt with its judgement, where the run validates; it takes the place of the one without."""
        if not self.policy.validate:
            return attempt
        # Without a query the gold is judged by itself: a broken one is why many a teacher had nothing to say.
        judgement = await self.jury.judge(self.example, attempt.answer.sql or self.example.gold)
        if attempt.answer.sql is None and judgement.verdict is not Verdict.GOLD_BROKEN:
            return attempt
        judged = dataclasses.replace(attempt, judgement=judgement)
        self.attempts[self.attempts.index(attempt)] = judged
        return judged


def breaks_off(completion: Completion, answer: Answer) -> bool:
    """Was the completion cut off in its query? Then nothing follows that, no tag, no fence and no semicolon.

    The judge finds that out by itself; where there is none, half a query would pass for a whole one.
    """
    ended_early = completion.finish_reason in ENDED_EARLY and answer.sql is not None
    return ended_early and completion.text.rstrip().endswith(answer.sql)


def weights(votes: Sequence[Vote]) -> Counter[int]:
    """Group -> weight of its votes, the groups in the order of their first vote; queries without a result have none."""
    total: Counter[int] = Counter()
    for vote in votes:
        if vote.group is not None:
            total[vote.group] += _EMPTY_VOTE if vote.empty else 1.0
    return total


def decided(votes: Sequence[Vote], outstanding: int) -> bool:
    """Can no group overtake the leading one, even with all outstanding votes?"""
    first, second, *_ = [*sorted(weights(votes).values(), reverse=True), 0.0, 0.0]
    return first > second + outstanding


def elected(votes: Sequence[Vote]) -> int:
    """The position of the first vote of the heaviest group (of equals, the earliest); 0 where no query has a result."""
    total = weights(votes)
    if not total:
        return 0
    winner = max(total, key=total.__getitem__)
    return next(n for n, vote in enumerate(votes) if vote.group == winner)
