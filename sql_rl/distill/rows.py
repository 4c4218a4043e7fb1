"""Many rows at once: the loop that a run goes through, and on Ray each of its workers."""

import asyncio
import math
from collections.abc import Callable, Iterable

from sql_rl.distill.settle import Ask, Jury, Outcome, Policy, settle
from sql_rl.distill.window import GaveUp, Stopped, Window
from sql_rl.examples import Example
from sql_rl.runs.drive import Stop, drive
from sql_rl.settings import Settings
from sql_rl.teachers.base import Teacher

# Rows under way for each request in flight: the others wait for a slot, a worker of the judge or their next try, so
# that no slot is ever empty for want of a row.
ROWS_PER_REQUEST = 3


def open_window(settings: Settings, teacher: Teacher, stop: asyncio.Event) -> Window:
    """The window that the settings describe. A run is silent for two time-outs and a minute before it has stalled.

    An engine in process tells of its own end, and may be at work for long before the first of many answers is whole.
    """
    options = settings.distill
    stall = math.inf if options.provider == "vllm" else 2 * settings.request_timeout + 60
    return Window(teacher, options.batch_size, stop, rpm=options.rpm, tpm=options.tpm, stall_timeout=stall)


async def settle_rows(
    examples: Iterable[Example],
    policy: Policy,
    ask: Ask,
    jury: Jury,
    settled: Callable[[Outcome], None],
    *,
    under_way: int,
    stop: Stop,
    grace: float,
) -> list[str]:
    """Settles the examples as far as `stop` lets it, at most `under_way` at a time, and calls `settled` for each.

    Gives the rows that could not be had, each with the reason; whatever is not settled belongs to the next run.
    """
    unanswered: list[str] = []

    async def one(example: Example) -> None:
        try:
            outcome = await settle(example, policy, ask, jury)
        except Stopped:
            return
        except GaveUp as problem:
            unanswered.append(f"row {example.row}: {problem}")
            return
        settled(outcome)

    await drive(examples, one, under_way, stop, grace)
    return unanswered
