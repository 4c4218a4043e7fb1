"""The job behind `distill`: rows in, a journal, and the files derived from it.

    rows -> settle (ask, judge, ask again) -> journal     here: many at once, no barrier
    rows + journal -> settle -> the dataset               derive.py: the journal alone

An interrupted run, however it was interrupted, is carried on by the same command.
"""

import asyncio
import dataclasses
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from sql_rl.configure import Secrets
from sql_rl.distill.batches import Batches, check_none_open
from sql_rl.distill.budget import Budget
from sql_rl.distill.cluster.driver import spread
from sql_rl.distill.cluster.merge import take_in_left_over
from sql_rl.distill.counters import Counters
from sql_rl.distill.dataset import kept
from sql_rl.distill.derive import Derivation
from sql_rl.distill.following import followed, open_repository
from sql_rl.distill.journal import Journal, keep_synced, retire
from sql_rl.distill.order import by_context
from sql_rl.distill.plan import Plan, plan, rows_of
from sql_rl.distill.recorded import RecordedJudge, RecordedTeacher, completion_in, request_key
from sql_rl.distill.rows import ROWS_PER_REQUEST, open_window, settle_rows
from sql_rl.distill.settle import Ask, Outcome, Policy
from sql_rl.distill.window import Window
from sql_rl.errors import SqlRlError, StoppedEarlyError
from sql_rl.judge import Judge
from sql_rl.publish.dataset import publish_dataset
from sql_rl.publish.report import write_report_apart
from sql_rl.publish.repository import Repository
from sql_rl.runs.drive import Stop, every, opened, signals, terminable
from sql_rl.runs.heap import rarely_collected
from sql_rl.runs.loop import run_async
from sql_rl.settings import Settings
from sql_rl.sources import Source, identity_of_file
from sql_rl.teachers import open_teacher
from sql_rl.teachers.base import Teacher
from sql_rl.teachers.batch_api import MAX_LINES, BatchApi, open_batch_api
from sql_rl.terminal.manner import Manner, narrator
from sql_rl.terminal.progress import Display


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended. summary: run.json's content. unchanged: it had been finished before, nothing was done.

    published: the URL of the repository that holds it now, if it was to be published.
    """

    folder: Path
    summary: dict[str, Any]
    unchanged: bool = False
    published: str | None = None


def distill(settings: Settings, secrets: Secrets, manner: Manner = "person") -> Report:
    """Runs, or carries on, the distillation that the settings describe.

    Raises UsageError (2), StoppedEarlyError (3), RefusedError (4), BusyError (75) or SqlRlError (1). Whatever was
    finished until then is in the journal, and in the dataset too where there was room to derive it.
    """
    run = plan(settings)
    teacher = open_teacher(settings, secrets, run.folder.path)
    batch_api = open_batch_api(settings, secrets) if settings.distill.batch_api else None
    with terminable(), run.folder.held():
        repository = open_repository(run, secrets)
        report = _carried_on(run, teacher, batch_api, secrets, repository, manner)
        if repository is not None:
            publish_dataset(run.folder, repository)
            report = dataclasses.replace(report, published=repository.target.url)
        return report


def _carried_on(
    run: Plan,
    teacher: Teacher,
    batch_api: BatchApi | None,
    secrets: Secrets,
    repository: Repository | None,
    manner: Manner,
) -> Report:
    """The run, from where an earlier one left it; a finished one is left alone."""
    settings = run.settings
    before = run.folder.read_summary() if settings.distill.resume else {}
    # Of a file its bytes tell whether the rows are the same, so that this takes no time at any size.
    if _is_done(run, before, identity_of_file(settings.distill.dataset_repo_id)):
        return Report(run.folder.path, before, unchanged=True)
    source = rows_of(settings, secrets)
    if _is_done(run, before, source.identity):
        return Report(run.folder.path, before, unchanged=True)
    if not settings.distill.resume:
        retire(run.folder.journal)
        retire(run.folder.workers)
    with rarely_collected():
        report = run_async(
            _run(run, source, teacher, batch_api, secrets, repository, before.get("seconds", 0.0), manner)
        )
    if settings.report:
        write_report_apart(run.folder.path)
    return report


def _is_done(run: Plan, before: dict[str, Any], source: str) -> bool:
    return before.get("status") == "finished" and before.get("settings") == run.stated(source)


async def _run(
    run: Plan,
    source: Source,
    teacher: Teacher,
    batch_api: BatchApi | None,
    secrets: Secrets,
    repository: Repository | None,
    seconds_before: float,
    manner: Manner,
) -> Report:
    started = time.monotonic() - seconds_before
    stop = Stop()

    def disk_is_full() -> None:
        problem = f"{run.folder.path}: the disk is full; nothing finished is lost"
        stop.set(SqlRlError(f"{problem}: make room and run the same command again"))

    window = run.settings.distill.batch_size
    with Journal(run.folder.journal, run.identity(), window, disk_is_full) as journal, signals(stop):
        await asyncio.to_thread(take_in_left_over, run.folder.workers, journal)
        budget = _budget(run, journal)
        if run.settings.distill.use_ray:
            check_none_open(journal)
        derivation = Derivation(run, source, teacher, journal)
        async with followed(derivation, repository):
            if run.settings.distill.use_ray:
                unanswered, wire = await spread(run, source, teacher, secrets, journal, stop, budget, manner)
            else:
                opening = _window(run, teacher, batch_api, journal, stop.admission, manner)
                async with opened(teacher, stop), opening as window:
                    ask = RecordedTeacher(journal, teacher, run.model, window, budget)
                    unanswered = await _settle_all(run, source, run.policy(teacher), ask, journal, stop, manner)
                    wire = window.report()
                if doubt := ask.doubt:
                    stop.set(doubt)
        summary = await derivation.finish({"seconds": round(time.monotonic() - started, 3), "wire": wire}, stop)
    if stop.why and (summary["remaining"] or not isinstance(stop.why, StoppedEarlyError)):
        raise stop.why
    if unanswered and summary["remaining"]:
        raise StoppedEarlyError(
            f"{len(unanswered)} of {source.count} rows got no answer (first: {unanswered[0]}); "
            "the same command asks for them again"
        )
    return Report(run.folder.path, summary)


async def _settle_all(
    run: Plan, source: Source, policy: Policy, ask: Ask, journal: Journal, stop: Stop, manner: Manner
) -> list[str]:
    """Settles every example of the source, as far as `stop` lets it; gives the rows that could not be had."""
    options, counters = run.settings.distill, Counters(run.price)
    under_way = ROWS_PER_REQUEST * options.batch_size
    if options.batch_api:  # all at once, but not for a target that a few rows would reach
        under_way = min(MAX_LINES, 2 * (options.target_accepted or MAX_LINES))
    async with Judge(run.settings.judge) as judge:
        jury = RecordedJudge(journal, run.judge_stamp, judge)
        with Display(
            "distill", source.count, counters, sys.stderr, log_format=options.log_format, manner=manner
        ) as display:

            def settled(outcome: Outcome) -> None:
                counters.add(outcome, kept(outcome, options.remove_no_valid))
                display.update()

            async def beat() -> None:
                display.update()
                await keep_synced(journal, stop)

            target = options.target_accepted
            rows = takewhile(lambda _: target is None or counters.accepted < target, by_context(source.examples()))
            async with every(1.0, beat):
                return await settle_rows(
                    rows, policy, ask, jury, settled, under_way=under_way, stop=stop, grace=options.grace
                )


@asynccontextmanager
async def _window(
    run: Plan, teacher: Teacher, batch_api: BatchApi | None, journal: Journal, stop: asyncio.Event, manner: Manner
) -> AsyncIterator[Window | Batches]:
    """What requests go through: one by one, or by the batch."""
    if batch_api is None:
        check_none_open(journal)  # else requests that travel with a batch would be paid again
        yield open_window(run.settings, teacher, stop)
        return
    key = partial(request_key, model=run.model, teacher=teacher)
    say = narrator(manner)
    async with Batches(batch_api, journal, key, teacher.body, stop, say) as batches:
        yield batches


def _budget(run: Plan, journal: Journal) -> Budget | None:
    cap, price = run.settings.distill.max_cost, run.price
    if cap is None or price is None:
        return None
    return Budget(cap, price, spent=sum(price.of(completion_in(line)) for line in journal.all("completion")))
