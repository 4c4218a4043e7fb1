"""The driver: hires workers, feeds them shards, watches them, and keeps the run's journal.

A worker that dies, or is silent for SILENT seconds, is lost: what its journal holds is taken in, its shards go to the
others, and another worker is hired in its place. The run's own journal is written by the driver alone.
"""

import asyncio
import dataclasses
import sys
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, TypeVar

from sql_rl.configure import Secrets
from sql_rl.distill.budget import Budget, used_up
from sql_rl.distill.cluster.connect import cluster
from sql_rl.distill.cluster.merge import Intake, clear, has_ended
from sql_rl.distill.cluster.purse import Purse
from sql_rl.distill.cluster.shards import UNDER_WAY, Shards, shard_size
from sql_rl.distill.cluster.share import Layout, layout, share
from sql_rl.distill.cluster.total import Total
from sql_rl.distill.cluster.worker import Worker
from sql_rl.distill.dataset import kept
from sql_rl.distill.journal import Journal
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
SILENT = 60.0  # seconds without an answer to one, after which a worker is lost
PLACED_WITHIN = 120.0  # seconds in which the cluster has to find room for a first worker
LOST_IN_A_ROW = 3  # workers lost in one place, none of which ended a shard: the run stops
ENDS_WITHIN = 15.0  # seconds beyond the grace in which a worker that was stopped hands its shards back

T = TypeVar("T")


class Lost(Exception):  # noqa: N818 (the worker's end, not the run's)
    """A worker is no more, or as good as that."""


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
            await asyncio.to_thread(journal.sync)

        async with every(BEAT, beat):
            if await crew.shards.wanted():
                async with cluster(least_cpus=options.ray_workers or 1) as nodes:
                    await crew.work(layout(nodes, run.settings))
        display.update()
    return crew.unanswered, _together(crew.reports)


@dataclass(eq=False, slots=True)
class _Hired:
    """A worker at work. name: of its journal; place: of its machine and process; spent: dollars, by its journal.

    shards: those it has; ended: how many it had before.
    """

    name: str
    place: str
    actor: Any
    intake: Intake
    shards: set[int] = field(default_factory=set)
    spent: float = 0.0
    ended: int = 0


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
        self._hired: set[_Hired] = set()
        self._hiring: set[Any] = set()
        self._intakes: list[Intake] = []
        self._token = token_hex(4)  # in the names of journals, so that a straggler of an earlier run meets none of ours
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
            self._purse = Purse(self._budget.cap - self._budget.spent, layout.workers)
        self._run.folder.workers.mkdir(exist_ok=True)
        probe = self._run.folder.workers / f"{self._token}.probe"
        probe.write_text(self._token)
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
                hired = await self._hire(number)
                await self._serve(hired)
                return
            except SqlRlError as error:
                self._stop.set(error)
            except Lost as loss:
                in_a_row = 1 if hired and hired.ended else in_a_row + 1
                if not self._stop:
                    place = hired.place if hired else "before it was ready"
                    print(f"worker {number + 1} was lost ({place}): {loss}", file=sys.stderr)
                if in_a_row == LOST_IN_A_ROW:
                    self._stop.set(
                        SqlRlError(f"--use-ray: {in_a_row} workers died one after another, the last for this: {loss}")
                    )
            finally:
                if hired:
                    await self._part_from(hired)

    async def _hire(self, number: int) -> _Hired:
        import ray

        name = f"{self._token}-{len(self._intakes)}"
        journal = self._run.folder.workers / f"{name}.jsonl"
        self._intakes.append(Intake(journal))
        intake = self._intakes[-1]
        part = dataclasses.replace(self._run, settings=share(self._run.settings, self._layout, number))
        actor = (
            ray.remote(Worker)
            .options(num_cpus=self._layout.cpus, num_gpus=self._layout.gpus, max_restarts=0, max_task_retries=0)
            .remote()
        )
        self._hiring.add(actor)
        try:
            host, pid = await self._where(actor)
            probe = self._run.folder.workers / f"{self._token}.probe"
            await _called(actor.open.remote(part, self._secrets, journal, (probe, self._token)))
        except BaseException:
            ray.kill(actor)
            raise
        finally:
            self._hiring.discard(actor)
        hired = _Hired(name, f"{host}, process {pid}", actor, intake)
        self._hired.add(hired)
        if self._stop:
            actor.stop.remote(at_once=False)
        return hired

    async def _where(self, actor: Any) -> tuple[str, int]:
        answer = asyncio.ensure_future(_called(actor.where.remote()))
        while not (await asyncio.wait({answer}, timeout=PLACED_WITHIN))[0]:
            if not self._placed:
                need = f"{self._layout.cpus} CPUs" + (f" and {self._layout.gpus} GPUs" if self._layout.gpus else "")
                raise SqlRlError(f"--use-ray: the cluster found no room for a worker ({need}) in {PLACED_WITHIN:g} s")
        self._placed = True
        return answer.result()

    async def _serve(self, hired: _Hired) -> None:
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
        try:
            async with asyncio.timeout(ENDS_WITHIN):
                self.reports.append(await _called(hired.actor.close.remote()))
        except TimeoutError:
            raise Lost(f"it did not close within {ENDS_WITHIN:g} s") from None

    async def _feed(self, hired: _Hired) -> None:
        while shard := await self.shards.take():
            hired.shards.add(shard.number)
            ended = await _called(hired.actor.settle.remote(shard))
            self._take_in(hired)
            hired.shards.remove(shard.number)
            hired.ended += 1
            self._total.ended(shard.number, ended.counters)
            self.unanswered += ended.unanswered
            if ended.why:
                self._stop.set(ended.why)
            self.shards.done(shard.number)

    async def _beat(self, hired: _Hired) -> None:
        while True:
            lent = self._purse.lend(hired.name) if self._purse else 0.0
            try:
                async with asyncio.timeout(SILENT):
                    beat = await _called(hired.actor.beat.remote(lent))
            except TimeoutError:
                raise Lost(f"nothing was heard of it for {SILENT:g} s") from None
            self._total.under_way({number: c for number, c in beat.counters.items() if number in hired.shards})
            if self._enough():
                self.shards.wake()
            if self._purse:
                self._purse.told(hired.name, beat.account)
                if self._purse.exhausted:
                    self._stop.set(used_up(self._budget.cap, self._budget.cap - self._purse.left))
            await asyncio.sleep(BEAT)

    def _take_in(self, hired: _Hired) -> None:
        """What the worker's journal holds by now. A disk that is full ends the run, and the worker's file stays."""
        try:
            new = hired.intake.take_in(self._journal)
        except SqlRlError as error:
            self._stop.set(error)
            return
        if self._purse:
            hired.spent += sum(self._run.price.of(completion_in(line)) for line in new if line["kind"] == "completion")

    async def _part_from(self, hired: _Hired) -> None:
        """The worker goes, and all that it leaves is taken in; shards that it still had go to others."""
        import ray

        ray.kill(hired.actor)
        await asyncio.to_thread(has_ended, hired.intake.path, within=5.0)
        self._take_in(hired)
        self._hired.remove(hired)
        if self._purse:
            self._purse.closed(hired.name, hired.spent)
        for number in hired.shards:
            self._total.lost(number)
            self.shards.lost(number)

    async def _end_when_stopped(self) -> None:
        """After a stop: workers drain within the grace, or end at once where that is asked; late ones are killed."""
        import ray

        await self._stop.admission.wait()
        self.shards.wake()
        for actor in self._hiring:
            ray.kill(actor)
        for hired in self._hired:
            hired.actor.stop.remote(at_once=False)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.abandoned.wait(), self._run.settings.distill.grace)
        for hired in self._hired:
            hired.actor.stop.remote(at_once=True)
        await asyncio.sleep(ENDS_WITHIN)
        for hired in self._hired:
            ray.kill(hired.actor)

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


async def _called(reference: Awaitable[T]) -> T:
    """The result of a call. Raises the SqlRlError that it raised, or Lost where the worker did not live to answer."""
    from ray.exceptions import RayError, RayTaskError

    try:
        return await reference
    except RayTaskError as failure:
        if isinstance(failure.cause, SqlRlError):
            raise failure.cause from None
        raise
    except RayError as failure:
        raise Lost(str(failure).strip().partition("\n")[0]) from failure


def _together(reports: list[dict[str, float | int]]) -> dict[str, float | int]:
    """Reports of windows as one: sums, and of shares the mean."""
    total = {"retried": 0, "throttled_seconds": 0.0, "fullness": 0.0}
    for report in reports:
        total["retried"] += report["retried"]
        total["throttled_seconds"] = round(total["throttled_seconds"] + report["throttled_seconds"], 3)
        total["fullness"] = round(total["fullness"] + report["fullness"] / len(reports), 4)
    return total
