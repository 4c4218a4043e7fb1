"""A teacher and a judge that remember: the journal is asked first, and told everything at once.

Without the live part behind them (None) they answer from the journal alone and raise Stopped for what it does not
hold: so the dataset is derived.
"""

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from sql_rl.distill.budget import Budget
from sql_rl.distill.journal import Journal, key_of
from sql_rl.distill.window import Stopped, Window
from sql_rl.errors import UsageError
from sql_rl.examples import Example
from sql_rl.judge import Judge, Judgement, Verdict, Vote
from sql_rl.teachers.base import Completion, Refusal, Request, Teacher

# So many requests, and twice as many as are still without an answer, may be refused by chance before the first answer.
REFUSED_BY_CHANCE = 20

COMPLETION_FIELDS = tuple(f.name for f in dataclasses.fields(Completion))
JUDGEMENT_FIELDS = tuple(f.name for f in dataclasses.fields(Judgement))


def completion_in(line: Mapping[str, Any]) -> Completion:
    """The completion in a line of the journal."""
    return Completion(**{name: line[name] for name in COMPLETION_FIELDS})


def _line(content: object, fields: tuple[str, ...], row: int) -> dict[str, Any]:
    """A flat dataclass as a line of the journal; asdict's deep copies would cost more than all else here."""
    return {"row": row, **{name: getattr(content, name) for name in fields}}


def request_key(request: Request, model: str, teacher: Teacher) -> str:
    """The key of a request in the journal."""
    sampling = request.sampling
    asked = {
        "model": model,
        "sampling": [sampling.temperature, sampling.max_tokens, sampling.seed],
        "sample": request.sample,
        **teacher.identity(request),
    }
    return key_of(asked, (text for message in request.messages for text in (message["role"], message["content"])))


class RecordedTeacher:
    """`ask` of `settle`: from the journal, else through budget and window, and then into the journal.

    A doubtful refusal is recorded once any request has had an answer, since what is recorded is never asked again: a
    run of nothing but such refusals has a wrong model or setting, and no wrong rows.
    """

    def __init__(
        self,
        journal: Journal,
        teacher: Teacher,
        model: str,
        window: Window | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._journal, self._teacher, self._model = journal, teacher, model
        self._window, self._budget = window, budget
        self._asking: dict[str, asyncio.Event] = {}
        self._doubted: dict[str, dict[str, Any]] = {}
        self._answered = False  # not that it is known to be so

    async def __call__(self, request: Request) -> Completion:
        key = request_key(request, self._model, self._teacher)
        while (answered := self._asking.get(key)) is not None:
            await answered.wait()  # the same question twice in a source is paid once
        if line := self._journal.get("completion", key):
            return completion_in(line)
        if line := self._journal.get("refusal", key):
            raise Refusal(line["message"])
        if line := self._doubted.get(key):
            raise Refusal(line["message"], doubtful=True)
        if self._window is None:
            raise Stopped
        answered = self._asking[key] = asyncio.Event()
        try:
            async with self._budget.admitted(request) if self._budget else nullcontext():
                completion = await self._window.send(request)
                if self._budget:
                    completion = self._budget.spend(request, completion)
                # Before anything is awaited again: what is paid for is on the disk whatever comes.
                self._journal.add("completion", key, _line(completion, COMPLETION_FIELDS, request.example.row))
            self._answered = True
            self.believe()
            return completion
        except Refusal as refusal:
            line = {"row": request.example.row, "message": str(refusal)}
            if not refusal.doubtful or self._has_answers():
                self._journal.add("refusal", key, line)
                raise
            self._doubted[key] = line
            if len(self._doubted) > REFUSED_BY_CHANCE + 2 * self._window.in_flight:
                raise self.doubt from refusal
            raise
        finally:
            del self._asking[key]
            answered.set()

    def _has_answers(self) -> bool:
        self._answered = self._answered or next(self._journal.all("completion"), None) is not None
        return self._answered

    def believe(self) -> None:
        """Records the refusals that were doubtful."""
        for key, line in self._doubted.items():
            self._journal.add("refusal", key, line)
        self._doubted.clear()

    @property
    def doubt(self) -> UsageError | None:
        """What ends a run that has had nothing but doubtful refusals, which are not recorded; None for any other."""
        if not self._doubted:
            return None
        *_, last = self._doubted.values()
        return nothing_but_refusals(last["message"], len(self._doubted))


def nothing_but_refusals(last: str, count: int) -> UsageError:
    """How a run ends that was refused all that it asked. last: one of the refusals."""
    return UsageError(
        f"{last}; no request was answered, and {count:,} were refused: is it the model, the key or a setting? None of "
        "it is recorded: the same command asks again"
    )


class RecordedJudge:
    """The jury of `settle`. stamp: the settings of the judge; under others everything is judged anew."""

    def __init__(self, journal: Journal, stamp: dict[str, Any], judge: Judge | None = None) -> None:
        self._journal, self._stamp, self._judge = journal, stamp, judge

    async def judge(self, example: Example, sql: str) -> Judgement:
        key = self._key(example, gold=example.gold, sql=sql)
        if line := self._journal.get("judgement", key):
            content = {name: line[name] for name in JUDGEMENT_FIELDS}
            return Judgement(**content | {"verdict": Verdict(line["verdict"]), "rewrites": tuple(line["rewrites"])})
        if self._judge is None:
            raise Stopped
        judgement = await self._judge.judge(example, sql)
        self._journal.add("judgement", key, _line(judgement, JUDGEMENT_FIELDS, example.row))
        return judgement

    async def vote(self, example: Example, queries: Sequence[str | None]) -> list[Vote]:
        key = self._key(example, gold=example.gold, queries=list(queries))
        if line := self._journal.get("vote", key):
            return [Vote(*vote) for vote in line["votes"]]
        if self._judge is None:
            raise Stopped
        votes = await self._judge.group(example, queries)
        content = {"row": example.row, "votes": [(v.group, v.empty, v.error) for v in votes]}
        self._journal.add("vote", key, content)
        return votes

    def _key(self, example: Example, **asked: Any) -> str:
        return key_of({"judge": self._stamp, **asked}, [example.context])
