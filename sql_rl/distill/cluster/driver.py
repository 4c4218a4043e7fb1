"""The driver: hires workers, feeds them shards, watches them, and keeps the run's journal.

A worker that dies, or is silent for a minute, is lost: what its journal holds is taken in, its shards go to the
others, and another worker is hired in its place. The run's own journal is written by the driver alone.
"""

import asyncio
import dataclasses
import sys
import time
from contextlib import suppress
from secrets import token_hex

from sql_rl.configure import Secrets
from sql_rl.distill.budget import Budget, used_up
from sql_rl.distill.cluster.connect import cluster
from sql_rl.distill.cluster.hired import Hired, Lost
from sql_rl.distill.cluster.merge import Intake, clear
from sql_rl.distill.cluster.purse import Purse
from sql_rl.distill.cluster.shards import UNDER_WAY, Shards, shard_size
from sql_rl.distill.cluster.share import Layout, layout, share
from sql_rl.distill.cluster.total import Total
from sql_rl.distill.dataset import kept
from sql_rl.distill.journal import Journal, keep_synced
from sql_rl.distill.plan import Plan
from sql_rl.distill.recorded import completion_in
from sql_rl.distill.settle import Outcome
from sql_rl.errors import SqlRlError
from sql_rl.runs.drive import Stop, every
from sql_rl.runs.folder import RunFolder
from sql_rl.sources import Source
from sql_rl.teachers.base import Teacher
from sql_rl.terminal.manner import Manner
from sql_rl.terminal.progress import Display

BEAT = 1.0  # seconds between two beats of a worker
PLACED_WITHIN = 120.0  # seconds in which the cluster has to find room for a first worker
LOST_IN_A_ROW = 3  # workers lost in one place, none of which ended a shard: the run stops
ENDS_WITHIN = 15.0  # seconds beyond the grace in which a worker that was stopped hands its shards back


async def spread(
    run: Plan,
    source: Source,
    teacher: Teacher,
    secrets: Secrets,
    journal: Journal,
    stop: Stop,
    budget: Budget | None,
    manner: Manner,
) -> tuple[list[str], dict[str, float | int]]:
    """Settles every row of the source on the workers of a cluster, as far as `stop` lets it. Gives the rows that could
    not be had, and how it went on the wire (Window.report, of all workers together).

    teacher: not opened; the workers open their own. budget: the run's cap, and what was spent before. By the end the
    journal holds what all workers have paid for.
    Raises SqlRlError (1) where the cluster does not answer, UsageError (2) where none of its nodes can hold a worker;
    whatever else ends the run is set as the stop's reason.
    """
    options, total = run.settings.distill, Total(run.price)
    with Display("distill", source.count, total, sys.stderr, log_format=options.log_format, manner=manner) as display:
        crew = _Crew(run, source, teacher, secrets, journal, stop, budget, total)

        async def beat() -> None:
            display.update()
            await keep_synced(journal, stop)

        async with every(BEAT, beat):
            if await crew.shards.wanted():
                async with cluster(least_cpus=options.ray_workers or 1) as nodes:
                    await crew.work(layout(nodes, run.settings))
        display.update()
    return crew.unanswered, _together(crew.reports)


class _Crew:
    """The workers of one run, hired and not yet; see `spread` for what it is made of."""

    def __init__(
        self,
        run: Plan,
        source: Source,
        teacher: Teacher,
        secrets: Secrets,
        journal: Journal,
        stop: Stop,
        budget: Budget | None,
        total: Total,
    ) -> None:
        # Workers have working directories of their own.
        self._run = dataclasses.replace(run, folder=RunFolder(run.folder.path.resolve()))
        self._secrets, self._journal, self._stop, self._budget, self._total = secrets, journal, stop, budget, total
        self._rows = source.count
        self._hired: set[Hired] = set()
        self._hiring: set[Hired] = set()
        self._intakes: list[Intake] = []
        self._token = token_hex(4)  # in the names of journals, so that a straggler of an earlier run meets none of ours
        self._probe = self._run.folder.workers / f"{self._token}.probe"
        self._placed = False
        self._layout = Layout(1, 1, 0)
        self._purse: Purse | None = None
        self.shards = Shards(self._run, source, teacher, journal, self._settled, self._enough)
        self.unanswered: list[str] = []
        self.reports: list[dict[str, float | int]] = []

    def _settled(self, outcome: Outcome) -> None:
        self._total.settled(outcome, kept(outcome, self._run.settings.distill.remove_no_valid))

    def _enough(self) -> bool:
        target = self._run.settings.distill.target_accepted
        return bool(self._stop) or (target is not None and self._total.accepted >= target)

    async def work(self, layout: Layout) -> None:
        """Until everything is settled or the run is stopped; then the journal holds all that the workers' hold."""
        options = self._run.settings.distill
        self._layout = layout
        window = -(-options.batch_size // layout.workers)
        exact_end = options.target_accepted is not None
        self.shards.size = shard_size(self._rows, layout.workers, window, exact_end)
        if self._budget is not None:
            self._purse = Purse(max(0.0, self._budget.cap - self._budget.spent), layout.workers)
        self._run.folder.workers.mkdir(exist_ok=True)
        self._probe.write_text(self._token)
        ending = asyncio.create_task(self._end_when_stopped())
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(layout.workers):
                    group.create_task(self._tend(number))
        finally:
            ending.cancel()
            self._close()

    async def _tend(self, number: int) -> None:
        """One place in the crew: a worker, and when it is lost another, until there is nothing more to do."""
        in_a_row = 0
        while in_a_row < LOST_IN_A_ROW and await self.shards.wanted():
            hired = None
            try:
                if hired := await self._hire(number):
                    await self._serve(hired)
                return
            except SqlRlError as error:
                self._stop.set(error)
            except Lost as loss:
                in_a_row = 1 if hired and hired.ended else in_a_row + 1
                if not self._stop:
                    place = f" ({hired.place})" if hired else ", before it was ready"
                    print(f"worker {number + 1} was lost{place}: {loss}", file=sys.stderr)
                if in_a_row == LOST_IN_A_ROW:
                    self._stop.set(
                        SqlRlError(f"--use-ray: {in_a_row} workers died one after another, the last for this: {loss}")
                    )
            finally:
                if hired:
                    await self._part_from(hired)

    async def _hire(self, number: int) -> Hired | None:
        """A worker that is ready; None where the others were through before the cluster had room for it.

        Raises Lost, or the SqlRlError for which it cannot work.
        """
        hired = Hired(f"{self._token}-{len(self._intakes)}", self._run.folder.workers, self._layout)
        self._intakes.append(hired.intake)
        self._hiring.add(hired)
        part = dataclasses.replace(self._run, settings=share(self._run.settings, self._layout, number))
        deadline = time.monotonic() + PLACED_WITHIN
        try:
            while not await hired.is_placed(BEAT):
                if self.shards.over:
                    hired.kill()
                    return None
                if not self._placed and time.monotonic() > deadline:
                    raise SqlRlError(
                        f"--use-ray: the cluster found no room for a worker ({self._layout}) in {PLACED_WITHIN:g} s"
                    )
            self._placed = True
            await hired.open(part, self._secrets, (self._probe, self._token))
        except BaseException:
            hired.kill()
            raise
        finally:
            self._hiring.discard(hired)
        self._hired.add(hired)
        if self._stop:
            hired.stop(at_once=False)
        return hired

    async def _serve(self, hired: Hired) -> None:
        """Feeds a worker until there is nothing more to do, then lets it close. Raises Lost."""
        try:
            async with asyncio.TaskGroup() as group:
                beating = group.create_task(self._beat(hired))
                await asyncio.wait([group.create_task(self._feed(hired)) for _ in range(UNDER_WAY)])
                beating.cancel()
        except BaseExceptionGroup as failures:
            if other := failures.subgroup(lambda failure: not isinstance(failure, Lost)):
                raise other.exceptions[0] from failures
            raise failures.exceptions[0] from None
        self.reports.append(await hired.close())

    async def _feed(self, hired: Hired) -> None:
        while shard := await self.shards.take():
            hired.shards.add(shard.number)
            ended = await hired.settle(shard)
            self._take_in(hired)
            hired.shards.remove(shard.number)
            hired.ended += 1
            self._total.ended(shard.number, ended.counters)
            self.unanswered += ended.unanswered
            if ended.why:
                self._stop.set(ended.why)
            self.shards.done(shard.number)

    async def _beat(self, hired: Hired) -> None:
        while True:
            beat = await hired.beat(self._purse.lend(hired.name) if self._purse else 0.0)
            self._total.under_way({number: c for number, c in beat.counters.items() if number in hired.shards})
            if beat.why:
                self._stop.set(beat.why)  # the others learn of it now, not when the last answer of its shard is in
            if self._enough():
                self.shards.wake()
            if self._purse:
                self._purse.told(hired.name, beat.account)
                if self._purse.exhausted:
                    spent = max(self._budget.spent, self._budget.cap - self._purse.left)
                    self._stop.set(used_up(self._budget.cap, spent))
            await asyncio.sleep(BEAT)

    def _take_in(self, hired: Hired) -> None:
        """What the worker's journal holds by now; after a stop, that is left to `_close`.

        A disk that is full stops the run: the room that is left on it is for what the workers still have on the wire.
        """
        try:
            new = hired.intake.take_in(self._journal, self._stop)
        except SqlRlError as error:
            self._stop.set(error)
            return
        if self._purse:
            hired.spent += sum(self._run.price.of(completion_in(line)) for line in new if line["kind"] == "completion")

    async def _part_from(self, hired: Hired) -> None:
        """The worker goes, and all that it leaves is taken in; shards that it still had go to others."""
        await hired.killed()
        self._take_in(hired)
        self._hired.remove(hired)
        if self._purse:
            self._purse.closed(hired.name, hired.spent)
        for number in hired.shards:
            self._total.lost(number)
            self.shards.lost(number)

    async def _end_when_stopped(self) -> None:
        """After a stop: workers drain within the grace, or end at once where that is asked; late ones are killed."""
        await self._stop.admission.wait()
        self.shards.wake()
        for hired in self._hiring:
            hired.kill()
        for hired in self._hired:
            hired.stop(at_once=False)
        await self._stop.hurried.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.abandoned.wait(), self._run.settings.distill.grace)
        for hired in self._hired:
            hired.stop(at_once=True)
        await asyncio.sleep(ENDS_WITHIN)
        for hired in self._hired:
            hired.kill()

    def _close(self) -> None:
        """Takes in the rest of every journal; those that are whole in the run's own are removed."""
        try:
            for intake in self._intakes:
                intake.take_in(self._journal)
            self._journal.sync()
        except SqlRlError as error:
            self._stop.set(error)
            return
        for intake in self._intakes:
            intake.remove()
        clear(self._run.folder.workers)


def _together(reports: list[dict[str, float | int]]) -> dict[str, float | int]:
    """Reports of windows as one: sums, and of shares the mean."""
    total = {"retried": 0, "throttled_seconds": 0.0, "fullness": 0.0}
    for report in reports:
        total["retried"] += report["retried"]
        total["throttled_seconds"] = round(total["throttled_seconds"] + report["throttled_seconds"], 3)
        total["fullness"] = round(total["fullness"] + report["fullness"] / len(reports), 4)
    return total
