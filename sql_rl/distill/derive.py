"""From the journal to the dataset: every row that is settled in it, in the order of the source.

The same `settle` that ran live runs again, with the journal as its only teacher and judge, so that what is written
does not depend on when and how often the run was interrupted.
"""

from typing import Any

from sql_rl.distill.card import card
from sql_rl.distill.counters import Counters, cost_of
from sql_rl.distill.dataset import kept, row, schema
from sql_rl.distill.journal import Journal
from sql_rl.distill.plan import Plan
from sql_rl.distill.recorded import RecordedJudge, RecordedTeacher
from sql_rl.distill.settle import Outcome, settle
from sql_rl.distill.window import Stopped
from sql_rl.errors import SqlRlError
from sql_rl.publish.parquet import DatasetWriter
from sql_rl.runs.folder import write_whole
from sql_rl.sources import Source
from sql_rl.teachers.base import Teacher

SHOWN = 2  # accepted and rejected rows on the card, each


async def derive(
    plan: Plan, source: Source, teacher: Teacher, journal: Journal, measured: dict[str, Any]
) -> dict[str, Any]:
    """Writes the parquet files, the card and run.json; gives the content of run.json.

    measured: what the journal does not tell: the seconds that the run took so far, and how it went on the wire.
    Raises SqlRlError where it cannot be written: the journal is whole all the same.
    """
    options = plan.settings.distill
    policy, counters = plan.policy(teacher), Counters(plan.price)
    ask = RecordedTeacher(journal, teacher, plan.model)
    jury = RecordedJudge(journal, plan.judge_stamp)
    shown: dict[bool, list[Outcome]] = {True: [], False: []}
    try:
        writer = DatasetWriter(plan.folder.data, plan.folder.rejected, schema(source.schema))
        for example in source.examples():
            if counters.accepted == options.target_accepted:
                break
            try:
                outcome = await settle(example, policy, ask, jury)
            except Stopped:
                continue
            keep = kept(outcome, options.remove_no_valid)
            writer.add(row(outcome, cost_of(outcome, plan.price)), keep)
            counters.add(outcome, keep)
            if len(shown[outcome.accepted]) < SHOWN:
                shown[outcome.accepted].append(outcome)
        writer.finish()
        write_whole(plan.folder.card, card(plan.stated(source.identity), source, counters, shown[True], shown[False]))
        summary = _summary(plan, source, counters) | measured
        plan.folder.write_summary(summary)
    except OSError as error:
        raise SqlRlError(
            f"{plan.folder.path}: the dataset cannot be written: {error.strerror or error}; the journal holds "
            "everything that was answered: make room and run the same command again"
        ) from error
    return summary


def _summary(plan: Plan, source: Source, counters: Counters) -> dict[str, Any]:
    """run.json. remaining: rows of the source that are not settled; of a run that has its target, none."""
    reached = counters.accepted == plan.settings.distill.target_accepted
    remaining = 0 if reached else source.count - counters.rows
    return {
        "command": "distill",
        "status": "stopped" if remaining else "finished",
        "remaining": remaining,
        **counters.as_dict(),
        "settings": plan.stated(source.identity),
    }
