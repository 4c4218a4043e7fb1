"""Answering: where a run's queries come from: a file of predictions, or a model that is asked.

A model is asked through the engine of `distill`: its teachers, its window with all limits, its journal.
"""

import asyncio
import dataclasses
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sql_rl.answers import parse
from sql_rl.configure import Secrets
from sql_rl.evaluate.benchmark import Question
from sql_rl.prompts import CHARACTERS_PER_TOKEN, Message, Prompts, estimated_tokens
from sql_rl.settings import Settings
from sql_rl.teachers.base import Completion, Refusal, Request, Sampling, Teacher

if TYPE_CHECKING:
    from sql_rl.teachers.local import Generates

LOCAL_TIMEOUT = 86_400.0  # seconds; a batch of long answers on a CPU takes hours


@dataclass(frozen=True, slots=True)
class Said:
    """One answer. sql: None where there is none, then `problem` may say why. completion: a model's, as it came."""

    sql: str | None
    problem: str = ""
    completion: Completion | None = None


class Answering(Protocol):
    """Whoever answers the questions of a run."""

    async def answers(self, question: Question) -> list[Said]:
        """The answer that is measured, then those drawn for pass@k. Raises what `Window.send` does."""
        ...


@dataclass(frozen=True, slots=True)
class FromFile:
    """Predictions, one to each question, by its row."""

    predictions: Sequence[str | None]

    async def answers(self, question: Question) -> list[Said]:
        sql = self.predictions[question.example.row]
        return [Said(sql, "" if sql else "the file has no query for it")]


@dataclass(frozen=True, slots=True)
class FromModel:
    """A model, asked once at `temperature` and `samples` times at `sample_temperature`.

    seeded: its teacher draws from the seed that it is given, so that the drawn answers differ and can be repeated.
    shown: what prompts show of a database, the fullest first, as far as it was needed.
    """

    prompts: Prompts
    ask: Callable[[Request], Awaitable[Completion]]
    settings: Settings
    seeded: bool
    shown: dict[Path, list[str]] = field(default_factory=dict)

    async def answers(self, question: Question) -> list[Said]:
        options, most = self.settings.evaluate, self.settings.max_prompt_length
        messages = self.prompt(question)
        tokens = estimated_tokens(messages)
        if tokens > most:
            problem = f"the prompt has about {tokens} tokens, max_prompt_length is {most}"
            return [Said(None, problem)] * (1 + options.samples)
        room = min(self.settings.max_tokens, self.settings.max_seq_length - tokens)
        samplings = [Sampling(options.temperature, room, 0 if self.seeded else None)]
        samplings += [
            Sampling(options.sample_temperature, room, n if self.seeded else None)
            for n in range(1, options.samples + 1)
        ]
        requests = [Request(question.example, messages, sampling, n) for n, sampling in enumerate(samplings)]
        said = await asyncio.gather(*map(self._said, requests), return_exceptions=True)
        for failure in said:
            if isinstance(failure, BaseException):
                raise failure
        return said

    async def _said(self, request: Request) -> Said:
        try:
            completion = await self.ask(request)
        except Refusal as refusal:
            return Said(None, str(refusal))
        sql = parse(completion.text, completion.reasoning).sql
        missing = f"no query in the answer (finish_reason: {completion.finish_reason or 'none'})"
        return Said(sql, "" if sql else missing, completion)

    def prompt(self, question: Question) -> list[Message]:
        """The blind prompt, with as much of the database as fits into it; its bare schema where nothing does."""
        example = question.example
        if example.database is None:
            return self.prompts.draft(example)
        for text in self._shown(example.database):
            messages = self.prompts.draft(dataclasses.replace(example, context=text))
            if estimated_tokens(messages) <= self.settings.max_prompt_length:
                break
        return messages

    def _shown(self, database: Path) -> list[str]:
        from sql_rl.evaluate.context import renderings

        if database not in self.shown:
            self.shown[database] = renderings(database, CHARACTERS_PER_TOKEN * self.settings.max_prompt_length)
        return self.shown[database]


def engine_settings(settings: Settings) -> Settings:
    """The settings as the engine reads them, in the section `distill`: who is asked, and how quickly.

    Of a local model two batches are on their way, one being generated and one waiting; its silence means nothing.
    """
    asked = settings.evaluate
    local = asked.provider == "local"
    return dataclasses.replace(
        settings,
        request_timeout=LOCAL_TIMEOUT if local else settings.request_timeout,
        distill=dataclasses.replace(
            settings.distill,
            model=asked.model,
            provider=asked.provider,
            batch_size=2 * asked.batch_size if local else asked.batch_size,
            rpm=asked.rpm,
            tpm=asked.tpm,
            service_tier=asked.service_tier,
            reasoning_style=asked.reasoning_style,
            templates=asked.templates,
            max_cost=asked.max_cost,
        ),
    )


def open_answering_teacher(settings: Settings, secrets: Secrets, folder: Path) -> Teacher:
    """The teacher that the section `evaluate` names, not yet opened. folder: the run's, for an engine's log.

    Raises UsageError if it cannot be had.
    """
    options = settings.evaluate
    if options.provider == "local":
        from sql_rl.students.source import locate
        from sql_rl.teachers.local import LocalTeacher

        locate(options.model, secrets.hf_token)  # a wrong name is told before anything is loaded
        return LocalTeacher(options.model, partial(_local_model, options.model, secrets.hf_token), options.batch_size)
    from sql_rl.teachers import open_teacher

    return open_teacher(engine_settings(settings), secrets, folder)


def _local_model(name: str, token: str | None) -> "Generates":
    """Loads a student, and says what was chosen for the user. Imported here: torch and transformers take seconds."""
    from sql_rl.students.inference import LocalModel

    model = LocalModel(name, token)
    for note in model.notes:
        print(note, file=sys.stderr)
    return model
