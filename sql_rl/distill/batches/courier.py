"""The courier: one batch from its intent to the last of its answers in the journal.

    upload -> create (or find what an earlier run created) -> poll -> harvest

Whatever may have created a batch is looked up by the batch's name before it is done again, so that nothing is paid
twice. It may be cancelled anywhere: the next run takes the batch up from what the ledger holds.
"""

import io
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from sql_rl.distill.batches.ledger import Intent, Ledger
from sql_rl.distill.batches.lines import Answer, result
from sql_rl.distill.recorded import nothing_but_refusals
from sql_rl.distill.window import backoff
from sql_rl.errors import SqlRlError, StoppedEarlyError
from sql_rl.teachers.base import Completion, Refusal, Transient
from sql_rl.teachers.batch_api import Batch, BatchApi
from sql_rl.teachers.http import EXHAUSTED

T = TypeVar("T")

FIRST_POLL, SLOWEST_POLL = 5.0, 60.0  # seconds between looks at a batch; each pause half as long again as the last
# Pauses between looks for a batch that may just be being created; then it is held not to exist.
LOOKS = (0.0, 5.0, 10.0, 20.0, 30.0)
LOST_AFTER = 10  # looks in a row at which a batch, or the files of one that has ended, are not there
TOO_MUCH_ENQUEUED = "token_limit_exceeded"  # OpenAI's code where all batches together hold too many tokens
TRIES = 40  # of a call that fails for a passing reason: more than half an hour of back-off
TRIES_UNREACHED = 3  # before the first call got an answer: a wrong URL should not take so long to be told


@dataclass(frozen=True, slots=True)
class Arrival:
    """unanswered: what may be asked again: key -> why. too_big: nothing was run, the provider takes fewer at once."""

    unanswered: dict[str, str]
    too_big: bool = False


class Courier:
    """Carries batches. sleep: an awaitable like asyncio.sleep. say: told, in a line, what a person wants to know.

    Both steps raise an SqlRlError where the run has to end; the ledger is closed by then if the batch has ended.
    """

    def __init__(
        self, api: BatchApi, ledger: Ledger, sleep: Callable[[float], Awaitable[None]], say: Callable[[str], None]
    ) -> None:
        self._api, self._ledger, self._sleep, self._say = api, ledger, sleep, say
        self._jitter = random.Random(0)
        self._reached = False

    async def submit(self, intent: Intent, content: bytes | None) -> Intent:
        """The intent with the id of its batch.

        content: the batch's file; None where an earlier run made the intent: then the batch is looked for, never
        created, and where there is none the intent stays without an id.
        """
        if intent.batch_id is not None:
            return intent
        batch = await (self._found(intent) if content is None else self._created(intent, content))
        if batch is None:
            return intent
        self._say(f"{batch.id}: {len(intent.rows):,} requests {'found again' if content is None else 'submitted'}")
        return self._ledger.submitted(intent, batch.id)

    async def collect(self, intent: Intent) -> Arrival:
        """Waits for a batch to end, and puts its answers into the journal."""
        if intent.batch_id is None:
            self._ledger.harvested(intent, "never created")
            return Arrival(dict.fromkeys(intent.rows, "its batch was never created"))
        batch = await self._ended(intent.batch_id)
        if batch is None:
            requests = f"{len(intent.rows):,} requests"
            self._say(f"{intent.batch_id}: the provider knows it no more; its {requests} go again, perhaps paid twice")
            self._ledger.harvested(intent, "vanished")
            return Arrival(dict.fromkeys(intent.rows, f"batch {intent.batch_id} vanished"))
        unanswered, lasting = await self._harvest(intent, batch)
        self._ledger.harvested(intent, batch.status)
        if problem := lasting or _problem(batch):
            raise problem
        return Arrival(unanswered, too_big=batch.code == TOO_MUCH_ENQUEUED)

    async def _created(self, intent: Intent, content: bytes) -> Batch:
        doubt = False  # may it be there, though no answer has said so?

        async def create(file: str) -> Batch:
            nonlocal doubt
            # What failed before may have been the answer's way back alone.
            if doubt and (found := await self._api.find(intent.name)):
                return found
            before, doubt = doubt, True
            try:
                return await self._api.create(intent.name, file)
            except SqlRlError:
                doubt = before
                raise

        try:
            file = await self._patiently(lambda: self._api.upload(intent.name, content))
            return await self._patiently(lambda: create(file), at_least=max(LOOKS))
        except SqlRlError:
            if not doubt:
                self._ledger.harvested(intent, "never created")  # else its requests would stay at the provider for ever
            raise

    async def _found(self, intent: Intent) -> Batch | None:
        for pause in LOOKS:
            await self._sleep(pause)
            if found := await self._patiently(lambda: self._api.find(intent.name)):
                return found
        return None

    async def _ended(self, batch_id: str) -> Batch | None:
        """The batch once it has ended; None if it is not to be found."""
        pause, missing, status = FIRST_POLL, 0, ""
        while True:
            batch = await self._patiently(lambda: self._api.retrieve(batch_id))
            if batch and batch.status != status:
                status = batch.status
                self._say(
                    f"{batch_id}: {status}, {batch.answered:,} of {batch.total:,} answered, {batch.failed:,} failed"
                )
            if batch and batch.complete:
                return batch
            missing = missing + 1 if batch is None or batch.ended else 0
            if missing == LOST_AFTER:
                return batch
            await self._sleep(pause)
            pause = min(SLOWEST_POLL, 1.5 * pause)

    async def _harvest(self, intent: Intent, batch: Batch) -> tuple[dict[str, str], SqlRlError | None]:
        """Puts the answers into the journal: what is unanswered and why, and the first failure that will last.

        Doubtful refusals are kept where anything was ever answered; where nothing was, it is no row that is refused.
        """
        why, lasting, answered, doubted = dict[str, str](), None, 0, dict[str, Refusal]()
        async for key, answer in self._results(batch):
            if key not in intent.rows:
                continue
            if isinstance(answer, Transient):
                why[key] = str(answer)
            elif isinstance(answer, SqlRlError):
                lasting = lasting or answer
            elif isinstance(answer, Refusal) and answer.doubtful:
                doubted[key] = answer
            else:
                answered += isinstance(answer, Completion)
                self._ledger.keep(key, intent.rows[key], answer)
        if doubted and not self._ledger.has_answers():
            lasting = lasting or nothing_but_refusals(str(next(iter(doubted.values()))), len(doubted))
            doubted.clear()
        for key, refusal in doubted.items():
            self._ledger.keep(key, intent.rows[key], refusal)
        if answered < batch.answered:
            lost = batch.answered - answered
            self._say(f"{batch.id}: {lost:,} of {batch.answered:,} answers are lost; they go again, paid twice")
        missing = f"batch {batch.id} ({batch.status}) has no line for it"
        unanswered = {key: why.get(key, missing) for key in intent.rows if self._ledger.answer(key) is None}
        return unanswered, lasting

    async def _results(self, batch: Batch) -> AsyncIterator[tuple[str, Answer]]:
        for file, least in ((batch.output_file, batch.answered), (batch.error_file, 0)):
            for line in io.BytesIO(await self._content(file, least) if file else b""):
                try:
                    yield result(line, self._api.price_share)
                except ValueError as error:
                    self._say(f"{batch.id}: a line of {file} cannot be read: {error}")

    async def _content(self, file: str, least: int) -> bytes:
        """A file that should have so many lines at least: answers that are paid for are not given up at one look."""
        pause = FIRST_POLL
        for look in range(1, LOST_AFTER + 1):
            content = await self._patiently(lambda: self._api.content(file)) or b""
            if content.count(b"\n") + (not content.endswith(b"\n")) >= least or look == LOST_AFTER:
                break
            await self._sleep(pause)
            pause = min(SLOWEST_POLL, 1.5 * pause)
        return content

    async def _patiently(self, call: Callable[[], Awaitable[T]], at_least: float = 0.0) -> T:
        """What the call returns, after as many tries as it takes. at_least: seconds between two of them."""
        tries = 0
        while True:
            tries += 1
            try:
                returned = await call()
                self._reached = True
                return returned
            except Transient as failure:
                self._reached = self._reached or failure.connected
                if not self._reached and tries == TRIES_UNREACHED:
                    raise SqlRlError(f"{failure}; is the server running, and --base-url right?") from failure
                if tries == TRIES:
                    raise StoppedEarlyError(
                        f"{failure} ({tries} tries); batches go on at the provider, the same command harvests them"
                    ) from failure
                await self._sleep(max(at_least, backoff(tries, failure.retry_after, self._jitter.random())))


def _problem(batch: Batch) -> SqlRlError | None:
    """Why a batch that has ended must not be followed by another just like it; None if it may."""
    if batch.status == "cancelled":
        return StoppedEarlyError(f"batch {batch.id} was cancelled at the provider; the same command asks for the rest")
    if batch.status != "failed" or batch.code == TOO_MUCH_ENQUEUED:
        return None
    said = f"batch {batch.id} was not run: {batch.message or 'no reason given'} ({batch.code or 'no code'})"
    return StoppedEarlyError(said) if batch.code in EXHAUSTED else SqlRlError(said)
