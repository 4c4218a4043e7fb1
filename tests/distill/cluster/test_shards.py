"""What is still to be done, handed out once, and again when whoever had it is lost."""

import asyncio

import pytest
from support import row

from sql_rl.distill.cluster.shards import Shard, Shards, shard_size
from sql_rl.distill.journal import Journal
from sql_rl.distill.recorded import RecordedJudge, RecordedTeacher
from sql_rl.distill.settle import Outcome, settle
from sql_rl.distill.window import Window
from sql_rl.examples import Example
from sql_rl.judge import Judge
from sql_rl.teachers import open_teacher


@pytest.mark.parametrize(
    ("rows", "workers", "window", "exact_end", "expected"),
    [
        (100_000, 2, 64, False, 96),
        (100_000, 2, 4, False, 64),
        (100_000, 2, 4, True, 6),
        (100, 5, 64, False, 10),
        (1, 2, 4, False, 1),
    ],
)
def test_the_size(rows: int, workers: int, window: int, exact_end: bool, expected: int):
    assert shard_size(rows, workers, window, exact_end) == expected


class Desk:
    """Shards over a run of the offline teacher. asked, answered: settles examples as a worker would."""

    def __init__(self, planned, journal: Journal, size: int = 5, **options) -> None:
        self.run, source = planned(**options)
        self.teacher, self.journal = open_teacher(self.run.settings, None), journal
        self.counted: list[int] = []
        self.enough = False
        self.shards = Shards(self.run, source, self.teacher, journal, self._count, lambda: self.enough)
        self.shards.size = size

    def _count(self, outcome: Outcome) -> None:
        self.counted.append(outcome.example.row)

    async def answer(self, *examples: Example, judged: bool = True) -> None:
        window = Window(self.teacher, 4, asyncio.Event())
        ask = RecordedTeacher(self.journal, self.teacher, self.run.model, window)
        async with Judge(self.run.settings.judge) as judge:
            for example in examples:
                await settle(example, self.run.policy(self.teacher), ask, RecordedJudge(self.journal, {}, judge))


def rows_in(shard: Shard | None) -> list[int]:
    return [example.row for example in shard.examples]


async def test_shards_are_handed_out_in_order_and_what_is_settled_is_counted(planned, journal: Journal):
    desk = Desk(planned, journal)
    first = await desk.shards.take()
    await desk.answer(*first.examples)
    again = Desk(planned, journal)
    assert rows_in(await again.shards.take()) == [5, 6, 7, 8, 9]
    assert again.counted == [0, 1, 2, 3, 4]
    assert rows_in(await again.shards.take()) == [10, 11]


async def test_who_waits_gets_what_a_lost_one_had_but_for_what_is_settled(planned, journal: Journal):
    desk = Desk(planned, journal, size=12)
    shard = await desk.shards.take()
    waiting = asyncio.create_task(desk.shards.take())
    await asyncio.sleep(0)
    assert not waiting.done(), "the rows are out, and may come back"
    await desk.answer(*shard.examples[:4])
    desk.shards.lost(shard.number)
    taken = await waiting
    assert rows_in(taken) == list(range(4, 12))
    assert desk.counted == [0, 1, 2, 3]
    waiting = asyncio.create_task(desk.shards.take())
    await asyncio.sleep(0)
    assert not desk.shards.over
    desk.shards.done(taken.number)
    assert await waiting is None
    assert desk.shards.over


async def test_what_the_journal_knows_of_a_row_that_is_not_settled_goes_along(planned, journal: Journal):
    """Answered, but not judged: the answer is not paid again."""
    await (desk := Desk(planned, journal)).answer((await desk.shards.take()).examples[0])
    judging = Desk(planned, journal, size=2, validate=True)
    shard = await judging.shards.take()
    assert rows_in(shard) == [0, 1]
    assert [(line["kind"], line["row"]) for line in shard.lines] == [("completion", 0)]


async def test_a_twin_waits_for_the_first_one(planned, journal: Journal):
    desk = Desk(planned, journal, size=3, rows=[row(1), row(2), row(1), row(3), row(1)])
    first = await desk.shards.take()
    assert rows_in(first) == [0, 1, 3]
    await desk.answer(*first.examples)
    desk.shards.done(first.number)
    assert await desk.shards.take() is None
    assert sorted(desk.counted) == [2, 4], "settled by what was asked for row 0"


async def test_a_taker_that_is_cancelled_takes_no_rows_with_it(planned, journal: Journal):
    desk = Desk(planned, journal)
    taker = asyncio.create_task(desk.shards.take())
    await asyncio.sleep(0)
    taker.cancel()
    taken = []
    while (await asyncio.gather(taker, return_exceptions=True)) and (shard := await desk.shards.take()):
        taken += rows_in(shard)
        desk.shards.done(shard.number)
    assert taken == list(range(12))


async def test_enough_is_enough(planned, journal: Journal):
    desk = Desk(planned, journal)
    shard = await desk.shards.take()
    await desk.shards.take()
    await desk.shards.take()
    waiting = asyncio.create_task(desk.shards.wanted())
    await asyncio.sleep(0)
    desk.enough = True
    desk.shards.wake()
    assert await waiting is False
    assert not desk.shards.over, "what is out may come back, and the end with it"
    for number in range(shard.number, shard.number + 3):
        desk.shards.lost(number)
    assert await desk.shards.take() is None
    assert desk.shards.over
