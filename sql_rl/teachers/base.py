"""Teacher: whoever writes completions, and the words in which a run speaks with one.

A Teacher answers one Request with one Completion or raises one of the failures below; it keeps no state about rows,
retries nothing and knows no limits, so that all of this is decided in one place, the run.
"""

from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

from sql_rl.examples import Example
from sql_rl.prompts import Message
from sql_rl.teachers.quota import Quotas


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a completion is drawn. temperature and seed: None leaves them to the provider; max_tokens: the longest."""

    temperature: float | None
    max_tokens: int
    seed: int | None


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: the messages and how to sample. sample: the how-many-th answer to this prompt, from 0.

    example goes along for a teacher that needs no prompt (offline); others see the messages alone.
    """

    example: Example
    messages: list[Message]
    sampling: Sampling
    sample: int


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back. text: the message's content; reasoning: a separate reasoning field's, None without one.

    Token counts as the provider bills them: cached tokens are part of prompt_tokens, reasoning tokens of
    completion_tokens. model: the name that the provider gives for who answered. price_share: what its tokens cost of
    the model's usual price.
    """

    text: str
    reasoning: str | None
    finish_reason: str
    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    price_share: float = 1.0


class Teacher(Protocol):
    """One backend. Made without a loop, a connection or an engine, so that wrong settings are told at once;
    `async with` opens and closes what it needs.

    repeats: the same request always gets the same answer, so that asking again is in vain.
    """

    repeats: bool

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *failure: object) -> None: ...

    def identity(self, request: Request) -> dict[str, object]:
        """What, beside messages, sampling and sample number, the answer depends on: part of the journal's key."""
        ...

    async def ask(self, request: Request) -> Completion:
        """One completion. Raises Refusal, Transient or an SqlRlError that ends the run."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A teacher whose provider tells with each answer what is left of its limits.

    quotas: what the answer said that `ask` returned or raised just now; None where it said nothing.
    """

    quotas: Quotas | None


class Refusal(Exception):  # noqa: N818 (a domain word; the request is refused, the run goes on)
    """This request is refused for what it says (400, 413, 422): asking again would be in vain.

    doubtful: it may be the model or a setting that is refused, and every request would be.
    """

    def __init__(self, message: str, doubtful: bool = False) -> None:
        super().__init__(message)
        self.doubtful = doubtful


class Transient(Exception):  # noqa: N818 (a domain word)
    """The request failed for a passing reason; the same request may be sent again.

    retry_after: seconds that the server asks for, None if it names none. connected: whether a server answered.
    """

    def __init__(self, message: str, retry_after: float | None = None, connected: bool = True) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.connected = connected


class Throttled(Transient):
    """The server takes no more for now (429, 498, 503, 529); the request itself is as good as any."""


class TimedOut(Transient):
    """A server took the request and did not answer in time."""


class Unreadable(Transient):
    """A server answered, and perhaps billed it, with something that is no completion."""
