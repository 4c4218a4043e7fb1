"""A model in this program, by vLLM's engine: the teacher that needs no server and no key.

Each request is one stream of the engine, so that a finished one makes room for the next at once: the engine batches
continuously and never waits for a batch of ours. Prompts that begin alike (the same database) share their cache.
"""

import asyncio
import multiprocessing
import sys
import time
from contextlib import suppress
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sql_rl.errors import SqlRlError
from sql_rl.prompts import Message
from sql_rl.teachers.base import Completion, Refusal, Request, Sampling, Transient
from sql_rl.teachers.few_shot import STOPS, FewShot
from sql_rl.teachers.vllm_engine import EngineSettings, give_up_start, start_engine
from sql_rl.teachers.vllm_problems import problem

if TYPE_CHECKING:
    from vllm.outputs import RequestOutput
    from vllm.v1.engine.async_llm import AsyncLLM

LOG = "vllm.log"
FAILED = "EngineCore failed to start"  # the engine's last words, before the traceback
LEAVE = 15.0  # seconds that it has for going by itself
STATISTICS = 10.0  # seconds between two lines of the engine's throughput in its log


class VllmTeacher:
    """One engine, opened with the teacher.

    few_shot: how a model without a chat template is asked. log: the file for vLLM's own words, in a folder that is
    there when the teacher is opened.
    Opening raises UsageError for what the settings can mend, SqlRlError for what the machine cannot do.
    """

    repeats = False

    def __init__(self, engine: EngineSettings, few_shot: FewShot, log: Path) -> None:
        self._settings, self._few_shot, self._log = engine, few_shot, log
        folder = Path(engine.model)
        self._name = folder.resolve().name if folder.is_dir() else engine.model  # rows tell nothing of this machine
        self._numbers = count()

    async def __aenter__(self) -> Self:
        started = time.monotonic()
        print(f"vllm: loading {self._settings.model} (its log: {self._log})", file=sys.stderr, flush=True)
        self._engine = await self._started()
        try:
            self._defaults = self._engine.model_config.get_diff_sampling_param()
            self._folds = not await self._takes_system_messages()
        except BaseException:
            self._engine.shutdown()
            raise
        self._statistics = asyncio.create_task(self._log_statistics())
        asked = "by its chat template" if self._has_chat_template else "few-shot: it has no chat template"
        seconds = time.monotonic() - started
        print(
            f"vllm: {self._settings.model} is ready after {seconds:.0f} s, asked {asked}", file=sys.stderr, flush=True
        )
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._statistics.cancel()
        with suppress(asyncio.CancelledError):
            await self._statistics
        await asyncio.to_thread(self._engine.shutdown)

    def identity(self, request: Request) -> dict[str, object]:
        """The prompt's form is part of it: the model's chat template, or the few-shot text by its digest."""
        form = "chat" if self._has_chat_template else f"few-shot {self._few_shot.digest}"
        return {"provider": "vllm", "prompt": form}

    async def ask(self, request: Request) -> Completion:
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        try:
            prompt = await self._prompt(request.messages)
            parameters = _parameters(self._sampling(request.sampling))
            async for output in self._engine.generate(prompt, parameters, str(next(self._numbers))):
                reply = output  # FINAL_ONLY: there is one
        except EngineDeadError as error:
            raise SqlRlError(
                f"{self._settings.model}: the engine has died, {self._log} says of what; nothing finished is lost: "
                "the same command carries on"
            ) from error
        except EngineGenerateError as error:
            raise Transient(f"{self._settings.model}: {error.__cause__ or error}") from error
        except ValueError as error:
            raise refusal(error) from error
        if reply.outputs[0].finish_reason == "abort":
            raise Transient(f"{self._settings.model}: the engine has given the request up")
        return completion(reply, self._name)

    async def _started(self) -> "AsyncLLM":
        """The engine. A start that is cancelled ends its processes: the weights of a large model take minutes."""
        self._log.touch()
        seen = self._log.stat().st_size
        before = {child.pid for child in multiprocessing.active_children()}
        starting = asyncio.create_task(asyncio.to_thread(self._start))
        watch = asyncio.create_task(self._end_failed_start(seen, before))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            while not starting.done():
                give_up_start(before)
                await asyncio.wait({starting}, timeout=0.2)
            if starting.exception() is None:
                starting.result().shutdown()
            raise
        except (OSError, RuntimeError, ValueError, ImportError) as error:
            said = f"{type(error).__name__}: {error}\n{self._logged(seen)}"
            raise problem(said, self._settings, self._log) from error
        finally:
            watch.cancel()

    async def _end_failed_start(self, seen: int, before: set[int | None]) -> None:
        """Ends an engine that has told of its failure and stays all the same: one of its threads may wait for ever."""
        while True:
            await asyncio.sleep(1)
            if FAILED in self._logged(seen):
                await asyncio.sleep(LEAVE)
                give_up_start(before)
                return

    def _logged(self, seen: int) -> str:
        """What came to the log after its first `seen` bytes."""
        with self._log.open("rb") as file:
            file.seek(seen)
            return file.read().decode("utf-8", "replace")

    def _start(self) -> "AsyncLLM":
        _ = self._has_chat_template  # a model that is not there is found out before vLLM is loaded
        return start_engine(self._settings, self._log)

    @cached_property
    def _has_chat_template(self) -> bool:
        """Read from the tokenizer's files, so that an identity can be told without an engine."""
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(self._settings.model, token=self._settings.hf_token)
        except (OSError, ValueError) as error:
            raise problem(f"{type(error).__name__}: {error}", self._settings, self._log) from error
        return tokenizer.chat_template is not None

    async def _prompt(self, messages: list[Message]) -> Any:
        """The messages as the engine takes them: in the chat template's form, as tokens."""
        from vllm.renderers import ChatParams

        if self._folds:
            messages = folded(messages)
        template = None if self._has_chat_template else self._few_shot.template
        form = ChatParams(
            chat_template=template, chat_template_kwargs={"add_generation_prompt": True, "tokenize": False}
        )
        _, [prompt] = await self._engine.renderer.render_chat_async([messages], form)
        return prompt

    async def _takes_system_messages(self) -> bool:
        """Some chat templates (Gemma's first two, early Mistral's) raise at the sight of one."""
        self._folds = False
        try:
            await self._prompt([{"role": "system", "content": "."}, {"role": "user", "content": "."}])
        except ValueError:
            return False
        return True

    def _sampling(self, sampling: Sampling) -> dict[str, Any]:
        stops = {} if self._has_chat_template else {"stop": list(STOPS), "include_stop_str_in_output": True}
        return sampling_arguments(sampling, self._defaults) | stops

    async def _log_statistics(self) -> None:
        while True:
            await asyncio.sleep(STATISTICS)
            await self._engine.do_log_stats()


def folded(messages: list[Message]) -> list[Message]:
    """The conversation without its system message, which opens the first of the user's instead."""
    system, user, *rest = messages
    return [{"role": "user", "content": f"{system['content']}\n\n{user['content']}"}, *rest]


def sampling_arguments(sampling: Sampling, defaults: dict[str, Any]) -> dict[str, Any]:
    """The arguments of vLLM's SamplingParams. defaults: the model's own, which vLLM reads in generation_config.json."""
    given = {"temperature": sampling.temperature, "seed": sampling.seed}
    return defaults | {"max_tokens": sampling.max_tokens} | {k: v for k, v in given.items() if v is not None}


def _parameters(arguments: dict[str, Any]) -> Any:
    from vllm.sampling_params import RequestOutputKind, SamplingParams

    return SamplingParams(**arguments, output_kind=RequestOutputKind.FINAL_ONLY)


def refusal(error: ValueError) -> Refusal:
    """What the engine says to a request that it does not take; one that is too long says it in the house's words."""
    said = " ".join(str(error).split())
    too_long = "maximum context length" in said or "maximum model length" in said
    return Refusal(f"too long for the model's context: {said}") if too_long else Refusal(said, doubtful=True)


def completion(reply: "RequestOutput", model: str) -> Completion:
    """The Completion in the engine's last output for a request."""
    written = reply.outputs[0]
    return Completion(
        text=written.text,
        reasoning=None,
        finish_reason=written.finish_reason or "",
        model=model,
        prompt_tokens=len(reply.prompt_token_ids or ()),
        completion_tokens=len(written.token_ids),
        cached_tokens=reply.num_cached_tokens or 0,
    )
