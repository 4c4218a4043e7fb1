"""The ledger: what the journal knows of batches, so that a crash at any moment pays for nothing twice.

Three kinds of lines, each under the batch's name: `batch`, before anything is sent (the intent: name and requests);
`submitted`, once the provider has given it an id; `harvested`, once all its answers are in the journal. A batch
without the last is open: the next run looks for it before its requests may be asked again.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sql_rl.distill.journal import Journal, key_of
from sql_rl.distill.recorded import completion_in
from sql_rl.errors import UsageError
from sql_rl.teachers.base import Completion, Refusal


def check_none_open(journal: Journal) -> None:
    """For a run that asks one by one. Raises UsageError where batches are open, whose requests it would pay again."""
    ledger = Ledger(journal, time.time)
    if ledger.open:
        where = f"{journal.path.parent}: still at the provider: {ledger.told()}"
        raise UsageError(f"{where}; carry on with --batch-api until they are harvested")


@dataclass(frozen=True, slots=True)
class Intent:
    """A batch that is to be, or has been, submitted.

    rows: key of each request -> row of its example. at: Unix time. batch_id: the provider's, None where it is not
    known whether it was created.
    """

    name: str
    rows: Mapping[str, int]
    at: float
    batch_id: str | None = None


class Ledger:
    """Over an open journal. clock: Unix time in seconds. open: name -> batch that has no `harvested` yet."""

    def __init__(self, journal: Journal, clock: Callable[[], float]) -> None:
        self._journal, self._clock = journal, clock
        self.open = {
            line["key"]: Intent(line["key"], line["rows"], line["at"], self._batch_id(line["key"]))
            for line in journal.all("batch")
            if journal.get("harvested", line["key"]) is None
        }

    @property
    def requests(self) -> int:
        """In all open batches."""
        return sum(len(intent.rows) for intent in self.open.values())

    def told(self) -> str:
        """What is open, for people: '1,200 requests in 2 batches'."""
        requests, batches = self.requests, len(self.open)
        return f"{requests:,} request{'s' * (requests != 1)} in {batches:,} batch{'es' * (batches != 1)}"

    def _batch_id(self, name: str) -> str | None:
        line = self._journal.get("submitted", name)
        return line and line["id"]

    def intend(self, rows: Mapping[str, int]) -> Intent:
        """A new batch; on the disk when this returns."""
        at = self._clock()
        # The time tells batches of the same requests apart: tried again, or asked by a run in another folder.
        intent = Intent(key_of({"batch": list(rows), "at": at}), rows, at)
        self._journal.add("batch", intent.name, {"at": at, "rows": dict(rows)})
        self._journal.sync()
        self.open[intent.name] = intent
        return intent

    def submitted(self, intent: Intent, batch_id: str) -> Intent:
        """The intent with the id that the provider gave to its batch."""
        self._journal.add("submitted", intent.name, {"id": batch_id})
        self._journal.sync()
        return dataclasses.replace(intent, batch_id=batch_id)

    def keep(self, key: str, row: int, answer: Completion | Refusal) -> None:
        """Records an answer in the form that RecordedTeacher reads, unless there is one."""
        if isinstance(answer, Completion):
            self._journal.add("completion", key, {"row": row, **dataclasses.asdict(answer)})
        else:
            self._journal.add("refusal", key, {"row": row, "message": str(answer)})

    def answer(self, key: str) -> Completion | Refusal | None:
        """The recorded answer to that request, None if there is none."""
        if line := self._journal.get("completion", key):
            return completion_in(line)
        if line := self._journal.get("refusal", key):
            return Refusal(line["message"])
        return None

    def has_answers(self) -> bool:
        """Has any request had an answer that was no refusal?"""
        return next(self._journal.all("completion"), None) is not None

    def harvested(self, intent: Intent, status: str) -> None:
        """Nothing more is to come of it. status: how it ended."""
        self._journal.add("harvested", intent.name, {"status": status})
        del self.open[intent.name]
