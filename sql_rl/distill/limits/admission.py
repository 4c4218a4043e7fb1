"""All limits together: whether a request may be sent now, and what each answer teaches about the next one."""

from dataclasses import dataclass

from sql_rl.distill.limits.bucket import per_minute
from sql_rl.distill.limits.concurrency import Concurrency
from sql_rl.distill.limits.pace import Pace
from sql_rl.distill.limits.plateau import Plateau
from sql_rl.teachers.quota import Quotas

MEMORY = 64  # answers over which the mean length of a completion is taken


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request that was sent: when, the tokens taken for it, and the totals of requests and tokens up to it."""

    sent_at: float
    tokens: float
    total_requests: float
    total_tokens: float


class Admission:
    """size: requests in flight at most. rpm, tpm: requests and tokens in any minute, None for no such limit.

    In their order: a pause that the server asked for, the hard limits, the pace of the provider's headers, and the
    number in flight.
    """

    def __init__(self, size: int, rpm: int | None = None, tpm: int | None = None) -> None:
        self._plateau = Plateau(size)
        self._concurrency = Concurrency(self._plateau.ceiling)
        self._requests = per_minute(rpm) if rpm else None
        self._tokens = per_minute(tpm) if tpm else None
        self._pace_requests, self._pace_tokens = Pace(), Pace()
        self._paused_until = float("-inf")
        self._answers = 0
        self._mean_completion = 0.0

    def limit(self, now: float) -> int:
        """How many may be in flight."""
        return self._concurrency.limit(now)

    @property
    def grows_at(self) -> float | None:
        """When `limit` grows by itself; None if it does not."""
        return self._concurrency.grows_at

    def estimate(self, prompt_tokens: int, max_tokens: int) -> float:
        """Tokens that a request will use: its prompt and a completion as long as they are on average.

        Before the first answer, as long as it may be.
        """
        return prompt_tokens + (min(self._mean_completion, max_tokens) if self._answers else max_tokens)

    def delay(self, tokens: float, now: float) -> float:
        """Seconds until a request of so many tokens may be sent, as far as time alone decides."""
        return max(
            0.0,
            self._paused_until - now,
            self._requests.delay(1, now) if self._requests else 0.0,
            self._tokens.delay(tokens, now) if self._tokens else 0.0,
            self._pace_requests.delay(1, now),
            self._pace_tokens.delay(tokens, now),
        )

    def sent(self, tokens: float, now: float) -> Ticket:
        """A request goes out."""
        if self._requests:
            self._requests.take(1, now)
        if self._tokens:
            self._tokens.take(tokens, now)
        return Ticket(now, tokens, self._pace_requests.take(1, now), self._pace_tokens.take(tokens, now))

    def answered(self, ticket: Ticket, in_flight: int, prompt_tokens: int, completion_tokens: int, now: float) -> None:
        """An answer came, with `in_flight` requests counting itself; 0 prompt tokens: the server does not count."""
        if prompt_tokens:
            self._answers = min(self._answers + 1, MEMORY)
            self._mean_completion += (completion_tokens - self._mean_completion) / self._answers
            self._settle(ticket, prompt_tokens + completion_tokens, now)
        self._concurrency.answered(in_flight)
        self._plateau.answered(in_flight, now)
        if self._plateau.ceiling != self._concurrency.ceiling:
            self._concurrency.bound(self._plateau.ceiling)

    def refused(self, ticket: Ticket, pause: float | None, now: float) -> None:
        """The server has too much to do. pause: seconds that it asks for; they hold for every request."""
        self._settle(ticket, 0, now)
        self._concurrency.refused()
        if pause is not None:
            self._paused_until = max(self._paused_until, now + pause)

    def unused(self, ticket: Ticket, now: float) -> None:
        """The request was refused for what it says; it used no tokens."""
        self._settle(ticket, 0, now)

    def late(self) -> None:
        """No answer in time: what it used is not known, that it was one too many is likely."""
        self._concurrency.refused()

    def told(self, ticket: Ticket, quotas: Quotas, now: float) -> None:
        """What the headers of an answer to this request say is left."""
        if quotas.requests:
            self._pace_requests.told(quotas.requests, ticket.total_requests, ticket.sent_at, now)
        if quotas.tokens:
            self._pace_tokens.told(quotas.tokens, ticket.total_tokens, ticket.sent_at, now)

    def _settle(self, ticket: Ticket, used: float, now: float) -> None:
        if self._tokens:
            self._tokens.put_back(ticket.tokens - used, now)
