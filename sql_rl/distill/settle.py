"""What becomes of one example: how often it is asked, which answer is taken, when it is done.

The policy of a run, written once. While a run is going, `ask` and `judge` look into the journal and then turn to
the teacher and the judge; when the dataset is derived they look into the journal alone. Both give the same Outcome.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sql_rl.answers import Answer, parse
from sql_rl.examples import Example
from sql_rl.judge.verdict import Judgement, Verdict
from sql_rl.prompts import Message, estimated_tokens, messages
from sql_rl.teachers.base import Completion, Refusal, Request, Sampling

# Of several answers that are not accepted, the one that came furthest is kept.
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


@dataclass(frozen=True, slots=True)
class Policy:
    """The part of the settings that decides about an example.

    attempts: answers at most. validate: judge them. check_gold: ask nothing where the example's own query is broken
    (its row would be removed whatever the answer). max_prompt_tokens: longer prompts are not asked.
    """

    sampling: Sampling
    attempts: int
    validate: bool
    check_gold: bool
    max_prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One answer of the teacher. completion: None where the request was refused, then `problem` says why."""

    completion: Completion | None
    answer: Answer
    judgement: Judgement | None
    problem: str = ""

    @property
    def verdict(self) -> Verdict | None:
        """None where nothing was judged: there is SQL, and the run does not validate."""
        if self.judgement is not None:
            return self.judgement.verdict
        return None if self.answer.sql else Verdict.NO_SQL


@dataclass(frozen=True, slots=True)
class Outcome:
    """An example with everything that was tried and the attempt that was taken, None where nothing was asked.

    verdict: the taken attempt's; reason: why it is not accepted, '' if it is.
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
Judging = Callable[[Example, str], Awaitable[Judgement]]


async def settle(example: Example, policy: Policy, ask: Ask, judge: Judging) -> Outcome:
    """Asks and judges until an answer is accepted or the attempts are used up.

    ask may raise Refusal, which is an attempt without an answer and the last one: the prompt stays what it is.
    Whatever else ask or judge raises passes through.
    """
    prompt = messages(example)
    if (tokens := estimated_tokens(prompt)) > policy.max_prompt_tokens:
        reason = f"the prompt has about {tokens} tokens, max_prompt_length is {policy.max_prompt_tokens}"
        return Outcome(example, prompt, (), None, Verdict.NO_SQL, reason)
    if policy.check_gold:
        judgement = await judge(example, example.gold)
        if judgement.verdict is Verdict.GOLD_BROKEN:
            return Outcome(example, prompt, (), None, judgement.verdict, judgement.reason)
    attempts: list[Attempt] = []
    for sample in range(policy.attempts):
        attempt = await _attempt(Request(example, prompt, policy.sampling, sample), policy.validate, ask, judge)
        attempts.append(attempt)
        # A broken gold is not the teacher's fault: no other answer would fare better.
        if attempt.verdict in (None, Verdict.MATCH, Verdict.GOLD_BROKEN) or attempt.completion is None:
            break
    taken = min(attempts, key=lambda a: -1 if a.verdict is None else _PREFERENCE.index(a.verdict))
    reason = taken.judgement.reason if taken.judgement else taken.problem
    return Outcome(example, prompt, tuple(attempts), taken, taken.verdict, reason)


async def _attempt(request: Request, validate: bool, ask: Ask, judge: Judging) -> Attempt:
    try:
        completion = await ask(request)
    except Refusal as refusal:
        answer, completion, problem = Answer(reasoning="", sql=None), None, str(refusal)
    else:
        answer = parse(completion.text, completion.reasoning)
        problem = "" if answer.sql else f"no query in the answer (finish_reason: {completion.finish_reason or 'none'})"
    if not validate:
        return Attempt(completion, answer, None, problem)
    # Without a query the gold is judged by itself: a broken one is why many a teacher had nothing to say.
    judgement = await judge(request.example, answer.sql or request.example.gold)
    if answer.sql is None and judgement.verdict is not Verdict.GOLD_BROKEN:
        judgement = None
    return Attempt(completion, answer, judgement, problem)
