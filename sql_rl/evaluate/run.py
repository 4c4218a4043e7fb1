"""The job behind `evaluate`: questions in; answers, scores and metrics out.

Every answer and every score is in the journal as soon as it is there, so that an interrupted run is carried on by the
same command, and a finished one is left alone. Nothing is written from a part of the questions: half a benchmark has
no accuracy.
"""

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sql_rl.configure import Secrets
from sql_rl.distill.budget import Budget
from sql_rl.distill.journal import Journal, keep_synced, retire
from sql_rl.distill.recorded import RecordedTeacher, completion_in
from sql_rl.distill.rows import ROWS_PER_REQUEST, open_window
from sql_rl.distill.window import GaveUp, Stopped
from sql_rl.errors import SqlRlError, StoppedEarlyError
from sql_rl.evaluate.answering import Answering, FromFile, FromModel, engine_settings
from sql_rl.evaluate.benchmark import Question
from sql_rl.evaluate.compare import compared, read_results
from sql_rl.evaluate.outcome import Outcome
from sql_rl.evaluate.output import read_metrics, write, write_comparison
from sql_rl.evaluate.plan import Plan, plan
from sql_rl.evaluate.scoring import Scorer
from sql_rl.judge import Judge
from sql_rl.publish.report import write_report_apart
from sql_rl.runs.drive import Stop, drive, every, opened, signals
from sql_rl.runs.heap import rarely_collected
from sql_rl.runs.loop import run_async
from sql_rl.settings import Settings
from sql_rl.terminal.manner import Manner
from sql_rl.terminal.progress import Count, Display

UNDER_WAY = 64  # queries handed to the judge's workers at once: enough for each to find the next one waiting


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended. summary, metrics: the content of run.json and metrics.json; comparison: None without one.

    unchanged: it had been finished before, nothing was asked or judged.
    """

    folder: Path
    summary: dict[str, Any]
    metrics: dict[str, Any]
    comparison: dict[str, Any] | None = None
    unchanged: bool = False


def evaluate(settings: Settings, secrets: Secrets, manner: Manner = "person") -> Report:
    """Runs, or carries on, the evaluation that the settings describe.

    Raises UsageError (2), StoppedEarlyError (3), RefusedError (4), BusyError (75) or SqlRlError (1). Whatever was
    answered and judged until then is in the journal.
    """
    run = plan(settings, secrets)
    with run.folder.held():
        summary = run.folder.read_summary() if settings.evaluate.resume else {}
        metrics = read_metrics(run.folder) if _is_done(run, summary) else {}
        unchanged = bool(metrics)
        if not unchanged:
            if not settings.evaluate.resume:
                retire(run.folder.journal)
            with rarely_collected():
                summary, metrics = run_async(_run(run, summary.get("seconds", 0.0), manner))
        comparison = _compare(run) if run.other is not None else None
        if settings.report and not (unchanged and comparison is None):
            write_report_apart(run.folder.path)
    return Report(run.folder.path, summary, metrics, comparison, unchanged)


def _is_done(run: Plan, summary: dict[str, Any]) -> bool:
    return summary.get("status") == "finished" and summary.get("settings") == run.stated()


def _compare(run: Plan) -> dict[str, Any]:
    comparison = compared(run.other, read_results(run.folder.path), Path(run.settings.evaluate.compare).name)
    write_comparison(run.folder, comparison)
    return comparison


async def _run(run: Plan, seconds_before: float, manner: Manner) -> tuple[dict[str, Any], dict[str, Any]]:
    started = time.monotonic() - seconds_before
    stop = Stop()

    def disk_is_full() -> None:
        problem = f"{run.folder.path}: the disk is full; nothing finished is lost"
        stop.set(SqlRlError(f"{problem}: make room and run the same command again"))

    options = run.settings.evaluate
    with Journal(run.folder.journal, run.identity(), options.batch_size, disk_is_full) as journal, signals(stop):
        async with _answering(run, journal, stop) as (answering, wire), Judge(run.settings.judge) as judge:
            scorer = Scorer(judge, journal, run.judge_stamp, run.benchmark.stamps)
            outcomes, unanswered = await _all(run, answering, scorer, journal, stop, manner)
    seconds = round(time.monotonic() - started, 3)
    if len(outcomes) < len(run.benchmark.questions):
        remaining = len(run.benchmark.questions) - len(outcomes)
        run.folder.write_summary(
            {
                "command": "evaluate",
                "status": "stopped",
                "remaining": remaining,
                "seconds": seconds,
                "settings": run.stated(),
            }
        )
        raise stop.why or StoppedEarlyError(
            f"{len(unanswered)} of {len(run.benchmark.questions)} questions got no answer (first: {unanswered[0]}); "
            "the same command asks for them again"
        )
    if stop.why and not isinstance(stop.why, StoppedEarlyError):
        raise stop.why
    return write(run, outcomes, seconds, wire())


@asynccontextmanager
async def _answering(run: Plan, journal: Journal, stop: Stop) -> AsyncIterator[tuple[Answering, Any]]:
    """Who answers, and what tells afterwards how it went on the wire."""
    if run.teacher is None:
        yield FromFile(run.predictions), lambda: None
        return
    options, settings = run.settings.evaluate, engine_settings(run.settings)
    budget = None
    if options.max_cost is not None:
        spent = sum(run.price.of(completion_in(line)) for line in journal.all("completion"))
        budget = Budget(options.max_cost, run.price, spent)
    async with opened(run.teacher, stop) as teacher:
        window = open_window(settings, teacher, stop.admission)
        ask = RecordedTeacher(journal, teacher, options.model, window, budget)
        yield FromModel(run.prompts, ask, run.settings, options.provider in ("local", "vllm")), window.report
        if doubt := ask.doubt:
            stop.set(doubt)


async def _all(
    run: Plan, answering: Answering, scorer: Scorer, journal: Journal, stop: Stop, manner: Manner
) -> tuple[list[Outcome], list[str]]:
    """Every question answered and scored, as far as `stop` lets it, in order; and those that could not be had."""
    options, count = run.settings.evaluate, Count()
    outcomes: dict[int, Outcome] = {}
    unanswered: list[str] = []

    async def one(question: Question) -> None:
        try:
            said = await answering.answers(question)
        except Stopped:
            return
        except GaveUp as problem:
            unanswered.append(f"{question.id}: {problem}")
            return
        scored = [await scorer.score(question, answer.sql) for answer in said]
        votes = await scorer.group(question, [answer.sql for answer in said[1:]]) if len(said) > 1 else ()
        outcomes[question.example.row] = Outcome(question, said, scored, votes)
        count.done += 1
        display.update()

    async def beat() -> None:
        display.update()
        await keep_synced(journal, stop)

    under_way = UNDER_WAY if run.teacher is None else ROWS_PER_REQUEST * options.batch_size
    total = len(run.benchmark.questions)
    with Display("evaluate", total, count, sys.stderr, unit="questions", manner=manner) as display:
        async with every(1.0, beat):
            await drive(run.benchmark.questions, one, under_way, stop, options.grace)
    return [outcomes[row] for row in sorted(outcomes)], unanswered
