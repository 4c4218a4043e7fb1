"""The job behind `distill`: rows in, a journal, and the files derived from it.

    rows -> settle (ask, judge, ask again) -> journal     `_settle_all`: many at once, no barrier
    rows + journal -> settle -> the dataset               `_derive`: the journal alone

An interrupted run, however it was interrupted, is carried on by the same command.
"""

import asyncio
import dataclasses
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sql_rl import __version__
from sql_rl.configure import Secrets
from sql_rl.distill.card import card
from sql_rl.distill.counters import Counters, cost_of
from sql_rl.distill.dataset import kept, row, schema
from sql_rl.distill.journal import Journal, retire
from sql_rl.distill.progress import Display
from sql_rl.distill.recorded import RecordedJudge, RecordedTeacher
from sql_rl.distill.settle import Outcome, Policy, settle
from sql_rl.distill.window import GaveUp, Stopped, Window
from sql_rl.errors import SqlRlError, StoppedEarlyError, UsageError
from sql_rl.examples import Example
from sql_rl.judge import Judge
from sql_rl.publish.parquet import DatasetWriter
from sql_rl.runs.drive import Stop, drive, every, signals
from sql_rl.runs.folder import RunFolder, default_folder, write_whole
from sql_rl.settings import Settings
from sql_rl.sources import Source, open_source
from sql_rl.teachers import open_teacher
from sql_rl.teachers.base import Sampling, Teacher
from sql_rl.teachers.prices import FREE, Price, price_of

# Rows under way for each request in flight: the others wait for a slot, a worker of the judge or their next try, so
# that no slot is ever empty for want of a row.
ROWS_PER_REQUEST = 3


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended. summary: run.json's content. unchanged: it had been finished before, nothing was done."""

    folder: Path
    summary: dict[str, Any]
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is going to do: the settings, where the rows come from, and where everything goes."""

    settings: Settings
    source: Source
    folder: RunFolder

    @property
    def model(self) -> str:
        return "offline" if self.offline else self.settings.distill.model

    @property
    def offline(self) -> bool:
        return self.settings.distill.provider == "offline"

    def identity(self) -> dict[str, Any]:
        """What makes it this run: everything that decides what is asked. The rest may change when it is resumed."""
        options = self.settings.distill
        return {
            "dataset": self.source.name,
            "split": options.split,
            "provider": options.provider,
            "model": self.model,
            "temperature": self.settings.temperature,
            "max_tokens": self.settings.max_tokens,
            "seed": options.seed,
        }

    def stated(self) -> dict[str, Any]:
        """The settings as run.json holds them; there are no secrets among them."""
        content = dataclasses.asdict(self.settings)
        del content["audit"], content["train"], content["distill"]["resume"]
        return content | {"source": self.source.identity, "version": __version__}

    def policy(self, teacher: Teacher) -> Policy:
        """How the run settles an example. A teacher that repeats itself is asked once."""
        options = self.settings.distill
        return Policy(
            sampling=Sampling(self.settings.temperature, self.settings.max_tokens, options.seed),
            attempts=1 if teacher.repeats else 1 + options.retries,
            validate=options.validate,
            check_gold=options.remove_no_valid and not self.offline,
            max_prompt_tokens=self.settings.max_prompt_length,
        )


def plan(settings: Settings, secrets: Secrets) -> Plan:
    """Opens the source and finds the folder. Raises UsageError for what cannot be done, or not yet."""
    options = settings.distill
    if options.use_ray:
        raise UsageError("--use-ray is not there yet: leave it out and raise --batch-size")
    if options.publish or options.publish_repo_id:
        raise UsageError(
            "--publish is not there yet: leave it out; the output folder is a dataset that "
            "`hf upload --repo-type dataset <repo> <folder>` takes as it is"
        )
    source = open_source(options.dataset_repo_id, options.split, options.limit, settings.columns, secrets.hf_token)
    model = "offline" if options.provider == "offline" else options.model
    path = Path(options.output_dir) if options.output_dir else default_folder("distill", source.name, model)
    return Plan(settings, source, RunFolder(path))


def distill(settings: Settings, secrets: Secrets) -> Report:
    """Runs, or carries on, the distillation that the settings describe.

    Raises UsageError (2), StoppedEarlyError (3), RefusedError (4), BusyError (75) or SqlRlError (1). Whatever was
    finished until then is in the journal, and in the dataset too where there was room to derive it.
    """
    teacher = open_teacher(settings, secrets)
    run = plan(settings, secrets)
    with run.folder.held():
        before = run.folder.read_summary()
        if settings.distill.resume:
            if before.get("status") == "finished" and before.get("settings") == run.stated():
                return Report(run.folder.path, before, unchanged=True)
        else:
            retire(run.folder.journal)
            before = {}
        return asyncio.run(_run(run, teacher, before.get("seconds", 0.0)))


async def _run(run: Plan, teacher: Teacher, seconds_before: float) -> Report:
    started = time.monotonic()
    stop, unanswered = Stop(), list[str]()

    def disk_is_full() -> None:
        problem = f"{run.folder.path}: the disk is full; nothing finished is lost"
        stop.set(SqlRlError(f"{problem}: make room and run the same command again"))

    window = run.settings.distill.batch_size
    with Journal(run.folder.journal, run.identity(), window, disk_is_full) as journal, signals(stop):
        async with teacher:
            await _settle_all(run, teacher, journal, stop, unanswered)
        counters = await _derive(run, teacher, journal)
        seconds = round(seconds_before + time.monotonic() - started, 3)
        summary = _write_summary(run, counters, seconds)
    if stop.why and (counters.rows < run.source.count or not isinstance(stop.why, StoppedEarlyError)):
        raise stop.why
    if unanswered:
        raise StoppedEarlyError(
            f"{len(unanswered)} of {run.source.count} rows got no answer (first: {unanswered[0]}); "
            "the same command asks for them again"
        )
    return Report(run.folder.path, summary)


async def _settle_all(run: Plan, teacher: Teacher, journal: Journal, stop: Stop, unanswered: list[str]) -> None:
    """Settles every example of the source, as far as `stop` lets it; rows that could not be had go to unanswered."""
    options = run.settings.distill
    policy, counters = run.policy(teacher), Counters(_price(run))
    window = Window(teacher, options.batch_size, stop.admission)
    ask = RecordedTeacher(journal, teacher, run.model, window)

    async with Judge(run.settings.judge) as judge:
        judging = RecordedJudge(journal, _judge_stamp(run), judge)
        with Display(run.source.count, counters, sys.stderr) as display:

            async def one(example: Example) -> None:
                try:
                    outcome = await settle(example, policy, ask, judging)
                except Stopped:
                    return  # this row belongs to the next run
                except GaveUp as problem:
                    unanswered.append(f"row {example.row}: {problem}")
                    return
                counters.add(outcome, kept(outcome, options.remove_no_valid))
                display.update()

            async def beat() -> None:
                display.update()
                await asyncio.to_thread(journal.sync)

            async with every(1.0, beat):
                rows = ROWS_PER_REQUEST * options.batch_size
                await drive(run.source.examples(), one, rows, stop, options.grace)


async def _derive(run: Plan, teacher: Teacher, journal: Journal) -> Counters:
    """Writes the dataset from the journal: every row that is settled in it, in the order of the source."""
    policy, price, counters = run.policy(teacher), _price(run), Counters(_price(run))
    ask = RecordedTeacher(journal, teacher, run.model, None)
    judging = RecordedJudge(journal, _judge_stamp(run), None)
    examples: dict[bool, list[Outcome]] = {True: [], False: []}  # a few accepted and rejected ones for the card
    try:
        writer = DatasetWriter(run.folder.data, run.folder.rejected, schema(run.source.schema))
        for example in run.source.examples():
            try:
                outcome = await settle(example, policy, ask, judging)
            except Stopped:
                continue
            keep = kept(outcome, run.settings.distill.remove_no_valid)
            writer.add(row(outcome, hint=run.offline, cost=cost_of(outcome, price)), keep)
            counters.add(outcome, keep)
            if len(examples[outcome.accepted]) < 2:
                examples[outcome.accepted].append(outcome)
        writer.finish()
        write_whole(run.folder.card, card(run.stated(), run.source, counters, examples[True], examples[False]))
    except OSError as error:
        raise SqlRlError(
            f"{run.folder.path}: the dataset cannot be written: {error.strerror or error}; the journal holds "
            "everything that was answered: make room and run the same command again"
        ) from error
    return counters


def _write_summary(run: Plan, counters: Counters, seconds: float) -> dict[str, Any]:
    finished = counters.rows == run.source.count
    summary = {
        "command": "distill",
        "status": "finished" if finished else "stopped",
        "remaining": run.source.count - counters.rows,
        **counters.as_dict(),
        "seconds": seconds,
        "settings": run.stated(),
    }
    run.folder.write_summary(summary)
    return summary


def _price(run: Plan) -> Price | None:
    return FREE if run.offline else price_of(run.model)


def _judge_stamp(run: Plan) -> dict[str, Any]:
    """What a judgement depends on beside the query: not on how many workers there were, or how much they cached."""
    settings = dataclasses.asdict(run.settings.judge)
    return {k: v for k, v in settings.items() if k not in ("workers", "cache_mb")} | {"version": __version__}
