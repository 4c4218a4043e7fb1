"""A student on this machine as a Teacher: requests that come one by one are answered by the batch.

While one batch is generated, in a thread, further requests gather; the next batch starts at once with what is there,
so that the machine never waits for a batch to fill up.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from sql_rl.errors import SqlRlError
from sql_rl.prompts import Message
from sql_rl.students.student import Generation
from sql_rl.teachers.base import Completion, Refusal, Request


class Generates(Protocol):
    """A loaded model, as `students.inference.LocalModel` and every Student are one."""

    def generate(
        self,
        prompts: Sequence[Sequence[Message]],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | Sequence[int] = 0,
        batch_size: int = 32,
    ) -> list[Generation]: ...


@dataclass(eq=False, slots=True)
class _Asked:
    request: Request
    answer: "asyncio.Future[Completion]"


class LocalTeacher:
    """The model `name`, which `load` loads when the teacher is opened, in a thread.

    batch_size: prompts at once. A request's seed is its own draw's: the same one gives the same completion in any
    batch, up to float noise; without a seed it is the number of the sample.
    """

    repeats = False

    def __init__(self, name: str, load: Callable[[], Generates], batch_size: int) -> None:
        self._name, self._load, self._batch_size = name, load, batch_size
        self._waiting: deque[_Asked] = deque()
        self._work: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._model = await asyncio.to_thread(self._load)
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Waits for the batch under way: a thread cannot be stopped."""
        for asked in self._waiting:
            asked.answer.cancel()
        self._waiting.clear()
        if self._work is not None:
            await asyncio.gather(self._work, return_exceptions=True)

    def identity(self, request: Request) -> dict[str, object]:
        return {"provider": "local"}

    async def ask(self, request: Request) -> Completion:
        asked = _Asked(request, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._generate_all())
        return await asked.answer

    async def _generate_all(self) -> None:
        """Batch after batch, until nobody waits."""
        await asyncio.sleep(0)  # those who ask in the same moment come along
        while batch := self._next_batch():
            try:
                generations = await asyncio.to_thread(self._generate, [asked.request for asked in batch])
            except Exception as failure:  # noqa: BLE001 - whatever it is, it belongs to those who asked
                _deliver(batch, [_failure(failure, self._name, len(batch))] * len(batch))
            else:
                _deliver(batch, [_completion(generation, self._name) for generation in generations])

    def _next_batch(self) -> list[_Asked]:
        """Those who have waited longest, of one temperature and one length; who gave up waiting is left out."""
        waiting = [asked for asked in self._waiting if not asked.answer.done()]
        batch = [asked for asked in waiting if _kind(asked.request) == _kind(waiting[0].request)][: self._batch_size]
        taken = set(map(id, batch))
        self._waiting = deque(asked for asked in waiting if id(asked) not in taken)
        return batch

    def _generate(self, requests: list[Request]) -> list[Generation]:
        temperature, max_tokens = _kind(requests[0])
        return self._model.generate(
            [request.messages for request in requests],
            max_tokens=max_tokens,
            temperature=temperature,
            seed=[r.sample if r.sampling.seed is None else r.sampling.seed for r in requests],
            batch_size=self._batch_size,
        )


def _kind(request: Request) -> tuple[float, int]:
    """What all requests of a batch have in common: temperature (None, the model's own wish, is greedy) and length."""
    return request.sampling.temperature or 0.0, request.sampling.max_tokens


def _completion(generation: Generation, name: str) -> Completion | Refusal:
    if generation.finish_reason == "context":
        return Refusal(f"the prompt has {generation.prompt_tokens} tokens, and the model's context takes no more")
    return Completion(
        text=generation.text,
        reasoning=None,
        finish_reason=generation.finish_reason,
        model=name,
        prompt_tokens=generation.prompt_tokens,
        completion_tokens=generation.completion_tokens,
    )


def _failure(failure: Exception, name: str, size: int) -> Exception:
    """What a person can act on; any other failure is a bug, and raised as it is."""
    if type(failure).__name__ == "OutOfMemoryError":
        return SqlRlError(f"{name}: out of memory with {size} prompts at once: lower --batch-size")
    return failure


def _deliver(batch: list[_Asked], answers: Sequence[Completion | Exception]) -> None:
    for asked, answer in zip(batch, answers, strict=True):
        if asked.answer.done():
            continue
        if isinstance(answer, Exception):
            asked.answer.set_exception(answer)
        else:
            asked.answer.set_result(answer)
