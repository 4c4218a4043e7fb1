"""Models that answer while they think: what speaks OpenAI's chat API, or a student on this machine.

A stream may be closed at any time, which ends the request. Failures are the errors of errors.py, without the key.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from sql_rl.answers import encodable
from sql_rl.configure import Secrets
from sql_rl.errors import SqlRlError
from sql_rl.prompts import Message
from sql_rl.settings import Settings
from sql_rl.teachers.dialects import dialect_of
from sql_rl.teachers.http import failure
from sql_rl.teachers.openai import endpoint_of

CONNECTING = 10  # seconds
TRIES = 2  # more, after the first, for what passes: the SDK's own waits


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer: of its text, or of a reasoning that the server splits off."""

    kind: Literal["text", "reasoning"]
    text: str


class Model(Protocol):
    """name: as it may be shown. context: tokens, prompt and answer together; None where that is not known."""

    name: str
    context: int | None

    def stream(self, messages: list[Message]) -> Generator[Piece]:
        """The answer in pieces; closing it ends the request. Raises SqlRlError."""
        ...


def open_model(settings: Settings, secrets: Secrets) -> Model:
    """The model of the settings. Raises UsageError for a missing key, a wrong URL, or a student that is not there."""
    if settings.chat.provider == "local":
        return LocalStudent(settings, secrets)
    return RemoteModel(settings, secrets)


class RemoteModel:
    """A model behind an API, over the openai SDK."""

    context = None

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        chat = settings.chat
        self.name = chat.model
        own = settings.base_url and endpoint_of(settings.base_url)
        self._dialect = dialect_of(chat.provider, settings.base_url, secrets)
        self._url, self._secrets = own or endpoint_of(self._dialect.url), secrets
        self._body: dict[str, Any] = {
            "model": chat.model,
            self._dialect.limit_for(chat.model): settings.max_tokens,
            "stream": True,
            **({} if chat.temperature is None else {"temperature": chat.temperature}),
        }
        self._timeout = settings.request_timeout

    def stream(self, messages: list[Message]) -> Generator[Piece]:
        import httpx
        import openai

        parts = urlsplit(self._url)
        client = openai.OpenAI(
            base_url=urlunsplit((parts.scheme, parts.netloc, parts.path.removesuffix("/chat/completions"), "", "")),
            default_query=dict(parse_qsl(parts.query)),
            api_key="none",  # the SDK wants one; what is sent is the dialect's header, or none at all
            timeout=httpx.Timeout(self._timeout, connect=CONNECTING),
            max_retries=TRIES,
        )
        ours = {"Authorization": openai.Omit(), **self._dialect.headers(self._secrets)}
        try:
            with (
                client,
                client.chat.completions.create(
                    messages=messages, extra_body=self._dialect.fields(self.name), extra_headers=ours, **self._body
                ) as answer,
            ):
                yield from _pieces(answer)
        except openai.APIStatusError as error:
            said = self._secrets.redact(error.response.text)
            why = failure(error.status_code, error.response.headers, said, self._url, self._dialect.secret)
            raise why if isinstance(why, SqlRlError) else SqlRlError(str(why)) from None
        except (openai.OpenAIError, httpx.HTTPError) as error:
            cause = error.__cause__ or error
            said = self._secrets.redact(f"{error}" if cause is error else f"{error} ({cause})")
            raise SqlRlError(f"{self._url}: {' '.join(said.split())}") from None


def _pieces(answer: Any) -> Iterator[Piece]:
    """The pieces in the events of a stream. Raises SqlRlError where it ends before the answer does."""
    finished = False
    for event in answer:
        for choice in event.choices[:1]:
            # `reasoning` at OpenRouter, Groq and vLLM of today, `reasoning_content` at DeepSeek and vLLM of old
            extra = choice.delta.model_extra or {}
            if thought := extra.get("reasoning") or extra.get("reasoning_content"):
                yield Piece("reasoning", encodable(str(thought)))
            if choice.delta.content:
                yield Piece("text", encodable(choice.delta.content))
            finished = finished or choice.finish_reason is not None
    if not finished:
        raise SqlRlError("the answer broke off before its end: /retry asks again")


class LocalStudent:
    """A student in this process: a folder that was trained, an adapter, a GGUF file, or a Hub id."""

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        from sql_rl.students.inference import LocalModel

        self.name = settings.chat.model
        self._model = LocalModel(settings.chat.model, secrets.hf_token)
        self.context = self._model.context
        self._max_tokens, self._temperature = settings.max_tokens, settings.chat.temperature or 0.0

    def stream(self, messages: list[Message]) -> Generator[Piece]:
        with closing(self._model.stream(messages, self._max_tokens, self._temperature)) as texts:
            for text in texts:
                yield Piece("text", text)
