"""From the journal to the dataset: every row that is settled in it, in the order of the source.

The same `settle` that ran live runs again, with the journal as its only teacher and judge, so that what is written
does not depend on when and how often the run was interrupted. A derivation may follow a run that is still going
(`advance`), so that what is finished can be published before the run is.
"""

import asyncio
from typing import Any

from sql_rl.distill.counters import Counters, cost_of
from sql_rl.distill.dataset import kept, row, schema
from sql_rl.distill.journal import Journal
from sql_rl.distill.plan import Plan
from sql_rl.distill.recorded import RecordedJudge, RecordedTeacher, completion_in
from sql_rl.distill.settle import settle
from sql_rl.distill.window import Stopped
from sql_rl.errors import SqlRlError, StoppedEarlyError
from sql_rl.examples import Example
from sql_rl.publish.dataset_card import SHOWN, dataset_card
from sql_rl.publish.parquet import DatasetWriter, Shard
from sql_rl.runs.drive import Stop
from sql_rl.runs.folder import write_whole
from sql_rl.sources import Source
from sql_rl.teachers.base import Teacher

ROWS_AT_ONCE = 100  # rows between two looks at signals


class Derivation:
    """The dataset in the making. counters: of the rows taken so far. shown: of them, a few for the card."""

    def __init__(self, plan: Plan, source: Source, teacher: Teacher, journal: Journal) -> None:
        self._plan, self._source, self._journal = plan, source, journal
        self._policy = plan.policy(teacher)
        self._ask = RecordedTeacher(journal, teacher, plan.model)
        self._jury = RecordedJudge(journal, plan.judge_stamp)
        self.restart()

    def restart(self) -> None:
        """Forgets all rows: for when they could not be written."""
        plan, self._examples = self._plan, self._source.examples()
        self._next = next(self._examples, None)
        self.counters = Counters(plan.price)
        self.shown: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
        self._schema = schema(self._source.schema)
        self._writer = DatasetWriter(
            plan.folder.data, plan.folder.rejected, self._schema, plan.settings.distill.shard_rows
        )

    async def advance(self, until: asyncio.Event) -> None:
        """Takes rows up to the first that is not settled yet, or until the event is set; then it can go on from there.

        Raises OSError where they cannot be written.
        """
        while self._next and not until.is_set() and not self._is_enough() and await self._take(self._next):
            self._next = next(self._examples, None)
            await asyncio.sleep(0)  # the run that is followed goes first

    async def finish(self, measured: dict[str, Any], stop: Stop) -> dict[str, Any]:
        """Takes every settled row that is left, and writes the files, the card and run.json, whose content it gives.

        measured: what the journal does not tell: the seconds that the run took so far, and how it went on the wire.
        Raises SqlRlError where it cannot be written, StoppedEarlyError after a signal that comes now: the journal is
        whole all the same.
        """
        folder, heard, number = self._plan.folder, stop.signals, 0
        try:
            while self._next and not self._is_enough():
                if not await self._take(self._next):
                    self._writer.skip()
                self._next = next(self._examples, None)
                number += 1
                if number % ROWS_AT_ONCE == 0:
                    await asyncio.sleep(0)  # everything is in the journal, so that nothing else lets signals in
                    if stop.signals > heard:
                        raise StoppedEarlyError(
                            f"{folder.path}: stopped while its dataset was written; everything that was answered is "
                            "kept: the same command carries on"
                        )
            self._writer.finish()
            summary = self.summary() | measured | self._beyond()
            write_whole(folder.card, dataset_card(summary, self.shown[True], self.shown[False]))
            folder.write_summary(summary)
        except OSError as error:
            raise SqlRlError(
                f"{folder.path}: the dataset cannot be written: {error.strerror or error}; the journal holds "
                "everything that was answered: make room and run the same command again"
            ) from error
        return summary

    def closed(self) -> list[Shard]:
        """The shards that were closed since this was last asked."""
        return self._writer.closed()

    def summary(self) -> dict[str, Any]:
        """run.json. remaining: rows of the source that are not settled; of a run that has its target, none."""
        source, counters = self._source, self.counters
        names = dict(zip(source.schema.names, self._schema.names, strict=False))  # a few were given another name
        return {
            "command": "distill",
            "status": "stopped" if self._remaining else "finished",
            "remaining": self._remaining,
            **counters.as_dict(),
            "source": {
                "title": source.title,
                "on_hub": source.on_hub,
                "license": source.license,
                "question": names[source.columns["question"]],
                "context": names[source.columns["context"]],
                "gold": names[source.columns["gold"]],
                "columns": list(names.values()),
            },
            "settings": self._plan.stated(source.identity),
        }

    @property
    def _remaining(self) -> int:
        return 0 if self._is_enough() else self._source.count - self.counters.rows

    def _beyond(self) -> dict[str, Any]:
        """What was asked for rows that are not in the dataset: of a run that has its target those that it did not need
        any more, of one that was stopped those that want another attempt.

        It depends on how fast answers came, so that it stands beside the counts of the dataset and not in them.
        """
        if not self._remaining and not self._is_enough():
            return {}
        answers = (completion_in(line) for line in self._journal.all("completion"))
        beyond = self.counters.beyond(answers, refused=sum(1 for _ in self._journal.all("refusal")))
        names = ("requests", "prompt_tokens", "completion_tokens", "cost_usd")
        title = "unsettled" if self._remaining else "beyond_target"
        return {title: {name: value for name, value in beyond.as_dict().items() if name in names}}

    async def _take(self, example: Example) -> bool:
        """Writes the row, if it is settled."""
        try:
            outcome = await settle(example, self._policy, self._ask, self._jury)
        except Stopped:
            return False
        keep = kept(outcome, self._plan.settings.distill.remove_no_valid)
        content = row(outcome, cost_of(outcome, self._plan.price))
        self._writer.add(content, keep)
        self.counters.add(outcome, keep)
        if len(shown := self.shown[outcome.accepted]) < SHOWN:
            shown.append(content)
        return True

    def _is_enough(self) -> bool:
        return self.counters.accepted == self._plan.settings.distill.target_accepted
